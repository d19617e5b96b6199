/* SPDX-License-Identifier: GPL-3.0-or-later */
/* graph_test.h - small networks for tests: made in a few lines, run, and held against the reference
 * interpreter and against differences of themselves. */
#ifndef TESTS_GRAPH_TEST_H
#define TESTS_GRAPH_TEST_H

#include "num.h"
#include "thalweg/graph.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct tw_err nets_err;

static inline void nets_ok(bool ok)
{
    if (!ok)
        fprintf(stderr, "%s\n", nets_err.msg);
    assert_true(ok);
}

static inline struct tw_net *nets_new(void)
{
    struct tw_net *net = tw_net_new("test", &nets_err);

    memset(&nets_err, 0, sizeof nets_err);
    nets_ok(net != NULL);
    return net;
}

/* An input of float32 with a free batch, of the given extents behind it. */
static inline int nets_input(struct tw_net *net, const char *name, int rank, const size_t *dims)
{
    int64_t d[TW_MAX_RANK] = { TW_DIM_UNKNOWN };
    int v;

    for (int i = 0; i < rank; i++)
        d[1 + i] = (int64_t)dims[i];
    v = tw_net_input(net, name, TW_F32, rank + 1, d, &nets_err);
    nets_ok(v >= 0);
    return v;
}

/* A parameter with values between lo and hi. */
static inline int nets_param(struct tw_net *net, const char *name, int rank, const size_t *dims,
                             double lo, double hi)
{
    struct tw_array a = { 0 };
    struct tw_rng r =
        tw_rng_stream(11, TW_RNG_TEST, (uint64_t)strlen(name) * 131U + (uint64_t)name[0]);
    int v;

    nets_ok(tw_array_make(&a, TW_F32, rank, dims, &nets_err) == TW_OK);
    for (size_t i = 0; i < a.n; i++)
        tw_array_set_real(&a, i, lo + (hi - lo) * tw_rng_real(&r));
    v = tw_net_init(net, name, &a, &nets_err);
    nets_ok(v >= 0);
    return v;
}

static inline int nets_op(struct tw_net *net, const char *op, size_t nin, const int *in)
{
    int v = tw_net_op(net, op, NULL, nin, in, &nets_err);

    nets_ok(v >= 0);
    return v;
}

static inline int nets_op1(struct tw_net *net, const char *op, int a)
{
    return nets_op(net, op, 1, &a);
}

static inline int nets_op2(struct tw_net *net, const char *op, int a, int b)
{
    return nets_op(net, op, 2, (const int[]){ a, b });
}

static inline int nets_op3(struct tw_net *net, const char *op, int a, int b, int c)
{
    return nets_op(net, op, 3, (const int[]){ a, b, c });
}

static inline int nets_ints(struct tw_net *net, const char *name, size_t n, const int64_t *x)
{
    int v = tw_net_ints(net, name, n, x, &nets_err);

    nets_ok(v >= 0);
    return v;
}

/* ---- the reference: every node of the list for one sample ------------------------------------ */

static inline void nets_reference(struct tw_net *net, const struct tw_array *const *inputs,
                                  size_t row, double *out)
{
    struct tw_array *value = tw_alloc(net->nvalue, sizeof *value);
    const struct tw_array *last;

    assert_non_null(value);
    nets_ok(tw_net_sort(net, &nets_err) == TW_OK);
    for (size_t i = 0; i < net->nvalue; i++)
        if (net->value[i].is_init)
            nets_ok(tw_value_initial(&net->value[i], &value[i], &nets_err) == TW_OK);
    for (size_t i = 0; i < net->ninput; i++) {
        const struct tw_value *x = &net->value[net->input[i]];
        struct tw_array *a = &value[net->input[i]];
        size_t dims[TW_MAX_RANK];

        for (int k = 0; k < x->rank; k++)
            dims[k] = x->dims[k] == TW_DIM_UNKNOWN ? 1 : (size_t)x->dims[k];
        nets_ok(tw_array_make(a, inputs[i]->dtype, x->rank, dims, &nets_err) == TW_OK);
        for (size_t k = 0; k < a->n; k++)
            tw_array_set_real(a, k, tw_array_real(inputs[i], row * a->n + k));
    }
    for (size_t i = 0; i < net->nnode; i++) {
        const struct tw_node *node = &net->node[i];
        const struct tw_array *in[8] = { NULL };
        struct tw_array made[4] = { { 0 } };

        for (size_t k = 0; k < node->nin; k++)
            in[k] = node->in[k] < 0 ? NULL : &value[node->in[k]];
        nets_ok(tw_reference_node(node, net->opset, node->nin, in, node->nout, made, &nets_err) ==
                TW_OK);
        for (size_t k = 0; k < node->nout; k++)
            value[node->out[k]] = made[k];
    }
    last = &value[net->output[0]];
    for (size_t i = 0; i < last->n; i++)
        out[i] = tw_array_real(last, i);
    for (size_t i = 0; i < net->nvalue; i++)
        tw_array_release(&value[i]);
    free(value);
}

