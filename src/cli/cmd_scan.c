/* SPDX-License-Identifier: GPL-3.0-or-later */
/* thalweg scan: the loss on a line or a plane through the space of weights. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host.h"
#include "scan.h"

#define AT(field) TW_OPT_FIELD(struct scan_opts, field)
static const struct tw_opt opts[] = {
    TW_NET_MODEL(struct scan_opts, net),
    { TW_OPT_HEAD, 0, "Where", 0, NULL, NULL, 0, 0, NULL },
    { TW_OPT_STR, 0, "mesh", AT(mesh), "N[xM]",
      "points along each axis [51x51; 51 between two checkpoints, 41x41 through more]", 0, 0,
      NULL },
    { TW_OPT_REAL, 0, "radius", AT(radius), "R",
      "along random directions, how far to go on each side [1]", 1e-12, 1e12, NULL },
    { TW_OPT_STR, 0, "range", AT(range), "FROM:TO",
      "the same as two ends; between two checkpoints 0 is the first and 1 the second [0:1]", 0, 0,
      NULL },
    { TW_OPT_CHOICE, 0, "normalize", AT(normalise), "HOW",
      "random directions are scaled to the weights by filter, layer or weight, or not [filter]", 0,
      0, "filter|layer|weight|none" },
    { TW_OPT_CHOICE, 0, "biases", AT(biases), "HOW",
      "what they do to biases and norms: nothing, follow the weights, or random [ignore]", 0, 0,
      "ignore|weights|random" },
    { TW_OPT_STR, 0, "direction-file", AT(direction_file), "FILE",
      "take the directions from this file of loss-landscape instead of random ones", 0, 0, NULL },
    { TW_OPT_STR, 0, "save-directions", AT(save_directions), "FILE",
      "write the directions as loss-landscape keeps them", 0, 0, NULL },
    { TW_OPT_FLAG, 0, "trajectory", AT(trajectory), NULL,
      "the plane of the checkpoints' first two principal components", 0, 0, NULL },
    { TW_OPT_CHOICE, 0, "centre", AT(centre), "WHERE",
      "differences for these from the mean of the checkpoints, or from the last [mean]", 0, 0,
      "mean|last" },
    { TW_OPT_REAL, 0, "margin", AT(margin), "X",
      "room around checkpoints in a plane, as a share of what they span [0.2]", 0, 100, NULL },
    { TW_OPT_LIST, 0, "paths", AT(paths), "RUN",
      "show the checkpoints of this training run, FILE or FILE:RUN, where they project to in the "
      "plane; may be given again [none]",
      0, 0, NULL },
    { TW_OPT_CHOICE, 0, "bn", AT(bn), "HOW",
      "running statistics of batch normalisation [interpolate; keep for random directions]", 0, 0,
      "interpolate|recalibrate|keep" },
    TW_EVALUATOR(struct scan_opts, evaluator),
    TW_NET_DATA(struct scan_opts, net),
    { TW_OPT_LIST, 0, "also", AT(also), "LOSS",
      "another loss of the same targets, computed in the same pass; may be given again [none]", 0,
      0, NULL },
    { TW_OPT_REAL, 0, "target-error", AT(target_error), "X",
      "use as many samples as give this standard error at the checkpoints [--limit]", 0, 1e300,
      NULL },
    { TW_OPT_REAL, 0, "tol", AT(tol), "X",
      "interpolate where that is off by no more than this share of the range of the loss [every "
      "point is computed]",
      0, 0.5, NULL },
    TW_FIGURE_ROWS(struct scan_opts, figure),
    { TW_OPT_CHOICE, 0, "figure", AT(figure_kind), "KIND",
      "of a plane: a map, or a surface seen from above [map]", 0, 0, "map|surface" },
    { .type = TW_OPT_END },
};

/* ---- output ---------------------------------------------------------------------------------- */

