/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the built-in families are made of: values, parameters, operators, attributes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "family.h"

enum { MAX_PARAMETERS = 0x7fffffff, CHUNK = 1 << 16 };

void family_fail(struct family_build *b, const char *fmt, ...)
{
    char msg[400];
    va_list ap;

    if (b->failed)
        return;
    va_start(ap, fmt);
    (void)vsnprintf(msg, sizeof msg, fmt, ap);
    va_end(ap);
    (void)tw_err_set(b->err, TW_EINVAL, "%s", msg);
    b->failed = true;
}

static void check(struct family_build *b, enum tw_status rc)
{
    b->failed = b->failed || rc != TW_OK;
}

static int checked(struct family_build *b, int value)
{
    b->failed = b->failed || value < 0;
    return value;
}

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

int family_param(struct family_build *b, const char *prefix, const char *suffix,
                 struct family_init init, int rank, const int64_t *dims)
{
    const struct family_name name =
        suffix ? family_name("%s.%s", prefix, suffix) : family_name("%s", prefix);
    struct tw_value *v;
    size_t n = 1;
    int value;

    if (b->failed)
        return -1;
    for (int i = 0; i < rank; i++)
        n = n > MAX_PARAMETERS / (size_t)dims[i] ? MAX_PARAMETERS : n * (size_t)dims[i];
    if (n > MAX_PARAMETERS - b->total) {
        family_fail(b, "with %s the network has more than 2^31 parameters", name.s);
        return -1;
    }
    b->total += n;
    value = checked(b, tw_net_value(b->net, name.s, b->err));
    if (b->failed)
        return -1;
    if (!tw_grow(&b->pending, b->npending, &b->cap, sizeof *b->pending)) {
        check(b, tw_err_set(b->err, TW_ENOMEM, "out of memory"));
        return -1;
    }
    b->pending[b->npending++] = (struct family_pending){ value, init };
    v = &b->net->value[value];
    v->is_init = true;
    v->dtype = TW_F32;
    v->rank = rank;
    for (int i = 0; i < rank; i++)
        v->dims[i] = dims[i];
    return value;
}

/* Element k of parameter p comes from the stream (seed, TW_RNG_INIT, p and k's chunk). */
static void draw(const struct family_build *b, size_t p, float *x, size_t n)
{
    const struct family_init init = b->pending[p].init;

#pragma omp parallel for schedule(dynamic, 1)
    for (size_t chunk = 0; chunk < (n + CHUNK - 1) / CHUNK; chunk++) {
        struct tw_rng rng = tw_rng_stream(b->seed, TW_RNG_INIT, (uint64_t)p << 32 | chunk);
        size_t end = (chunk + 1) * CHUNK < n ? (chunk + 1) * CHUNK : n;

        for (size_t i = chunk * CHUNK; i < end; i++)
            x[i] = (float)(init.kind == FAMILY_CONST     ? init.a
                           : init.kind == FAMILY_UNIFORM ? init.a * (2.0 * tw_rng_real(&rng) - 1.0)
                                                         : init.a * tw_rng_normal(&rng));
    }
}

enum tw_status family_fill(struct family_build *b)
{
    for (size_t p = 0; p < b->npending; p++) {
        struct tw_value *v = &b->net->value[b->pending[p].value];
        size_t dims[TW_MAX_RANK];
        enum tw_status rc;

        for (int i = 0; i < v->rank; i++)
            dims[i] = (size_t)v->dims[i];
        rc = tw_array_make(&v->init, TW_F32, v->rank, dims, b->err);
        if (rc != TW_OK)
            return tw_err_ctx(b->err, rc, "%s", v->name);
        draw(b, p, v->init.data, v->init.n);
    }
    return TW_OK;
}

/* ---- values ---------------------------------------------------------------------------------- */

int family_input(struct family_build *b, const char *name, enum tw_dtype t, int rank,
                 const int64_t *dims)
{
    int64_t all[TW_MAX_RANK] = { TW_DIM_UNKNOWN };

    if (b->failed)
        return -1;
    for (int i = 0; i < rank; i++)
        all[i + 1] = dims[i];
    return checked(b, tw_net_input(b->net, name, t, rank + 1, all, b->err));
}

void family_output(struct family_build *b, int value)
{
    if (!b->failed)
        check(b, tw_net_output(b->net, value, b->err));
}

int family_op(struct family_build *b, const char *op, const char *name, size_t nin, const int *in)
{
    if (b->failed)
        return -1;
    return checked(b, tw_net_op(b->net, op, name, nin, in, b->err));
}

int family_op1(struct family_build *b, const char *op, int x)
{
    return family_op(b, op, NULL, 1, &x);
}

int family_op2(struct family_build *b, const char *op, int x, int y)
{
    return family_op(b, op, NULL, 2, (const int[]){ x, y });
}

void family_int(struct family_build *b, const char *name, int64_t i)
{
    if (!b->failed)
        check(b, tw_net_attr_int(b->net, name, i, b->err));
}

void family_real(struct family_build *b, const char *name, double x)
{
    if (!b->failed)
        check(b, tw_net_attr_real(b->net, name, x, b->err));
}

void family_ints(struct family_build *b, const char *name, size_t n, const int64_t *x)
{
    if (!b->failed)
        check(b, tw_net_attr_ints(b->net, name, n, x, b->err));
}

int family_const_ints(struct family_build *b, size_t n, const int64_t *x)
{
    struct tw_array a = { 0 };

    if (b->failed)
        return -1;
    check(b, tw_array_make(&a, TW_I64, 1, &n, b->err));
    for (size_t i = 0; !b->failed && i < n; i++)
        tw_array_set_int(&a, i, x[i]);
    return family_const_array(b, &a);
}

int family_const_real(struct family_build *b, double x)
{
    struct tw_array a = { 0 };

    if (b->failed)
        return -1;
    check(b, tw_array_make(&a, TW_F32, 0, NULL, b->err));
    if (!b->failed)
        tw_array_set_real(&a, 0, x);
    return family_const_array(b, &a);
}

int family_const_array(struct family_build *b, struct tw_array *a)
{
    int value = family_op(b, "Constant", NULL, 0, NULL);

    if (!b->failed)
        check(b, tw_net_attr_array(b->net, "value", a, b->err));
    tw_array_release(a);
    return value;
}
