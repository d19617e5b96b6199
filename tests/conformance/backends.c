/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Ways to compute a network, and whether the result is right. */
#include "conformance.h"

#include <math.h>
#include <stdlib.h>

/* ---- the reference interpreter --------------------------------------------------------------- */

/* Values of the network; those that belong to somebody else are pointed to. */
struct values {
    const struct tw_array **at;
    struct tw_array *own;
};

static enum tw_status run_node(const struct tw_net *net, const struct tw_node *node,
                               struct values *v, struct tw_err *err)
{
    const struct tw_array **in = tw_alloc(node->nin, sizeof *in);
    struct tw_array *out = tw_alloc(node->nout, sizeof *out);
    enum tw_status rc = TW_ENOMEM;

    if (in && out) {
        for (size_t i = 0; i < node->nin; i++)
            in[i] = node->in[i] < 0 ? NULL : v->at[node->in[i]];
        rc = tw_reference_node(node, net->opset, node->nin, in, node->nout, out, err);
    }
    for (size_t k = 0; out && k < node->nout; k++) {
        if (rc != TW_OK || node->out[k] < 0) {
            tw_array_release(&out[k]);
        } else {
            v->own[node->out[k]] = out[k];
            v->at[node->out[k]] = &v->own[node->out[k]];
        }
    }
    free(in);
    free(out);
    return rc;
}

static enum tw_status run_reference(const struct tw_net *net, const struct tw_array *in,
                                    struct tw_array *out, struct tw_err *err)
{
    struct values v = { tw_alloc(net->nvalue, sizeof *v.at), tw_alloc(net->nvalue, sizeof *v.own) };
    enum tw_status rc = v.at && v.own ? TW_OK : TW_ENOMEM;

    for (size_t i = 0; rc == TW_OK && i < net->nvalue; i++)
        if (net->value[i].is_init)
            v.at[i] = &net->value[i].init;
    for (size_t i = 0; rc == TW_OK && i < net->ninput; i++)
        v.at[net->input[i]] = &in[i];
    for (size_t i = 0; rc == TW_OK && i < net->nnode; i++)
        rc = run_node(net, &net->node[i], &v, err);
    for (size_t i = 0; rc == TW_OK && i < net->noutput; i++) {
        const struct tw_array *a = v.at[net->output[i]];

        rc = a && a->dtype ? tw_array_copy(&out[i], a, err)
                           : tw_err_set(err, TW_EFORMAT, "output %zu is empty", i);
    }
    for (size_t i = 0; v.own && i < net->nvalue; i++)
        tw_array_release(&v.own[i]);
    free(v.at);
    free(v.own);
    return rc;
}

const struct backend backends[] = {
    { "reference", run_reference },
    { NULL, NULL },
};

/* ---- comparing ------------------------------------------------------------------------------- */

bool same_array(const struct tw_array *got, const struct tw_array *want, struct tw_str *why)
{
    if (got->dtype != want->dtype || !tw_array_same_shape(got, want)) {
        tw_str_add(why, "got ");
        tw_array_describe(got->dtype, got->rank, got->dims, why);
        tw_str_add(why, ", want ");
        tw_array_describe(want->dtype, want->rank, want->dims, why);
        return false;
    }
    for (size_t i = 0; i < want->n; i++) {
        const double x = tw_array_real(got, i), y = tw_array_real(want, i);
        const bool close = isnan(y)   ? isnan(x)
                           : isinf(y) ? x == y
                                      : fabs(x - y) <= 1e-7 + 1e-3 * fabs(y);

        if (tw_dtype_is_real(want->dtype) ? close : tw_array_int(got, i) == tw_array_int(want, i))
            continue;
        tw_str_addf(why, "element %zu of %zu: got %.9g, want %.9g", i, want->n, x, y);
        return false;
    }
    return true;
}
