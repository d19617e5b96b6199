/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The losses that networks may end in. */
#include <stdlib.h>
#include <string.h>

#include "lower.h"

/* Logits (or log p) and targets of a cross-entropy: the classes lie along `axis`, positions have
 * the shape of the targets. */
struct positions {
    int in[2], axis;
    struct tw_val x;
    size_t outer, inner;
    int rank;
    size_t dims[TW_MAX_RANK];
};

static enum tw_status find_positions(struct tw_build *b, int64_t axis, struct positions *p)
{
    p->in[0] = tw_b_vary(b, tw_b_in(b, 0));
    p->in[1] = tw_b_in(b, 1);
    if (p->in[0] < 0 || p->in[1] < 0 || tw_b_val(b, p->in[0])->rank < 1)
        return tw_b_fail(b, "needs logits and targets");
    p->x = *tw_b_val(b, p->in[0]);
    p->axis = tw_b_axis(b, axis, p->x.rank);
    if (p->axis < 0)
        return b->err->code;
    p->outer = p->inner = 1;
    for (int i = 0; i < p->x.rank; i++) {
        if (i == p->axis)
            continue;
        *(i < p->axis ? &p->outer : &p->inner) *= p->x.dims[i];
        p->dims[p->rank++] = p->x.dims[i];
    }
    if (tw_b_val(b, p->in[1])->n != p->outer * p->inner)
        return tw_b_fail(b, "has %zu targets for %zu positions", tw_b_val(b, p->in[1])->n,
                         p->outer * p->inner);
    return TW_OK;
}

/* Places of classes are reals: where there are more than 2^24 of them, the classes go last. */
static void classes_last(struct tw_build *b, struct positions *p)
{
    const size_t classes = p->x.dims[p->axis];
    const size_t rows[3] = { p->outer, classes, p->inner };
    const int perm[3] = { 0, 2, 1 };

    if (p->inner == 1 || classes * p->inner <= (size_t)1 << 24)
        return;
    p->in[0] = tw_b_transpose(b, tw_b_alias(b, p->in[0], 3, rows), perm);
    p->outer *= p->inner;
    p->inner = 1;
}

static int losses(struct tw_build *b, const struct tw_node *node, const struct positions *p)
{
    bool nll = !strcmp(node->op, "NegativeLogLikelihoodLoss") || tw_node_int(node, "log", 0);
    const struct tw_attr *ignore = tw_node_attr(node, "ignore_index");
    struct tw_cross_entropy_data *d = tw_alloc(1, sizeof *d);
    struct positions q = *p;

    classes_last(b, &q);
    if (!d || q.in[0] < 0) {
        free(d);
        return -1;
    }
    *d = (struct tw_cross_entropy_data){ .outer = q.outer,
                                         .classes = p->x.dims[p->axis],
                                         .inner = q.inner,
                                         .has_ignore = ignore != NULL,
                                         .ignore = ignore ? (double)ignore->i : 0.0,
                                         .smoothing = tw_node_real(node, "label_smoothing", 0.0),
                                         .log_probabilities = nll };
    return tw_b_instr(b, &tw_op_cross_entropy, 2, q.in, tw_b_temp(b, p->x.dtype, p->rank, p->dims),
                      d, 5.0 * (double)p->x.n);
}

/* The second output of SoftmaxCrossEntropyLoss. */
static int log_probabilities(struct tw_build *b, const struct positions *p)
{
    struct tw_softmax_data *d = tw_alloc(1, sizeof *d);

    if (!d)
        return -1;
    *d = (struct tw_softmax_data){ true, p->outer, p->x.dims[p->axis], p->inner };
    return tw_b_instr(b, &tw_op_softmax, 1, p->in, tw_b_temp(b, p->x.dtype, p->x.rank, p->x.dims),
                      d, 5.0 * (double)p->x.n);
}

/* What each position counts in a mean: the weight of its class, and 0 where the target is
 * ignored; -1: all the same. */
