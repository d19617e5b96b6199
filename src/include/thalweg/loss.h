/* SPDX-License-Identifier: GPL-3.0-or-later */
/* thalweg/loss.h - losses: nodes appended to a network so that its outputs become the loss of
 * each sample, the number of positions it counts, and the hits.
 *
 * A sample's `loss` is the sum over its valid positions, `weight` their number, so that the
 * loss of a data set is sum(loss) / sum(weight): the mean over elements that PyTorch's
 * reduction="mean" gives. Positions of a target equal to ignore_index count nowhere.
 *
 *   cross-entropy  -log softmax(x)[y]; with label_smoothing e: (1 - e) times that plus e times the
 *                  mean over the classes of -log softmax(x) (Szegedy et al. 2016,
 *                  arXiv:1512.00567, section 7)
 *   nll            -x[y]: x are log-probabilities
 *   mse            (x - y)^2
 *   l1             |x - y|
 *   huber          d = x - y: d^2 / 2 if |d| <= delta, else delta (|d| - delta / 2) (Huber 1964)
 *   bce            -y log s(x) - (1 - y) log s(-x), s the logistic function: x are logits
 *
 * Operators are those of ONNX but for two of ours:
 *   tw.CrossEntropy  inputs: logits, target (integers; the logits' shape without `axis`);
 *                    attributes axis, ignore_index, label_smoothing; output: the loss of each
 *                    position, in the target's shape, 0 where ignored, NaN where the target is
 *                    no class
 *   tw.Huber         input: d; attribute delta; output as above. */
#ifndef TW_LOSS_H
#define TW_LOSS_H

#include "thalweg/tensor.h"

enum tw_loss_kind {
    TW_LOSS_CROSS_ENTROPY,
    TW_LOSS_NLL,
    TW_LOSS_MSE,
    TW_LOSS_L1,
    TW_LOSS_HUBER,
    TW_LOSS_BCE,
    TW_LOSS_OWN /* the network ends in a loss of its own */
};
/* In the order of the enum; ends with a NULL name. */
struct tw_loss_row {
    const char *name, *arguments, *summary;
    bool classes; /* targets are class numbers */
    bool hits;    /* there is an error rate */
};
extern const struct tw_loss_row tw_losses[];

struct tw_loss_spec {
    enum tw_loss_kind kind;
    int64_t ignore_index;   /* -100 unless said otherwise, as in PyTorch */
    double label_smoothing; /* cross-entropy */
    double delta;           /* huber: 1 */
};
/* "cross-entropy(label_smoothing=0.1)", "huber(delta=0.5)", "mse"; TW_EINVAL names what is
 * wrong. */
enum tw_status tw_loss_parse(const char *text, struct tw_loss_spec *spec,
                             struct tw_err *err) TW_CHECKED;
void tw_loss_print(const struct tw_loss_spec *spec, struct tw_str *out);

/* Shape and type of a value; dims[0] counts samples. */
struct tw_loss_value {
    enum tw_dtype dtype;
    int rank;
    size_t dims[TW_MAX_RANK];
};
/* The loss for these targets when the user names none: cross-entropy for integers, else mse. */
struct tw_loss_spec tw_loss_default(const struct tw_loss_value *target);

struct tw_loss_ports {
    /* Numbers among the network's outputs; -1: there is none. */
    int loss, weight, correct, logits;
    double weight_each; /* of every sample where there is no output `weight` */
    int axis;           /* of the classes; -1: no classes */
    size_t classes;     /* 0: no classes */
    int target;         /* number among the network's inputs; -1: takes none */
    int target_rank;    /* its shape, dims[0] the samples */
    size_t target_dims[TW_MAX_RANK];
    int own; /* the network's own first output, a value of the node list */
};

/*
 * Append the loss to `net`, whose first output has the shape `out` (with one sample), for
 * targets of the shape `target`. The targets become a new last input "target", the outputs become
 * loss, weight, correct and, if `logits`, the network's own first output. Classes lie along axis 1,
 * or along the last axis if that is what the targets' shape fits. Targets of the losses without
 * classes may have any shape with as many elements a sample as the output.
 * With TW_LOSS_OWN the first output, a scalar, is the loss; targets are the second input if
 * there are two.
 * TW_EFORMAT: shapes that do not fit, with both; TW_ENOMEM.
 */
enum tw_status tw_loss_attach(struct tw_net *net, const struct tw_loss_spec *spec,
                              const struct tw_loss_value *out, const struct tw_loss_value *target,
                              bool logits, struct tw_loss_ports *ports,
                              struct tw_err *err) TW_CHECKED;
/* One more loss of the same output and targets as `first`, whose outputs it leaves as they are.
 * TW_EFORMAT: targets of another kind. */
enum tw_status tw_loss_attach_more(struct tw_net *net, const struct tw_loss_spec *spec,
                                   const struct tw_loss_value *out,
                                   const struct tw_loss_value *target,
                                   const struct tw_loss_ports *first, struct tw_loss_ports *ports,
                                   struct tw_err *err) TW_CHECKED;

#endif
