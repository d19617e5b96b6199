/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Logits of a network and their slopes along directions, block by block. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "thalweg/ghost_batch.h"

struct stream {
    struct tw_problem *p;
    const struct tw_loss_ports *ports;
    const struct tw_array *targets;
    int64_t ignored;
    size_t nd, each;              /* directions; softmaxes a row of the data */
    size_t inner;                 /* reals from one class of a softmax to the next */
    size_t rows;                  /* at most, in a block */
    size_t *row, *label, *source; /* of the block */
    double *logits, *slopes;      /* as the problem gives them */
    double *z, *a;                /* softmax by softmax */
    const double **part;          /* (nd) into a */
};

static enum tw_status begin(struct stream *s, struct tw_problem *p, const struct tw_request *r,
                            struct tw_err *err)
{
    const struct tw_loss_ports *ports = tw_problem_ports(p);

    if (!ports->classes || ports->logits < 0)
        return tw_err_set(
            err, TW_EINVAL,
            "radii are those of a softmax: they need class targets and cross-entropy");
    *s = (struct stream){ .p = p,
                          .ports = ports,
                          .targets = tw_problem_targets(p),
                          .ignored = tw_problem_loss(p)->ignore_index,
                          .nd = r->ndirections,
                          .each = p->width / ports->classes,
                          .inner = 1 };
    for (int i = ports->axis; i < ports->target_rank; i++) /* the axes behind the classes */
        s->inner *= ports->target_dims[i];
    return TW_OK;
}

static void release(struct stream *s)
{
    free(s->row);
    free(s->label);
    free(s->source);
    free(s->logits);
    free(s->slopes);
    free(s->z);
    free(s->a);
    free(s->part);
}

static enum tw_status make(struct stream *s, size_t n, size_t bytes, struct tw_err *err)
{
    const size_t width = s->p->width, softmaxes = s->each;
    const size_t row_bytes = 2 * (s->nd + 1) * width * sizeof(double);

    s->rows = bytes / row_bytes < 1 ? 1 : bytes / row_bytes < n ? bytes / row_bytes : n;
    if (s->rows > SIZE_MAX / row_bytes)
        return tw_err_set(err, TW_ENOMEM, "out of memory");
    s->row = tw_alloc(s->rows * softmaxes, sizeof *s->row);
    s->label = tw_alloc(s->rows * softmaxes, sizeof *s->label);
    s->source = tw_alloc(s->rows, sizeof *s->source);
    s->logits = tw_alloc(s->rows * width, sizeof *s->logits);
    s->slopes = tw_alloc(s->rows * width * s->nd, sizeof *s->slopes);
    s->z = tw_alloc(s->rows * width, sizeof *s->z);
    s->a = tw_alloc(s->rows * width * s->nd, sizeof *s->a);
    s->part = tw_alloc(s->nd, sizeof *s->part);
    if (s->row && s->label && s->source && s->logits && s->slopes && s->z && s->a && s->part)
        return TW_OK;
    return tw_err_set(err, TW_ENOMEM, "out of memory");
}

static void gather(const struct stream *s, const double *from, size_t position, double *to)
{
    const size_t classes = s->ports->classes;
    const size_t at = position / s->inner * classes * s->inner + position % s->inner;

    for (size_t k = 0; k < classes; k++)
        to[k] = from[at + k * s->inner];
}

/* The block's rows into softmaxes whose target counts; how many. */
static size_t unpack(struct stream *s, size_t n)
{
    const size_t width = s->p->width, classes = s->ports->classes;
    size_t m = 0;

    for (size_t i = 0; i < n; i++)
        for (size_t q = 0; q < s->each; q++) {
            const int64_t y = tw_array_int(s->targets, s->source[i] * s->each + q);

            if (y == s->ignored)
                continue;
            s->label[m] = (size_t)y;
            s->row[m] = s->source[i];
            gather(s, s->logits + i * width, q, s->z + m * classes);
            for (size_t t = 0; t < s->nd; t++)
                gather(s, s->slopes + (t * n + i) * width, q,
                       s->a + t * s->rows * width + m * classes);
            m++;
        }
    for (size_t t = 0; t < s->nd; t++)
        s->part[t] = s->a + t * s->rows * width;
    return m;
}

static size_t row_at(const struct tw_problem *p, const struct tw_request *r, size_t i)
{
    const size_t *own = tw_problem_rows(p);

    return r->rows ? r->rows[i] : own ? own[i] : i;
}

