/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The reference interpreter: finds the operator's row and checks what all have in common. */
#include "reference.h"

#include <string.h>

static const struct tw_ref_op *const families[] = {
    tw_ref_unary,  tw_ref_binary, tw_ref_choice,   tw_ref_matrix, tw_ref_shape,
    tw_ref_layout, tw_ref_gather, tw_ref_make_ops, tw_ref_reduce, tw_ref_softmax,
    tw_ref_loss,   tw_ref_conv,   tw_ref_pool,     tw_ref_norm,   tw_ref_resize,
};

static const struct tw_ref_op *find(const char *op)
{
    for (size_t f = 0; f < sizeof families / sizeof *families; f++)
        for (const struct tw_ref_op *row = families[f]; row->op; row++)
            if (strcmp(row->op, op) == 0)
                return row;
    return NULL;
}

static enum tw_status check(const struct tw_ref *r)
{
    if (r->nin < r->row->least || r->nin > r->row->most)
        return tw_ref_fail(r, "has %zu inputs; expected %zu to %zu", r->nin, r->row->least,
                           r->row->most);
    for (size_t i = 0; i < r->nin; i++) {
        const struct tw_array *a = r->in[i];

        if (a ? a->dtype == TW_NONE : i < r->row->least)
            return tw_ref_fail(r, "input %zu is absent", i);
    }
    if (r->nout < 1)
        return tw_ref_fail(r, "has no output");
    return TW_OK;
}

enum tw_status tw_reference_node(const struct tw_node *node, int opset, size_t nin,
                                 const struct tw_array *const *in, size_t nout,
                                 struct tw_array *out, struct tw_err *err)
{
    struct tw_ref r = {
        .node = node, .opset = opset, .nin = nin, .nout = nout, .in = in, .out = out, .err = err
    };
    enum tw_status rc;

    /* Absent inputs at the end are as good as none. */
    while (r.nin > 0 && !in[r.nin - 1])
        r.nin--;
    r.row = find(node->op);
    if (!r.row)
        return tw_ref_fail(&r, "the operator is not supported");
    rc = check(&r);
    if (rc == TW_OK)
        rc = r.row->run(&r);
    if (rc != TW_OK)
        for (size_t k = 0; k < nout; k++)
            tw_array_release(&out[k]);
    return rc;
}
