/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Singularities inside a network: its operators' inputs as outputs, with their tangents. */
#include "thalweg/ghost_inside.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define PI 3.14159265358979323846
/* The pole of the tanh form of GELU in the first quadrant; the others mirror it. */
#define GELU_RE 0.63436835
#define GELU_IM 2.75477060

/* Histogram of log10 of the distances, for the quantile. */
enum { PER_DECADE = 80, DECADES = 24, BINS = PER_DECADE * DECADES + 2 };
#define LEAST (-12.0)
enum { BLOCK = 64 << 20 };

struct tw_ghost_inside {
    struct tw_graph *graph;
    struct tw_exec *exec;
    size_t n;
    struct tw_ghost_site *site;
    size_t *port;   /* of each site, among the outputs */
    double **value; /* of each output: the block's numbers; NULL: not a site's */
    double **slope;
    size_t *count; /* BINS of each site */
    size_t rows;   /* of a block */
};

/* ---- one unit, one row --------------------------------------------------------------------- */

double tw_ghost_unit(enum tw_ghost_site_kind kind, double h, double slope)
{
    double distance = HUGE_VAL;

    if (slope == 0.0)
        return HUGE_VAL;
    switch (kind) {
    case TW_GHOST_SIGMOID:
        distance = hypot(h, PI);
        break;
    case TW_GHOST_TANH:
        distance = hypot(h, 0.5 * PI);
        break;
    case TW_GHOST_GELU_TANH:
        distance = hypot(fabs(h) - GELU_RE, GELU_IM);
        break;
    case TW_GHOST_KINK:
        return h == 0.0 ? 0.0 : h / slope < 0.0 ? -h / slope : HUGE_VAL;
    case TW_GHOST_NORM:
    case TW_GHOST_RMS:
    case TW_GHOST_ATTENTION:
        break;
    }
    return distance / fabs(slope);
}

static double variance(size_t n, const double *x)
{
    double mean = 0.0, sum = 0.0;

    for (size_t i = 0; i < n; i++)
        mean += x[i];
    mean /= (double)n;
    for (size_t i = 0; i < n; i++)
        sum += (x[i] - mean) * (x[i] - mean);
    return sum / (double)n;
}

double tw_ghost_row(enum tw_ghost_site_kind kind, size_t n, const double *h, const double *slopes,
                    double eps)
{
    double lo = HUGE_VAL, hi = -HUGE_VAL;

    if (kind == TW_GHOST_NORM) {
        const double moves = variance(n, slopes);

        return moves > 0.0 ? sqrt((variance(n, h) + eps) / moves) : HUGE_VAL;
    }
    if (kind == TW_GHOST_RMS) {
        const double moves = tw_sum_dot(slopes, slopes, n);

        return moves > 0.0 ? sqrt((tw_sum_dot(h, h, n) + eps * (double)n) / moves) : HUGE_VAL;
    }
    for (size_t i = 0; i < n; i++)
        if (h[i] > -1e30) {
            lo = fmin(lo, slopes[i]);
            hi = fmax(hi, slopes[i]);
        }
    return hi > lo ? PI / (hi - lo) : HUGE_VAL;
}

/* ---- finding the operators ----------------------------------------------------------------- */

static const struct {
    const char *op;
    enum tw_ghost_site_kind kind;
} kinds[] = {
    { "Sigmoid", TW_GHOST_SIGMOID },
    { "Softplus", TW_GHOST_SIGMOID },
    { "Tanh", TW_GHOST_TANH },
    { "Relu", TW_GHOST_KINK },
    { "LeakyRelu", TW_GHOST_KINK },
    { "Elu", TW_GHOST_KINK },
    { "Selu", TW_GHOST_KINK },
    { "Gelu", TW_GHOST_GELU_TANH },
    { "LayerNormalization", TW_GHOST_NORM },
    { "Softmax", TW_GHOST_ATTENTION },
};

/* Which of `kinds` a node is, if it can be singular; their number if none. */
static size_t kind_of(const struct tw_node *node)
{
    const size_t n = sizeof kinds / sizeof *kinds;
    size_t k = 0;

    while (k < n && strcmp(kinds[k].op, node->op) != 0)
        k++;
    if (k < n && kinds[k].kind == TW_GHOST_GELU_TANH &&
        strcmp(tw_node_text(node, "approximate", "none"), "tanh") != 0)
        return n; /* by erf: entire */
    /* Rows along another axis than the last would have to be gathered. */
    if (k < n && kinds[k].kind >= TW_GHOST_NORM && tw_node_int(node, "axis", -1) != -1)
        return n;
    return k;
}