static void report_json(const struct scan *s, const struct tw_scan_range *r)
{
    struct tw_json *j = &s->call->json;
    const struct tw_scan *out = &s->out;
    double off = NAN;

    tw_json_text(j, "file", s->path.s);
    tw_json_text(j, "kind", tw_scan_kind(out));
    tw_json_text(j, "chart", out->chart);
    tw_json_size(j, "points", s->nx * s->ny);
    tw_json_size(j, "computed", r->computed);
    tw_json_size(j, "interpolated", r->interpolated);
    tw_json_size(j, "beside", r->beside);
    tw_json_size(j, "evaluations", s->evaluations);
    tw_json_size(j, "failed", r->failed);
    tw_json_real(j, "min", r->lo);
    tw_json_real(j, "max", r->hi);
    tw_json_real(j, "largest_se", r->largest_se);
    tw_json_real(j, "stated_error", out->stated_error);
    tw_json_size(j, "n", out->n);
    tw_json_size(j, "n_data", out->n_data);
    for (size_t k = 0; out->off_plane && k < out->nmark; k++)
        off = fmax(off, out->off_plane[k]);
    tw_json_real(j, "off_plane", off);
    scan_paths_json(s, j);
    tw_json_bool(j, "finished", !s->stopped);
}

static void add_place(const struct scan *s, size_t i, struct tw_str *t)
{
    tw_str_addf(t, s->ny > 1 ? " at (%.4g, %.4g)" : " at %.4g", s->out.x[i % s->nx],
                s->out.y[i / s->nx]);
}

static void report_text(const struct scan *s, const struct tw_scan_range *r)
{
    const struct tw_scan *out = &s->out;
    struct tw_str t = { 0 };

    tw_str_addf(&t, "%zu", s->nx);
    if (s->ny > 1)
        tw_str_addf(&t, tw_host_utf8() ? "×%zu" : "x%zu", s->ny);
    tw_str_addf(&t, " points, loss %.5g", r->lo);
    add_place(s, r->at_lo, &t);
    tw_str_addf(&t, " to %.5g", r->hi);
    add_place(s, r->at_hi, &t);
    if (r->largest_se > 0.0)
        tw_str_addf(&t, ", standard errors up to %.2g", r->largest_se);
    tw_str_addf(&t, ", n %zu", out->n);
    if (r->failed)
        tw_str_addf(&t, ", %zu not finite", r->failed);
    tw_str_add(&t, "\n");
    if (r->interpolated) {
        tw_str_addf(&t, "%zu computed, %zu interpolated", r->computed, r->interpolated);
        if (r->beside)
            tw_str_addf(&t, ", %zu more computed between them", r->beside);
        tw_str_addf(&t, "; off by up to %.2g %% of the range\n", 100.0 * out->stated_error);
    }
    if (out->off_plane) {
        double off = 0.0, far = 0.0;

        for (size_t k = 0; k < out->nmark; k++) {
            off = fmax(off, out->off_plane[k]);
            far = fmax(far, out->distance[k]);
        }
        tw_str_addf(&t,
                    "%zu checkpoints up to %.4g from the last and %.4g off the plane, which "
                    "explains %.1f + %.1f %% of their variance\n",
                    out->nmark, far, off, 100.0 * out->explained[0], 100.0 * out->explained[1]);
    }
    scan_paths_text(s, &t);
    if (!t.failed && t.s)
        (void)fputs(t.s, stdout);
    tw_str_release(&t);
}

static enum tw_status draw(struct scan *s, const char *path)
{
    struct tw_figure_opts fo;
    struct tw_str lines = { 0 };
    enum tw_status rc;

    tw_cmd_provenance_lines(&s->prov, &lines);
    tw_figure_cli_opts(&s->o->figure, s->call, lines.s, &fo);
    rc = tw_scan_draw(&s->out,
                      s->o->figure_kind && !strcmp(s->o->figure_kind, "surface")
                          ? TW_SCAN_FIGURE_SURFACE
                          : TW_SCAN_FIGURE_AUTO,
                      path, &fo, &s->call->err);
    if (rc == TW_OK)
        tw_figure_cli_done(&s->o->figure, s->call, "figure", path);
    tw_str_release(&lines);
    return rc;
}

/* ---- running --------------------------------------------------------------------------------- */

static void release(struct scan *s)
{
    tw_result_abandon(s->file);
    tw_scan_release(&s->out);
    tw_own_checkpoints_release(&s->own);
    tw_problem_free(s->problem);
    tw_problem_free(s->training);
    free(s->extra);
    free(s->extra_values);
    free(s->point);
    free(s->point_buffers);
    free(s->statistics);
    for (size_t k = 0; k < TW_CHART_ANCHORS; k++) {
        free(s->anchor[k]);
        free(s->buffers[k]);
    }
    tw_dataset_release(&s->data);
    tw_net_free(s->net);
    tw_checkpoints_release(&s->list);
    tw_checkpoints_release(&s->path_list);
    tw_cmd_provenance_release(&s->prov);
    tw_str_release(&s->path);
    tw_str_release(&s->settings);
}

