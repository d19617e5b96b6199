/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fig.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Text and column widths of the venues' style files; label sizes sit a point or two under
 * the caption so that a figure reads as quieter than the text. "serif" and "sans" stand for
 * what the machine has that looks like Times and Helvetica. */
const struct tw_venue tw_venues[] = {
    { "icml", "ICML, two columns", 6.75, 3.25, "serif", 8 },
    { "neurips", "NeurIPS, one column", 5.5, 2.7, "serif", 8 },
    { "iclr", "ICLR, one column", 5.5, 2.7, "serif", 8 },
    { "aistats", "AISTATS, two columns", 6.75, 3.25, "serif", 8 },
    { "uai", "UAI, two columns", 6.75, 3.25, "serif", 8 },
    { "cvpr", "CVPR, ICCV, two columns", 6.875, 3.25, "serif", 8 },
    { "aaai", "AAAI, two columns", 6.975, 3.3, "serif", 8 },
    { "jmlr", "JMLR, one column", 6.0, 3.0, "Latin Modern Roman", 9 },
    { "tmlr", "TMLR, one column", 6.5, 3.25, "serif", 9 },
    { "eccv", "ECCV, one column", 4.8, 2.4, "serif", 8 },
    { "nature", "Nature, two columns", 7.2, 3.5, "sans", 7 },
    { "ieee", "IEEE, two columns", 7.16, 3.5, "serif", 8 },
    { "slides", "slides, 16:9", 12.0, 6.0, "sans", 18 },
    { NULL, NULL, 0, 0, NULL, 0 },
};

const struct tw_venue *tw_venue_find(const char *name)
{
    for (const struct tw_venue *v = tw_venues; v->name; v++)
        if (!strcmp(v->name, name))
            return v;
    return NULL;
}

/* Whether fontconfig has this very family (it always answers with some font). Without its
 * fc-match nothing can be said, and the first choice stands. */
static bool have_font(const char *family)
{
    const char *argv[] = { "fc-match", "-f", "%{family}", family, NULL };
    struct tw_str out = { 0 }, log = { 0 };
    bool have = fig_run(argv, NULL, &out, &log, NULL) != TW_OK || !out.s ||
                !strncmp(out.s, family, strlen(family));

    tw_str_release(&out);
    tw_str_release(&log);
    return have;
}

/* "serif", "sans" or a venue's own family: the first of a list of like looks that is here. */
static const char *known_font(const char *want)
{
    static const char *const serif[] = { "TeX Gyre Termes", "Liberation Serif", "Nimbus Roman",
                                         "Times New Roman", "serif" };
    static const char *const sans[] = { "TeX Gyre Heros", "Liberation Sans", "Nimbus Sans", "Arial",
                                        "sans" };
    const char *const *list = !strcmp(want, "sans") ? sans : serif;
    size_t i = 0;

    if (strcmp(want, "sans") != 0 && strcmp(want, "serif") != 0 && have_font(want))
        return want;
    while (i + 1 < sizeof serif / sizeof serif[0] && !have_font(list[i]))
        i++;
    return list[i];
}

static enum tw_status set_font(struct fig_page *p, const struct tw_venue *v, const char *font,
                               struct tw_err *err)
{
    const char *family = font;

    if (!font || !*font || !strcmp(font, "serif") || !strcmp(font, "sans"))
        family = known_font(font && *font ? font : v->font);
    /* A comma would end the family in gnuplot's "family,size". */
    if (strlen(family) >= sizeof p->font || strpbrk(family, ",:\n\r\"\\"))
        return tw_err_set(err, TW_EINVAL, "font: '%s' is not the name of a font family", family);
    (void)snprintf(p->font, sizeof p->font, "%s", family);
    return TW_OK;
}

static enum tw_status set_width(struct fig_page *p, const struct tw_venue *v, const char *width,
                                struct tw_err *err)
{
    double w;

    if (!width || !*width || !strcmp(width, "half"))
        p->w = v->half;
    else if (!strcmp(width, "full"))
        p->w = v->full;
    else if (tw_str_to_real(width, &w) && w >= 1.0 && w <= 40.0)
        p->w = w;
    else
        return tw_err_set(err, TW_EINVAL, "width: '%s' is neither full, half nor 1 to 40 inches",
                          width);
    return TW_OK;
}

static enum tw_status set_format(struct fig_page *p, const char *path, const char *format,
                                 struct tw_err *err)
{
    static const char *const known[] = { "pdf", "png", "svg", "tex", "eps" };
    const char *name = strrchr(path, '/');
    const char *dot = strrchr(name ? name : path, '.');
    const char *want = format && *format ? format : dot ? dot + 1 : "";

    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (!strcmp(want, known[i])) {
            p->term = known[i];
            p->tex = !strcmp(want, "tex");
            return TW_OK;
        }
    return tw_err_set(err, TW_EINVAL, "%s: a figure ends in .pdf, .png, .svg, .tex or .eps", path);
}

enum tw_status fig_page_init(struct fig_page *p, const char *path,
                             const struct tw_figure_opts *opts, struct tw_err *err)
{
    static const struct tw_figure_opts none;
    const struct tw_figure_opts *o = opts ? opts : &none;
    const struct tw_venue *v = o->venue && *o->venue ? tw_venue_find(o->venue) : tw_venues;
    enum tw_status st;

    *p = (struct fig_page){ 0 };
    if (!v)
        return tw_err_set(err, TW_EINVAL, "venue: '%s' is not one that thalweg knows", o->venue);
    if (!(o->height >= 0.0 && o->height <= 40.0) || (o->height > 0.0 && o->height < 0.8))
        return tw_err_set(err, TW_EINVAL, "height: %g is not 0.8 to 40 inches", o->height);
    p->h = o->height;
    p->fs = v->label_size;
    /* Lines thicken with the text, but less: a slide's are not posters. */
    p->lw = p->fs > 9.0 ? sqrt(p->fs / 8.0) * 1.2 : 1.0;
    st = set_format(p, path, o->format, err);
    if (st == TW_OK)
        st = set_width(p, v, o->width, err);
    return st == TW_OK ? set_font(p, v, o->font, err) : st;
}

enum tw_status tw_figure_check(const char *path, const struct tw_figure_opts *opts,
                               struct tw_err *err)
{
    struct fig_files f = { 0 };
    struct fig_page p;
    enum tw_status st = fig_page_init(&p, path, opts, err);

    if (st == TW_OK)
        st = fig_files_init(&f, path, err);
    if (st == TW_OK && access(f.dir, W_OK | X_OK) != 0)
        st = tw_err_set(err, TW_EIO, "%s: no file can be made in %s: %s", path, f.dir,
                        strerror(errno));
    fig_files_release(&f);
    return st;
}

double fig_text_width(const struct fig_page *p, size_t n)
{
    return (double)n * 0.47 * (p->fs - 1.0) / 72.0;
}

double fig_left_margin(const struct fig_page *p, double wide)
{
    return (1.35 * p->fs + (wide + 1.2) * (p->fs - 1.0)) / 72.0;
}

double fig_key_height(const struct fig_page *p, size_t rows)
{
    return 1.2 * (double)rows * (p->fs - 1.0) / 72.0;
}

size_t fig_text_length(const char *s)
{
    size_t n = 0;

    for (; *s; s++)
        n += ((unsigned char)*s & 0xC0) != 0x80;
    return n;
}
