/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cli/fitfig.h - figures of fits and forecasts, for the commands that make them and for plot. */
#ifndef TW_CLI_FITFIG_H
#define TW_CLI_FITFIG_H

#include "figopts.h"
#include "fitfile.h"

/* Where a law's line is drawn, and what it is there. */
struct tw_law_line {
    size_t n;
    double *x; /* (n) */
    struct tw_law_band band;
};
/* About `points` steps of the schedule between log positions `from` and `to`, and every step
 * where the rate jumps. Release even after a failure. */
enum tw_status tw_law_line_init(struct tw_law_line *line, const struct tw_schedule *s, double from,
                                double to, size_t points, struct tw_err *err) TW_CHECKED;
void tw_law_line_release(struct tw_law_line *line);

/* Points to plot at a schedule's rates: x of every step where the line bends, at most `max`. */
struct tw_rate_line {
    size_t n;
    double *x, *lr;
};
enum tw_status tw_rate_line_init(struct tw_rate_line *line, const struct tw_schedule *s,
                                 struct tw_err *err) TW_CHECKED;
void tw_rate_line_release(struct tw_rate_line *line);

struct tw_fit_figure_opts {
    bool residuals, log_x, log_y;
    const char *figure; /* of a law of runs; NULL: the law's own */
};

/* One fitted curve as a figure's; *line and *rates are the caller's to release, even after a
 * failure. */
enum tw_status tw_fit_figure_curve(const struct tw_fit_file *f, size_t c, struct tw_law_line *line,
                                   struct tw_rate_line *rates, struct tw_figure_curve *out,
                                   struct tw_err *err) TW_CHECKED;
/* What a fit's x counts, by the units per step of its schedules. */
const char *tw_fit_x_label(const struct tw_fit_file *f);
/* The fitted curves with the law's lines. */
enum tw_status tw_fit_figure(const struct tw_fit_file *f, const char *path,
                             const struct tw_fit_figure_opts *look, const struct tw_figure_opts *fo,
                             struct tw_err *err) TW_CHECKED;
/* The same for a law of runs, which tw_fit_figure calls. `figure` is iso-loss, isoflop, reducible
 * or agreement; NULL: the first of iso-loss, reducible, agreement that the law has. TW_EINVAL if it
 * does not have the one asked for. */
enum tw_status tw_fit_runs_figure(const struct tw_fit_file *f, const char *path, const char *figure,
                                  const struct tw_figure_opts *fo, struct tw_err *err) TW_CHECKED;
/* Would it be drawn? TW_EINVAL as above: to be asked before a long computation. */
enum tw_status tw_fit_runs_figure_check(const struct tw_law *law, const char *figure,
                                        struct tw_err *err) TW_CHECKED;
/* The best inputs of budgets from the smallest fitted to beyond `flops` (n, shown as points), with
 * bands. */
enum tw_status tw_optimum_figure(const struct tw_fit_file *f, const double *flops, size_t n,
                                 const char *path, const struct tw_figure_opts *fo,
                                 struct tw_err *err) TW_CHECKED;
/* The profiles. TW_EINVAL if the fit has none. */
enum tw_status tw_fit_profile_figure(const struct tw_fit_file *f, const char *path,
                                     const struct tw_figure_opts *fo,
                                     struct tw_err *err) TW_CHECKED;

#endif
