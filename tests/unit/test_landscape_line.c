/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Lines: the cubic between points, its stated error against the truth, tops, gaps, and that what
 * comes next is a function of the points alone. */
#include "num.h"
#include "thalweg/landscape_line.h"

/* ---- curves of one variable as problems -------------------------------------------------------
 */

struct curve {
    struct tw_problem base;
    double (*f)(double x);
    size_t evaluations;
};

static enum tw_status eval_curve(struct tw_problem *p, const struct tw_request *r,
                                 struct tw_err *err)
{
    struct curve *c = (struct curve *)p;
    const double y = c->f(r->at.d[0]);

    (void)err;
    c->evaluations++;
    if (r->values)
        *r->values = (struct tw_values){ { y, NAN, NAN }, { NAN, NAN, NAN }, 1, 1.0, 0 };
    if (r->loss)
        *r->loss = y;
    if (r->weight)
        *r->weight = 1.0;
    for (size_t t = 0; t < r->ndirections && r->slopes; t++)
        r->slopes[t] = (c->f(r->at.d[0] + 1e-6) - c->f(r->at.d[0] - 1e-6)) / 2e-6;
    return TW_OK;
}

static void free_curve(struct tw_problem *p)
{
    (void)p;
}

static const struct tw_problem_ops curve_ops = { .eval = eval_curve, .free = free_curve };
static const double zero[] = { 0.0 }, one[] = { 1.0 };
static const double from[] = { 1.0, 0.0 }, to[] = { 0.0, 1.0 };
static const struct tw_line_path path = { 2, from, to, NULL };

static double cubic(double x)
{
    return 1.0 + x * (2.0 + x * (-7.0 + x * 4.0));
}

static double hill(double x) /* a pass between two basins, steeper on one side */
{
    return 2.0 / (1.0 + exp(-30.0 * (x - 0.2))) - 1.9 / (1.0 + exp(-12.0 * (x - 0.7)));
}

static double pass(double x) /* what a loss between two minima is like */
{
    return 0.01 * exp(x * (20.0 - 20.0 * x));
}

static double kinks(double x)
{
    return fabs(x - 0.31) + 0.5 * fabs(x - 0.77) + fmax(0.0, 1.0 - 8.0 * fabs(x - 0.5));
}

static double overflows(double x)
{
    return x > 0.4 && x < 0.6 ? (double)NAN : x * x;
}

static double level(double x)
{
    (void)x;
    return 3.25;
}

static struct curve start(double (*f)(double x))
{
    struct curve c = { .base = { .ops = &curve_ops, .dim = 1, .n = 1, .all = 1 }, .f = f };

    assert_int_equal(tw_problem_anchor(&c.base, 2,
                                       (struct tw_vector[]){ { NULL, zero }, { NULL, one } }, NULL,
                                       NULL),
                     TW_OK);
    return c;
}

static void sample(struct tw_line *l, struct curve *c, const struct tw_line_options *o,
                   const struct tw_line_path *along)
{
    struct tw_err err = { 0 };

    assert_int_equal(tw_line_init(l, o, &err), TW_OK);
    if (tw_line_sample(l, &c->base, along, NULL, NULL, &err) != TW_OK)
        fail_msg("%s", err.msg);
    assert_int_equal(c->evaluations, l->n);
}

static void finish(struct tw_line *l, struct curve *c)
{
    tw_line_release(l);
    tw_problem_free(&c->base);
    *c = (struct curve){ 0 };
}

/* The truth at 1,001 places against the curve. */
static double true_error(const struct tw_line *l, double (*f)(double x))
{
    double worst = 0.0;

    for (int i = 0; i <= 1000; i++)
        worst = fmax(worst, fabs(tw_line_at(l, TW_LINE_LOSS, i / 1000.0) - f(i / 1000.0)));
    return worst;
}

/* ---- tests ------------------------------------------------------------------------------------
 */

static void a_cubic_is_known_from_the_first_grid(void **state)
{
    struct curve c = start(cubic);
    struct tw_line l;
    double t, top;

    (void)state;
    sample(&l, &c, &(struct tw_line_options){ .hi = 1.0, .tol = 1e-9, .max_points = 50 }, &path);
    /* Nine, and two tops, which lie between them: 2 - 14 t + 12 t^2 is 0, or the chord's -1. */
    assert_int_equal(l.n, 11);
    check_close(true_error(&l, cubic), 0.0, 0.0, 1e-14);
    check_close(tw_line_top(&l, TW_LINE_LOSS, false, &t), cubic((7.0 - 5.0) / 12.0), 1e-14, 0.0);
    check_close(t, 1.0 / 6.0, 1e-12, 0.0);
    top = tw_line_top(&l, TW_LINE_LOSS, true, &t);
    check_close(top, cubic(t) - 1.0 + t, 1e-14, 0.0);
    check_close(2.0 - 14.0 * t + 12.0 * t * t, -1.0, 1e-6, 0.0);
    assert_true(tw_line_converged(&l));
    finish(&l, &c);
}

