/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The only file that knows every library underneath. */
#include <gsl/gsl_errno.h>
#include <hdf5.h>

#include "thalweg/base.h"
#include "version.h"

void tw_library_init(void)
{
    (void)gsl_set_error_handler_off();
    (void)H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
}

const char *tw_version(void)
{
    return TW_VERSION;
}
