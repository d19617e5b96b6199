/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The best schedule under a law: gradients, certificates, constraints. */
#include "num.h"

#include <stdlib.h>

#include "law/final.h"
#include "law/stairs.h"

static const double annealing[] = { 3.1524, 0.52025, 0.5052, 0.74092, 0.9981 };
/* As published with arXiv:2503.12811: 25M and 400M parameters. */
static const double mpl25[] = { 3.0404541, 0.5246860, 0.5078686, 363.78752,
                                2.0656081, 0.5827901, 0.6414226 };
static const double mpl400[] = { 2.3747447, 0.6542122, 0.4287873, 523.42464,
                                 2.0246274, 0.5935049, 0.6347246 };
static const struct tw_law mpl = { .name = "mpl", .final = tw_law_mpl_final };

enum { STEPS = 60 };

static void some_rates(double *lr)
{
    struct tw_rng rng = tw_rng_stream(7, TW_RNG_TEST, 0);

    for (size_t i = 0; i < 10; i++)
        lr[i] = 3e-4 * (double)(i + 1) / 10.0;
    for (size_t i = 10; i < STEPS; i++)
        lr[i] = lr[i - 1] * (1.0 - 0.08 * tw_rng_real(&rng));
}

static void check_gradient(const struct tw_law *law, const double *theta, enum tw_warmup warmup)
{
    double lr[STEPS], grad[STEPS];

    some_rates(lr);
    (void)tw_law_final(law, theta, warmup, lr, STEPS, 9, grad);
    for (size_t i = 0; i < STEPS; i++) {
        const double x = lr[i], h = 1e-5 * x;
        double up, down;

        lr[i] = x + h;
        up = tw_law_final(law, theta, warmup, lr, STEPS, 9, NULL);
        lr[i] = x - h;
        down = tw_law_final(law, theta, warmup, lr, STEPS, 9, NULL);
        lr[i] = x;
        check_close(grad[i], (up - down) / (2.0 * h), 1e-5, 1e-4 * fabs(grad[0]));
    }
}

static void gradients_are_those_of_differences(void **state)
{
    (void)state;
    for (int w = 0; w < 2; w++) {
        check_gradient(tw_law_find("annealing"), annealing, (enum tw_warmup)w);
        check_gradient(&mpl, mpl25, (enum tw_warmup)w);
    }
}

/* The last step is what the law's own prediction says, and the same in stretches. */
static void the_last_step_is_the_laws_own(void **state)
{
    const struct tw_law *law = tw_law_find("annealing");
    double lr[STEPS], x = STEPS - 1, y;
    struct tw_schedule s = {
        .spec = (char[]){ "s" }, .n = STEPS, .lr = lr, .warm_end = 9, .batch = 1.0
    };
    const struct tw_law_curve curve = { .name = "c", .n = 1, .x = &x, .schedule = &s };

    (void)state;
    some_rates(lr);
    for (int w = 0; w < 2; w++) {
        void *model = law->model_alloc(&curve, 1, (enum tw_warmup)w, NULL);
        void *memo = law->memo_alloc(model);

        law->predict(model, memo, annealing, &y, NULL);
        check_close(tw_law_final(law, annealing, (enum tw_warmup)w, lr, STEPS, 9, NULL), y, 1e-13,
                    0.0);
        law->memo_free(memo);
        law->model_free(model);
    }
}

static void stretches_are_steps(void **state)
{
    const double stair[] = { 1e-4, 3e-4, 1e-4, 2e-5 };
    const size_t len[] = { 3, 20, 12, 25 };
    double lr[STEPS];
    size_t at = 0;

    (void)state;
    for (size_t j = 0; j < 4; j++)
        for (size_t k = 0; k < len[j]; k++)
            lr[at++] = stair[j];
    for (int w = 0; w < 2; w++) {
        const struct tw_law_stairs s = { 4, 1, stair, len };
        const struct tw_law *law = tw_law_find("annealing");

        check_close(law->final(annealing, &s, (enum tw_warmup)w, NULL),
                    tw_law_final(law, annealing, (enum tw_warmup)w, lr, STEPS, 3, NULL), 1e-13, 0);
        check_close(mpl.final(mpl25, &s, (enum tw_warmup)w, NULL),
                    tw_law_final(&mpl, mpl25, (enum tw_warmup)w, lr, STEPS, 3, NULL), 1e-13, 0);
    }
}

