/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How often 95 % intervals of parameters hold the truth, for noise that remembers and for noise
 * that runs share: made-up curves whose parameters are known. TW_COVERAGE=400 makes the study
 * larger than the test needs and prints what it finds. */
#include <stdlib.h>

#include "curves.h"
#include "law/memory.h"
#include "num.h"

enum { NP = 5, NC = 3, POINTS = 110, REPLICATES = 100 };
static const double truth[NP] = { 2.7, 0.52, 0.51, 0.83, 0.985 };
static const char *const specs[NC] = {
    "cosine:peak=3e-3,end=3e-4,total=2400,warmup=200",
    "constant:peak=3e-3,total=2400,warmup=200",
    "wsdcon:peak=3e-3,end=9e-4,total=2400,stage=1300,warmup=200",
};

struct noise {
    const char *name;
    double phi;  /* of a first-order autoregression from point to point */
    bool shared; /* all of it, as by a common order of the data; else each curve has its own */
};

static void make_set(const struct noise *noise, uint64_t item, struct ref_data *d,
                     struct tw_law_curve *curves)
{
    double common[POINTS] = { 0.0 };

    if (noise->shared)
        ar1(5000 + item, 2e-3, noise->phi, common, POINTS);
    for (size_t c = 0; c < NC; c++) {
        struct made m = { specs[c],
                          200,
                          20,
                          noise->shared ? 0.0 : 2e-3,
                          noise->phi,
                          NC * item + c,
                          noise->shared ? common : NULL };

        assert_true(made_curve(&m, truth, TW_WARMUP_SKIP, &d[c]));
        assert_int_equal(d[c].n, POINTS);
        curves[c] = d[c].curve;
    }
}

/* Shares of `sets` fits whose profile, and whose bootstrap, holds each parameter. */
static void cover(const struct noise *noise, size_t sets, double profile[NP], double boot[NP])
{
    const struct tw_law *law = tw_law_find("annealing");

    for (size_t j = 0; j < NP; j++)
        profile[j] = boot[j] = 0.0;
    for (uint64_t k = 0; k < sets; k++) {
        struct tw_law_fit_opts opts = tw_law_fit_defaults();
        struct tw_law_curve curves[NC];
        struct tw_law_fit fit = { 0 };
        struct ref_data d[NC];
        struct tw_err err = { 0 };

        make_set(noise, k + 1, d, curves);
        opts.profile = (1u << NP) - 1;
        opts.bootstrap = REPLICATES;
        opts.starts = 4;
        opts.seed = 1 + k;
        if (tw_law_fit_run(law, curves, NC, &opts, &fit, &err) != TW_OK)
            fail_msg("%s", err.msg);
        assert_int_equal(fit.nprofiles, NP);
        for (size_t j = 0; j < NP; j++) { /* NAN: no end on that side */
            profile[j] += !(fit.profiles[j].lo > truth[j]) && !(fit.profiles[j].hi < truth[j]);
            boot[j] += fit.lo[j] <= truth[j] && truth[j] <= fit.hi[j];
        }
        tw_law_fit_release(&fit);
        for (size_t c = 0; c < NC; c++)
            ref_release(&d[c], 1);
    }
    for (size_t j = 0; j < NP; j++) {
        profile[j] /= (double)sets;
        boot[j] /= (double)sets;
    }
}

static void check(const char *noise, const char *kind, const double *share)
{
    double mean = 0.0;

    for (size_t j = 0; j < NP; j++)
        mean += share[j] / NP;
    print_message("# %-26s %-9s L0 %.3f A %.3f alpha %.3f C %.3f lambda %.3f mean %.3f\n", noise,
                  kind, share[0], share[1], share[2], share[3], share[4], mean);
    for (size_t j = 0; j < NP; j++)
        assert_true(share[j] >= 0.83); /* four standard errors of 60 below 0.95 */
    assert_true(mean >= 0.88 && mean < 1.0);
}

