/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Softmax, its logarithm, and the hard one. */
#include "reference.h"

#include <math.h>

enum { SOFT, LOG, HARD };

/* Before opset 13 the axes from `axis` on were taken together. */
static enum tw_status run(struct tw_ref *r)
{
    const struct tw_array *x = r->in[0];
    const bool together = r->opset < 13;
    size_t n, inner;
    int axis = 0;
    enum tw_status rc = tw_ref_need_real(r, x);

    if (rc == TW_OK)
        rc = tw_ref_axis(r, tw_node_int(r->node, "axis", together ? 1 : -1), x->rank, &axis);
    if (rc == TW_OK)
        rc = tw_ref_out_like(r, 0, x);
    if (rc != TW_OK || x->n == 0)
        return rc;
    n = together ? tw_ref_product(x->dims, axis, x->rank) : x->dims[axis];
    inner = together ? 1 : tw_ref_product(x->dims, axis + 1, x->rank);
    for (size_t i = 0; i < x->n / n; i++) {
        const size_t from = i / inner * n * inner + i % inner;
        double largest = -INFINITY, sum = 0.0;
        size_t best = 0;

        for (size_t k = 0; k < n; k++) {
            const double v = tw_array_real(x, from + k * inner);

            if (v > largest || isnan(v)) {
                largest = v;
                best = k;
            }
            if (isnan(v))
                break;
        }
        for (size_t k = 0; k < n; k++)
            sum += exp(tw_array_real(x, from + k * inner) - largest);
        for (size_t k = 0; k < n; k++) {
            const double d = tw_array_real(x, from + k * inner) - largest;

            tw_array_set_real(&r->out[0], from + k * inner,
                              r->row->which == SOFT  ? exp(d) / sum
                              : r->row->which == LOG ? d - log(sum)
                                                     : (double)(k == best));
        }
    }
    return TW_OK;
}

const struct tw_ref_op tw_ref_softmax[] = {
    { .op = "Softmax", .least = 1, .most = 1, .run = run, .which = SOFT },
    { .op = "LogSoftmax", .least = 1, .most = 1, .run = run, .which = LOG },
    { .op = "Hardmax", .least = 1, .most = 1, .run = run, .which = HARD },
    { .op = NULL },
};
