/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The problem of a network on data: compiled with its loss, evaluated over fixed rows. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "network.h"

static void release(struct tw_problem *p)
{
    struct network *s = (struct network *)p;

    tw_exec_free(s->exec);
    tw_graph_free(s->graph);
    free(s->rows);
    tw_array_release(&s->labels);
    tw_array_release(&s->cut[0]);
    tw_array_release(&s->cut[1]);
    for (size_t k = 0; k < s->npart; k++)
        for (int i = 0; i < 3; i++)
            free(s->part[k].sample[i]);
    free(s->part);
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

    for (size_t i = 0; rows && s->part->ports.classes && i < s->y.n; i++) {
        const int64_t y = tw_array_int(&s->y, i);
        bool good = y >= 0 && (uint64_t)y < s->part->ports.classes;

        for (size_t k = 0; !good && k < s->npart; k++)
            good = y == s->part[k].loss.ignore_index;
        if (good)
            continue;
        return tw_err_set(err, TW_EFORMAT,
                          "row %zu of the targets holds %" PRId64
                          ", but the network has %zu classes, numbered from 0",
                          i / (s->y.n / rows), y, s->part->ports.classes);
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
    enum tw_status rc = net->ninput ? tw_network_turn(net, &data->x, err) : TW_OK;
    struct tw_graph *bare = rc == TW_OK ? tw_graph_new(net, &o->graph, err) : NULL;
    struct tw_graph_port port;

    if (!bare)
        return err && err->code != TW_OK ? err->code : TW_EFORMAT;
    port = tw_graph_output(bare, 0);
    out.dtype = port.dtype;
    out.rank = port.rank;
    memcpy(out.dims, port.dims, sizeof out.dims);
    if (o->loss)
        s->part->loss = *o->loss;
    else
        s->part->loss = tw_loss_default(&target);
    if (!o->loss && is_own(bare))
        s->part->loss.kind = TW_LOSS_OWN;
    if (tw_losses[s->part->loss.kind].classes && tw_network_is_one_hot(&out, &data->y)) {
        rc = tw_network_one_hot(s, &data->y, out.dims[out.rank - 1], err);
        target = as_value(&s->labels);
    }
    if (rc != TW_OK)
        ;
    else if (tw_graph_group(bare) != 1)
        rc = tw_err_set(err, TW_EFORMAT,
                        "the network was exported for batches of %zu samples; export it with a "
                        "free (dynamic) batch axis",
                        tw_graph_group(bare));
    else if (s->part->loss.kind != TW_LOSS_OWN && tw_graph_ninput(bare) != 1)
        rc = tw_err_set(err, TW_EFORMAT, "the network has %zu inputs; a data set fills one",
                        tw_graph_ninput(bare));
    else if (tw_graph_ninput(bare) > 2)
        rc = tw_err_set(err, TW_EFORMAT,
                        "the network has %zu inputs; a data set fills two, samples and targets",
                        tw_graph_ninput(bare));
    else if (data->y.dtype == TW_NONE && (s->part->loss.kind != TW_LOSS_OWN || is_own(bare)))
        rc = tw_err_set(err, TW_EFORMAT, "the data set has no targets (y)");
    else
        rc = tw_loss_attach(net, &s->part->loss, &out, &target, o->logits, &s->part->ports, err);
    for (size_t k = 1; rc == TW_OK && k < s->npart; k++) {
        s->part[k].loss = o->extra[k - 1];
        rc = tw_loss_attach_more(net, &s->part[k].loss, &out, &target, &s->part->ports,
                                 &s->part[k].ports, err);
    }
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
    s->base.has_error = s->part->ports.correct >= 0;
    if (s->part->ports.logits >= 0)
        s->base.width = tw_graph_output(s->graph, (size_t)s->part->ports.logits).n;
    port = tw_graph_input(s->graph, 0);
    rc = fit(&data->x, "x", &port, &s->x, err);
    if (rc == TW_OK && s->part->ports.target >= 0) {
        port = tw_graph_input(s->graph, (size_t)s->part->ports.target);
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

static bool make_samples(struct network *s)
{
    bool made = true;

    for (size_t k = 0; k < s->npart; k++)
        for (int i = 0; i < 3; i++) {
            s->part[k].sample[i] = tw_alloc(s->base.n, sizeof(double));
            made = made && s->part[k].sample[i];
        }
    s->tangent = s->base.n <= SIZE_MAX / (s->max_directions + 1)
                     ? tw_alloc(s->base.n * s->max_directions, sizeof(double))
                     : NULL;
    return made && s->tangent;
}

static const struct tw_problem_ops ops = { .eval = tw_network_eval, .free = release };

struct tw_problem *tw_problem_new(struct tw_net *net, const struct tw_dataset *data,
                                  const struct tw_problem_options *o, struct tw_err *err)
{
    struct network *s = tw_alloc(1, sizeof *s);
    struct tw_dataset windows;
    enum tw_status rc;

    if (!s) {
        tw_err_set(err, TW_ENOMEM, "out of memory");
        return NULL;
    }
    s->base.ops = &ops;
    s->part = o->nextra < SIZE_MAX ? tw_alloc(1 + o->nextra, sizeof *s->part) : NULL;
    s->npart = s->part ? 1 + o->nextra : 0;
    rc = s->part ? TW_OK : TW_ENOMEM;
    if (rc == TW_OK && data->stream) {
        rc = tw_network_cut(s, net, data, &windows, err);
        data = &windows;
    }
    if (rc == TW_OK)
        rc = attach(s, net, data, o, err);
    if (rc == TW_OK)
        rc = compile(s, net, data, o, err);
    if (rc == TW_OK) {
        s->exec = tw_exec_new(s->graph, &o->exec, err);
        s->max_directions = o->exec.tangents;
        if (s->exec && make_samples(s))
            return &s->base;
    }
    tw_err_set(err, TW_ENOMEM, "out of memory"); /* unless there is another reason */
    release(&s->base);
    return NULL;
}

/* ---- looking -----------------------------------------------------------------------------------
 */

const struct tw_graph *tw_problem_graph(const struct tw_problem *p)
{
    return ((const struct network *)p)->graph;
}

const struct tw_loss_spec *tw_problem_loss(const struct tw_problem *p)
{
    return &((const struct network *)p)->part->loss;
}

const struct tw_loss_ports *tw_problem_ports(const struct tw_problem *p)
{
    return &((const struct network *)p)->part->ports;
}

const struct tw_loss_ports *tw_problem_extra_ports(const struct tw_problem *p, size_t i)
{
    return &((const struct network *)p)->part[1 + i].ports;
}

size_t tw_problem_kept(const struct tw_problem *p)
{
    return tw_exec_kept(((const struct network *)p)->exec);
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

    return s->part->ports.target >= 0 ? &s->y : NULL;
}
