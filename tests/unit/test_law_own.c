/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Laws that their user writes down: the expression, its derivatives, and the fit. */
#include "law/expr.h"
#include "law/own.h"
#include "runs.h"

/* ---- expressions ---------------------------------------------------------------------------- */

static double value_of(const char *text, double x)
{
    static struct tw_expr e;
    double names[TW_OWN_MAX_NAMES], work[TW_EXPR_MAX_NODES];
    struct tw_err err = { 0 };
    size_t at;

    if (tw_expr_parse(text, &e, &at, &err) != TW_OK)
        fail_msg("%s: %s", text, err.msg);
    for (size_t i = 0; i < e.nnames; i++)
        names[i] = x;
    return tw_expr_value(&e, names, work);
}

static void expressions_have_their_usual_meaning(void **state)
{
    static const struct {
        const char *text;
        double want;
    } cases[] = {
        { "1 + 2*3", 7.0 },
        { "(1 + 2)*3", 9.0 },
        { "10 - 4 - 3", 3.0 },
        { "24/4/3", 2.0 },
        { "-2^2", -4.0 },
        { "2^3^2", 512.0 },
        { "2^-1", 0.5 },
        { "2^-2^-1", 0.70710678118654752440 },
        { "--3", 3.0 },
        { "1.5e3 + .5", 1500.5 },
        { "2E-2", 0.02 },
        { "exp(0) + log(1) + sqrt(16) + abs(-2)", 7.0 },
        { "min(3, 1 + 1) * max(-1, 4)", 8.0 },
        { "pi", 3.14159265358979323846 },
        { "x*x - x", 6.0 },
        { "  x\t^ 2\n", 9.0 },
        { "e2 + 2e2", 203.0 },
        { "exponent + log_x", 6.0 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        check_close(value_of(cases[i].text, 3.0), cases[i].want, 1e-15, 0.0);
}

static void mistakes_are_named_with_their_place(void **state)
{
    static const struct {
        const char *text;
        size_t at;
        const char *what;
    } cases[] = {
        { "", 1, "expected a number, a name or (, found the end" },
        { "E + A/*N", 7, "found '*'" },
        { "E + (A", 7, "expected ) or an operator" },
        { "E + A)", 6, "expected an operator, found ')'" },
        { "E A", 3, "expected an operator, found 'A'" },
        { "2x", 1, "expected a number" },
        { "1e999", 1, "expected a number" },
        { "1.2.3", 1, "expected a number" },
        { "sin(x)", 1, "expected a function" },
        { "exp + 1", 5, "expected ( after a function's name" },
        { "min(1)", 6, "expected , and a second argument" },
        { "log(1, 2)", 6, "expected ) or an operator, found ','" },
        { "a ** b", 4, "found '*'" },
        { "x = 3", 3, "expected an operator" },
        { "a234567890123456789012345678901234", 1, "more than 31 characters" },
    };
    static struct tw_expr e;
    static char text[2000];

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct tw_err err = { 0 };
        size_t at = 0;

        assert_int_equal(tw_expr_parse(cases[i].text, &e, &at, &err), TW_EINVAL);
        if (at != cases[i].at || !strstr(err.msg, cases[i].what))
            fail_msg("%s: column %zu: %s", cases[i].text, at, err.msg);
    }
    for (int kind = 0; kind < 4; kind++) { /* too deep, too long, too many nodes, names */
        struct tw_err err = { 0 };
        size_t at = 0, n = 0;

        memset(text, 0, sizeof text);
        for (size_t i = 0; i < 60; i++)
            n += (size_t)snprintf(text + n, sizeof text - n, "%s",
                                  kind == 0   ? "(("
                                  : kind == 1 ? "                              "
                                  : kind == 2 ? "1+1+1+"
                                              : "");
        for (size_t i = 0; kind == 3 && i < 30; i++)
            n += (size_t)snprintf(text + n, sizeof text - n, "n%zu+", i);
        (void)snprintf(text + n, sizeof text - n, "1");
        assert_int_equal(tw_expr_parse(text, &e, &at, &err), TW_EINVAL);
        assert_non_null(strstr(err.msg, kind == 0   ? "levels"
                                        : kind == 1 ? "longer than"
                                        : kind == 2 ? "more than 256"
                                                    : "names"));
    }
}

static bool linear(const char *text, const char *names)
{
    static struct tw_expr e;
    unsigned set = 0;
    size_t at;

    assert_int_equal(tw_expr_parse(text, &e, &at, NULL), TW_OK);
    for (size_t i = 0; i < e.nnames; i++)
        if (strstr(names, e.name[i]))
            set |= 1u << i;
    return tw_expr_linear(&e, set);
}

static void what_is_linear_is_seen(void **state)
{
    (void)state;
    assert_true(linear("E + A/N^a + B/D^b", "E A B"));
    assert_false(linear("E + A/N^a + B/D^b", "E A a"));
    assert_true(linear("A*N^a*(1 - B)", "A"));
    assert_false(linear("A*N^a*(1 - B)", "A B"));
    assert_false(linear("E/A + A", "A"));
    assert_false(linear("max(A, B)", "A"));
    assert_false(linear("exp(A)", "A"));
    assert_true(linear("-(A - B)/2", "A B"));
}

static void faults_are_named(void **state)
{
    static const struct {
        const char *text, *want;
    } cases[] = {
        { "1 + 2/(x - 3)", "division by zero at column 6" },
        { "log(1 - x)", "log of -2 at column 1" },
        { "1 + sqrt(0 - x)", "sqrt of -3 at column 5" },
        { "(-x)^0.5", "-3 to the power 0.5 at column 5" },
        { "exp(x*1e9)", "a number too large at column 1" },
    };
    static struct tw_expr e;
    double x[TW_OWN_MAX_NAMES], work[TW_EXPR_MAX_NODES];
    char what[128];
    size_t at;

    (void)state;
    for (size_t i = 0; i < TW_OWN_MAX_NAMES; i++)
        x[i] = 3.0;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(tw_expr_parse(cases[i].text, &e, &at, NULL), TW_OK);
        assert_true(!isfinite(tw_expr_value(&e, x, work)));
        assert_true(tw_expr_fault(&e, work, what, sizeof what));
        assert_string_equal(what, cases[i].want);
    }
    assert_int_equal(tw_expr_parse("x", &e, &at, NULL), TW_OK);
    (void)tw_expr_value(&e, x, work);
    assert_false(tw_expr_fault(&e, work, what, sizeof what));
}

