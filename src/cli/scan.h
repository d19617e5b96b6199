/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cli/scan.h - what the files of `thalweg scan` share: its options, the chart that its operands
 * make, the computation of points. */
#ifndef TW_CLI_SCAN_H
#define TW_CLI_SCAN_H

#include "checkpoint.h"
#include "evaluator.h"
#include "figopts.h"
#include "netload.h"
#include "scanfile.h"

struct scan_opts {
    struct tw_net_opts net;
    struct tw_evaluator_opts evaluator;
    struct tw_figure_cli figure;
    struct tw_opt_list also, paths;
    const char *mesh, *range, *normalise, *biases, *bn, *centre, *figure_kind;
    const char *direction_file, *save_directions;
    double radius, margin, tol, target_error;
    bool trajectory;
};

enum scan_chart { SCAN_RANDOM, SCAN_LINE, SCAN_TRIANGLE, SCAN_TRAJECTORY };

struct scan {
    struct tw_call *call;
    const struct scan_opts *o;
    struct tw_cmd_provenance prov;
    struct tw_checkpoint_list list;      /* none: the network's own values */
    struct tw_checkpoint_list path_list; /* --paths */
    struct tw_own_checkpoints own;       /* of an evaluator: then there is no net and no data */
    struct tw_net *net;
    struct tw_dataset data;
    struct tw_problem *problem;
    struct tw_loss_spec *extra; /* --also */
    bool batch_norm;            /* the network has running statistics */
    /* --bn=recalibrate: the same in training mode, and a point with its statistics; else NULL. */
    struct tw_problem *training;
    float *point, *point_buffers;
    double *statistics;
    enum scan_chart kind;
    size_t nx, ny; /* ny 1: a line */
    struct tw_chart chart;
    float *anchor[TW_CHART_ANCHORS], *buffers[TW_CHART_ANCHORS];
    struct tw_scan out;
    struct tw_str path, settings;
    struct tw_result *file;
    struct tw_progress progress;
    struct tw_values *extra_values; /* scratch */
    size_t evaluations, done;       /* by this run; by all */
    bool stopped;
};

/* scan_chart.c: what the operands and --trajectory ask for, before anything is read. */
enum tw_status scan_plan(struct scan *s) TW_CHECKED;
/* scan_load.c: network, data, problem. */
enum tw_status scan_load(struct scan *s) TW_CHECKED;
/* Anchors and coordinates; s->out is made. */
enum tw_status scan_place(struct scan *s) TW_CHECKED;
size_t scan_checkpoints(const struct scan *s);               /* how many were named */
const char *scan_checkpoint(const struct scan *s, size_t k); /* NULL: the network's own values */

/* scan_direction.c: --direction-file, n directions into the anchors after the first;
 * --save-directions. */
enum tw_status scan_read_directions(struct scan *s, size_t n) TW_CHECKED;
enum tw_status scan_save_directions(const struct scan *s) TW_CHECKED;

/* scan_paths.c: which checkpoints --paths names, after the mesh is known; where they lie, after the
 * anchors are; settings that they are; reports. */
enum tw_status scan_paths_plan(struct scan *s) TW_CHECKED;
enum tw_status scan_paths_place(struct scan *s) TW_CHECKED;
void scan_paths_settings(const struct scan *s, struct tw_str *out);
void scan_paths_text(const struct scan *s, struct tw_str *t);
void scan_paths_json(const struct scan *s, struct tw_json *j);

/* scan_points.c: open or continue the file and compute what is missing. */
enum tw_status scan_open(struct scan *s) TW_CHECKED;
enum tw_status scan_run(struct scan *s) TW_CHECKED;
/* The values at n places of a line, at most SCAN_AT_ONCE, are asked for together and taken in their
 * order; those of a failed one (of an evaluator) are NaN, and that is said. TW_ESTOP: stopped, and
 * what was begun is taken. */
enum { SCAN_AT_ONCE = 64 };
typedef enum tw_status scan_take_fn(void *ctx, double x, const struct tw_values *values);
enum tw_status scan_along(struct scan *s, size_t n, const double *x, scan_take_fn *each,
                          void *ctx) TW_CHECKED;
/* scan_line.c: --tol on a line. */
enum tw_status scan_line(struct scan *s) TW_CHECKED;
/* --target-error: how many samples give it at the checkpoint that needs most. */
enum tw_status scan_pilot(struct scan *s, size_t *n) TW_CHECKED;

#endif
