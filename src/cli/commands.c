/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The table of commands: one row each, in the order of `thalweg help`. */
#include "cmd.h"

extern const struct tw_cmd tw_cmd_barrier;
extern const struct tw_cmd tw_cmd_cite;
extern const struct tw_cmd tw_cmd_compare;
extern const struct tw_cmd tw_cmd_convert;
extern const struct tw_cmd tw_cmd_doctor;
extern const struct tw_cmd tw_cmd_eval;
extern const struct tw_cmd tw_cmd_evaluator;
extern const struct tw_cmd tw_cmd_export;
extern const struct tw_cmd tw_cmd_fit;
extern const struct tw_cmd tw_cmd_forecast;
extern const struct tw_cmd tw_cmd_ghost;
extern const struct tw_cmd tw_cmd_info;
extern const struct tw_cmd tw_cmd_laws;
extern const struct tw_cmd tw_cmd_log;
extern const struct tw_cmd tw_cmd_optimum;
extern const struct tw_cmd tw_cmd_plot;
extern const struct tw_cmd tw_cmd_scan;
extern const struct tw_cmd tw_cmd_schedule;
extern const struct tw_cmd tw_cmd_sensitivity;
extern const struct tw_cmd tw_cmd_train;
extern const struct tw_cmd tw_cmd_version;

const struct tw_cmd *const tw_cmds[] = {
    /* Loss curves */
    &tw_cmd_log,
    &tw_cmd_fit,
    &tw_cmd_forecast,
    &tw_cmd_optimum,
    &tw_cmd_schedule,
    &tw_cmd_sensitivity,
    &tw_cmd_compare,
    &tw_cmd_laws,
    /* Networks */
    &tw_cmd_train,
    &tw_cmd_eval,
    &tw_cmd_scan,
    &tw_cmd_barrier,
    &tw_cmd_ghost,
    &tw_cmd_convert,
    &tw_cmd_evaluator,
    /* Results */
    &tw_cmd_plot,
    &tw_cmd_export,
    &tw_cmd_info,
    /* About */
    &tw_cmd_doctor,
    &tw_cmd_cite,
    &tw_cmd_version,
};
const size_t tw_ncmds = sizeof tw_cmds / sizeof tw_cmds[0];
