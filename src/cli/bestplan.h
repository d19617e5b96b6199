/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cli/bestplan.h - what `thalweg schedule` found: the best schedule, those it is compared with,
 * and how far it lies from what was fitted. */
#ifndef TW_CLI_BESTPLAN_H
#define TW_CLI_BESTPLAN_H

#include "forecast.h"
#include "thalweg/law_schedule.h"

/* Forecasts: first the schedule that was chosen, then the others in the order of the table. */
struct tw_best_plan {
    struct tw_forecast_set set;
    struct tw_law_gain *gain; /* (set.n) of the first over each; the first's is 0 */
    struct tw_law_best free;  /* the best of any shape */
    double free_seconds;
    const char *family; /* NULL: the first is `free` */
    size_t tried;
    double peak, floor;
    size_t fall;
};

void tw_best_plan_report(struct tw_call *call, const struct tw_fit_file *f,
                         const struct tw_best_plan *plan);
/* Warnings: where the best schedule leaves what was fitted. */
void tw_best_plan_warn(struct tw_call *call, const struct tw_fit_file *f,
                       const struct tw_best_plan *plan);
/* Group /schedule of a result file. */
enum tw_status tw_best_plan_write(const struct tw_best_plan *plan, struct tw_result *r,
                                  struct tw_err *err) TW_CHECKED;
/* "step,lr" and a row for every step. An existing file is refused unless `force`. */
enum tw_status tw_best_plan_csv(const struct tw_schedule *s, const char *path, bool force,
                                struct tw_err *err) TW_CHECKED;
void tw_best_plan_release(struct tw_best_plan *plan);

#endif
