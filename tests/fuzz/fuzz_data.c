/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Data sets with any options: well-formed HDF5 files of any content, or bytes as they are (npy,
 * npz), as the first byte says. */
#include <hdf5.h>
#include <stdlib.h>
#include <unistd.h>

#include "fuzz_h5.h"
#include "store/h5_items.h"
#include "thalweg/store_data.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const where[] = { "/", "/", "/", "/X_", "/x_" };
static const char *const what[] = { "x", "y", "split", "train", "test", "a/b" };

static void check(const struct tw_dataset *d, const struct tw_data_options *o)
{
    if (d->x.rank < 1 || d->x.dims[0] < 1 || (o->limit && d->x.dims[0] > o->limit))
        abort();
    if (d->y.dtype != TW_NONE && (d->y.rank < 1 || d->y.dims[0] != d->x.dims[0]))
        abort();
    for (size_t i = 0; i < d->y.n && o->classes; i++)
        if (d->y.dtype != TW_I64 || (tw_array_int(&d->y, i) < 0 && tw_array_int(&d->y, i) != -100))
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char path[] = "/dev/shm/tw-fuzz-XXXXXX";
    static const char *const splits[] = { NULL, "train", "test" };
    static const double few[] = { 1, 2, 3 };
    static int fd = -1;
    struct bytes b = { data, data + size };
    bool hdf5 = take(&b, 2) == 0;
    struct tw_data_options o = { .scale = take(&b, 3),
                                 .nmean = take(&b, 4),
                                 .nstd = take(&b, 4),
                                 .mean = few,
                                 .std = few,
                                 .split = splits[take(&b, 3)],
                                 .limit = take(&b, 4),
                                 .random = take(&b, 2) != 0,
                                 .classes = take(&b, 2) != 0 };
    struct tw_data_report report;
    struct tw_str remarks = { 0 };
    struct tw_dataset d = { 0 };
    struct tw_err err = { 0 };
    enum tw_status rc;

    tw_library_init();
    tw_h5_in_process = true;
    if (fd < 0 && (fd = mkstemp(path)) < 0)
        abort();
    if (hdf5) {
        hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);

        for (int i = 0; i < 12 && b.p < b.end; i++)
            put_object(file, &b, where, what);
        (void)H5Fclose(file);
    } else {
        size_t n = (size_t)(b.end - b.p);

        if (n >= 4 && !memcmp(b.p, "\211HDF", 4))
            return 0; /* HDF5 itself crashes on damaged files, which is why it reads elsewhere */
        if (ftruncate(fd, 0) != 0 || pwrite(fd, b.p, n, 0) != (ssize_t)n)
            abort();
    }
    rc = tw_store_data_read(path, NULL, &o, &d, &report, &remarks, &err);
    if (rc != TW_OK && (err.code != rc || !err.msg[0]))
        abort();
    if (rc == TW_OK)
        check(&d, &o);
    tw_dataset_release(&d);
    tw_str_release(&remarks);
    return 0;
}
