/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One line of `thalweg barrier`: its points, kill-safe in a file where there is one, its heights,
 * its layers. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "barrier.h"

static enum tw_status no_memory(struct barrier *b)
{
    return tw_err_set(&b->call->err, TW_ENOMEM, "out of memory");
}

/* ---- points in a file ---------------------------------------------------------------------------
 */

/* A line in progress: /progress/t, loss and miss of each sample, weight, status. */
static enum tw_status begin_file(struct barrier *b, const char *path)
{
    const size_t max = b->line.o.max_points, dims[2] = { max, b->line.samples };
    struct tw_err *err = &b->call->err;
    struct tw_result *f = tw_result_create(path, "barrier", TW_RESULT_INPLACE,
                                           b->call->common.force, &b->prov.record, err);
    enum tw_status rc = f ? TW_OK : err->code;

    b->file = f;
    if (rc == TW_OK)
        rc = tw_result_put_text(f, "/settings", b->settings.s,
                                "what a rerun must agree with to go on", err);
    if (rc == TW_OK)
        rc = tw_result_reserve_reals(f, "/progress/t", 1, dims, "",
                                     "place on the line, in the order of evaluation", err);
    if (rc == TW_OK)
        rc = tw_result_reserve_reals(f, "/progress/loss", 2, dims, "nats",
                                     "sum of losses of each sample", err);
    if (rc == TW_OK && b->line.miss)
        rc = tw_result_reserve_reals(f, "/progress/miss", 2, dims, "",
                                     "wrong positions of each sample", err);
    if (rc == TW_OK)
        rc = tw_result_reserve_reals(f, "/progress/weight", 1, dims + 1, "",
                                     "positions that count in a sample", err);
    if (rc == TW_OK)
        rc = tw_result_reserve_bytes(f, "/progress/status", 1, dims, "0 todo, 1 done", err);
    return rc == TW_OK ? tw_result_begin(f, err) : rc;
}

static enum tw_status save_point(struct barrier *b, const struct tw_line *l, size_t k)
{
    static const uint8_t done = 1;
    struct tw_err *err = &b->call->err;
    const size_t n = l->samples, at = k * n;
    enum tw_status rc = tw_result_write_reals(b->file, "/progress/t", k, &l->point[k].t, 1, err);

    if (rc == TW_OK)
        rc = tw_result_write_reals(b->file, "/progress/loss", at, l->loss + at, n, err);
    if (rc == TW_OK && l->miss)
        rc = tw_result_write_reals(b->file, "/progress/miss", at, l->miss + at, n, err);
    if (rc == TW_OK && k == 0)
        rc = tw_result_write_reals(b->file, "/progress/weight", 0, l->weight, n, err);
    return rc == TW_OK ? tw_result_write_bytes(b->file, "/progress/status", k, &done, 1, err) : rc;
}

/* The values of a point from its samples, as the evaluation made them. */
static struct tw_line_point point_of(const struct barrier *b, double t, size_t k)
{
    const struct tw_line *l = &b->line;
    const size_t n = l->samples, all = b->problem->all;
    struct tw_line_point p = { .t = t, .slope = (double)NAN };

    p.values.n = n;
    p.values.weight = tw_sum(l->weight, n);
    p.values.loss = tw_estimate_ratio(n, l->loss + k * n, l->weight, (double)NAN, all);
    p.values.error = (struct tw_estimate){ (double)NAN, (double)NAN, (double)NAN };
    if (l->miss)
        p.values.error = tw_estimate_ratio(n, l->miss + k * n, l->weight, (double)NAN, all);
    for (size_t i = 0; i < n; i++)
        p.values.nonfinite += isfinite(l->loss[k * n + i]) ? 0U : 1U;
    return p;
}

