/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Barriers of every pair of checkpoints: a file that keeps each finished pair, clusters, report. */
#include "barriermatrix.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char kind[] = "barrier-matrix";
static const char columns[] =
    "loss barrier (Entezari), its se, its t; loss barrier (Frankle), its se; error barrier "
    "(Frankle, a share), its se, low, high; verdict (0 undecided, 1 connected, 2 separated); "
    "distance of the parameters; excess of the loss at t = 1/2; guesses of it by slopes at the "
    "ends, curvature at the ends, in the middle, at all three; evaluations";

size_t matrix_row(const struct barrier_matrix *m, size_t i, size_t j)
{
    return i * m->n - i * (i + 1) / 2 + j - i - 1;
}

void matrix_release(struct barrier_matrix *m)
{
    for (size_t i = 0; m->name && i < m->n; i++)
        free(m->name[i]);
    free(m->name);
    barrier_rows_release(&m->rows);
    free(m->cluster);
    *m = (struct barrier_matrix){ 0 };
}

/* ---- clusters -----------------------------------------------------------------------------------
 */

void matrix_cluster(struct barrier_matrix *m)
{
    bool changed = true;

    for (size_t i = 0; i < m->n; i++)
        m->cluster[i] = i;
    while (changed) {
        changed = false;
        for (size_t i = 0; i < m->n; i++)
            for (size_t j = i + 1; j < m->n; j++) {
                const size_t k = matrix_row(m, i, j);
                const double v = m->rows.x[k * MATRIX_COLUMNS + MATRIX_VERDICT];
                const size_t a = m->cluster[i], b = m->cluster[j];

                if (!m->rows.status[k] || v != (double)TW_CONNECTED || a == b)
                    continue;
                m->cluster[i] = m->cluster[j] = a < b ? a : b;
                changed = true;
            }
    }
    m->clusters = 0;
    for (size_t i = 0; i < m->n; i++)
        if (m->cluster[i] == i)
            m->cluster[i] = m->clusters++;
        else
            m->cluster[i] = m->cluster[m->cluster[i]];
}

/* ---- the file -----------------------------------------------------------------------------------
 */

static enum tw_status new_matrix(size_t n, struct barrier_matrix *m, struct tw_err *err)
{
    *m = (struct barrier_matrix){ .n = n, .pairs = n * (n - 1) / 2 };
    m->name = tw_alloc(n, sizeof *m->name);
    m->cluster = tw_alloc(n, sizeof *m->cluster);
    return m->name && m->cluster ? TW_OK : tw_err_set(err, TW_ENOMEM, "out of memory");
}

enum tw_status matrix_read(const char *path, struct barrier_matrix *m, struct tw_err *err)
{
    struct barrier_rows rows = { 0 };
    size_t n = 0;
    char **name = NULL;
    enum tw_status rc = barrier_rows_read(path, kind, MATRIX_COLUMNS, &rows, &n, &name, err);

    *m = (struct barrier_matrix){ 0 };
    if (rc == TW_OK &&
        (!rows.x || !rows.status || n < 2 || n > 100000 || rows.n != n * (n - 1) / 2))
        rc = tw_err_set(err, TW_EFORMAT, "%s: pairs of other models", path);
    if (rc == TW_OK)
        rc = new_matrix(n, m, err);
    if (rc == TW_OK) {
        memcpy(m->name, name, n * sizeof *name);
        m->rows = rows;
        matrix_cluster(m);
    } else {
        for (size_t i = 0; name && i < n; i++)
            free(name[i]);
        barrier_rows_release(&rows);
    }
    free(name);
    return rc;
}

/* ---- pairs --------------------------------------------------------------------------------------
 */

static double distance(const struct barrier *b, size_t i, size_t j)
{
    double sum = 0.0;

    for (size_t k = 0; k < b->problem->dim; k++) {
        const double d = (double)b->params[i][k] - (double)b->params[j][k];

        sum += d * d;
    }
    return sqrt(sum);
}

static void fill_row(const struct barrier *b, size_t i, size_t j, const struct barrier_result *r,
                     double *x)
{
    const struct tw_barrier *e = &r->barrier[TW_LINE_LOSS][TW_BARRIER_ENTEZARI];
    const struct tw_barrier *l = &r->barrier[TW_LINE_LOSS][TW_BARRIER_FRANKLE];
    const struct tw_barrier *f = &r->barrier[TW_LINE_ERROR][TW_BARRIER_FRANKLE];
    const struct tw_curvature_guess *g = r->has_guess ? &r->guess : NULL;
    const double none = (double)NAN;

    x[MATRIX_LOSS] = e->value;
    x[MATRIX_LOSS_SE] = e->se;
    x[MATRIX_T] = e->t;
    x[MATRIX_LOSS_FRANKLE] = l->value;
    x[MATRIX_LOSS_FRANKLE_SE] = l->se;
    x[MATRIX_ERROR] = f->value;
    x[MATRIX_ERROR_SE] = f->se;
    x[MATRIX_ERROR_LO] = f->lo;
    x[MATRIX_ERROR_HI] = f->hi;
    x[MATRIX_VERDICT] = (double)r->verdict;
    x[MATRIX_DISTANCE] = distance(b, i, j);
    x[MATRIX_MIDDLE] =
        tw_line_at(&b->line, TW_LINE_LOSS, 0.5) - 0.5 * (r->value[0][0] + r->value[0][r->m - 1]);
    x[MATRIX_BY_SLOPES] = g ? g->by_slopes : none;
    x[MATRIX_BY_ENDS] = g ? g->by_ends : none;
    x[MATRIX_BY_MIDDLE] = g ? g->by_middle : none;
    x[MATRIX_BY_THREE] = g ? g->by_three : none;
    x[MATRIX_EVALUATIONS] = (double)r->evaluations;
}

