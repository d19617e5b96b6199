/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cli/forecast.h - forecasts of some schedules: computed, reported, drawn, written. */
#ifndef TW_CLI_FORECAST_H
#define TW_CLI_FORECAST_H

#include "fitfig.h"
#include "fitfile.h"

struct tw_forecast {
    char *name;
    struct tw_schedule schedule;
    double size;                 /* the model's parameters; 0: not given */
    struct tw_law_line line;     /* over the whole schedule */
    size_t n;                    /* measured points; 0: none */
    double *x, *y;               /* (n) */
    struct tw_law_line measured; /* the forecast at those points */
    struct tw_law_score score;
    double coverage68, coverage95;
    bool final_in_95;   /* the last measured point lies in its 95 % band */
    double at;          /* the position that is reported */
    double final[5];    /* there: y, lo68, hi68, lo95, hi95 */
    double correlation; /* of the fitted curves' residuals, with a transfer */
};
struct tw_forecast_set {
    size_t n, cap;
    struct tw_forecast *v;
};
struct tw_forecast_how {
    size_t points;
    double at; /* NAN: the last step */
    bool transfer;
    uint64_t seed;
};

/* Append a forecast to do for a model of `size` parameters (0: not given); the schedule is copied,
 * the measured points of `curve` too (NULL: none). */
enum tw_status tw_forecast_set_add(struct tw_forecast_set *set, const char *name,
                                   const struct tw_schedule *s, double size,
                                   const struct tw_law_curve *curve, struct tw_err *err) TW_CHECKED;
void tw_forecast_set_release(struct tw_forecast_set *set);

enum tw_status tw_forecast_run(const struct tw_law_fit *fit, const struct tw_forecast_how *how,
                               struct tw_forecast *f, struct tw_err *err) TW_CHECKED;
void tw_forecast_tell_transfer(struct tw_call *call, const struct tw_law_fit *fit,
                               const struct tw_forecast *f);
void tw_forecast_report(struct tw_call *call, const struct tw_law_fit *fit,
                        const struct tw_forecast_set *set);

enum tw_status tw_forecast_figure(const struct tw_fit_file *f, const struct tw_forecast_set *set,
                                  const char *path, const struct tw_fit_figure_opts *look,
                                  const struct tw_figure_opts *fo, struct tw_err *err) TW_CHECKED;

/* The same of schedules that were found, without the curves of the fit. */
enum tw_status tw_schedule_figure(const struct tw_fit_file *f, const struct tw_forecast_set *set,
                                  const char *path, const struct tw_fit_figure_opts *look,
                                  const struct tw_figure_opts *fo, struct tw_err *err) TW_CHECKED;

/* Groups /forecast/0, 1, ... of a result file of kind "forecast" or "schedule", which holds the fit
 * too. */
enum tw_status tw_forecast_write(const struct tw_forecast_set *set, struct tw_result *r,
                                 struct tw_err *err) TW_CHECKED;
enum tw_status tw_forecast_read(const char *path, struct tw_fit_file *f,
                                struct tw_forecast_set *set, struct tw_err *err) TW_CHECKED;

#endif