static void intervals_hold_the_truth_as_often_as_they_say(void **state)
{
    static const struct noise kinds[] = {
        { "independent", 0.0, false },  { "shared", 0.0, true },
        { "AR(0.4) each", 0.4, false }, { "AR(0.4) shared", 0.4, true },
        { "AR(0.8) each", 0.8, false }, { "AR(0.8) shared", 0.8, true },
    };
    const char *asked = getenv("TW_COVERAGE");
    const size_t sets = asked ? (size_t)strtoul(asked, NULL, 10) : 60;

    (void)state;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        double profile[NP], boot[NP];

        cover(&kinds[i], sets, profile, boot);
        check(kinds[i].name, "profile", profile);
        check(kinds[i].name, "bootstrap", boot);
    }
}

/* ---- the parts, where they have a closed form ---------------------------------------------- */

enum { LONG = 20000 };

/* Two curves at the same x, residuals with correlation phi from point to point, `share` of their
 * variance in common; squares, so that psi is the residual. */
static void measure(double phi, double share, struct tw_law_memory *m, double *inflation)
{
    static double x[2 * LONG], r[2 * LONG], z[2 * LONG], common[LONG], own[LONG];
    size_t first[3] = { 0, LONG, 2 * LONG };
    struct tw_law_fit_opts opts = tw_law_fit_defaults();
    struct tw_law_problem p = { .law = tw_law_find("annealing"),
                                .opts = &opts,
                                .ncurves = 2,
                                .n = 2 * LONG,
                                .first = first,
                                .x = x };
    struct tw_law_fit fit = { .r = r };

    opts.loss = TW_FIT_SQUARES;
    ar1(1, sqrt(share), phi, common, LONG);
    for (size_t c = 0; c < 2; c++) {
        ar1(2 + c, sqrt(1.0 - share), phi, own, LONG);
        for (size_t i = 0; i < LONG; i++) {
            x[c * LONG + i] = (double)i;
            r[c * LONG + i] = 1e-3 * (common[i] + own[i]);
            z[c * LONG + i] = 1.0;
        }
    }
    assert_true(tw_law_memory_measure(&p, &fit, m));
    assert_true(tw_law_inflation(&p, &fit, m, z, inflation));
}

static void memory_and_what_is_shared_are_measured(void **state)
{
    struct tw_law_memory m;
    double inflation;

    (void)state;
    measure(0.0, 0.0, &m, &inflation);
    check_close(m.phi, 0.0, 0.0, 0.02);
    check_close(m.shared, 0.0, 0.0, 0.03);
    check_close(inflation, 1.0, 0.0, 0.1);
    measure(0.6, 0.0, &m, &inflation);
    check_close(m.phi, 0.6, 0.0, 0.02);
    check_close(m.weight, 1.0, 0.0, 0.03);
    check_close(inflation, 1.6 / 0.4, 0.1, 0.0);
    measure(0.6, 0.5, &m, &inflation);
    check_close(m.shared, 0.5, 0.0, 0.04);
    check_close(m.shared_psi, 0.5, 0.0, 0.04);
    check_close(inflation, 1.6 / 0.4 * 1.5, 0.1, 0.0);
}

/* sum |k| phi^|k| = 2 phi / (1 - phi)^2 over sum phi^|k| = (1 + phi) / (1 - phi), by adding up. */
static void blocks_lose_what_the_sums_say(void **state)
{
    const struct tw_law_memory m = { .phi = 0.7 };
    double all = 1.0, torn = 0.0;

    (void)state;
    for (int k = 1; k < 400; k++) {
        all += 2.0 * pow(0.7, k);
        torn += 2.0 * k * pow(0.7, k);
    }
    check_close(tw_law_memory_torn(&m, 20), torn / all / 20.0, 1e-12, 0.0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_and_what_is_shared_are_measured),
        cmocka_unit_test(blocks_lose_what_the_sums_say),
        cmocka_unit_test(intervals_hold_the_truth_as_often_as_they_say),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