static int weights_of(struct tw_build *b, const struct tw_node *node, const struct positions *p)
{
    const struct tw_attr *ignore = tw_node_attr(node, "ignore_index");
    int classes = tw_b_in(b, 2), target = p->in[1], v[3] = { -1, -1, -1 };
    struct tw_binary_data *d;

    if (classes >= 0) {
        const struct tw_pick_data row = {
            1, tw_b_val(b, classes)->n, 1, tw_b_val(b, target)->n, 0, 1, 0
        };

        v[1] = tw_b_pick(b, classes, target, tw_b_temp(b, p->x.dtype, p->rank, p->dims), &row);
    }
    if (!ignore)
        return v[1];
    v[0] = tw_b_binary(b, TW_B_EQ, target, tw_b_const_real(b, (double)ignore->i));
    v[0] = tw_b_cast(b, tw_b_unary(b, TW_U_NOT, 0, 0, v[0]), p->x.dtype);
    v[0] = tw_b_alias(b, v[0], p->rank, p->dims);
    if (classes < 0)
        return v[0];
    /* An ignored target may be no class at all: choose, do not multiply. */
    v[2] = tw_b_const_real(b, 0.0);
    d = tw_alloc(1, sizeof *d);
    if (v[0] < 0 || v[1] < 0 || v[2] < 0 || !d) {
        free(d);
        return -1;
    }
    d->loop = (struct tw_loop){
        .nd = 1, .n = { p->outer * p->inner }, .sc = { 1 }, .sa = { 1 }, .sy = { 1 }
    };
    return tw_b_instr(b, &tw_op_select, 3, v, tw_b_temp(b, p->x.dtype, p->rank, p->dims), d, 0.0);
}

/* SoftmaxCrossEntropyLoss, NegativeLogLikelihoodLoss and tw.CrossEntropy: logits (or log p)
 * [N, C, ...] and targets [N, ...]; tw.CrossEntropy has the classes along `axis`. */
enum tw_status tw_lower_cross_entropy(struct tw_build *b, const struct tw_node *node)
{
    bool ours = !strcmp(node->op, "tw.CrossEntropy"), all[TW_MAX_RANK];
    const char *reduction = ours ? "none" : tw_node_text(node, "reduction", "mean");
    bool mean = !strcmp(reduction, "mean"), none = !strcmp(reduction, "none");
    struct positions p = { .rank = 0 };
    int y, weights;
    enum tw_status st = find_positions(b, ours ? tw_node_int(node, "axis", -1) : 1, &p);

    if (st)
        return st;
    if (!mean && !none && strcmp(reduction, "sum") != 0)
        return tw_b_fail(b, "has an unknown reduction '%s'", reduction);
    y = losses(b, node, &p);
    if (node->nout > 1 && node->out[1] >= 0)
        tw_b_out(b, 1, log_probabilities(b, &p));
    weights = mean || tw_b_in(b, 2) >= 0 ? weights_of(b, node, &p) : -1;
    if (tw_b_in(b, 2) >= 0)
        y = tw_b_binary(b, TW_B_MUL, y, weights);
    for (int i = 0; i < p.rank; i++)
        all[i] = true;
    if (!none)
        y = tw_b_reduce(b, TW_B_ADD, mean && weights < 0, y, all, false);
    if (mean && weights >= 0) {
        weights = tw_b_reduce(b, TW_B_ADD, false, weights, all, false);
        y = tw_b_binary(b, TW_B_MUL, y, tw_b_unary(b, TW_U_RECIP, 0, 0, weights));
    }
    if (y < 0 && !b->err->code)
        return tw_err_set(b->err, TW_ENOMEM, "out of memory for the network");
    tw_b_out(b, 0, y);
    return b->err->code;
}

/* tw.BCEWithLogits: softplus(x) - x y, for each element. */
enum tw_status tw_lower_bce(struct tw_build *b, const struct tw_node *node)
{
    int x = tw_b_in(b, 0), y = tw_b_in(b, 1);

    (void)node;
    tw_b_out(b, 0,
             tw_b_binary(b, TW_B_SUB, tw_b_unary(b, TW_U_SOFTPLUS, 0, 0, x),
                         tw_b_binary(b, TW_B_MUL, x, y)));
    return b->err->code;
}
