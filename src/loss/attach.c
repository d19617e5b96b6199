/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A loss as nodes at the end of a network. */
#include <string.h>

#include "thalweg/loss.h"
#include "thalweg/tensor_build.h"

struct attach {
    struct tw_net_build b;
    const struct tw_loss_spec *spec;
    const struct tw_loss_value *out, *target_as_given;
    struct tw_loss_ports *ports;
    int x, target; /* values */
};

static size_t per_sample(const struct tw_loss_value *v)
{
    size_t n = 1;

    for (int i = 1; i < v->rank; i++)
        n *= v->dims[i];
    return n;
}

static enum tw_status misfit(const struct attach *a, const char *want)
{
    const struct tw_loss_value *v[2] = { a->out, a->target_as_given };
    struct tw_str s[2] = { { 0 }, { 0 } };

    for (int k = 0; k < 2; k++)
        if (v[k]->rank > 1)
            tw_array_describe(v[k]->dtype, v[k]->rank - 1, v[k]->dims + 1, &s[k]);
        else
            tw_str_addf(&s[k], "one %s", tw_dtype_name(v[k]->dtype));
    tw_err_set(a->b.err, TW_EFORMAT,
               "loss %s: the network gives %s a sample, the targets are %s a sample; %s",
               tw_losses[a->spec->kind].name, s[0].failed ? "?" : s[0].s,
               s[1].failed ? "?" : s[1].s, want);
    tw_str_release(&s[0]);
    tw_str_release(&s[1]);
    return TW_EFORMAT;
}

/* ---- shapes -------------------------------------------------------------------------------- */

/* The targets' shape is the output's without `axis`. */
static bool fits_without(const struct tw_loss_value *out, const struct tw_loss_value *target,
                         int axis)
{
    size_t n = 1;

    for (int i = 1; i < out->rank; i++)
        if (i != axis)
            n *= out->dims[i];
    if (out->rank == 2)
        return n == per_sample(target);
    if (target->rank != out->rank - 1)
        return false;
    for (int i = 1; i < out->rank; i++)
        if (i != axis && out->dims[i] != target->dims[i < axis ? i : i - 1])
            return false;
    return true;
}

static enum tw_status match_classes(struct attach *a)
{
    struct tw_loss_ports *p = a->ports;
    const struct tw_loss_value *out = a->out, *t = a->target_as_given;

    if (out->rank < 2)
        return misfit(a, "class numbers need an output for each class");
    if (fits_without(out, t, 1))
        p->axis = 1;
    else if (fits_without(out, t, out->rank - 1))
        p->axis = out->rank - 1;
    else
        return misfit(a, "the targets should have the output's shape without its axis of classes");
    if (tw_dtype_is_real(t->dtype))
        return misfit(a, "class numbers are integers; convert them, or choose another --loss");
    p->classes = out->dims[p->axis];
    p->target_rank = out->rank - 1;
    for (int i = 0; i < out->rank - 1; i++)
        p->target_dims[i] = out->dims[i < p->axis ? i : i + 1];
    return TW_OK;
}

static enum tw_status match_elements(struct attach *a)
{
    struct tw_loss_ports *p = a->ports;

    if (per_sample(a->out) != per_sample(a->target_as_given))
        return misfit(a, "both should have the same number of elements");
    p->target_rank = a->out->rank;
    memcpy(p->target_dims, a->out->dims, sizeof p->target_dims);
    p->weight_each = (double)per_sample(a->out);
    return TW_OK;
}

/* ---- pieces ---------------------------------------------------------------------------------- */

static void add_target(struct attach *a)
{
    const char *name = tw_net_find(a->b.net, "target") < 0 ? "target" : "tw.target";
    int64_t dims[TW_MAX_RANK];

    for (int i = 1; i < a->ports->target_rank; i++)
        dims[i - 1] = (int64_t)a->ports->target_dims[i];
    a->ports->target = (int)a->b.net->ninput;
    a->target = tw_build_input(&a->b, name, tw_losses[a->spec->kind].classes ? TW_I64 : TW_F32,
                               a->ports->target_rank - 1, dims);
}

/* The sum over all axes but the first of a value of the targets' rank. */
static int sum(struct attach *a, int x)
{
    int64_t axes[TW_MAX_RANK];
    const int n = a->ports->target_rank - 1;

    if (n == 0)
        return x;
    for (int i = 0; i < n; i++)
        axes[i] = i + 1;
    x = tw_build_op2(&a->b, "ReduceSum", x, tw_build_const_ints(&a->b, (size_t)n, axes));
    tw_build_int(&a->b, "keepdims", 0);
    return x;
}

/* How many of a truth value's positions are true. */
static int count(struct attach *a, int x)
{
    x = tw_build_op1(&a->b, "Cast", x);
    tw_build_int(&a->b, "to", 1); /* float32 in ONNX's numbers */
    return sum(a, x);
}

