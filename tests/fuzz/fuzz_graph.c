/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Any bytes as a node list - operators on whatever is there, with attributes and constants of any
 * shape - or as changes to a built-in network: compiled and run, or refused with one sentence. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "thalweg/graph_complex.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

struct bytes {
    const uint8_t *p;
    size_t left;
};

static unsigned take(struct bytes *b, unsigned below)
{
    if (!b->left)
        return 0;
    b->left--;
    return *b->p++ % below;
}

/* Mostly small, sometimes absurd. */
static int64_t number(struct bytes *b)
{
    static const int64_t odd[] = { INT64_MIN, INT64_MAX, -1000000007, 1 << 20, (int64_t)1 << 33 };
    const unsigned k = take(b, 64);

    return k < 5 ? odd[k] : (int64_t)(k % 9) - 2;
}

static const char *const ops[] = { "Abs",
                                   "Add",
                                   "ArgMax",
                                   "AveragePool",
                                   "BatchNormalization",
                                   "Cast",
                                   "Ceil",
                                   "Clip",
                                   "Concat",
                                   "Conv",
                                   "Cos",
                                   "CumSum",
                                   "DepthToSpace",
                                   "Div",
                                   "Dropout",
                                   "Einsum",
                                   "Equal",
                                   "Erf",
                                   "Exp",
                                   "Expand",
                                   "Flatten",
                                   "Gather",
                                   "GatherElements",
                                   "GatherND",
                                   "Gelu",
                                   "Gemm",
                                   "GlobalMaxPool",
                                   "Hardmax",
                                   "Identity",
                                   "InstanceNormalization",
                                   "LRN",
                                   "LayerNormalization",
                                   "LogSoftmax",
                                   "MatMul",
                                   "Max",
                                   "MaxPool",
                                   "MeanVarianceNormalization",
                                   "Mod",
                                   "Mul",
                                   "Not",
                                   "OneHot",
                                   "PRelu",
                                   "Pad",
                                   "Pow",
                                   "ReduceMax",
                                   "ReduceMean",
                                   "ReduceSum",
                                   "Relu",
                                   "Reshape",
                                   "Resize",
                                   "Shape",
                                   "Slice",
                                   "Softmax",
                                   "SoftmaxCrossEntropyLoss",
                                   "Softplus",
                                   "SpaceToDepth",
                                   "Split",
                                   "Squeeze",
                                   "Sub",
                                   "Tile",
                                   "Transpose",
                                   "Trilu",
                                   "Unsqueeze",
                                   "Where",
                                   "ConvTranspose",
                                   "GroupNormalization",
                                   "RMSNormalization",
                                   "EyeLike",
                                   "tw.CrossEntropy",
                                   "tw.Huber" };
static const char *const names[] = { "axis",         "axes",         "perm",           "keepdims",
                                     "group",        "strides",      "pads",           "dilations",
                                     "kernel_shape", "to",           "epsilon",        "alpha",
                                     "blocksize",    "largest",      "training_mode",  "num_groups",
                                     "ceil_mode",    "exclusive",    "transA",         "transB",
                                     "batch_dims",   "ignore_index", "output_padding", "size" };
static const char *const texts[][2] = {
    { "mode", "reflect" },        { "mode", "edge" },
    { "mode", "linear" },         { "mode", "CRD" },
    { "reduction", "sum" },       { "reduction", "none" },
    { "auto_pad", "SAME_UPPER" }, { "equation", "bij,bjk->bik" },
    { "equation", "i,j" }
};
#define PICK(b, list) (list)[take((b), sizeof(list) / sizeof *(list))]

static void attribute(struct tw_net *net, struct bytes *b)
{
    int64_t x[4];
    size_t n;

    switch (take(b, 4)) {
    case 0:
        (void)!tw_net_attr_int(net, PICK(b, names), number(b), NULL);
        break;
    case 1:
        n = take(b, 5);
        for (size_t i = 0; i < n; i++)
            x[i] = number(b);
        (void)!tw_net_attr_ints(net, PICK(b, names), n, x, NULL);
        break;
    case 2:
        (void)!tw_net_attr_real(net, PICK(b, names), 0.3 * (double)number(b), NULL);
        break;
    default:
        n = take(b, sizeof texts / sizeof *texts);
        (void)!tw_net_attr_text(net, texts[n][0], texts[n][1], NULL);
    }
}

