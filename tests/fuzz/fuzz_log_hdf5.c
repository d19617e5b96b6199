/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Logs in well-formed HDF5 files of any content. */
#include <hdf5.h>
#include <stdlib.h>

#include "fuzz_h5.h"
#include "fuzz_log.h"
#include "store/h5_items.h"

static const char *const where[] = { "/log/", "/runs/a/log/", "/runs/b/log/", "/runs/", "/" };
static const char *const what[] = { "step", "loss", "log", "runs", "lr", "x/y" };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes b = { data, data + size };
    hid_t plist, file;
    char *image = NULL;
    ssize_t n;

    tw_library_init();
    tw_h5_in_process = true;
    plist = H5Pcreate(H5P_FILE_ACCESS);
    (void)H5Pset_fapl_core(plist, 1 << 16, 0);
    file = H5Fcreate("fuzz", H5F_ACC_TRUNC, H5P_DEFAULT, plist);
    (void)H5Pclose(plist);
    for (int i = 0; i < 12 && b.p < b.end; i++)
        put_object(file, &b, where, what);
    (void)H5Fflush(file, H5F_SCOPE_GLOBAL);
    n = H5Fget_file_image(file, NULL, 0);
    if (n > 0 && (image = malloc((size_t)n)))
        n = H5Fget_file_image(file, image, (size_t)n);
    (void)H5Fclose(file);
    if (image && n > 0)
        fuzz_log(image, (size_t)n, NULL);
    free(image);
    return 0;
}
