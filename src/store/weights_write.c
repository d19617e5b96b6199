/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Write a checkpoint piece by piece. The file is laid out first (for HDF5 by the library, which
 * then closes it); the numbers go to their places without it. */
#include "weights_write.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "jscan.h"

enum { PIECE = 1 << 20 };

/* ---- the layout of safetensors ------------------------------------------------------------ */

static int by_size(const void *pa, const void *pb)
{
    const struct write_tensor *const *a = pa, *const *b = pb;
    const size_t m = tw_dtype_size((*a)->dtype), n = tw_dtype_size((*b)->dtype);

    if (m != n)
        return m > n ? -1 : 1;
    return ((*a)->i > (*b)->i) - ((*a)->i < (*b)->i);
}

static enum tw_status quote(struct tw_str *out, const char *s, const struct write_plan *w,
                            struct tw_err *err)
{
    return jscan_quote(out, s) ? TW_OK
                               : tw_err_set(err, TW_EFORMAT,
                                            "%s: the name '%.100s' is not UTF-8, which safetensors "
                                            "need",
                                            w->file->path, s);
}

static void add_notes(const struct write_plan *w, struct tw_str *out)
{
    const size_t n = w->options->nnote;
    bool any = false;

    for (size_t i = 0; i < n + w->file->nnote; i++) {
        const struct tw_weights_note *note = write_note(w, i);
        struct tw_str pair = { 0 };

        /* What is no UTF-8 cannot be said in JSON. */
        if (note && jscan_quote(&pair, note->key) && (tw_str_add(&pair, ":"), true) &&
            jscan_quote(&pair, note->value)) {
            tw_str_addf(out, "%s%s", any ? "," : "\"__metadata__\":{", pair.s ? pair.s : "");
            any = true;
        }
        out->failed = out->failed || pair.failed;
        tw_str_release(&pair);
    }
    if (any)
        tw_str_add(out, w->n ? "}," : "}");
}

enum tw_status write_safetensors(struct write_plan *w, const struct tw_publication *p,
                                 struct tw_err *err)
{
    struct tw_str s = { 0 };
    uint64_t at = 0, length;
    enum tw_status rc = TW_OK;

    qsort(w->v, w->n, sizeof *w->v, by_size);
    tw_str_add(&s, "{");
    add_notes(w, &s);
    for (size_t k = 0; k < w->n && rc == TW_OK; k++) {
        static const char *const types[TW_NDTYPES] = {
            [TW_F32] = "F32",  [TW_F64] = "F64", [TW_F16] = "F16", [TW_BF16] = "BF16",
            [TW_I8] = "I8",    [TW_I16] = "I16", [TW_I32] = "I32", [TW_I64] = "I64",
            [TW_U8] = "U8",    [TW_U16] = "U16", [TW_U32] = "U32", [TW_U64] = "U64",
            [TW_BOOL] = "BOOL"
        };
        struct write_tensor *t = w->v[k];
        const struct tw_weight *v = &w->file->v[t->i];

        rc = quote(&s, v->name, w, err);
        tw_str_addf(&s, ":{\"dtype\":\"%s\",\"shape\":[", types[t->dtype]);
        for (int d = 0; d < v->rank; d++)
            tw_str_addf(&s, d ? ",%zu" : "%zu", v->dims[d]);
        t->at = at;
        at += (uint64_t)v->n * tw_dtype_size(t->dtype);
        tw_str_addf(&s, "],\"data_offsets\":[%llu,%llu]}%s", (unsigned long long)t->at,
                    (unsigned long long)at, k + 1 < w->n ? "," : "");
    }
    tw_str_add(&s, "}");
    while (s.n % 8 && !s.failed)
        tw_str_add(&s, " ");
    length = s.n;
    for (size_t k = 0; k < w->n; k++)
        w->v[k]->at += 8 + length;
    if (rc == TW_OK && s.failed)
        rc = tw_err_set(err, TW_ENOMEM, "out of memory");
    if (rc == TW_OK && length > 100000000)
        rc = tw_err_set(err, TW_EFORMAT,
                        "%s: its names need a header of more than 100 MB, which safetensors do not "
                        "have; write HDF5 (--to hdf5)",
                        w->file->path);
    if (rc == TW_OK)
        rc = tw_publish_write(p, 0, &length, sizeof length, err);
    if (rc == TW_OK)
        rc = tw_publish_write(p, 8, s.s, s.n, err);
    tw_str_release(&s);
    return rc;
}

/* ---- numbers ------------------------------------------------------------------------------ */

const struct tw_weights_note *write_note(const struct write_plan *w, size_t i)
{
    const struct tw_weights_write *o = w->options;
    const struct tw_weights_note *note = i < o->nnote ? &o->note[i] : &w->file->note[i - o->nnote];

    if (!*note->key)
        return NULL;
    for (size_t k = 0; k < i; k++) /* the first of a key counts */
        if (!strcmp((k < o->nnote ? &o->note[k] : &w->file->note[k - o->nnote])->key, note->key))
            return NULL;
    return note;
}

