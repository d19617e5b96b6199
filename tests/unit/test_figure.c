/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../src/figure/fig.h"
#include "num.h"
#include "thalweg/figure.h"

enum { N = 30 };

static char folder[] = "/tmp/thalweg-figure-XXXXXX";
static bool have_gnuplot, same_gnuplot; /* goldens are of 5.4 */

/* ---- helpers --------------------------------------------------------------------------- */

static const char *in_folder(const char *name)
{
    static char path[4][512];
    static unsigned turn;

    turn = (turn + 1) % 4;
    (void)snprintf(path[turn], sizeof path[turn], "%s/%s", folder, name);
    return path[turn];
}

/* NUL bytes of a binary file become blanks, so that strstr finds what follows. */
static char *slurp(const char *path)
{
    struct tw_str t = { 0 };
    FILE *in = fopen(path, "r");
    int c;

    if (!in)
        return NULL;
    tw_str_add(&t, "");
    while ((c = getc(in)) != EOF)
        tw_str_addn(&t, &(char){ (char)(c ? c : ' ') }, 1);
    (void)fclose(in);
    return t.s;
}

static bool exists(const char *name)
{
    return access(in_folder(name), F_OK) == 0;
}

static void write_text(const char *name, const char *mode, const char *text)
{
    FILE *out = fopen(in_folder(name), mode);

    assert_non_null(out);
    assert_true(fputs(text, out) >= 0);
    assert_int_equal(fclose(out), 0);
}

static void put(const char *name, const char *text)
{
    write_text(name, "w", text);
}

/* Two curves in plain arithmetic: the same bits on every machine. */
struct sample {
    double x[N], y[2][N], line[2][N], lo95[N], hi95[N], lo68[N], hi68[N], lr[2][N];
    struct tw_figure_curve c[2];
    struct tw_figure_curves f;
};

static void fill(struct sample *s)
{
    for (int i = 0; i < N; i++) {
        double x = 200.0 * (i + 1), wiggle = (i * 37 % 17 - 8) * 0.002;

        s->x[i] = x;
        s->lr[0][i] = 3e-4;
        s->lr[1][i] = i < 20 ? 3e-4 : 3e-4 * (N - 1 - i) / 10.0;
        s->line[0][i] = 3.0 + 2.0 / (1.0 + x / 300.0);
        s->line[1][i] = s->line[0][i] - (i > 20 ? 0.008 * (i - 20) : 0.0);
        s->y[0][i] = s->line[0][i] + wiggle;
        s->y[1][i] = s->line[1][i] - wiggle;
        s->lo95[i] = s->line[1][i] - 0.04;
        s->hi95[i] = s->line[1][i] + 0.04;
        s->lo68[i] = s->line[1][i] - 0.02;
        s->hi68[i] = s->line[1][i] + 0.02;
    }
    s->c[0] = (struct tw_figure_curve){ .name = "constant",
                                        .role = "fitted",
                                        .n = N,
                                        .x = s->x,
                                        .y = s->y[0],
                                        .m = N,
                                        .line_x = s->x,
                                        .line = s->line[0],
                                        .k = N,
                                        .lr_x = s->x,
                                        .lr = s->lr[0],
                                        .fitted_to = 4000.0 };
    s->c[1] = s->c[0];
    s->c[1].name = "linear_decay";
    s->c[1].role = "held out";
    s->c[1].y = s->y[1];
    s->c[1].line = s->line[1];
    s->c[1].lo95 = s->lo95;
    s->c[1].hi95 = s->hi95;
    s->c[1].lo68 = s->lo68;
    s->c[1].hi68 = s->hi68;
    s->c[1].lr = s->lr[1];
    s->c[1].fitted_to = nan("");
    s->f = (struct tw_figure_curves){ .x_label = "training step",
                                      .y_label = "loss",
                                      .n = 2,
                                      .curves = s->c,
                                      .show_lr = true,
                                      .show_residuals = true };
}