/* ---- normalisation in small operators ------------------------------------------------------ */

/* A constant, or NULL. */
static const struct tw_array *stored(const struct tw_net *net, int v)
{
    const struct tw_value *x = v < 0 ? NULL : &net->value[v];
    const struct tw_node *by = x && x->made_by >= 0 ? &net->node[x->made_by] : NULL;
    const struct tw_attr *a = by && !strcmp(by->op, "Constant") ? tw_node_attr(by, "value") : NULL;

    if (x && x->init.data)
        return &x->init;
    return a && a->array.data ? &a->array : NULL;
}

static bool is_number(const struct tw_net *net, int v, double *x)
{
    const struct tw_array *a = stored(net, v);

    if (!a || a->n != 1)
        return false;
    *x = tw_array_real(a, 0);
    return true;
}

/* The node that makes v, if it is of this operator with so many inputs at least. */
static const struct tw_node *maker(const struct tw_net *net, int v, const char *op, size_t least)
{
    const int by = v < 0 ? -1 : net->value[v].made_by;

    return by >= 0 && !strcmp(net->node[by].op, op) && net->node[by].nin >= least ? &net->node[by]
                                                                                  : NULL;
}

/* What v is the mean of along the last axis, -1 if it is none. The axes became an input in version
 * 18. */
static int mean_of(const struct tw_net *net, int v)
{
    const struct tw_node *mean = maker(net, v, "ReduceMean", 1);
    const struct tw_attr *axes = mean ? tw_node_attr(mean, "axes") : NULL;
    double axis = axes && axes->n == 1 ? (double)axes->ints[0] : 0.0;

    if (mean && !axes && mean->nin > 1 && !is_number(net, mean->in[1], &axis))
        return -1;
    return axis == -1.0 ? mean->in[0] : -1;
}

/* If the node is sqrt(mean(x^2) + eps): x, which is what a normalisation without LayerNormalization
 * divides; -1 else. Of layer normalisation x is h less its mean, and mean x^2 the variance of h. */
static int divided_by(const struct tw_net *net, const struct tw_node *node, double *eps)
{
    const struct tw_node *add = NULL, *square;
    double power = 0.0;
    int sum = -1;

    if ((!strcmp(node->op, "Sqrt") && node->nin > 0) ||
        (!strcmp(node->op, "Pow") && node->nin > 1 && is_number(net, node->in[1], &power) &&
         fabs(power) == 0.5))
        add = maker(net, node->in[0], "Add", 2);
    for (int i = 0; add && i < 2; i++)
        if (is_number(net, add->in[i], eps))
            sum = mean_of(net, add->in[1 - i]);
    square = maker(net, sum, "Mul", 2);
    if (square)
        return square->in[0] == square->in[1] ? square->in[0] : -1;
    square = maker(net, sum, "Pow", 2);
    return square && is_number(net, square->in[1], &power) && power == 2.0 ? square->in[0] : -1;
}

static bool is_centred(const struct tw_net *net, int v)
{
    const struct tw_node *sub = maker(net, v, "Sub", 2);

    return sub && mean_of(net, sub->in[1]) == sub->in[0];
}

/* ---- the sites ----------------------------------------------------------------------------- */

/* Its input among the outputs of the net. */
static enum tw_status watch(struct tw_net *net, int value, size_t *port, struct tw_err *err)
{
    for (size_t i = 0; i < net->noutput; i++)
        if (net->output[i] == value) {
            *port = i;
            return TW_OK;
        }
    *port = net->noutput;
    return tw_net_output(net, value, err);
}

/* The node's name, else that of what it reads; where that one was made up (tw_net_value), that of
 * what it makes. */
static const char *name_of(const struct tw_net *net, const struct tw_node *node, int input)
{
    const char *read = net->value[input].name;
    const char *made = node->nout > 0 && node->out[0] >= 0 ? net->value[node->out[0]].name : NULL;

    if (node->name && *node->name)
        return node->name;
    return (!read || !strncmp(read, "value.", 6)) && made && *made ? made : read;
}