/* n reals of one type as another; how many finite ones became infinite. */
static size_t convert(enum tw_dtype from, const void *x, enum tw_dtype to, void *y, size_t n)
{
    union {
        const void *in;
        void *out;
    } source = { .in = x }; /* the array is only read; its type lacks const */
    struct tw_array a = { .dtype = from, .rank = 1, .dims = { n }, .n = n, .data = source.out },
                    b = { .dtype = to, .rank = 1, .dims = { n }, .n = n, .data = y };
    size_t lost = 0;

    if (from == TW_F32 && (to == TW_BF16 || to == TW_F16)) {
        const float *f = x;
        uint16_t *h = y;
        const uint16_t infinite = to == TW_BF16 ? 0x7f80 : 0x7c00;

        for (size_t i = 0; i < n; i++) {
            h[i] = to == TW_BF16 ? tw_f32_to_bf16(f[i]) : tw_f32_to_f16(f[i]);
            lost += (h[i] & 0x7fff) == infinite && !isinf(f[i]);
        }
        return lost;
    }
    for (size_t i = 0; i < n; i++) {
        const double z = tw_array_real(&a, i);

        tw_array_set_real(&b, i, z);
        lost += !isinf(z) && isinf(tw_array_real(&b, i));
    }
    return lost;
}

static enum tw_status stream(struct write_plan *w, const struct tw_publication *p,
                             struct tw_err *err)
{
    const struct tw_weights_write *o = w->options;
    unsigned char *raw = tw_alloc(PIECE, 1), *made = tw_alloc(PIECE, 4);
    uint64_t all = 0, done = 0;
    enum tw_status rc = TW_OK;
    size_t lost = 0;

    if (!raw || !made)
        rc = tw_err_set(err, TW_ENOMEM, "out of memory");
    for (size_t k = 0; k < w->n; k++)
        all += (uint64_t)w->file->v[w->v[k]->i].n * tw_dtype_size(w->file->v[w->v[k]->i].dtype);
    for (size_t k = 0; k < w->n && rc == TW_OK; k++) {
        const struct write_tensor *t = w->v[k];
        const struct tw_weight *v = &w->file->v[t->i];
        const size_t from = tw_dtype_size(v->dtype), to = tw_dtype_size(t->dtype);
        const size_t most = PIECE / from;

        for (size_t at = 0; at < v->n && rc == TW_OK; at += most) {
            const size_t n = v->n - at < most ? v->n - at : most;
            const bool same = t->dtype == v->dtype;

            rc = tw_weights_read(w->file, t->i, at, n, raw, err);
            if (rc == TW_OK && !same)
                lost += convert(v->dtype, raw, t->dtype, made, n);
            if (rc == TW_OK)
                rc = tw_publish_write(p, t->at + at * to, same ? raw : made, n * to, err);
            done += n * from;
            if (rc == TW_OK && o->progress && !o->progress(o->ctx, done, all))
                rc = tw_err_set(err, TW_ESTOP, "stopped; %s was not written", p->path);
        }
    }
    if (o->overflowed)
        *o->overflowed = lost;
    free(raw);
    free(made);
    return rc;
}

/* ---- all of it ---------------------------------------------------------------------------- */

static enum tw_status make_plan(struct write_plan *w, struct tw_err *err)
{
    const size_t n = w->file->n;

    w->tensor = tw_alloc(n, sizeof *w->tensor);
    w->v = tw_alloc(n, sizeof(void *));
    if (!w->tensor || !w->v)
        return tw_err_set(err, TW_ENOMEM, "out of memory");
    for (size_t i = 0; i < n; i++) {
        const enum tw_dtype t = w->file->v[i].dtype, reals = w->options->reals;

        w->tensor[i] =
            (struct write_tensor){ .i = i,
                                   .dtype = reals != TW_NONE && tw_dtype_is_real(t) ? reals : t };
        w->v[i] = &w->tensor[i];
    }
    w->n = n;
    return TW_OK;
}

enum tw_status tw_weights_write(struct tw_weights_file *f, const char *path,
                                const struct tw_weights_write *options, struct tw_err *err)
{
    struct write_plan w = { .file = f, .options = options };
    struct tw_publication p;
    struct tw_err own = { 0 };
    char *target = NULL;
    enum tw_status rc;

    err = err ? err : &own;
    rc = tw_publish_check(path, options->force, &target, err);
    if (rc == TW_OK)
        rc = make_plan(&w, err);
    if (rc == TW_OK)
        rc = tw_publish_open(&p, path, target, options->force, err);
    if (rc == TW_OK) {
        rc = options->format == TW_WEIGHTS_HDF5 ? write_hdf5(&w, &p, err)
                                                : write_safetensors(&w, &p, err);
        if (rc == TW_OK)
            rc = stream(&w, &p, err);
        rc = tw_publish_end(&p, rc, err);
    }
    free(w.tensor);
    free(w.v);
    free(target);
    return rc;
}
