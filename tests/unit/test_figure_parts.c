/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a figure is made of, without gnuplot: text, thinning, ranges, venues, options. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../../src/figure/fig.h"
#include "figopts.h"
#include "num.h"

static void test_text_is_escaped(void **state)
{
    struct tw_str t = { 0 };

    (void)state;
    fig_quote(&t, "a_b^c{d}@e&f~g'h\"i`j`\\\n\x01\xff\xc3\xa9", false);
    assert_string_equal(t.s, "'a\\_b\\^c\\{d\\}\\@e\\&f\\~g’h\"i`j`\\\\  ?\xc3\xa9'");
    tw_str_clear(&t);
    fig_quote(&t, "50% of $x_1 #2 'q'", true);
    assert_string_equal(t.s, "'50\\% of \\$x\\_1 \\#2 \\textquotesingle{}q\\textquotesingle{}'");
    tw_str_clear(&t);
    fig_comment(&t, "one \\\ntwo");
    assert_string_equal(t.s, "#   one \\ .\n#   two\n");
    tw_str_release(&t);
}

static void test_symbols(void **state)
{
    static const char *const names[][2] = { { "alpha", "'{/:Italic α}'" },
                                            { "L0", "'{/:Italic L}_{0}'" },
                                            { "L_inf", "'{/:Italic L}_{∞}'" },
                                            { "lambda", "'{/:Italic λ}'" },
                                            { "beta2", "'{/:Italic β}_{2}'" },
                                            { "x", "'{/:Italic x}'" },
                                            { "half_life", "'half\\_life'" },
                                            { "a}b", "'a\\}b'" },
                                            { "", "''" } };
    struct tw_str t = { 0 };

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        tw_str_clear(&t);
        fig_symbol(&t, names[i][0], false);
        assert_string_equal(t.s, names[i][1]);
    }
    tw_str_clear(&t);
    fig_symbol(&t, "L_inf", true);
    assert_string_equal(t.s, "'$L_{\\infty}$'");
    tw_str_release(&t);
}

static void test_thinning(void **state)
{
    enum { M = 20000 };
    struct fig_axis ax = { 0.0, M, false }, ay = { 0.0, 1.0, false };
    double *x = tw_alloc(M, sizeof *x), *y = tw_alloc(M, sizeof *y), worst = 0.0;
    bool *keep = tw_alloc(M, sizeof *keep);
    size_t kept = 0, last = 0;
    const double *cols[1] = { y };

    (void)state;
    assert_true(x && y && keep);
    for (size_t i = 0; i < M; i++) {
        x[i] = (double)i;
        y[i] = 1.0 / (1.0 + (double)i / 500.0);
    }
    assert_int_equal(fig_keep_line(&ax, &ay, M, x, cols, 1, 1e-3, keep), TW_OK);
    for (size_t i = 0; i < M; i++)
        if (keep[i]) {
            for (size_t j = last + 1; j < i; j++)
                worst = fmax(worst, fabs(y[j] - (y[last] + (y[i] - y[last]) * (x[j] - x[last]) /
                                                               (x[i] - x[last]))));
            last = i;
            kept++;
        }
    assert_true(keep[0] && keep[M - 1]);
    assert_true(kept > 5 && kept < 100);
    assert_true(worst <= 1.001e-3);
    y[12345] = 0.9; /* a spike */
    assert_int_equal(fig_keep_points(&ax, M, x, y, 300, keep), TW_OK);
    kept = 0;
    for (size_t i = 0; i < M; i++)
        kept += keep[i];
    assert_true(keep[12345] && keep[0] && keep[M - 1]);
    assert_true(kept >= 290 && kept <= 330);
    free(x);
    free(y);
    free(keep);
}

