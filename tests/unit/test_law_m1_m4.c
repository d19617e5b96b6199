/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The laws M1 to M4: M4 against what can be solved by hand, and how they contain one another. */
#include "runs.h"

static double predict_one(const char *name, const double *theta, double x)
{
    static struct runs d;

    d = (struct runs){ .n = 1 };
    d.input[0][0] = x;
    runs_predict(tw_law_find(name), theta, 0.0, NULL, &d);
    return d.y[0];
}

/* With s = (L - einf) / (e0 - einf) and K = beta x^-c / (e0 - einf), M4 is s = K (1 - s)^alpha. */
static double by_hand(const double *theta, double x)
{
    const double w = theta[1] - theta[0], k = theta[3] * pow(x, -theta[4]) / w;
    double s = 0.0;

    if (theta[2] == 0.5) /* s^2 + K^2 s - K^2 = 0 */
        s = 2.0 / (1.0 + sqrt(1.0 + 4.0 / (k * k)));
    else if (theta[2] == 1.0)
        s = k / (1.0 + k);
    else if (theta[2] == 2.0) /* K s^2 - (2 K + 1) s + K = 0 */
        s = 2.0 * k / (2.0 * k + 1.0 + sqrt(4.0 * k + 1.0));
    else
        fail();
    return theta[0] + w * s;
}

static void m4_is_what_a_hand_can_solve(void **state)
{
    static const double alpha[] = { 0.5, 1.0, 2.0 };

    (void)state;
    for (size_t a = 0; a < 3; a++)
        for (double x = 1e-3; x < 1e13; x *= 7.0) {
            const double theta[] = { 1.7, 9.5, alpha[a], 250.0, 0.3 };

            check_close(predict_one("m4", theta, x), by_hand(theta, x), 1e-14, 0.0);
        }
}

/* Whatever the parameters, the loss solves its equation and lies between its limits. */
static void m4_solves_its_equation(void **state)
{
    struct tw_rng rng = tw_rng_stream(21, TW_RNG_TEST, 0);

    (void)state;
    for (size_t i = 0; i < 20000; i++) {
        const double einf = runs_between(&rng, 0.01, 3.0);
        const double theta[] = { einf, einf + exp(runs_between(&rng, -3.0, 5.0)),
                                 exp(runs_between(&rng, -9.0, 4.0)),
                                 exp(runs_between(&rng, -5.0, 20.0)),
                                 runs_between(&rng, 0.01, 1.5) };
        const double x = exp(runs_between(&rng, 0.0, 30.0));
        const double y = predict_one("m4", theta, x);
        const double f = theta[3] * pow(x, -theta[4]), w = theta[1] - einf;
        const double s = (y - einf) / w;

        assert_true(y >= einf && y <= theta[1]);
        /* Near a limit the rounding of L hides the distance to it. */
        if (s > 1e-6 && 1.0 - s > 1e-6)
            check_close(log(s) - theta[2] * log1p(-s), log(f / w), 1e-8,
                        1e-8 * (1.0 + theta[2] * 1e-2 / (1.0 - s)));
    }
}

static void the_laws_contain_one_another(void **state)
{
    static const double m1[] = { 40.0, 0.2 }, m2[] = { 0.0, 40.0, 0.2 }, m3[] = { 40.0, 0.0, 0.2 };
    static const double m2_limit[] = { 1.5, 40.0, 0.2 }, far[] = { 1.5, 1e6, 3.0, 40.0, 0.2 };
    static const double none[] = { 1.5, 9.0, 0.0, 40.0, 0.2 };
    static const double power[] = { 1.5, 1.024e8, 0.2 }; /* 40^5 */

    (void)state;
    for (double x = 1e4; x < 1e12; x *= 9.0) {
        const double want = predict_one("m1", m1, x), limit = predict_one("m2", m2_limit, x);

        check_close(predict_one("m2", m2, x), want, 1e-15, 0.0);
        check_close(predict_one("m3", m3, x), want, 1e-13, 0.0);
        check_close(predict_one("m4", none, x), limit, 1e-15, 0.0);
        check_close(predict_one("m4", far, x), limit, 1e-4, 0.0);
        check_close(predict_one("power", power, x), limit, 1e-14, 0.0);
    }
}

/* Six models at 20 tokens a parameter on C4: the same minimum as 'power' has, and each law no
 * worse than those that it contains. */
static void on_real_runs_they_are_ordered(void **state)
{
    static const char *const name[] = { "power", "m1", "m2", "m3", "m4" };
    FILE *f = runs_open("overtrain_testbed.csv");
    size_t set, mult, size, loss;
    static char line[16384];
    double objective[5];
    static struct runs d;
    char cell[64];

    (void)state;
    if (!f)
        runs_skip();
    d = (struct runs){ 0 };
    assert_non_null(fgets(line, sizeof line, f));
    set = runs_find(line, "train_set");
    mult = runs_find(line, "cc_mult");
    size = runs_find(line, "N");
    loss = runs_find(line, "loss_c4_val");
    while (fgets(line, sizeof line, f)) {
        runs_cell(line, set, cell);
        if (strcmp(cell, "c4_original") != 0)
            continue;
        runs_cell(line, mult, cell);
        if (strtod(cell, NULL) != 1.0)
            continue;
        runs_cell(line, size, cell);
        d.input[0][d.n] = strtod(cell, NULL);
        runs_cell(line, loss, cell);
        d.y[d.n++] = strtod(cell, NULL);
    }
    (void)fclose(f);
    assert_int_equal(d.n, 6);
    for (size_t k = 0; k < 5; k++) {
        const struct tw_law *law = tw_law_find(name[k]);
        struct tw_law_fit_opts opts = runs_opts(law);
        struct tw_law_fit fit = runs_fit(law, &d, &opts);

        objective[k] = fit.min.objective;
        print_message("# %s: objective %.6g, limit or gamma %.4g\n", name[k], objective[k],
                      fit.theta[k == 3 ? 1 : 0]);
        tw_law_fit_release(&fit);
    }
    check_close(objective[2], objective[0], 1e-9, 0.0);
    assert_true(objective[4] < objective[2] && objective[2] < objective[1]);
    assert_true(objective[3] < objective[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(m4_is_what_a_hand_can_solve),
        cmocka_unit_test(m4_solves_its_equation),
        cmocka_unit_test(the_laws_contain_one_another),
        cmocka_unit_test(on_real_runs_they_are_ordered),
    };

    tw_library_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
