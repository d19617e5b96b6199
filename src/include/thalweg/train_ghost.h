/* SPDX-License-Identifier: GPL-3.0-or-later */
/* thalweg/train_ghost.h - training with steps measured in radii of the softmax's complex zeros
 * (thalweg/ghost.h): a controller for thalweg/train.h. */
#ifndef TW_TRAIN_GHOST_H
#define TW_TRAIN_GHOST_H

#include "thalweg/ghost_batch.h"
#include "thalweg/train.h"

/* The optimizer's true proposal u gives the direction and, times the rate, the step: r = lr |u| /
 * rho_a. Its state advances with the whole gradient; only the step is shortened. */
struct tw_train_ghost {
    bool control; /* else r and rho_a are measured, and nothing changes */
    enum tw_ghost_rule rule;
    double r; /* the largest normalised step, or the one to take */
    bool all; /* rho_a over all rows that the problem has; else over the batch, whose radius is
                 larger */
};
/* Numbers that it puts into tw_train_step.extra. */
enum { TW_TRAIN_GHOST_RHO, TW_TRAIN_GHOST_R, TW_TRAIN_GHOST_EXTRA };
/* A tw_train_control_fn; ctx is a struct tw_train_ghost. The problem was made with logits and one
 * tangent at least. Where slopes are not finite rho_a is NaN and the rate stays. TW_EINVAL: `all`
 * where normalisations are by the batch. */
enum tw_status tw_train_ghost(void *ctx, struct tw_train_step *s, struct tw_err *err);

#endif
