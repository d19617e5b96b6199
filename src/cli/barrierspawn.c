/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Barriers between runs that were one up to a step (thalweg train --spawn): at each later step, and
 * for files of several such steps, with the geometry of the two ways from the trunk. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "barrierspawn.h"

const char spawn_kind[] = "barrier-spawned";
static const char columns[] =
    "step of the trunk, training step; loss barrier (Entezari), its se; error barrier (Frankle, a "
    "share), its se; verdict (0 undecided, 1 connected, 2 separated); angle at the trunk between "
    "the "
    "two ways, degrees; distances from the trunk to a and to b, and between them; loss at the "
    "middle "
    "less the trunk's; numbers of the two runs in their file";

struct pairing {
    size_t trunk, a, b;  /* of the list */
    size_t run_a, run_b; /* which run of the file, from 1 */
    double spawn, step;
};

/* ---- which checkpoints
 * --------------------------------------------------------------------------- */

static enum tw_status spawn_of(struct barrier *b, const struct tw_checkpoint *c, double *spawn)
{
    char *text = tw_checkpoint_attr(b->call, c, "spawn");
    const bool ok = text && tw_str_to_real(text, spawn);

    free(text);
    return ok ? TW_OK
              : tw_err_set(
                    &b->call->err, TW_EFORMAT,
                    "%s: its runs have no common beginning (thalweg train --spawn makes such)",
                    c->file);
}

enum tw_status barrier_spawn_list(struct barrier *b)
{
    enum tw_status rc = TW_OK;

    for (int i = 0; i < b->call->argc && rc == TW_OK; i++) {
        struct tw_str all = { 0 };

        tw_str_addf(&all, "%s:*:*", b->call->argv[i]);
        rc = all.failed ? tw_err_set(&b->call->err, TW_ENOMEM, "out of memory")
                        : tw_checkpoints_add(b->call, all.s, &b->list);
        tw_str_release(&all);
    }
    return rc;
}

static size_t find(const struct barrier *b, size_t like, const char *run, double step)
{
    for (size_t i = 0; i < b->list.n; i++) {
        const struct tw_checkpoint *c = &b->list.v[i];

        if (!strcmp(c->file, b->list.v[like].file) && !strcmp(c->run, run) && c->step == step)
            return i;
    }
    return b->list.n;
}

static bool same_run(const struct barrier *b, size_t i, size_t k)
{
    return !strcmp(b->list.v[i].run, b->list.v[k].run);
}

/* Which run of the file that starts at `first` checkpoint k is of, from 1. */
static size_t run_number(const struct barrier *b, size_t first, size_t k)
{
    size_t n = 0, i = first;

    for (;; i++) {
        size_t seen = first;

        while (!same_run(b, seen, i))
            seen++;
        n += seen == i;
        if (same_run(b, i, k))
            return n;
    }
}

/* Every two runs of the file of checkpoints first to last - 1, at the steps from the trunk's on
 * that both have. p NULL: counts them. */
static enum tw_status pair_file(struct barrier *b, size_t first, size_t last, struct pairing *p,
                                size_t *n)
{
    double spawn = 0.0;
    bool several = false;
    const enum tw_status rc = spawn_of(b, &b->list.v[first], &spawn);

    for (size_t k = first; k < last && rc == TW_OK; k++) {
        const struct tw_checkpoint *c = &b->list.v[k];
        const size_t trunk = find(b, first, c->run, spawn);

        several = several || !same_run(b, first, k);
        for (size_t m = k + 1; m < last && c->step > spawn && trunk < b->list.n; m++) {
            if (b->list.v[m].step != c->step || same_run(b, k, m))
                continue;
            if (p)
                p[*n] = (struct pairing){
                    trunk, k, m, run_number(b, first, k), run_number(b, first, m), spawn, c->step
                };
            ++*n;
        }
    }
    return rc == TW_OK && !several
               ? tw_err_set(&b->call->err, TW_EFORMAT, "%s: there is one run; it takes two",
                            b->list.v[first].file)
               : rc;
}

static enum tw_status pair_all(struct barrier *b, struct pairing *p, size_t *n)
{
    enum tw_status rc = TW_OK;