static int output(struct attach *a, int value)
{
    tw_build_output(&a->b, value);
    return (int)a->b.net->noutput - 1;
}

/* ONNX wants the classes of log-probabilities along axis 1. */
static int negative_log_likelihood(struct attach *a)
{
    const int axis = a->ports->axis, rank = a->out->rank;
    int64_t perm[TW_MAX_RANK];
    int x = a->x;

    if (axis != 1) {
        perm[0] = 0;
        perm[1] = axis;
        for (int i = 1; i < rank - 1; i++)
            perm[i + 1] = i;
        x = tw_build_op1(&a->b, "Transpose", x);
        tw_build_ints(&a->b, "perm", (size_t)rank, perm);
    }
    x = tw_build_op2(&a->b, "NegativeLogLikelihoodLoss", x, a->target);
    tw_build_text(&a->b, "reduction", "none");
    tw_build_int(&a->b, "ignore_index", a->spec->ignore_index);
    return x;
}

static int cross_entropy(struct attach *a)
{
    int x = tw_build_op2(&a->b, "tw.CrossEntropy", a->x, a->target);

    tw_build_int(&a->b, "axis", a->ports->axis);
    tw_build_int(&a->b, "ignore_index", a->spec->ignore_index);
    tw_build_real(&a->b, "label_smoothing", a->spec->label_smoothing);
    return x;
}

static int log_of(struct attach *a, int p)
{
    return tw_build_op1(&a->b, "Log", p);
}

/* Where the output is a probability: what a last softmax or sigmoid was computed from, which loses
 * nothing. Else its logarithms (or log odds), of probabilities at least 1e-7 from 0 and 1, as Keras
 * computes them (keras/src/backend/tensorflow/nn.py). */
static int from_probabilities(struct attach *a)
{
    struct tw_net_build *b = &a->b;
    const struct tw_net *net = b->net;
    const bool one = a->spec->kind == TW_LOSS_BCE;
    const int maker = net->value[a->x].made_by;
    const struct tw_node *last = maker >= 0 ? &net->node[maker] : NULL;
    int p;

    if (last && !strcmp(last->op, "LogSoftmax"))
        return a->x;
    if (last && !strcmp(last->op, one ? "Sigmoid" : "Softmax"))
        return last->in[0];
    p = tw_build_op(
        b, "Clip", NULL, 3,
        (const int[]){ a->x, tw_build_const_real(b, 1e-7), tw_build_const_real(b, 1.0 - 1e-7) });
    if (!one)
        return log_of(a, p);
    return tw_build_op2(b, "Sub", log_of(a, p),
                        log_of(a, tw_build_op2(b, "Sub", tw_build_const_real(b, 1.0), p)));
}

static void take_logits(struct attach *a)
{
    const enum tw_loss_kind kind = a->spec->kind;

    if (a->b.net->probabilities && (kind == TW_LOSS_CROSS_ENTROPY || kind == TW_LOSS_BCE))
        a->x = from_probabilities(a);
}

static void attach_classes(struct attach *a)
{
    struct tw_net_build *b = &a->b;
    int loss, valid, hit;

    loss = a->spec->kind == TW_LOSS_NLL ? negative_log_likelihood(a) : cross_entropy(a);
    valid = tw_build_op2(b, "Equal", a->target, tw_build_const_int(b, a->spec->ignore_index));
    valid = tw_build_op1(b, "Not", valid);
    hit = tw_build_op1(b, "ArgMax", a->x);
    tw_build_int(b, "axis", a->ports->axis);
    tw_build_int(b, "keepdims", 0);
    hit = tw_build_op2(b, "Equal", hit, a->target);
    hit = tw_build_op2(b, "And", hit, valid);
    a->ports->loss = output(a, sum(a, loss));
    a->ports->weight = output(a, count(a, valid));
    a->ports->correct = output(a, count(a, hit));
}

/* y softplus(-x) + (1 - y) softplus(x): no difference of large numbers. */
static int binary_cross_entropy(struct attach *a)
{
    struct tw_net_build *b = &a->b;
    int yes = tw_build_op1(b, "Softplus", tw_build_op1(b, "Neg", a->x));
    int no = tw_build_op1(b, "Softplus", a->x);
    int other = tw_build_op2(b, "Sub", tw_build_const_real(b, 1.0), a->target);

    yes = tw_build_op2(b, "Mul", a->target, yes);
    no = tw_build_op2(b, "Mul", other, no);
    return tw_build_op2(b, "Add", yes, no);
}