static void a_projection_is_the_nearest_point(void **state)
{
    double x[] = { 0.9, -0.2, 0.5, 0.1, 2.0 };
    const double want[] = { 0.3, 0.0, 0.0, 0.0, 0.7 }, half[] = { 0.4, 0.0, 0.1, 0.0, 0.5 };
    double y[] = { 0.9, -0.2, 0.6, 0.1, 2.0 }, inside[] = { 0.1, 0.0, 0.2, 0.0, 0.3 };

    (void)state;
    tw_descend_project(x, 5, 0.7, 1.0);
    check_vec(x, want, 5, 1e-14, 1e-14);
    tw_descend_project(y, 5, 0.5, 1.0);
    check_vec(y, half, 5, 1e-14, 1e-14);
    tw_descend_project(inside, 5, 0.5, 1.0);
    assert_true(inside[0] == 0.1 && inside[2] == 0.2 && inside[4] == 0.3);
}

/* ---- the best -------------------------------------------------------------------------------- */

static double rise[2160];

static struct tw_law_best_problem problem(const struct tw_law *law, const double *theta, size_t n,
                                          size_t warmup, double floor)
{
    for (size_t i = 0; i < warmup; i++)
        rise[i] = 3e-4 * (double)i / (double)(warmup - 1);
    if (warmup == 0)
        rise[0] = 3e-4;
    return (struct tw_law_best_problem){ .law = law,
                                         .theta = theta,
                                         .n = n,
                                         .first = warmup ? warmup - 1 : 0,
                                         .rise = rise,
                                         .floor = floor,
                                         .fall = 1 };
}

static void check_constraints(const struct tw_law_best_problem *p, const struct tw_law_best *b)
{
    const double peak = p->rise[p->first];
    const double fastest = (peak - p->floor) / (double)p->fall;

    for (size_t i = 0; i <= p->first; i++)
        assert_true(b->lr[i] == p->rise[i]);
    for (size_t i = p->first + 1; i < p->n; i++) {
        assert_true(b->lr[i] <= b->lr[i - 1]);
        assert_true(b->lr[i] >= p->floor);
        assert_true(b->lr[i - 1] - b->lr[i] <= fastest * (1.0 + 1e-9));
    }
    check_close(tw_law_final(p->law, p->theta, p->warmup, b->lr, p->n, p->first, NULL), b->loss,
                1e-14, 0.0);
}

/* Every non-increasing schedule of 7 steps on a grid of rates; the convex law's certificate holds
 * against them all, and the multi-power law's best is not beaten either. */
static void nothing_on_a_grid_is_better(void **state)
{
    static const double sharp[] = { 3.0, 0.004, 0.5052, 12.0, 0.6 };
    const struct tw_law *laws[] = { tw_law_find("annealing"), &mpl };
    const double *theta[] = { sharp, mpl25 };
    enum { N = 7, LEVELS = 12 };

    (void)state;
    for (int k = 0; k < 2; k++) {
        const struct tw_law_best_problem p = problem(laws[k], theta[k], N, 0, 1e-5);
        struct tw_law_best b = { 0 };
        size_t level[N] = { 0 }, seen = 0;
        double least = INFINITY;

        assert_int_equal(tw_law_best_schedule(&p, &b, NULL), TW_OK);
        check_constraints(&p, &b);
        for (;;) {
            double lr[N];
            size_t i = N - 1;

            for (size_t j = 0; j < N; j++)
                lr[j] = 3e-4 - (3e-4 - 1e-5) * (double)level[j] / (LEVELS - 1);
            least = fmin(least, tw_law_final(laws[k], theta[k], p.warmup, lr, N, 0, NULL));
            seen++;
            while (i > 0 && level[i] == LEVELS - 1)
                i--;
            if (i == 0)
                break;
            level[i]++;
            for (size_t j = i + 1; j < N; j++)
                level[j] = level[i];
        }
        assert_int_equal(seen, 12376); /* 17 over 6 */
        assert_true(b.loss <= least + 1e-12);
        assert_true(b.global == (k == 0));
        if (k == 0)
            assert_true(b.gap < 1e-10);
        tw_law_best_release(&b);
    }
}

/* Convex: a step down, whose place the gap proves, from every start. */
static void the_annealing_law_is_certified(void **state)
{
    (void)state;
    for (int w = 0; w < 2; w++)
        for (size_t fall = 1; fall < 4000; fall += 1300) {
            struct tw_law_best_problem p =
                problem(tw_law_find("annealing"), annealing, 12000, 500, 3e-5);
            struct tw_law_best b = { 0 };

            p.warmup = (enum tw_warmup)w;
            p.fall = fall;
            assert_int_equal(tw_law_best_schedule(&p, &b, NULL), TW_OK);
            check_constraints(&p, &b);
            assert_true(b.global);
            assert_true(b.gap < 1e-8);
            if (fall == 1)
                assert_int_equal(b.at_best, b.starts);
            tw_law_best_release(&b);
        }
}

