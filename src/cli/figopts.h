/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cli/figopts.h - the figure options that every drawing command shares. A command puts a
 * struct tw_figure_cli into its options struct and TW_FIGURE_ROWS into its table, then:
 *
 *     if (o->figure.plot) {
 *         path = tw_figure_cli_path(&o->figure, "fit.pdf", &store);
 *         tw_figure_cli_opts(&o->figure, call, inputs, &fo);
 *         st = tw_figure_curves(path, &curves, &fo, &call->err);
 *         if (st == TW_OK)
 *             tw_figure_cli_done(&o->figure, call, "figure", path);
 *     }
 */
#ifndef TW_CLI_FIGOPTS_H
#define TW_CLI_FIGOPTS_H

#include "cmd.h"
#include "thalweg/figure.h"

struct tw_figure_cli {
    const char *plot; /* NULL: no figure; "": under the command's own name */
    const char *venue, *width, *font, *format;
    double height; /* 0: by content */
    bool show;
};

#define TW_FIGURE_VENUES "icml|neurips|iclr|aistats|uai|cvpr|aaai|jmlr|tmlr|eccv|nature|ieee|slides"

/* How a figure looks: rows of a command's option table; `type` is its options struct, `field`
 * the member that is a struct tw_figure_cli. */
// clang-format off: a table reads better one row a line
#define TW_FIGURE_LOOK_ROWS(type, field)                                                           \
    { TW_OPT_CHOICE,                                                                               \
      0,                                                                                           \
      "venue",                                                                                     \
      TW_OPT_FIELD(type, field.venue),                                                             \
      "NAME",                                                                                      \
      "sizes and font of a venue's style files [icml]",                                            \
      0,                                                                                           \
      0,                                                                                           \
      TW_FIGURE_VENUES },                                                                          \
        { TW_OPT_STR, 0,                                                                           \
          "width",    TW_OPT_FIELD(type, field.width),                                             \
          "WIDTH",    "full, half, or inches [half]",                                              \
          0,          0,                                                                           \
          NULL },                                                                                  \
        { TW_OPT_REAL, 0,                                                                          \
          "height",    TW_OPT_FIELD(type, field.height),                                           \
          "INCHES",    "height of the figure [by content]",                                        \
          0.8,         40,                                                                         \
          NULL },                                                                                  \
        { TW_OPT_STR, 0,                                                                           \
          "font",     TW_OPT_FIELD(type, field.font),                                              \
          "FONT",     "serif, sans, or a family [the venue's]",                                    \
          0,          0,                                                                           \
          NULL },                                                                                  \
        { TW_OPT_CHOICE,                                                                           \
          0,                                                                                       \
          "format",                                                                                \
          TW_OPT_FIELD(type, field.format),                                                        \
          "FORMAT",                                                                                \
          "format of the figure [by its name]",                                                    \
          0,                                                                                       \
          0,                                                                                       \
          "pdf|png|svg|tex|eps" },                                                                 \
    {                                                                                              \
        TW_OPT_FLAG, 0, "show", TW_OPT_FIELD(type, field.show), NULL,                              \
            "also show the figure in this terminal", 0, 0, NULL                                    \
    }

/* The same for a command that draws on request. */
#define TW_FIGURE_ROWS(type, field)                                                                \
    { TW_OPT_HEAD, 0, "Figure", 0, NULL, NULL, 0, 0, NULL },                                       \
        { TW_OPT_FIGURE,                                                                           \
          'p',                                                                                     \
          "plot",                                                                                  \
          TW_OPT_FIELD(type, field.plot),                                                          \
          "FIGURE",                                                                                \
          "draw FIGURE (.pdf .png .svg .tex .eps), with its script and data beside it",            \
          0,                                                                                       \
          0,                                                                                       \
          NULL },                                                                                  \
        TW_FIGURE_LOOK_ROWS(type, field)
// clang-format on

/* The figure's path: as given, or `otherwise` (with the suffix that --format asks for) when
 * --plot stood alone. Kept in *store, the caller's to release. */
const char *tw_figure_cli_path(const struct tw_figure_cli *f, const char *otherwise,
                               struct tw_str *store);

/* Sizes, fonts and provenance of this call; `inputs` is "path sha256" lines or NULL. What *o
 * points to lives as long as the call and `inputs`. */
void tw_figure_cli_opts(const struct tw_figure_cli *f, struct tw_call *call, const char *inputs,
                        struct tw_figure_opts *o);

/* Before the computation: is `path` (NULL: no figure) a figure's name, and the look possible? */
enum tw_status tw_figure_cli_check(const struct tw_figure_cli *f, struct tw_call *call,
                                   const char *path) TW_CHECKED;

/* After a figure was made: says so, notes it in the JSON under `key`, previews it if asked. A
 * preview that fails is a warning. */
void tw_figure_cli_done(const struct tw_figure_cli *f, struct tw_call *call, const char *key,
                        const char *path);

#endif