/* ---- laws ------------------------------------------------------------------------------------ */

static struct tw_law *law_of(const char *text, const char *in, bool plain)
{
    struct tw_law_input input[TW_LAW_MAX_INPUTS];
    static char names[TW_LAW_MAX_INPUTS][8];
    struct tw_law *law = NULL;
    struct tw_err err = { 0 };
    size_t n = 0;

    while (*in) {
        (void)snprintf(names[n], sizeof names[n], "%.*s", (int)strcspn(in, " "), in);
        input[n] = (struct tw_law_input){ names[n], NULL, NULL };
        in += strcspn(in, " ");
        in += strspn(in, " ");
        n++;
    }
    if (tw_law_own_new("own", text, input, n, plain, &law, &err) != TW_OK)
        fail_msg("%s: %s", text, err.msg);
    return law;
}

static void made_up(struct runs *d, size_t n)
{
    struct tw_rng rng = tw_rng_stream(11, TW_RNG_TEST, n);

    *d = (struct runs){ .n = n };
    for (size_t i = 0; i < n; i++) {
        d->input[0][i] = exp(runs_between(&rng, log(1e7), log(1e10)));
        d->input[1][i] = exp(runs_between(&rng, log(1e9), log(1e12)));
        d->y[i] = 3.0;
    }
}

static void derivatives_are_those_of_differences(void **state)
{
    static const struct {
        const char *text;
        double from[6], to[6];
    } cases[] = {
        { "E + A/N^a + B/D^b", { 1, 1, 0.1, 1, 0.1 }, { 3, 99, 0.9, 99, 0.9 } },
        { "((Nc/N)^(aN/aD) + Dc/D)^aD", { 1e8, 0.05, 0.05, 1e8 }, { 1e13, 0.4, 0.4, 1e13 } },
        { "exp(a - p*log(N)) + exp(b - q*log(D)) + exp(e)",
          { 0, 0.1, 0, 0.1, -1 },
          { 9, 0.9, 9, 0.9, 1 } },
        { "sqrt(E^2 + abs(A - B)/N^.3) * c^-D^-0.05", { 1, 1, 5, 0.2 }, { 2, 2, 9, 5 } },
        { "max(E, A*(1 + D/N)^-g) - min(h, 2)/log(D)", { 1, 5, 0.1, 3 }, { 2, 9, 0.3, 4 } },
        { "E - (-k)*exp(-g*log(N/D)^2/9) + pi*z", { 1, 1, 0.1, 1 }, { 3, 2, 0.3, 4 } },
    };
    static struct runs d;

    (void)state;
    made_up(&d, 40);
    for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++) {
        struct tw_law *law = law_of(cases[c].text, "N D", false);
        struct tw_rng rng = tw_rng_stream(12, TW_RNG_TEST, c);

        for (size_t i = 0; i < 20; i++) {
            double theta[TW_FIT_MAX_PARAMS];

            for (size_t j = 0; j < law->nparams; j++)
                theta[j] = runs_between(&rng, cases[c].from[j], cases[c].to[j]);
            runs_check_jacobian(law, &d, theta);
        }
        tw_law_own_free(law);
    }
}

