/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cli/fitfig_runs.h - what the figures of laws of runs share, and those in a plane of two inputs.
 */
#ifndef TW_CLI_FITFIG_RUNS_H
#define TW_CLI_FITFIG_RUNS_H

#include "fitfig.h"

/* The law at n runs; false when out of memory. */
bool tw_runs_predict(const struct tw_law *law, const double *theta, size_t n,
                     const double *const *input, double *y) TW_CHECKED;
struct tw_runs_range {
    double lo, hi;
};
struct tw_runs_range tw_runs_input_range(const struct tw_fit_file *f, size_t k);
void tw_runs_spread(double lo, double hi, size_t n, double *x);
void tw_runs_label(const struct tw_law_input *in, char *text, size_t size);
/* The runs of each table (up to 6 layers) at x, y (stacked); returns how many layers. */
size_t tw_runs_tables(const struct tw_fit_file *f, const double *x, const double *y,
                      struct tw_figure_layer *layer);

/* Lines of equal loss over the two inputs, the runs, and the best inputs of each budget. */
bool tw_iso_loss_possible(const struct tw_law *law);
/* ... and are its inputs positive? Those of a law of the user's own need not be. */
bool tw_iso_loss_drawable(const struct tw_fit_file *f);
enum tw_status tw_iso_loss_figure(const struct tw_fit_file *f, const char *path,
                                  const struct tw_figure_opts *fo, struct tw_err *err) TW_CHECKED;
/* Loss against N at the budgets at which most runs were made. */
bool tw_isoflop_possible(const struct tw_law *law);
enum tw_status tw_isoflop_figure(const struct tw_fit_file *f, const char *path,
                                 const struct tw_figure_opts *fo, struct tw_err *err) TW_CHECKED;

#endif