/* Decades begin at a power of ten, not where the axis does. */
static void test_log_ticks(void **state)
{
    const struct fig_axis a = { 5.7e7, 1.8e10, true }, b = { 3e-5, 0.2, true },
                          c = { 0.0072, 0.0168, true };
    const struct fig_page page = { .fs = 8.0 };
    struct tw_str t = { 0 };

    (void)state;
    fig_set_ticks(&t, 'x', &a, 1.0, 3.0, 0.5, &page);
    assert_non_null(strstr(t.s, "set xtics 1e+07, 10;"));
    tw_str_clear(&t);
    fig_set_ticks(&t, 'y', &b, 1.0, 3.0, 0.5, &page);
    assert_non_null(strstr(t.s, "set ytics 1e-05, 10;"));
    /* On a short axis a label that would touch the last one is left out, its tick is not. */
    tw_str_clear(&t);
    fig_set_ticks(&t, 'x', &c, 1.0, 1.3, 0.3, &page);
    assert_non_null(strstr(t.s, "(0.008, 0.01, 0.012, '' 0.014 1, 0.016)"));
    tw_str_clear(&t);
    fig_set_ticks(&t, 'x', &c, 1.0, 3.0, 0.6, &page);
    assert_null(strstr(t.s, "''"));
    tw_str_clear(&t);
    fig_set_ticks(&t, 'y', &c, 1.0, 1.3, 0.3, &page);
    assert_null(strstr(t.s, "''"));
    /* Hundreds of decades have labels that lie apart. */
    tw_str_clear(&t);
    fig_set_ticks(&t, 'y', &(struct fig_axis){ 3e-90, 4e80, true }, 1.0, 1.5, 0.3, &page);
    assert_non_null(strstr(t.s, "set ytics 1e-120, 1e+40;"));
    tw_str_release(&t);
}

/* A label of many digits has a power of ten instead. */
static void test_linear_ticks(void **state)
{
    const struct fig_axis tiny = { -1e-100, 2.1e-99, false }, usual = { 0.0, 1.2e7, false };
    const struct fig_page page = { .fs = 8.0 }, tex = { .fs = 8.0, .tex = true };
    struct tw_str t = { 0 };

    (void)state;
    fig_set_ticks(&t, 'y', &tiny, 1.0, 1.5, 0.3, &page);
    assert_non_null(strstr(t.s, "set ytics 5e-100; "));
    assert_non_null(strstr(t.s, "set format y '%.1t·10^{%T}'\n"));
    tw_str_clear(&t);
    fig_set_ticks(&t, 'y', &tiny, 1.0, 1.5, 0.3, &tex);
    assert_non_null(strstr(t.s, "set format y '$%.1t\\cdot 10^{%T}$'\n"));
    check_close(fig_tick_width(&tiny, 5.0), 4.1, 1e-12, 0);
    tw_str_clear(&t);
    fig_set_ticks(&t, 'y', &usual, 1.0, 1.5, 0.3, &page);
    assert_non_null(strstr(t.s, "set format y \"%.0f\"\n"));
    tw_str_release(&t);
}

static void test_axes_that_cannot_be_drawn(void **state)
{
    static const struct {
        struct fig_axis axis;
        const char *text;
    } bad[] = {
        { { 1e-308, 1e-307, true }, "'loss' goes from 1e-308 to 1e-307, and a log axis" },
        { { 1e200, HUGE_VAL, true }, "from 1e+200 to inf, and a log axis" },
        { { 1.0, 1.0 + 1e-12, true }, "too little to draw" },
        { { 5e-324, 1e-322, false }, "too small to draw" },
        { { -1.7e308, 1.7e308, false }, "too large to draw" },
        { { -HUGE_VAL, HUGE_VAL, false }, "from -inf to inf, too large to draw" },
        { { 1e15, 1e15 + 20.0, false }, "to 1000000000000020, too little to draw" },
    };
    struct fig_axis wide = { 5e-324, 1.7e308, true }, thin = { 1e6, 1e6 + 0.02, false };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct fig_axis a = bad[i].axis;
        struct tw_err err = { 0 };

        assert_int_equal(fig_axis_fit(&a, "loss", &err), TW_EINVAL);
        assert_non_null(strstr(err.msg, bad[i].text));
    }
    assert_int_equal(fig_axis_fit(&wide, NULL, NULL), TW_OK);
    assert_true(wide.lo == 1e-100 && wide.hi == 1e100);
    assert_int_equal(fig_axis_fit(&thin, NULL, NULL), TW_OK);
    assert_int_equal(fig_digits(&thin, 6), 11);
    assert_int_equal(fig_digits(&wide, 6), 6);
}

