/* SPDX-License-Identifier: GPL-3.0-or-later */
/* From a node list to instructions: constants are folded by the reference interpreter, every
 * other node is lowered by the row of its operator. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ir.h"

enum tw_status tw_b_fail(struct tw_build *b, const char *fmt, ...)
{
    char text[512];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (b->node && b->node->name && b->node->name[0])
        return tw_err_set(b->err, TW_EFORMAT, "node '%s' (%s): %s", b->node->name, b->node->op,
                          text);
    return tw_err_set(b->err, TW_EFORMAT, "%s node: %s", b->node ? b->node->op : "a", text);
}

int tw_b_in(struct tw_build *b, size_t i)
{
    if (i >= b->node->nin || b->node->in[i] < 0)
        return -1;
    return b->of[b->node->in[i]];
}

void tw_b_out(struct tw_build *b, size_t i, int v)
{
    if (v >= 0 && i < b->node->nout && b->node->out[i] >= 0)
        b->of[b->node->out[i]] = v;
}

const struct tw_val *tw_b_val(const struct tw_build *b, int v)
{
    return &b->g->val[v];
}

bool tw_b_is_const(const struct tw_build *b, int v)
{
    return v >= 0 && b->g->val[v].origin == TW_V_CONST;
}

/* ---- values ------------------------------------------------------------------------------ */

int tw_b_value(struct tw_build *b, enum tw_origin origin, enum tw_dtype t, int rank,
               const size_t *dims)
{
    struct tw_graph *g = b->g;
    struct tw_val v = { .dtype = t, .rank = rank, .n = 1, .origin = origin };
    size_t all = 1;

    if (rank > TW_MAX_RANK) {
        tw_b_fail(b, "has rank %d; at most %d is supported", rank, TW_MAX_RANK);
        return -1;
    }
    for (int i = 0; i < rank; i++) {
        v.dims[i] = dims[i];
        /* The others count even where one extent is 0: strides are made of them. */
        if (dims[i] && all > ((size_t)1 << 31) / dims[i]) {
            tw_b_fail(b, "makes a value of more than 2^31 elements a sample");
            return -1;
        }
        all *= dims[i] ? dims[i] : 1;
        v.n *= dims[i];
    }
    if (!tw_grow(&g->val, g->nval, &g->cap_val, sizeof *g->val)) {
        tw_err_set(b->err, TW_ENOMEM, "out of memory for the values of the network");
        return -1;
    }
    v.root = (int)g->nval;
    g->val[g->nval] = v;
    return (int)g->nval++;
}

int tw_b_const(struct tw_build *b, struct tw_array *a)
{
    int v = tw_b_value(b, TW_V_CONST, a->dtype, a->rank, a->dims);

    if (v < 0) {
        tw_array_release(a);
        return -1;
    }
    b->g->val[v].constant = *a;
    *a = (struct tw_array){ 0 };
    return v;
}

int tw_b_const_real(struct tw_build *b, double x)
{
    struct tw_array a = { 0 };

    if (tw_array_make(&a, TW_F64, 0, NULL, b->err))
        return -1;
    tw_array_set_real(&a, 0, x);
    return tw_b_const(b, &a);
}

int tw_b_temp(struct tw_build *b, enum tw_dtype t, int rank, const size_t *dims)
{
    return tw_b_value(b, TW_V_TEMP, t, rank, dims);
}

int tw_b_alias(struct tw_build *b, int v, int rank, const size_t *dims)
{
    struct tw_val old;
    size_t n = 1;
    int w;

    if (v < 0)
        return -1;
    old = b->g->val[v];
    if (old.origin == TW_V_CONST) {
        struct tw_array a = { 0 };

        for (int i = 0; i < rank; i++)
            n *= dims[i];
        if (n != old.n) {
            tw_b_fail(b, "cannot give %zu elements a shape of %zu", old.n, n);
            return -1;
        }
        if (tw_array_copy(&a, &old.constant, b->err))
            return -1;
        a.rank = rank;
        for (int i = 0; i < rank; i++)
            a.dims[i] = dims[i];
        return tw_b_const(b, &a);
    }
    w = tw_b_value(b, old.origin, old.dtype, rank, dims);
    if (w < 0)
        return -1;
    if (b->g->val[w].n != old.n) {
        tw_b_fail(b, "cannot give %zu elements a shape of %zu", old.n, b->g->val[w].n);
        return -1;
    }
    b->g->val[w].root = old.root;
    b->g->val[w].varying = old.varying;
    b->g->val[w].active = old.active;
    b->g->val[w].index = old.index;
    return w;
}

