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

static enum tw_status measure(struct tw_problem *p, double tol, size_t max_points,
                              const double whole_ends[2], struct tw_swap *out, struct tw_err *err)
{
    static const double from[] = { 1.0, 0.0 }, to[] = { 0.0, 1.0 };
    const struct tw_line_options o = {
        .hi = 1.0, .tol = tol, .start = 5, .max_points = max_points
    };
    const struct tw_line_path path = { 2, from, to, NULL };
    struct tw_line l;
    enum tw_status rc = tw_line_init(&l, &o, err);

    if (rc == TW_OK)
        rc = tw_line_sample(&l, p, &path, NULL, NULL, err);
    if (rc == TW_OK) {
        const double mid = tw_line_at(&l, TW_LINE_LOSS, 0.5);

        out->barrier = tw_line_top(&l, TW_LINE_LOSS, true, &out->t);
        out->middle =
            mid - 0.5 * (tw_line_at(&l, TW_LINE_LOSS, 0.0) + tw_line_at(&l, TW_LINE_LOSS, 1.0));
        out->published = mid - 0.5 * (whole_ends[0] + whole_ends[1]);
        out->evaluations = l.n;
    }
    tw_line_release(&l);
    return rc;
}

enum tw_status tw_swap_measure(struct tw_problem *p, const struct tw_ends *ends,
                               const struct tw_groups *g, const bool *moving, int base, double tol,
                               size_t max_points, const double whole_ends[2], struct tw_swap *out,
                               struct tw_err *err)
{
    struct path_ends e = { { 0 }, { 0 } };
    enum tw_status rc = TW_OK;

    *out = (struct tw_swap){ 0 };
    for (int k = 0; k < 2; k++) {
        e.params[k] = tw_alloc(p->dim, sizeof *e.params[k]);
        e.buffers[k] = tw_alloc(p->layout->nb, sizeof *e.buffers[k]);
        if (!e.params[k] || !e.buffers[k])
            rc = tw_err_set(err, TW_ENOMEM, "out of memory");
        else
            assemble(p->layout, ends, g, moving, base, k, &e);
    }
    if (rc == TW_OK)
        rc = tw_problem_anchor(
            p, 2, (struct tw_vector[]){ { .f = e.params[0] }, { .f = e.params[1] } },
            ends->buffers[0] ? (const float *const[]){ e.buffers[0], e.buffers[1] } : NULL, err);
    if (rc == TW_OK)
        rc = measure(p, tol, max_points, whole_ends, out, err);
    for (int k = 0; k < 2; k++) {
        free(e.params[k]);
        free(e.buffers[k]);
    }
    return rc;
}
