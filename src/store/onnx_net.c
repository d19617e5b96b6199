/* SPDX-License-Identifier: GPL-3.0-or-later */
/* From a parsed ONNX model to a node list. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "onnx.h"

/* What messages are about: "initializer 'fc1.weight'". */
enum { WHAT = 200 };

static const char *text(const char *s)
{
    return s ? s : "";
}

/* ---- initializers, inputs, outputs --------------------------------------------------------- */

static enum tw_status initializers(const Tw__Onnx__Graph *g, struct onnx_beside *e,
                                   struct tw_net *net, struct tw_err *err)
{
    enum tw_status rc = TW_OK;

    if (g->n_sparse_initializer) {
        const Tw__Onnx__Tensor *t = g->sparse_initializer[0]->values;

        return tw_err_set(err, TW_EFORMAT,
                          "initializer '%.100s' is sparse, which is not supported; export it as "
                          "a dense tensor",
                          t ? text(t->name) : "");
    }
    for (size_t i = 0; i < g->n_initializer && rc == TW_OK; i++) {
        const Tw__Onnx__Tensor *t = g->initializer[i];
        struct tw_array a = { 0 };
        char what[WHAT];

        (void)snprintf(what, sizeof what, "initializer '%.100s'", text(t->name));
        if (!*text(t->name))
            rc = tw_err_set(err, TW_EFORMAT, "initializer %zu has no name", i);
        else
            rc = onnx_tensor(t, what, e, &a, err);
        if (rc == TW_OK && tw_net_init(net, t->name, &a, err) < 0)
            rc = tw_err_ctx(err, TW_EFORMAT, "%s", what);
        tw_array_release(&a);
    }
    return rc;
}

static enum tw_status input(const Tw__Onnx__Value *v, struct tw_net *net, struct tw_err *err)
{
    const Tw__Onnx__TensorType *t = v->type ? v->type->tensor_type : NULL;
    int64_t dims[TW_MAX_RANK];
    const char *name = "not a tensor";
    enum tw_dtype type;
    int rank = -1;

    if (!*text(v->name))
        return tw_err_set(err, TW_EFORMAT, "an input has no name");
    type = t ? onnx_dtype(t->elem_type, &name) : TW_NONE;
    if (t && t->shape) {
        if (t->shape->n_dim > TW_MAX_RANK)
            return tw_err_set(err, TW_EFORMAT,
                              "input '%.100s': %zu dimensions, where %d are the most", v->name,
                              t->shape->n_dim, (int)TW_MAX_RANK);
        rank = (int)t->shape->n_dim;
        for (int i = 0; i < rank; i++) {
            const Tw__Onnx__Extent *d = t->shape->dim[i];

            /* Some writers give free extents as 0 or -1. */
            dims[i] = d->has_dim_value && d->dim_value > 0 ? d->dim_value : TW_DIM_UNKNOWN;
        }
    }
    if (type == TW_NONE)
        return tw_err_set(err, TW_EFORMAT, "input '%.100s': its type is %s, which is not supported",
                          v->name, name);
    return tw_net_input(net, v->name, type, rank, dims, err) < 0 ? err->code : TW_OK;
}

/* Files of old writers (IR version 3) list every initializer among the inputs. */
static enum tw_status inputs(const Tw__Onnx__Graph *g, struct tw_net *net, struct tw_err *err)
{
    enum tw_status rc = TW_OK;

    for (size_t i = 0; i < g->n_input && rc == TW_OK; i++) {
        int v = tw_net_find(net, text(g->input[i]->name));

        if (v < 0 || !net->value[v].is_init)
            rc = input(g->input[i], net, err);
    }
    return rc;
}

static enum tw_status outputs(const Tw__Onnx__Graph *g, struct tw_net *net, struct tw_err *err)
{
    enum tw_status rc = TW_OK;

    if (g->n_output == 0)
        return tw_err_set(err, TW_EFORMAT, "the model has no outputs; export it again");
    for (size_t i = 0; i < g->n_output && rc == TW_OK; i++) {
        const char *name = text(g->output[i]->name);
        int v = tw_net_find(net, name);

        if (v < 0)
            rc = tw_err_set(err, TW_EFORMAT, "output '%.100s': no node makes it", name);
        else
            rc = tw_net_output(net, v, err);
    }
    return rc;
}

/* ---- attributes ------------------------------------------------------------------------------ */

/* AttributeProto.AttributeType */
enum { FLOAT = 1, INT, STRING, TENSOR, GRAPH, FLOATS, INTS, STRINGS };