int tw_b_cast(struct tw_build *b, int v, enum tw_dtype t)
{
    struct tw_val *w;
    size_t dims[TW_MAX_RANK];
    int a;

    if (v < 0)
        return -1;
    memcpy(dims, b->g->val[v].dims, sizeof dims);
    a = tw_b_alias(b, v, b->g->val[v].rank, dims);
    if (a < 0)
        return -1;
    w = &b->g->val[a];
    w->dtype = t;
    if (w->origin == TW_V_CONST && w->constant.dtype != t) {
        struct tw_array c = { 0 };

        if (tw_array_convert(&c, t, &w->constant, b->err))
            return -1;
        tw_array_release(&w->constant);
        w->constant = c;
    }
    return a;
}

/* ---- instructions ---------------------------------------------------------------------------- */

int tw_b_instr(struct tw_build *b, const struct tw_op *op, size_t nin, const int *in, int out,
               void *data, double flops)
{
    struct tw_graph *g = b->g;
    struct tw_instr n = {
        .op = op, .nin = nin, .nout = 1, .data = data, .uniform = true, .flops = flops
    };
    bool active = false;

    n.in = tw_alloc(nin, sizeof *n.in);
    if (out < 0 || !n.in || !tw_grow(&g->instr, g->ninstr, &g->cap_instr, sizeof *g->instr)) {
        free(n.in);
        free(data);
        if (out >= 0)
            tw_err_set(b->err, TW_ENOMEM, "out of memory for the instructions of the network");
        return -1;
    }
    for (size_t i = 0; i < nin; i++) {
        n.in[i] = in[i];
        if (in[i] < 0)
            continue;
        n.uniform = n.uniform && !g->val[in[i]].varying;
        active = active || g->val[in[i]].active;
    }
    n.out[0] = out;
    n.out[1] = -1;
    g->val[out].varying = !n.uniform;
    g->val[out].active = active && op->vjp && tw_dtype_is_real(g->val[out].dtype);
    g->instr[g->ninstr++] = n;
    return out;
}

/* What a value is called, where nothing has named it before. */
static enum tw_status name_value(struct tw_build *b, int v, const char *name)
{
    char **to = &b->g->val[v].name;

    if (!*to && name && !(*to = tw_strdup(name)))
        return tw_err_set(b->err, TW_ENOMEM, "out of memory for the names of the network");
    return TW_OK;
}

/* ---- the pass
 * ------------------------------------------------------------------------------------ */

static enum tw_status make_inputs(struct tw_build *b)
{
    const struct tw_net *net = b->net;
    struct tw_graph *g = b->g;

    g->group = 1;
    g->input = tw_alloc(net->ninput, sizeof *g->input);
    if (!g->input)
        return tw_err_set(b->err, TW_ENOMEM, "out of memory for the inputs of the network");
    for (size_t i = 0; i < net->ninput; i++) {
        const struct tw_value *x = &net->value[net->input[i]];
        size_t dims[TW_MAX_RANK];
        int v;

        if (x->rank < 0)
            return tw_err_set(b->err, TW_EFORMAT,
                              "input '%s' has no declared shape: export the network with one",
                              x->name);
        for (int j = 0; j < x->rank; j++) {
            if (x->dims[j] == TW_DIM_UNKNOWN && j > 0 && x->dims[0] != TW_DIM_UNKNOWN)
                return tw_err_set(b->err, TW_EFORMAT,
                                  "input '%s' leaves axis %d free: only the batch, its first axis, "
                                  "may be; export the network with the other extents fixed",
                                  x->name, j);
            dims[j] = x->dims[j] == TW_DIM_UNKNOWN ? 1 : (size_t)x->dims[j];
        }
        if (i == 0 && x->rank > 0 && x->dims[0] > 0)
            g->group = (size_t)x->dims[0];
        v = tw_b_value(b, TW_V_INPUT, x->dtype == TW_NONE ? TW_F32 : x->dtype, x->rank, dims);
        if (v < 0)
            return b->err->code;
        g->val[v].varying = true;
        g->val[v].index = i;
        if (name_value(b, v, x->name))
            return b->err->code;
        g->input[g->ninput++] = v;
        b->of[net->input[i]] = v;
    }
    return TW_OK;
}