static enum tw_status find(struct tw_ghost_inside *w, struct tw_net *net, struct tw_err *err)
{
    w->site = tw_alloc(net->nnode, sizeof *w->site);
    w->port = tw_alloc(net->nnode, sizeof *w->port);
    if (!w->site || !w->port)
        return tw_err_set(err, TW_ENOMEM, "out of memory");
    for (size_t i = 0; i < net->nnode; i++) {
        const struct tw_node *node = &net->node[i];
        const size_t k = kind_of(node), none = sizeof kinds / sizeof *kinds;
        double eps = tw_node_real(node, "epsilon", 1e-5);
        const int small = k == none ? divided_by(net, node, &eps) : -1;
        struct tw_ghost_site *s = &w->site[w->n];
        const char *name, *op = k < none ? kinds[k].op : "RMSNormalization";
        int input = small;
        enum tw_status rc;

        if (small >= 0 && is_centred(net, small))
            op = "LayerNormalization";
        if (k < none && node->nin > 0)
            input = node->in[0];
        if (input < 0)
            continue;
        name = name_of(net, node, input);
        rc = watch(net, input, &w->port[w->n], err);
        if (rc != TW_OK)
            return rc;
        *s = (struct tw_ghost_site){ .name = tw_strdup(name ? name : ""),
                                     .op = op,
                                     .kind = k < none ? kinds[k].kind : TW_GHOST_RMS,
                                     .row = 1,
                                     .eps = eps };
        w->n++;
        if (!s->name)
            return tw_err_set(err, TW_ENOMEM, "out of memory");
    }
    return TW_OK;
}

static enum tw_status compile(struct tw_ghost_inside *w, const struct tw_net *net,
                              const struct tw_exec_options *o, struct tw_err *err)
{
    struct tw_exec_options eo = *o;
    size_t each = 0, nout;

    eo.tangents = 1;
    eo.gradient = false;
    w->graph = tw_graph_new(net, NULL, err);
    w->exec = w->graph ? tw_exec_new(w->graph, &eo, err) : NULL;
    if (!w->exec)
        return err && err->code != TW_OK ? err->code : TW_ENOMEM;
    nout = tw_graph_noutput(w->graph);
    w->value = tw_alloc(nout, sizeof *w->value);
    w->slope = tw_alloc(nout, sizeof *w->slope);
    w->count = tw_alloc(w->n * BINS, sizeof *w->count);
    if (!w->value || !w->slope || !w->count)
        return tw_err_set(err, TW_ENOMEM, "out of memory");
    for (size_t i = 0; i < w->n; i++) {
        const struct tw_graph_port p = tw_graph_output(w->graph, w->port[i]);

        each += p.n;
        if (w->site[i].kind >= TW_GHOST_NORM)
            w->site[i].row = p.rank ? p.dims[p.rank - 1] : 1;
    }
    w->rows = BLOCK / (16 * (each ? each : 1));
    w->rows = w->rows < 1 ? 1 : w->rows;
    return TW_OK;
}

struct tw_ghost_inside *tw_ghost_inside_new(struct tw_net *net, const struct tw_exec_options *o,
                                            struct tw_err *err)
{
    struct tw_ghost_inside *w = tw_alloc(1, sizeof *w);
    enum tw_status rc;

    if (!w) {
        (void)tw_err_set(err, TW_ENOMEM, "out of memory");
        return NULL;
    }
    rc = find(w, net, err);
    if (rc == TW_OK)
        rc = compile(w, net, o, err);
    if (rc == TW_OK)
        return w;
    tw_ghost_inside_free(w);
    return NULL;
}

static void forget_block(struct tw_ghost_inside *w)
{
    for (size_t i = 0; w->graph && w->value && w->slope && i < tw_graph_noutput(w->graph); i++) {
        free(w->value[i]);
        free(w->slope[i]);
        w->value[i] = w->slope[i] = NULL;
    }
}

void tw_ghost_inside_free(struct tw_ghost_inside *w)
{
    if (!w)
        return;
    forget_block(w);
    for (size_t i = 0; w->site && i < w->n; i++)
        free(w->site[i].name);
    free(w->site);
    free(w->port);
    free(w->value);
    free(w->slope);
    free(w->count);
    tw_exec_free(w->exec);
    tw_graph_free(w->graph);
    free(w);
}

size_t tw_ghost_inside_count(const struct tw_ghost_inside *w)
{
    return w->n;
}

const struct tw_ghost_site *tw_ghost_inside_site(const struct tw_ghost_inside *w, size_t i)
{
    return &w->site[i];
}

