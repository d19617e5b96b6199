/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Bounds and zeros of one sample: certified cases, an independent count of zeros, closed forms,
 * invariances, and random samples on which no bound may exceed what it bounds. */
#include <stdlib.h>

#include "ghost_cases.h"
#include "num.h"
#include "thalweg/ghost.h"

#define PI 3.14159265358979323846

static struct tw_ghost *set(size_t n, const double *z, const double *a, double temperature)
{
    struct tw_ghost *g = tw_ghost_alloc(n);
    struct tw_err err = { 0 };

    assert_non_null(g);
    if (tw_ghost_set(g, n, z, a, temperature, &err) != TW_OK)
        fail_msg("%s", err.msg);
    return g;
}

/* ---- certified cases ----------------------------------------------------------------------- */

static void check_case(const struct ghost_case *c)
{
    struct tw_ghost *g = set(c->n, c->logits, c->slopes, c->temperature);
    const struct tw_ghost_bounds b = tw_ghost_bounds(g);
    const struct tw_ghost_top2 p =
        tw_ghost_top2(c->n, c->logits, c->slopes, c->label, c->temperature);
    const struct tw_ghost_shift s =
        tw_ghost_shift(c->n, c->logits, c->slopes, c->label, c->temperature, c->tau);
    const struct tw_ghost_zero q = tw_ghost_nearest(g);
    const double half = tw_ghost_half_mass(g);
    size_t zeros;

    check_close(b.spread, c->delta_a, c->rtol, 0.0);
    check_close(b.rho_a, c->rho_a, c->rtol, 0.0);
    check_close(b.p_max, c->p_max, c->rtol, 0.0);
    check_close(b.variance, c->variance, c->rtol, 1e-40);
    check_close(b.b1, c->b1, c->rtol, 0.0);
    if (!isnan(c->log_odds))
        check_close(b.log_odds, c->log_odds, c->rtol, 1e-15);
    check_close(half, c->u_half, c->rtol, 0.0);
    check_close(hypot(half, b.rho_a), c->b2, c->rtol, 0.0);
    check_close(s.loss0, c->loss0, c->rtol, 1e-15);
    check_close(s.loss, c->loss, c->rtol, 1e-12);
    check_close(s.kl_new_old, c->kl_new_old, c->rtol, 1e-15);
    check_close(s.kl_old_new, c->kl_old_new, c->rtol, 1e-15);
    check_close(s.remainder_new_old, c->bound_new_old, c->rtol, 0.0);
    check_close(s.remainder_old_new, c->bound_old_new, c->rtol, 0.0);
    assert_int_equal(p.rival, c->rival);
    check_close(p.margin, c->margin, c->rtol, 0.0);
    check_close(p.slope_gap, c->slope_gap, c->rtol, 0.0);
    check_close(p.rho, c->top2, c->rtol, 0.0);
    check_close(q.rho, c->rho, c->rtol, 0.0);
    if (c->zeros == 0) {
        assert_int_equal(q.proof, TW_GHOST_NONE);
    } else {
        assert_int_equal(q.proof, TW_GHOST_PROVED);
        assert_true(q.low <= q.rho && q.low >= q.rho * (1.0 - 1.01e-6));
        check_close(fabs(q.re), fabs(c->re), 30.0 * c->rtol, 20.0 * c->rtol * c->rho);
        check_close(q.im, c->im, 30.0 * c->rtol, 0.0);
        assert_int_equal(tw_ghost_count(g, c->rho * (1.0 + 1e-6), &zeros, NULL), TW_OK);
        assert_int_equal(zeros, c->zeros);
    }
    tw_ghost_free(g);
}

static void certified_cases(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof ghost_cases / sizeof *ghost_cases; i++) {
        print_message("# %s\n", ghost_cases[i].id);
        check_case(&ghost_cases[i]);
    }
}

/* ---- closed forms -------------------------------------------------------------------------- */