/* A constant list of whole numbers, or a tensor of reals. */
static void tensor(struct tw_net *net, struct bytes *b)
{
    struct tw_array a = { 0 };
    int64_t x[4];
    size_t dims[4], n = take(b, 5);

    if (take(b, 2)) {
        for (size_t i = 0; i < n; i++)
            x[i] = number(b);
        (void)!tw_net_ints(net, NULL, n, x, NULL);
        return;
    }
    for (size_t i = 0; i < n; i++)
        dims[i] = take(b, 6);
    if (tw_array_make(&a, TW_F32, (int)n, dims, NULL) != TW_OK)
        return;
    for (size_t i = 0; i < a.n; i++)
        tw_array_set_real(&a, i, 0.1 * (double)(i % 7) - 0.2);
    (void)!tw_net_init(net, NULL, &a, NULL);
    tw_array_release(&a);
}

static void node(struct tw_net *net, struct bytes *b)
{
    int in[5], out[2];
    const size_t nin = 1 + take(b, 5), nout = 1 + (take(b, 8) == 0);

    for (size_t i = 0; i < nin; i++) {
        const unsigned back = take(b, 12);

        in[i] = back == 11 || back >= net->nvalue ? -1 : (int)(net->nvalue - 1 - back);
    }
    for (size_t i = 0; i < nout; i++)
        out[i] = tw_net_value(net, NULL, NULL);
    if (tw_net_node(net, PICK(b, ops), NULL, nin, in, nout, out, NULL) < 0)
        return;
    for (unsigned k = take(b, 4); k; k--)
        attribute(net, b);
}

static struct tw_net *written(struct bytes *b)
{
    struct tw_net *net = tw_net_new("fuzz", NULL);
    int64_t dims[4] = { TW_DIM_UNKNOWN };
    const int rank = 1 + (int)take(b, 4);

    for (int i = 1; i < rank; i++)
        dims[i] = take(b, 7);
    if (!net || tw_net_input(net, "x", take(b, 4) ? TW_F32 : TW_I64, rank, dims, NULL) < 0)
        abort();
    while (b->left)
        if (take(b, 3))
            node(net, b);
        else
            tensor(net, b);
    net->opset = 21;
    (void)!tw_net_output(net, (int)net->nvalue - 1, NULL);
    return net;
}

/* A network with some inputs, operators and attributes changed. */
static struct tw_net *changed(struct bytes *b)
{
    static const char *const specs[] = {
        "mlp(6,5,4,norm=batch,dropout=0.2)",           "lenet(3,in=1x12x12,norm=batch)",
        "resnet20(3,in=2x8x8,width=2,shortcut=B)",     "gpt(1,8,2,5,7,dropout=0.1)",
        "vit(1,8,2,patch=4,in=3x8x8,classes=3,mlp=9)", "conv1d(4,in=2x9,classes=3)",
    };
    struct tw_net *net = tw_family_net(PICK(b, specs), NULL);

    while (net && b->left) {
        struct tw_node *d = &net->node[take(b, 255) % net->nnode];

        switch (take(b, 4)) {
        case 0:
            if (d->nin)
                d->in[take(b, 8) % d->nin] = (int)(take(b, 255) % (net->nvalue + 1)) - 1;
            break;
        case 1: {
            char *op = tw_strdup(PICK(b, ops));

            if (op) {
                free(d->op);
                d->op = op;
            }
            break;
        }
        case 2:
            for (size_t k = 0; k < d->nattr; k++) {
                d->attr[k].i = number(b);
                for (size_t i = 0; d->attr[k].kind == TW_ATTR_INTS && i < d->attr[k].n; i++)
                    d->attr[k].ints[i] = number(b);
            }
            break;
        default:
            if (d->nin)
                d->nin -= take(b, 2);
        }
    }
    return net;
}

