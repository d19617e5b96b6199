/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Points as weighted sums of fixed vectors. */
#include "anchors.h"

#include <stdlib.h>
#include <string.h>

struct tw_anchors {
    size_t n;
    uint64_t number;
    struct tw_vector *v;
    struct tw_vector *buffers; /* NULL: as stored */
    float *point_f;            /* one of the two */
    double *point_d;
    float *buffer;
};

void tw_anchors_free(struct tw_anchors *a)
{
    if (!a)
        return;
    free(a->v);
    free(a->buffers);
    free(a->point_f);
    free(a->point_d);
    free(a->buffer);
    free(a);
}

enum { BLOCK = 1024 }; /* numbers summed at once: they stay in the first-level cache */

/* Terms of weight 0 are left out, so that a NaN in one anchor stays there and an anchor comes back
 * to the bit. */
static void sum_block(size_t n, const struct tw_vector *v, const double *weights, size_t from,
                      size_t count, double *x)
{
    memset(x, 0, count * sizeof *x);
    for (size_t k = 0; k < n; k++) {
        const double w = weights[k];
        const double *d = v[k].d ? v[k].d + from : NULL;
        const float *f = d ? NULL : v[k].f + from;

        if (w == 0.0)
            continue;
        if (d) {
#pragma omp simd
            for (size_t i = 0; i < count; i++)
                x[i] += w * d[i];
        } else {
#pragma omp simd
            for (size_t i = 0; i < count; i++)
                x[i] += w * (double)f[i];
        }
    }
}

void tw_mix(size_t n, const struct tw_vector *anchors, const double *weights, size_t dim,
            float *out_f, double *out_d)
{
#pragma omp parallel for schedule(static) if (dim > 20000)
    for (size_t block = 0; block < (dim + BLOCK - 1) / BLOCK; block++) {
        const size_t from = block * BLOCK, count = dim - from < BLOCK ? dim - from : BLOCK;
        double x[BLOCK];

        sum_block(n, anchors, weights, from, count, x);
        for (size_t i = 0; out_f && i < count; i++)
            out_f[from + i] = (float)x[i];
        if (!out_f && out_d)
            memcpy(out_d + from, x, count * sizeof *x);
    }
}

enum tw_status tw_problem_anchor(struct tw_problem *p, size_t n, const struct tw_vector *anchors,
                                 const float *const *buffers, struct tw_err *err)
{
    const size_t nb = p->layout ? p->layout->nb : 0;
    struct tw_anchors *a = tw_alloc(1, sizeof *a);
    bool real64 = false;

    tw_anchors_free(p->anchors);
    p->anchors = NULL;
    if (!a)
        return tw_err_set(err, TW_ENOMEM, "out of memory");
    a->n = n;
    a->number = ++p->nanchored;
    a->v = tw_alloc(n, sizeof *a->v);
    if (buffers && nb)
        a->buffers = tw_alloc(n, sizeof *a->buffers);
    for (size_t k = 0; a->v && k < n; k++) {
        a->v[k] = anchors[k];
        real64 = real64 || anchors[k].d;
    }
    for (size_t k = 0; buffers && a->buffers && k < n; k++)
        a->buffers[k].f = buffers[k];
    if (real64)
        a->point_d = tw_alloc(p->dim, sizeof *a->point_d);
    else
        a->point_f = tw_alloc(p->dim, sizeof *a->point_f);
    if (a->buffers)
        a->buffer = tw_alloc(nb, sizeof *a->buffer);
    if (!a->v || (!a->point_d && !a->point_f) || (buffers && nb && (!a->buffers || !a->buffer))) {
        tw_anchors_free(a);
        return tw_err_set(err, TW_ENOMEM, "out of memory");
    }
    p->anchors = a;
    return TW_OK;
}

const float *tw_anchors_mix(const struct tw_problem *p, const double *weights, float *f, double *d)
{
    const struct tw_anchors *a = p->anchors;

    tw_mix(a->n, a->v, weights, p->dim, f, d);
    if (a->buffers)
        tw_mix(a->n, a->buffers, weights, p->layout->nb, a->buffer, NULL);
    return a->buffer;
}

void tw_anchors_place(const struct tw_problem *p, struct tw_request *r)
{
    const struct tw_anchors *a = p->anchors;

    r->buffers = tw_anchors_mix(p, r->weights, a->point_f, a->point_d);
    r->at = (struct tw_vector){ a->point_f, a->point_d };
}

size_t tw_anchors_count(const struct tw_anchors *a, uint64_t *number)
{
    *number = a->number;
    return a->n;
}

struct tw_vector tw_anchors_at(const struct tw_anchors *a, size_t k)
{
    return a->v[k];
}
