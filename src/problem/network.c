/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The problem of a network on data: compiled with its loss, evaluated over fixed rows. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "thalweg/problem.h"

struct network {
    struct tw_problem base;
    struct tw_loss_spec loss;
    struct tw_loss_ports ports;
    struct tw_graph *graph;
    struct tw_exec *exec;
    struct tw_array x, y;   /* headers over the caller's data */
    struct tw_array cut[2]; /* x and y of a sequence of tokens; or empty */
    struct tw_array labels; /* class numbers made of targets with a 1 for the class; or empty */
    size_t *rows;           /* NULL: all */
    double *sample[3];      /* loss, weight, correct of each sample: scratch */
    double *tangent;        /* ndirections x n */
    size_t max_directions;
};

static void release(struct tw_problem *p)
{
    struct network *s = (struct network *)p;

    tw_exec_free(s->exec);
    tw_graph_free(s->graph);
    free(s->rows);
    tw_array_release(&s->labels);
    tw_array_release(&s->cut[0]);
    tw_array_release(&s->cut[1]);
    for (int i = 0; i < 3; i++)
        free(s->sample[i]);
    free(s->tangent);
    free(s);
}

/* ---- data ---------------------------------------------------------------------------------- */

/* The data as an input wants them: the caller's memory under another shape. */
static enum tw_status fit(const struct tw_array *from, const char *what,
                          const struct tw_graph_port *want, struct tw_array *to, struct tw_err *err)
{
    size_t each = 1, n = from->rank ? from->dims[0] : 1;
    struct tw_str s[2] = { { 0 }, { 0 } };

    for (int i = 1; i < want->rank; i++)
        each *= want->dims[i];
    if (from->n != n * each) {
        tw_array_describe(want->dtype, want->rank ? want->rank - 1 : 0, want->dims + 1, &s[0]);
        tw_array_describe(from->dtype, from->rank ? from->rank - 1 : 0, from->dims + 1, &s[1]);
        tw_err_set(err, TW_EFORMAT, "the network takes %s a sample, the data's %s is %s a sample",
                   s[0].failed ? "?" : s[0].s, what, s[1].failed ? "?" : s[1].s);
        tw_str_release(&s[0]);
        tw_str_release(&s[1]);
        return TW_EFORMAT;
    }
    if (!tw_dtype_is_real(want->dtype) && tw_dtype_is_real(from->dtype))
        return tw_err_set(err, TW_EFORMAT,
                          "the network takes whole numbers (%s), the data's %s is %s",
                          tw_dtype_name(want->dtype), what, tw_dtype_name(from->dtype));
    *to = *from;
    to->rank = want->rank ? want->rank : 1;
    to->dims[0] = n;
    for (int i = 1; i < want->rank; i++)
        to->dims[i] = want->dims[i];
    return TW_OK;
}

/* The samples of a sequence: windows one after another, each as many tokens as the network takes
 * and one more, which is the last target. */
static enum tw_status cut(struct network *s, const struct tw_net *net,
                          const struct tw_dataset *data, struct tw_dataset *to, struct tw_err *err)
{
    const struct tw_value *v = net->ninput ? &net->value[net->input[0]] : NULL;
    const size_t size = tw_dtype_size(data->x.dtype), n = data->x.n;
    size_t t, dims[2];
    enum tw_status rc;

    if (!v || v->rank != 2 || v->dims[1] < 1)
        return tw_err_set(
            err, TW_EFORMAT,
            "the data are a sequence of tokens, and the network does not take a fixed "
            "number of tokens a sample");
    t = (size_t)v->dims[1];
    dims[0] = n / (t + 1);
    dims[1] = t;
    if (dims[0] == 0)
        return tw_err_set(err, TW_EFORMAT,
                          "the data have %zu tokens; a sample of the network takes %zu", n, t + 1);
    rc = tw_array_make(&s->cut[0], data->x.dtype, 2, dims, err);
    if (rc == TW_OK)
        rc = tw_array_make(&s->cut[1], data->x.dtype, 2, dims, err);
    for (size_t i = 0; i < dims[0] && rc == TW_OK; i++) {
        const char *from = (const char *)data->x.data + i * (t + 1) * size;

        memcpy((char *)s->cut[0].data + i * t * size, from, t * size);
        memcpy((char *)s->cut[1].data + i * t * size, from + size, t * size);
    }
    *to = (struct tw_dataset){ .x = s->cut[0], .y = s->cut[1] };
    return rc;
}