/* A power of zero, and its derivative, where a formula would divide by zero. */
static void derivatives_at_zero_are_finite(void **state)
{
    struct tw_law *law = law_of("E + A*x^a", "x", false);
    static const double theta[] = { 2.0, 3.0, 0.5 }, want[] = { 1.0, 0.0, 0.0 };
    double jac[3], y;
    static struct runs d;
    void *model, *memo;

    (void)state;
    d = (struct runs){ .n = 1 };
    model = tw_law_model(law, runs_group(&d), 1, TW_WARMUP_SKIP, NULL);
    memo = law->memo_alloc(model);
    law->predict(model, memo, theta, &y, jac);
    check_close(y, 2.0, 0.0, 0.0);
    check_vec(jac, want, 3, 0.0, 0.0);
    law->memo_free(memo);
    law->model_free(model);
    tw_law_own_free(law);
}

static void parameters_have_ranges_by_where_they_stand(void **state)
{
    struct tw_law *law = law_of("E + A/N^a + exp(b - c*log(D))", "D N", false);

    (void)state;
    assert_int_equal(law->ninputs, 2);
    assert_string_equal(law->inputs[0].name, "N"); /* first, wherever it stands */
    assert_int_equal(law->nparams, 5);
    for (size_t j = 0; j < 5; j++)
        assert_int_equal(law->params[j].bound, j == 3 ? TW_FIT_FREE : TW_FIT_POSITIVE);
    tw_law_own_bound(law, 2, TW_FIT_BETWEEN, 0.1, 0.4);
    check_close(law->params[2].hi, 0.4, 0.0, 0.0);
    tw_law_own_free(law);
}

static void bad_laws_are_refused(void **state)
{
    static const struct {
        const char *text, *input, *what;
    } cases[] = {
        { "E + A/N^a", "D", "D is no name in the expression" },
        { "N*D", "N", NULL },
        { "N", "N", "every name in it is a column" },
        { "E + A", "", "no name in it is a column" },
        { "a+b+c+d+f+g+h+i+j+k+l+m+o+p+q+r+s+N", "N", "more than 16 parameters" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct tw_law_input input = { cases[i].input, NULL, NULL };
        struct tw_law *law = NULL;
        struct tw_err err = { 0 };
        const enum tw_status rc =
            tw_law_own_new("own", cases[i].text, &input, *cases[i].input != 0, false, &law, &err);

        assert_int_equal(rc, cases[i].what ? TW_EINVAL : TW_OK);
        if (cases[i].what && !strstr(err.msg, cases[i].what))
            fail_msg("%s: %s", cases[i].text, err.msg);
        assert_int_equal(law == NULL, cases[i].what != NULL);
        tw_law_own_free(law);
    }
}

static void what_fails_at_the_data_is_named(void **state)
{
    static struct runs d;
    struct tw_law *law = law_of("E + A/(N - 5e8)^a", "N", false);
    struct tw_law_fit_opts opts = tw_law_fit_defaults();
    struct tw_law_fit fit = { 0 };
    struct tw_err err = { 0 };

    (void)state;
    made_up(&d, 30);
    for (size_t i = 0; i < d.n; i++)
        d.input[0][i] = 1e9;
    d.input[0][7] = 5e8;
    assert_int_equal(tw_law_fit_run(law, runs_group(&d), 1, &opts, &fit, &err), TW_EDOMAIN);
    if (!strstr(err.msg, "runs: run 8: division by zero at column 6 of 'E + A/(N - 5e8)^a', with "
                         "E = 1, A = 1, N = 5e+08"))
        fail_msg("%s", err.msg);
    tw_law_fit_release(&fit);
    d.n = 2;
    err = (struct tw_err){ 0 };
    assert_int_equal(tw_law_fit_run(law, runs_group(&d), 1, &opts, &fit, &err), TW_EDOMAIN);
    assert_non_null(strstr(err.msg, "1 more needed"));
    tw_law_fit_release(&fit);
    tw_law_own_free(law);
}

/* ---- fits --------------------------------------------------------------------------------------
 */

static void laws_give_back_what_they_made(void **state)
{
    static const struct {
        const char *text;
        double truth[6];
        bool plain;
    } cases[] = {
        { "E + A/N^a + B/D^b", { 1.8, 480.0, 0.35, 2100.0, 0.37 }, false },
        { "((Nc/N)^(aN/aD) + Dc/D)^aD", { 6e13, 0.076, 0.1, 2e13 }, false },
        { "E + A*(N/1e8)^-a - c*log(D)", { 3.0, 0.5, 0.3, 0.02 }, true },
        { "E + A/(1 + N/Nc)^a", { 1.5, 2.5, 2e8, 0.4 }, false },
    };
    static struct runs d;

    (void)state;
    for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++) {
        struct tw_law *law =
            law_of(cases[c].text, strchr(cases[c].text, 'D') ? "N D" : "N", cases[c].plain);
        struct tw_law_fit_opts opts = runs_opts(law);
        struct tw_law_fit fit;

        made_up(&d, 80);
        runs_predict(law, cases[c].truth, 0.0, NULL, &d);
        fit = runs_fit(law, &d, &opts);
        print_message("# %s: objective %.1e, %zu of %zu starts\n", cases[c].text, fit.min.objective,
                      fit.at_optimum, fit.starts);
        check_vec(fit.theta, cases[c].truth, law->nparams, 1e-4, 0.0);
        assert_true(fit.min.converged);
        tw_law_fit_release(&fit);
        tw_law_own_free(law);
    }
}