static bool all_constant(struct tw_build *b, const struct tw_node *node)
{
    for (size_t i = 0; i < node->nin; i++)
        if (node->in[i] >= 0 && !tw_b_is_const(b, b->of[node->in[i]]))
            return false;
    return true;
}

enum { FOLD_IN = 64, FOLD_OUT = 16 };

static enum tw_status fold(struct tw_build *b, const struct tw_node *node)
{
    const struct tw_array *in[FOLD_IN];
    struct tw_array out[FOLD_OUT] = { { 0 } };
    enum tw_status st;

    if (node->nin > FOLD_IN || node->nout > FOLD_OUT)
        return tw_b_fail(b, "has %zu inputs and %zu outputs, too many to compute beforehand",
                         node->nin, node->nout);
    for (size_t i = 0; i < node->nin; i++)
        in[i] = node->in[i] < 0 ? NULL : &b->g->val[b->of[node->in[i]]].constant;
    st = tw_reference_node(node, b->net->opset, node->nin, in, node->nout, out, b->err);
    for (size_t i = 0; i < node->nout; i++) {
        if (st == TW_OK && node->out[i] >= 0) {
            b->of[node->out[i]] = tw_b_const(b, &out[i]);
            if (b->of[node->out[i]] < 0)
                st = b->err->code;
        }
        tw_array_release(&out[i]);
    }
    return st;
}

static enum tw_status lower_node(struct tw_build *b, const struct tw_node *node)
{
    const struct tw_lowering *row;
    enum tw_status st;

    b->node = node;
    if (tw_b_is_twin(b, node))
        return tw_b_twin(b, node);
    for (size_t i = 0; i < node->nin; i++)
        if (node->in[i] >= 0 && (st = tw_b_tensor(b, node->in[i], tw_b_is_setting(b, node, i))))
            return st;
    if (all_constant(b, node))
        return fold(b, node);
    for (size_t i = 0; i < node->nin; i++)
        if (node->in[i] >= 0 && b->of[node->in[i]] < 0)
            return tw_b_fail(b, "reads '%s', which nothing before it makes",
                             b->net->value[node->in[i]].name);
    row = tw_lowering_find(node->op);
    if (!row)
        return tw_b_fail(b, "this operator is not supported; `thalweg info` lists those that the "
                            "network uses");
    st = row->lower(b, node);
    if (st == TW_OK && node->nout && node->out[0] >= 0 && b->of[node->out[0]] < 0)
        st = tw_b_in(b, 0) < 0 ? tw_b_fail(b, "input 0 is missing")
                               : tw_err_set(b->err, TW_ENOMEM, "out of memory for the network");
    for (size_t i = 0; st == TW_OK && i < node->nout; i++)
        if (node->out[i] >= 0 && b->of[node->out[i]] >= 0)
            st = name_value(b, b->of[node->out[i]], b->net->value[node->out[i]].name);
    return st;
}

/* Nodes that no output needs are skipped. */
static enum tw_status find_needed(const struct tw_net *net, bool *needed, struct tw_err *err)
{
    bool *wanted = tw_alloc(net->nvalue, sizeof *wanted);

    if (!wanted)
        return tw_err_set(err, TW_ENOMEM, "out of memory for the nodes of the network");
    for (size_t i = 0; i < net->noutput; i++)
        wanted[net->output[i]] = true;
    for (size_t i = net->nnode; i-- > 0;) {
        const struct tw_node *n = &net->node[i];

        for (size_t j = 0; j < n->nout; j++)
            needed[i] = needed[i] || (n->out[j] >= 0 && wanted[n->out[j]]);
        for (size_t j = 0; j < n->nin && needed[i]; j++)
            if (n->in[j] >= 0)
                wanted[n->in[j]] = true;
    }
    free(wanted);
    return TW_OK;
}

