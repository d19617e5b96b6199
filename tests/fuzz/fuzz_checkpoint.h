/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fuzz_checkpoint.h - any bytes as a checkpoint: what opens can be read, and what is written of it
 * reads the same. */
#ifndef TESTS_FUZZ_CHECKPOINT_H
#define TESTS_FUZZ_CHECKPOINT_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "thalweg/store_weights.h"

enum { FUZZ_PIECE = 1 << 12, FUZZ_SMALL = 1 << 14 };

static void fuzz_check(bool good)
{
    if (!good)
        abort();
}

/* A failure comes with a message. */
static bool fuzz_ok(enum tw_status rc, const struct tw_err *err)
{
    fuzz_check(rc == TW_OK || (err->code == rc && err->msg[0]));
    return rc == TW_OK;
}

/* All numbers of a small tensor; of a large one the ends. False: the file is damaged. */
static bool fuzz_read(struct tw_weights_file *f, size_t i, char *to)
{
    const size_t size = tw_dtype_size(f->v[i].dtype), n = f->v[i].n, most = FUZZ_PIECE / size;
    struct tw_err err = { 0 };
    size_t k, k0 = n < most ? n : most;

    if (!fuzz_ok(tw_weights_read(f, i, n - k0, k0, to, &err), &err))
        return false;
    for (size_t at = 0; at < n && at < FUZZ_SMALL; at += k) {
        k = n - at < most / 3 + 1 ? n - at : most / 3 + 1;
        if (!fuzz_ok(tw_weights_read(f, i, at, k, to, &err), &err))
            return false;
    }
    return true;
}

static void fuzz_same(struct tw_weights_file *f, const char *path)
{
    static char a[FUZZ_SMALL], b[FUZZ_SMALL];
    struct tw_err err = { 0 };
    struct tw_weights_file *g = tw_weights_open(path, NULL, NULL, &err);
    size_t k;

    fuzz_check(g && g->n == f->n);
    for (size_t i = 0; i < f->n; i++) {
        const struct tw_weight *v = &f->v[i], *w;

        for (k = 0; k < g->n && strcmp(g->v[k].name, v->name) != 0; k++)
            ;
        fuzz_check(k < g->n);
        w = &g->v[k];
        fuzz_check(w->dtype == v->dtype && w->rank == v->rank && w->n == v->n &&
                   !memcmp(w->dims, v->dims, (size_t)v->rank * sizeof *v->dims));
        fuzz_check(tw_weights_read(f, i, 0, v->n, a, &err) == TW_OK);
        fuzz_check(tw_weights_read(g, k, 0, v->n, b, &err) == TW_OK);
        fuzz_check(!memcmp(a, b, v->n * tw_dtype_size(v->dtype)));
    }
    tw_weights_close(g);
}

/* Written as safetensors it is the same; names that are not UTF-8 are refused. */
static void fuzz_write(struct tw_weights_file *f)
{
    static char path[64];
    const struct tw_weights_write w = { .format = TW_WEIGHTS_SAFETENSORS, .force = true };
    struct tw_err err = { 0 };

    (void)snprintf(path, sizeof path, "/dev/shm/tw-fuzz-out-%ld.safetensors", (long)getpid());
    if (fuzz_ok(tw_weights_write(f, path, &w, &err), &err))
        fuzz_same(f, path);
    else
        fuzz_check(strstr(err.msg, "UTF-8") != NULL);
    (void)unlink(path);
}

static void fuzz_checkpoint(const uint8_t *data, size_t size)
{
    static char path[] = "/dev/shm/tw-fuzz-XXXXXX", piece[FUZZ_PIECE];
    static int fd = -1;
    struct tw_str remarks = { 0 };
    struct tw_err err = { 0 };
    struct tw_weights_file *f;
    bool good = true;
    size_t all = 0;

    for (size_t at = 0; at + 8 <= size; at = at ? 2 * at : 512)
        if (!memcmp(data + at, "\211HDF\r\n\032\n", 8))
            return; /* that is for fuzz_weights.c */
    if (fd < 0) {
        fd = mkstemp(path);
        fuzz_check(fd >= 0);
    }
    fuzz_check(ftruncate(fd, 0) == 0 && pwrite(fd, data, size, 0) == (ssize_t)size);
    f = tw_weights_open(path, NULL, &remarks, &err);
    fuzz_check(f || (err.code != TW_OK && err.msg[0]));
    for (size_t i = 0; f && i < f->n && i < 64; i++) {
        fuzz_check(f->v[i].name[0] != '\0');
        good = fuzz_read(f, i, piece) && good;
    }
    for (size_t i = 0; f && i < f->n; i++)
        all += all < FUZZ_SMALL ? f->v[i].n * tw_dtype_size(f->v[i].dtype) : 0;
    if (f && good && all < FUZZ_SMALL && f->n <= 64)
        fuzz_write(f);
    if (f && f->part) {
        struct tw_str part = { 0 };

        tw_str_add(&part, f->part);
        fuzz_check(tw_weights_choose(f, part.s, &err) == TW_OK);
        tw_str_release(&part);
    }
    tw_weights_close(f);
    tw_str_release(&remarks);
}

#endif
