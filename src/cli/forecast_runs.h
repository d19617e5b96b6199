/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cli/forecast_runs.h - what a law of runs predicts for runs that were not made, and against
 * runs that were. */
#ifndef TW_CLI_FORECAST_RUNS_H
#define TW_CLI_FORECAST_RUNS_H

#include "fitfile.h"
#include "runs.h"

struct tw_run_forecast {
    const struct tw_opt_list *runs;    /* "N=7e9,D=2e12" */
    double params, tokens, flops;      /* one more run by its N, D and C; NAN: not given */
    double want;                       /* width of the law's interval to ask runs for; NAN */
    const struct tw_opt_list *against; /* tables */
    struct tw_run_source source;       /* how to read them */
};

bool tw_run_forecast_named(const struct tw_run_forecast *o); /* is there such a run? */

/* Forecast, and report as tables or JSON; inputs that were read join the provenance. */
enum tw_status tw_forecast_runs(struct tw_call *call, const struct tw_fit_file *f,
                                const struct tw_run_forecast *o, struct tw_err *err) TW_CHECKED;

#endif
