/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The points of a scan: those that a file has already, and the others one by one. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "resume.h"
#include "scan.h"

/* ---- the file -------------------------------------------------------------------------------- */

static enum tw_status take_over(struct scan *s, struct tw_scan *old)
{
    const size_t n = s->nx * s->ny;

    if (old->nx != s->nx || old->ny != s->ny || old->nextra != s->out.nextra ||
        !old->field[SCAN_ERROR] != !s->out.field[SCAN_ERROR])
        return tw_err_set(&s->call->err, TW_EFORMAT, "%s does not fit its own settings", s->path.s);
    for (size_t k = 0; k < SCAN_FIELDS; k++)
        if (s->out.field[k])
            memcpy(s->out.field[k], old->field[k], n * sizeof *old->field[k]);
    if (s->out.nextra) { /* the settings name the same ones */
        memcpy(s->out.extra, old->extra, s->out.nextra * n * sizeof *old->extra);
        memcpy(s->out.extra_se, old->extra_se, s->out.nextra * n * sizeof *old->extra_se);
    }
    if (s->out.nat && old->nat == s->out.nat) {
        memcpy(s->out.at, old->at, old->nat * sizeof *old->at);
        memcpy(s->out.at_done, old->at_done, old->nat);
        for (size_t k = 0; k < SCAN_FIELDS; k++)
            if (s->out.at_field[k])
                memcpy(s->out.at_field[k], old->at_field[k], old->nat * sizeof *old->at);
    }
    memcpy(s->out.status, old->status, n);
    for (size_t i = 0; i < n; i++)
        s->done += s->out.status[i] == TW_POINT_DONE || s->out.status[i] == TW_POINT_FAILED;
    s->out.stated_error = old->stated_error;
    return TW_OK;
}

static enum tw_status make_settings(struct scan *s)
{
    enum tw_status rc = tw_resume_settings(&s->prov, &s->settings, &s->call->err);

    /* Digests name files, not the checkpoints in them. */
    for (size_t k = 0; k < s->list.n; k++)
        if (s->list.v[k].has_step)
            tw_str_addf(&s->settings, "checkpoint %zu=%s:%.17g\n", k + 1, s->list.v[k].run,
                        s->list.v[k].step);
    scan_paths_settings(s, &s->settings);
    if (rc == TW_OK && s->settings.failed)
        rc = tw_err_set(&s->call->err, TW_ENOMEM, "out of memory");
    return rc;
}

enum tw_status scan_open(struct scan *s)
{
    const bool force = s->call->common.force;
    struct tw_err *err = &s->call->err;
    struct tw_scan old = { 0 };
    bool there = false;
    enum tw_status rc = make_settings(s);

    if (rc == TW_OK && !force)
        rc = tw_resume_check(s->path.s, tw_scan_kind(&s->out), s->settings.s, &there, err);
    if (rc != TW_OK)
        return rc;
    if (!there) {
        s->file = tw_scan_create(s->path.s, &s->out, s->settings.s, force, &s->prov.record, err);
        return s->file ? TW_OK : err->code;
    }
    rc = tw_scan_read(s->path.s, &old, err);
    if (rc == TW_OK)
        rc = take_over(s, &old);
    tw_scan_release(&old);
    if (rc != TW_OK)
        return rc;
    tw_cmd_note(s->call, "%s has %zu of %zu points already", s->path.s, s->done, s->nx * s->ny);
    s->file = tw_result_reopen(s->path.s, tw_scan_kind(&s->out), err);
    return s->file ? TW_OK : err->code;
}

/* ---- points ---------------------------------------------------------------------------------- */

/* extra: those of other losses, NULL where there are none or the point failed. */
static void enter(struct tw_scan *out, size_t i, const struct tw_values *v,
                  const struct tw_values *extra)
{
    const size_t points = out->nx * out->ny;

    const double values[SCAN_FIELDS] = { v->loss.value, v->loss.se, v->error.value, v->error.se };

    for (size_t k = 0; k < SCAN_FIELDS; k++)
        if (out->field[k])
            out->field[k][i] = values[k];
    for (size_t k = 0; extra && k < out->nextra; k++) {
        out->extra[k * points + i] = extra[k].loss.value;
        out->extra_se[k * points + i] = extra[k].loss.se;
    }
    out->status[i] = isfinite(v->loss.value) ? TW_POINT_DONE : TW_POINT_FAILED;
}

/* Means and variances of what comes to each normalisation at this point, over the samples of the
 * scan in batches, as running statistics with PyTorch's momentum=None end after a pass. */