static void test_ranges_and_ticks(void **state)
{
    double low[101], high[101], must_show[1] = { 3.0 };
    struct fig_range r;
    struct fig_ticks t;
    const char *name;

    (void)state;
    for (int i = 0; i <= 100; i++)
        low[i] = high[i] = i < 3 ? 11.0 : 4.0 - i / 100.0;
    r = fig_robust_range(low, high, 101, must_show, 1, false);
    assert_true(r.lo < 3.0 && r.lo > 2.9);
    assert_true(r.hi > 3.9 && r.hi < 4.2); /* the steep start is cut */
    check_close(r.left_out, 4.0 / 101.0, 1e-12, 0);
    for (int i = 0; i <= 100; i++)
        low[i] = high[i] = 2.0;
    r = fig_robust_range(low, high, 101, NULL, 0, true);
    assert_true(r.lo < 2.0 && r.hi > 2.0 && r.lo > 0.0);
    r = fig_robust_range(low, high, 0, NULL, 0, false);
    assert_true(r.hi > r.lo);
    t = fig_ticks(3.1, 3.9, 5, 3);
    check_close(t.step, 0.2, 1e-12, 0);
    assert_int_equal(t.decimals, 1);
    check_close(fig_tick_width(&(struct fig_axis){ 0.0, 0.42, false }, 8.0), 1.75, 1e-12, 0);
    check_close(fig_tick_width(&(struct fig_axis){ 0.02, 0.5, true }, 5.0), 1.75, 1e-12, 0);
    check_close(fig_tick_width(&(struct fig_axis){ 0.002, 0.5, true }, 5.0), 2.2, 1e-12, 0);
    t = fig_ticks(-0.7, 0.7, 2, 3);
    check_close(t.step, 0.5, 1e-12, 0);
    check_close(fig_unit(72000.0, &name), 1e3, 0, 0);
    assert_string_equal(name, " (thousands)");
    check_close(fig_unit(5000.0, &name), 1.0, 0, 0);
    check_close(fig_unit(2.5e9, &name), 1e9, 0, 0);
    check_close(fig_interpolate(3, (double[]){ 1, 2, 4 }, (double[]){ 1, 3, 5 }, 3.0), 4.0, 0, 0);
    assert_true(isnan(fig_interpolate(1, (double[]){ 1 }, (double[]){ 1 }, 2.0)));
}

static void test_venues_match_the_option(void **state)
{
    struct tw_str t = { 0 };

    (void)state;
    for (const struct tw_venue *v = tw_venues; v->name; v++) {
        tw_str_addf(&t, "%s%s", v == tw_venues ? "" : "|", v->name);
        assert_true(v->half >= 2.0 && v->half <= v->full && v->label_size >= 7.0);
        assert_ptr_equal(tw_venue_find(v->name), v);
    }
    assert_string_equal(t.s, TW_FIGURE_VENUES);
    assert_null(tw_venue_find("nowhere"));
    tw_str_release(&t);
}

struct plotting {
    size_t n;
    struct tw_figure_cli figure;
};

static void test_options_of_a_command(void **state)
{
    static const struct tw_opt opts[] = {
        TW_FIGURE_ROWS(struct plotting, figure),
        { .type = TW_OPT_END },
    };
    char *argv[] = { (char[]){ "fit" },      (char[]){ "--plot" }, (char[]){ "--venue=nature" },
                     (char[]){ "--format" }, (char[]){ "svg" },    (char[]){ "--height=2.5" } };
    struct tw_call call = { 0 };
    struct tw_common common = { 0 };
    struct plotting got = { 0 };
    struct tw_figure_opts fo;
    struct tw_str store = { 0 };
    struct tw_err err = { 0 };
    int operands;

    (void)state;
    assert_int_equal(tw_opt_parse(6, argv, 0, opts, &common, &got, &operands, &err), TW_OK);
    assert_int_equal(operands, 0);
    assert_string_equal(tw_figure_cli_path(&got.figure, "fit.pdf", &store), "fit.svg");
    tw_str_add(&call.command_line, "thalweg fit --plot");
    tw_figure_cli_opts(&got.figure, &call, "a.csv 00\n", &fo);
    assert_string_equal(fo.venue, "nature");
    assert_string_equal(fo.command, "thalweg fit --plot");
    assert_string_equal(fo.inputs, "a.csv 00\n");
    check_close(fo.height, 2.5, 0, 0);
    got.figure.plot = "x/y.png";
    assert_string_equal(tw_figure_cli_path(&got.figure, "fit.pdf", &store), "x/y.png");
    tw_opt_release(opts, &got);
    tw_str_release(&call.command_line);
    tw_str_release(&store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text_is_escaped),
        cmocka_unit_test(test_symbols),
        cmocka_unit_test(test_thinning),
        cmocka_unit_test(test_log_ticks),
        cmocka_unit_test(test_linear_ticks),
        cmocka_unit_test(test_axes_that_cannot_be_drawn),
        cmocka_unit_test(test_ranges_and_ticks),
        cmocka_unit_test(test_venues_match_the_option),
        cmocka_unit_test(test_options_of_a_command),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
