/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Barriers between runs that were one up to a step (thalweg train --spawn): at each later step, and
 * for files of several such steps, with the geometry of the two ways from the trunk. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "barrierspawn.h"

static const char kind[] = "barrier-spawned";
static const char columns[] =
    "step of the trunk, training step; loss barrier (Entezari), its se; error barrier (Frankle, a "
    "share), its se; verdict (0 undecided, 1 connected, 2 separated); angle at the trunk between "
    "the "
    "two ways, degrees; distances from the trunk to a and to b, and between them; loss at the "
    "middle "
    "less the trunk's";

struct pairing {
    size_t trunk, a, b; /* of the list */
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

/* The first two runs of each file, at the steps that both have from the trunk's on. */
static enum tw_status pair_up(struct barrier *b, struct pairing *p, size_t *n)
{
    enum tw_status rc = TW_OK;

    *n = 0;
    for (size_t i = 0; i < b->list.n && rc == TW_OK;) {
        const size_t first = i;
        const char *file = b->list.v[i].file, *run = b->list.v[i].run, *other = NULL;
        double spawn = 0.0;

        for (; i < b->list.n && !strcmp(b->list.v[i].file, file); i++)
            if (!other && strcmp(b->list.v[i].run, run) != 0)
                other = b->list.v[i].run;
        rc = spawn_of(b, &b->list.v[first], &spawn);
        if (rc == TW_OK && !other)
            rc = tw_err_set(&b->call->err, TW_EFORMAT, "%s: there is one run; it takes two", file);
        for (size_t k = first; k < i && rc == TW_OK; k++) {
            const struct tw_checkpoint *c = &b->list.v[k];
            const struct pairing q = { find(b, first, run, spawn), k,
                                       find(b, first, other, c->step), spawn, c->step };

            if (strcmp(c->run, run) != 0 || c->step <= spawn || q.trunk == b->list.n ||
                q.b == b->list.n)
                continue;
            p[(*n)++] = q;
        }
    }
    if (rc == TW_OK && *n == 0)
        rc = tw_err_set(&b->call->err, TW_EFORMAT, "no step after the trunk that two runs have");
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
        "trunk",      "step",  "loss barrier",   "se",     "error %", "se", "angle",
        "from trunk", "apart", "middle - trunk", "verdict"
    };
    static const char *const key[SPAWN_COLUMNS] = { "trunk",        "step",  "loss",
                                                    "loss_se",      "error", "error_se",
                                                    "verdict",      "angle", "from_trunk_a",
                                                    "from_trunk_b", "apart", "middle_less_trunk" };
    struct tw_table t = { 0 };
    struct tw_json *j = &call->json;

