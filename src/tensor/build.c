/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Node lists written as expressions. */
#include "thalweg/tensor_build.h"

#include <stdio.h>

void tw_build_fail(struct tw_net_build *b, const char *fmt, ...)
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

static void check(struct tw_net_build *b, enum tw_status rc)
{
    b->failed = b->failed || rc != TW_OK;
}

static int checked(struct tw_net_build *b, int value)
{
    b->failed = b->failed || value < 0;
    return value;
}

int tw_build_input(struct tw_net_build *b, const char *name, enum tw_dtype t, int rank,
                   const int64_t *dims)
{
    int64_t all[TW_MAX_RANK] = { TW_DIM_UNKNOWN };

    if (b->failed)
        return -1;
    for (int i = 0; i < rank; i++)
        all[i + 1] = dims[i];
    return checked(b, tw_net_input(b->net, name, t, rank + 1, all, b->err));
}

void tw_build_output(struct tw_net_build *b, int value)
{
    if (!b->failed)
        check(b, tw_net_output(b->net, value, b->err));
}

int tw_build_op(struct tw_net_build *b, const char *op, const char *name, size_t nin, const int *in)
{
    if (b->failed)
        return -1;
    return checked(b, tw_net_op(b->net, op, name, nin, in, b->err));
}

int tw_build_op1(struct tw_net_build *b, const char *op, int x)
{
    return tw_build_op(b, op, NULL, 1, &x);
}

int tw_build_op2(struct tw_net_build *b, const char *op, int x, int y)
{
    return tw_build_op(b, op, NULL, 2, (const int[]){ x, y });
}

void tw_build_int(struct tw_net_build *b, const char *name, int64_t i)
{
    if (!b->failed)
        check(b, tw_net_attr_int(b->net, name, i, b->err));
}

void tw_build_real(struct tw_net_build *b, const char *name, double x)
{
    if (!b->failed)
        check(b, tw_net_attr_real(b->net, name, x, b->err));
}

void tw_build_ints(struct tw_net_build *b, const char *name, size_t n, const int64_t *x)
{
    if (!b->failed)
        check(b, tw_net_attr_ints(b->net, name, n, x, b->err));
}

int tw_build_const_ints(struct tw_net_build *b, size_t n, const int64_t *x)
{
    struct tw_array a = { 0 };

    if (b->failed)
        return -1;
    check(b, tw_array_make(&a, TW_I64, 1, &n, b->err));
    for (size_t i = 0; !b->failed && i < n; i++)
        tw_array_set_int(&a, i, x[i]);
    return tw_build_const_array(b, &a);
}

int tw_build_const_real(struct tw_net_build *b, double x)
{
    struct tw_array a = { 0 };

    if (b->failed)
        return -1;
    check(b, tw_array_make(&a, TW_F32, 0, NULL, b->err));
    if (!b->failed)
        tw_array_set_real(&a, 0, x);
    return tw_build_const_array(b, &a);
}

int tw_build_const_array(struct tw_net_build *b, struct tw_array *a)
{
    int value = tw_build_op(b, "Constant", NULL, 0, NULL);

    if (!b->failed)
        check(b, tw_net_attr_array(b->net, "value", a, b->err));
    tw_array_release(a);
    return value;
}

int tw_build_const_int(struct tw_net_build *b, int64_t x)
{
    struct tw_array a = { 0 };

    if (b->failed)
        return -1;
    check(b, tw_array_make(&a, TW_I64, 0, NULL, b->err));
    if (!b->failed)
        tw_array_set_int(&a, 0, x);
    return tw_build_const_array(b, &a);
}

void tw_build_text(struct tw_net_build *b, const char *name, const char *s)
{
    if (!b->failed)
        check(b, tw_net_attr_text(b->net, name, s, b->err));
}