/* ---- running ------------------------------------------------------------------------------- */

static void note(struct tw_ghost_inside *w, size_t i, double distance, size_t row)
{
    struct tw_ghost_site *s = &w->site[i];
    double bin = (log10(distance) - LEAST) * PER_DECADE + 1.0;

    if (isnan(distance)) /* of an unbounded activation: as near as can be */
        distance = bin = 0.0;
    if (distance < s->nearest) {
        s->nearest = distance;
        s->at = row;
    }
    bin = bin > 0.0 ? fmin(bin, BINS - 1.0) : 0.0;
    w->count[i * BINS + (size_t)bin]++;
}

static void look(struct tw_ghost_inside *w, size_t i, size_t sample, size_t row)
{
    const struct tw_ghost_site *s = &w->site[i];
    const size_t each = tw_graph_output(w->graph, w->port[i]).n;
    const double *h = w->value[w->port[i]] + sample * each;
    const double *slope = w->slope[w->port[i]] + sample * each;

    for (size_t k = 0; k + s->row <= each; k += s->row)
        note(w, i,
             s->kind >= TW_GHOST_NORM ? tw_ghost_row(s->kind, s->row, h + k, slope + k, s->eps)
                                      : tw_ghost_unit(s->kind, h[k], slope[k]),
             row);
}

static double low_quantile(const size_t *count)
{
    size_t all = 0, sum = 0, b = 0;

    for (size_t k = 0; k < BINS; k++)
        all += count[k];
    while (b + 1 < BINS && (sum += count[b]) < (all + 99) / 100)
        b++;
    return b + 1 == BINS ? HUGE_VAL
           : b == 0      ? 0.0
                         : pow(10.0, LEAST + ((double)b - 0.5) / PER_DECADE);
}

static enum tw_status make_block(struct tw_ghost_inside *w, size_t n, struct tw_err *err)
{
    bool failed = false;

    forget_block(w);
    w->rows = w->rows < n ? w->rows : n;
    for (size_t i = 0; i < w->n; i++) {
        const size_t p = w->port[i], each = tw_graph_output(w->graph, p).n;

        if (w->value[p])
            continue;
        w->value[p] = tw_alloc(w->rows * each, sizeof(double));
        w->slope[p] = tw_alloc(w->rows * each, sizeof(double));
        failed = failed || !w->value[p] || !w->slope[p];
    }
    return failed ? tw_err_set(err, TW_ENOMEM, "out of memory") : TW_OK;
}

enum tw_status tw_ghost_inside_run(struct tw_ghost_inside *w, const float *params,
                                   const float *buffers, const double *direction,
                                   const struct tw_array *x, size_t n, const size_t *rows,
                                   struct tw_err *err)
{
    const struct tw_graph_port in = tw_graph_input(w->graph, 0);
    const struct tw_array *inputs[1];
    struct tw_array view = *x; /* the same numbers in the shape that the network wants */
    size_t *chosen = tw_alloc(w->rows < n ? w->rows : n, sizeof *chosen);
    enum tw_status rc =
        chosen ? make_block(w, n, err) : tw_err_set(err, TW_ENOMEM, "out of memory");

    view.rank = in.rank ? in.rank : 1;
    for (int i = 1; i < in.rank; i++)
        view.dims[i] = in.dims[i];
    inputs[0] = &view;
    for (size_t i = 0; i < w->n; i++)
        w->site[i].nearest = HUGE_VAL;
    memset(w->count, 0, w->n * BINS * sizeof *w->count);
    tw_exec_set(w->exec, params, buffers);
    tw_exec_direct_real(w->exec, 1, &direction);
    for (size_t first = 0; rc == TW_OK && first < n; first += w->rows) {
        const size_t m = n - first < w->rows ? n - first : w->rows;
        const struct tw_exec_run run = {
            .n = m, .inputs = inputs, .rows = chosen, .outputs = w->value, .tangents = w->slope
        };

        for (size_t i = 0; i < m; i++)
            chosen[i] = rows ? rows[first + i] : first + i;
        rc = tw_exec_run(w->exec, &run, err);
        for (size_t k = 0; rc == TW_OK && k < w->n; k++)
            for (size_t i = 0; i < m; i++)
                look(w, k, i, chosen[i]);
    }
    for (size_t i = 0; i < w->n; i++)
        w->site[i].low = low_quantile(w->count + i * BINS);
    free(chosen);
    return rc;
}
