/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Elementwise kernels: functions of one real against the C library in double and their
 * derivatives against differences; functions of two; strides and broadcast. */
#include "kernels_test.h"

#include <stdio.h>

/* f in double; NaN for those not compared here. */
static double exact(enum tw_unary f, double x)
{
    switch (f) {
    case TW_U_EXP:
        return exp(x);
    case TW_U_LOG:
        return log(x);
    case TW_U_LOG1P:
        return log1p(x);
    case TW_U_TANH:
        return tanh(x);
    case TW_U_SIGMOID:
        return 1.0 / (1.0 + exp(-x));
    case TW_U_ERF:
        return erf(x);
    case TW_U_SIN:
        return sin(x);
    case TW_U_COS:
        return cos(x);
    case TW_U_ELU:
        return x > 0.0 ? x : expm1(x);
    case TW_U_SOFTPLUS:
        return log1p(exp(-fabs(x))) + (x > 0.0 ? x : 0.0);
    case TW_U_SQRT:
        return sqrt(x);
    default:
        return x;
    }
}

/* The largest errors are printed: they are what the comment in kern_math.h promises. */
static void functions_have_small_errors(void **state)
{
    static const struct {
        enum tw_unary f;
        const char *name;
        double lo, hi;
        bool decades; /* x = 10^(lo .. hi) */
        double allowed;
    } row[] = {
        { TW_U_EXP, "exp", -86.0, 88.7, false, 2.0 },
        { TW_U_EXP, "exp (denormal)", -103.0, -86.0, false, 2.0 },
        { TW_U_LOG, "log", -44.0, 38.0, true, 2.0 },
        { TW_U_LOG, "log near 1", 0.5, 2.0, false, 2.0 },
        { TW_U_LOG1P, "log1p", -20.0, 30.0, true, 2.0 },
        { TW_U_LOG1P, "log1p near 0", -0.9, 2.0, false, 2.0 },
        { TW_U_TANH, "tanh", -10.0, 10.0, false, 2.0 },
        { TW_U_TANH, "tanh small", -20.0, 0.0, true, 2.0 },
        { TW_U_SIGMOID, "sigmoid", -80.0, 20.0, false, 2.5 },
        { TW_U_ERF, "erf", -4.5, 4.5, false, 2.0 },
        { TW_U_ERF, "erf small", -20.0, 0.0, true, 2.0 },
        { TW_U_SIN, "sin", -3.2, 3.2, false, 2.0 },
        { TW_U_COS, "cos", -3.2, 3.2, false, 2.0 },
        { TW_U_ELU, "expm1", -20.0, 0.0, false, 2.0 },
        { TW_U_SOFTPLUS, "softplus", -60.0, 30.0, false, 2.0 },
        { TW_U_SQRT, "sqrt", -30.0, 30.0, true, 0.5 },
    };
    enum { N = 100001 };

    (void)state;
    FOR_TABLES(t)
    for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
        struct reals x = reals_random(t, N, i, row[i].lo, row[i].hi), y = reals_new(t, N);
        double worst = 0.0, where = 0.0;

        for (size_t j = 0; j < N && row[i].decades; j++)
            put(&x, j, pow(10.0, get(&x, j)));
        t->unary(row[i].f, 0, 1.0, 0.0, N, x.p, y.p);
        for (size_t j = 0; j < N; j++) {
            const double e = ulps(t, get(&y, j), exact(row[i].f, get(&x, j)));

            if (!(e <= worst)) {
                worst = e;
                where = get(&x, j);
            }
        }
        print_message("# %s %s %s: %.2f ulp at %.9g\n", t->isa,
                      t->type == TW_REAL32 ? "float" : "double", row[i].name, worst, where);
        if (!(worst <= (t->type == TW_REAL32 ? row[i].allowed : 4.0)))
            fail_msg("%s: %g ulp at %.9g", row[i].name, worst, where);
        reals_free(&x);
        reals_free(&y);
    }
}

