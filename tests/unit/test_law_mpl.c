/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The multi-power law: its sums against the double sum written out, derivatives, recovery of
 * known parameters, threads; then the published curves, with the published parameters, the best
 * known objectives (scipy, 32 starts) and the six curves held out. */
#include <omp.h>

#include "curves.h"
#include "num.h"

enum { L0, A, ALPHA, B, C, BETA, GAMMA, NP };

static const double truth[NP] = { 3.0, 0.53, 0.51, 420.0, 1.0, 0.5, 0.6 };

/* The law as it stands in the paper, with the warm-up's steps. */
static double written_out(const struct tw_schedule *s, size_t t, const double *theta)
{
    double from = 0.0, ld = 0.0;

    for (size_t k = t; k >= 1; k--) {
        double x = 0.0;

        from += s->lr[k];
        if (from > 0.0)
            x = theta[C] * pow(s->lr[k], -theta[GAMMA]) * from;
        ld += (s->lr[k - 1] - s->lr[k]) * (1.0 - pow(1.0 + x, -theta[BETA]));
    }
    return theta[L0] + theta[A] * pow(from + s->lr[0], -theta[ALPHA]) - theta[B] * ld;
}

/* Points every `every` steps; y from the law, times exp of noise. */
static void make(const char *spec, size_t from, size_t every, const double *theta, double sd,
                 uint64_t item, struct ref_data *d)
{
    struct tw_rng rng = tw_rng_stream(7, TW_RNG_TEST, item);

    *d = (struct ref_data){ 0 };
    assert_int_equal(tw_schedule_parse(spec, NULL, NULL, &d->schedule, NULL), TW_OK);
    d->x = calloc(d->schedule.n, sizeof *d->x);
    d->y = calloc(d->schedule.n, sizeof *d->y);
    if (!d->x || !d->y)
        abort();
    for (size_t i = from; i < d->schedule.n; i += every) {
        d->x[d->n] = (double)(i + d->schedule.base);
        d->y[d->n++] = written_out(&d->schedule, i, theta) * exp(sd * tw_rng_normal(&rng));
    }
    d->curve = (struct tw_law_curve){
        .name = spec, .n = d->n, .x = d->x, .y = d->y, .schedule = &d->schedule
    };
}

static const char *const specs[] = {
    "cosine:peak=3e-4,end=3e-5,total=12000,warmup=1000",
    "wsdcon:peak=3e-4,end=9e-5,total=6000,stage=3000,warmup=700",
    "wsdld:peak=1e-3,end=0,total=5000,decay=1000,warmup=333",
    "wsd:peak=1e-3,end=1e-6,total=5000,decay=900,warmup=17",
    "constant:peak=2e-4,total=4000,warmup=500",
    "cyclic:peak=3e-4,end=1e-5,total=6000,period=1500,warmup=100",
    "rewarmup:peak=3e-4,end=3e-5,total=6000,restart=3000,rewarm=200,peak2=2e-4,warmup=300",
    "linear:peak=3e-4,end=0,total=900",
};
enum { NSPECS = sizeof specs / sizeof specs[0] };

static const double some[][NP] = {
    { 3.0, 0.53, 0.51, 420.0, 2.0, 0.58, 0.64 },
    { 2.9, 0.56, 0.49, 750.0, 0.38, 0.11, 0.9 },
    { 3.0, 0.5, 0.5, 300.0, 50.0, 1.5, 0.2 },
    { 3.0, 0.5, 0.5, 300.0, 0.01, 3.0, 1.3 },
};
enum { NSOME = sizeof some / sizeof some[0] };

static void the_sums_are_those_of_the_law_written_out(void **state)
{
    const struct tw_law *law = tw_law_find("mpl");
    double worst = 0.0;

    (void)state;
    for (size_t k = 0; k < NSPECS; k++) {
        struct ref_data d;
        void *model;
        double *y;

        make(specs[k], 1, 37, truth, 0.0, 0, &d);
        model = law->model_alloc(&d.curve, 1, TW_WARMUP_KEEP, NULL);
        assert_non_null(model);
        for (size_t i = 0; i < NSOME; i++) {
            void *memo = law->memo_alloc(model);

            y = calloc(d.n, sizeof *y);
            assert_true(y && memo);
            law->predict(model, memo, some[i], y, NULL);
            for (size_t j = 0; j < d.n; j++) {
                const double want = written_out(&d.schedule, 1 + 37 * j, some[i]);

                worst = fmax(worst, fabs(y[j] - want));
                check_close(y[j], want, 0.0, 1e-11);
            }
            law->memo_free(memo);
            free(y);
        }
        law->model_free(model);
        ref_release(&d, 1);
    }
    print_message("# largest deviation in loss %.1e\n", worst);
}

