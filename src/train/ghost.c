/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The normalised step of an update, and learning rates that keep it. */
#include <math.h>

#include "thalweg/train_ghost.h"

enum tw_status tw_train_ghost(void *ctx, struct tw_train_step *s, struct tw_err *err)
{
    const struct tw_train_ghost *c = ctx;
    const struct tw_vector direction = { NULL, s->proposal };
    const struct tw_request r = { .at = s->at,
                                  .buffers = s->buffers,
                                  .rows = c->all ? NULL : s->rows,
                                  .nrows = c->all ? 0 : s->nrows,
                                  .ndirections = 1,
                                  .directions = &direction,
                                  .dropout_seed = s->dropout_seed };
    struct tw_err reason = { 0 };
    double along, rho_a;
    enum tw_status rc;

    if (c->all && s->rows && tw_graph_mixes(tw_problem_graph(s->problem)))
        return tw_err_set(err, TW_EINVAL,
                          "normalisation by the batch: the radius can be the batch's only");
    rc = tw_ghost_radius(s->problem, &r, &along, &reason);
    if (rc != TW_OK && rc != TW_EDOMAIN)
        return tw_err_set(err, rc, "%s", reason.msg);
    /* `along` is in units of u. */
    rho_a = rc == TW_OK && isfinite(s->proposal_norm) ? along * s->proposal_norm : (double)NAN;
    if (c->control && !isnan(rho_a))
        s->lr = tw_ghost_rate(c->rule, s->lr, c->r, rho_a, s->proposal_norm);
    s->extra[TW_TRAIN_GHOST_RHO] = rho_a;
    s->extra[TW_TRAIN_GHOST_R] = isinf(along) ? 0.0 : s->lr * s->proposal_norm / rho_a;
    return TW_OK;
}