static enum tw_status copy_rows(struct tw_result *f, const char *path, size_t rows, size_t n,
                                double *to, struct tw_err *err)
{
    size_t dims[2];
    double *x = NULL;
    enum tw_status rc = tw_result_get_reals(f, path, 2, dims, &x, err);

    if (rc == TW_OK && (dims[0] < rows || dims[1] != n))
        rc = tw_err_set(err, TW_EFORMAT, "%s: not of this line", path);
    if (rc == TW_OK)
        memcpy(to, x, rows * n * sizeof *x);
    free(x);
    return rc;
}

static enum tw_status take_points(struct barrier *b, struct tw_result *f)
{
    struct tw_line *l = &b->line;
    struct tw_err *err = &b->call->err;
    size_t nt = 0, ns = 0, nw = 0, k = 0;
    double *t = NULL, *w = NULL;
    uint8_t *status = NULL;
    enum tw_status rc = tw_result_get_reals(f, "/progress/t", 1, &nt, &t, err);

    if (rc == TW_OK)
        rc = tw_result_get_bytes(f, "/progress/status", 1, &ns, &status, err);
    if (rc == TW_OK)
        rc = tw_result_get_reals(f, "/progress/weight", 1, &nw, &w, err);
    if (rc == TW_OK && (nt != l->o.max_points || ns != nt || nw != l->samples))
        rc = tw_err_set(err, TW_EFORMAT, "/progress: not of this line");
    while (rc == TW_OK && k < ns && status[k])
        k++;
    if (rc == TW_OK && k) {
        memcpy(l->weight, w, nw * sizeof *w);
        rc = copy_rows(f, "/progress/loss", k, nw, l->loss, err);
    }
    if (rc == TW_OK && k && l->miss)
        rc = copy_rows(f, "/progress/miss", k, nw, l->miss, err);
    for (size_t i = 0; i < k && rc == TW_OK; i++) {
        const struct tw_line_point p = point_of(b, t[i], i);

        rc = tw_line_add(l, &p, err);
    }
    free(t);
    free(w);
    free(status);
    return rc;
}

static enum tw_status resume_file(struct barrier *b, const char *path)
{
    struct tw_err *err = &b->call->err;
    struct tw_result *f = tw_result_open(path, "barrier", err);
    enum tw_status rc = f ? take_points(b, f) : err->code;

    tw_result_done(f);
    if (rc != TW_OK)
        return tw_err_ctx(err, rc, "%s", path);
    tw_cmd_note(b->call, "%s has %zu points already", path, b->line.n);
    b->file = tw_result_reopen(path, "barrier", err);
    return b->file ? TW_OK : err->code;
}

static enum tw_status open_file(struct barrier *b, const char *path)
{
    enum barrier_found found = BARRIER_NONE;
    enum tw_status rc = TW_OK;

    if (!b->call->common.force)
        rc = barrier_file_look(path, "barrier", b->settings.s, &found, &b->call->err);
    if (rc != TW_OK)
        return rc;
    return found == BARRIER_BEGUN ? resume_file(b, path) : begin_file(b, path);
}

/* ---- the line -----------------------------------------------------------------------------------
 */

void barrier_drop_line(struct barrier *b)
{
    free(b->line.loss);
    free(b->line.miss);
    free(b->line.weight);
    tw_line_release(&b->line);
}

enum tw_status barrier_new_line(struct barrier *b)
{
    const struct barrier_opts *o = b->o;
    const size_t max = o->points ? o->points : o->max_points, n = b->problem->n;
    const struct tw_line_options lo = { .hi = 1.0,
                                        .tol = o->tol,
                                        .error_tol = o->error_tol,
                                        .noise = o->noise,
                                        .start = o->points ? o->points : o->start,
                                        .max_points = max,
                                        .even = o->points != 0 };
    struct tw_line *l = &b->line;
    enum tw_status rc;