    tw_table_head(&t, head, 11);
    tw_json_open(j, "pairs", '[');
    for (size_t k = 0; k < r->n; k++) {
        const double *x = r->x + k * SPAWN_COLUMNS;
        const char *verdict = tw_verdict_name((enum tw_verdict)(int)x[SPAWN_VERDICT]);

        if (!r->status[k])
            continue;
        tw_table_real(&t, "%.0f", x[SPAWN_TRUNK]);
        tw_table_real(&t, "%.0f", x[SPAWN_STEP]);
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
    struct pairing *p = tw_alloc(b->list.n, sizeof *p);
    struct barrier_rows r = { 0 };
    struct tw_progress progress;
    size_t n = 0;
    enum tw_status rc =
        p ? pair_up(b, p, &n) : tw_err_set(&b->call->err, TW_ENOMEM, "out of memory");
    int code;

    if (rc == TW_OK)
        rc = barrier_rows_new(&r, n, SPAWN_COLUMNS, &b->call->err);
    if (rc == TW_OK)
        rc = barrier_rows_open(b, &r, kind, columns, b->call->common.output);
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

/* ---- figures
 * ------------------------------------------------------------------------------------- */

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* The different values of a column, rising; how many. */
static size_t levels(const struct barrier_rows *r, size_t column, double *out)
{
    size_t n = 0, kept = 0;

    for (size_t k = 0; k < r->n; k++)
        if (r->status[k])
            out[n++] = r->x[k * SPAWN_COLUMNS + column];
    qsort(out, n, sizeof *out, by_value);
    for (size_t i = 0; i < n; i++)
        if (kept == 0 || out[i] != out[kept - 1])
            out[kept++] = out[i];
    return kept;
}

/* Barrier above, angle below, against the training step; a line for each trunk. */
static enum tw_status ways(const struct barrier_rows *r, const double *trunk, size_t ntrunk,
                           const char *path, const struct tw_figure_opts *fo, struct tw_err *err)
{
    enum { SHOWN = 6, NAME = 40 };
    static const int column[] = { SPAWN_LOSS, SPAWN_ANGLE };
    static const char *const label[] = { "loss barrier", "angle (degrees)" };
    const size_t lines = ntrunk < SHOWN ? ntrunk : SHOWN;
    double *v = tw_alloc(r->n, 3 * SHOWN * sizeof *v);
    char name[SHOWN][NAME];
    struct tw_figure_layer layer[2][2 * SHOWN];
    struct tw_figure_plane f[2];
    enum tw_status rc;

    if (!v)
        return tw_err_set(err, TW_ENOMEM, "out of memory");
    for (size_t s = 0; s < lines; s++) {
        double *x = v + 3 * s * r->n;
        size_t n = 0;

        for (size_t k = 0; k < r->n; k++) {
            const double *row = r->x + k * SPAWN_COLUMNS;

            if (!r->status[k] || row[SPAWN_TRUNK] != trunk[s])
                continue;
            x[n] = row[SPAWN_STEP];
            x[r->n + n] = row[column[0]];
            x[2 * r->n + n++] = row[column[1]];
        }
        (void)snprintf(name[s], NAME, "together to %.0f", trunk[s]);
        for (size_t c = 0; c < 2; c++) {
            layer[c][2 * s] = (struct tw_figure_layer){
                .mark = TW_FIGURE_LINE, .n = n, .x = x, .y = x + (c + 1) * r->n, .colour = (int)s
            };
            layer[c][2 * s + 1] = (struct tw_figure_layer){ .mark = TW_FIGURE_POINTS,
                                                            .name = c ? NULL : name[s],
                                                            .n = n,
                                                            .x = x,
                                                            .y = x + (c + 1) * r->n,
                                                            .colour = (int)s };
        }
    }
    for (size_t c = 0; c < 2; c++)
        f[c] = (struct tw_figure_plane){ .x_label = "training step",
                                         .y_label = label[c],
                                         .x_lo = (double)NAN,
                                         .x_hi = (double)NAN,
                                         .y_lo = (double)NAN,
                                         .y_hi = (double)NAN,
                                         .n = 2 * lines,
                                         .layers = layer[c],
                                         .title = "Runs that were one up to a step",
                                         .weight = c ? 0.7 : 1.0 };
    rc = tw_figure_stack(path, 2, f, fo, err);
    free(v);
    return rc;
}

/* Shades of the barrier: training step across, the trunk's step upwards. */
static enum tw_status heat(const struct barrier_rows *r, const double *trunk, size_t ntrunk,
                           const double *step, size_t nstep, const char *path,
                           const struct tw_figure_opts *fo, struct tw_err *err)
{
    enum { NAME = 24 };
    char(*text)[NAME] = tw_alloc(ntrunk + nstep, NAME);
    const char **name = tw_alloc(ntrunk + nstep, sizeof *name);
    double *value = tw_alloc(ntrunk, nstep * sizeof *value);
    enum tw_status rc = TW_ENOMEM;

    for (size_t i = 0; text && name && i < ntrunk + nstep; i++) {
        (void)snprintf(text[i], NAME, "%.0f", i < ntrunk ? trunk[i] : step[i - ntrunk]);
        name[i] = text[i];
    }
    if (text && name && value) {
        for (size_t i = 0; i < ntrunk * nstep; i++)
            value[i] = (double)NAN;
        for (size_t k = 0; k < r->n; k++)
            for (size_t i = 0; i < ntrunk * nstep && r->status[k]; i++) {
                const double *row = r->x + k * SPAWN_COLUMNS;

                if (row[SPAWN_TRUNK] == trunk[i / nstep] && row[SPAWN_STEP] == step[i % nstep])
                    value[i] = row[SPAWN_LOSS];
            }
        rc = tw_figure_matrix(path,
                              &(struct tw_figure_matrix){ .label = "loss barrier",
                                                          .title = "Barriers of spawned runs",
                                                          .x_label = "training step",
                                                          .y_label = "together up to step",
                                                          .n = ntrunk,
                                                          .name = name,
                                                          .ncol = nstep,
                                                          .col_name = name + ntrunk,
                                                          .value = value },
                              fo, err);
    } else {
        (void)tw_err_set(err, rc, "out of memory");
    }
    free(text);
    free(name);
    free(value);
    return rc;
}

enum tw_status spawn_figure(const struct barrier_rows *r, const char *path,
                            const struct tw_figure_opts *fo, struct tw_err *err)
{
    double *trunk = tw_alloc(r->n, sizeof *trunk), *step = tw_alloc(r->n, sizeof *step);
    enum tw_status rc = TW_ENOMEM;

    if (trunk && step) {
        const size_t nt = levels(r, SPAWN_TRUNK, trunk), ns = levels(r, SPAWN_STEP, step);

        rc = TW_OK;
        if (nt > 1 && ns > 1) {
            struct tw_str name = { 0 };

            barrier_beside(path, "heat", &name);
            rc = name.failed ? tw_err_set(err, TW_ENOMEM, "out of memory")
                             : heat(r, trunk, nt, step, ns, name.s, fo, err);
            tw_str_release(&name);
        }
        if (rc == TW_OK)
            rc = ways(r, trunk, nt, path, fo, err);
    } else {
        (void)tw_err_set(err, rc, "out of memory");
    }
    free(trunk);
    free(step);
    return rc;
}

enum tw_status spawn_plot(const char *file, const char *path, const struct tw_figure_opts *fo,
                          struct tw_err *err)
{
    struct barrier_rows r = { 0 };
    size_t n = 0;
    char **name = NULL;
    enum tw_status rc = barrier_rows_read(file, kind, SPAWN_COLUMNS, &r, &n, &name, err);

    if (rc == TW_OK)
        rc = spawn_figure(&r, path, fo, err);
    for (size_t i = 0; name && i < n; i++)
        free(name[i]);
    free(name);
    barrier_rows_release(&r);
    return rc;
}
