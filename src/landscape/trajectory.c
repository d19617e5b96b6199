/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The plane of a trajectory: principal components from the Gram matrix, so that only K numbers a
 * pair of K points are needed and never K vectors in double. */
#include <gsl/gsl_eigen.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "sums.h"
#include "thalweg/landscape.h"

struct pca {
    const struct tw_trajectory_source *s;
    struct tw_trajectory *t;
    size_t held, nrow; /* points that fit into memory; first point and number of those in it */
    size_t first;
    float **row;       /* held points */
    float *other;      /* one more */
    float *buffers;    /* of the point read last */
    gsl_matrix *gram;  /* of the differences from the last point */
    double *weight[2]; /* the axes as combinations of differences */
};

static enum tw_status no_memory(struct tw_err *err)
{
    return tw_err_set(err, TW_ENOMEM, "out of memory");
}

static float *floats(size_t n)
{
    return tw_alloc(n, sizeof(float));
}

static enum tw_status make(struct pca *p, const struct tw_trajectory_source *s,
                           struct tw_trajectory *t, struct tw_err *err)
{
    const size_t each = s->dim * sizeof(float);
    bool good;

    *t = (struct tw_trajectory){ .n = s->n };
    *p = (struct pca){ .s = s, .t = t, .first = SIZE_MAX };
    p->held = s->memory && each && s->memory / each < s->n ? s->memory / each : s->n;
    p->held = p->held ? p->held : 1;
    p->row = tw_alloc(p->held, sizeof *p->row);
    for (size_t i = 0; p->row && i < p->held; i++)
        p->row[i] = floats(s->dim);
    p->other = floats(s->dim);
    p->buffers = floats(s->nbuffer);
    p->gram = gsl_matrix_alloc(s->n, s->n);
    good = p->row && p->row[p->held - 1] && p->other && p->buffers && p->gram;
    for (int a = 0; a < 2; a++) {
        p->weight[a] = tw_alloc(s->n, sizeof *p->weight[a]);
        t->axis[a] = floats(s->dim);
        t->axis_buffers[a] = floats(s->nbuffer);
        good = good && p->weight[a] && t->axis[a] && t->axis_buffers[a];
    }
    t->origin = floats(s->dim);
    t->origin_buffers = floats(s->nbuffer);
    t->x = tw_alloc(s->n, sizeof *t->x);
    t->y = tw_alloc(s->n, sizeof *t->y);
    t->distance = tw_alloc(s->n, sizeof *t->distance);
    t->off = tw_alloc(s->n, sizeof *t->off);
    good = good && t->origin && t->origin_buffers && t->x && t->y && t->distance && t->off;
    for (size_t i = 0; good && i < p->held; i++)
        good = p->row[i] != NULL;
    return good ? TW_OK : no_memory(err);
}

static void release(struct pca *p)
{
    for (size_t i = 0; p->row && i < p->held; i++)
        free(p->row[i]);
    free(p->row);
    free(p->other);
    free(p->buffers);
    gsl_matrix_free(p->gram);
    free(p->weight[0]);
    free(p->weight[1]);
}

void tw_trajectory_release(struct tw_trajectory *t)
{
    free(t->x);
    free(t->y);
    free(t->distance);
    free(t->off);
    free(t->origin);
    free(t->origin_buffers);
    for (int a = 0; a < 2; a++) {
        free(t->axis[a]);
        free(t->axis_buffers[a]);
    }
    *t = (struct tw_trajectory){ 0 };
}

/* Point k: a row in memory, or read into `other`. Its buffers too, if asked for. */
static enum tw_status point(struct pca *p, size_t k, bool buffers, const float **at,
                            struct tw_err *err)
{
    *at = p->other;
    if (!buffers && p->first != SIZE_MAX && k >= p->first && k - p->first < p->nrow) {
        *at = p->row[k - p->first];
        return TW_OK;
    }
    return p->s->point(p->s->ctx, k, p->other, p->buffers, err);
}

/* ---- the Gram matrix ------------------------------------------------------------------------- */