static enum tw_status recalibrate(struct scan *s, const double *weights, struct tw_err *err)
{
    enum { BATCH = 1000 };
    const size_t nb = s->problem->layout->nb, n = s->chart.nanchor;
    struct tw_vector a[TW_CHART_ANCHORS], b[TW_CHART_ANCHORS];
    struct tw_values values;
    const struct tw_request r = { .at = { .f = s->point },
                                  .buffers = s->point_buffers,
                                  .batch = BATCH,
                                  .statistics = s->statistics,
                                  .values = &values };
    enum tw_status rc;

    for (size_t k = 0; k < n; k++) {
        a[k] = (struct tw_vector){ s->anchor[k], NULL };
        b[k] = (struct tw_vector){ s->buffers[k], NULL };
    }
    tw_mix(n, a, weights, s->problem->dim, s->point, NULL);
    tw_mix(n, b, weights, nb, s->point_buffers, NULL);
    for (size_t i = 0; i < nb; i++)
        s->statistics[i] = (double)s->point_buffers[i];
    rc = tw_problem_eval(s->training, &r, err);
    for (size_t i = 0; rc == TW_OK && i < nb; i++)
        s->point_buffers[i] = (float)s->statistics[i];
    return rc;
}

static enum tw_status evaluate(struct scan *s, const double *weights, struct tw_values *values,
                               struct tw_values *extra, struct tw_err *err)
{
    struct tw_request r = { .weights = weights, .values = values, .extra_values = extra };
    enum tw_status rc = TW_OK;

    if (s->training) {
        rc = recalibrate(s, weights, err);
        r = (struct tw_request){ .at = { .f = s->point },
                                 .buffers = s->point_buffers,
                                 .values = values,
                                 .extra_values = extra };
    }
    return rc == TW_OK ? tw_problem_eval(s->problem, &r, err) : rc;
}

static bool is_done(const struct scan *s, size_t i)
{
    return s->out.status[i] == TW_POINT_DONE || s->out.status[i] == TW_POINT_FAILED;
}

/* Take a point's values, or why it failed, and put it into the file. */
static enum tw_status take(struct scan *s, size_t i, const struct tw_values *v,
                           const struct tw_values *extra, const struct tw_err *failure,
                           struct tw_err *err)
{
    static const struct tw_values none = { .loss = { NAN, NAN, NAN }, .error = { NAN, NAN, NAN } };
    enum tw_status rc;

    if (failure)
        tw_cmd_warn(s->call, "%s", failure->msg);
    enter(&s->out, i, failure ? &none : v, failure ? NULL : extra);
    s->evaluations++;
    s->done++;
    rc = tw_scan_write(s->file, &s->out, i, 1, err);
    tw_progress_step(&s->progress, s->done, NULL);
    return rc;
}

static void weights_at(const struct scan *s, size_t i, double weights[TW_CHART_ANCHORS])
{
    tw_chart_weights(&s->chart, s->out.x[i % s->nx], s->out.y[i / s->nx], weights);
}

struct along {
    struct scan *s;
    const double *x;
    struct tw_values values[SCAN_AT_ONCE];
    scan_take_fn *each;
    void *ctx;
    enum tw_status rc;
};

static bool done_along(void *ctx, size_t k, const struct tw_err *failure)
{
    static const struct tw_values none = { .loss = { NAN, NAN, NAN }, .error = { NAN, NAN, NAN } };
    struct along *a = ctx;

    if (a->rc != TW_OK)
        return false;
    if (failure)
        tw_cmd_warn(a->s->call, "%s", failure->msg);
    a->rc = a->each(a->ctx, a->x[k], failure ? &none : &a->values[k]);
    return a->rc == TW_OK && !tw_stop_requested();
}

enum tw_status scan_along(struct scan *s, size_t n, const double *x, scan_take_fn *each, void *ctx)
{
    struct along a = { .s = s, .x = x, .each = each, .ctx = ctx };
    struct tw_request request[SCAN_AT_ONCE] = { 0 };
    double weights[SCAN_AT_ONCE][TW_CHART_ANCHORS];
    struct tw_err why = { 0 };
    enum tw_status rc = TW_OK;