/* Writers of before IR version 2 leave the type out. */
static int attribute_type(const Tw__Onnx__Attribute *a)
{
    if (a->has_type && a->type)
        return a->type;
    return a->has_f       ? FLOAT
           : a->has_i     ? INT
           : a->has_s     ? STRING
           : a->t         ? TENSOR
           : a->has_g     ? GRAPH
           : a->n_floats  ? FLOATS
           : a->n_strings ? STRINGS
                          : INTS;
}

static void add_bytes(struct tw_str *s, const ProtobufCBinaryData *b)
{
    if (b->len > 0)
        tw_str_addn(s, (const char *)b->data, b->len);
}

/* All that we keep as text: strings, and that there is something which we do not read. */
static enum tw_status text_attribute(const Tw__Onnx__Attribute *a, int type, struct tw_net *net,
                                     struct tw_err *err)
{
    struct tw_str s = { 0 };
    enum tw_status rc;

    tw_str_add(&s, "");
    if (type == STRING)
        add_bytes(&s, &a->s);
    for (size_t i = 0; type == STRINGS && i < a->n_strings; i++) {
        tw_str_add(&s, i ? "," : "");
        add_bytes(&s, &a->strings[i]);
    }
    if (type == GRAPH)
        tw_str_add(&s, "(subgraph)");
    else if (type > STRINGS || type < FLOAT)
        tw_str_addf(&s, "(attribute of type %d)", type);
    rc = s.failed ? tw_err_set(err, TW_ENOMEM, "out of memory")
                  : tw_net_attr_text(net, a->name, s.s, err);
    tw_str_release(&s);
    return rc;
}

static enum tw_status array_attribute(const Tw__Onnx__Attribute *a, struct onnx_beside *e,
                                      struct tw_net *net, struct tw_err *err)
{
    struct tw_array array = { 0 };
    enum tw_status rc;
    char what[WHAT];

    (void)snprintf(what, sizeof what, "attribute '%.100s'", a->name);
    if (!a->t)
        return tw_err_set(err, TW_EFORMAT, "%s: its tensor is missing", what);
    rc = onnx_tensor(a->t, what, e, &array, err);
    if (rc == TW_OK)
        rc = tw_net_attr_array(net, a->name, &array, err);
    tw_array_release(&array);
    return rc;
}

static enum tw_status reals_attribute(const Tw__Onnx__Attribute *a, struct tw_net *net,
                                      struct tw_err *err)
{
    double *x = tw_alloc(a->n_floats, sizeof *x);
    enum tw_status rc;

    if (!x)
        return tw_err_set(err, TW_ENOMEM, "out of memory");
    for (size_t i = 0; i < a->n_floats; i++)
        x[i] = (double)a->floats[i];
    rc = tw_net_attr_reals(net, a->name, a->n_floats, x, err);
    free(x);
    return rc;
}

static enum tw_status attribute(const Tw__Onnx__Attribute *a, struct onnx_beside *e,
                                struct tw_net *net, struct tw_err *err)
{
    const int type = attribute_type(a);

    if (!*text(a->name))
        return tw_err_set(err, TW_EFORMAT, "an attribute has no name");
    switch (type) {
    case FLOAT:
        return tw_net_attr_real(net, a->name, a->has_f ? (double)a->f : 0.0, err);
    case INT:
        return tw_net_attr_int(net, a->name, a->has_i ? a->i : 0, err);
    case TENSOR:
        return array_attribute(a, e, net, err);
    case FLOATS:
        return reals_attribute(a, net, err);
    case INTS:
        return tw_net_attr_ints(net, a->name, a->n_ints, a->ints, err);
    default:
        return text_attribute(a, type, net, err);
    }
}

/* ---- nodes --------------------------------------------------------------------------------- */

/* Values by name; an empty name is an absent one. NULL: out of memory, or none could be made. */
static int *values(size_t n, char **names, struct tw_net *net, struct tw_err *err)
{
    int *v = tw_alloc(n, sizeof *v);

    if (!v)
        (void)tw_err_set(err, TW_ENOMEM, "out of memory");
    for (size_t i = 0; v && i < n; i++) {
        v[i] = *names[i] ? tw_net_value(net, names[i], err) : -1;
        if (*names[i] && v[i] < 0) {
            free(v);
            return NULL;
        }
    }
    return v;
}

static bool own_domain(const char *domain)
{
    return !*domain || !strcmp(domain, "ai.onnx");
}

static enum tw_status node(const Tw__Onnx__Node *n, struct onnx_beside *e, struct tw_net *net,
                           struct tw_err *err)
{
    const char *domain = text(n->domain);
    int *in = values(n->n_input, n->input, net, err);
    int *out = in ? values(n->n_output, n->output, net, err) : NULL;
    enum tw_status rc = in && out ? TW_OK : err->code;
    struct tw_str op = { 0 };