enum tw_status matrix_pair(struct barrier *b, struct barrier_matrix *m, size_t i, size_t j,
                           struct barrier_result *r)
{
    const size_t k = matrix_row(m, i, j);
    const struct tw_ends ends = barrier_ends(b, i, j);
    enum tw_status rc = TW_OK;

    if (b->o->predict) {
        rc = tw_curvature_guess(b->problem, &ends, &r->guess, &b->call->err);
        r->has_guess = true;
    }
    if (rc != TW_OK)
        return rc;
    fill_row(b, i, j, r, m->rows.x + k * MATRIX_COLUMNS);
    return barrier_rows_done(b, &m->rows, k);
}

static enum tw_status one_pair(struct barrier *b, struct barrier_matrix *m, size_t i, size_t j)
{
    struct barrier_result r = { 0 };
    struct tw_result *file = b->file;
    enum tw_status rc;

    b->file = NULL; /* a pair is the unit here: its points are not stored */
    rc = barrier_line(b, i, j, NULL, &r);
    b->file = file;
    if (rc == TW_OK)
        rc = matrix_pair(b, m, i, j, &r);
    barrier_result_release(&r);
    return rc;
}

static enum tw_status all_pairs(struct barrier *b, struct barrier_matrix *m)
{
    const bool several = b->problem->parallel > 1;
    struct tw_progress progress;
    enum tw_status rc = TW_OK;
    size_t done = 0;

    tw_progress_start(&progress, b->call, "pairs", m->pairs);
    for (size_t k = 0; k < m->pairs; k++)
        progress.base += m->rows.status[k] == 1;
    done = progress.base;
    if (several)
        rc = matrix_pairs(b, m, &progress);
    for (size_t i = 0; !several && i < m->n && rc == TW_OK; i++)
        for (size_t j = i + 1; j < m->n && rc == TW_OK; j++) {
            if (m->rows.status[matrix_row(m, i, j)])
                continue;
            rc = one_pair(b, m, i, j);
            tw_progress_step(&progress, ++done, NULL);
        }
    tw_progress_end(&progress);
    return rc;
}

/* ---- report -------------------------------------------------------------------------------------
 */

static void print_pairs(const struct barrier *b, const struct barrier_matrix *m)
{
    static const char *const head[] = { "a",  "b",       "loss barrier", "se",   "error %",
                                        "se", "verdict", "distance",     "guess" };
    struct tw_table t = { 0 };

    tw_table_head(&t, head, b->o->predict ? 9 : 8);
    for (size_t i = 0; i < m->n; i++)
        for (size_t j = i + 1; j < m->n; j++) {
            const size_t k = matrix_row(m, i, j);
            const double *x = m->rows.x + k * MATRIX_COLUMNS;

            if (!m->rows.status[k])
                continue;
            tw_table_text(&t, m->name[i]);
            tw_table_text(&t, m->name[j]);
            tw_table_real(&t, "%.4g", x[MATRIX_LOSS]);
            tw_table_real(&t, "%.2g", x[MATRIX_LOSS_SE]);
            tw_table_real(&t, "%.3g", 100.0 * x[MATRIX_ERROR]);
            tw_table_real(&t, "%.2g", 100.0 * x[MATRIX_ERROR_SE]);
            tw_table_text(&t, tw_verdict_name((enum tw_verdict)(int)x[MATRIX_VERDICT]));
            tw_table_real(&t, "%.4g", x[MATRIX_DISTANCE]);
            if (b->o->predict)
                tw_table_real(&t, "%.4g", x[MATRIX_BY_THREE]);
        }
    tw_table_print(&t);
}

static void print_clusters(const struct barrier_matrix *m)
{
    for (size_t c = 0; c < m->clusters; c++) {
        size_t size = 0;

        for (size_t i = 0; i < m->n; i++)
            size += m->cluster[i] == c;
        printf("cluster %zu, %zu model%s:", c + 1, size, tw_plural(size));
        for (size_t i = 0; i < m->n; i++)
            if (m->cluster[i] == c) {
                char *name = tw_strdup(m->name[i]);

                printf(" %s", name ? tw_cmd_clean(name) : "?");
                free(name);
            }
        printf("\n");
    }
}

