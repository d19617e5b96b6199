/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Networks on data against PyTorch (tests/oracle/families.py): the loss of each sample, outputs,
 * gradients, slopes, Hessian products; and what the problem makes of rows, losses and NaN. */
#include <omp.h>

#include "num.h"
#include "oracle_families.h"
#include "thalweg/problem.h"

/* A family's network with PyTorch's weights on PyTorch's samples. */
struct setting {
    struct oracle o;
    struct tw_net *net;
    struct tw_dataset data;
    struct tw_loss_spec loss;
};

static struct tw_array array_of(const double *x, enum tw_dtype t, int rank, const size_t *dims)
{
    struct tw_array a = { 0 };

    assert_int_equal(tw_array_make(&a, t, rank, dims, NULL), TW_OK);
    for (size_t i = 0; i < a.n; i++)
        tw_array_set_real(&a, i, x[i]);
    return a;
}

static struct tw_array read_array(struct oracle *o, const char *name, enum tw_dtype t, int rank)
{
    size_t dims[TW_RESULT_MAX_RANK];
    double *x = oracle_get(o, "", name, rank, dims);
    struct tw_array a = array_of(x, t, rank, dims);

    free(x);
    return a;
}

static struct setting set_up(const char *name)
{
    struct setting s = { .o = oracle_open(name) };
    struct tw_err err = { 0 };
    bool tokens;
    int rank;

    s.net = tw_family_net(s.o.spec, &err);
    if (!s.net)
        fail_msg("%s", err.msg);
    rank = s.net->value[s.net->input[0]].rank;
    tokens = s.net->value[s.net->input[0]].dtype == TW_I64;
    s.data.x = read_array(&s.o, "input", tokens ? TW_I64 : TW_F32, rank);
    assert_int_equal(tw_loss_parse(s.o.objective, &s.loss, &err), TW_OK);
    if (tw_losses[s.loss.kind].classes)
        s.data.y = read_array(&s.o, "target", TW_I64, tokens ? 2 : 1);
    else
        s.data.y = read_array(&s.o, "target", TW_F64, 2);
    return s;
}

static void tear_down(struct setting *s)
{
    tw_dataset_release(&s->data);
    tw_net_free(s->net);
    oracle_close(&s->o);
}

/* PyTorch's weights in the order of the layout. */
static void load_weights(struct oracle *o, const struct tw_layout *l, double *params,
                         float *buffers)
{
    for (size_t p = 0; p < l->nparam + l->nbuffer; p++) {
        const struct tw_param *t = &l->param[p];
        size_t dims[TW_RESULT_MAX_RANK];
        double *x = oracle_get(o, "/weights", t->name, t->rank, dims);

        for (size_t i = 0; i < t->n; i++)
            if (p < l->nparam)
                params[t->offset + i] = x[i];
            else
                buffers[t->offset + i] = (float)x[i];
        free(x);
    }
}

/* One of the oracle's long vectors, whose parts are in the order of /parameters. */
static double *in_layout(struct oracle *o, const char *name, const struct tw_layout *l)
{
    double *from, *to = tw_alloc(l->n, sizeof *to);
    size_t n = 0, k = 0, total;
    char **names = NULL;

    from = oracle_get(o, "", name, 1, &total);
    assert_int_equal(total, l->n);
    assert_int_equal(tw_result_get_texts(o->r, "/parameters", &n, &names, NULL), TW_OK);
    assert_int_equal(n, l->nparam);
    for (size_t i = 0; i < n; i++) {
        const struct tw_param *t = tw_layout_find(l, names[i]);

        assert_non_null(t);
        memcpy(to + t->offset, from + k, t->n * sizeof *to);
        k += t->n;
        free(names[i]);
    }
    free(names);
    free(from);
    return to;
}

static double largest(const double *x, size_t n)
{
    double m = 0.0;

    for (size_t i = 0; i < n; i++)
        m = fmax(m, fabs(x[i]));
    return m;
}

/* Everything PyTorch said, in double precision and (within what that allows) in single. */
static void compare(const char *name, bool real64)
{
    const double tol = real64 ? 1e-10 : 2e-5;
    struct setting s = set_up(name);
    const struct tw_problem_options po = {
        .loss = &s.loss,
        .exec = { .real64 = real64, .gradient = true, .tangents = 1 },
        .logits = true
    };
    struct tw_err err = { 0 };
    struct tw_problem *p = tw_problem_new(s.net, &s.data, &po, &err);
    double *params, mean, *g, *h, *want_g, *want_h, *v, *loss, *want, *logits, slope;
    struct tw_graph_port port;
    struct tw_values values;
    float *buffers;
    size_t dims[3];

    if (!p)
        fail_msg("%s: %s", name, err.msg);
    params = tw_alloc(p->dim, sizeof *params);
    buffers = tw_alloc(p->layout->nb, sizeof *buffers);
    g = tw_alloc(p->dim, sizeof *g);
    h = tw_alloc(p->dim, sizeof *h);
    loss = tw_alloc(p->n, sizeof *loss);
    logits = tw_alloc(p->n * p->width, sizeof *logits);
    load_weights(&s.o, p->layout, params, buffers);
    v = in_layout(&s.o, "direction", p->layout);
    want_g = in_layout(&s.o, "gradient", p->layout);
    want_h = in_layout(&s.o, "hvp", p->layout);
    if (tw_problem_eval(p,
                        &(struct tw_request){ .at = { .d = params },
                                              .buffers = buffers,
                                              .ndirections = 1,
                                              .directions = &(struct tw_vector){ .d = v },
                                              .values = &values,
                                              .loss = loss,
                                              .logits = logits,
                                              .gradient = g,
                                              .slopes = &slope,
                                              .hvp = &h },
                        &err) != TW_OK)
        fail_msg("%s: %s", name, err.msg);
    want = oracle_get(&s.o, "", "loss", 1, dims);
    assert_int_equal(dims[0], p->n);
    check_vec(loss, want, p->n, tol, tol);
    assert_int_equal(tw_result_get_real(s.o.r, "/mean_loss", &mean, &err), TW_OK);
    check_close(values.loss.value, mean, tol, 0.0);
    free(want);
    port = tw_graph_output(tw_problem_graph(p), (size_t)tw_problem_ports(p)->logits);
    want = oracle_get(&s.o, "", "logits", port.rank, dims);
    check_vec(logits, want, p->n * p->width, tol, tol * largest(want, p->n * p->width));
    free(want);
    /* PyTorch's are those of the sum. */
    for (size_t i = 0; i < p->dim; i++) {
        g[i] *= values.weight;
        h[i] *= values.weight;
    }
    check_vec(g, want_g, p->dim, tol, tol * largest(want_g, p->dim));
    check_vec(h, want_h, p->dim, 5.0 * tol, 5.0 * tol * largest(want_h, p->dim));
    check_close(slope * values.weight, tw_sum_dot(want_g, v, p->dim), tol,
                tol * largest(want_g, p->dim));
    free(params);
    free(buffers);
    free(g);
    free(h);
    free(loss);
    free(logits);
    free(v);
    free(want_g);
    free(want_h);
    tw_problem_free(p);
    tear_down(&s);
}

static void families_agree_with_pytorch_in_double(void **state)
{
    (void)state;
    for (size_t i = 0; oracle_names[i]; i++)
        compare(oracle_names[i], true);
}

static void families_agree_with_pytorch_in_single(void **state)
{
    (void)state;
    for (size_t i = 0; oracle_names[i]; i++)
        compare(oracle_names[i], false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(families_agree_with_pytorch_in_double),
        cmocka_unit_test(families_agree_with_pytorch_in_single),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
