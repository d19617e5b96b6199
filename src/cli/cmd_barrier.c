/* SPDX-License-Identifier: GPL-3.0-or-later */
/* thalweg barrier: linear mode connectivity between checkpoints. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "barrierspawn.h"

#define AT(field) TW_OPT_FIELD(struct barrier_opts, field)
static const struct tw_opt opts[] = {
    TW_NET_MODEL(struct barrier_opts, net),
    { TW_OPT_HEAD, 0, "What to measure", 0, NULL, NULL, 0, 0, NULL },
    { TW_OPT_FLAG, 0, "matrix", AT(matrix), NULL,
      "every pair of the checkpoints, and clusters of connected ones [with more than two]", 0, 0,
      NULL },
    { TW_OPT_FLAG, 0, "spawned", AT(spawned), NULL,
      "operands are files of runs that were one up to a step (thalweg train --spawn): the barrier "
      "at "
      "each later step",
      0, 0, NULL },
    { TW_OPT_FLAG, 0, "mli", AT(mli), NULL,
      "does the loss fall all the way from the first checkpoint to the second?", 0, 0, NULL },
    { TW_OPT_FLAG, 0, "no-split", AT(no_split), NULL,
      "do not split the barrier into layers, which takes gradients", 0, 0, NULL },
    { TW_OPT_FLAG, 0, "swap", AT(swap), NULL,
      "also barriers where one layer alone moves, and where the first or last ones do", 0, 0,
      NULL },
    { TW_OPT_FLAG, 0, "predict", AT(predict), NULL,
      "also what curvature at the ends and the middle would have said", 0, 0, NULL },
    { TW_OPT_REAL, 0, "threshold-error", AT(threshold_error), "PCT",
      "connected below this barrier of the error rate, in % [2]", 0, 100, NULL },
    { TW_OPT_REAL, 0, "threshold-loss", AT(threshold_loss), "X",
      "... and below this barrier of the loss (both Frankle's) [none]", 0, 1e300, NULL },
    { TW_OPT_FLAG, 0, "require-connected", AT(require_connected), NULL,
      "exit code 1 unless the verdict is connected (of every pair)", 0, 0, NULL },
    { TW_OPT_HEAD, 0, "The line", 0, NULL, NULL, 0, 0, NULL },
    { TW_OPT_REAL, 0, "tol", AT(tol), "X",
      "know the loss between points to this [a thousandth of its range]", 0, 1e300, NULL },
    { TW_OPT_REAL, 0, "error-tol", AT(error_tol), "X",
      "know the error rate between points to this too [as it comes]", 0, 1, NULL },
    { TW_OPT_REAL, 0, "noise", AT(noise), "X", "... or to X standard errors, if that is more [0.1]",
      0, 10, NULL },
    { TW_OPT_SIZE, 0, "start", AT(start), "N", "points of the first grid [9]", 3, 1e6, NULL },
    { TW_OPT_SIZE, 0, "max-points", AT(max_points), "N", "at most so many points [129]", 3, 1e6,
      NULL },
    { TW_OPT_SIZE, 0, "points", AT(points), "N", "an even grid of N points instead", 3, 1e6, NULL },
    { TW_OPT_CHOICE, 0, "bn", AT(bn), "HOW",
      "running statistics of batch normalisation [interpolate]", 0, 0, "interpolate|recalibrate" },
    { TW_OPT_REAL, 0, "level", AT(level), "P", "confidence level of intervals [0.95]", 0.5, 0.9999,
      NULL },
    { TW_OPT_SIZE, 0, "bootstrap", AT(replicates), "N", "replicates for intervals [2000]", 100, 1e7,
      NULL },
    TW_NET_DATA(struct barrier_opts, net),
    TW_EVALUATOR(struct barrier_opts, evaluator),
    TW_FIGURE_ROWS(struct barrier_opts, figure),
    { .type = TW_OPT_END },
};

static enum tw_status draw(struct barrier *b, const struct barrier_result *r, const char *path)
{
    struct tw_figure_opts fo;
    struct tw_str lines = { 0 };
    enum tw_status rc;

    tw_cmd_provenance_lines(&b->prov, &lines);
    tw_figure_cli_opts(&b->o->figure, b->call, lines.s, &fo);
    rc = barrier_figure(r, path, &fo, &b->call->err);
    if (rc == TW_OK)
        tw_figure_cli_done(&b->o->figure, b->call, "figure", path);
    tw_str_release(&lines);
    return rc;
}

/* Points, heights, layers; then the file whole in the place of the points. */
static enum tw_status compute(struct barrier *b, struct barrier_result *r)
{
    const char *path = b->call->common.output;
    enum tw_status rc = barrier_line(b, 0, 1, path, r);

