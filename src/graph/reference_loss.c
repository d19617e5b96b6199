/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Losses of classifiers: scores [N, C, d...], classes [N, d...], weights [C]. */
#include "reference.h"

#include <math.h>
#include <string.h>

struct loss {
    const struct tw_array *x, *y, *w;
    size_t classes, inner; /* of x: [N, classes, inner] */
    bool from_scores;      /* x are scores; else logarithms of probabilities */
    bool ignores;
    int64_t ignored;
};

/* log of the sum of exponentials over the classes at position i of y. */
static double log_sum(const struct loss *l, size_t from)
{
    double largest = tw_array_real(l->x, from), sum;

    for (size_t c = 1; c < l->classes; c++)
        largest = fmax(largest, tw_array_real(l->x, from + c * l->inner));
    sum = exp(tw_array_real(l->x, from) - largest);
    for (size_t c = 1; c < l->classes; c++)
        sum += exp(tw_array_real(l->x, from + c * l->inner) - largest);
    return largest + log(sum);
}

static size_t start(const struct loss *l, size_t i)
{
    const size_t at = tw_ref_digit(&i, l->inner);

    return i * l->classes * l->inner + at;
}

static enum tw_status prepare(const struct tw_ref *r, struct loss *l)
{
    l->x = r->in[0];
    l->y = r->in[1];
    l->w = tw_ref_in(r, 2);
    l->from_scores = r->row->which != 0;
    l->ignores = tw_node_attr(r->node, "ignore_index") != NULL;
    l->ignored = tw_node_int(r->node, "ignore_index", 0);
    if (l->x->rank < 2 || l->y->rank != l->x->rank - 1 || tw_dtype_is_real(l->y->dtype) ||
        !tw_dtype_is_real(l->x->dtype))
        return tw_ref_fail(r, "expected scores [N, C, ...] and integers [N, ...]");
    for (int i = 0; i < l->y->rank; i++)
        if (l->y->dims[i] != l->x->dims[i ? i + 1 : 0])
            return tw_ref_fail(r, "the shapes of scores and classes do not match");
    l->classes = l->x->dims[1];
    if (l->classes == 0)
        return tw_ref_fail(r, "there are no classes");
    l->inner = tw_ref_product(l->x->dims, 2, l->x->rank);
    if (l->w && (l->w->n != l->classes || !tw_dtype_is_real(l->w->dtype)))
        return tw_ref_fail(r, "%zu weights for %zu classes", l->w->n, l->classes);
    return TW_OK;
}

/* Loss and weight at position i; an ignored class has weight 0. */
static enum tw_status loss_at(const struct tw_ref *r, const struct loss *l, size_t i, double *loss,
                              double *weight)
{
    const int64_t class = tw_array_int(l->y, i);
    const size_t from = start(l, i);

    *loss = *weight = 0.0;
    if (l->ignores && class == l->ignored)
        return TW_OK;
    if (class < 0 || (uint64_t) class >= l->classes)
        return tw_ref_fail(r, "class %lld of %zu", (long long)class, l->classes);
    *weight = l->w ? tw_array_real(l->w, (size_t) class) : 1.0;
    *loss = -tw_array_real(l->x, from + (size_t) class * l->inner);
    if (l->from_scores)
        *loss += log_sum(l, from);
    *loss *= *weight;
    return TW_OK;
}

static enum tw_status log_probabilities(struct tw_ref *r, const struct loss *l)
{
    const enum tw_status rc = tw_ref_out_like(r, 1, l->x);

    for (size_t i = 0; rc == TW_OK && i < l->y->n; i++) {
        const size_t from = start(l, i);
        const double s = log_sum(l, from);

        for (size_t c = 0; c < l->classes; c++)
            tw_array_set_real(&r->out[1], from + c * l->inner,
                              tw_array_real(l->x, from + c * l->inner) - s);
    }
    return rc;
}

static enum tw_status run(struct tw_ref *r)
{
    const char *reduction = tw_node_text(r->node, "reduction", "mean");
    const bool none = strcmp(reduction, "none") == 0, mean = strcmp(reduction, "mean") == 0;
    double sum = 0.0, total = 0.0;
    struct loss l = { 0 };
    enum tw_status rc = prepare(r, &l);

    if (rc == TW_OK && !none && !mean && strcmp(reduction, "sum") != 0)
        rc = tw_ref_fail(r, "unknown reduction '%s'", reduction);
    if (rc == TW_OK)
        rc = none ? tw_ref_out(r, 0, l.x->dtype, l.y->rank, l.y->dims)
                  : tw_ref_out(r, 0, l.x->dtype, 0, NULL);
    for (size_t i = 0; rc == TW_OK && i < l.y->n; i++) {
        double loss, weight;

        rc = loss_at(r, &l, i, &loss, &weight);
        sum += loss;
        total += weight;
        if (rc == TW_OK && none)
            tw_array_set_real(&r->out[0], i, loss);
    }
    if (rc == TW_OK && !none)
        tw_array_set_real(&r->out[0], 0, mean ? sum / total : sum);
    if (rc == TW_OK && r->nout > 1)
        rc = log_probabilities(r, &l);
    return rc;
}

const struct tw_ref_op tw_ref_loss[] = {
    { .op = "NegativeLogLikelihoodLoss", .least = 2, .most = 3, .run = run },
    { .op = "SoftmaxCrossEntropyLoss", .least = 2, .most = 3, .run = run, .which = 1 },
    { .op = NULL },
};