/* Equal weights at slopes 0, 1, ..., n - 1 are a geometric sum: zeros at 2 pi i k / n. */
static void a_geometric_sum(void **state)
{
    double z[12], a[12];

    (void)state;
    for (size_t n = 2; n <= 12; n++) {
        struct tw_ghost *g;
        struct tw_ghost_zero q;
        size_t zeros;

        for (size_t k = 0; k < n; k++) {
            z[k] = -3.25;
            a[k] = 0.7 * (double)k - 1.1;
        }
        g = set(n, z, a, 1.0);
        q = tw_ghost_nearest(g);
        assert_int_equal(q.proof, TW_GHOST_PROVED);
        check_close(q.rho, 2.0 * PI / (0.7 * (double)n), 1e-12, 0.0);
        check_close(q.re, 0.0, 0.0, 1e-12);
        /* Upper zeros below radius r: those with 2 pi k / (0.7 n) < r, k not a multiple of n. */
        assert_int_equal(tw_ghost_count(g, 2.0 * PI / 0.7 * 1.0001, &zeros, NULL), TW_OK);
        assert_int_equal(zeros, n - 1);
        tw_ghost_free(g);
    }
}

/* The weights of a power (1 + w e^t)^m: a zero of order m at -log w + i pi. */
static void a_zero_of_high_order(void **state)
{
    static const double z[] = { 0.0, 1.9459101490553132, 2.3978952727983707, 1.9459101490553132,
                                0.5 };
    static const double a[] = { 0.0, 1.0, 2.0, 3.0, 4.0 };
    double cubic[4], slopes[4] = { 0.0, 1.0, 2.0, 3.0 };
    struct tw_ghost *g;
    struct tw_ghost_zero q;

    (void)state;
    for (int k = 0; k < 4; k++)
        cubic[k] = log(k == 1 || k == 2 ? 3.0 : 1.0) + 0.4 * k;
    g = set(4, cubic, slopes, 1.0);
    q = tw_ghost_nearest(g);
    /* Of a triple zero a third of the digits is left: rounding splits it into three. */
    check_close(q.rho, hypot(0.4, PI), 3e-5, 0.0);
    tw_ghost_free(g);
    g = set(5, z, a, 1.0);
    q = tw_ghost_nearest(g);
    assert_int_equal(q.proof, TW_GHOST_PROVED);
    tw_ghost_free(g);
}

/* ---- random samples ------------------------------------------------------------------------ */

enum { FAMILIES = 9, MOST = 40 };

static size_t draw(uint64_t seed, int family, size_t item, double *z, double *a)
{
    struct tw_rng r = tw_rng_stream(seed, TW_RNG_TEST, 100 * item + (uint64_t)family);
    const size_t n = 2 + tw_rng_below(&r, family == 8 ? MOST - 1 : 12);

    for (size_t k = 0; k < n; k++) {
        z[k] = tw_rng_normal(&r);
        a[k] = tw_rng_normal(&r);
        z[k] = family == 1 && k == 0 ? z[k] + 10.0 : z[k];
        z[k] *= family == 2 ? 10.0 : family == 6 ? 3000.0 : 1.0;
        a[k] = family == 3 ? 0.25 * round(2.0 * a[k]) : a[k];
        z[k] = family == 4 ? 0.0 : z[k];
        a[k] = family == 5 ? exp(3.0 * a[k]) : a[k];
        if (family == 7) { /* lattices: zeros of higher order are common */
            z[k] = log(1.0 + (double)tw_rng_below(&r, 3));
            a[k] = (double)tw_rng_below(&r, 5);
        }
    }
    return n;
}

