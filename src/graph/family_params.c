/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The parameters of the built-in families and their initial values. */
#include <stdio.h>
#include <stdlib.h>

#include "family.h"

enum { MAX_PARAMETERS = 0x7fffffff, CHUNK = 1 << 16 };

struct family_name family_name(const char *fmt, ...)
{
    struct family_name name;
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(name.s, sizeof name.s, fmt, ap);
    va_end(ap);
    return name;
}

/* ---- parameters ---------------------------------------------------------------------------- */

int family_param(struct tw_net_build *b, const char *prefix, const char *suffix,
                 struct family_init init, int rank, const int64_t *dims)
{
    const struct family_name name =
        suffix ? family_name("%s.%s", prefix, suffix) : family_name("%s", prefix);
    struct family_build *f = b->owner;
    struct tw_value *v;
    size_t n = 1;
    int value;

    if (b->failed)
        return -1;
    for (int i = 0; i < rank; i++)
        n = n > MAX_PARAMETERS / (size_t)dims[i] ? MAX_PARAMETERS : n * (size_t)dims[i];
    if (n > MAX_PARAMETERS - f->total) {
        tw_build_fail(b, "with %s the network has more than 2^31 parameters", name.s);
        return -1;
    }
    f->total += n;
    value = tw_net_value(b->net, name.s, b->err);
    b->failed = value < 0;
    if (b->failed)
        return -1;
    if (!tw_grow(&f->pending, f->npending, &f->cap, sizeof *f->pending)) {
        (void)tw_err_set(b->err, TW_ENOMEM, "out of memory");
        b->failed = true;
        return -1;
    }
    f->pending[f->npending++] = (struct family_pending){ value, init };
    v = &b->net->value[value];
    v->is_init = true;
    v->dtype = TW_F32;
    v->rank = rank;
    for (int i = 0; i < rank; i++)
        v->dims[i] = dims[i];
    return value;
}

/* Element k of parameter p comes from the stream (seed, TW_RNG_INIT, p and k's chunk). */
static void draw(const struct family_build *f, size_t p, float *x, size_t n)
{
    const struct family_init init = f->pending[p].init;

#pragma omp parallel for schedule(dynamic, 1)
    for (size_t chunk = 0; chunk < (n + CHUNK - 1) / CHUNK; chunk++) {
        struct tw_rng rng = tw_rng_stream(f->seed, TW_RNG_INIT, (uint64_t)p << 32 | chunk);
        size_t end = (chunk + 1) * CHUNK < n ? (chunk + 1) * CHUNK : n;

        for (size_t i = chunk * CHUNK; i < end; i++)
            x[i] = (float)(init.kind == FAMILY_CONST     ? init.a
                           : init.kind == FAMILY_UNIFORM ? init.a * (2.0 * tw_rng_real(&rng) - 1.0)
                                                         : init.a * tw_rng_normal(&rng));
    }
}

enum tw_status family_fill(struct family_build *f)
{
    for (size_t p = 0; p < f->npending; p++) {
        struct tw_value *v = &f->b.net->value[f->pending[p].value];
        size_t dims[TW_MAX_RANK];
        enum tw_status rc;

        for (int i = 0; i < v->rank; i++)
            dims[i] = (size_t)v->dims[i];
        rc = tw_array_make(&v->init, TW_F32, v->rank, dims, f->b.err);
        if (rc != TW_OK)
            return tw_err_ctx(f->b.err, rc, "%s", v->name);
        draw(f, p, v->init.data, v->init.n);
    }
    return TW_OK;
}