    if (rc == TW_OK)
        rc = barrier_layers(b, 0, 1, r);
    if (rc == TW_ESTOP)
        b->stopped = true;
    if (rc == TW_OK && b->file) {
        rc = tw_result_close(b->file, &b->call->err);
        b->file = NULL;
    }
    if (rc == TW_OK && path)
        rc = barrier_file_write(path, r, b->settings.s, &b->prov.record, &b->call->err);
    return rc;
}

static enum tw_status pair(struct barrier *b, struct barrier_result *r)
{
    const char *path = b->call->common.output;
    enum barrier_found found = BARRIER_NONE;
    enum tw_status rc = TW_OK;

    if (path && !b->call->common.force)
        rc = barrier_file_look(path, "barrier", b->settings.s, &found, &b->call->err);
    if (rc != TW_OK)
        return rc;
    if (found != BARRIER_FINISHED)
        return compute(b, r);
    tw_cmd_note(b->call, "%s is finished: nothing to compute", path);
    return barrier_file_read(path, r, &b->call->err);
}

static int verdict(const struct barrier *b, const struct barrier_result *r)
{
    if (isnan(r->barrier[TW_LINE_LOSS][TW_BARRIER_ENTEZARI].value))
        return TW_EXIT_NUMERIC;
    return b->o->require_connected && r->verdict != TW_CONNECTED ? TW_EXIT_NEGATIVE : TW_EXIT_OK;
}

static int one_line(struct barrier *b, const char *figure)
{
    struct barrier_result r = { 0 };
    enum tw_status rc = pair(b, &r);
    int code = TW_EXIT_STOPPED;

    for (size_t k = 0; rc == TW_OK && k < r.m; k++)
        if (!isfinite(r.value[TW_LINE_LOSS][k])) {
            tw_cmd_warn(b->call,
                        "the loss is not finite at t = %.4g and perhaps elsewhere; heights "
                        "are those of the rest",
                        r.t[k]);
            break;
        }
    if (b->stopped && rc == TW_ESTOP) {
        tw_cmd_note(b->call, b->call->common.output
                                 ? "stopped; run the same command again to go on"
                                 : "stopped; with -o it could go on where it was");
    } else if (rc == TW_OK) {
        barrier_report(b->call, &r);
        code = verdict(b, &r);
        if (figure)
            rc = draw(b, &r, figure);
        if (rc != TW_OK)
            code = tw_cmd_fail_late(b->call);
    } else {
        code = tw_cmd_fail(b->call);
    }
    barrier_result_release(&r);
    return code;
}

static int run(struct tw_call *call)
{
    struct barrier b = { .call = call, .o = call->opts };
    struct tw_str name = { 0 };
    const char *figure = NULL;
    enum tw_status rc;
    int code;

    if (call->argc < 1 && !b.o->evaluator.command)
        return tw_cmd_usage(call, "no checkpoints given");
    if (!b.o->net.data && !b.o->evaluator.command)
        return tw_cmd_usage(call, "no data given: --data FILE");
    if (b.o->points == 0 && b.o->max_points < b.o->start)
        return tw_cmd_usage(call, "--max-points is less than --start");
    if (b.o->figure.plot)
        figure = tw_figure_cli_path(&b.o->figure, "barrier.pdf", &name);
    rc = tw_figure_cli_check(&b.o->figure, call, figure);
    if (rc == TW_OK)
        rc = tw_cmd_provenance_start(&b.prov, call, &call->err);
    if (rc == TW_OK)
        rc = barrier_list(&b);
    if (rc == TW_OK)
        rc = barrier_set_up(&b);
    (void)tw_stop_requested();
    if (rc != TW_OK)
        code = tw_cmd_fail(call);
    else if (b.o->spawned)
        code = barrier_spawned(&b, figure);
    else if (b.list.n > 2 || b.o->matrix)
        code = barrier_matrix(&b, figure);
    else
        code = one_line(&b, figure);
    if (b.o->evaluator.command && b.problem && call->err.code != TW_OK)
        tw_evaluator_show_tail(call, b.problem);
    barrier_release(&b);
    tw_str_release(&name);
    return code;
}

static const struct barrier_opts defaults = {
    .net = TW_NET_DEFAULTS,
    .evaluator = TW_EVALUATOR_DEFAULTS,
    .noise = 0.1,
    .threshold_error = 2.0,
    .threshold_loss = (double)NAN,
    .level = 0.95,
    .start = 9,
    .max_points = 129,
    .replicates = 2000,
};
const struct tw_cmd tw_cmd_barrier = {
    "barrier",
    "Networks",
    "linear mode connectivity: barriers between checkpoints",
    "CHECKPOINT CHECKPOINT...",
    TW_USES_OUTPUT | TW_USES_SEED | TW_USES_THREADS | TW_USES_JSON,
    opts,
    sizeof defaults,
    &defaults,
    run,
};