static const struct tw_figure_opts plain = { .font = "Liberation Serif",
                                             .command = "thalweg fit mpl a.csv" };

static void must(enum tw_status st, const struct tw_err *err)
{
    if (st != TW_OK)
        fail_msg("%s", err->msg);
}

/* ---- figures ----------------------------------------------------------------------------- */

static void test_bad_options(void **state)
{
    static const struct tw_figure_opts bad[] = {
        { .venue = "nowhere" }, { .width = "wide" }, { .width = "0.2" }, { .height = -1.0 },
        { .height = 1e9 },      { .format = "bmp" }, { .font = "a,b" },  { .height = 0.8 },
    };
    struct sample s;

    (void)state;
    fill(&s);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct tw_err err = { 0 };

        assert_int_equal(tw_figure_curves(in_folder("bad.pdf"), &s.f, &bad[i], &err), TW_EINVAL);
        assert_true(strlen(err.msg) > 10);
    }
    assert_int_equal(tw_figure_curves(in_folder("noname"), &s.f, NULL, NULL), TW_EINVAL);
    assert_int_equal(tw_figure_curves(in_folder("x.docx"), &s.f, NULL, NULL), TW_EINVAL);
    assert_false(exists("bad.gp"));
}

/* Compares a made file with its golden; with TW_REMAKE set, writes the golden instead. */
static void golden(const char *made, const char *name)
{
    char path[512], *got = slurp(in_folder(made)), *want;

    (void)snprintf(path, sizeof path, "tests/golden/%s", name);
    assert_non_null(got);
    if (getenv("TW_REMAKE")) {
        FILE *out = fopen(path, "w");

        assert_non_null(out);
        assert_true(fputs(got, out) >= 0);
        assert_int_equal(fclose(out), 0);
    }
    want = slurp(path);
    assert_non_null(want);
    if (strcmp(got, want) != 0)
        fail_msg("%s differs from %s; after looking: tests/golden/remake-figures.sh",
                 in_folder(made), path);
    free(got);
    free(want);
}

static void test_curves_golden(void **state)
{
    struct tw_err err = { 0 };
    struct sample s;
    char *first, *again;

    (void)state;
    if (!have_gnuplot)
        skip();
    fill(&s);
    must(tw_figure_curves(in_folder("figure-curves.svg"), &s.f, &plain, &err), &err);
    golden("figure-curves.dat", "figure-curves.dat");
    if (same_gnuplot)
        golden("figure-curves.svg", "figure-curves.svg");
    /* By hand, without thalweg, in its folder: the same picture. */
    first = slurp(in_folder("figure-curves.svg"));
    assert_int_equal(unlink(in_folder("figure-curves.svg")), 0);
    must(fig_run((const char *const[]){ "gnuplot", "-d", "figure-curves.gp", NULL }, folder, NULL,
                 NULL, &err),
         &err);
    again = slurp(in_folder("figure-curves.svg"));
    assert_non_null(again);
    assert_string_equal(first, again);
    free(first);
    free(again);
}

static void test_profiles_golden(void **state)
{
    static double x[2][21], rise[21];
    struct tw_figure_profile p[2];
    struct tw_err err = { 0 };

    (void)state;
    if (!have_gnuplot)
        skip();
    for (int i = 0; i < 21; i++) {
        x[0][i] = 0.35 + 0.01 * i;
        x[1][i] = 1.0 - 0.0005 * (i + 1);
        rise[i] = 0.05 * (i - 10) * (i - 10);
    }
    p[0] = (struct tw_figure_profile){ "alpha", 21, x[0], rise, 0.45, 0.41, 0.49, 1.92, false };
    p[1] =
        (struct tw_figure_profile){ "lambda", 21, x[1], rise, 0.9945, 0.9925, 0.9965, 1.92, true };
    must(tw_figure_profiles(in_folder("figure-profiles.svg"), p, 2, &plain, &err), &err);
    golden("figure-profiles.dat", "figure-profiles.dat");
    if (same_gnuplot)
        golden("figure-profiles.svg", "figure-profiles.svg");
    assert_int_equal(tw_figure_profiles(in_folder("none.svg"), p, 0, &plain, NULL), TW_EINVAL);
}

