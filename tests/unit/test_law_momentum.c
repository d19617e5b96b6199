/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The forward-momentum laws against sums written out, differences, and curves made from them. */
#include <stdlib.h>

#include "num.h"
#include "thalweg/law.h"

enum { L0, A, ALPHA, C, B, BETA, NP };
enum { CURVES = 6, ROOM = 700 };

static const double truth[NP] = { 2.1, 0.5, 0.45, 2e-2, 0.9, 0.3 };
static const double sizes[CURVES] = { 1e8, 1e8, 4e8, 4e8, 1.5e9, 1.5e9 };
static const char *const specs[2] = {
    "cosine:peak=3e-2,end=3e-3,total=600,warmup=60",
    "wsd:peak=3e-2,end=3e-3,total=500,decay=120,warmup=60",
};

struct set {
    struct tw_schedule schedule[CURVES];
    double x[CURVES][ROOM], y[CURVES][ROOM];
    struct tw_law_curve curve[CURVES];
};

/* M as its definition, each moment as a sum over all falls before; O(n^2). */
static double momentum(const struct tw_schedule *s, size_t at, enum tw_warmup warmup)
{
    double sum = 0.0;

    for (size_t i = 1; i <= at; i++) {
        double m = 0.0, v = 0.0;

        for (size_t k = 1; k <= i; k++) {
            const double d =
                warmup == TW_WARMUP_SKIP && k <= s->warm_end ? 0.0 : s->lr[k - 1] - s->lr[k];

            m += 0.1 * pow(0.9, (double)(i - k)) * d;
            v += 0.001 * pow(0.999, (double)(i - k)) * d * d;
        }
        m /= 1.0 - pow(0.9, (double)(i + 1));
        v /= 1.0 - pow(0.999, (double)(i + 1));
        sum += m / (sqrt(1e5 * v + 1e-8) + 1e-8);
    }
    return sum;
}

static void make(struct set *d, bool sized, double sd)
{
    for (size_t c = 0; c < CURVES; c++) {
        struct tw_schedule *s = &d->schedule[c];
        struct tw_rng rng = tw_rng_stream(31, TW_RNG_TEST, c);
        double s1 = 0.0;
        size_t n = 0;

        *s = (struct tw_schedule){ 0 };
        assert_int_equal(tw_schedule_parse(specs[c % 2], NULL, NULL, s, NULL), TW_OK);
        for (size_t i = 0; i < s->n; i++) {
            s1 += s->lr[i];
            if (i < 60 || i % 7)
                continue;
            d->x[c][n] = (double)i;
            d->y[c][n] = truth[L0] + truth[A] * pow(s1, -truth[ALPHA]) -
                         truth[C] * momentum(s, i, TW_WARMUP_SKIP);
            if (sized)
                d->y[c][n] += truth[B] * pow(sizes[c] / 1e9, -truth[BETA]);
            d->y[c][n++] *= exp(sd * tw_rng_normal(&rng));
        }
        d->curve[c] = (struct tw_law_curve){ .name = specs[c % 2],
                                             .n = n,
                                             .x = d->x[c],
                                             .y = d->y[c],
                                             .schedule = s,
                                             .size = sizes[c] };
    }
}

static void release(struct set *d)
{
    for (size_t c = 0; c < CURVES; c++)
        tw_schedule_release(&d->schedule[c]);
}

static const struct tw_law *law(bool sized)
{
    return tw_law_find(sized ? "forward-momentum-size" : "forward-momentum");
}

static void predictions_are_sums_and_derivatives_differences(void **state)
{
    static struct set d;
    static double y[CURVES * ROOM], up[CURVES * ROOM], down[CURVES * ROOM], jac[CURVES * ROOM * NP];

    (void)state;
    for (int sized = 0; sized < 2; sized++) {
        const struct tw_law *q = law(sized);
        double theta[NP];
        void *model, *memo;
        size_t k = 0;

        make(&d, sized, 0.0);
        memcpy(theta, truth, sizeof theta);
        model = q->model_alloc(d.curve, CURVES, TW_WARMUP_SKIP, NULL);
        assert_non_null(model);
        memo = q->memo_alloc(model);
        q->predict(model, memo, theta, y, jac);
        for (size_t c = 0; c < CURVES; c++)
            for (size_t i = 0; i < d.curve[c].n; i++)
                check_close(y[k++], d.y[c][i], 1e-12, 0.0);
        for (size_t j = 0; j < q->nparams; j++) {
            const double h = 1e-5 * truth[j];

            theta[j] = truth[j] + h;
            q->predict(model, memo, theta, up, NULL);
            theta[j] = truth[j] - h;
            q->predict(model, memo, theta, down, NULL);
            theta[j] = truth[j];
            for (size_t i = 0; i < k; i++)
                check_close(jac[i * q->nparams + j], (up[i] - down[i]) / (2.0 * h), 1e-7,
                            1e-14 / h);
        }
        q->memo_free(memo);
        q->model_free(model);
        release(&d);
    }
}