static void attach_elements(struct attach *a)
{
    struct tw_net_build *b = &a->b;
    int loss, hit;

    if (a->spec->kind == TW_LOSS_BCE) {
        loss = binary_cross_entropy(a);
        hit = tw_build_op2(b, "Greater", a->x, tw_build_const_real(b, 0.0));
        hit = tw_build_op2(b, "Equal", hit,
                           tw_build_op2(b, "Greater", a->target, tw_build_const_real(b, 0.5)));
        a->ports->loss = output(a, sum(a, loss));
        a->ports->correct = output(a, count(a, hit));
        return;
    }
    loss = tw_build_op2(b, "Sub", a->x, a->target);
    if (a->spec->kind == TW_LOSS_HUBER) {
        loss = tw_build_op1(b, "tw.Huber", loss);
        tw_build_real(b, "delta", a->spec->delta);
    } else if (a->spec->kind == TW_LOSS_L1) {
        loss = tw_build_op1(b, "Abs", loss);
    } else {
        loss = tw_build_op2(b, "Mul", loss, loss);
    }
    a->ports->loss = output(a, sum(a, loss));
}

/* ---- all of it ------------------------------------------------------------------------------- */

static void forget_outputs(struct tw_net *net)
{
    for (size_t i = 0; i < net->noutput; i++)
        net->value[net->output[i]].is_output = false;
    net->noutput = 0;
}

static enum tw_status accept_own(struct attach *a)
{
    const struct tw_net *net = a->b.net;
    struct tw_loss_ports *p = a->ports;

    if (per_sample(a->out) != 1 || (a->out->rank && a->out->dims[0] != 1))
        return tw_err_set(a->b.err, TW_EFORMAT,
                          "loss own: the network's first output is not one number a sample");
    p->loss = 0;
    p->weight_each = 1.0;
    if (net->ninput < 2)
        return TW_OK;
    p->target = 1;
    p->target_rank = a->target_as_given->rank;
    memcpy(p->target_dims, a->target_as_given->dims, sizeof p->target_dims);
    return TW_OK;
}

static const struct tw_loss_ports no_ports = {
    .loss = -1, .weight = -1, .correct = -1, .logits = -1, .axis = -1, .target = -1, .own = -1
};

enum tw_status tw_loss_attach(struct tw_net *net, const struct tw_loss_spec *spec,
                              const struct tw_loss_value *out, const struct tw_loss_value *target,
                              bool logits, struct tw_loss_ports *ports, struct tw_err *err)
{
    struct attach a = { { net, err, false, NULL }, spec, out, target, ports, -1, -1 };
    const bool classes = tw_losses[spec->kind].classes;
    enum tw_status rc;

    *ports = no_ports;
    if (net->noutput < 1)
        return tw_err_set(err, TW_EFORMAT, "the network has no output");
    if (spec->kind == TW_LOSS_OWN)
        return accept_own(&a);
    rc = classes ? match_classes(&a) : match_elements(&a);
    if (rc != TW_OK)
        return rc;
    a.x = ports->own = net->output[0];
    add_target(&a);
    if (!a.b.failed) {
        forget_outputs(net);
        take_logits(&a);
        if (classes)
            attach_classes(&a);
        else
            attach_elements(&a);
        if (logits)
            ports->logits = output(&a, a.x);
    }
    return a.b.failed ? tw_err_set(err, TW_ENOMEM, "out of memory") : TW_OK;
}

enum tw_status tw_loss_attach_more(struct tw_net *net, const struct tw_loss_spec *spec,
                                   const struct tw_loss_value *out,
                                   const struct tw_loss_value *target,
                                   const struct tw_loss_ports *first, struct tw_loss_ports *ports,
                                   struct tw_err *err)
{
    struct attach a = { { net, err, false, NULL }, spec, out, target, ports, -1, -1 };
    const bool classes = tw_losses[spec->kind].classes;
    enum tw_status rc;

    *ports = no_ports;
    if (spec->kind == TW_LOSS_OWN || first->own < 0 || classes != (first->axis >= 0))
        return tw_err_set(err, TW_EFORMAT,
                          "loss %s: it does not go with the first one, whose targets are %s",
                          tw_losses[spec->kind].name,
                          first->own < 0    ? "the network's own"
                          : first->axis < 0 ? "numbers"
                                            : "classes");
    rc = classes ? match_classes(&a) : match_elements(&a);
    if (rc != TW_OK)
        return rc;
    ports->target = first->target;
    a.x = ports->own = first->own;
    a.target = net->input[first->target];
    take_logits(&a);
    if (classes)
        attach_classes(&a);
    else
        attach_elements(&a);
    return a.b.failed ? tw_err_set(err, TW_ENOMEM, "out of memory") : TW_OK;
}

struct tw_loss_spec tw_loss_default(const struct tw_loss_value *target)
{
    return (struct tw_loss_spec){ .kind =
                                      target->dtype != TW_NONE && tw_dtype_is_real(target->dtype)
                                          ? TW_LOSS_MSE
                                          : TW_LOSS_CROSS_ENTROPY,
                                  .ignore_index = -100,
                                  .delta = 1.0 };
}
