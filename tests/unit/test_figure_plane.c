/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Figures of one panel with layers: what script and data say, and that gnuplot puts decades and
 * points where they belong. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "num.h"
#include "thalweg/figure.h"

static char folder[] = "/tmp/thalweg-plane-XXXXXX";

static const char *in_folder(const char *name)
{
    static char path[512];

    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static char *slurp(const char *name)
{
    struct tw_str t = { 0 };
    FILE *in = fopen(in_folder(name), "r");
    int c;

    assert_non_null(in);
    tw_str_add(&t, "");
    while ((c = getc(in)) != EOF)
        tw_str_addn(&t, &(char){ (char)c }, 1);
    (void)fclose(in);
    return t.s;
}

static void has(const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("no '%s' in:\n%s", part, text);
}

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) ? 0 : 1;
}

static int remove_folder(void **state)
{
    static const char *const name[] = { "a.svg", "a.gp", "a.dat" };

    (void)state;
    for (size_t i = 0; i < 3; i++)
        (void)unlink(in_folder(name[i]));
    return rmdir(folder);
}

static enum tw_status draw(const struct tw_figure_plane *f, struct tw_err *err)
{
    *err = (struct tw_err){ 0 };
    return tw_figure_plane(in_folder("a.svg"), f, NULL, err);
}

static bool without_gnuplot(void)
{
    struct tw_str version = { 0 }, terminals = { 0 };
    const bool none = tw_figure_doctor(&version, &terminals, NULL) != TW_OK;

    tw_str_release(&version);
    tw_str_release(&terminals);
    return none;
}

/* ---- what is written ------------------------------------------------------------------------ */

static void layers_are_blocks_and_names_are_harmless(void **state)
{
    static const double x[] = { 1, 2, 3 }, y[] = { 2, NAN, 4 }, lo[] = { 1, 1, 1 },
                        hi[] = { 3, 3, 5 };
    const struct tw_figure_layer layer[] = {
        { .mark = TW_FIGURE_BAND, .n = 3, .x = x, .y = lo, .y2 = hi, .colour = 1 },
        { .mark = TW_FIGURE_LINE,
          .name = "it's `date` a_b",
          .n = 3,
          .x = x,
          .y = y,
          .dashed = true },
        { .mark = TW_FIGURE_POINTS, .n = 3, .x = x, .y = y, .y2 = lo, .y3 = hi, .colour = -1 },
    };
    const struct tw_figure_plane f = { .x_label = "a\nb",
                                       .y_label = "y",
                                       .log_x = false,
                                       .log_y = false,
                                       .x_lo = NAN,
                                       .x_hi = NAN,
                                       .y_lo = NAN,
                                       .y_hi = NAN,
                                       .square = false,
                                       .n = 3,
                                       .layers = layer };
    struct tw_err err;
    char *gp, *dat;

    (void)state;
    if (without_gnuplot())
        skip();
    if (draw(&f, &err) != TW_OK)
        fail_msg("%s", err.msg);
    gp = slurp("a.gp");
    dat = slurp("a.dat");
    has(dat, "# layer 1: \n# x lo hi\n 1 1 3\n");
    has(dat, "\n 2 NaN\n");
    has(dat, "# x y lo hi\n 1 2 1 3\n");
    has(gp, "2:3 with filledcurves");
    has(gp, "dt 12");
    has(gp, "it’s `date` a\\_b"); /* in single quotes nothing runs */
    has(gp, "maxrows 1 ");
    free(gp);
    free(dat);
}

static void bands_have_gaps(void **state)
{
    static const double x[] = { 1, 2, 3, 4, 5, 6 }, lo[] = { NAN, 1, NAN, NAN, 2, 3 },
                        hi[] = { NAN, 3, NAN, NAN, 5, 4 };
    const struct tw_figure_layer layer = {
        .mark = TW_FIGURE_BAND, .n = 6, .x = x, .y = lo, .y2 = hi
    };
    const struct tw_figure_plane f = { .x_label = "x",
                                       .y_label = "y",
                                       .x_lo = NAN,
                                       .x_hi = NAN,
                                       .y_lo = NAN,
                                       .y_hi = NAN,
                                       .n = 1,
                                       .layers = &layer };
    struct tw_err err;
    char *dat;

    (void)state;
    if (without_gnuplot())
        skip();
    if (draw(&f, &err) != TW_OK)
        fail_msg("%s", err.msg);
    dat = slurp("a.dat");
    has(dat, "# x lo hi\n 2 1 3\n\n 5 2 5\n 6 3 4\n");
    free(dat);
}

/* The number before the attribute's end after `from` that follows the text. */
static double number_after(const char *text, const char *mark, const char *attribute)
{
    const char *at = strstr(text, mark);

    assert_non_null(at);
    at = strstr(at, attribute);
    assert_non_null(at);
    return strtod(at + strlen(attribute), NULL);
}