    *n = 0;
    for (size_t first = 0, last; first < b->list.n && rc == TW_OK; first = last) {
        last = first;
        while (last < b->list.n && !strcmp(b->list.v[last].file, b->list.v[first].file))
            last++;
        rc = pair_file(b, first, last, p, n);
    }
    return rc;
}

static enum tw_status pair_up(struct barrier *b, struct pairing **p, size_t *n)
{
    enum tw_status rc = pair_all(b, NULL, n);

    if (rc == TW_OK && *n == 0)
        rc = tw_err_set(&b->call->err, TW_EFORMAT, "no step after the trunk that two runs have");
    if (rc == TW_OK) {
        *p = tw_alloc(*n, sizeof **p);
        rc = *p ? pair_all(b, *p, n) : tw_err_set(&b->call->err, TW_ENOMEM, "out of memory");
    }
    return rc;
}

/* ---- geometry
 * ------------------------------------------------------------------------------------ */

static void geometry(const struct barrier *b, const struct pairing *q, double *x)
{
    const float *t = b->params[q->trunk], *u = b->params[q->a], *v = b->params[q->b];
    double uu = 0.0, vv = 0.0, uv = 0.0, dd = 0.0;

    for (size_t k = 0; k < b->problem->dim; k++) {
        const double du = (double)u[k] - (double)t[k], dv = (double)v[k] - (double)t[k];

        uu += du * du;
        vv += dv * dv;
        uv += du * dv;
        dd += (du - dv) * (du - dv);
    }
    x[SPAWN_ANGLE] = acos(fmax(-1.0, fmin(1.0, uv / sqrt(uu * vv)))) * 180.0 / acos(-1.0);
    x[SPAWN_FROM_A] = sqrt(uu);
    x[SPAWN_FROM_B] = sqrt(vv);
    x[SPAWN_APART] = sqrt(dd);
}

static enum tw_status trunk_loss(struct barrier *b, const struct pairing *q, double *loss)
{
    struct tw_values v = { 0 };
    const enum tw_status rc = tw_problem_eval(
        b->problem,
        &(struct tw_request){
            .at = { .f = b->params[q->trunk] }, .buffers = b->buffers[q->trunk], .values = &v },
        &b->call->err);

    *loss = v.loss.value;
    return rc;
}

static enum tw_status one(struct barrier *b, const struct pairing *q, double *x)
{
    struct barrier_result r = { 0 };
    struct tw_result *file = b->file;
    double trunk = (double)NAN;
    enum tw_status rc;

    b->file = NULL; /* a pair is the unit: its points are not stored */
    rc = barrier_line(b, q->a, q->b, NULL, &r);
    b->file = file;
    if (rc == TW_OK)
        rc = trunk_loss(b, q, &trunk);
    if (rc == TW_OK) {
        x[SPAWN_TRUNK] = q->spawn;
        x[SPAWN_STEP] = q->step;
        x[SPAWN_LOSS] = r.barrier[TW_LINE_LOSS][TW_BARRIER_ENTEZARI].value;
        x[SPAWN_LOSS_SE] = r.barrier[TW_LINE_LOSS][TW_BARRIER_ENTEZARI].se;
        x[SPAWN_ERROR] = r.barrier[TW_LINE_ERROR][TW_BARRIER_FRANKLE].value;
        x[SPAWN_ERROR_SE] = r.barrier[TW_LINE_ERROR][TW_BARRIER_FRANKLE].se;
        x[SPAWN_VERDICT] = (double)r.verdict;
        x[SPAWN_MIDDLE] = tw_line_at(&b->line, TW_LINE_LOSS, 0.5) - trunk;
        x[SPAWN_RUN_A] = (double)q->run_a;
        x[SPAWN_RUN_B] = (double)q->run_b;
        geometry(b, q, x);
    }
    barrier_result_release(&r);
    return rc;
}

/* ---- report
 * -------------------------------------------------------------------------------------- */