/* Sines far out are as exact as the C library's, cosines too. */
static void sines_of_large_numbers_are_right(void **state)
{
    static const double x[] = { 8191.5, 8192.5, 1e5, -3e7, 1e20, 12345.678, -8000.25 };
    enum { N = sizeof x / sizeof x[0] };

    (void)state;
    FOR_TABLES(t)
    {
        struct reals a = reals_new(t, N), s = reals_new(t, N), c = reals_new(t, N);

        for (size_t i = 0; i < N; i++)
            put(&a, i, x[i]);
        t->unary(TW_U_SIN, 0, 0.0, 0.0, N, a.p, s.p);
        t->unary(TW_U_COS, 0, 0.0, 0.0, N, a.p, c.p);
        for (size_t i = 0; i < N; i++) {
            assert_near(t, get(&s, i), sin(get(&a, i)), 4.0);
            assert_near(t, get(&c, i), cos(get(&a, i)), 4.0);
        }
        reals_free(&a);
        reals_free(&s);
        reals_free(&c);
    }
}

static void ends_are_as_ieee_says(void **state)
{
    static const struct {
        enum tw_unary f;
        double x, y;
    } row[] = {
        { TW_U_EXP, -INFINITY, 0.0 },
        { TW_U_EXP, INFINITY, INFINITY },
        { TW_U_EXP, -1e4, 0.0 },
        { TW_U_EXP, 1e4, INFINITY },
        { TW_U_EXP, 0.0, 1.0 },
        { TW_U_LOG, 0.0, -INFINITY },
        { TW_U_LOG, -0.0, -INFINITY },
        { TW_U_LOG, INFINITY, INFINITY },
        { TW_U_LOG, -1.0, NAN },
        { TW_U_LOG, 1.0, 0.0 },
        { TW_U_LOG1P, -1.0, -INFINITY },
        { TW_U_LOG1P, INFINITY, INFINITY },
        { TW_U_LOG1P, -2.0, NAN },
        { TW_U_TANH, INFINITY, 1.0 },
        { TW_U_TANH, -INFINITY, -1.0 },
        { TW_U_ERF, INFINITY, 1.0 },
        { TW_U_ERF, -INFINITY, -1.0 },
        { TW_U_SIGMOID, -INFINITY, 0.0 },
        { TW_U_SIGMOID, INFINITY, 1.0 },
        { TW_U_SOFTPLUS, INFINITY, INFINITY },
        { TW_U_SOFTPLUS, -INFINITY, 0.0 },
        { TW_U_ELU, -INFINITY, -1.0 },
        { TW_U_RELU, -INFINITY, 0.0 },
        { TW_U_SIN, INFINITY, NAN },
        { TW_U_COS, -INFINITY, NAN },
        { TW_U_RECIP, 0.0, INFINITY },
        { TW_U_SQRT, -1.0, NAN },
        { TW_U_ROUND, 2.5, 2.0 },
        { TW_U_ROUND, -3.5, -4.0 },
        { TW_U_FLOOR, -0.5, -1.0 },
        { TW_U_CEIL, 0.25, 1.0 },
        { TW_U_SIGN, -3.0, -1.0 },
        { TW_U_NOT, 0.0, 1.0 },
        { TW_U_NOT, 3.0, 0.0 },
        { TW_U_ISNAN, NAN, 1.0 },
        { TW_U_ISNAN, INFINITY, 0.0 },
        { TW_U_MISH, 100.0, 100.0 },
        { TW_U_GELU, 50.0, 50.0 },
        { TW_U_SILU, -1e4, 0.0 },
    };

    (void)state;
    FOR_TABLES(t)
    {
        struct reals x = reals_new(t, 1), y = reals_new(t, 1);

        for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
            put(&x, 0, row[i].x);
            t->unary(row[i].f, 0, 1.0, 1.0, 1, x.p, y.p);
            assert_near(t, get(&y, 0), row[i].y, 0.0);
        }
        for (int f = 0; f < TW_U_COUNT; f++) {
            put(&x, 0, NAN);
            t->unary((enum tw_unary)f, 0, 0.5, 1.5, 1, x.p, y.p);
            if (f != TW_U_NOT && f != TW_U_ISNAN && !isnan(get(&y, 0)))
                fail_msg("%s: function %d loses NaN", t->isa, f);
        }
        reals_free(&x);
        reals_free(&y);
    }
}

/* Where f may be asked, away from kinks. */
static double argument(int f, double u)
{
    switch (f) {
    case TW_U_LOG:
    case TW_U_SQRT:
    case TW_U_RSQRT:
    case TW_U_POWC:
    case TW_U_RECIP:
        return 0.3 + 2.0 * u;
    case TW_U_LOG1P:
        return -0.7 + 3.0 * u;
    default:
        return -4.0 + 8.0 * u;
    }
}