/* Rates rounded to single precision are not smooth: the blocks then fall back to a coarser
 * tolerance, and stay exact enough. */
static void rounded_rates_cost_little_accuracy(void **state)
{
    const struct tw_law *law = tw_law_find("mpl");
    struct ref_data d;
    void *model, *memo;
    double *y;

    (void)state;
    make("cosine:peak=3e-4,end=3e-5,total=60000,warmup=2000", 2000, 97, truth, 0.0, 0, &d);
    for (size_t i = 0; i < d.schedule.n; i++)
        d.schedule.lr[i] = (double)(float)d.schedule.lr[i];
    model = law->model_alloc(&d.curve, 1, TW_WARMUP_KEEP, NULL);
    memo = law->memo_alloc(model);
    y = calloc(d.n, sizeof *y);
    assert_true(model && memo && y);
    law->predict(model, memo, some[0], y, NULL);
    for (size_t j = 0; j < d.n; j += 20)
        check_close(y[j], written_out(&d.schedule, 2000 + 97 * j, some[0]), 0.0, 1e-8);
    free(y);
    law->memo_free(memo);
    law->model_free(model);
    ref_release(&d, 1);
}

static void derivatives_agree_with_differences(void **state)
{
    const struct tw_law *law = tw_law_find("mpl");

    (void)state;
    for (size_t k = 0; k < NSPECS; k++) {
        struct ref_data d;
        void *model, *memo;
        double *jac, *up, *down;

        make(specs[k], 50, 101, truth, 0.0, 0, &d);
        model = law->model_alloc(&d.curve, 1, TW_WARMUP_KEEP, NULL);
        memo = law->memo_alloc(model);
        jac = calloc(d.n, NP * sizeof *jac);
        up = calloc(d.n, sizeof *up);
        down = calloc(d.n, sizeof *down);
        assert_true(model && memo && jac && up && down);
        for (size_t i = 0; i < NSOME; i++) {
            law->predict(model, memo, some[i], up, jac);
            for (size_t j = 0; j < NP; j++) {
                const double h = 1e-5 * some[i][j];
                double theta[NP];

                memcpy(theta, some[i], sizeof theta);
                theta[j] += h;
                law->predict(model, memo, theta, up, NULL);
                theta[j] -= 2.0 * h;
                law->predict(model, memo, theta, down, NULL);
                for (size_t m = 0; m < d.n; m++)
                    check_close(jac[m * NP + j] * some[i][j], (up[m] - down[m]) / 2e-5, 1e-6, 1e-8);
            }
        }
        free(jac);
        free(up);
        free(down);
        law->memo_free(memo);
        law->model_free(model);
        ref_release(&d, 1);
    }
}

static const char *const shapes[] = {
    "cosine:peak=3e-4,end=3e-5,total=12000,warmup=1000",
    "constant:peak=3e-4,total=12000,warmup=1000",
    "wsdcon:peak=3e-4,end=9e-5,total=8000,stage=4000,warmup=1000",
    "wsd:peak=3e-4,end=3e-5,total=12000,decay=2500,warmup=1000",
};
enum { NSHAPES = sizeof shapes / sizeof shapes[0] };

static void make_all(struct ref_data *d, struct tw_law_curve *curves, double sd)
{
    for (size_t c = 0; c < NSHAPES; c++) {
        make(shapes[c], 1000, 97, truth, sd, c, &d[c]);
        curves[c] = d[c].curve;
    }
}

static void known_parameters_are_found_again(void **state)
{
    struct tw_law_fit_opts opts = tw_law_fit_defaults();
    struct tw_law_curve curves[NSHAPES];
    struct ref_data d[NSHAPES];
    struct tw_law_fit fit = { 0 };

    (void)state;
    make_all(d, curves, 0.0);
    opts.loss = TW_FIT_SQUARES;
    assert_int_equal(tw_law_fit_run(tw_law_find("mpl"), curves, NSHAPES, &opts, &fit, NULL), TW_OK);
    for (size_t j = 0; j < NP; j++)
        check_close(fit.theta[j], truth[j], 1e-3, 0.0);
    assert_int_equal(fit.opts.warmup, TW_WARMUP_KEEP);
    tw_law_fit_release(&fit);
    ref_release(d, NSHAPES);
}

