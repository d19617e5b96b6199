/* SPDX-License-Identifier: GPL-3.0-or-later */
/* checkpoints.h - open, compare and make checkpoints. */
#ifndef TESTS_CHECKPOINTS_H
#define TESTS_CHECKPOINTS_H

#include "folder.h"
#include "nets.h"
#include "thalweg/store_weights.h"
#include "torch_zip.h"

#define SAMPLE(name) sample("../checkpoints/" name)

static inline struct tw_weights_file *opens(const char *path, struct tw_str *remarks)
{
    struct tw_err err = { 0 };
    struct tw_weights_file *f = tw_weights_open(path, NULL, remarks, &err);

    if (!f)
        fail_msg("%s", err.msg);
    return f;
}

static inline void refused(const char *path, const char *part)
{
    struct tw_err err = { 0 };
    struct tw_weights_file *f = tw_weights_open(path, NULL, NULL, &err);

    if (f)
        fail_msg("%s was opened, not '%s'", path, part);
    check_message(&err, part);
    check_message(&err, path);
}

static inline size_t place_of(const struct tw_weights_file *f, const char *name)
{
    for (size_t i = 0; i < f->n; i++)
        if (!strcmp(f->v[i].name, name))
            return i;
    fail_msg("%s is not in %s", name, f->path);
    return 0;
}

static inline char *bytes_of(struct tw_weights_file *f, size_t i)
{
    struct tw_err err = { 0 };
    char *p = calloc(f->v[i].n + 1, tw_dtype_size(f->v[i].dtype));

    assert_non_null(p);
    if (tw_weights_read(f, i, 0, f->v[i].n, p, &err) != TW_OK)
        fail_msg("%s", err.msg);
    return p;
}

static inline void same_files(struct tw_weights_file *a, struct tw_weights_file *b)
{
    assert_int_equal(a->n, b->n);
    for (size_t i = 0; i < a->n; i++) {
        const size_t k = place_of(b, a->v[i].name);
        char *x = bytes_of(a, i), *y = bytes_of(b, k);

        if (a->v[i].dtype != b->v[k].dtype || a->v[i].rank != b->v[k].rank ||
            memcmp(a->v[i].dims, b->v[k].dims, sizeof a->v[i].dims) != 0 ||
            memcmp(x, y, a->v[i].n * tw_dtype_size(a->v[i].dtype)) != 0)
            fail_msg("%s differs in %s and %s", a->v[i].name, a->path, b->path);
        free(x);
        free(y);
    }
}

static inline void same(const char *pa, const char *pb)
{
    struct tw_weights_file *a = opens(pa, NULL), *b = opens(pb, NULL);

    same_files(a, b);
    tw_weights_close(a);
    tw_weights_close(b);
}

static inline char *find(char *p, size_t n, const char *what, size_t m)
{
    for (size_t i = 0; i + m <= n; i++)
        if (!memcmp(p + i, what, m))
            return p + i;
    return NULL;
}

/* ---- pickles ---- */

#define V2 "\x80\x02"
/* A tensor of storage "0" (16 floats): offset, size, strides as pickled numbers. */
#define TENSOR(offset, size, stride)                                                               \
    "ctorch._utils\n_rebuild_tensor_v2\n(("                                                        \
    "U\7storagectorch\nFloatStorage\nU\0010U\3cpuK\20tQ" offset size stride "\x89NtR"
#define DICT(name, value) V2 "}U\1" name value "s."

static inline void put_pickle(const char *pickle, size_t n)
{
    struct tw_str s = { 0 };

    torch_zip(&s, (const uint8_t *)pickle, n);
    spill(in_folder("x.pt"), s.s, s.n);
    tw_str_release(&s);
}

#define P(bytes) bytes, sizeof(bytes) - 1

#endif