static bool near_kink(double x, double p0, double p1)
{
    const double kink[] = { 0.0,  3.0, -3.0, 1.0, -1.0,     2.0,
                            -2.0, p0,  -p0,  p1,  -p1 / p0, (1.0 - p1) / p0 };

    for (size_t i = 0; i < sizeof kink / sizeof kink[0]; i++)
        if (fabs(x - kink[i]) < 0.01)
            return true;
    return false;
}

static void derivatives_agree_with_differences(void **state)
{
    enum { N = 401 };
    const double p0 = 0.7, p1 = 1.3, h = 1e-4;

    (void)state;
    FOR_TABLES(t)
    for (int f = 0; f < TW_U_COUNT; f++)
        for (int order = 1; order <= 2; order++) {
            const struct tw_kernels *d = tw_kernels_find("generic", TW_REAL64);
            struct reals x = reals_random(t, N, 5, 0.0, 1.0), y = reals_new(t, N);
            struct reals lo = reals_new(d, N), hi = reals_new(d, N);

            for (size_t i = 0; i < N; i++) {
                put(&x, i, argument(f, get(&x, i)));
                put(&lo, i, get(&x, i) - h);
                put(&hi, i, get(&x, i) + h);
            }
            t->unary((enum tw_unary)f, order, p0, p1, N, x.p, y.p);
            d->unary((enum tw_unary)f, order - 1, p0, p1, N, lo.p, lo.p);
            d->unary((enum tw_unary)f, order - 1, p0, p1, N, hi.p, hi.p);
            for (size_t i = 0; i < N; i++) {
                const double want = (get(&hi, i) - get(&lo, i)) / (2.0 * h);

                if (!near_kink(get(&x, i), p0, p1) &&
                    !(fabs(get(&y, i) - want) <= 1e-6 * (1.0 + fabs(want)) +
                                                     (t->type == TW_REAL32 ? 2e-6 : 0.0) +
                                                     20.0 * epsilon(t) * fabs(want)))
                    fail_msg("%s: derivative %d of function %d at %g: %g instead of %g", t->isa,
                             order, f, get(&x, i), get(&y, i), want);
            }
            reals_free(&x);
            reals_free(&y);
            reals_free(&lo);
            reals_free(&hi);
        }
}

static void kinks_are_as_documented(void **state)
{
    static const struct {
        enum tw_unary f;
        double x, slope;
    } row[] = {
        { TW_U_RELU, 0.0, 0.0 }, { TW_U_ABS, 0.0, 0.0 },    { TW_U_CLIP, 0.25, 1.0 },
        { TW_U_CLIP, 1.5, 1.0 }, { TW_U_CLIP, 1.51, 0.0 },  { TW_U_LEAKY, 0.0, 0.25 },
        { TW_U_ELU, 0.0, 0.25 }, { TW_U_HSWISH, 3.0, 1.5 }, { TW_U_THRESHOLD, 0.25, 0.0 },
    };

    (void)state;
    FOR_TABLES(t)
    {
        struct reals x = reals_new(t, 1), y = reals_new(t, 1);

        for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
            put(&x, 0, row[i].x);
            t->unary(row[i].f, 1, 0.25, 1.5, 1, x.p, y.p);
            assert_near(t, get(&y, 0), row[i].slope, 2.0);
        }
        reals_free(&x);
        reals_free(&y);
    }
}

static void gradients_are_stored_as_asked(void **state)
{
    enum { N = 1037 };

    (void)state;
    FOR_TABLES(t)
    for (int store = TW_SET; store <= TW_SUBTRACT; store++) {
        struct reals x = reals_random(t, N, 1, -2.0, 2.0), g = reals_random(t, N, 2, -1.0, 1.0);
        struct reals d = reals_new(t, N), y = reals_random(t, N, 3, -1.0, 1.0);
        struct reals old = reals_random(t, N, 3, -1.0, 1.0);

        t->unary(TW_U_GELU, 1, 0.0, 0.0, N, x.p, d.p);
        t->unary_grad(TW_U_GELU, 1, 0.0, 0.0, N, x.p, g.p, (enum tw_store)store, y.p);
        for (size_t i = 0; i < N; i++)
            assert_near(t, get(&y, i),
                        stored((enum tw_store)store, get(&old, i), get(&d, i) * get(&g, i)), 4.0);
        reals_free(&x);
        reals_free(&g);
        reals_free(&d);
        reals_free(&y);
        reals_free(&old);
    }
}

