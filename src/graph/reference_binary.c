/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Arithmetic, comparison and logic of two or more arrays, spread over a common shape. */
#include "reference.h"

#include <math.h>

static double add(double x, double y)
{
    return x + y;
}
static double subtract(double x, double y)
{
    return x - y;
}
static double multiply(double x, double y)
{
    return x * y;
}
static double divide(double x, double y)
{
    return x / y;
}
/* NaN wins. */
static double larger(double x, double y)
{
    return isnan(x) || x > y ? x : y;
}
static double smaller(double x, double y)
{
    return isnan(x) || x < y ? x : y;
}
static double equal(double x, double y)
{
    return x == y;
}
static double less(double x, double y)
{
    return x < y;
}
static double less_equal(double x, double y)
{
    return x <= y;
}
static double greater(double x, double y)
{
    return x > y;
}
static double greater_equal(double x, double y)
{
    return x >= y;
}
/* The sign of the divisor, as in Python. */
static double modulo(double x, double y)
{
    const double m = fmod(x, y);

    return m != 0.0 && (m < 0.0) != (y < 0.0) ? m + y : m;
}

/* Integers: signed ones wrap; the operands of a division were checked. */
static int64_t int_add(int64_t x, int64_t y)
{
    return (int64_t)((uint64_t)x + (uint64_t)y);
}
static int64_t int_subtract(int64_t x, int64_t y)
{
    return (int64_t)((uint64_t)x - (uint64_t)y);
}
static int64_t int_multiply(int64_t x, int64_t y)
{
    return (int64_t)((uint64_t)x * (uint64_t)y);
}
static int64_t int_divide(int64_t x, int64_t y)
{
    return y == -1 ? int_subtract(0, x) : x / y;
}
static int64_t int_remainder(int64_t x, int64_t y)
{
    return y == -1 ? 0 : x % y;
}
static int64_t int_modulo(int64_t x, int64_t y)
{
    const int64_t m = int_remainder(x, y);

    return m != 0 && (m < 0) != (y < 0) ? m + y : m;
}
static int64_t int_larger(int64_t x, int64_t y)
{
    return x > y ? x : y;
}
static int64_t int_smaller(int64_t x, int64_t y)
{
    return x < y ? x : y;
}
static int64_t int_equal(int64_t x, int64_t y)
{
    return x == y;
}
static int64_t int_less(int64_t x, int64_t y)
{
    return x < y;
}
static int64_t int_less_equal(int64_t x, int64_t y)
{
    return x <= y;
}
static int64_t int_greater(int64_t x, int64_t y)
{
    return x > y;
}
static int64_t int_greater_equal(int64_t x, int64_t y)
{
    return x >= y;
}
static int64_t int_and(int64_t x, int64_t y)
{
    return x && y;
}
static int64_t int_or(int64_t x, int64_t y)
{
    return x || y;
}
static int64_t int_xor(int64_t x, int64_t y)
{
    return !x != !y;
}

/* Bit patterns of 64 bits that mean unsigned numbers. */
static uint64_t uint_divide(uint64_t x, uint64_t y)
{
    return x / y;
}
static uint64_t uint_modulo(uint64_t x, uint64_t y)
{
    return x % y;
}
static uint64_t uint_larger(uint64_t x, uint64_t y)
{
    return x > y ? x : y;
}
static uint64_t uint_smaller(uint64_t x, uint64_t y)
{
    return x < y ? x : y;
}
static uint64_t uint_less(uint64_t x, uint64_t y)
{
    return x < y;
}
static uint64_t uint_less_equal(uint64_t x, uint64_t y)
{
    return x <= y;
}
static uint64_t uint_greater(uint64_t x, uint64_t y)
{
    return x > y;
}
static uint64_t uint_greater_equal(uint64_t x, uint64_t y)
{
    return x >= y;
}

/* One operator on integers of one type. */
static int64_t integer(const struct tw_ref_op *row, enum tw_dtype t, int64_t x, int64_t y)
{
    if (t == TW_U64 && row->uint2)
        return (int64_t)row->uint2((uint64_t)x, (uint64_t)y);
    return row->int2(x, y);
}

/* Two operands and the strides with which they are read. */
struct pair {
    struct tw_array b; /* a view */
    const struct tw_array *a;
    size_t sa[TW_MAX_RANK], sb[TW_MAX_RANK];
};

static enum tw_status prepare(struct tw_ref *r, struct pair *p, enum tw_dtype result)
{
    const struct tw_array *both[2];
    size_t dims[TW_MAX_RANK];
    int rank;
    enum tw_status rc;