/* Targets with a number for each class, 1 for the one and 0 for the others, as class numbers. */
static enum tw_status from_one_hot(struct network *s, const struct tw_array *y, size_t classes,
                                   struct tw_err *err)
{
    size_t dims[TW_MAX_RANK] = { 0 };
    enum tw_status rc;

    memcpy(dims, y->dims, sizeof dims);
    rc = tw_array_make(&s->labels, TW_I64, y->rank - 1, dims, err);
    for (size_t i = 0; i < s->labels.n && rc == TW_OK; i++) {
        size_t ones = 0, zeros = 0, at = 0;

        for (size_t k = 0; k < classes; k++) {
            const double t = tw_array_real(y, i * classes + k);

            ones += t == 1.0;
            zeros += t == 0.0;
            at = t == 1.0 ? k : at;
        }
        if (ones != 1 || ones + zeros != classes)
            rc = tw_err_set(err, TW_EFORMAT,
                            "row %zu of the targets is not 1 for one class and 0 for the others; "
                            "shares of classes are not supported",
                            i / (s->labels.n / s->labels.dims[0]));
        tw_array_set_int(&s->labels, i, (int64_t)at);
    }
    return rc;
}

/* Have the targets the shape of the output, classes last? */
static bool is_one_hot(const struct tw_loss_value *out, const struct tw_array *y)
{
    bool same = y->rank == out->rank && y->rank >= 2 && out->dims[out->rank - 1] > 1;

    for (int i = 1; same && i < y->rank; i++)
        same = y->dims[i] == out->dims[i];
    return same;
}

/* Pictures lie channels first in some files and networks and channels last in others. Where one
 * shape is the other so turned, the network gets an input of the data's shape. */
static enum tw_status turn_input(struct tw_net *net, const struct tw_array *x, struct tw_err *err)
{
    const int old = net->input[0];
    const struct tw_value *v = &net->value[old];
    const int64_t *d = v->dims;
    int64_t dims[4] = { TW_DIM_UNKNOWN };
    bool last_to_first, first_to_last;
    enum tw_status rc;
    int in;

    if (v->rank != 4 || x->rank != 4)
        return TW_OK;
    for (int i = 1; i < 4; i++)
        dims[i] = (int64_t)x->dims[i];
    last_to_first = dims[1] == d[2] && dims[2] == d[3] && dims[3] == d[1];
    first_to_last = dims[1] == d[3] && dims[2] == d[1] && dims[3] == d[2];
    if ((dims[1] == d[1] && dims[2] == d[2] && dims[3] == d[3]) || last_to_first == first_to_last)
        return TW_OK;
    in = tw_net_input(net, NULL, v->dtype, 4, dims, err);
    if (in < 0)
        return err ? err->code : TW_ENOMEM;
    net->input[0] = in; /* in the place of the old one, which a node now makes */
    net->ninput--;
    net->value[old].is_input = false;
    if (tw_net_node(net, "Transpose", NULL, 1, &in, 1, &old, err) < 0)
        return err ? err->code : TW_ENOMEM;
    rc = tw_net_attr_ints(
        net, "perm", 4,
        last_to_first ? (const int64_t[]){ 0, 3, 1, 2 } : (const int64_t[]){ 0, 2, 3, 1 }, err);
    return rc == TW_OK ? tw_net_sort(net, err) : rc;
}

