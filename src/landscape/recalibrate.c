/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "thalweg/landscape_recalibrate.h"

#include <stdlib.h>

enum { BATCH = 1000 };

struct recalibrated {
    struct tw_problem base;
    struct tw_problem *evaluated, *training;
    double *statistics;
    float *buffers;
};

static enum tw_status eval(struct tw_problem *p, const struct tw_request *r, struct tw_err *err)
{
    struct recalibrated *s = (struct recalibrated *)p;
    const size_t nb = p->layout->nb;
    struct tw_values values;
    const struct tw_request measure = { .at = r->at,
                                        .buffers = r->buffers,
                                        .rows = r->rows,
                                        .nrows = r->nrows,
                                        .batch = BATCH,
                                        .statistics = s->statistics,
                                        .values = &values };
    struct tw_request again = *r;
    enum tw_status rc;

    for (size_t i = 0; i < nb; i++)
        s->statistics[i] = r->buffers ? (double)r->buffers[i] : 0.0;
    rc = tw_problem_eval(s->training, &measure, err);
    for (size_t i = 0; i < nb; i++)
        s->buffers[i] = (float)s->statistics[i];
    again.weights = NULL;
    again.buffers = s->buffers;
    return rc == TW_OK ? tw_problem_eval(s->evaluated, &again, err) : rc;
}

static void release(struct tw_problem *p)
{
    struct recalibrated *s = (struct recalibrated *)p;

    tw_problem_free(s->evaluated);
    tw_problem_free(s->training);
    free(s->statistics);
    free(s->buffers);
    free(s);
}

static const struct tw_problem_ops ops = { .eval = eval, .free = release };

struct tw_problem *tw_problem_recalibrated(struct tw_problem *evaluated,
                                           struct tw_problem *training, struct tw_err *err)
{
    const size_t nb = evaluated->layout->nb;
    struct recalibrated *s;

    if (training->dim != evaluated->dim || training->layout->nb != nb ||
        training->n != evaluated->n) {
        tw_err_set(err, TW_EINVAL, "the network has other parameters in training");
        return NULL;
    }
    s = tw_alloc(1, sizeof *s);
    if (s) {
        s->base = (struct tw_problem){ .ops = &ops,
                                       .dim = evaluated->dim,
                                       .layout = evaluated->layout,
                                       .n = evaluated->n,
                                       .all = evaluated->all,
                                       .has_error = evaluated->has_error,
                                       .width = evaluated->width };
        s->statistics = tw_alloc(nb, sizeof *s->statistics);
        s->buffers = tw_alloc(nb, sizeof *s->buffers);
    }
    if (!s || !s->statistics || !s->buffers) {
        free(s ? s->statistics : NULL);
        free(s ? s->buffers : NULL);
        free(s);
        tw_err_set(err, TW_ENOMEM, "out of memory");
        return NULL;
    }
    s->evaluated = evaluated;
    s->training = training;
    return &s->base;
}