    p->a = r->in[0];
    rc = tw_ref_legacy(r, p->a, r->in[1], &p->b);
    if (rc != TW_OK)
        return rc;
    both[0] = p->a;
    both[1] = &p->b;
    rc = tw_ref_broadcast(r, 2, both, &rank, dims);
    if (rc == TW_OK)
        rc = tw_ref_out(r, 0, result, rank, dims);
    if (rc != TW_OK)
        return rc;
    tw_ref_spread(p->a, rank, p->sa);
    tw_ref_spread(&p->b, rank, p->sb);
    return TW_OK;
}

static enum tw_status run_typed(struct tw_ref *r, enum tw_dtype result)
{
    const enum tw_dtype t = r->in[0]->dtype;
    struct pair p;
    enum tw_status rc = tw_ref_need_type(r, r->in[0], r->in[1]);

    if (rc == TW_OK && !(tw_dtype_is_real(t) ? r->row->real2 != NULL : r->row->int2 != NULL))
        rc = tw_ref_fail(r, "is not defined for %s", tw_dtype_name(t));
    if (rc == TW_OK)
        rc = prepare(r, &p, result);
    if (rc != TW_OK)
        return rc;
    for (size_t i = 0; i < r->out[0].n; i++) {
        const size_t ia = tw_ref_at(i, r->out[0].rank, r->out[0].dims, p.sa);
        const size_t ib = tw_ref_at(i, r->out[0].rank, r->out[0].dims, p.sb);

        if (tw_dtype_is_real(t)) {
            tw_array_set_real(&r->out[0], i,
                              r->row->real2(tw_array_real(p.a, ia), tw_array_real(&p.b, ib)));
            continue;
        }
        if ((r->row->int2 == int_divide || r->row->int2 == int_modulo) &&
            tw_array_int(&p.b, ib) == 0)
            return tw_ref_fail(r, "division of an integer by zero");
        tw_array_set_int(&r->out[0], i,
                         integer(r->row, t, tw_array_int(p.a, ia), tw_array_int(&p.b, ib)));
    }
    return TW_OK;
}

static enum tw_status run(struct tw_ref *r)
{
    return run_typed(r, r->in[0]->dtype);
}

static enum tw_status run_compare(struct tw_ref *r)
{
    return run_typed(r, TW_BOOL);
}

static enum tw_status run_mod(struct tw_ref *r)
{
    struct tw_ref_op row = *r->row;
    const struct tw_ref_op *kept = r->row;
    enum tw_status rc;

    if (tw_node_int(r->node, "fmod", 0) != 0 && tw_dtype_is_real(r->in[0]->dtype))
        row.real2 = fmod;
    if (tw_node_int(r->node, "fmod", 0) != 0 && !tw_dtype_is_real(r->in[0]->dtype)) {
        /* fmod of integers: the sign of the dividend */
        struct pair p;

        rc = tw_ref_need_type(r, r->in[0], r->in[1]);
        if (rc == TW_OK)
            rc = prepare(r, &p, r->in[0]->dtype);
        for (size_t i = 0; rc == TW_OK && i < r->out[0].n; i++) {
            const int64_t x = tw_array_int(p.a, tw_ref_at(i, r->out[0].rank, r->out[0].dims, p.sa));
            const int64_t y =
                tw_array_int(&p.b, tw_ref_at(i, r->out[0].rank, r->out[0].dims, p.sb));

            if (y == 0)
                return tw_ref_fail(r, "division of an integer by zero");
            tw_array_set_int(&r->out[0], i,
                             p.a->dtype == TW_U64 ? (int64_t)uint_modulo((uint64_t)x, (uint64_t)y)
                                                  : int_remainder(x, y));
        }
        return rc;
    }
    r->row = &row;
    rc = run(r);
    r->row = kept;
    return rc;
}

/* x^n of integers by squaring; wraps. */
static int64_t int_power(int64_t x, uint64_t n)
{
    uint64_t y = 1, square = (uint64_t)x;

    for (; n; n >>= 1, square *= square)
        if (n & 1U)
            y *= square;
    return (int64_t)y;
}

/* Base and exponent may be of different types; the result is of the base's. */
static enum tw_status run_power(struct tw_ref *r)
{
    struct pair p;
    const enum tw_status rc = prepare(r, &p, r->in[0]->dtype);
    const bool whole = !tw_dtype_is_real(r->in[0]->dtype) && !tw_dtype_is_real(r->in[1]->dtype);

