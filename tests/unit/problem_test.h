/* SPDX-License-Identifier: GPL-3.0-or-later */
/* problem_test.h - problems of networks for tests: with PyTorch's weights and samples, and small
 * ones of noise. */
#ifndef TESTS_PROBLEM_TEST_H
#define TESTS_PROBLEM_TEST_H

#include "noise.h"
#include "oracle_families.h"
#include "thalweg/problem.h"

/* A family's network with PyTorch's weights on PyTorch's samples. */
struct setting {
    struct oracle o;
    struct tw_net *net;
    struct tw_dataset data;
    struct tw_loss_spec loss;
};

static inline struct tw_array array_of(const double *x, enum tw_dtype t, int rank,
                                       const size_t *dims)
{
    struct tw_array a = { 0 };

    assert_int_equal(tw_array_make(&a, t, rank, dims, NULL), TW_OK);
    for (size_t i = 0; i < a.n; i++)
        tw_array_set_real(&a, i, x[i]);
    return a;
}

static inline struct tw_array read_array(struct oracle *o, const char *name, enum tw_dtype t,
                                         int rank)
{
    size_t dims[TW_RESULT_MAX_RANK];
    double *x = oracle_get(o, "", name, rank, dims);
    struct tw_array a = array_of(x, t, rank, dims);

    free(x);
    return a;
}

static inline struct setting set_up(const char *name)
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

static inline void tear_down(struct setting *s)
{
    tw_dataset_release(&s->data);
    tw_net_free(s->net);
    oracle_close(&s->o);
}

/* PyTorch's weights in the order of the layout. */
static inline void load_weights(struct oracle *o, const struct tw_layout *l, double *params,
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
static inline double *in_layout(struct oracle *o, const char *name, const struct tw_layout *l)
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

static inline double largest(const double *x, size_t n)
{
    double m = 0.0;

    for (size_t i = 0; i < n; i++)
        m = fmax(m, fabs(x[i]));
    return m;
}

enum { ROWS = 300, IN = 6, CLASSES = 4 };

/* Points with noisy labels. */
static inline struct tw_dataset noise(void)
{
    return noise_set(11, ROWS, IN, CLASSES);
}

static inline struct tw_problem *problem_of(const char *spec, const struct tw_dataset *d,
                                            const struct tw_problem_options *o, struct tw_err *err)
{
    struct tw_net *net = tw_family_net(spec, err);
    struct tw_problem *p = net ? tw_problem_new(net, d, o, err) : NULL;

    tw_net_free(net);
    return p;
}

#endif