static void json(struct tw_json *j, const struct barrier_matrix *m)
{
    tw_json_open(j, "models", '[');
    for (size_t i = 0; i < m->n; i++) {
        tw_json_open(j, NULL, '{');
        tw_json_text(j, "name", m->name[i]);
        tw_json_size(j, "cluster", m->cluster[i] + 1);
        tw_json_close(j, '}');
    }
    tw_json_close(j, ']');
    tw_json_size(j, "clusters", m->clusters);
    tw_json_open(j, "pairs", '[');
    for (size_t i = 0; i < m->n; i++)
        for (size_t k = i + 1; k < m->n; k++) {
            const double *x = m->rows.x + matrix_row(m, i, k) * MATRIX_COLUMNS;

            if (!m->rows.status[matrix_row(m, i, k)])
                continue;
            tw_json_open(j, NULL, '{');
            tw_json_size(j, "a", i);
            tw_json_size(j, "b", k);
            tw_json_real(j, "loss", x[MATRIX_LOSS]);
            tw_json_real(j, "loss_se", x[MATRIX_LOSS_SE]);
            tw_json_real(j, "loss_frankle", x[MATRIX_LOSS_FRANKLE]);
            tw_json_real(j, "t", x[MATRIX_T]);
            tw_json_real(j, "error", x[MATRIX_ERROR]);
            tw_json_real(j, "error_lo", x[MATRIX_ERROR_LO]);
            tw_json_real(j, "error_hi", x[MATRIX_ERROR_HI]);
            tw_json_text(j, "verdict", tw_verdict_name((enum tw_verdict)(int)x[MATRIX_VERDICT]));
            tw_json_real(j, "distance", x[MATRIX_DISTANCE]);
            tw_json_real(j, "middle", x[MATRIX_MIDDLE]);
            tw_json_real(j, "by_slopes", x[MATRIX_BY_SLOPES]);
            tw_json_real(j, "by_ends", x[MATRIX_BY_ENDS]);
            tw_json_real(j, "by_middle", x[MATRIX_BY_MIDDLE]);
            tw_json_real(j, "by_three", x[MATRIX_BY_THREE]);
            tw_json_close(j, '}');
        }
    tw_json_close(j, ']');
}

static enum tw_status draw(struct barrier *b, const struct barrier_matrix *m, const char *path)
{
    struct tw_figure_opts fo;
    struct tw_str lines = { 0 };
    enum tw_status rc;

    tw_cmd_provenance_lines(&b->prov, &lines);
    tw_figure_cli_opts(&b->o->figure, b->call, lines.s, &fo);
    rc = matrix_figure(m, b->o->predict, path, &fo, &b->call->err);
    if (rc == TW_OK)
        tw_figure_cli_done(&b->o->figure, b->call, "figure", path);
    tw_str_release(&lines);
    return rc;
}

static bool all_connected(const struct barrier_matrix *m)
{
    for (size_t k = 0; m->rows.x && k < m->pairs; k++)
        if (m->rows.x[k * MATRIX_COLUMNS + MATRIX_VERDICT] != (double)TW_CONNECTED)
            return false;
    return true;
}

int barrier_matrix(struct barrier *b, const char *figure)
{
    struct barrier_matrix m;
    enum tw_status rc = new_matrix(b->list.n, &m, &b->call->err);
    int code;

    for (size_t i = 0; rc == TW_OK && i < m.n; i++) {
        m.name[i] = tw_strdup(b->list.v[i].name);
        rc = m.name[i] ? TW_OK : tw_err_set(&b->call->err, TW_ENOMEM, "out of memory");
    }
    if (rc == TW_OK)
        rc = barrier_rows_new(&m.rows, m.pairs, MATRIX_COLUMNS, &b->call->err);
    if (rc == TW_OK)
        rc = barrier_rows_open(b, &m.rows, kind, columns, b->call->common.output);
    if (rc == TW_OK)
        rc = all_pairs(b, &m);
    rc = barrier_rows_close(b, rc);
    if ((rc == TW_OK || rc == TW_ESTOP) && m.rows.x && m.rows.status) {
        matrix_cluster(&m);
        json(&b->call->json, &m);
        if (!b->call->common.json) {
            print_pairs(b, &m);
            print_clusters(&m);
        }
    }
    code = rc == TW_ESTOP                                  ? TW_EXIT_STOPPED
           : rc != TW_OK                                   ? tw_cmd_fail(b->call)
           : b->o->require_connected && !all_connected(&m) ? TW_EXIT_NEGATIVE
                                                           : TW_EXIT_OK;
    if (rc == TW_OK && figure && draw(b, &m, figure) != TW_OK)
        code = tw_cmd_fail_late(b->call);
    matrix_release(&m);
    return code;
}