static void no_bound_exceeds_what_it_bounds(void **state)
{
    const size_t items =
        getenv("TW_GHOST_CASES") ? strtoul(getenv("TW_GHOST_CASES"), NULL, 10) : 250;
    double z[MOST + 2], a[MOST + 2];
    size_t open = 0, exceeds = 0, b3_better = 0, unknown = 0, evaluations = 0;

    (void)state;
    for (size_t item = 0; item < items; item++)
        for (int family = 0; family < FAMILIES; family++) {
            const size_t n = draw(17, family, item, z, a);
            struct tw_ghost *g = set(n, z, a, 1.3);
            const struct tw_ghost_zero q = tw_ghost_nearest(g);
            const struct tw_ghost_bounds b = tw_ghost_bounds(g);
            const double b2 = hypot(tw_ghost_half_mass(g), b.rho_a), b3 = tw_ghost_b3(g);

            assert_true(b.rho_a <= b.b1 && b.b1 <= b2 * (1.0 + 1e-12));
            assert_true(b3 >= b.rho_a * (1.0 - 1e-12));
            if (!(b2 <= q.rho * (1.0 + 1e-6) && b3 <= q.rho * (1.0 + 1e-6)))
                fail_msg("family %d, item %zu: B2 %.9g, B3 %.9g, zero %.9g", family, item, b2, b3,
                         q.rho);
            assert_true(q.proof == TW_GHOST_NONE || tw_ghost_b4(g) >= q.low);
            open += q.proof == TW_GHOST_OPEN;
            evaluations += q.evaluations;
            unknown += q.proof != TW_GHOST_NONE && isnan(q.re);
            exceeds += tw_ghost_top2(n, z, a, 0, 1.3).rho > q.rho * (1.0 + 1e-6);
            assert_true(b3 >= 0.989 * b2); /* by its definition, but for its 1 % */
            b3_better += b3 > 1.01 * b2;
            tw_ghost_free(g);
        }
    print_message("# %zu samples: %zu proofs open, %zu by the modulus alone, label and rival above "
                  "the zero in %zu; B3 better than B2 in %zu\n",
                  items * FAMILIES, open, unknown, exceeds, b3_better);
    assert_int_equal(open, 0);
    /* A count whose turns are foreseen wrongly is mended by bisection, at many times the price. */
    print_message("# %g evaluations each\n", (double)evaluations / (double)(items * FAMILIES));
    assert_true(evaluations < 34 * items * FAMILIES);
    assert_true(exceeds > items); /* it is no bound */
    assert_true(b3_better);
}

/* The least sqrt(u^2 + pi^2 / (4 Var)) on a fine grid, where no class is above a share. */
static double b3_on_a_grid(size_t n, const double *z, const double *a, double reach, double share)
{
    enum { STEPS = 4000 };
    double least = HUGE_VAL;

    for (int i = -STEPS; i <= STEPS; i++) {
        const double u = reach * i / STEPS;
        double top = -HUGE_VAL, sum = 0.0, first = 0.0, second = 0.0;

        for (size_t k = 0; k < n; k++)
            top = fmax(top, z[k] + a[k] * u);
        for (size_t k = 0; k < n; k++) {
            const double p = exp(z[k] + a[k] * u - top);

            sum += p;
            first += p * a[k];
            second += p * a[k] * a[k];
        }
        if (1.0 <= share * sum)
            least =
                fmin(least, hypot(u, 0.5 * PI / sqrt(second / sum - first * first / sum / sum)));
    }
    return least;
}

static void b3_is_its_definition(void **state)
{
    static const int families[] = { 0, 1, 4, 8 };
    double z[MOST + 2], a[MOST + 2];

    (void)state;
    for (size_t item = 0; item < 60; item++) {
        const size_t n = draw(29, families[item % 4], item, z, a);
        struct tw_ghost *g = set(n, z, a, 1.0);
        const double b3 = tw_ghost_b3(g);

        assert_true(b3 <= b3_on_a_grid(n, z, a, 1.2 * b3, 0.5) * (1.0 + 1e-9));
        /* Where two classes pass one another, shares of 1/2 are a point that a grid misses. */
        assert_true(b3 >= 0.989 * b3_on_a_grid(n, z, a, 1.2 * b3, 0.53));
        tw_ghost_free(g);
    }
}