static int by_number(const void *a, const void *b)
{
    const size_t x = *(const size_t *)a, y = *(const size_t *)b;

    return (x > y) - (x < y);
}

/* k of n rows without replacement: the first k of a shuffle (Fisher and Yates), sorted. */
static enum tw_status choose_rows(struct network *s, const struct tw_problem_options *o,
                                  struct tw_err *err)
{
    struct tw_rng rng = tw_rng_stream(o->subset_seed, TW_RNG_SUBSET, 0);
    const size_t n = s->base.all;
    size_t *all;

    s->base.n = o->limit && o->limit < n ? o->limit : n;
    if (s->base.n == n)
        return TW_OK;
    s->rows = all = tw_alloc(n, sizeof *all);
    if (!all)
        return tw_err_set(err, TW_ENOMEM, "out of memory");
    for (size_t i = 0; i < n; i++)
        all[i] = i;
    for (size_t i = 0; i < s->base.n; i++) {
        const size_t k = i + tw_rng_below(&rng, n - i), swap = all[i];

        all[i] = all[k];
        all[k] = swap;
    }
    qsort(all, s->base.n, sizeof *all, by_number);
    return TW_OK;
}

static enum tw_status check_classes(const struct network *s, struct tw_err *err)
{
    const size_t rows = s->y.dims[0];

    for (size_t i = 0; rows && s->ports.classes && i < s->y.n; i++) {
        const int64_t y = tw_array_int(&s->y, i);

        if (y == s->loss.ignore_index || (y >= 0 && (uint64_t)y < s->ports.classes))
            continue;
        return tw_err_set(err, TW_EFORMAT,
                          "row %zu of the targets holds %" PRId64
                          ", but the network has %zu classes, numbered from 0",
                          i / (s->y.n / rows), y, s->ports.classes);
    }
    return TW_OK;
}

/* ---- making ---------------------------------------------------------------------------------- */

static struct tw_loss_value as_value(const struct tw_array *a)
{
    struct tw_loss_value v = { a->dtype, a->rank, { 0 } };

    memcpy(v.dims, a->dims, sizeof v.dims);
    return v;
}

/* A network with two inputs and one number out ends in its loss. */
static bool is_own(const struct tw_graph *g)
{
    return tw_graph_ninput(g) == 2 && tw_graph_output(g, 0).n == 1;
}

/* The loss is appended by the shape of the network's output, known once it is compiled. */
static enum tw_status attach(struct network *s, struct tw_net *net, const struct tw_dataset *data,
                             const struct tw_problem_options *o, struct tw_err *err)
{
    struct tw_loss_value target = as_value(&data->y), out = { 0 };
    enum tw_status rc = net->ninput ? turn_input(net, &data->x, err) : TW_OK;
    struct tw_graph *bare = rc == TW_OK ? tw_graph_new(net, &o->graph, err) : NULL;
    struct tw_graph_port port;

    if (!bare)
        return err && err->code != TW_OK ? err->code : TW_EFORMAT;
    port = tw_graph_output(bare, 0);
    out.dtype = port.dtype;
    out.rank = port.rank;
    memcpy(out.dims, port.dims, sizeof out.dims);
    if (o->loss)
        s->loss = *o->loss;
    else
        s->loss = tw_loss_default(&target);
    if (!o->loss && is_own(bare))
        s->loss.kind = TW_LOSS_OWN;
    if (tw_losses[s->loss.kind].classes && is_one_hot(&out, &data->y)) {
        rc = from_one_hot(s, &data->y, out.dims[out.rank - 1], err);
        target = as_value(&s->labels);
    }
    if (rc != TW_OK)
        ;
    else if (tw_graph_group(bare) != 1)
        rc = tw_err_set(err, TW_EFORMAT,
                        "the network was exported for batches of %zu samples; export it with a "
                        "free (dynamic) batch axis",
                        tw_graph_group(bare));
    else if (s->loss.kind != TW_LOSS_OWN && tw_graph_ninput(bare) != 1)
        rc = tw_err_set(err, TW_EFORMAT, "the network has %zu inputs; a data set fills one",
                        tw_graph_ninput(bare));
    else if (tw_graph_ninput(bare) > 2)
        rc = tw_err_set(err, TW_EFORMAT,
                        "the network has %zu inputs; a data set fills two, samples and targets",
                        tw_graph_ninput(bare));
    else if (data->y.dtype == TW_NONE && (s->loss.kind != TW_LOSS_OWN || is_own(bare)))
        rc = tw_err_set(err, TW_EFORMAT, "the data set has no targets (y)");
    else
        rc = tw_loss_attach(net, &s->loss, &out, &target, o->logits, &s->ports, err);
    tw_graph_free(bare);
    return rc;
}

