/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Paths on which some layers move and the others stay. */
#include <math.h>
#include <stdlib.h>

#include "thalweg/landscape_split.h"

/* The networks at both ends of the path. */
struct path_ends {
    float *params[2], *buffers[2];
};

/* Tensors of moving groups are end k's, others the base's. */
static void assemble(const struct tw_layout *l, const struct tw_ends *ends,
                     const struct tw_groups *g, const bool *moving, int base, int k,
                     const struct path_ends *out)
{
    for (size_t i = 0; i < l->nparam + l->nbuffer; i++) {
        const int of = moving[g->of[i]] ? k : base;
        const bool buffer = i >= l->nparam;
        const float *from = buffer ? ends->buffers[of] : ends->params[of];
        float *to = buffer ? out->buffers[k] : out->params[k];
        const struct tw_param *t = &l->param[i];

        for (size_t j = t->offset; from && j < t->offset + t->n; j++)
            to[j] = from[j];
    }
}

/* Everything about n paths. */
struct paths {
    size_t n;
    struct path_ends *ends;
    struct tw_line *line;
    struct tw_line_job *job;
    double *unit;             /* (2n, 2n): all of one end, nothing of the others */
    struct tw_vector *anchor; /* (2n) the ends of the first path, of the second, ... */
    const float **buffers;
};

static enum tw_status make(struct paths *s, const struct tw_problem *p,
                           const struct tw_line_options *o, struct tw_err *err)
{
    const size_t m = 2 * s->n;
    enum tw_status rc = TW_OK;

    s->ends = tw_alloc(s->n, sizeof *s->ends);
    s->line = tw_alloc(s->n, sizeof *s->line);
    s->job = tw_alloc(s->n, sizeof *s->job);
    s->unit = tw_alloc(m, m * sizeof *s->unit);
    s->anchor = tw_alloc(m, sizeof *s->anchor);
    s->buffers = tw_alloc(m, sizeof *s->buffers);
    if (!s->ends || !s->line || !s->job || !s->unit || !s->anchor || !s->buffers)
        return tw_err_set(err, TW_ENOMEM, "out of memory");
    for (size_t i = 0; i < m; i++) {
        struct path_ends *e = &s->ends[i / 2];

        e->params[i % 2] = tw_alloc(p->dim, sizeof *e->params[0]);
        e->buffers[i % 2] = tw_alloc(p->layout->nb, sizeof *e->buffers[0]);
        if (!e->params[i % 2] || !e->buffers[i % 2])
            return tw_err_set(err, TW_ENOMEM, "out of memory");
        s->unit[i * m + i] = 1.0;
        s->anchor[i].f = e->params[i % 2];
        s->buffers[i] = e->buffers[i % 2];
    }
    for (size_t i = 0; i < s->n && rc == TW_OK; i++) {
        const double *from = s->unit + 2 * i * m;

        s->job[i] = (struct tw_line_job){ &s->line[i], { m, from, from + m, NULL } };
        rc = tw_line_init(&s->line[i], o, err);
    }
    return rc;
}

static void release(struct paths *s)
{
    for (size_t i = 0; i < s->n; i++) {
        for (int k = 0; s->ends && k < 2; k++) {
            free(s->ends[i].params[k]);
            free(s->ends[i].buffers[k]);
        }
        if (s->line)
            tw_line_release(&s->line[i]);
    }
    free(s->ends);
    free(s->line);
    free(s->job);
    free(s->unit);
    free(s->anchor);
    free(s->buffers);
}

static void describe(const struct tw_line *l, const double whole_ends[2], struct tw_swap *out)
{
    const double mid = tw_line_at(l, TW_LINE_LOSS, 0.5);

    out->barrier = tw_line_top(l, TW_LINE_LOSS, true, &out->t);
    out->middle = mid - 0.5 * (tw_line_at(l, TW_LINE_LOSS, 0.0) + tw_line_at(l, TW_LINE_LOSS, 1.0));
    out->published = mid - 0.5 * (whole_ends[0] + whole_ends[1]);
    out->evaluations = l->n;
}

enum tw_status tw_swaps_measure(struct tw_problem *p, const struct tw_ends *ends,
                                const struct tw_groups *g, size_t n, const struct tw_swap_job *job,
                                double tol, size_t max_points, const double whole_ends[2],
                                struct tw_err *err)
{
    const struct tw_line_options o = {
        .hi = 1.0, .tol = tol, .start = 5, .max_points = max_points
    };
    struct paths s = { .n = n };
    enum tw_status rc = make(&s, p, &o, err);

    for (size_t i = 0; i < n; i++)
        *job[i].out = (struct tw_swap){ 0 };
    for (size_t i = 0; i < n && rc == TW_OK; i++)
        for (int k = 0; k < 2; k++)
            assemble(p->layout, ends, g, job[i].moving, job[i].base, k, &s.ends[i]);
    if (rc == TW_OK)
        rc = tw_problem_anchor(p, 2 * n, s.anchor, ends->buffers[0] ? s.buffers : NULL, err);
    if (rc == TW_OK)
        rc = tw_lines_sample(n, s.job, p, NULL, NULL, err);
    for (size_t i = 0; i < n && rc == TW_OK; i++)
        describe(&s.line[i], whole_ends, job[i].out);
    release(&s);
    return rc;
}