static void enter(struct pca *p, size_t i, size_t k, const float *b)
{
    const double g = tw_dot_from(p->s->dim, p->row[i - p->first], b, p->t->origin);

    gsl_matrix_set(p->gram, i, k, g);
    gsl_matrix_set(p->gram, k, i, g);
}

static enum tw_status fill_gram(struct pca *p, struct tw_err *err)
{
    const size_t n = p->s->n;
    enum tw_status rc = TW_OK;

    for (size_t first = 0; rc == TW_OK && first < n; first += p->held) {
        p->first = first;
        p->nrow = n - first < p->held ? n - first : p->held;
        for (size_t i = 0; rc == TW_OK && i < p->nrow; i++)
            rc = p->s->point(p->s->ctx, first + i, p->row[i], p->buffers, err);
        for (size_t k = first; rc == TW_OK && k < n; k++) {
            const float *b;

            rc = point(p, k, false, &b, err);
            for (size_t i = first; rc == TW_OK && i < first + p->nrow && i <= k; i++)
                enter(p, i, k, b);
        }
    }
    return rc;
}

/* ---- components ------------------------------------------------------------------------------ */

/* J G J with J = I - 1/n: the Gram matrix of the differences from the mean. Rows, then columns. */
static void centre(gsl_matrix *g)
{
    const size_t n = g->size1;

    for (int pass = 0; pass < 2; pass++)
        for (size_t i = 0; i < n; i++) {
            gsl_vector_view line = pass ? gsl_matrix_column(g, i) : gsl_matrix_row(g, i);
            double mean = 0.0;

            for (size_t k = 0; k < n; k++)
                mean += gsl_vector_get(&line.vector, k) / (double)n;
            (void)gsl_vector_add_constant(&line.vector, -mean);
        }
}

/* Eigenvectors v of G give the components sum_k v_k (theta_k - theta_last) / sqrt(lambda); centred
 * ones too, for their v are orthogonal to 1. */
static enum tw_status components(struct pca *p, struct tw_err *err)
{
    const size_t n = p->s->n;
    gsl_matrix *g = gsl_matrix_alloc(n, n), *v = gsl_matrix_alloc(n, n);
    gsl_vector *lambda = gsl_vector_alloc(n);
    gsl_eigen_symmv_workspace *w = gsl_eigen_symmv_alloc(n);
    enum tw_status rc = g && v && lambda && w ? TW_OK : no_memory(err);
    double trace = 0.0;

    if (rc == TW_OK) {
        (void)gsl_matrix_memcpy(g, p->gram);
        if (!p->s->from_last)
            centre(g);
        for (size_t i = 0; i < n; i++)
            trace += gsl_matrix_get(g, i, i);
        if (!isfinite(trace))
            rc = tw_err_set(err, TW_EDOMAIN, "a checkpoint has parameters that are not finite");
        else if (gsl_eigen_symmv(g, lambda, v, w) != 0 ||
                 gsl_eigen_symmv_sort(lambda, v, GSL_EIGEN_SORT_VAL_DESC) != 0)
            rc = tw_err_set(err, TW_ENOCONV, "the principal components were not found");
        else if (!(gsl_vector_get(lambda, 1) > 1e-12 * gsl_vector_get(lambda, 0)))
            rc = tw_err_set(err, TW_EDOMAIN, "the checkpoints lie on one line: they have no plane");
    }
    for (size_t a = 0; rc == TW_OK && a < 2; a++) {
        const double l = gsl_vector_get(lambda, a);
        double side = 0.0;

        p->t->explained[a] = l / trace;
        for (size_t k = 0; k < n; k++)
            side += gsl_matrix_get(v, k, a) * gsl_matrix_get(p->gram, k, 0);
        for (size_t k = 0; k < n; k++)
            p->weight[a][k] = (side < 0.0 ? -1.0 : 1.0) * gsl_matrix_get(v, k, a) / sqrt(l);
    }
    gsl_matrix_free(g);
    gsl_matrix_free(v);
    gsl_vector_free(lambda);
    gsl_eigen_symmv_free(w);
    return rc;
}