/* ---- two operands ------------------------------------------------------------------------ */

static double two(int f, double a, double b)
{
    const double r = fmod(a, b);

    switch (f) {
    case TW_B_ADD:
        return a + b;
    case TW_B_SUB:
        return a - b;
    case TW_B_MUL:
        return a * b;
    case TW_B_DIV:
        return a / b;
    case TW_B_POW:
        return pow(a, b);
    case TW_B_MAX:
        return isnan(a) || isnan(b) ? (double)NAN : fmax(a, b);
    case TW_B_MIN:
        return isnan(a) || isnan(b) ? (double)NAN : fmin(a, b);
    case TW_B_MOD:
        return r != 0.0 && (r < 0.0) != (b < 0.0) ? r + b : r;
    case TW_B_FMOD:
        return r;
    case TW_B_EQ:
        return a == b;
    case TW_B_LT:
        return a < b;
    case TW_B_LE:
        return a <= b;
    case TW_B_GT:
        return a > b;
    case TW_B_GE:
        return a >= b;
    case TW_B_AND:
        return a != 0.0 && b != 0.0;
    case TW_B_OR:
        return a != 0.0 || b != 0.0;
    case TW_B_XOR:
        return (a != 0.0) != (b != 0.0);
    default:
        return a;
    }
}

/* A value of a nest's operand at index i, lane l. */
static size_t place(const struct tw_loop *l, const long *s, const size_t *i, size_t lanes,
                    size_t lane)
{
    long at_ = 0;

    for (int d = 0; d < l->nd; d++)
        at_ += (long)i[d] * s[d];
    return (size_t)at_ * lanes + (lanes == 1 ? 0 : lane);
}

static bool next(const struct tw_loop *l, size_t *i)
{
    for (int d = l->nd - 1; d >= 0; d--) {
        if (++i[d] < l->n[d])
            return true;
        i[d] = 0;
    }
    return false;
}

/* Extents 3 x 5 x 4: contiguous; a broadcast along the middle; b turned; one element. */
static const struct tw_loop nests[] = {
    { 3, { 3, 5, 4 }, { 20, 4, 1 }, { 20, 4, 1 }, { 20, 4, 1 }, { 20, 4, 1 } },
    { 3, { 3, 5, 4 }, { 4, 0, 1 }, { 1, 12, 3 }, { 0, 0, 0 }, { 20, 4, 1 } },
    { 3, { 3, 5, 4 }, { 0, 0, 1 }, { 20, 4, 1 }, { 0, 1, 0 }, { 1, 3, 15 } },
    { 1, { 60 }, { 1 }, { 0 }, { 1 }, { 1 } },
    { 0, { 0 }, { 0 }, { 0 }, { 0 }, { 0 } },
    { 2, { 0, 7 }, { 7, 1 }, { 7, 1 }, { 7, 1 }, { 7, 1 } },
};
enum { NNESTS = sizeof nests / sizeof nests[0], ELEMENTS = 60 };

/* Small whole numbers and a NaN, so that comparisons and remainders have cases of all kinds. */
static struct reals operand(const struct tw_kernels *t, size_t lanes, uint64_t item, bool halves)
{
    struct reals a = reals_random(t, ELEMENTS * lanes, item, -4.0, 4.0);

    for (size_t i = 0; i < a.n; i++)
        put(&a, i, halves ? floor(2.0 * get(&a, i)) / 2.0 : floor(get(&a, i)));
    put(&a, a.n / 2, NAN);
    return a;
}

static void check_binary(const struct tw_kernels *t, int f, const struct tw_loop *l, size_t al,
                         size_t bl, enum tw_store store)
{
    const size_t lanes = al > bl ? al : bl;
    struct reals a = operand(t, al, 1, true), b = operand(t, bl, 2, f != TW_B_POW);
    struct reals y = reals_random(t, ELEMENTS * lanes, 3, -1.0, 1.0);
    struct reals want = reals_random(t, ELEMENTS * lanes, 3, -1.0, 1.0);
    size_t i[TW_LOOP_MAX] = { 0 };

    t->binary((enum tw_binary)f, l, al, a.p, bl, b.p, store, lanes, y.p);
    if (l->nd != 2)
        do
            for (size_t s = 0; s < lanes; s++) {
                const size_t to = place(l, l->sy, i, lanes, s);

                put(&want, to,
                    stored(store, get(&want, to),
                           two(f, get(&a, place(l, l->sa, i, al, s)),
                               get(&b, place(l, l->sb, i, bl, s)))));
            }
        while (next(l, i));
    for (size_t e = 0; e < y.n; e++)
        assert_near(t, get(&y, e), get(&want, e), 8.0 * fabs(get(&want, e)) + 4.0);
    reals_free(&a);
    reals_free(&b);
    reals_free(&y);
    reals_free(&want);
}