/* With the warm-up's differences kept M starts below zero. */
static void the_warm_up_counts_if_it_is_kept(void **state)
{
    static struct set d;
    double y[2 * ROOM];
    void *model;

    (void)state;
    make(&d, false, 0.0);
    model = law(false)->model_alloc(d.curve, 1, TW_WARMUP_KEEP, NULL);
    assert_non_null(model);
    assert_true(tw_law_predict(law(false), model, truth, y));
    for (size_t i = 0; i < d.curve[0].n; i += 9) {
        const size_t at = (size_t)d.x[0][i];

        check_close(y[i] - d.y[0][i],
                    truth[C] * (momentum(&d.schedule[0], at, TW_WARMUP_SKIP) -
                                momentum(&d.schedule[0], at, TW_WARMUP_KEEP)),
                    1e-10, 1e-12);
    }
    law(false)->model_free(model);
    release(&d);
}

static void curves_give_their_parameters_back(void **state)
{
    static struct set d;
    struct tw_law_fit_opts opts = tw_law_fit_defaults();

    (void)state;
    for (int noisy = 0; noisy < 2; noisy++)
        for (int sized = 0; sized < 2; sized++) {
            struct tw_law_fit fit = { 0 };
            struct tw_err err = { 0 };

            make(&d, sized, noisy ? 1e-3 : 0.0);
            opts.bootstrap = noisy ? 100 : 0;
            if (tw_law_fit_run(law(sized), d.curve, CURVES, &opts, &fit, &err) != TW_OK)
                fail_msg("%s", err.msg);
            check_vec(fit.theta, truth, law(sized)->nparams, noisy ? 0.15 : 1e-5, 0.0);
            assert_int_equal(fit.min.at_bounds, 0);
            assert_true(2 * fit.at_optimum > fit.starts);
            for (size_t j = 0; noisy && j < law(sized)->nparams; j++) /* a little beyond 95 % */
                check_close(truth[j], 0.5 * (fit.lo[j] + fit.hi[j]), 0.0,
                            0.75 * (fit.hi[j] - fit.lo[j]));
            tw_law_fit_release(&fit);
            release(&d);
        }
}

static void what_the_curves_cannot_tell_is_said(void **state)
{
    static struct set d;
    struct tw_schedule constant = { 0 };
    struct tw_err err = { 0 };
    void *model;

    (void)state;
    make(&d, true, 0.0);
    model = law(true)->model_alloc(d.curve, 4, TW_WARMUP_SKIP, NULL);
    assert_non_null(strstr(law(true)->unidentified(model), "fewer than three sizes"));
    law(true)->model_free(model);
    model = law(true)->model_alloc(d.curve, CURVES, TW_WARMUP_SKIP, NULL);
    assert_null(law(true)->unidentified(model));
    law(true)->model_free(model);
    d.curve[0].size = 0.0;
    assert_null(law(true)->model_alloc(d.curve, CURVES, TW_WARMUP_SKIP, &err));
    assert_int_equal(err.code, TW_EDOMAIN);
    assert_int_equal(
        tw_schedule_parse("constant:peak=1e-2,total=600,warmup=60", NULL, NULL, &constant, NULL),
        TW_OK);
    d.curve[0].schedule = &constant;
    model = law(false)->model_alloc(d.curve, 1, TW_WARMUP_SKIP, NULL);
    assert_non_null(strstr(law(false)->unidentified(model), "no curve's learning rate changes"));
    law(false)->model_free(model);
    tw_schedule_release(&constant);
    release(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(predictions_are_sums_and_derivatives_differences),
        cmocka_unit_test(the_warm_up_counts_if_it_is_kept),
        cmocka_unit_test(curves_give_their_parameters_back),
        cmocka_unit_test(what_the_curves_cannot_tell_is_said),
    };

    tw_library_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