    barrier_drop_line(b);
    rc = tw_line_init(l, &lo, &b->call->err);
    if (rc != TW_OK)
        return rc;
    l->samples = n;
    l->loss = tw_alloc(max, n * sizeof *l->loss);
    l->miss = b->problem->has_error ? tw_alloc(max, n * sizeof *l->miss) : NULL;
    l->weight = tw_alloc(n, sizeof *l->weight);
    return l->loss && l->weight && (l->miss || !b->problem->has_error) ? TW_OK : no_memory(b);
}

static enum tw_status point_done(void *ctx, const struct tw_line *l, size_t k, struct tw_err *err)
{
    struct barrier *b = ctx;
    enum tw_status rc = b->file ? save_point(b, l, k) : TW_OK;

    (void)err;
    return rc == TW_OK && tw_stop_requested() ? TW_ESTOP : rc;
}

static enum tw_status copy_line(struct barrier *b, struct barrier_result *r)
{
    const struct tw_line *l = &b->line;

    r->m = l->n;
    r->t = tw_alloc(l->n, sizeof *r->t);
    for (int c = 0; c < TW_LINE_NCURVES; c++) {
        r->value[c] = tw_alloc(l->n, sizeof *r->value[c]);
        r->se[c] = tw_alloc(l->n, sizeof *r->se[c]);
        if (!r->t || !r->value[c] || !r->se[c])
            return no_memory(b);
        for (size_t k = 0; k < l->n; k++) {
            const struct tw_line_point *p = &l->point[l->order[k]];
            const struct tw_estimate *e = c ? &p->values.error : &p->values.loss;

            r->t[k] = p->t;
            r->value[c][k] = e->value;
            r->se[c][k] = e->se;
        }
        r->stated[c] = tw_line_stated_error(l, (enum tw_line_curve)c);
    }
    r->converged = l->o.even || tw_line_converged(l);
    return TW_OK;
}

/* By the error rate where there is one, and by the loss where a threshold was given. */
static void decide(const struct barrier *b, struct barrier_result *r)
{
    enum tw_verdict v[TW_LINE_NCURVES];
    bool asked[TW_LINE_NCURVES], connected = true, separated = false;

    r->threshold[TW_LINE_LOSS] = b->o->threshold_loss;
    r->threshold[TW_LINE_ERROR] = r->has_error ? 0.01 * b->o->threshold_error : (double)NAN;
    r->needed = (double)NAN;
    for (int c = 0; c < TW_LINE_NCURVES; c++) {
        const struct tw_barrier *f = &r->barrier[c][TW_BARRIER_FRANKLE];

        asked[c] = !isnan(r->threshold[c]);
        v[c] = tw_barrier_verdict(f, r->threshold[c]);
        connected = connected && (!asked[c] || v[c] == TW_CONNECTED);
        separated = separated || (asked[c] && v[c] == TW_SEPARATED);
        if (asked[c] && v[c] == TW_UNDECIDED)
            r->needed = fmax(r->needed, tw_barrier_samples(f, r->threshold[c], r->n));
    }
    r->verdict = separated                             ? TW_SEPARATED
                 : connected && (asked[0] || asked[1]) ? TW_CONNECTED
                                                       : TW_UNDECIDED;
    if (r->verdict != TW_UNDECIDED)
        r->needed = (double)NAN;
}

static enum tw_status measure(struct barrier *b, struct barrier_result *r)
{
    const struct tw_barrier_options o = { .level = b->o->level,
                                          .replicates = b->o->replicates,
                                          .seed = b->call->common.seed };
    const struct tw_barrier none = { .value = (double)NAN };
    enum tw_status rc = TW_OK;

    for (int c = 0; c < TW_LINE_NCURVES; c++)
        for (int k = 0; k < TW_NBARRIERS && rc == TW_OK; k++) {
            r->barrier[c][k] = none;
            if (c == TW_LINE_LOSS || r->has_error)
                rc = tw_barrier_measure(&b->line, (enum tw_line_curve)c, (enum tw_barrier_kind)k,
                                        r->n_data, &o, &r->barrier[c][k], &b->call->err);
        }
    return rc;
}

