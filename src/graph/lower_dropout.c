/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Dropout. */
#include <string.h>

#include "lower.h"

/* The factors of x for each sample. */
static int factors(struct tw_build *b, int x, double p)
{
    struct tw_dropout_data *d = tw_alloc(1, sizeof *d);
    const struct tw_val v = *tw_b_val(b, x);
    int y;

    if (!d)
        return -1;
    *d = (struct tw_dropout_data){ p, b->g->ndropout++ };
    y = tw_b_instr(b, &tw_op_dropout, 1, &x, tw_b_temp(b, v.dtype, v.rank, v.dims), d, 0.0);
    if (y >= 0) { /* also where x is the same for all samples */
        b->g->instr[b->g->ninstr - 1].uniform = false;
        b->g->val[y].varying = true;
    }
    return y;
}

/* In evaluation, which is whenever the caller does not ask for dropout, nothing is dropped. */
enum tw_status tw_lower_dropout(struct tw_build *b, const struct tw_node *node)
{
    int v = tw_b_need(b, 0), by = -1;
    double p = tw_node_real(node, "ratio", 0.5);

    if (v < 0)
        return b->err->code;
    if (tw_b_in(b, 1) >= 0) {
        if (!tw_b_is_const(b, tw_b_in(b, 1)) || tw_b_val(b, tw_b_in(b, 1))->n != 1)
            return tw_b_fail(b, "has a ratio that is no constant");
        p = tw_array_real(&tw_b_val(b, tw_b_in(b, 1))->constant, 0);
    }
    if (b->o && b->o->dropout && !(p <= 0.0)) {
        if (!(p <= 1.0))
            return tw_b_fail(b, "has the ratio %g, which is outside 0 to 1", p);
        by = factors(b, v, p);
        v = tw_b_binary(b, TW_B_MUL, v, by);
    }
    if (node->nout > 1 && node->out[1] >= 0 && by >= 0) {
        tw_b_out(b, 1, tw_b_unary(b, TW_U_NOT, 0, 0, tw_b_unary(b, TW_U_NOT, 0, 0, by)));
    } else if (node->nout > 1 && node->out[1] >= 0) {
        struct tw_array ones = { 0 };

        if (tw_array_make(&ones, TW_BOOL, tw_b_val(b, v)->rank, tw_b_val(b, v)->dims, b->err))
            return b->err->code;
        memset(ones.data, 1, ones.n);
        tw_b_out(b, 1, tw_b_const(b, &ones));
    }
    tw_b_out(b, 0, v);
    return b->err->code;
}