static void test_names_do_not_execute(void **state)
{
    struct tw_figure_opts o = plain;
    struct tw_err err = { 0 };
    struct sample s;
    char *svg;

    (void)state;
    if (!have_gnuplot)
        skip();
    fill(&s);
    s.c[0].name = "`touch pwned`'; system 'touch pwned' #";
    s.c[1].name = "x_y\\\n\"; @X {/Symbol a} %s %d $HOME\\";
    s.c[1].role = "held out\nsystem 'touch pwned'";
    s.f.x_label = "s'tep`touch pwned`";
    s.f.y_label = "'; system('touch pwned') #";
    o.command = "thalweg fit \\\nsystem 'touch pwned'\n`touch pwned`\\";
    o.inputs = "a\\\nsystem 'touch pwned'\n";
    must(tw_figure_curves(in_folder("it's`touch pwned`.svg"), &s.f, &o, &err), &err);
    must(tw_figure_curves(in_folder("'na\"s$ty'.tex"), &s.f, &o, &err), &err);
    assert_false(exists("pwned"));
    assert_int_not_equal(access("pwned", F_OK), 0);
    svg = slurp(in_folder("it's`touch pwned`.svg"));
    assert_non_null(svg);
    assert_non_null(strstr(svg, "s’tep`touch pwned`"));
    assert_non_null(strstr(svg, "$HOME\\"));
    free(svg);
}

static void test_formats(void **state)
{
    static const struct {
        const char *name, *start;
    } f[] = { { "f.pdf", "%PDF" },
              { "f.png", "\x89PNG" },
              { "f.svg", "<?xml" },
              { "f.eps", "%!PS" },
              { "f.tex", "% GNUPLOT" } };
    struct sample s;

    (void)state;
    if (!have_gnuplot)
        skip();
    fill(&s);
    for (size_t i = 0; i < sizeof f / sizeof f[0]; i++) {
        struct tw_err err = { 0 };
        char *got;

        must(tw_figure_curves(in_folder(f[i].name), &s.f, &plain, &err), &err);
        got = slurp(in_folder(f[i].name));
        assert_non_null(got);
        assert_memory_equal(got, f[i].start, strlen(f[i].start));
        if (i == 0) /* exactly as wide as asked: 3.25 inches */
            assert_non_null(strstr(got, "/MediaBox [ 0 0 234 "));
        free(got);
    }
}

/* Curves that real logs have: one point, none, all equal, NaN, all-negative, a huge start. */
static void test_odd_curves(void **state)
{
    double x[5] = { 1, 2, 3, 4, 5 }, flat[5] = { 2, 2, 2, 2, 2 },
           gaps[5] = { 9e9, nan(""), 3, HUGE_VAL, 2 }, minus[5] = { -1, -2, -3, -4, -5 };
    const double *ys[] = { flat, gaps, minus };
    struct sample s;

    (void)state;
    if (!have_gnuplot)
        skip();
    for (int logs = 0; logs < 2; logs++)
        for (size_t n = 0; n <= 5; n += n ? 4 : 1)
            for (size_t k = 0; k < 3; k++) {
                struct tw_err err = { 0 };

                fill(&s);
                s.c[0] = (struct tw_figure_curve){
                    .name = "odd", .n = n, .x = x, .y = ys[k], .fitted_to = nan("")
                };
                s.f.n = 1;
                s.f.log_x = s.f.log_y = logs;
                must(tw_figure_curves(in_folder("odd.svg"), &s.f, &plain, &err), &err);
            }
}

