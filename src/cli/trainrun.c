/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Runs at work: updates, rows, checkpoints, states. */
#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <string.h>

#include "train.h"

/* A kill may cost so many seconds of work, or so many times as long as it takes to save. */
static const double least_work = 0.1, work_to_save = 20.0;

static double now(void)
{
    struct timespec t = { 0 };

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* ---- what is written (one thread at a time) ---------------------------------------------------
 */

static bool is_in(size_t x, const size_t *list, size_t n, size_t *at)
{
    size_t lo = 0;

    while (n > 0) {
        const size_t half = n / 2;

        if (list[lo + half] < x) {
            lo += half + 1;
            n -= half + 1;
        } else {
            n = half;
        }
    }
    *at = lo;
    return list[lo] == x;
}

static void fill_line(struct train_job *j)
{
    const double updates = j->updates, *extra = tw_trainer_extra(j->trainer);
    const bool ghost = train_has_ghost(&j->run->o);
    const double value[TRAIN_NSERIES] = {
        [TRAIN_STEP] = (double)j->report.step,
        [TRAIN_LR] = j->report.lr,
        [TRAIN_LOSS] = j->loss_sum / updates,
        [TRAIN_ACC] = 1.0 - j->error_sum / updates,
        [TRAIN_VAL_LOSS] = j->evaluated ? j->val.loss.value : (double)NAN,
        [TRAIN_VAL_ACC] = j->evaluated ? 1.0 - j->val.error.value : (double)NAN,
        [TRAIN_GRAD_NORM] = j->report.grad_norm,
        [TRAIN_UPDATE_NORM] = j->report.update_norm,
        [TRAIN_PARAM_NORM] = j->report.param_norm,
        [TRAIN_RHO_A] = ghost ? extra[TW_TRAIN_GHOST_RHO] : (double)NAN,
        [TRAIN_R] = ghost ? extra[TW_TRAIN_GHOST_R] : (double)NAN
    };

    for (size_t i = 0; i < j->run->nseries; i++)
        j->line[i] = value[j->run->series[i]];
}

/* Row, checkpoint and state of this step, as far as they are due; for all runs that share it. */
static enum tw_status write_step(struct train_work *w, struct train_job *j, bool row, size_t at_row,
                                 bool state)
{
    const struct train_run *r = j->run;
    const size_t step = tw_trainer_steps(j->trainer);
    enum tw_status rc = TW_OK;
    size_t k = 0, last = r->checkpoint[r->ncheckpoint - 1];
    const bool checkpoint = step <= last && is_in(step, r->checkpoint, r->ncheckpoint, &k);

    if (state)
        train_job_save(j);
#pragma omp critical(train_file)
    for (size_t i = j->index; i < j->index + j->nshare; i++) {
        if (rc == TW_OK && row)
            rc = tw_run_write_row(w->file, i, at_row, j->line, j->evaluated, &j->err);
        if (rc == TW_OK && checkpoint)
            rc = tw_run_write_checkpoint(w->file, i, k, j->value, &j->err);
        /* At the end both places hold the same: equal runs are equal files. */
        for (int twice = 0; rc == TW_OK && state && twice < (step == r->schedule.n ? 2 : 1);
             twice++)
            rc = tw_run_write_state(w->file, i, step, j->state, &j->err);
    }
    return rc;
}

/* ---- one update ------------------------------------------------------------------------------ */

static enum tw_status evaluate(struct train_job *j)
{
    struct tw_request r = { .values = &j->val, .buffers = tw_trainer_buffers(j->trainer) };

    if (j->run->o.net.real64)
        r.at.d = tw_trainer_params_real(j->trainer);
    else
        r.at.f = tw_trainer_params(j->trainer);
    return tw_problem_eval(j->validation, &r, &j->err);
}

static void show(struct train_work *w, const struct train_job *j)
{
    char extra[64];

#pragma omp critical(train_progress)
    {
        w->done += j->nshare;
        (void)snprintf(extra, sizeof extra, "loss %.4g", j->report.loss);
        tw_progress_step(&w->progress, w->done, extra);
    }
}

/* pause: how long to work until the next state, if one is written. */
static enum tw_status update(struct train_work *w, struct train_job *j, bool state, double *pause)
{
    const struct train_run *r = j->run;
    enum tw_status rc = tw_trainer_step(j->trainer, &j->report, &j->err);
    const size_t step = j->report.step;
    size_t at = 0;
    bool row;

    if (rc != TW_OK)
        return rc;
    j->loss_sum += j->report.loss;
    j->error_sum += j->report.error;
    j->updates += 1.0;
    row = is_in(step, r->row, r->nrow, &at);
    j->evaluated = row && j->validation && (step % r->o.eval_every == 0 || step == r->schedule.n);
    if (j->evaluated)
        rc = evaluate(j);
    if (!j->report.finite && !strcmp(r->o.on_nan, "stop")) {
        j->diverged = true;
        state = false;
    }
    if (rc == TW_OK && row)
        fill_line(j);
    if (row) {
        j->loss_sum = 0.0;
        j->error_sum = 0.0;
        j->updates = 0.0;
    }
    if (rc == TW_OK) {
        const double before = now();

        rc = write_step(w, j, row, at, state || step == r->schedule.n);
        if (state)
            *pause = fmax(least_work, work_to_save * (now() - before));
    }
    show(w, j);
    return rc;
}

static void run_to(struct train_work *w, struct train_job *j, size_t end)
{
    double saved = now(), pause = least_work;

    if (tw_trainer_steps(j->trainer) == 0 && j->rc == TW_OK)
        j->rc = write_step(w, j, false, 0, false); /* the first checkpoint */
    while (j->rc == TW_OK && !j->diverged && tw_trainer_steps(j->trainer) < end) {
        const bool stop = tw_stop_requested(), due = now() - saved > pause;

        if (stop) {
            j->stopped = true;
            j->rc = write_step(w, j, false, 0, true);
            return;
        }
        j->rc = update(w, j, due, &pause);
        if (due)
            saved = now();
    }
}

/* ---- all runs -------------------------------------------------------------------------------- */

/* What branches have in common is computed once, by the first, and written for all. */
static void run_trunk(struct train_work *w, struct train_job *first, size_t branches)
{
    const size_t spawn =
        first->run->o.spawn < first->run->schedule.n ? first->run->o.spawn : first->run->schedule.n;
    const size_t from = tw_trainer_steps(first->trainer);

    for (size_t b = 0; b < branches; b++)
        if (tw_trainer_steps(first[b].trainer) != from)
            return; /* stopped beyond, or while this was written: each goes on by itself */
    if (from >= spawn)
        return;
    first->nshare = branches;
    run_to(w, first, spawn);
    first->nshare = 1;
    if (first->rc != TW_OK)
        return;
    train_job_save(first);
    for (size_t b = 1; b < branches; b++) {
        train_job_load(&first[b], tw_trainer_steps(first->trainer), first->state);
        first[b].diverged = first->diverged;
        first[b].stopped = first->stopped;
        first[b].report = first->report;
    }
}

enum tw_status train_work_run(struct train_work *w)
{
    const size_t n = w->plan.n, branches = w->o->spawn != SIZE_MAX ? w->o->branches : 1,
                 groups = n / branches;

    for (size_t i = 0; i < n; i++) {
        w->done += tw_trainer_steps(w->job[i].trainer);
        w->total += w->plan.run[i].schedule.n;
    }
    tw_progress_start(&w->progress, w->call, "training", w->total);
    w->progress.base = w->done;
    /* One run has all threads; several have one each, and the same bits. */
    if (branches > 1) {
#pragma omp parallel for schedule(dynamic, 1)                                                      \
    num_threads((int)w->call->common.threads) if (groups > 1)
        for (size_t i = 0; i < groups; i++)
            run_trunk(w, &w->job[i * branches], branches);
    }
#pragma omp parallel for schedule(dynamic, 1) num_threads((int)w->call->common.threads) if (n > 1)
    for (size_t i = 0; i < n; i++)
        if (!w->job[i].stopped)
            run_to(w, &w->job[i], w->plan.run[i].schedule.n);
    tw_progress_end(&w->progress);
    for (size_t i = 0; i < n; i++)
        if (w->job[i].rc != TW_OK)
            return tw_err_set(&w->call->err, w->job[i].rc, "%s", w->job[i].err.msg);
    return TW_OK;
}