    for (size_t i = 0; rc == TW_OK && i < r->out[0].n; i++) {
        const size_t ia = tw_ref_at(i, r->out[0].rank, r->out[0].dims, p.sa);
        const size_t ib = tw_ref_at(i, r->out[0].rank, r->out[0].dims, p.sb);

        if (whole && (tw_array_int(&p.b, ib) >= 0 || p.b.dtype == TW_U64))
            tw_array_set_int(&r->out[0], i,
                             int_power(tw_array_int(p.a, ia), (uint64_t)tw_array_int(&p.b, ib)));
        else
            tw_array_set_real(&r->out[0], i, pow(tw_array_real(p.a, ia), tw_array_real(&p.b, ib)));
    }
    return rc;
}

/* Any number of operands: Max, Min, Sum, Mean. */
static enum tw_status run_many(struct tw_ref *r)
{
    const bool real = tw_dtype_is_real(r->in[0]->dtype);
    const int64_t count = r->nin > 0 ? (int64_t)r->nin : 1;
    size_t dims[TW_MAX_RANK];
    int rank;
    enum tw_status rc = TW_OK;

    for (size_t j = 0; rc == TW_OK && j < r->nin; j++)
        rc = r->in[j] ? tw_ref_need_type(r, r->in[0], r->in[j])
                      : tw_ref_fail(r, "input %zu is absent", j);
    if (rc == TW_OK)
        rc = tw_ref_broadcast(r, r->nin, r->in, &rank, dims);
    if (rc == TW_OK)
        rc = tw_ref_out(r, 0, r->in[0]->dtype, rank, dims);
    if (rc != TW_OK)
        return rc;
    for (size_t i = 0; i < r->out[0].n; i++) {
        double x = 0.0;
        int64_t k = 0;

        for (size_t j = 0; j < r->nin; j++) {
            size_t s[TW_MAX_RANK], at;

            tw_ref_spread(r->in[j], rank, s);
            at = tw_ref_at(i, rank, dims, s);
            if (real)
                x = j ? r->row->real2(x, tw_array_real(r->in[j], at)) : tw_array_real(r->in[j], at);
            else
                k = j ? integer(r->row, r->in[0]->dtype, k, tw_array_int(r->in[j], at))
                      : tw_array_int(r->in[j], at);
        }
        if (real)
            tw_array_set_real(&r->out[0], i, r->row->which ? x / (double)count : x);
        else
            tw_array_set_int(&r->out[0], i, r->row->which ? int_divide(k, count) : k);
    }
    return TW_OK;
}

#define TWO .least = 2, .most = 2

const struct tw_ref_op tw_ref_binary[] = {
    { .op = "Add", TWO, .run = run, .real2 = add, .int2 = int_add },
    { .op = "Sub", TWO, .run = run, .real2 = subtract, .int2 = int_subtract },
    { .op = "Mul", TWO, .run = run, .real2 = multiply, .int2 = int_multiply },
    { .op = "Div", TWO, .run = run, .real2 = divide, .int2 = int_divide, .uint2 = uint_divide },
    { .op = "Mod", TWO, .run = run_mod, .real2 = modulo, .int2 = int_modulo, .uint2 = uint_modulo },
    { .op = "Pow", TWO, .run = run_power },
    { .op = "Equal", TWO, .run = run_compare, .real2 = equal, .int2 = int_equal },
    { .op = "Less", TWO, .run = run_compare, .real2 = less, .int2 = int_less, .uint2 = uint_less },
    { .op = "LessOrEqual",
      TWO,
      .run = run_compare,
      .real2 = less_equal,
      .int2 = int_less_equal,
      .uint2 = uint_less_equal },
    { .op = "Greater",
      TWO,
      .run = run_compare,
      .real2 = greater,
      .int2 = int_greater,
      .uint2 = uint_greater },
    { .op = "GreaterOrEqual",
      TWO,
      .run = run_compare,
      .real2 = greater_equal,
      .int2 = int_greater_equal,
      .uint2 = uint_greater_equal },
    { .op = "And", TWO, .run = run_compare, .int2 = int_and },
    { .op = "Or", TWO, .run = run_compare, .int2 = int_or },
    { .op = "Xor", TWO, .run = run_compare, .int2 = int_xor },
    { .op = "Max",
      .least = 1,
      .most = TW_REF_ANY,
      .run = run_many,
      .real2 = larger,
      .int2 = int_larger,
      .uint2 = uint_larger },
    { .op = "Min",
      .least = 1,
      .most = TW_REF_ANY,
      .run = run_many,
      .real2 = smaller,
      .int2 = int_smaller,
      .uint2 = uint_smaller },
    { .op = "Sum", .least = 1, .most = TW_REF_ANY, .run = run_many, .real2 = add, .int2 = int_add },
    { .op = "Mean",
      .least = 1,
      .most = TW_REF_ANY,
      .run = run_many,
      .real2 = add,
      .int2 = int_add,
      .which = 1 },
    { .op = NULL },
};