static void test_locale_does_not_matter(void **state)
{
    static const char *const names[] = { "de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8", "C.UTF-8" };
    struct tw_err err = { 0 };
    struct sample s;

    (void)state;
    if (!have_gnuplot)
        skip();
    fill(&s);
    for (size_t i = 0; i < 4 && !setlocale(LC_ALL, names[i]);)
        i++;
    must(tw_figure_curves(in_folder("figure-curves.svg"), &s.f, &plain, &err), &err);
    (void)setlocale(LC_ALL, "C");
    golden("figure-curves.dat", "figure-curves.dat");
    if (same_gnuplot)
        golden("figure-curves.svg", "figure-curves.svg");
}

/* ---- side files and failures -------------------------------------------------------------- */

static void test_residuals_beyond_the_edge_are_marked(void **state)
{
    struct tw_err err = { 0 };
    struct sample s;
    char *text;

    (void)state;
    if (!have_gnuplot)
        skip();
    fill(&s);
    must(tw_figure_curves(in_folder("all.svg"), &s.f, &plain, &err), &err);
    text = slurp(in_folder("all.gp"));
    assert_null(strstr(text, "RMAX"));
    free(text);
    s.y[0][12] *= 1.2;
    s.y[1][7] = nan("");
    must(tw_figure_curves(in_folder("out.svg"), &s.f, &plain, &err), &err);
    text = slurp(in_folder("out.gp"));
    assert_non_null(strstr(text, "$3 > RMAX ? 0.9 * RMAX"));
    assert_non_null(strstr(text, "-$3 > RMAX ? -0.9 * RMAX"));
    free(text);
    text = slurp(in_folder("out.svg"));
    assert_non_null(strstr(text, "1 of 59 points beyond"));
    free(text);
}

struct kept {
    char s[256];
    size_t n;
};

static void note_kept(void *ctx, const char *path, const char *as)
{
    struct kept *kept = ctx;

    assert_string_equal(path, in_folder("edit.gp"));
    (void)snprintf(kept->s, sizeof kept->s, "%s", as);
    kept->n++;
}

static void test_side_files_are_safe(void **state)
{
    struct tw_figure_opts o = plain;
    struct kept kept = { 0 };
    struct tw_err err = { 0 };
    struct sample s;
    char *text;

    (void)state;
    if (!have_gnuplot)
        skip();
    fill(&s);
    put("log.dat", "1 2 3\n");
    assert_int_equal(tw_figure_curves(in_folder("log.svg"), &s.f, &plain, &err), TW_EIO);
    text = slurp(in_folder("log.dat"));
    assert_string_equal(text, "1 2 3\n");
    free(text);
    err = (struct tw_err){ 0 };
    o.kept = note_kept;
    o.kept_ctx = &kept;
    must(tw_figure_curves(in_folder("edit.svg"), &s.f, &o, &err), &err);
    must(tw_figure_curves(in_folder("edit.svg"), &s.f, &o, &err), &err);
    assert_int_equal(kept.n, 0);
    assert_false(exists("edit.gp.~1~"));
    for (int k = 1; k <= 2; k++) {
        char mine[32], name[32];

        (void)snprintf(mine, sizeof mine, "# mine, %d\n", k);
        (void)snprintf(name, sizeof name, "edit.gp.~%d~", k);
        write_text("edit.gp", "a", mine);
        must(tw_figure_curves(in_folder("edit.svg"), &s.f, &o, &err), &err);
        assert_int_equal(kept.n, (size_t)k);
        assert_string_equal(kept.s, in_folder(name));
        text = slurp(in_folder(name));
        assert_non_null(strstr(text, mine));
        free(text);
        text = slurp(in_folder("edit.gp"));
        assert_null(strstr(text, "# mine"));
        free(text);
    }
    text = slurp(in_folder("edit.gp.~1~")); /* the first is still the first */
    assert_non_null(strstr(text, "# mine, 1\n"));
    free(text);
}