/* Samples in which the variance, going up across the last intervals, would put the bound too high
 * if its slope or its second derivative were left out or taken the other way. */
static void b3_where_the_variance_is_steep(void **state)
{
    static const uint64_t items[] = { 44058, 108664, 44845, 10707, 103227, 89193, 81955 };

    (void)state;
    for (size_t i = 0; i < sizeof items / sizeof *items; i++) {
        struct tw_rng r = tw_rng_stream(5, TW_RNG_TEST, items[i]);
        const size_t n = 3 + tw_rng_below(&r, 4);
        const double s = exp(1.5 * tw_rng_normal(&r)), q = exp(tw_rng_normal(&r));
        double z[6], a[6], b3;
        struct tw_ghost *g;

        for (size_t k = 0; k < n; k++) {
            z[k] = s * tw_rng_normal(&r);
            a[k] = tw_rng_normal(&r);
            a[k] = items[i] % 2 ? exp(q * a[k]) : a[k];
        }
        g = set(n, z, a, 1.0);
        b3 = tw_ghost_b3(g);
        assert_true(b3 <= b3_on_a_grid(n, z, a, 1.2 * b3, 0.5) * (1.0 + 1e-9));
        tw_ghost_free(g);
    }
}

/* Zeros of the upper half plane within a radius: the argument of F along the half circle in steps
 * so small that it turns little in each. Nothing of the library. */
static long brute_count(size_t n, const double *z, const double *a, double radius)
{
    enum { STEPS = 20000 };
    double turned = 0.0, last = 0.0;

    for (int i = 0; i <= STEPS; i++) {
        const double u = radius * cos(PI * i / STEPS), y = radius * sin(PI * i / STEPS);
        double top = -INFINITY, re = 0.0, im = 0.0, phase;

        for (size_t k = 0; k < n; k++)
            top = fmax(top, z[k] + (a[k] - a[0]) * u);
        for (size_t k = 0; k < n; k++) {
            const double size = exp(z[k] + (a[k] - a[0]) * u - top);

            re += size * cos((a[k] - a[0]) * y);
            im += size * sin((a[k] - a[0]) * y);
        }
        phase = atan2(im, re);
        turned += i ? remainder(phase - last, 2.0 * PI) : 0.0;
        last = phase;
    }
    return lround(turned / (2.0 * PI));
}

static void counts_agree_with_small_steps(void **state)
{
    static const int families[] = { 0, 1, 2, 4, 5, 8 };
    double z[MOST + 2], a[MOST + 2];

    (void)state;
    for (size_t item = 0; item < 24; item++) {
        const int family = families[item % 6];
        const size_t n = draw(23, family, item, z, a);
        struct tw_ghost *g = set(n, z, a, 1.0);
        const struct tw_ghost_zero q = tw_ghost_nearest(g);
        size_t zeros;

        assert_int_equal(brute_count(n, z, a, q.rho * 0.999), 0);
        assert_true(brute_count(n, z, a, q.rho * 1.001) > 0);
        assert_int_equal(tw_ghost_count(g, 2.7 * q.rho, &zeros, NULL), TW_OK);
        assert_int_equal(zeros, brute_count(n, z, a, 2.7 * q.rho));
        tw_ghost_free(g);
    }
}

/* Offsets of logits and slopes, the order of the classes and the sense of the direction change
 * nothing; a factor on the slopes is one on every length; T divides both. */