static enum tw_status describe(struct barrier *b, size_t i, size_t j, struct barrier_result *r)
{
    struct tw_str loss = { 0 };
    const struct tw_ends ends = barrier_ends(b, i, j);

    if (b->o->evaluator.command)
        tw_evaluator_objective(b->problem, &loss);
    else
        tw_loss_print(tw_problem_loss(b->network), &loss);
    r->objective = tw_strdup(loss.failed ? "" : loss.s);
    tw_str_release(&loss);
    r->name[0] = tw_strdup(b->list.v[i].name);
    r->name[1] = tw_strdup(b->list.v[j].name);
    r->n = b->problem->n;
    r->n_data = b->problem->all;
    r->has_error = b->problem->has_error;
    r->mli = b->o->mli;
    r->recalibrated = b->problem != b->network;
    r->buffers_move = !r->recalibrated && tw_ends_buffers_move(&ends, b->problem->layout);
    return r->objective && r->name[0] && r->name[1] ? TW_OK : no_memory(b);
}

enum tw_status barrier_heights(struct barrier *b, size_t i, size_t j, struct barrier_result *r)
{
    enum tw_status rc = describe(b, i, j, r);

    if (rc == TW_OK)
        rc = copy_line(b, r);
    if (rc == TW_OK)
        rc = measure(b, r);
    if (rc == TW_OK)
        decide(b, r);
    r->evaluations += b->line.n;
    return rc;
}

enum tw_status barrier_line(struct barrier *b, size_t i, size_t j, const char *path,
                            struct barrier_result *r)
{
    static const double from[] = { 1.0, 0.0 }, to[] = { 0.0, 1.0 };
    const struct tw_line_path line = { 2, from, to, NULL };
    enum tw_status rc = barrier_new_line(b);

    if (rc == TW_OK && path)
        rc = open_file(b, path);
    if (rc == TW_OK)
        rc = tw_problem_anchor(
            b->problem, 2, (struct tw_vector[]){ { .f = b->params[i] }, { .f = b->params[j] } },
            (const float *const[]){ b->buffers[i], b->buffers[j] }, &b->call->err);
    if (rc == TW_OK)
        rc = tw_line_sample(&b->line, b->problem, &line, point_done, b, &b->call->err);
    b->stopped = rc == TW_ESTOP;
    return rc == TW_OK ? barrier_heights(b, i, j, r) : rc;
}

/* ---- layers -------------------------------------------------------------------------------------
 */

static enum tw_status split(struct barrier *b, const struct tw_ends *ends, struct barrier_result *r)
{
    const struct tw_barrier *top = &r->barrier[TW_LINE_LOSS][TW_BARRIER_ENTEZARI];
    const double t = top->t > 0.0 && top->t < 1.0 ? top->t : 0.5;
    /* Measured anew, they do not go from one end's to the other's, and no number of nodes makes up
     * for what the gradient does not see. */
    const struct tw_ends still = { { ends->params[0], ends->params[1] },
                                   { ends->buffers[0], ends->buffers[0] } };
    const struct tw_parts_options o = { .max_gradients = r->recalibrated ? 48 : 0,
                                        .t = t,
                                        .tol = 1e-3 * fmax(fabs(top->value), 1e-3) };
    struct tw_parts s = { 0 };
    enum tw_status rc = tw_parts_measure(b->problem, r->recalibrated ? &still : ends, &b->groups,
                                         &o, &s, &b->call->err);

    if (rc == TW_OK) {
        r->part = s.part;
        s.part = NULL;
        r->split_t = t;
        r->split_whole = s.whole;
        r->split_residual = s.residual;
        r->split_buffers = s.buffers;
        r->split_doubt = s.doubt;
        r->gradients = s.gradients;
        r->evaluations += s.losses;
    }
    tw_parts_release(&s);
    return rc;
}

enum { SWAP_COLUMNS = BARRIER_SWAP_BASES + BARRIER_PILES };