    for (size_t k = 0; k < n; k++) {
        tw_chart_weights(&s->chart, x[k], 0.0, weights[k]);
        request[k] = (struct tw_request){ .weights = weights[k], .values = &a.values[k] };
    }
    if (!s->training) {
        rc = tw_problem_eval_in_order(s->problem, n, request, done_along, &a, &why);
    } else { /* one point, as networks of ours are asked */
        rc = evaluate(s, weights[0], &a.values[0], NULL, &why);
        if (rc == TW_OK || rc == TW_EDOMAIN) {
            (void)done_along(&a, 0, rc == TW_OK ? NULL : &why);
            rc = TW_OK;
        }
    }
    if (a.rc != TW_OK)
        return a.rc;
    return rc == TW_OK || rc == TW_ESTOP ? rc : tw_err_set(&s->call->err, rc, "%s", why.msg);
}

/* One point. */
static enum tw_status compute(struct scan *s, size_t i, struct tw_err *err)
{
    double weights[TW_CHART_ANCHORS];
    struct tw_err why = { 0 };
    struct tw_values values, *extra = s->extra_values;
    enum tw_status rc;

    if (is_done(s, i))
        return TW_OK;
    if (s->evaluations && tw_stop_requested())
        return TW_ESTOP;
    weights_at(s, i, weights);
    rc = evaluate(s, weights, &values, extra, &why);
    if (rc != TW_OK && rc != TW_EDOMAIN)
        return tw_err_set(err, rc, "%s", why.msg);
    return take(s, i, &values, extra, rc == TW_OK ? NULL : &why, err);
}

/* Many points at once: who evaluates may work on several. */
enum { BLOCK = 512 };

/* Where values of the other losses go, for point k of a block; NULL: there are none. */
static struct tw_values *extra_of(const struct scan *s, size_t k)
{
    return s->extra_values ? s->extra_values + k * s->out.nextra : NULL;
}

struct block {
    struct scan *s;
    size_t n, *at;
    struct tw_request *request;
    struct tw_values *values;
    double (*weights)[TW_CHART_ANCHORS];
    enum tw_status rc;
};

static bool done(void *ctx, size_t k, const struct tw_err *failure)
{
    struct block *b = ctx;

    if (b->rc == TW_OK)
        b->rc = take(b->s, b->at[k], &b->values[k], extra_of(b->s, k), failure, &b->s->call->err);
    return b->rc == TW_OK && !tw_stop_requested();
}

static enum tw_status compute_block(struct block *b)
{
    enum tw_status rc;

    for (size_t k = 0; k < b->n; k++) {
        weights_at(b->s, b->at[k], b->weights[k]);
        b->request[k] = (struct tw_request){ .weights = b->weights[k],
                                             .values = &b->values[k],
                                             .extra_values = extra_of(b->s, k) };
    }
    rc = b->n ? tw_problem_eval_many(b->s->problem, b->n, b->request, done, b, &b->s->call->err)
              : TW_OK;
    return b->rc != TW_OK ? b->rc : rc;
}

/* Those of n points that are missing, in that order. Statistics that are taken anew make two passes
 * of each. */
static enum tw_status compute_in(struct scan *s, size_t n, const size_t *order)
{
    size_t at[BLOCK];
    struct tw_request request[BLOCK];
    struct tw_values values[BLOCK];
    double weights[BLOCK][TW_CHART_ANCHORS];
    struct block b = { s, 0, at, request, values, weights, TW_OK };
    enum tw_status rc = TW_OK;

    for (size_t k = 0; rc == TW_OK && k < n; k++) {
        if (s->training)
            rc = compute(s, order[k], &s->call->err);
        else if (!is_done(s, order[k]))
            at[b.n++] = order[k];
        if (b.n == BLOCK) {
            rc = compute_block(&b);
            b.n = 0;
        }
    }
    return rc == TW_OK ? compute_block(&b) : rc;
}

static enum tw_status compute_all(struct scan *s)
{
    size_t *order = tw_alloc(s->nx * s->ny, sizeof *order);
    enum tw_status rc = order ? tw_grid_order(s->nx, s->ny, order, &s->call->err)
                              : tw_err_set(&s->call->err, TW_ENOMEM, "out of memory");

    if (rc == TW_OK)
        rc = compute_in(s, s->nx * s->ny, order);
    free(order);
    return rc;
}

/* As tw_surface_fill asks for them. */
static enum tw_status compute_some(void *ctx, size_t n, const size_t *index, struct tw_err *err)
{
    struct scan *s = ctx;

    (void)err; /* the call's, as it is */
    return s->evaluations && tw_stop_requested() ? TW_ESTOP : compute_in(s, n, index);
}