static void invariances(void **state)
{
    double z[MOST + 2], a[MOST + 2], y[MOST + 2], b[MOST + 2], scaled[MOST + 2];

    (void)state;
    for (size_t item = 0; item < 40; item++) {
        const size_t n = draw(5, (int)(item % 3), item, z, a);
        struct tw_ghost *g = set(n, z, a, 1.0), *h;
        const struct tw_ghost_zero q = tw_ghost_nearest(g);
        struct tw_ghost_zero p;

        for (size_t k = 0; k < n; k++) {
            y[n - 1 - k] = z[k] + 8.0;
            b[n - 1 - k] = 64.0 - 4.0 * a[k];
        }
        h = set(n, y, b, 1.0);
        p = tw_ghost_nearest(h);
        check_close(4.0 * p.rho, q.rho, 1e-9, 0.0);
        check_close(4.0 * tw_ghost_b3(h), tw_ghost_b3(g), 0.011, 0.0);
        tw_ghost_free(h);
        for (size_t k = 0; k < n; k++) {
            y[k] = z[k] / 3.0;
            scaled[k] = a[k] / 3.0;
        }
        h = set(n, z, a, 3.0);
        p = tw_ghost_nearest(h);
        tw_ghost_free(h);
        h = set(n, y, scaled, 1.0);
        check_close(p.rho, tw_ghost_nearest(h).rho, 1e-12, 0.0);
        tw_ghost_free(h);
        tw_ghost_free(g);
    }
}

/* ---- many classes, one class, wrong input -------------------------------------------------- */

static void a_hundred_thousand_classes(void **state)
{
    enum { N = 100000 };
    double *z = tw_alloc(N, sizeof *z), *a = tw_alloc(N, sizeof *a);
    struct tw_rng r = tw_rng_stream(3, TW_RNG_TEST, 0);
    struct tw_ghost_zero q;
    struct tw_ghost *g;

    (void)state;
    for (size_t k = 0; k < N; k++) {
        z[k] = tw_rng_normal(&r);
        a[k] = tw_rng_real(&r) - 0.5;
    }
    g = set(N, z, a, 1.0);
    q = tw_ghost_nearest(g);
    assert_int_equal(q.proof, TW_GHOST_PROVED);
    assert_true(fmax(hypot(tw_ghost_half_mass(g), tw_ghost_bounds(g).rho_a), tw_ghost_b3(g)) <=
                q.rho);
    assert_true(q.rho <= tw_ghost_b4(g));
    /* Nearly the zeros of (e^{t/2} - e^{-t/2}) / t. */
    check_close(q.im, 2.0 * PI, 0.02, 0.0);
    tw_ghost_free(g);
    free(z);
    free(a);
}

/* Numbers at the ends of the range: every answer is one, soon, and bounds are bounds. */
static void extreme_numbers(void **state)
{
    double z[10], a[10];

    (void)state;
    for (size_t item = 0; item < 400; item++) {
        struct tw_rng r = tw_rng_stream(99, TW_RNG_TEST, item);
        const size_t n = 2 + tw_rng_below(&r, 9);
        const double zs = pow(10.0, 320.0 * tw_rng_real(&r) - 20.0);
        const double as = pow(10.0, 600.0 * tw_rng_real(&r) - 300.0);
        struct tw_ghost_bounds b;
        struct tw_ghost_zero q;
        struct tw_ghost *g;
        double b3;

        for (size_t k = 0; k < n; k++) {
            z[k] = zs * tw_rng_normal(&r);
            a[k] = as * tw_rng_normal(&r);
            if (item % 7 == 0 && k)
                a[k] = a[0] * (1.0 + 1e-15 * (double)k);
        }
        g = set(n, z, a, 1.0);
        b = tw_ghost_bounds(g);
        b3 = tw_ghost_b3(g);
        q = tw_ghost_nearest(g);
        assert_false(isnan(q.rho) || isnan(q.low) || isnan(b.b1) || isnan(b3));
        if (!(b.b1 <= q.rho * (1.0 + 1e-6) && b3 <= q.rho * (1.0 + 1e-6) && q.low <= q.rho))
            fail_msg("item %zu: B1 %g, B3 %g, low %g, zero %g", item, b.b1, b3, q.low, q.rho);
        assert_true(tw_ghost_b4(g) >= q.low * (1.0 - 1e-9));
        tw_ghost_free(g);
    }
}