static void starts_and_bounds_hold(void **state)
{
    static const double truth[] = { 1.8, 480.0, 0.35 };
    struct tw_law *law = law_of("E + A/N^a", "N", false);
    struct tw_law_fit_opts opts = runs_opts(law);
    double theta[TW_FIT_MAX_PARAMS];
    struct tw_law_fit fit;
    static struct runs d;
    void *model;

    (void)state;
    made_up(&d, 60);
    runs_predict(law, truth, 0.0, NULL, &d);
    tw_law_own_start(law, 2, 0.25);
    model = tw_law_model(law, runs_group(&d), 1, TW_WARMUP_SKIP, NULL);
    tw_own_draw(model, 5, theta);
    check_close(theta[2], 0.25, 0.0, 0.0);
    assert_int_equal(law->starts(model, d.y, theta, 1), 1);
    check_close(theta[2], 0.25, 0.0, 0.0);
    law->model_free(model);
    tw_law_own_bound(law, 2, TW_FIT_BETWEEN, 0.1, 0.3);
    fit = runs_fit(law, &d, &opts);
    assert_true(fit.theta[2] <= 0.3 && fit.min.at_bounds == 1u << 2);
    tw_law_fit_release(&fit);
    tw_law_own_free(law);
}

/* Hoffmann's data: the same minimum as the law of the table, from all starts; the bits do not
 * depend on the threads by the way it is computed. */
static void chinchilla_written_down_is_chinchilla(void **state)
{
    struct tw_law *law = law_of("E + A/N^a + B/D^b", "N D", false);
    struct tw_law_fit_opts opts = runs_opts(law);
    FILE *f = runs_open("chinchilla_245.csv");
    char line[512], cell[64];
    struct tw_law_fit fit, known;
    static struct runs d;

    (void)state;
    if (!f) {
        tw_law_own_free(law);
        runs_skip();
    }
    d = (struct runs){ 0 };
    assert_non_null(fgets(line, sizeof line, f));
    while (fgets(line, sizeof line, f)) {
        for (size_t k = 0; k < 2; k++) {
            runs_cell(line, k, cell);
            d.input[k][d.n] = strtod(cell, NULL);
        }
        runs_cell(line, 3, cell);
        d.y[d.n++] = strtod(cell, NULL);
    }
    (void)fclose(f);
    for (size_t k = 0; k < 5; k++) { /* the five largest losses are left out */
        size_t worst = 0;

        for (size_t i = 1; i < d.n; i++)
            worst = d.y[i] > d.y[worst] ? i : worst;
        d.n--;
        d.y[worst] = d.y[d.n];
        d.input[0][worst] = d.input[0][d.n];
        d.input[1][worst] = d.input[1][d.n];
    }
    assert_int_equal(d.n, 240);
    fit = runs_fit(law, &d, &opts);
    known = runs_fit(tw_law_find("chinchilla"), &d, &opts);
    check_close(fit.min.objective, 0.00101827402, 1e-8, 0.0);
    check_close(fit.min.objective, known.min.objective, 1e-11, 0.0);
    check_vec(fit.theta, known.theta, 5, 1e-5, 0.0);
    assert_int_equal(fit.at_optimum, fit.starts);
    tw_law_fit_release(&fit);
    tw_law_fit_release(&known);
    tw_law_own_free(law);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(expressions_have_their_usual_meaning),
        cmocka_unit_test(mistakes_are_named_with_their_place),
        cmocka_unit_test(what_is_linear_is_seen),
        cmocka_unit_test(faults_are_named),
        cmocka_unit_test(derivatives_are_those_of_differences),
        cmocka_unit_test(derivatives_at_zero_are_finite),
        cmocka_unit_test(parameters_have_ranges_by_where_they_stand),
        cmocka_unit_test(bad_laws_are_refused),
        cmocka_unit_test(what_fails_at_the_data_is_named),
        cmocka_unit_test(laws_give_back_what_they_made),
        cmocka_unit_test(starts_and_bounds_hold),
        cmocka_unit_test(chinchilla_written_down_is_chinchilla),
    };

    tw_library_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