/* -o, or the figure's name with .h5, or scan.h5. */
static void name_file(struct scan *s)
{
    const char *plot = s->o->figure.plot;
    const char *dot = plot ? strrchr(plot, '.') : NULL;

    if (s->call->common.output)
        tw_str_add(&s->path, s->call->common.output);
    else if (dot && dot > plot && !strchr(dot, '/'))
        tw_str_addf(&s->path, "%.*s.h5", (int)(dot - plot), plot);
    else
        tw_str_add(&s->path, "scan.h5");
}

/* Before anything is computed: can the file be made, and is it another one? */
static enum tw_status check_directions(struct scan *s)
{
    const char *output = s->call->common.output;

    if (output && !strcmp(output, s->o->save_directions))
        return tw_err_set(&s->call->err, TW_EINVAL,
                          "--save-directions and -o name the same file, %s", output);
    return tw_result_check(s->o->save_directions, s->call->common.force, &s->call->err);
}

static enum tw_status prepare(struct scan *s, const char *figure)
{
    enum tw_status rc = tw_figure_cli_check(&s->o->figure, s->call, figure);

    if (rc == TW_OK && s->path.failed)
        rc = tw_err_set(&s->call->err, TW_ENOMEM, "out of memory");
    if (rc == TW_OK && s->o->save_directions)
        rc = check_directions(s);
    if (rc == TW_OK)
        rc = tw_cmd_provenance_start(&s->prov, s->call, &s->call->err);
    if (rc == TW_OK)
        rc = scan_plan(s);
    if (rc == TW_OK)
        rc = scan_load(s);
    if (rc == TW_OK)
        rc = scan_place(s);
    return rc == TW_OK ? scan_open(s) : rc;
}

static int run(struct tw_call *call)
{
    struct scan s = { .call = call, .o = call->opts };
    const char *figure = NULL;
    struct tw_scan_range range = { 0 };
    struct tw_str store = { 0 };
    enum tw_status rc;
    int code;

    if (!s.o->net.data && !s.o->evaluator.command)
        return tw_cmd_usage(call, "no data given (--data)");
    if (s.o->also.n && s.o->tol > 0.0)
        return tw_cmd_usage(call, "--tol interpolates one loss, and --also computes others");
    if (s.o->net.limit && s.o->target_error > 0.0)
        return tw_cmd_usage(call, "--limit and --target-error both say how many samples");
    if (s.o->figure.plot)
        figure = tw_figure_cli_path(&s.o->figure, "scan.pdf", &store);
    name_file(&s);
    rc = prepare(&s, figure);
    if (rc == TW_OK)
        rc = scan_run(&s);
    code = rc == TW_OK ? TW_EXIT_OK : tw_cmd_fail(call);
    if (rc == TW_OK) {
        range = tw_scan_range_of(&s.out);
        report_json(&s, &range);
        if (s.stopped)
            tw_cmd_note(call, "stopped with %zu of %zu points; the same command goes on", s.done,
                        s.nx * s.ny);
        else if (!call->common.json)
            report_text(&s, &range);
        code = s.stopped ? TW_EXIT_STOPPED : isfinite(range.lo) ? TW_EXIT_OK : TW_EXIT_NUMERIC;
    }
    if (rc == TW_OK && s.o->save_directions && code == TW_EXIT_OK &&
        scan_save_directions(&s) != TW_OK)
        code = tw_cmd_fail_late(call);
    if (rc == TW_OK && figure && code == TW_EXIT_OK && draw(&s, figure) != TW_OK)
        code = tw_cmd_fail_late(call);
    tw_str_release(&store);
    release(&s);
    return code;
}

static const struct scan_opts defaults = {
    .net = TW_NET_DEFAULTS,
    .evaluator = TW_EVALUATOR_DEFAULTS,
    .normalise = "filter",
    .biases = "ignore",
    .centre = "mean",
    .radius = 1.0,
    .margin = 0.2,
};
const struct tw_cmd tw_cmd_scan = {
    "scan",
    "Networks",
    "loss on a line or a plane through weights",
    "[CHECKPOINT...]",
    TW_USES_OUTPUT | TW_USES_SEED | TW_USES_THREADS | TW_USES_JSON,
    opts,
    sizeof defaults,
    &defaults,
    run,
};
