/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "evaluator.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "evalreport.h"

static void show(struct tw_call *call, const struct tw_str *said)
{
    if (said->failed || !said->n)
        return;
    tw_cmd_note(call, "the evaluator printed last:");
    for (const char *p = said->s; *p;) {
        const size_t n = strcspn(p, "\n");

        tw_cmd_note(call, "| %.*s", (int)(n < 2000 ? n : 2000), p);
        p += n + (p[n] == '\n');
    }
}

struct tw_problem *tw_evaluator_open(struct tw_call *call, const struct tw_evaluator_opts *o)
{
    size_t devices = o->devices ? 1 : 0, workers;
    struct tw_str said = { 0 };
    struct tw_evaluator_options options = { .command = o->command,
                                            .timeout = o->timeout,
                                            .devices = o->devices,
                                            .log = o->log,
                                            .said = &said };
    struct tw_problem *p;

    for (const char *c = o->devices; c && *c; c++)
        devices += *c == ',';
    workers = o->workers ? o->workers : devices ? devices : 1;
    options.workers = workers;
    options.threads = call->common.threads > workers ? call->common.threads / workers : 1;
    p = tw_problem_evaluator(&options, &call->err);
    if (p) {
        const struct tw_evaluator_info info = tw_evaluator_info(p);

        tw_cmd_debug(
            call, "%s, %zu parameters in %s precision, data %s, %zu worker%s of %zu threads",
            info.name ? info.name : "evaluator", p->dim, info.real64 ? "double" : "single",
            info.data ? info.data : "not named", workers, tw_plural(workers), options.threads);
    } else {
        show(call, &said);
    }
    tw_str_release(&said);
    return p;
}

void tw_evaluator_objective(const struct tw_problem *p, struct tw_str *out)
{
    const char *name = tw_evaluator_info(p).name;

    tw_str_add(out, name ? name : "evaluator");
}

void tw_evaluator_show_tail(struct tw_call *call, const struct tw_problem *p)
{
    struct tw_str said = { 0 };

    tw_evaluator_tail(p, &said);
    show(call, &said);
    tw_str_release(&said);
}

/* ---- its checkpoints --------------------------------------------------------------------------
 */

static enum tw_status has_any(struct tw_call *call, const struct tw_problem *p)
{
    return tw_evaluator_info(p).checkpoints
               ? TW_OK
               : tw_err_set(&call->err, TW_EFORMAT,
                            "the evaluator has no checkpoints of its own (\"checkpoints\" in its "
                            "greeting)");
}

enum tw_status tw_evaluator_own(struct tw_call *call, struct tw_problem *p,
                                struct tw_own_checkpoints *own)
{
    const struct tw_evaluator_info info = tw_evaluator_info(p);
    const size_t n = info.checkpoints, dim = p->dim, nb = p->layout->nb;
    enum tw_status rc = has_any(call, p);

    if (rc != TW_OK)
        return rc;
    own->name = tw_alloc(n, sizeof *own->name);
    own->at = tw_alloc(n, sizeof *own->at);
    own->buffers = tw_alloc(n, sizeof *own->buffers);
    own->f = tw_alloc(info.real64 ? 0 : n, dim * sizeof *own->f); /* dim, nb: up to 2^48 */
    own->d = tw_alloc(info.real64 ? n : 0, dim * sizeof *own->d);
    own->b = tw_alloc(n, nb * sizeof *own->b);
    if (!own->name || !own->at || !own->buffers || !own->f || !own->d || !own->b)
        return tw_err_set(&call->err, TW_ENOMEM,
                          "%zu checkpoints of %zu parameters do not fit in memory", n, dim);
    for (; rc == TW_OK && own->n < n; own->n++) {
        const size_t i = own->n;
        float *f = info.real64 ? NULL : own->f + i * dim, *b = own->b + i * nb;
        double *d = info.real64 ? own->d + i * dim : NULL;

        own->name[i] = tw_evaluator_checkpoint(p, i);
        own->at[i] = (struct tw_vector){ f, d };
        own->buffers[i] = b;
        rc = tw_evaluator_get(p, i, f, d, b, &call->err);
        if (rc == TW_EDOMAIN)
            rc = tw_err_ctx(&call->err, rc, "%s", own->name[i]);
    }
    return rc;
}