static enum tw_status fill(struct scan *s)
{
    struct tw_surface surface = { .nx = s->nx, .ny = s->ny, .x = s->out.x, .y = s->out.y };
    const size_t n = s->nx * s->ny;
    struct tw_surface_report report;
    enum tw_status rc;

    for (size_t k = 0; k < SCAN_FIELDS; k++)
        if (s->out.field[k] && !(k % 2 && s->problem->n < 2))
            surface.field[surface.nfield++] = s->out.field[k];
    surface.status = s->out.status;
    rc = tw_surface_fill(&surface, s->o->tol, compute_some, s, &report, &s->call->err);
    if (rc != TW_OK)
        return rc;
    s->out.stated_error = report.error;
    for (size_t i = 0; rc == TW_OK && i < n; i++)
        if (s->out.status[i] == TW_POINT_INTERPOLATED)
            rc = tw_scan_write(s->file, &s->out, i, 1, &s->call->err);
    if (rc == TW_OK)
        rc = tw_result_write_reals(s->file, "/stated_error", 0, &report.error, 1, &s->call->err);
    return rc;
}

enum tw_status scan_run(struct scan *s)
{
    enum tw_status rc;

    if (s->out.nextra) {
        s->extra_values = tw_alloc(s->out.nextra, BLOCK * sizeof *s->extra_values);
        if (!s->extra_values)
            return tw_err_set(&s->call->err, TW_ENOMEM, "out of memory");
    }
    (void)tw_stop_requested(); /* from here on there is something to save */
    tw_progress_start(&s->progress, s->call, "points", s->nx * s->ny);
    s->progress.base = s->done;
    rc = s->o->tol == 0.0 ? compute_all(s) : s->ny > 1 ? fill(s) : scan_line(s);
    tw_progress_end(&s->progress);
    if (s->net)
        tw_cmd_debug(s->call, "of the first layers' products at the anchors %.3g MB were kept",
                     (double)tw_problem_kept(s->problem) / 1e6);
    s->stopped = rc == TW_ESTOP;
    if (s->stopped)
        rc = TW_OK;
    if (rc != TW_OK || s->stopped) {
        tw_result_abandon(s->file);
        s->file = NULL;
    } else {
        rc = tw_result_close(s->file, &s->call->err);
        s->file = NULL;
    }
    return rc;
}

/* ---- a pilot --------------------------------------------------------------------------------- */

/* A standard error falls as 1 / sqrt(n). */
enum tw_status scan_pilot(struct scan *s, size_t *n)
{
    enum { PILOT = 1000 };
    struct tw_problem_options po = { 0 };
    struct tw_net_opts net = s->o->net;
    struct tw_problem *p;
    struct tw_values v = { .n = 0 };
    float *params, *buffers;
    double most = 0.0, want;
    enum tw_status rc = TW_OK;

    net.limit = PILOT;
    p = tw_load_problem(s->call, &net, s->net, &s->data, &po);
    if (!p)
        return s->call->err.code;
    params = tw_alloc(p->dim, sizeof *params);
    buffers = tw_alloc(p->layout->nb, sizeof *buffers);
    if (!params || !buffers)
        rc = tw_err_set(&s->call->err, TW_ENOMEM, "out of memory");
    for (size_t k = 0; rc == TW_OK && (k < s->list.n || k == 0); k++) {
        rc = tw_load_weights(s->call, &net, scan_checkpoint(s, k), tw_problem_graph(p), s->net,
                             params, buffers, NULL);
        if (rc == TW_OK)
            rc = tw_problem_eval(
                p, &(struct tw_request){ .at = { .f = params }, .buffers = buffers, .values = &v },
                &s->call->err);
        if (rc == TW_OK)
            most = fmax(most, v.loss.se * sqrt((double)p->n));
    }
    want = ceil(most / s->o->target_error * (most / s->o->target_error));
    *n = want < (double)p->all ? (size_t)fmax(want, 2.0) : p->all;
    if (rc == TW_OK)
        tw_cmd_note(s->call, "a standard error of %.3g takes %.0f samples; %zu of %zu are used",
                    s->o->target_error, want, *n, p->all);
    free(params);
    free(buffers);
    tw_problem_free(p);
    /* The loss was appended to that network: begin again. */
    tw_net_free(s->net);
    s->net = rc == TW_OK ? tw_load_net(s->call, &s->o->net, scan_checkpoint(s, 0), NULL) : NULL;
    return rc == TW_OK && !s->net ? s->call->err.code : rc;
}