enum tw_status tw_ghost_slopes(struct tw_problem *p, const struct tw_request *r, size_t bytes,
                               tw_ghost_block_fn *fn, void *ctx, struct tw_err *err)
{
    const size_t n = r->rows ? r->nrows : p->n;
    struct stream s = { 0 };
    size_t softmaxes = 0;
    enum tw_status rc = begin(&s, p, r, err);

    if (rc == TW_OK)
        rc = make(&s, n, bytes, err);
    for (size_t first = 0; rc == TW_OK && first < n; first += s.rows) {
        const size_t m = n - first < s.rows ? n - first : s.rows;
        struct tw_request part = *r;

        for (size_t i = 0; i < m; i++)
            s.source[i] = row_at(p, r, first + i);
        part.rows = s.source;
        part.nrows = m;
        part.logits = s.logits;
        part.logit_slopes = s.slopes;
        rc = tw_problem_eval(p, &part, err);
        if (rc == TW_OK) {
            const struct tw_ghost_block b = { unpack(&s, m), softmaxes, s.ports->classes,
                                              s.z,           s.part,    s.label,
                                              s.row };

            softmaxes += b.n;
            if (b.n)
                rc = fn(ctx, &b, err);
        }
    }
    release(&s);
    return rc;
}

size_t tw_ghost_positions(const struct tw_problem *p, const struct tw_request *r)
{
    const struct tw_loss_ports *ports = tw_problem_ports(p);
    const struct tw_array *targets = tw_problem_targets(p);
    const size_t each = ports->classes ? p->width / ports->classes : 0;
    const size_t n = r->rows ? r->nrows : p->n;
    size_t m = 0;

    for (size_t i = 0; targets && i < n; i++)
        for (size_t q = 0; q < each; q++)
            m += tw_array_int(targets, row_at(p, r, i) * each + q) !=
                 tw_problem_loss(p)->ignore_index;
    return m;
}

/* The largest spread of a block into *ctx. */
static enum tw_status largest_spread(void *ctx, const struct tw_ghost_block *b, struct tw_err *err)
{
    double *most = ctx;

    for (size_t i = 0; i < b->n; i++) {
        const double *a = b->slopes[0] + i * b->classes;
        double lo = a[0], hi = a[0];

        for (size_t k = 0; k < b->classes; k++) {
            if (!isfinite(a[k]))
                return tw_err_set(err, TW_EDOMAIN, "the slope of class %zu of sample %zu is %g", k,
                                  b->row[i], a[k]);
            lo = fmin(lo, a[k]);
            hi = fmax(hi, a[k]);
        }
        *most = fmax(*most, hi - lo);
    }
    return TW_OK;
}

enum tw_status tw_ghost_radius(struct tw_problem *p, const struct tw_request *r, double *rho_a,
                               struct tw_err *err)
{
    /* Where samples see one another they stay together. */
    const size_t bytes = tw_graph_mixes(tw_problem_graph(p)) ? SIZE_MAX : 16u << 20;
    double most = 0.0;
    const enum tw_status rc = tw_ghost_slopes(p, r, bytes, largest_spread, &most, err);

    *rho_a = most > 0.0 ? 3.14159265358979323846 / most : HUGE_VAL;
    return rc;
}

/* ---- of an evaluator ------------------------------------------------------------------------- */

/* Softmaxes whose label is not below 0 to the front of x; how many. */
static size_t keep_labelled(size_t n, size_t classes, const double *labels, double *x)
{
    size_t m = 0;

    for (size_t i = 0; i < n; i++)
        if (!labels || labels[i] >= 0.0) {
            if (m < i)
                memcpy(x + m * classes, x + i * classes, classes * sizeof *x);
            m++;
        }
    return m;
}

enum tw_status tw_ghost_slopes_whole(struct tw_problem *p, const struct tw_request *r,
                                     size_t classes, const double *labels, tw_ghost_block_fn *fn,
                                     void *ctx, struct tw_err *err)
{
    const size_t nd = r->ndirections, reals = p->n * p->width, n = classes ? reals / classes : 0;
    double *z = tw_alloc(reals, sizeof *z);
    double *a = reals <= SIZE_MAX / (nd + 1) ? tw_alloc(reals * nd, sizeof *a) : NULL;
    const double **part = tw_alloc(nd, sizeof *part);
    size_t *row = tw_alloc(n, sizeof *row), *label = tw_alloc(n, sizeof *label);
    struct tw_request whole = *r;
    enum tw_status rc = TW_OK;

    if (!z || !a || !part || !row || !label)
        rc = tw_err_set(err, TW_ENOMEM, "the logits of %zu samples do not fit in memory", p->n);
    whole.logits = z;
    whole.logit_slopes = a;
    if (rc == TW_OK)
        rc = tw_problem_eval(p, &whole, err);
    if (rc == TW_OK) {
        struct tw_ghost_block b = {
            keep_labelled(n, classes, labels, z), 0, classes, z, part, label, row
        };
        size_t m = 0;

        for (size_t t = 0; t < nd; t++) {
            (void)keep_labelled(n, classes, labels, a + t * reals);
            part[t] = a + t * reals;
        }
        for (size_t i = 0; i < n; i++)
            if (!labels || labels[i] >= 0.0) {
                row[m] = i / (p->width / classes);
                label[m++] = labels ? (size_t)labels[i] : SIZE_MAX;
            }
        if (b.n)
            rc = fn(ctx, &b, err);
    }
    free(z);
    free(a);
    free(part);
    free(row);
    free(label);
    return rc;
}