static void a_fit_has_the_same_bits_at_any_number_of_threads(void **state)
{
    const struct tw_law *law = tw_law_find("mpl");
    const int before = omp_get_max_threads();
    struct tw_law_curve curves[NSHAPES];
    struct tw_law_fit fit[2] = { { 0 } };
    struct ref_data d[NSHAPES];

    (void)state;
    make_all(d, curves, 1e-3);
    for (int k = 0; k < 2; k++) {
        struct tw_law_fit_opts opts = tw_law_fit_defaults();

        omp_set_num_threads(k ? 3 : 1);
        opts.choose_restriction = true;
        opts.starts = 4;
        opts.bootstrap = 20;
        opts.profile = 1u << ALPHA;
        opts.model_error = true;
        assert_int_equal(tw_law_fit_run(law, curves, NSHAPES, &opts, &fit[k], NULL), TW_OK);
    }
    omp_set_num_threads(before);
    assert_memory_equal(fit[0].theta, fit[1].theta, sizeof fit[0].theta);
    assert_memory_equal(fit[0].theta_boot, fit[1].theta_boot, 20 * NP * sizeof(double));
    assert_memory_equal(fit[0].left_out_mae, fit[1].left_out_mae, NSHAPES * sizeof(double));
    assert_int_equal(fit[0].opts.restriction, fit[1].opts.restriction);
    assert_int_equal(fit[0].ntrials, law->nrestrictions + 1);
    assert_memory_equal(&fit[0].profiles[0].lo, &fit[1].profiles[0].lo, sizeof(double));
    for (int k = 0; k < 2; k++)
        tw_law_fit_release(&fit[k]);
    ref_release(d, NSHAPES);
}

/* One curve can leave none out: the law's first restriction is the safe choice; what the
 * user holds is not overruled. */
static void the_choice_without_curves_to_leave_out(void **state)
{
    const struct tw_law *law = tw_law_find("mpl");
    struct tw_law_fit_opts opts = tw_law_fit_defaults();
    struct tw_law_curve curves[NSHAPES];
    struct tw_law_fit fit = { 0 };
    struct ref_data d[NSHAPES];

    (void)state;
    make_all(d, curves, 1e-3);
    opts.choose_restriction = true;
    opts.starts = 4;
    assert_int_equal(tw_law_fit_run(law, curves, 1, &opts, &fit, NULL), TW_OK);
    assert_int_equal(fit.opts.restriction, 1);
    assert_true(fit.theta[BETA] == law->restrictions[0].value[BETA]);
    tw_law_fit_release(&fit);
    opts.fixed[GAMMA] = true;
    opts.fixed_value[GAMMA] = 0.3;
    assert_int_equal(tw_law_fit_run(law, curves, 2, &opts, &fit, NULL), TW_OK);
    assert_int_equal(fit.opts.restriction, 0);
    assert_int_equal(fit.ntrials, 0);
    assert_true(fit.theta[GAMMA] == 0.3);
    tw_law_fit_release(&fit);
    ref_release(d, NSHAPES);
}

/* ---- the published curves ---------------------------------------------------------------------
 */

/* Parameters, their scores (means over the six test curves) as published; the best known
 * objective on the three training curves and the error of that fit on the six; and the error
 * of the best restricted fit that a rule blind to the six had found before. */
static const struct {
    const char *size;
    double theta[NP], r2, mae, rmse, pred_e, worst_e;
    double objective, full_mae, restricted_mae;
} published[] = {
    { "25M",
      { 3.0404541, .5246860, .5078686, 363.78752, 2.0656081, .5827901, .6414226 },
      .9988,
      .00376,
      .00465,
      .00110,
      .00409,
      1.384320e-4,
      .00462,
      .00412 },
    { "400M",
      { 2.3747447, .6542122, .4287873, 523.42464, 2.0246274, .5935049, .6347246 },
      .9978,
      .00484,
      .00730,
      .00168,
      .00995,
      7.883412e-5,
      .00602,
      .00571 },
};
enum { NPUBLISHED = sizeof published / sizeof published[0] };

static void load_or_skip(const char *size, struct ref_data d[REF_CURVES],
                         struct tw_law_curve curves[REF_CURVES])
{
    if (!ref_present()) {
        print_message("# ../shared/data/scaling is not there (set TW_SHARED)\n");
        skip();
    }
    assert_true(ref_load(size, d));
    for (size_t c = 0; c < REF_CURVES; c++)
        curves[c] = d[c].curve;
}

static struct tw_law_score test_mean(const struct tw_law_curve *curves, const double *theta)
{
    struct tw_law_score mean = { 0 };

    for (size_t c = REF_TRAIN; c < REF_CURVES; c++) {
        struct tw_law_fit fit = { .law = tw_law_find("mpl"), .opts.warmup = TW_WARMUP_KEEP };
        const struct tw_law_forecast_opts how = { 0 };
        double *y = calloc(curves[c].n, sizeof *y);
        const struct tw_law_band band = { .y = y };
        struct tw_law_score s;

        memcpy(fit.theta, theta, NP * sizeof *theta);
        if (!y || tw_law_forecast(&fit, &curves[c], &how, &band, NULL) != TW_OK)
            abort();
        s = tw_law_score_of(curves[c].y, y, curves[c].n);
        mean.r2 += s.r2 / (REF_CURVES - REF_TRAIN);
        mean.mae += s.mae / (REF_CURVES - REF_TRAIN);
        mean.rmse += s.rmse / (REF_CURVES - REF_TRAIN);
        mean.pred_e += s.pred_e / (REF_CURVES - REF_TRAIN);
        mean.worst_e += s.worst_e / (REF_CURVES - REF_TRAIN);
        free(y);
    }
    return mean;
}

