/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cli/fitfile.h - a fit with everything that plots and forecasts need of it, to and from a
 * result file of kind "fit". */
#ifndef TW_CLI_FITFILE_H
#define TW_CLI_FITFILE_H

#include "curves.h"
#include "thalweg/law_own.h"
#include "thalweg/store_result.h"

/* The curves that were fitted; fit.first, x, y, yhat, r hold their points. */
struct tw_fit_file {
    struct tw_law_fit fit;
    struct tw_law *own; /* fit.law where it is not in the table of laws; else NULL */
    size_t n;
    char **name, **path, **digest, **y_name; /* (n) */
    struct tw_schedule *schedule;            /* (n); empty for a law of runs */
    double *size;                            /* (n) parameters of the models; 0: not known */
    double *input[TW_LAW_MAX_INPUTS];        /* (fit.n) inputs of a law of runs, stacked */
};

/* Take names and schedules from the set (schedules move: the set keeps none). */
enum tw_status tw_fit_file_adopt(struct tw_fit_file *f, struct tw_curve_set *set,
                                 struct tw_err *err) TW_CHECKED;
enum tw_status tw_fit_file_write(const struct tw_fit_file *f, struct tw_result *r,
                                 struct tw_err *err) TW_CHECKED;
/* From a file of kind "fit", "forecast" or "schedule". *f is {0} on entry; release it even after a
 * failure. Every size that the file claims is
 * checked against the others. */
enum tw_status tw_fit_file_read(const char *path, struct tw_fit_file *f,
                                struct tw_err *err) TW_CHECKED;
void tw_fit_file_release(struct tw_fit_file *f);

#endif