static void masked_classes_change_nothing(void **state)
{
    static const double z[] = { 0.3, -3.4e38, 1.1, -0.7, -1e30 },
                        a[] = { 1.0, 0.2, -0.5, 0.4, 0.9 };
    static const double y[] = { 0.3, 1.1, -0.7 }, b[] = { 1.0, -0.5, 0.4 };
    struct tw_ghost *g = set(5, z, a, 1.0), *h = set(3, y, b, 1.0);

    (void)state;
    assert_int_equal(tw_ghost_nearest(g).proof, TW_GHOST_PROVED);
    check_close(tw_ghost_nearest(g).rho, tw_ghost_nearest(h).rho, 1e-14, 0.0);
    tw_ghost_free(g);
    tw_ghost_free(h);
}

static void what_is_refused(void **state)
{
    static const double good[] = { 1.0, 2.0, 3.0 }, bad[] = { 1.0, NAN, 3.0 };
    static const double far[] = { -1.5e308, 0.0, 1.5e308 };
    struct tw_ghost *g = tw_ghost_alloc(3);
    struct tw_err err = { 0 };

    (void)state;
    assert_int_equal(tw_ghost_set(g, 3, bad, good, 1.0, &err), TW_EDOMAIN);
    assert_non_null(strstr(err.msg, "the logit of class 1 is"));
    err = (struct tw_err){ 0 };
    assert_int_equal(tw_ghost_set(g, 3, good, bad, 1.0, &err), TW_EDOMAIN);
    assert_non_null(strstr(err.msg, "the slope of class 1 is"));
    assert_int_equal(tw_ghost_set(g, 3, good, far, 1.0, NULL), TW_EDOMAIN);
    assert_int_equal(tw_ghost_set(g, 3, good, good, 0.0, NULL), TW_EINVAL);
    assert_int_equal(tw_ghost_set(g, 3, good, good, NAN, NULL), TW_EINVAL);
    assert_int_equal(tw_ghost_set(g, 4, good, good, 1.0, NULL), TW_EINVAL);
    assert_int_equal(tw_ghost_set(g, 0, good, good, 1.0, NULL), TW_EINVAL);
    assert_int_equal(tw_ghost_set(g, 1, good, good, 1.0, NULL), TW_OK);
    assert_int_equal(tw_ghost_nearest(g).proof, TW_GHOST_NONE);
    assert_true(isinf(tw_ghost_bounds(g).rho_a) && isinf(tw_ghost_b3(g)) && isinf(tw_ghost_b4(g)));
    tw_ghost_free(g);
    tw_ghost_free(NULL);
}

/* The linearised flip: z_top - z_k = (a_k - a_top) t. */
static void the_first_flip(void **state)
{
    static const double z[] = { 2.0, 1.0, -1.0 }, a[] = { 0.5, 1.0, 3.0 },
                        down[] = { 0.0, -1.0, -2.0 };

    (void)state;
    check_close(tw_ghost_shift(3, z, a, 1, 1.0, 0.0).flip, 3.0 / 2.5, 1e-15, 0.0);
    check_close(tw_ghost_shift(3, z, down, 1, 1.0, 0.0).flip, INFINITY, 0.0, 0.0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(certified_cases),
        cmocka_unit_test(a_geometric_sum),
        cmocka_unit_test(a_zero_of_high_order),
        cmocka_unit_test(no_bound_exceeds_what_it_bounds),
        cmocka_unit_test(b3_is_its_definition),
        cmocka_unit_test(b3_where_the_variance_is_steep),
        cmocka_unit_test(counts_agree_with_small_steps),
        cmocka_unit_test(invariances),
        cmocka_unit_test(a_hundred_thousand_classes),
        cmocka_unit_test(extreme_numbers),
        cmocka_unit_test(masked_classes_change_nothing),
        cmocka_unit_test(what_is_refused),
        cmocka_unit_test(the_first_flip),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