static void of_what_is_above_zero_the_logarithm_is_taken(void **state)
{
    struct curve c = start(pass);
    struct tw_line l;
    double t;

    (void)state;
    sample(&l, &c, &(struct tw_line_options){ .hi = 1.0, .tol = 1e-9, .max_points = 50 }, &path);
    assert_int_equal(l.n, 9); /* the top, of height and of excess, is one of them */
    check_close(true_error(&l, pass), 0.0, 0.0, 1e-13);
    assert_true(tw_line_stated_error(&l, TW_LINE_LOSS) < 1e-9);
    finish(&l, &c);
    c = start(pass);
    sample(&l, &c,
           &(struct tw_line_options){ .lo = -0.1, .hi = 1.0, .max_points = 10, .even = true },
           &path);
    check_close(tw_line_top(&l, TW_LINE_LOSS, false, &t), pass(0.5), 1e-12, 0.0);
    check_close(t, 0.5, 1e-9, 0.0);
    /* A point at zero or below: the cubic of the values themselves, which is far off here. */
    l.point[l.order[0]].values.loss.value = 0.0;
    assert_true(fabs(tw_line_at(&l, TW_LINE_LOSS, 0.55) - pass(0.55)) > 1e-4);
    finish(&l, &c);
}

/* `over`: how often the tolerance the truth may be off. */
static void check_stated(double (*f)(double x), double least, double over)
{
    for (double tol = 1e-2; tol > least; tol *= 0.1) {
        struct curve c = start(f);
        struct tw_line l;
        double top = -1.0;

        sample(&l, &c, &(struct tw_line_options){ .hi = 1.0, .tol = tol, .max_points = 200 },
               &path);
        for (int i = 0; i <= 100000; i++)
            top = fmax(top, f(i / 1e5));
        assert_true(tw_line_converged(&l));
        assert_true(tw_line_stated_error(&l, TW_LINE_LOSS) <= tol);
        assert_true(true_error(&l, f) <= over * tol);
        check_close(tw_line_top(&l, TW_LINE_LOSS, false, NULL), top, 0.0, tol);
        finish(&l, &c);
    }
}

static void the_stated_error_holds_and_the_top_is_found(void **state)
{
    (void)state;
    check_stated(hill, 5e-6, 1.0);
    check_stated(kinks, 5e-4, 3.0); /* far sharper than a network's */
}

static void slopes_that_are_measured_save_points(void **state)
{
    static const struct tw_vector direction = { NULL, one };
    const struct tw_line_path with = { 2, from, to, &direction };
    const struct tw_line_options o = { .hi = 1.0, .tol = 1e-4, .max_points = 200 };
    struct curve c = start(hill);
    struct tw_line l;
    size_t without;

    (void)state;
    sample(&l, &c, &o, &path);
    without = l.n;
    finish(&l, &c);
    c = start(hill);
    sample(&l, &c, &o, &with);
    assert_true(l.n < without);
    assert_true(true_error(&l, hill) <= 1e-4);
    finish(&l, &c);
}

static void points_in_any_order_go_on_alike(void **state)
{
    const struct tw_line_options o = { .hi = 1.0, .tol = 1e-4, .max_points = 100 };
    struct curve c = start(hill);
    struct tw_line whole, part;

    (void)state;
    sample(&whole, &c, &o, &path);
    for (size_t kept = 1; kept < whole.n; kept += 5) {
        assert_int_equal(tw_line_init(&part, &o, NULL), TW_OK);
        for (size_t i = kept; i-- > 0;)
            assert_int_equal(tw_line_add(&part, &whole.point[i], NULL), TW_OK);
        assert_int_equal(tw_line_sample(&part, &c.base, &path, NULL, NULL, NULL), TW_OK);
        assert_int_equal(part.n, whole.n);
        for (size_t i = 0; i < whole.n; i++) {
            check_ulp(part.point[part.order[i]].t, whole.point[whole.order[i]].t, 0);
            check_ulp(part.point[part.order[i]].values.loss.value,
                      whole.point[whole.order[i]].values.loss.value, 0);
        }
        tw_line_release(&part);
    }
    finish(&whole, &c);
}