static void said(const struct tw_err *err)
{
    if (err->code == TW_OK || !err->msg[0])
        abort();
}

/* Small enough to be run is small enough for this. */
static void run_complex(const struct tw_graph *g, const struct tw_array *x)
{
    const size_t n = tw_graph_layout(g)->n;
    struct tw_err err = { 0 };
    struct tw_complex *c = tw_complex_new(g, &err);
    struct tw_cx *watch = c ? tw_alloc(tw_complex_nwatch(c), sizeof *watch) : NULL;
    double *params = tw_alloc(2 * n, sizeof *params), ahead;

    if (!c)
        said(&err);
    for (size_t i = 0; i < n; i++) {
        params[i] = (double)(i % 7) - 3.0;
        params[n + i] = (double)(i % 3) - 1.0;
    }
    if (c) {
        tw_complex_line(c, params, params + n, NULL);
        tw_complex_sample(c, x, 1);
        for (int k = 0; k < 2; k++)
            tw_complex_run(c, (struct tw_cx){ 0.2 * k, 0.5 }, k ? watch : NULL, watch);
        (void)tw_complex_margin(c, &ahead);
    }
    tw_complex_free(c);
    free(watch);
    free(params);
}

static void run(const struct tw_graph *g, const struct tw_exec_options *o, bool back)
{
    enum { SAMPLES = 3 };
    struct tw_err err = { 0 };
    struct tw_exec *e = tw_exec_new(g, o, &err);
    const size_t nin = tw_graph_ninput(g), nout = tw_graph_noutput(g);
    struct tw_array x[2] = { { 0 }, { 0 } };
    const struct tw_array *inputs[2] = { &x[0], &x[1] };
    struct tw_exec_run r = { .n = SAMPLES, .inputs = inputs };
    double *out[4] = { NULL };

    if (!e) {
        said(&err);
        return;
    }
    for (size_t i = 0; i < nin; i++) {
        const struct tw_graph_port p = tw_graph_input(g, i);
        const size_t dims[2] = { SAMPLES, p.n };

        if (tw_array_make(&x[i], p.dtype, 2, dims, NULL) != TW_OK)
            abort();
        for (size_t k = 0; k < x[i].n; k++)
            tw_array_set_real(&x[i], k, (double)(k % 5));
    }
    for (size_t i = 0; i < nout; i++)
        out[i] = tw_alloc(SAMPLES * tw_graph_output(g, i).n, sizeof *out[i]);
    r.outputs = out;
    r.gradient = back ? tw_alloc(tw_graph_layout(g)->n, sizeof *r.gradient) : NULL;
    if (tw_exec_run(e, &r, &err) != TW_OK)
        said(&err);
    if (nin == 1 && nout > 0)
        run_complex(g, &x[0]);
    free(r.gradient);
    for (size_t i = 0; i < nout; i++)
        free(out[i]);
    for (size_t i = 0; i < nin; i++)
        tw_array_release(&x[i]);
    tw_exec_free(e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct bytes b = { data, n };
    const bool training = take(&b, 2), back = take(&b, 2);
    const struct tw_graph_options go = { .batch_statistics = training, .dropout = training };
    const struct tw_exec_options eo = {
        .threads = 1, .memory_limit = 64 << 20, .gradient = back, .tangents = 0, .isa = "generic"
    };
    struct tw_net *net = take(&b, 3) ? written(&b) : changed(&b);
    struct tw_err err = { 0 };
    struct tw_graph *g;

    if (!net)
        return 0;
    g = tw_net_sort(net, &err) == TW_OK ? tw_graph_new(net, &go, &err) : NULL;
    if (!g)
        said(&err);
    else if (tw_graph_ninput(g) <= 2 && tw_graph_noutput(g) <= 4)
        run(g, &eo, back);
    tw_graph_free(g);
    tw_net_free(net);
    return 0;
}
