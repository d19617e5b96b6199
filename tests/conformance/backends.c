/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Ways to compute a network, and whether the result is right. */
#include "conformance.h"

#include <fnmatch.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

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

/* ---- the compiler ---------------------------------------------------------------------------- */

/* Inputs that say what an operator is to do: a network holds them as constants, and the compiler
 * asks for that. The tests give them as data. */
static const struct {
    const char *op;
    size_t first, last;
} settings[] = {
    { "CenterCropPad", 1, 1 }, { "Clip", 1, 2 },     { "ConstantOfShape", 0, 0 },
    { "CumSum", 1, 1 },        { "Dropout", 1, 2 },  { "Expand", 1, 1 },
    { "OneHot", 1, 2 },        { "Pad", 1, 3 },      { "Range", 0, 2 },
    { "Reduce*", 1, 1 },       { "Reshape", 1, 1 },  { "Resize", 1, 3 },
    { "Slice", 1, 4 },         { "Split", 1, 1 },    { "Squeeze", 1, 1 },
    { "Tile", 1, 1 },          { "TopK", 1, 1 },     { "Trilu", 1, 1 },
    { "Unsqueeze", 1, 1 },     { "Upsample", 1, 1 },
};

static bool is_setting(const struct tw_net *net, int value)
{
    for (size_t i = 0; i < net->nnode; i++)
        for (size_t j = 0; j < net->node[i].nin; j++)
            for (size_t k = 0; k < sizeof settings / sizeof settings[0]; k++)
                if (net->node[i].in[j] == value && j >= settings[k].first &&
                    j <= settings[k].last && fnmatch(settings[k].op, net->node[i].op, 0) == 0)
                    return true;
    return false;
}

enum tw_status network_for(const struct tw_net *net, const struct tw_array *in, struct tw_net *mine,
                           const struct tw_array **data)
{
    *mine = *net;
    mine->value = tw_alloc(net->nvalue, sizeof *mine->value);
    mine->input = tw_alloc(net->ninput, sizeof *mine->input);
    mine->ninput = 0;
    if (!mine->value || !mine->input)
        return TW_ENOMEM;
    memcpy(mine->value, net->value, net->nvalue * sizeof *mine->value);
    for (size_t i = 0; i < net->ninput; i++) {
        struct tw_value *x = &mine->value[net->input[i]];

        x->dtype = in[i].dtype;
        x->rank = in[i].rank;
        for (int k = 0; k < x->rank; k++)
            x->dims[k] = (int64_t)in[i].dims[k];
        if (is_setting(net, net->input[i])) {
            x->is_init = true;
            x->init = in[i];
        } else {
            data[mine->ninput] = &in[i];
            mine->input[mine->ninput++] = net->input[i];
        }
    }
    return TW_OK;
}

/* Three samples, of which the second is the test's: the others hold it backwards. */
static enum tw_status three_of(struct tw_array *to, const struct tw_array *x, struct tw_err *err)
{
    const size_t size = tw_dtype_size(x->dtype), n = 3 * x->n;
    enum tw_status rc = tw_array_make(to, x->dtype, 1, &n, err);

    for (size_t i = 0; rc == TW_OK && i < n; i++) {
        const size_t k = i % x->n;

        memcpy((char *)to->data + i * size,
               (const char *)x->data + (i / x->n == 1 ? k : x->n - 1 - k) * size, size);
    }
    return rc;
}

/* One sample alone, then among others: they must not disturb it by a bit. */
static enum tw_status run_both(struct tw_exec *e, const struct tw_graph *g, size_t nin,
                               const struct tw_array *const *data, double *const *alone,
                               double *const *among, struct tw_err *err)
{
    struct tw_array three[MOST_PORTS] = { { 0 } };
    const struct tw_array *at[MOST_PORTS];
    const struct tw_exec_run first = { .n = 1, .inputs = data, .outputs = alone };
    const struct tw_exec_run then = { .n = 3, .inputs = at, .outputs = among };
    enum tw_status rc = tw_exec_run(e, &first, err);

    for (size_t i = 0; i < nin; i++)
        at[i] = &three[i];
    for (size_t i = 0; rc == TW_OK && i < nin; i++)
        rc = three_of(&three[i], data[i], err);
    if (rc == TW_OK)
        rc = tw_exec_run(e, &then, err);
    for (size_t o = 0; rc == TW_OK && o < tw_graph_noutput(g); o++) {
        const size_t n = tw_graph_output(g, o).n;

        for (size_t i = 0; rc == TW_OK && i < n; i++)
            if (alone[o][i] != among[o][n + i] && !(isnan(alone[o][i]) && isnan(among[o][n + i])))
                rc = tw_err_set(err, TW_EDOMAIN, "element %zu is %.9g alone, %.9g among others", i,
                                alone[o][i], among[o][n + i]);
    }
    for (size_t i = 0; i < nin; i++)
        tw_array_release(&three[i]);
    return rc;
}

static enum tw_status run_graph(const struct tw_graph *g, size_t nin,
                                const struct tw_array *const *data, struct tw_array *out,
                                struct tw_err *err)
{
    struct tw_exec_options one = { .threads = 1 };
    struct tw_exec *e;
    double *alone[MOST_PORTS] = { NULL }, *among[MOST_PORTS] = { NULL };
    enum tw_status rc;

    for (size_t i = 0; i < nin; i++)
        one.real64 = one.real64 || data[i]->dtype == TW_F64;
    e = tw_exec_new(g, &one, err);
    rc = e ? TW_OK : err->code;
    for (size_t o = 0; rc == TW_OK && o < tw_graph_noutput(g); o++) {
        const struct tw_graph_port p = tw_graph_output(g, o);

        alone[o] = tw_alloc(p.n, sizeof *alone[o]);
        among[o] = tw_alloc(3 * p.n, sizeof *among[o]);
        rc =
            alone[o] && among[o] ? tw_array_make(&out[o], p.dtype, p.rank, p.dims, err) : TW_ENOMEM;
    }
    if (rc == TW_OK)
        rc = run_both(e, g, nin, data, alone, among, err);
    for (size_t o = 0; rc == TW_OK && o < tw_graph_noutput(g); o++)
        for (size_t i = 0; i < out[o].n; i++)
            tw_array_set_real(&out[o], i, alone[o][i]);
    for (size_t o = 0; o < MOST_PORTS; o++) {
        free(alone[o]);
        free(among[o]);
    }
    tw_exec_free(e);
    return rc;
}

static enum tw_status run_compiled(const struct tw_net *net, const struct tw_array *in,
                                   struct tw_array *out, struct tw_err *err)
{
    const struct tw_array *data[MOST_PORTS];
    struct tw_net mine;
    enum tw_status rc = network_for(net, in, &mine, data);
    struct tw_graph *g = rc == TW_OK ? tw_graph_new(&mine, NULL, err) : NULL;

    if (g)
        rc = run_graph(g, mine.ninput, data, out, err);
    else if (rc == TW_OK)
        rc = err->code;
    tw_graph_free(g);
    free(mine.value);
    free(mine.input);
    return rc;
}

const struct backend backends[] = {
    { "reference", NULL, run_reference },
    { "compiled", NULL, run_compiled },
    { "derivatives", "compiled", run_derivatives },
    { NULL, NULL, NULL },
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