/* Path number i: of a layer alone, or of the first or last ones. */
static struct tw_swap_job swap_job(const struct barrier_result *r, size_t i, bool *moving)
{
    const size_t n = r->ngroup, g = i / SWAP_COLUMNS, column = i % SWAP_COLUMNS;
    const bool pile = column >= BARRIER_SWAP_BASES, reverse = column > BARRIER_SWAP_BASES;

    for (size_t k = 0; k < n; k++)
        moving[k] = !pile ? k == g : reverse ? k >= n - 1 - g : k <= g;
    return (struct tw_swap_job){ moving, pile ? 0 : (int)column,
                                 pile ? &r->pile[g * BARRIER_PILES + column - BARRIER_SWAP_BASES]
                                      : &r->swap[g * BARRIER_SWAP_BASES + column] };
}

/* As many side by side as points are worked on at once. */
static enum tw_status swap(struct barrier *b, const struct tw_ends *ends, struct barrier_result *r)
{
    const double whole[2] = { r->value[0][0], r->value[0][r->m - 1] };
    const double tol = 0.01 * fmax(r->barrier[TW_LINE_LOSS][TW_BARRIER_ENTEZARI].value, 1e-3);
    const size_t n = r->ngroup, all = n * SWAP_COLUMNS, parallel = b->problem->parallel;
    const size_t most = parallel < 2 ? 1 : parallel < all ? parallel : all;
    bool *moving = tw_alloc(most, n * sizeof *moving);
    struct tw_swap_job *job = tw_alloc(most, sizeof *job);
    struct tw_progress progress;
    enum tw_status rc = TW_OK;

    r->swap = tw_alloc(n, BARRIER_SWAP_BASES * sizeof *r->swap);
    r->pile = tw_alloc(n, BARRIER_PILES * sizeof *r->pile);
    if (!moving || !job || !r->swap || !r->pile)
        rc = no_memory(b);
    tw_progress_start(&progress, b->call, "layers alone", all);
    for (size_t done = 0; done < all && rc == TW_OK;) {
        size_t k = 0;

        for (; k < most && done < all; k++)
            job[k] = swap_job(r, done++, moving + k * n);
        rc = tw_swaps_measure(b->problem, ends, &b->groups, k, job, tol, 17, whole, &b->call->err);
        while (k-- > 0)
            r->evaluations += job[k].out->evaluations;
        tw_progress_step(&progress, done, NULL);
        if (rc == TW_OK && tw_stop_requested())
            rc = TW_ESTOP;
    }
    tw_progress_end(&progress);
    free(moving);
    free(job);
    return rc;
}

enum tw_status barrier_layers(struct barrier *b, size_t i, size_t j, struct barrier_result *r)
{
    const struct tw_ends ends = barrier_ends(b, i, j);
    enum tw_status rc = TW_OK;

    if (isnan(r->barrier[TW_LINE_LOSS][TW_BARRIER_ENTEZARI].value))
        return TW_OK; /* no finite ends: nothing to split */
    r->ngroup = b->groups.n;
    r->group = tw_alloc(r->ngroup, sizeof *r->group);
    if (!r->group)
        return no_memory(b);
    for (size_t k = 0; k < r->ngroup; k++) {
        r->group[k] = tw_strdup(b->groups.name[k]);
        if (!r->group[k])
            return no_memory(b);
    }
    if (!b->o->no_split)
        rc = split(b, &ends, r);
    if (rc == TW_OK && b->o->swap)
        rc = swap(b, &ends, r);
    if (rc == TW_OK && b->o->predict) {
        rc = tw_curvature_guess(b->problem, &ends, &r->guess, &b->call->err);
        r->has_guess = rc == TW_OK;
        r->middle = tw_line_at(&b->line, TW_LINE_LOSS, 0.5) -
                    0.5 * (r->value[0][0] + r->value[0][r->m - 1]);
    }
    return rc;
}