    tw_str_addf(&op, "%s%s%s", own_domain(domain) ? "" : domain, own_domain(domain) ? "" : ".",
                text(n->op_type));
    if (rc == TW_OK && op.failed)
        rc = tw_err_set(err, TW_ENOMEM, "out of memory");
    if (rc == TW_OK && !*text(n->op_type))
        rc = tw_err_set(err, TW_EFORMAT, "it has no operator");
    if (rc == TW_OK && tw_net_node(net, op.s, *text(n->name) ? n->name : NULL, n->n_input, in,
                                   n->n_output, out, err) < 0)
        rc = err->code;
    for (size_t i = 0; i < n->n_attribute && rc == TW_OK; i++)
        rc = attribute(n->attribute[i], e, net, err);
    free(in);
    free(out);
    tw_str_release(&op);
    return rc;
}

/* ---- the model ----------------------------------------------------------------------------- */

static enum tw_status opset(const Tw__Onnx__Model *m, struct tw_net *net, struct tw_err *err)
{
    /* Older files do not say, nor do those that have operators of other domains alone. */
    int64_t version = m->ir_version < 3 || m->n_opset_import ? 1 : 0;

    for (size_t i = 0; i < m->n_opset_import; i++)
        if (own_domain(text(m->opset_import[i]->domain)))
            version = m->opset_import[i]->version;
    if (version < 1 || version > 1000)
        return tw_err_set(err, TW_EFORMAT,
                          "the model does not name the version of its operators (opset_import of "
                          "ai.onnx); is it an ONNX model?");
    net->opset = (int)version;
    return TW_OK;
}

enum tw_status onnx_net(const Tw__Onnx__Model *m, struct onnx_beside *e, struct tw_net *net,
                        struct tw_err *err)
{
    const Tw__Onnx__Graph *g = m->graph;
    enum tw_status rc = g ? opset(m, net, err)
                          : tw_err_set(err, TW_EFORMAT, "no graph in it; is it an ONNX model?");
    struct tw_str producer = { 0 };

    if (rc == TW_OK && *text(m->producer_name)) {
        tw_str_addf(&producer, "%s%s%s", m->producer_name, *text(m->producer_version) ? " " : "",
                    text(m->producer_version));
        if (producer.failed)
            rc = tw_err_set(err, TW_ENOMEM, "out of memory");
        net->producer = producer.s;
    }
    if (rc == TW_OK)
        rc = initializers(g, e, net, err);
    if (rc == TW_OK)
        rc = inputs(g, net, err);
    for (size_t i = 0; rc == TW_OK && i < g->n_node; i++) {
        rc = node(g->node[i], e, net, err);
        if (rc != TW_OK)
            (void)tw_err_ctx(err, rc, "node %zu (%.60s '%.100s')", i, text(g->node[i]->op_type),
                             text(g->node[i]->name));
    }
    if (rc == TW_OK)
        rc = outputs(g, net, err);
    if (rc == TW_OK)
        rc = tw_net_sort(net, err);
    return rc;
}

/* ---- habits of writers --------------------------------------------------------------------- */

/* "onnx::Conv_212": the name that PyTorch's exporter gives a parameter it has made anew. */
static bool made_anew(const char *name)
{
    static const char *const ops[] = { "onnx::Conv_", "onnx::MatMul_", "onnx::Gemm_" };

    for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++) {
        const char *p = name + strlen(ops[i]);

        if (!strncmp(name, ops[i], strlen(ops[i])) && *p && !p[strspn(p, "0123456789")])
            return true;
    }
    return false;
}

void onnx_remarks(const struct tw_net *net, struct tw_str *remarks)
{
    const char *first = NULL;
    size_t n = 0;

    for (size_t i = 0; i < net->nvalue; i++)
        if (net->value[i].is_init && made_anew(net->value[i].name)) {
            first = first ? first : net->value[i].name;
            n++;
        }
    if (n)
        tw_str_addf(remarks,
                    "%zu parameters were changed and renamed by the exporter ('%.60s'): it folded "
                    "constants, so names, shapes and filter norms are not those of the network; "
                    "export it again with do_constant_folding=False and "
                    "training=TrainingMode.PRESERVE (thalweg_export.py does).\n",
                    n, first);
    for (size_t i = 0, k = 0; i < net->nnode && k == 0; i++)
        if (!strcmp(net->node[i].op, "BatchNormalization") &&
            tw_node_int(&net->node[i], "training_mode", 0)) {
            k++;
            tw_str_addf(remarks,
                        "batch normalization was exported in training mode: it uses the "
                        "statistics of each batch; call model.eval() before exporting to use the "
                        "running ones.\n");
        }
}