static void add(size_t n, double by, const float *x, const float *o, double *sum)
{
#pragma omp parallel for schedule(static) if (n > 20000)
    for (size_t i = 0; i < n; i++)
        sum[i] += by * ((double)x[i] - (double)o[i]);
}

/* Of length 1, and orthogonal to `other` if there is one; rounded once. */
static double finish(size_t n, const double *sum, const double *other, double along, float *out)
{
    double length = 0.0;

    for (size_t i = 0; i < n; i++) {
        const double x = sum[i] - (other ? along * other[i] : 0.0);

        length += x * x;
    }
    length = sqrt(length);
    for (size_t i = 0; i < n; i++)
        out[i] = (float)((sum[i] - (other ? along * other[i] : 0.0)) / length);
    return length;
}

static enum tw_status make_axes(struct pca *p, struct tw_err *err)
{
    const size_t n = p->s->dim, nb = p->s->nbuffer;
    double *sum[2] = { tw_alloc(n, sizeof **sum), tw_alloc(n, sizeof **sum) };
    double *bsum[2] = { tw_alloc(nb, sizeof **bsum), tw_alloc(nb, sizeof **bsum) };
    enum tw_status rc = sum[0] && sum[1] && bsum[0] && bsum[1] ? TW_OK : no_memory(err);
    struct tw_trajectory *t = p->t;

    for (size_t k = 0; rc == TW_OK && k < p->s->n; k++) {
        const float *x;

        rc = point(p, k, nb > 0, &x, err);
        for (int a = 0; rc == TW_OK && a < 2; a++) {
            add(n, p->weight[a][k], x, t->origin, sum[a]);
            add(nb, p->weight[a][k], p->buffers, t->origin_buffers, bsum[a]);
        }
    }
    if (rc == TW_OK) {
        const double along = tw_sum_dot(sum[0], sum[1], n) / tw_sum_dot(sum[0], sum[0], n);
        const double first = finish(n, sum[0], NULL, 0.0, t->axis[0]);
        const double second = finish(n, sum[1], sum[0], along, t->axis[1]);

        for (size_t i = 0; i < nb; i++) {
            t->axis_buffers[0][i] = (float)(bsum[0][i] / first);
            t->axis_buffers[1][i] = (float)((bsum[1][i] - along * bsum[0][i]) / second);
        }
    }
    for (int a = 0; a < 2; a++) {
        free(sum[a]);
        free(bsum[a]);
    }
    return rc;
}

/* Where each point lies beside the plane that will be shown, rounding of the axes included. */
static enum tw_status project(struct pca *p, struct tw_err *err)
{
    const size_t n = p->s->dim;
    struct tw_trajectory *t = p->t;
    enum tw_status rc = TW_OK;

    for (size_t k = 0; rc == TW_OK && k < p->s->n; k++) {
        const float *x;

        rc = point(p, k, false, &x, err);
        if (rc != TW_OK)
            break;
        t->x[k] = tw_dot_along(n, x, t->origin, t->axis[0]);
        t->y[k] = tw_dot_along(n, x, t->origin, t->axis[1]);
        t->distance[k] = sqrt(tw_dot_from(n, x, x, t->origin));
        t->off[k] = sqrt(tw_square_off(n, x, t->origin, t->x[k], t->axis[0], t->y[k], t->axis[1]));
    }
    return rc;
}

enum tw_status tw_trajectory_plane(const struct tw_trajectory_source *s, struct tw_trajectory *t,
                                   struct tw_err *err)
{
    struct pca p;
    enum tw_status rc;

    *t = (struct tw_trajectory){ 0 };
    if (s->n < 3)
        return tw_err_set(err, TW_EINVAL, "a trajectory needs at least 3 checkpoints, not %zu",
                          s->n);
    rc = make(&p, s, t, err);
    if (rc == TW_OK)
        rc = s->point(s->ctx, s->n - 1, t->origin, t->origin_buffers, err);
    if (rc == TW_OK)
        rc = fill_gram(&p, err);
    if (rc == TW_OK)
        rc = components(&p, err);
    if (rc == TW_OK)
        rc = make_axes(&p, err);
    if (rc == TW_OK)
        rc = project(&p, err);
    release(&p);
    return rc;
}
