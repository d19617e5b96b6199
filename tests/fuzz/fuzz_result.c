/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Result files of any content: opened, walked, every data set read as every type, and opened
 * again for points. HDF5 itself crashes on damaged files of the old format (superblock 0, no
 * checksums), which is why the program reads in a process of its own; here it is in this one,
 * so that the fuzzer sees what is reached, and the seeds are files of ours. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/h5_items.h"
#include "thalweg/store_result.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* HDF5 1.10.8 leaks what it had read of a damaged file; ours must not. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libhdf5";
}

static void collect(void *ctx, const char *path, const char *type, const char *shape,
                    const char *value)
{
    (void)type;
    (void)shape;
    (void)value;
    if (!strchr(path, '@'))
        tw_str_addn(ctx, path, strlen(path) + 1);
}

static void read_all(struct tw_result *r, const char *path)
{
    size_t dims[TW_RESULT_MAX_RANK], n = 0;
    char **list, *s;
    uint8_t *b;
    double *x;

    (void)tw_result_has(r, path);
    for (int rank = 0; rank <= TW_RESULT_MAX_RANK; rank++) {
        if (tw_result_get_reals(r, path, rank, dims, &x, NULL) == TW_OK)
            free(x);
        if (tw_result_get_bytes(r, path, rank, dims, &b, NULL) == TW_OK)
            free(b);
    }
    (void)!tw_result_get_size(r, path, &n, NULL);
    if (tw_result_get_text(r, path, &s, NULL) == TW_OK)
        free(s);
    if (tw_result_get_texts(r, path, &n, &list, NULL) == TW_OK) {
        for (size_t i = 0; i < n; i++)
            free(list[i]);
        free(list);
    }
}

static void exercise(const char *path)
{
    struct tw_str rows = { 0 };
    struct tw_err err = { 0 };
    struct tw_result *r;
    const uint8_t b = 1;
    const double x = 1;

    if (tw_info_hdf5(path, collect, &rows, &err) != TW_OK && !err.msg[0])
        abort();
    err = (struct tw_err){ 0 };
    r = tw_result_open(path, NULL, &err);
    if (!r && (err.code == TW_OK || !err.msg[0] || strchr(err.msg, '\n')))
        abort();
    for (size_t i = 0; r && i < rows.n && !rows.failed; i += strlen(rows.s + i) + 1)
        read_all(r, rows.s + i);
    tw_result_done(r);
    r = tw_result_reopen(path, NULL, NULL);
    for (size_t i = 0; r && i < rows.n && !rows.failed; i += strlen(rows.s + i) + 1) {
        (void)!tw_result_write_reals(r, rows.s + i, 0, &x, 1, NULL);
        (void)!tw_result_write_bytes(r, rows.s + i, 0, &b, 1, NULL);
    }
    if (r)
        (void)!tw_result_close(r, NULL);
    tw_str_release(&rows);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    /* In memory where there is such a place; HDF5 cannot find the path of a memfd. */
    static char path[] = "/dev/shm/tw-fuzz-XXXXXX";
    static int fd = -1;

    tw_library_init();
    tw_h5_in_process = true;
    if (fd < 0)
        fd = mkstemp(path);
    if (fd < 0 || ftruncate(fd, 0) != 0 || pwrite(fd, data, n, 0) != (ssize_t)n)
        abort();
    exercise(path);
    return 0;
}