static void functions_of_two_agree_with_loops(void **state)
{
    (void)state;
    FOR_TABLES(t)
    for (int f = 0; f < TW_B_COUNT; f++)
        for (size_t i = 0; i < NNESTS; i++)
            for (int store = TW_SET; store <= TW_SUBTRACT; store++) {
                check_binary(t, f, &nests[i], 32, 32, (enum tw_store)store);
                check_binary(t, f, &nests[i], 16, 1, (enum tw_store)store);
                check_binary(t, f, &nests[i], 1, 16, (enum tw_store)store);
                check_binary(t, f, &nests[i], 1, 1, (enum tw_store)store);
            }
}

/* Remainders of whole numbers up to 2^24, where a quotient in float would round. */
static void remainders_are_exact(void **state)
{
    enum { N = 4096 };
    const struct tw_loop l = { .nd = 1, .n = { N / 16 }, .sa = { 1 }, .sb = { 1 }, .sy = { 1 } };

    (void)state;
    FOR_TABLES(t)
    {
        struct reals a = reals_random(t, N, 1, -16777215.0, 16777215.0);
        struct reals b = reals_random(t, N, 2, 1.0, 5000.0), y = reals_new(t, N);

        for (size_t i = 0; i < N; i++) {
            put(&a, i, floor(get(&a, i)));
            put(&b, i, (i & 1 ? -1.0 : 1.0) * floor(get(&b, i)));
        }
        t->binary(TW_B_MOD, &l, 16, a.p, 16, b.p, TW_SET, 16, y.p);
        for (size_t i = 0; i < N; i++) {
            const int64_t p = (int64_t)get(&a, i), q = (int64_t)get(&b, i);
            const int64_t r = (p % q + q) % q;

            assert_true(get(&y, i) == (double)r);
        }
        reals_free(&a);
        reals_free(&b);
        reals_free(&y);
    }
}

static void selection_agrees_with_loops(void **state)
{
    (void)state;
    FOR_TABLES(t)
    for (size_t n = 0; n < NNESTS; n++)
        for (size_t kind = 0; kind < 8; kind++) {
            const struct tw_loop *l = &nests[n];
            const size_t cl = kind & 1 ? 16 : 1, al = kind & 2 ? 16 : 1, bl = kind & 4 ? 16 : 1;
            const size_t lanes = kind ? 16 : 1;
            struct reals a = operand(t, al, 1, true), b = operand(t, bl, 2, true);
            struct reals c = operand(t, cl, 3, false), y = reals_new(t, ELEMENTS * lanes);
            struct reals want = reals_new(t, ELEMENTS * lanes);
            size_t i[TW_LOOP_MAX] = { 0 };

            t->select(l, cl, c.p, al, a.p, bl, b.p, TW_ADD, lanes, y.p);
            if (l->nd != 2)
                do
                    for (size_t s = 0; s < lanes; s++) {
                        const double m = get(&c, place(l, l->sc, i, cl, s));

                        put(&want, place(l, l->sy, i, lanes, s),
                            m != 0.0 ? get(&a, place(l, l->sa, i, al, s))
                                     : get(&b, place(l, l->sb, i, bl, s)));
                    }
                while (next(l, i));
            for (size_t e = 0; e < y.n; e++)
                assert_near(t, get(&y, e), get(&want, e), 0.0);
            reals_free(&a);
            reals_free(&b);
            reals_free(&c);
            reals_free(&y);
            reals_free(&want);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(functions_have_small_errors),
        cmocka_unit_test(sines_of_large_numbers_are_right),
        cmocka_unit_test(ends_are_as_ieee_says),
        cmocka_unit_test(derivatives_agree_with_differences),
        cmocka_unit_test(kinks_are_as_documented),
        cmocka_unit_test(gradients_are_stored_as_asked),
        cmocka_unit_test(functions_of_two_agree_with_loops),
        cmocka_unit_test(remainders_are_exact),
        cmocka_unit_test(selection_agrees_with_loops),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