static void test_without_gnuplot(void **state)
{
    struct tw_err err = { 0 };
    char *path = tw_strdup(getenv("PATH"));
    struct tw_str v = { 0 }, t = { 0 };
    struct sample s;

    (void)state;
    fill(&s);
    assert_int_equal(setenv("PATH", folder, 1), 0);
    assert_int_equal(tw_figure_curves(in_folder("none.pdf"), &s.f, &plain, &err), TW_EIO);
    assert_non_null(strstr(err.msg, "gnuplot"));
    assert_non_null(strstr(err.msg, "apt-get install gnuplot-nox"));
    assert_true(exists("none.gp") && exists("none.dat"));
    assert_false(exists("none.pdf"));
    err = (struct tw_err){ 0 };
    assert_int_equal(tw_figure_doctor(&v, &t, &err), TW_EIO);
    /* A gnuplot that fails: its own words are passed on. */
    put("gnuplot", "#!/bin/sh\necho 'line 0: no such terminal' >&2\nexit 3\n");
    assert_int_equal(rename(in_folder("gnuplot"), in_folder("g")), 0);
    assert_int_equal(setenv("PATH", path, 1), 0);
    must(fig_run((const char *const[]){ "chmod", "755", in_folder("g"), NULL }, NULL, NULL, NULL,
                 &(struct tw_err){ 0 }),
         &err);
    assert_int_equal(rename(in_folder("g"), in_folder("gnuplot")), 0);
    assert_int_equal(setenv("PATH", folder, 1), 0);
    err = (struct tw_err){ 0 };
    assert_int_equal(tw_figure_curves(in_folder("none.pdf"), &s.f, &plain, &err), TW_EIO);
    assert_non_null(strstr(err.msg, "no such terminal"));
    assert_int_equal(setenv("PATH", path, 1), 0);
    assert_int_equal(unlink(in_folder("gnuplot")), 0);
    tw_str_release(&v);
    tw_str_release(&t);
    free(path);
}

static void test_doctor(void **state)
{
    struct tw_str v = { 0 }, t = { 0 };
    struct tw_err err = { 0 };

    (void)state;
    if (!have_gnuplot)
        skip();
    must(tw_figure_doctor(&v, &t, &err), &err);
    assert_memory_equal(v.s, "gnuplot ", 8);
    assert_non_null(strstr(t.s, "svg"));
    assert_null(strchr(t.s, '\n'));
    tw_str_release(&v);
    tw_str_release(&t);
}

static int start(void **state)
{
    struct tw_str v = { 0 }, t = { 0 };

    (void)state;
    if (!mkdtemp(folder))
        return -1;
    have_gnuplot = tw_figure_doctor(&v, &t, NULL) == TW_OK;
    same_gnuplot = have_gnuplot && v.s && strstr(v.s, "5.4 patchlevel 4");
    tw_str_release(&v);
    tw_str_release(&t);
    return setenv("XDG_CONFIG_HOME", folder, 1); /* nobody's own style */
}

static int finish(void **state)
{
    (void)state;
    if (getenv("TW_KEEP"))
        return 0;
    return fig_run((const char *const[]){ "rm", "-rf", folder, NULL }, NULL, NULL, NULL, NULL) ==
                   TW_OK
               ? 0
               : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bad_options),
        cmocka_unit_test(test_curves_golden),
        cmocka_unit_test(test_profiles_golden),
        cmocka_unit_test(test_names_do_not_execute),
        cmocka_unit_test(test_formats),
        cmocka_unit_test(test_odd_curves),
        cmocka_unit_test(test_locale_does_not_matter),
        cmocka_unit_test(test_residuals_beyond_the_edge_are_marked),
        cmocka_unit_test(test_side_files_are_safe),
        cmocka_unit_test(test_without_gnuplot),
        cmocka_unit_test(test_doctor),
    };

    return cmocka_run_group_tests(tests, start, finish);
}
