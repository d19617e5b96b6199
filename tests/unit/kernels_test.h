/* SPDX-License-Identifier: GPL-3.0-or-later */
/* kernels_test.h - every table of kernels that this machine can run, arrays of its type filled
 * with reproducible numbers, and how near a result must be to plain loops in double. */
#ifndef TESTS_KERNELS_TEST_H
#define TESTS_KERNELS_TEST_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "thalweg/tensor_kernels.h"

/* The tables; how many there are. */
static inline size_t all_tables(const struct tw_kernels *t[6])
{
    static const char *const isa[] = { "avx512", "avx2", "generic" };
    size_t n = 0;

    for (size_t i = 0; i < 3; i++)
        for (int type = TW_REAL32; type <= TW_REAL64; type++)
            if ((t[n] = tw_kernels_find(isa[i], (enum tw_real_type)type)))
                n++;
    return n;
}

/* Runs `body` with `t` each table in turn. */
#define FOR_TABLES(t)                                                                              \
    const struct tw_kernels *tables_[6], *t = NULL;                                                \
    const size_t ntables_ = all_tables(tables_);                                                   \
    for (size_t k_ = 0; k_ < ntables_ && (t = tables_[k_], true); k_++)

/* n reals of the table's type, between guards that must survive. */
struct reals {
    const struct tw_kernels *t;
    size_t n;
    void *p;
};
enum { GUARD = 64 };

static inline double get(const struct reals *a, size_t i)
{
    return a->t->type == TW_REAL32 ? (double)((const float *)a->p)[i] : ((const double *)a->p)[i];
}

static inline void put(const struct reals *a, size_t i, double x)
{
    if (a->t->type == TW_REAL32)
        ((float *)a->p)[i] = (float)x;
    else
        ((double *)a->p)[i] = x;
}

static inline void *at(const struct reals *a, size_t i)
{
    return (char *)a->p + i * a->t->size;
}

static inline struct reals reals_new(const struct tw_kernels *t, size_t n)
{
    const size_t bytes = ((n + 2 * GUARD) * t->size + 63) / 64 * 64;
    char *p = aligned_alloc(64, bytes);

    assert_non_null(p);
    memset(p, 0x5a, bytes);
    memset(p + GUARD * t->size, 0, n * t->size);
    return (struct reals){ t, n, p + GUARD * t->size };
}

static inline void reals_free(struct reals *a)
{
    const unsigned char *p = (unsigned char *)a->p - GUARD * a->t->size;

    for (size_t i = 0; i < GUARD * a->t->size; i++) {
        assert_int_equal(p[i], 0x5a);
        assert_int_equal(p[(GUARD + a->n) * a->t->size + i], 0x5a);
    }
    free((char *)a->p - GUARD * a->t->size);
    a->p = NULL;
}

/* Uniform numbers in lo .. hi, of stream `item`. */
static inline struct reals reals_random(const struct tw_kernels *t, size_t n, uint64_t item,
                                        double lo, double hi)
{
    struct reals a = reals_new(t, n);
    struct tw_rng rng = tw_rng_stream(7, TW_RNG_TEST, item);

    for (size_t i = 0; i < n; i++)
        put(&a, i, lo + (hi - lo) * tw_rng_real(&rng));
    return a;
}

/* Rounding to the table's type, relative. */
static inline double epsilon(const struct tw_kernels *t)
{
    return t->type == TW_REAL32 ? 0x1p-24 : 0x1p-53;
}

/* Units in the last place of the table's type between x and the exact value y. */
static inline double ulps(const struct tw_kernels *t, double x, double y)
{
    const int bits = t->type == TW_REAL32 ? 24 : 53, least = t->type == TW_REAL32 ? -148 : -1073;
    int e;

    if (isnan(x) || isnan(y))
        return isnan(x) && isnan(y) ? 0.0 : (double)INFINITY;
    if (isinf(x) || isinf(y))
        return x == y || (t->type == TW_REAL32 && (double)(float)y == x) ? 0.0 : (double)INFINITY;
    (void)frexp(y, &e);
    return fabs(x - y) / ldexp(1.0, e - bits > least - 1 ? e - bits : least - 1);
}

#define assert_near(t, got, want, scale)                                                           \
    do {                                                                                           \
        const double got_ = (got), want_ = (want), scale_ = (scale)*epsilon(t);                    \
        if (!(fabs(got_ - want_) <= scale_ || got_ == want_ || (isnan(got_) && isnan(want_))))     \
            fail_msg("%s %s: %.17g instead of %.17g, allowed %.3g", (t)->isa,                      \
                     (t)->type == TW_REAL32 ? "float" : "double", got_, want_, scale_);            \
    } while (0)

static inline double stored(enum tw_store store, double old, double x)
{
    return store == TW_SET ? x : store == TW_ADD ? old + x : old - x;
}

#endif