static enum tw_status compile(struct network *s, const struct tw_net *net,
                              const struct tw_dataset *data, const struct tw_problem_options *o,
                              struct tw_err *err)
{
    struct tw_graph_port port;
    enum tw_status rc;

    s->graph = tw_graph_new(net, &o->graph, err);
    if (!s->graph)
        return err && err->code != TW_OK ? err->code : TW_EFORMAT;
    s->base.layout = tw_graph_layout(s->graph);
    s->base.dim = s->base.layout->n;
    s->base.has_error = s->ports.correct >= 0;
    if (s->ports.logits >= 0)
        s->base.width = tw_graph_output(s->graph, (size_t)s->ports.logits).n;
    port = tw_graph_input(s->graph, 0);
    rc = fit(&data->x, "x", &port, &s->x, err);
    if (rc == TW_OK && s->ports.target >= 0) {
        port = tw_graph_input(s->graph, (size_t)s->ports.target);
        rc = fit(s->labels.dtype != TW_NONE ? &s->labels : &data->y, "y", &port, &s->y, err);
        if (rc == TW_OK && s->y.dims[0] != s->x.dims[0])
            rc = tw_err_set(err, TW_EFORMAT, "%zu samples, but %zu targets", s->x.dims[0],
                            s->y.dims[0]);
        if (rc == TW_OK)
            rc = check_classes(s, err);
    }
    if (rc != TW_OK)
        return rc;
    s->base.all = s->x.dims[0];
    return choose_rows(s, o, err);
}

static enum tw_status eval(struct tw_problem *p, const struct tw_request *r, struct tw_err *err);
static const struct tw_problem_ops ops = { .eval = eval, .free = release };

struct tw_problem *tw_problem_new(struct tw_net *net, const struct tw_dataset *data,
                                  const struct tw_problem_options *o, struct tw_err *err)
{
    struct network *s = tw_alloc(1, sizeof *s);
    enum tw_status rc = TW_OK;
    struct tw_dataset windows;

    if (!s) {
        tw_err_set(err, TW_ENOMEM, "out of memory");
        return NULL;
    }
    s->base.ops = &ops;
    if (data->stream) {
        rc = cut(s, net, data, &windows, err);
        data = &windows;
    }
    if (rc == TW_OK)
        rc = attach(s, net, data, o, err);
    if (rc == TW_OK)
        rc = compile(s, net, data, o, err);
    if (rc == TW_OK) {
        s->exec = tw_exec_new(s->graph, &o->exec, err);
        s->max_directions = o->exec.tangents;
        for (int i = 0; i < 3; i++)
            s->sample[i] = tw_alloc(s->base.n, sizeof(double));
        s->tangent = s->base.n <= SIZE_MAX / (s->max_directions + 1)
                         ? tw_alloc(s->base.n * s->max_directions, sizeof(double))
                         : NULL;
        if (s->exec && s->sample[0] && s->sample[1] && s->sample[2] && s->tangent)
            return &s->base;
        tw_err_set(err, TW_ENOMEM, "out of memory");
    }
    release(&s->base);
    return NULL;
}

