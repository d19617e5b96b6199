/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The only file that knows every library underneath. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <gsl/gsl_errno.h>
#include <gsl/gsl_version.h>
#include <hdf5.h>
#include <json_c_version.h>
#include <nettle/version.h>
#include <pcre2.h>
#include <protobuf-c/protobuf-c.h>
#include <stdio.h>
#include <string.h>
#include <zip.h>
#include <zlib.h>

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

static void set(struct tw_library_part *p, const char *name, const char *version)
{
    p->name = name;
    (void)snprintf(p->version, sizeof p->version, "%.*s", (int)strcspn(version, " "), version);
}

size_t tw_library_parts(struct tw_library_part *parts, size_t n)
{
    enum { N = 8 };
    struct tw_library_part all[N];
    char pcre2[64] = "";
    unsigned major = 0, minor = 0, release = 0;

    if (pcre2_config(PCRE2_CONFIG_VERSION, NULL) <= (int)sizeof pcre2)
        (void)pcre2_config(PCRE2_CONFIG_VERSION, pcre2);
    (void)H5get_libversion(&major, &minor, &release);
    set(&all[0], "HDF5", "");
    (void)snprintf(all[0].version, sizeof all[0].version, "%u.%u.%u", major, minor, release);
    set(&all[1], "GSL", gsl_version);
    set(&all[2], "json-c", json_c_version());
    set(&all[3], "PCRE2", pcre2);
    set(&all[4], "zlib", zlibVersion());
    set(&all[5], "nettle", "");
    (void)snprintf(all[5].version, sizeof all[5].version, "%d.%d", nettle_version_major(),
                   nettle_version_minor());
    set(&all[6], "libzip", zip_libzip_version());
    set(&all[7], "protobuf-c", protobuf_c_version());
    for (size_t i = 0; parts && i < n && i < N; i++)
        parts[i] = all[i];
    return N;
}