static void report(struct tw_call *call, const struct barrier_rows *r)
{
    static const char *const head[] = {
        "trunk", "step",       "runs",  "loss barrier",   "se",     "error %", "se",
        "angle", "from trunk", "apart", "middle - trunk", "verdict"
    };
    static const char *const key[SPAWN_COLUMNS] = { "trunk",        "step",  "loss",
                                                    "loss_se",      "error", "error_se",
                                                    "verdict",      "angle", "from_trunk_a",
                                                    "from_trunk_b", "apart", "middle_less_trunk",
                                                    "run_a",        "run_b" };
    struct tw_table t = { 0 };
    struct tw_json *j = &call->json;

    tw_table_head(&t, head, 12);
    tw_json_open(j, "pairs", '[');
    for (size_t k = 0; k < r->n; k++) {
        const double *x = r->x + k * SPAWN_COLUMNS;
        const char *verdict = tw_verdict_name((enum tw_verdict)(int)x[SPAWN_VERDICT]);
        char runs[32];

        if (!r->status[k])
            continue;
        tw_table_real(&t, "%.0f", x[SPAWN_TRUNK]);
        tw_table_real(&t, "%.0f", x[SPAWN_STEP]);
        (void)snprintf(runs, sizeof runs, "%.0f-%.0f", x[SPAWN_RUN_A], x[SPAWN_RUN_B]);
        tw_table_text(&t, runs);
        tw_table_real(&t, "%.4g", x[SPAWN_LOSS]);
        tw_table_real(&t, "%.2g", x[SPAWN_LOSS_SE]);
        tw_table_real(&t, "%.3g", 100.0 * x[SPAWN_ERROR]);
        tw_table_real(&t, "%.2g", 100.0 * x[SPAWN_ERROR_SE]);
        tw_table_real(&t, "%.1f", x[SPAWN_ANGLE]);
        tw_table_real(&t, "%.3g", x[SPAWN_FROM_A]);
        tw_table_real(&t, "%.3g", x[SPAWN_APART]);
        tw_table_real(&t, "%.3g", x[SPAWN_MIDDLE]);
        tw_table_text(&t, verdict);
        tw_json_open(j, NULL, '{');
        for (size_t c = 0; c < SPAWN_COLUMNS; c++)
            if (c == SPAWN_VERDICT)
                tw_json_text(j, key[c], verdict);
            else
                tw_json_real(j, key[c], x[c]);
        tw_json_close(j, '}');
    }
    tw_json_close(j, ']');
    tw_table_print(&t);
}

static enum tw_status draw(struct barrier *b, const struct barrier_rows *r, const char *path)
{
    struct tw_figure_opts fo;
    struct tw_str lines = { 0 };
    enum tw_status rc;

    tw_cmd_provenance_lines(&b->prov, &lines);
    tw_figure_cli_opts(&b->o->figure, b->call, lines.s, &fo);
    rc = spawn_figure(r, path, &fo, &b->call->err);
    if (rc == TW_OK)
        tw_figure_cli_done(&b->o->figure, b->call, "figure", path);
    tw_str_release(&lines);
    return rc;
}

int barrier_spawned(struct barrier *b, const char *figure)
{
    struct pairing *p = NULL;
    struct barrier_rows r = { 0 };
    struct tw_progress progress;
    size_t n = 0;
    enum tw_status rc = pair_up(b, &p, &n);
    int code;

    if (rc == TW_OK)
        rc = barrier_rows_new(&r, n, SPAWN_COLUMNS, &b->call->err);
    if (rc == TW_OK)
        rc = barrier_rows_open(b, &r, spawn_kind, columns, b->call->common.output);
    tw_progress_start(&progress, b->call, "pairs", n);
    for (size_t k = 0; k < n && rc == TW_OK; k++) {
        if (!r.status[k])
            rc = one(b, &p[k], r.x + k * SPAWN_COLUMNS);
        if (rc == TW_OK && !r.status[k])
            rc = barrier_rows_done(b, &r, k);
        tw_progress_step(&progress, k + 1, NULL);
    }
    tw_progress_end(&progress);
    rc = barrier_rows_close(b, rc);
    if (rc == TW_OK || rc == TW_ESTOP)
        report(b->call, &r);
    code = rc == TW_OK ? TW_EXIT_OK : rc == TW_ESTOP ? TW_EXIT_STOPPED : tw_cmd_fail(b->call);
    for (size_t k = 0; rc == TW_OK && b->o->require_connected && k < n; k++)
        if (r.x[k * SPAWN_COLUMNS + SPAWN_VERDICT] != (double)TW_CONNECTED)
            code = TW_EXIT_NEGATIVE;
    if (rc == TW_OK && figure && draw(b, &r, figure) != TW_OK)
        code = tw_cmd_fail_late(b->call);
    barrier_rows_release(&r);
    free(p);
    return code;
}
