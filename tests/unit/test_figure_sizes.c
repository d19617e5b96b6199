/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Text has the size that a venue's row promises, in the file of every format: labels as said,
 * ticks and key one point less. */
#include <stdio.h>
#include <stdlib.h>
#include <zlib.h>

#include "../../src/figure/fig.h"
#include "folder.h"

static const struct {
    const char *venue;
    double size;
} venue[] = { { NULL, 8.0 }, { "jmlr", 9.0 }, { "slides", 18.0 } };
enum { VENUES = 3 };

/* A label on either axis and a key; linear ticks, so that nothing is raised. */
static char *draw(const char *name, const char *for_venue, size_t *n)
{
    static const double x[] = { 1, 2, 3 }, y[] = { 1, 3, 2 };
    const struct tw_figure_layer layer = {
        .mark = TW_FIGURE_LINE, .name = "key", .n = 3, .x = x, .y = y
    };
    const struct tw_figure_plane f = { .x_label = "x axis",
                                       .y_label = "y axis",
                                       .x_lo = NAN,
                                       .x_hi = NAN,
                                       .y_lo = NAN,
                                       .y_hi = NAN,
                                       .n = 1,
                                       .layers = &layer };
    const struct tw_figure_opts o = { .venue = for_venue };
    struct tw_str version = { 0 }, terminals = { 0 };
    struct tw_err err = { 0 };
    const bool able = tw_figure_doctor(&version, &terminals, NULL) == TW_OK;
    char *text;

    tw_str_release(&version);
    tw_str_release(&terminals);
    if (!able)
        skip();
    if (tw_figure_plane(in_folder(name), &f, &o, &err) != TW_OK)
        fail_msg("%s", err.msg);
    text = slurp(in_folder(name), n);
    assert_non_null(text);
    text[*n] = '\0'; /* there is room for it */
    return text;
}

/* Counts of the two sizes; any other fails. */
struct seen {
    double want;
    size_t labels, ticks;
};

static void see(struct seen *s, double size)
{
    if (fabs(size - s->want) < 0.01)
        s->labels++;
    else if (fabs(size - s->want + 1.0) < 0.01)
        s->ticks++;
    else
        fail_msg("text of %g points, where %g and %g are wanted", size, s->want, s->want - 1.0);
}

static void check_seen(const struct seen *s)
{
    assert_int_equal(s->labels, 2);
    assert_true(s->ticks > 5); /* the key's and the ticks' */
}

/* "a b c d x y Tm" sets the text's matrix, "/f 1 Tf" its font of size 1. */
static void see_operators(struct seen *s, char *page)
{
    for (char *line = strtok(page, "\n"); line; line = strtok(NULL, "\n")) {
        double a, b;
        const char *tm = strstr(line, " Tm");
        const char *at = strncmp(line, "BT", 2) == 0 ? line + 2 : line;

        if (tm && tm[3] == '\0' && sscanf(at, "%lf %lf", &a, &b) == 2)
            see(s, hypot(a, b));
    }
}

static void test_pdf(void **state)
{
    static unsigned char page[1 << 16];

    (void)state;
    for (size_t i = 0; i < VENUES; i++) {
        struct seen s = { .want = venue[i].size };
        size_t n;
        char *pdf = draw("a.pdf", venue[i].venue, &n);

        for (size_t at = 0; at + 8 < n; at++) {
            uLongf room = sizeof page - 1;

            if (memcmp(pdf + at, "stream\n", 7) != 0)
                continue;
            if (uncompress(page, &room, (const Bytef *)pdf + at + 7, (uLong)(n - at - 7)) == Z_OK) {
                page[room] = '\0';
                see_operators(&s, (char *)page);
            }
        }
        check_seen(&s);
        free(pdf);
    }
}

static void test_eps(void **state)
{
    (void)state;
    for (size_t i = 0; i < VENUES; i++) {
        struct seen s = { .want = venue[i].size };
        size_t n;
        char *eps = draw("a.eps", venue[i].venue, &n);

        see_operators(&s, eps);
        check_seen(&s);
        free(eps);
    }
}

/* Of 96 pixels an inch; gnuplot writes two decimals. */
static void test_svg(void **state)
{
    (void)state;
    for (size_t i = 0; i < VENUES; i++) {
        struct seen s = { .want = venue[i].size };
        size_t n;
        char *svg = draw("a.svg", venue[i].venue, &n);

        for (const char *at = svg; (at = strstr(at, "font-size=\"")) != NULL; at++)
            see(&s, 0.75 * strtod(at + strlen("font-size=\""), NULL));
        check_seen(&s);
        free(svg);
    }
}

static void test_tex(void **state)
{
    size_t n;
    char *tex = draw("a.tex", NULL, &n);

    (void)state;
    assert_non_null(strstr(tex, "\\begingroup\n\\fontsize{7}{8.4}\\selectfont"));
    assert_non_null(strstr(tex, "\\fontsize{8}{9.6}\\selectfont x axis}"));
    assert_non_null(strstr(tex, "\\fontsize{8}{9.6}\\selectfont y axis}"));
    assert_null(strstr(tex, "\\selectfont key"));
    free(tex);
}

/* What a PNG of 300 dots an inch is drawn with: cairo's 96 dots are its points of text. */
static void test_png(void **state)
{
    struct tw_str log = { 0 };
    struct tw_err err = { 0 };
    size_t n;

    (void)state;
    free(draw("a.svg", NULL, &n));
    if (fig_run((const char *const[]){ "gnuplot", "-d", "-e", "TW_FORMAT='png'", "a.gp", "-e",
                                       "print GPVAL_TERMOPTIONS", NULL },
                folder, NULL, &log, &err) != TW_OK)
        fail_msg("%s", err.msg);
    assert_non_null(strstr(log.s, "fontscale 3.1 size 975, "));
    tw_str_release(&log);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        folder_test(test_pdf), folder_test(test_eps), folder_test(test_svg),
        folder_test(test_tex), folder_test(test_png),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