static void a_gap_is_bordered_and_left(void **state)
{
    struct curve c = start(overflows);
    struct tw_line l;
    double gap_lo = 0.0, gap_hi = 1.0;

    (void)state;
    sample(&l, &c, &(struct tw_line_options){ .hi = 1.0, .tol = 1e-3, .max_points = 100 }, &path);
    for (size_t i = 0; i < l.n; i++)
        if (isfinite(l.point[i].values.loss.value)) {
            if (l.point[i].t < 0.5)
                gap_lo = fmax(gap_lo, l.point[i].t);
            else
                gap_hi = fmin(gap_hi, l.point[i].t);
        }
    check_close(gap_lo, 0.4, 0.0, 2.0 / 256.0);
    check_close(gap_hi, 0.6, 0.0, 2.0 / 256.0);
    assert_true(l.n < 30);
    assert_true(isnan(tw_line_at(&l, TW_LINE_LOSS, 0.5)));
    check_close(tw_line_at(&l, TW_LINE_LOSS, 0.3), 0.09, 1e-12, 0.0);
    finish(&l, &c);
}

static void what_is_level_takes_no_more_than_the_grid(void **state)
{
    struct curve c = start(level);
    struct tw_line l;
    double t;

    (void)state;
    sample(&l, &c, &(struct tw_line_options){ .hi = 1.0, .max_points = 100 }, &path);
    assert_int_equal(l.n, 9);
    check_ulp(tw_line_top(&l, TW_LINE_LOSS, true, &t), 0.0, 0);
    finish(&l, &c);
}

static void an_even_grid_is_just_that(void **state)
{
    struct curve c = start(kinks);
    struct tw_line l;

    (void)state;
    sample(&l, &c,
           &(struct tw_line_options){ .lo = -0.5, .hi = 1.5, .max_points = 41, .even = true },
           &path);
    assert_int_equal(l.n, 41);
    for (size_t i = 0; i < 41; i++)
        check_close(l.point[l.order[i]].t, -0.5 + 0.05 * (double)i, 0.0, 1e-15);
    finish(&l, &c);
}

static void a_line_that_is_full_says_that_it_is_not_good(void **state)
{
    struct curve c = start(kinks);
    struct tw_line l;

    (void)state;
    sample(&l, &c, &(struct tw_line_options){ .hi = 1.0, .tol = 1e-6, .max_points = 15 }, &path);
    assert_int_equal(l.n, 15);
    assert_false(tw_line_converged(&l));
    assert_int_equal(tw_line_add(&l, &l.point[0], NULL), TW_EINVAL);
    finish(&l, &c);
}

static enum tw_status stop_at_four(void *ctx, const struct tw_line *l, size_t point,
                                   struct tw_err *err)
{
    (void)err;
    assert_int_equal(point + 1, l->n);
    ++*(size_t *)ctx;
    return l->n == 4 ? TW_ESTOP : TW_OK;
}

static void whoever_is_told_of_points_can_stop(void **state)
{
    const struct tw_line_options o = { .hi = 1.0, .max_points = 15 };
    struct curve c = start(kinks);
    struct tw_line l;
    size_t calls = 0;

    (void)state;
    assert_int_equal(tw_line_init(&l, &o, NULL), TW_OK);
    assert_int_equal(tw_line_sample(&l, &c.base, &path, stop_at_four, &calls, NULL), TW_ESTOP);
    assert_int_equal(l.n, 4);
    assert_int_equal(calls, 4);
    finish(&l, &c);
}

static void lines_that_are_none_are_refused(void **state)
{
    static const struct tw_line_options bad[] = {
        { .lo = 1.0, .hi = 1.0, .max_points = 9 },
        { .hi = (double)INFINITY, .max_points = 9 },
        { .hi = 1.0, .max_points = 2 },
        { .hi = 1.0, .max_points = 9, .start = 10 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct tw_err err = { 0 };
        struct tw_line l;

        assert_int_equal(tw_line_init(&l, &bad[i], &err), TW_EINVAL);
        assert_true(strlen(err.msg) > 10);
        tw_line_release(&l);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_cubic_is_known_from_the_first_grid),
        cmocka_unit_test(of_what_is_above_zero_the_logarithm_is_taken),
        cmocka_unit_test(the_stated_error_holds_and_the_top_is_found),
        cmocka_unit_test(slopes_that_are_measured_save_points),
        cmocka_unit_test(points_in_any_order_go_on_alike),
        cmocka_unit_test(a_gap_is_bordered_and_left),
        cmocka_unit_test(what_is_level_takes_no_more_than_the_grid),
        cmocka_unit_test(an_even_grid_is_just_that),
        cmocka_unit_test(a_line_that_is_full_says_that_it_is_not_good),
        cmocka_unit_test(whoever_is_told_of_points_can_stop),
        cmocka_unit_test(lines_that_are_none_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