/* That they do decides the convention: the warm-up's steps count in S1 and in LD. */
static void published_parameters_have_the_published_scores(void **state)
{
    (void)state;
    for (size_t k = 0; k < NPUBLISHED; k++) {
        struct tw_law_curve curves[REF_CURVES];
        struct ref_data d[REF_CURVES];
        struct tw_law_score s;

        load_or_skip(published[k].size, d, curves);
        s = test_mean(curves, published[k].theta);
        check_close(s.r2, published[k].r2, 0.0, 0.51e-4);
        check_close(s.mae, published[k].mae, 0.0, 0.51e-5);
        check_close(s.rmse, published[k].rmse, 0.0, 0.51e-5);
        check_close(s.pred_e, published[k].pred_e, 0.0, 0.51e-5);
        check_close(s.worst_e, published[k].worst_e, 0.0, 0.51e-5);
        ref_release(d, REF_CURVES);
    }
}

static void the_best_known_objective_is_reached(void **state)
{
    (void)state;
    for (size_t k = 0; k < NPUBLISHED; k++) {
        struct tw_law_fit_opts opts = tw_law_fit_defaults();
        struct tw_law_curve curves[REF_CURVES];
        struct ref_data d[REF_CURVES];
        struct tw_law_fit fit = { 0 };
        double mae;

        load_or_skip(published[k].size, d, curves);
        assert_int_equal(tw_law_fit_run(tw_law_find("mpl"), curves, REF_TRAIN, &opts, &fit, NULL),
                         TW_OK);
        mae = test_mean(curves, fit.theta).mae;
        print_message("# %s: objective %.7e, %zu of %zu starts, condition %.2g; held out %.5f\n",
                      published[k].size, fit.min.objective, fit.at_optimum, fit.starts,
                      fit.min.condition, mae);
        check_close(fit.min.objective, published[k].objective, 1e-6, 0.0);
        assert_true(2 * fit.at_optimum > fit.starts && fit.min.converged);
        check_close(mae, published[k].full_mae, 0.0, 1e-5);
        tw_law_fit_release(&fit);
        ref_release(d, REF_CURVES);
    }
}

/* The training curves alone choose; the held-out ones judge. */
static void the_chosen_restriction_forecasts_better_than_the_full_law(void **state)
{
    (void)state;
    for (size_t k = 0; k < NPUBLISHED; k++) {
        struct tw_law_fit_opts opts = tw_law_fit_defaults();
        struct tw_law_curve curves[REF_CURVES];
        struct ref_data d[REF_CURVES];
        struct tw_law_fit fit = { 0 };
        double mae;

        load_or_skip(published[k].size, d, curves);
        opts.choose_restriction = true;
        assert_int_equal(tw_law_fit_run(tw_law_find("mpl"), curves, REF_TRAIN, &opts, &fit, NULL),
                         TW_OK);
        mae = test_mean(curves, fit.theta).mae;
        for (size_t i = 0; i < fit.ntrials; i++)
            print_message("# %s, restriction %zu: objective %.6e, left out %.5f (%zu curves)\n",
                          published[k].size, i, fit.trials[i].objective, fit.trials[i].left_out_mae,
                          fit.trials[i].left_out);
        print_message("# %s: chosen %zu, held out %.5f\n", published[k].size, fit.opts.restriction,
                      mae);
        assert_int_equal(fit.opts.restriction, 1);
        assert_true(mae < published[k].restricted_mae + 5e-6);
        tw_law_fit_release(&fit);
        ref_release(d, REF_CURVES);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_sums_are_those_of_the_law_written_out),
        cmocka_unit_test(rounded_rates_cost_little_accuracy),
        cmocka_unit_test(derivatives_agree_with_differences),
        cmocka_unit_test(known_parameters_are_found_again),
        cmocka_unit_test(a_fit_has_the_same_bits_at_any_number_of_threads),
        cmocka_unit_test(the_choice_without_curves_to_leave_out),
        cmocka_unit_test(published_parameters_have_the_published_scores),
        cmocka_unit_test(the_best_known_objective_is_reached),
        cmocka_unit_test(the_chosen_restriction_forecasts_better_than_the_full_law),
    };

    tw_library_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