void tw_own_checkpoints_release(struct tw_own_checkpoints *own)
{
    free(own->name);
    free(own->at);
    free(own->buffers);
    free(own->f);
    free(own->d);
    free(own->b);
    *own = (struct tw_own_checkpoints){ 0 };
}

/* ---- thalweg eval -----------------------------------------------------------------------------
 */

struct each {
    struct tw_call *call;
    struct tw_eval_row *rows;
    struct tw_progress progress;
    size_t done;
    bool failed;
};

static bool one_done(void *ctx, size_t i, const struct tw_err *failure)
{
    struct each *e = ctx;

    if (failure) {
        tw_cmd_warn(e->call, "%s: %s", e->rows[i].name, failure->msg);
        e->rows[i].values =
            (struct tw_values){ .loss = { NAN, NAN, NAN }, .error = { NAN, NAN, NAN } };
        e->failed = true;
    }
    tw_progress_step(&e->progress, ++e->done, NULL);
    return true;
}

static enum tw_status eval_all(struct tw_call *call, struct tw_problem *p,
                               const struct tw_own_checkpoints *own, struct each *e)
{
    struct tw_request *r = tw_alloc(own->n, sizeof *r);
    enum tw_status rc;

    if (!r)
        return tw_err_set(&call->err, TW_ENOMEM, "out of memory");
    for (size_t i = 0; i < own->n; i++) {
        e->rows[i] =
            (struct tw_eval_row){ .name = own->name[i], .has_error = p->has_error, .all = p->all };
        r[i] = (struct tw_request){ .at = own->at[i],
                                    .buffers = own->buffers[i],
                                    .values = &e->rows[i].values };
    }
    tw_progress_start(&e->progress, call, "checkpoints", own->n);
    rc = tw_problem_eval_many(p, own->n, r, one_done, e, &call->err);
    tw_progress_end(&e->progress);
    free(r);
    return rc;
}

static void report(struct tw_call *call, size_t n, const struct tw_eval_row *rows)
{
    tw_eval_print(call, n, n, rows);
    for (size_t i = 0; i < n; i++) {
        tw_json_open(&call->json, NULL, '{');
        tw_eval_json(&call->json, &rows[i]);
        tw_json_close(&call->json, '}');
        if (rows[i].values.nonfinite)
            tw_cmd_warn(call, "%s: %zu of %zu samples have a loss that is not finite", rows[i].name,
                        rows[i].values.nonfinite, rows[i].values.n);
    }
}

int tw_eval_evaluator(struct tw_call *call, const struct tw_evaluator_opts *o, double expected,
                      double tolerance)
{
    struct tw_problem *p = tw_evaluator_open(call, o);
    struct tw_own_checkpoints own = { 0 };
    struct each e = { .call = call };
    enum tw_status rc = p ? tw_evaluator_own(call, p, &own) : call->err.code;
    int code;

    e.rows = tw_alloc(own.n, sizeof *e.rows);
    if (rc == TW_OK && !e.rows)
        rc = tw_err_set(&call->err, TW_ENOMEM, "out of memory");
    if (rc == TW_OK)
        rc = eval_all(call, p, &own, &e);
    if (rc == TW_OK)
        report(call, own.n, e.rows);
    if (p && (rc != TW_OK || e.failed))
        tw_evaluator_show_tail(call, p);
    code = rc == TW_OK ? tw_eval_verdict(call, own.n, own.n, e.rows, expected, tolerance)
                       : tw_cmd_fail(call);
    if (code == TW_EXIT_OK && e.failed)
        code = TW_EXIT_NUMERIC;
    free(e.rows);
    tw_own_checkpoints_release(&own);
    tw_problem_free(p);
    return code;
}