/* L-BFGS-B on monotone rates reaches 3.147936 and 2.530869, Adam 3.14968 and 2.53322. */
static void the_multi_power_law_is_solved_better(void **state)
{
    const double *theta[] = { mpl25, mpl400 }, to_reach[] = { 3.147936, 2.530869 },
                 ours[] = { 3.14760873, 2.53032126 };

    (void)state;
    for (int k = 0; k < 2; k++) {
        const struct tw_law_best_problem p = problem(&mpl, theta[k], 24000, 2160, 1e-10);
        struct tw_law_best b = { 0 };

        assert_int_equal(tw_law_best_schedule(&p, &b, NULL), TW_OK);
        check_constraints(&p, &b);
        assert_true(b.loss <= to_reach[k]);
        check_close(b.loss, ours[k], 0.0, 2e-7);
        assert_false(b.global);
        tw_law_best_release(&b);
    }
}

static void idling_is_found_out(void **state)
{
    (void)state;
    assert_true(
        tw_law_rewards_idling(tw_law_find("annealing"), annealing, TW_WARMUP_SKIP, 3e-4, 1000));
    assert_false(tw_law_rewards_idling(&mpl, mpl25, TW_WARMUP_SKIP, 3e-4, 1000));
}

static void a_family_is_searched(void **state)
{
    const struct tw_law *law = tw_law_find("annealing");
    struct tw_law_family f = { "wsdcon:stage=?,end=3e-5,peak=3e-4,total=12000", 3e-5, 3e-4, 1,
                               12000 };
    const struct tw_law_best_problem p = problem(law, annealing, 12000, 0, 3e-5);
    struct tw_law_best b = { 0 };
    struct tw_schedule s = { 0 };
    struct tw_err err = { 0 };
    size_t tried;
    double loss;

    (void)state;
    assert_int_equal(tw_law_best_schedule(&p, &b, NULL), TW_OK);
    assert_int_equal(
        tw_law_best_family(law, annealing, TW_WARMUP_SKIP, &f, &s, &loss, &tried, &err), TW_OK);
    check_close(loss, b.loss, 0.0, 1e-8); /* the best of any shape is one step down */
    tw_schedule_release(&s);
    f.spec = "wsd:total=?";
    assert_int_equal(
        tw_law_best_family(law, annealing, TW_WARMUP_SKIP, &f, &s, &loss, &tried, &err), TW_EINVAL);
    tw_schedule_release(&s);
    tw_law_best_release(&b);
}

static void bad_problems_are_refused(void **state)
{
    struct tw_law_best_problem p = problem(tw_law_find("annealing"), annealing, 100, 10, 3e-5);
    const struct tw_law none = { .name = "none" };
    struct tw_law_best b = { 0 };

    (void)state;
    p.floor = 0.0;
    assert_int_equal(tw_law_best_schedule(&p, &b, NULL), TW_EINVAL);
    p.floor = 3e-4;
    assert_int_equal(tw_law_best_schedule(&p, &b, NULL), TW_EINVAL);
    p.floor = 3e-5;
    p.fall = 95;
    assert_int_equal(tw_law_best_schedule(&p, &b, NULL), TW_EINVAL);
    p.fall = 1;
    p.n = 10;
    assert_int_equal(tw_law_best_schedule(&p, &b, NULL), TW_EINVAL);
    p.n = 100;
    p.law = &none;
    assert_int_equal(tw_law_best_schedule(&p, &b, NULL), TW_EINVAL);
    tw_law_best_release(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gradients_are_those_of_differences),
        cmocka_unit_test(the_last_step_is_the_laws_own),
        cmocka_unit_test(stretches_are_steps),
        cmocka_unit_test(a_projection_is_the_nearest_point),
        cmocka_unit_test(nothing_on_a_grid_is_better),
        cmocka_unit_test(the_annealing_law_is_certified),
        cmocka_unit_test(the_multi_power_law_is_solved_better),
        cmocka_unit_test(idling_is_found_out),
        cmocka_unit_test(a_family_is_searched),
        cmocka_unit_test(bad_problems_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