/* ---- evaluating ------------------------------------------------------------------------------ */

static enum tw_status set_point(struct network *s, const struct tw_request *r, struct tw_err *err)
{
    const size_t nb = s->base.layout->nb;
    double *buffers = NULL;

    if (r->at.f) {
        tw_exec_set(s->exec, r->at.f, r->buffers);
        return TW_OK;
    }
    if (r->buffers) {
        buffers = tw_alloc(nb, sizeof *buffers);
        if (!buffers)
            return tw_err_set(err, TW_ENOMEM, "out of memory");
        for (size_t i = 0; i < nb; i++)
            buffers[i] = (double)r->buffers[i];
    }
    tw_exec_set_real(s->exec, r->at.d, buffers);
    free(buffers);
    return TW_OK;
}

/* All directions as floats, or all as doubles: mixtures are converted. */
static enum tw_status set_directions(struct network *s, const struct tw_request *r,
                                     struct tw_err *err)
{
    const size_t n = r->ndirections, dim = s->base.dim;
    const float **f = tw_alloc(n, sizeof *f);
    const double **d = tw_alloc(n, sizeof *d);
    double *copy = NULL;
    size_t floats = 0;
    bool failed = !f || !d;

    for (size_t t = 0; !failed && t < n; t++) {
        f[t] = r->directions[t].f;
        d[t] = r->directions[t].d;
        floats += f[t] != NULL;
    }
    if (!failed && floats && floats < n && dim <= SIZE_MAX / n) {
        copy = tw_alloc(dim * n, sizeof *copy);
        failed = !copy;
        for (size_t t = 0; !failed && t < n; t++) {
            for (size_t i = 0; f[t] && i < dim; i++)
                copy[t * dim + i] = (double)f[t][i];
            d[t] = f[t] ? copy + t * dim : d[t];
        }
    }
    if (!failed && floats == n)
        tw_exec_direct(s->exec, n, f);
    else if (!failed)
        tw_exec_direct_real(s->exec, n, d);
    free(f);
    free(d);
    free(copy);
    return failed ? tw_err_set(err, TW_ENOMEM, "out of memory") : TW_OK;
}

static void scale(size_t n, double by, double *x)
{
    for (size_t i = 0; x && i < n; i++)
        x[i] *= by;
}

/* Sums over samples into results. */
static void report(struct network *s, const struct tw_request *r)
{
    const size_t n = r->rows ? r->nrows : s->base.n;
    const double each = s->ports.weight_each;
    double *const loss = s->sample[0], *const correct = s->sample[2];
    double *const weight = s->ports.weight >= 0 ? s->sample[1] : NULL;
    const double total = weight ? tw_sum(weight, n) : each * (double)n;

    scale(s->base.dim, 1.0 / total, r->gradient);
    for (size_t t = 0; t < r->ndirections; t++) {
        if (r->slopes)
            r->slopes[t] = tw_sum(s->tangent + t * n, n) / total;
        if (r->hvp)
            scale(s->base.dim, 1.0 / total, r->hvp[t]);
    }
    for (size_t i = 0; i < n; i++) {
        if (r->loss)
            r->loss[i] = loss[i];
        if (r->weight)
            r->weight[i] = weight ? weight[i] : each;
        if (r->correct)
            r->correct[i] = correct[i];
    }
    if (!r->values)
        return;
    *r->values = (struct tw_values){
        tw_estimate_ratio(n, loss, weight, each, s->base.all), { NAN, NAN, NAN }, n, total, 0
    };
    for (size_t i = 0; i < n; i++) {
        r->values->nonfinite += isfinite(loss[i]) ? 0u : 1u;
        correct[i] = (weight ? weight[i] : each) - correct[i];
    }
    if (s->base.has_error)
        r->values->error = tw_estimate_ratio(n, correct, weight, each, s->base.all);
}