/* ---- the checks --------------------------------------------------------------------------------
 */

enum { NETS_SAMPLES = 19, NETS_DIRECTIONS = 2 };

static inline void nets_compare(const char *what, size_t n, const double *a, const double *b,
                                double tol)
{
    double scale = 1e-3;

    for (size_t i = 0; i < n; i++)
        if (isfinite(b[i]) && fabs(b[i]) > scale)
            scale = fabs(b[i]);
    for (size_t i = 0; i < n; i++) {
        if (fabs(a[i] - b[i]) <= tol * scale || (isnan(a[i]) && isnan(b[i])))
            continue;
        fprintf(stderr, "%s: element %zu of %zu: %.10g for %.10g (scale %.3g)\n", what, i, n, a[i],
                b[i], scale);
        assert_true(false);
    }
}

/* Values against the reference; tangents, gradient and Hessian-vector products of the sum of the
 * first output against central differences; in float, the values again, at one and at several
 * threads, with the same bits. The net is freed. */
static inline void nets_check(struct tw_net *net, const struct tw_array *const *inputs,
                              const char *name)
{
    struct tw_graph *g = tw_graph_new(net, NULL, &nets_err);
    struct tw_exec *e, *f;
    size_t n, m;
    double *p, *q, *d[NETS_DIRECTIONS], *out, *ref, *up, *down, *tan[NETS_DIRECTIONS], *grad, *gup,
        *gdown, *hvp[NETS_DIRECTIONS], seed[NETS_SAMPLES], h = 1e-5;
    float *pf;
    char what[160];
    struct tw_rng r = tw_rng_stream(5, TW_RNG_TEST, 77);
    struct tw_exec_run run = { .n = NETS_SAMPLES, .inputs = inputs };

    nets_ok(g != NULL);
    n = tw_graph_layout(g)->n;
    m = tw_graph_output(g, 0).n;
    e = tw_exec_new(
        g,
        &(struct tw_exec_options){
            .real64 = true, .tangents = NETS_DIRECTIONS, .gradient = true, .threads = 2 },
        &nets_err);
    nets_ok(e != NULL);
    p = tw_alloc(n, sizeof *p);
    q = tw_alloc(n, sizeof *q);
    pf = tw_alloc(n, sizeof *pf);
    grad = tw_alloc(n, sizeof *grad);
    gup = tw_alloc(n, sizeof *gup);
    gdown = tw_alloc(n, sizeof *gdown);
    out = tw_alloc(m * NETS_SAMPLES, sizeof *out);
    ref = tw_alloc(m * NETS_SAMPLES, sizeof *ref);
    up = tw_alloc(m * NETS_SAMPLES, sizeof *up);
    down = tw_alloc(m * NETS_SAMPLES, sizeof *down);
    for (int t = 0; t < NETS_DIRECTIONS; t++) {
        d[t] = tw_alloc(n, sizeof *d[t]);
        tan[t] = tw_alloc(m * NETS_SAMPLES, sizeof *tan[t]);
        hvp[t] = tw_alloc(n, sizeof *hvp[t]);
        for (size_t i = 0; i < n; i++)
            d[t][i] = tw_rng_normal(&r);
    }
    for (size_t s = 0; s < NETS_SAMPLES; s++)
        seed[s] = 0.5 + tw_rng_real(&r);
    tw_graph_initial(g, pf, NULL);
    for (size_t i = 0; i < n; i++)
        p[i] = (double)pf[i];

    /* Values. */
    for (size_t s = 0; s < NETS_SAMPLES; s++)
        nets_reference(net, inputs, s, ref + s * m);
    tw_exec_set_real(e, p, NULL);
    tw_exec_direct_real(e, NETS_DIRECTIONS, (const double *const *)d);
    run.outputs = (double *[]){ out, NULL, NULL, NULL };
    run.tangents = NULL;
    nets_ok(tw_exec_run(e, &run, &nets_err) == TW_OK);
    snprintf(what, sizeof what, "%s, values", name);
    nets_compare(what, m * NETS_SAMPLES, out, ref, 2e-6);

    /* Everything at once. */
    run.tangents = (double *[]){ tan[0], tan[1], NULL, NULL, NULL, NULL };
    run.seed = seed;
    run.gradient = grad;
    run.hvp = hvp;
    nets_ok(tw_exec_run(e, &run, &nets_err) == TW_OK);
    nets_compare(what, m * NETS_SAMPLES, out, ref, 2e-6);
    for (int t = 0; t < NETS_DIRECTIONS; t++) {
        struct tw_exec_run one = { .n = NETS_SAMPLES, .inputs = inputs, .seed = seed };
        double along = 0.0, sum = 0.0;

        for (size_t i = 0; i < n; i++)
            q[i] = p[i] + h * d[t][i];
        tw_exec_set_real(e, q, NULL);
        one.outputs = (double *[]){ up, NULL, NULL, NULL };
        one.gradient = gup;
        nets_ok(tw_exec_run(e, &one, &nets_err) == TW_OK);
        for (size_t i = 0; i < n; i++)
            q[i] = p[i] - h * d[t][i];
        tw_exec_set_real(e, q, NULL);
        one.outputs = (double *[]){ down, NULL, NULL, NULL };
        one.gradient = gdown;
        nets_ok(tw_exec_run(e, &one, &nets_err) == TW_OK);
        for (size_t i = 0; i < m * NETS_SAMPLES; i++) {
            up[i] = (up[i] - down[i]) / (2.0 * h);
            sum += seed[i / m] * tan[t][i];
        }
        for (size_t i = 0; i < n; i++) {
            gup[i] = (gup[i] - gdown[i]) / (2.0 * h);
            along += grad[i] * d[t][i];
        }
        snprintf(what, sizeof what, "%s, tangents", name);
        nets_compare(what, m * NETS_SAMPLES, tan[t], up, 1e-5);
        snprintf(what, sizeof what, "%s, gradient along a direction", name);
        nets_compare(what, 1, &along, &sum, 1e-9);
        snprintf(what, sizeof what, "%s, Hessian-vector product", name);
        nets_compare(what, n, hvp[t], gup, 2e-5);
    }

    /* In float: near, and the same at any number of threads. */
    for (size_t threads = 1; threads <= 3; threads += 2) {
        struct tw_exec_run one = { .n = NETS_SAMPLES, .inputs = inputs, .seed = seed };
        double *to = threads == 1 ? up : down, *gto = threads == 1 ? gup : gdown;

        f = tw_exec_new(
            g, &(struct tw_exec_options){ .gradient = true, .threads = threads, .tile = 16 },
            &nets_err);
        nets_ok(f != NULL);
        tw_exec_set(f, pf, NULL);
        one.outputs = (double *[]){ to, NULL, NULL, NULL };
        nets_ok(tw_exec_run(f, &one, &nets_err) == TW_OK);
        one.gradient = gto;
        nets_ok(tw_exec_run(f, &one, &nets_err) == TW_OK);
        tw_exec_free(f);
    }
    snprintf(what, sizeof what, "%s, float", name);
    nets_compare(what, m * NETS_SAMPLES, up, ref, 3e-5);
    nets_compare(what, n, gup, grad, 1e-4);
    assert_memory_equal(up, down, m * NETS_SAMPLES * sizeof *up);
    assert_memory_equal(gup, gdown, n * sizeof *gup);

    tw_exec_free(e);
    tw_graph_free(g);
    tw_net_free(net);
    for (int t = 0; t < NETS_DIRECTIONS; t++) {
        free(d[t]);
        free(tan[t]);
        free(hvp[t]);
    }
    free(p), free(q), free(pf), free(grad), free(gup), free(gdown);
    free(out), free(ref), free(up), free(down);
}

/* NETS_SAMPLES rows of reals between lo and hi. */
static inline struct tw_array nets_data(int rank, const size_t *dims, double lo, double hi)
{
    struct tw_array a = { 0 };
    size_t all[TW_MAX_RANK] = { NETS_SAMPLES };
    struct tw_rng r = tw_rng_stream(3, TW_RNG_TEST, 5);

    for (int i = 0; i < rank; i++)
        all[1 + i] = dims[i];
    nets_ok(tw_array_make(&a, TW_F32, rank + 1, all, &nets_err) == TW_OK);
    for (size_t i = 0; i < a.n; i++)
        tw_array_set_real(&a, i, lo + (hi - lo) * tw_rng_real(&r));
    return a;
}

#endif
