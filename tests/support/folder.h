/* SPDX-License-Identifier: GPL-3.0-or-later */
/* folder.h - a fresh folder per test, removed afterwards; no HDF5 handle may be left open. */
#ifndef TESTS_FOLDER_H
#define TESTS_FOLDER_H

#include <dirent.h>
#include <hdf5.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "num.h"
#include "thalweg/base.h"

static char folder[64];

static inline const char *in_folder(const char *name)
{
    static char path[8][400];
    static unsigned k;

    k = (k + 1) % 8;
    (void)snprintf(path[k], sizeof path[k], "%s/%s", folder, name);
    return path[k];
}

/* Entries but "." and ".."; removes them if told to. */
static inline size_t files_in_folder(int remove)
{
    DIR *d = opendir(folder);
    struct dirent *e;
    size_t n = 0;

    while (d && (e = readdir(d)) != NULL)
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0) {
            n++;
            if (remove && unlink(in_folder(e->d_name)) != 0)
                (void)rmdir(in_folder(e->d_name));
        }
    if (d)
        (void)closedir(d);
    return n;
}

static inline int folder_setup(void **state)
{
    const char *tmp = getenv("TMPDIR");

    (void)state;
    tw_library_init();
    (void)snprintf(folder, sizeof folder, "%.40s/tw-XXXXXX", tmp ? tmp : "/tmp");
    return mkdtemp(folder) ? 0 : -1;
}

static inline int folder_teardown(void **state)
{
    ssize_t open_handles = H5Fget_obj_count((hid_t)H5F_OBJ_ALL, H5F_OBJ_ALL);

    (void)state;
    (void)files_in_folder(1);
    if (open_handles != 0)
        print_error("%zd HDF5 handles left open\n", open_handles);
    return rmdir(folder) != 0 || open_handles != 0;
}

#define folder_test(f) cmocka_unit_test_setup_teardown(f, folder_setup, folder_teardown)

static inline char *slurp(const char *path, size_t *n)
{
    FILE *fp = fopen(path, "rb");
    char *p = NULL;
    long len;

    *n = 0;
    if (!fp)
        return NULL;
    if (fseek(fp, 0, SEEK_END) == 0 && (len = ftell(fp)) >= 0 && fseek(fp, 0, SEEK_SET) == 0) {
        p = malloc((size_t)len + 1);
        *n = p ? fread(p, 1, (size_t)len, fp) : 0;
    }
    (void)fclose(fp);
    return p;
}

static inline void spill(const char *path, const void *p, size_t n)
{
    FILE *fp = fopen(path, "wb");

    assert_non_null(fp);
    assert_int_equal(fwrite(p, 1, n, fp), n);
    assert_int_equal(fclose(fp), 0);
}

/* The message is one sentence that holds each of the parts. */
static inline void check_message(const struct tw_err *err, const char *part)
{
    if (err->code == TW_OK || !strstr(err->msg, part) || strchr(err->msg, '\n'))
        fail_msg("status %d, message '%s' lacks '%s'", (int)err->code, err->msg, part);
}

#endif