static bool rows_fit(const struct network *s, const struct tw_request *r)
{
    for (size_t i = 0; r->rows && i < r->nrows; i++)
        if (r->rows[i] >= s->base.all)
            return false;
    return !r->rows || (r->nrows && r->nrows <= s->base.n);
}

static enum tw_status eval(struct tw_problem *p, const struct tw_request *r, struct tw_err *err)
{
    struct network *s = (struct network *)p;
    const struct tw_array *inputs[2] = { &s->x, &s->y };
    const size_t nout = tw_graph_noutput(s->graph), nd = r->ndirections;
    double **outputs = tw_alloc(nout, sizeof *outputs);
    double **tangents = nd <= SIZE_MAX / nout ? tw_alloc(nout * nd, sizeof *tangents) : NULL;
    const size_t n = r->rows ? r->nrows : s->base.n;
    struct tw_exec_run run = { .n = n, .inputs = inputs, .rows = r->rows ? r->rows : s->rows };
    const int port[3] = { s->ports.loss, s->ports.weight, s->ports.correct };
    enum tw_status rc = TW_OK;

    if (!outputs || !tangents)
        rc = tw_err_set(err, TW_ENOMEM, "out of memory");
    else if (!rows_fit(s, r))
        rc = tw_err_set(err, TW_EINVAL, "rows that the data set has not, or more than %zu of them",
                        s->base.n);
    else if (nd > s->max_directions || (r->correct && !s->base.has_error) ||
             ((r->logits || r->logit_slopes || r->gauss_newton) && s->ports.logits < 0))
        rc = tw_err_set(err, TW_EINVAL, "asked for what the problem was not made for");
    if (rc == TW_OK)
        rc = set_point(s, r, err);
    if (rc == TW_OK && nd)
        rc = set_directions(s, r, err);
    if (rc == TW_OK) {
        for (int i = 0; i < 3; i++)
            if (port[i] >= 0)
                outputs[port[i]] = s->sample[i];
        if (r->logits)
            outputs[s->ports.logits] = r->logits;
        for (size_t t = 0; r->slopes && t < nd; t++)
            tangents[(size_t)s->ports.loss * nd + t] = s->tangent + t * n;
        for (size_t t = 0; r->logit_slopes && t < nd; t++)
            tangents[(size_t)s->ports.logits * nd + t] = r->logit_slopes + t * n * s->base.width;
        run.outputs = outputs;
        run.tangents = r->slopes || r->logit_slopes ? tangents : NULL;
        run.seed_output = (size_t)s->ports.loss;
        run.gradient = r->gradient;
        run.hvp = r->hvp;
        run.batch = r->batch;
        run.statistics = r->statistics;
        run.dropout_seed = r->dropout_seed;
        run.gauss_newton = r->gauss_newton;
        run.network_output = r->gauss_newton ? (size_t)s->ports.logits : 0;
        rc = tw_exec_run(s->exec, &run, err);
    }
    if (rc == TW_OK)
        report(s, r);
    free(outputs);
    free(tangents);
    return rc;
}

/* ---- looking -----------------------------------------------------------------------------------
 */

const struct tw_graph *tw_problem_graph(const struct tw_problem *p)
{
    return ((const struct network *)p)->graph;
}

const struct tw_loss_spec *tw_problem_loss(const struct tw_problem *p)
{
    return &((const struct network *)p)->loss;
}

const struct tw_loss_ports *tw_problem_ports(const struct tw_problem *p)
{
    return &((const struct network *)p)->ports;
}

size_t tw_problem_memory(const struct tw_problem *p)
{
    return tw_exec_memory(((const struct network *)p)->exec);
}

const size_t *tw_problem_rows(const struct tw_problem *p)
{
    return ((const struct network *)p)->rows;
}

const struct tw_array *tw_problem_targets(const struct tw_problem *p)
{
    const struct network *s = (const struct network *)p;

    return s->ports.target >= 0 ? &s->y : NULL;
}