static enum tw_status make_outputs(struct tw_build *b)
{
    struct tw_graph *g = b->g;

    b->node = NULL;
    g->output = tw_alloc(b->net->noutput, sizeof *g->output);
    if (!g->output)
        return tw_err_set(b->err, TW_ENOMEM, "out of memory for the outputs of the network");
    for (size_t i = 0; i < b->net->noutput; i++) {
        enum tw_status st = tw_b_tensor(b, b->net->output[i], false);

        if (st)
            return st;
        if (b->of[b->net->output[i]] < 0)
            return tw_err_set(b->err, TW_EFORMAT, "nothing makes the output '%s'",
                              b->net->value[b->net->output[i]].name);
        g->output[g->noutput++] = b->of[b->net->output[i]];
    }
    return TW_OK;
}

/* Instructions that no output needs any more: what a later one made superfluous. */
static enum tw_status drop_unneeded(struct tw_build *b)
{
    struct tw_graph *g = b->g;
    bool *wanted = tw_alloc(g->nval, sizeof *wanted), *needed = tw_alloc(g->ninstr, sizeof *needed);
    size_t kept = 0;

    if (!wanted || !needed) {
        free(wanted);
        free(needed);
        return tw_err_set(b->err, TW_ENOMEM, "out of memory for the instructions of the network");
    }
    for (size_t i = 0; i < g->noutput; i++)
        wanted[g->val[g->output[i]].root] = true;
    for (size_t i = g->ninstr; i-- > 0;) {
        const struct tw_instr *in = &g->instr[i];

        for (size_t k = 0; k < in->nout; k++)
            needed[i] = needed[i] || (in->out[k] >= 0 && wanted[g->val[in->out[k]].root]);
        for (size_t k = 0; k < in->nin && needed[i]; k++)
            if (in->in[k] >= 0)
                wanted[g->val[in->in[k]].root] = true;
    }
    for (size_t i = 0; i < g->ninstr; i++) {
        if (needed[i]) {
            g->instr[kept++] = g->instr[i];
            continue;
        }
        free(g->instr[i].in);
        free(g->instr[i].data);
    }
    g->ninstr = kept;
    free(wanted);
    free(needed);
    return TW_OK;
}

static enum tw_status build(struct tw_build *b)
{
    bool *needed = tw_alloc(b->net->nnode, sizeof *needed);
    enum tw_status st;

    b->of = tw_alloc(b->net->nvalue, sizeof *b->of);
    if (!needed || !b->of) {
        free(needed);
        return tw_err_set(b->err, TW_ENOMEM, "out of memory for the nodes of the network");
    }
    for (size_t i = 0; i < b->net->nvalue; i++)
        b->of[i] = -1;
    st = find_needed(b->net, needed, b->err);
    if (st == TW_OK)
        st = make_inputs(b);
    for (size_t i = 0; i < b->net->nnode && st == TW_OK; i++)
        if (needed[i])
            st = lower_node(b, &b->net->node[i]);
    free(needed);
    if (st == TW_OK)
        st = make_outputs(b);
    if (st == TW_OK)
        st = drop_unneeded(b);
    if (st == TW_OK)
        st = tw_b_find_heads(b);
    if (st == TW_OK)
        st = tw_b_find_attention(b);
    if (st == TW_OK)
        st = tw_b_store_initial(b);
    if (st == TW_OK)
        st = tw_layout_describe(b);
    return st;
}

struct tw_graph *tw_graph_new(const struct tw_net *net, const struct tw_graph_options *o,
                              struct tw_err *err)
{
    struct tw_err mine = { 0 };
    struct tw_build b = { .net = net, .o = o, .err = err ? err : &mine };
    enum tw_status st;

    if (!net->noutput) {
        tw_err_set(b.err, TW_EFORMAT, "the network has no output");
        return NULL;
    }
    b.g = tw_alloc(1, sizeof *b.g);
    if (!b.g) {
        tw_err_set(b.err, TW_ENOMEM, "out of memory for the network");
        return NULL;
    }
    st = build(&b);
    free(b.of);
    if (st != TW_OK) {
        tw_graph_free(b.g);
        return NULL;
    }
    return b.g;
}