/* The x of the label of the tick 10^e, in the picture's units: its text element comes before. */
static double tick(const char *svg, const char *exponent)
{
    char mark[32];
    const char *at, *text;
    double x = NAN;

    (void)snprintf(mark, sizeof mark, ">%s</tspan>", exponent);
    at = strstr(svg, mark);
    if (!at)
        fail_msg("no tick 10^%s", exponent);
    for (text = svg; (text = strstr(text, "translate(")) && text < at; text++)
        x = strtod(text + strlen("translate("), NULL);
    return x;
}

static void decades_are_where_they_say(void **state)
{
    static const double x[] = { 4e7, 3e9 }, y[] = { 1, 2 };
    const struct tw_figure_layer layer = { .mark = TW_FIGURE_LINE, .n = 2, .x = x, .y = y };
    const struct tw_figure_plane f = { .x_label = "N",
                                       .y_label = "y",
                                       .log_x = true,
                                       .log_y = false,
                                       .x_lo = 4e7,
                                       .x_hi = 3e9,
                                       .y_lo = 1,
                                       .y_hi = 2,
                                       .square = false,
                                       .n = 1,
                                       .layers = &layer };
    double eight, nine, left, right;
    struct tw_err err;
    char *svg, *gp;

    (void)state;
    if (without_gnuplot())
        skip();
    if (draw(&f, &err) != TW_OK)
        fail_msg("%s", err.msg);
    gp = slurp("a.gp");
    has(gp, "set xtics 1e+07, 10;");
    svg = slurp("a.svg");
    eight = tick(svg, "8");
    nine = tick(svg, "9");
    /* The line goes from one border to the other. */
    left = number_after(svg, "<g id=\"gnuplot_plot_1\"", "d='M");
    {
        const char *at = strstr(strstr(svg, "<g id=\"gnuplot_plot_1\""), "d='M");

        at = strchr(at, 'L');
        assert_non_null(at);
        right = strtod(at + 1, NULL);
    }
    check_close((eight - left) / (right - left), log(1e8 / 4e7) / log(3e9 / 4e7), 0.0, 0.02);
    check_close((nine - left) / (right - left), log(1e9 / 4e7) / log(3e9 / 4e7), 0.0, 0.02);
    free(svg);
    free(gp);
}

static void ends_of_lines_are_named_where_they_leave(void **state)
{
    static const double x[] = { 1, 10, 100 }, out[] = { 90, 50, 30 }, down[] = { 60, 20, 1 },
                        close[] = { 91, 51, 31 };
    const struct tw_figure_layer layer[] = {
        { .mark = TW_FIGURE_LINE, .end = "right", .n = 3, .x = x, .y = out },
        { .mark = TW_FIGURE_LINE, .end = "lower", .n = 3, .x = x, .y = down },
        { .mark = TW_FIGURE_LINE, .end = "hidden", .n = 3, .x = x, .y = close },
    };
    const struct tw_figure_plane f = { .x_label = "x",
                                       .y_label = "y",
                                       .log_x = true,
                                       .log_y = true,
                                       .x_lo = 1,
                                       .x_hi = 100,
                                       .y_lo = 10,
                                       .y_hi = 100,
                                       .square = false,
                                       .n = 3,
                                       .layers = layer };
    struct tw_err err;
    char *gp;

    (void)state;
    if (without_gnuplot())
        skip();
    if (draw(&f, &err) != TW_OK)
        fail_msg("%s", err.msg);
    gp = slurp("a.gp");
    has(gp, "set label 'right' at graph 1, graph 0.477"); /* log10 3 */
    has(gp, "set label 'lower' at graph 0.5, graph 0.301");
    assert_null(strstr(gp, "hidden")); /* too close to the first */
    has(gp, "unset key");
    free(gp);
}

/* ---- errors --------------------------------------------------------------------------------- */

static void nothing_to_draw_is_said(void **state)
{
    static const double x[] = { 1, 2 }, y[] = { -1, NAN };
    const struct tw_figure_layer layer = { .mark = TW_FIGURE_POINTS, .n = 2, .x = x, .y = y };
    struct tw_figure_plane f = { .x_label = "x",
                                 .y_label = "y",
                                 .log_x = false,
                                 .log_y = true,
                                 .x_lo = NAN,
                                 .x_hi = NAN,
                                 .y_lo = NAN,
                                 .y_hi = NAN,
                                 .square = false,
                                 .n = 1,
                                 .layers = &layer };
    struct tw_err err;

    (void)state;
    assert_int_equal(draw(&f, &err), TW_EINVAL);
    assert_string_equal(err.msg,
                        "nothing to draw: no point has numbers above zero, as log axes need");
    f.n = 0;
    assert_int_equal(draw(&f, &err), TW_EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(layers_are_blocks_and_names_are_harmless),
        cmocka_unit_test(bands_have_gaps),
        cmocka_unit_test(decades_are_where_they_say),
        cmocka_unit_test(ends_of_lines_are_named_where_they_leave),
        cmocka_unit_test(nothing_to_draw_is_said),
    };

    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
