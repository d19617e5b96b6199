/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Networks as they are trained: normalised by the statistics of a batch, with dropout; against
 * PyTorch in training mode (tests/oracle/families.py) and differences. */
#include "graph/ir.h"
#include "problem_test.h"

static struct tw_problem *made(const char *spec, const struct tw_dataset *d, bool real64,
                               size_t threads)
{
    const struct tw_problem_options o = {
        .graph = { .batch_statistics = true, .dropout = true },
        .exec = { .real64 = real64, .gradient = true, .tangents = 1, .threads = threads }
    };
    struct tw_err err = { 0 };
    struct tw_problem *p = problem_of(spec, d, &o, &err);

    if (!p)
        fail_msg("%s: %s", spec, err.msg);
    return p;
}

static void ask(struct tw_problem *p, const struct tw_request *r)
{
    struct tw_err err = { 0 };

    if (tw_problem_eval(p, r, &err) != TW_OK)
        fail_msg("%s", err.msg);
}

/* Losses, gradient, Hessian product and running statistics of one batch of 37 samples. */
static void training_agrees_with_pytorch(void **state)
{
    static const char *const names[] = { "train-mlp", "train-resnet20", "train-conv1d" };

    (void)state;
    for (size_t i = 0; i < 6; i++) {
        const bool real64 = i % 2 == 0;
        const double tol = real64 ? 1e-10 : 2e-4;
        struct setting s = set_up(names[i / 2]);
        struct tw_problem *p = made(s.o.spec, &s.data, real64, 2);
        const struct tw_layout *l = p->layout;
        double *params = tw_alloc(p->dim, sizeof *params), *g = tw_alloc(p->dim, sizeof *g);
        double *h = tw_alloc(p->dim, sizeof *h), *stat = tw_alloc(l->nb, sizeof *stat);
        double *v = in_layout(&s.o, "direction", l), *want_g = in_layout(&s.o, "gradient", l);
        double *want_h = in_layout(&s.o, "hvp", l), *want, loss[37], slope;
        float *buffers = tw_alloc(l->nb, sizeof *buffers);
        struct tw_values values;
        size_t dims[4];

        load_weights(&s.o, l, params, buffers);
        ask(p, &(struct tw_request){ .at = { .d = params },
                                     .ndirections = 1,
                                     .directions = &(struct tw_vector){ .d = v },
                                     .values = &values,
                                     .loss = loss,
                                     .gradient = g,
                                     .slopes = &slope,
                                     .hvp = &h,
                                     .statistics = stat });
        want = oracle_get(&s.o, "", "loss", 1, dims);
        assert_int_equal(dims[0], 37);
        check_vec(loss, want, 37, tol, tol);
        free(want);
        for (size_t k = 0; k < p->dim; k++) {
            g[k] *= values.weight;
            h[k] *= values.weight;
        }
        check_vec(g, want_g, p->dim, tol, tol * largest(want_g, p->dim));
        check_vec(h, want_h, p->dim, 5.0 * tol, 5.0 * tol * largest(want_h, p->dim));
        check_close(slope * values.weight, tw_sum_dot(want_g, v, p->dim), tol,
                    tol * largest(want_g, p->dim));
        for (size_t k = 0; k < l->nbuffer; k++) {
            const struct tw_param *b = &l->param[l->nparam + k];

            assert_int_equal(tw_graph_statistic(tw_problem_graph(p), k),
                             strstr(b->name, "var") ? TW_STATISTIC_VARIANCE : TW_STATISTIC_MEAN);
            want = oracle_get(&s.o, "/statistics", b->name, b->rank, dims);
            check_vec(stat + b->offset, want, b->n, tol, tol);
            free(want);
        }
        free(params), free(g), free(h), free(stat), free(v), free(want_g), free(want_h);
        free(buffers);
        tw_problem_free(p);
        tear_down(&s);
    }
}

/* A pass over batches is the passes over each, statistics their mean; and no bit depends on the
 * threads. */
static void batches_are_runs_of_their_own(void **state)
{
    enum { BATCH = 77, NB = 2 * 9 };
    static const char spec[] = "mlp(6,9,4,norm=batch,act=tanh,dropout=0.2)";
    struct tw_dataset d = noise();
    double loss[2][ROWS], g[2][200], stat[2][NB], sum[NB] = { 0 }, part[ROWS], gsum[200] = { 0 };
    size_t rows[ROWS];
    float x[200], b[NB];

    (void)state;
    for (size_t k = 0; k < 2; k++) {
        struct tw_problem *p = made(spec, &d, false, k ? 3 : 1);

        assert_true(p->dim <= 200 && p->layout->nb == NB);
        tw_graph_initial(tw_problem_graph(p), x, b);
        ask(p, &(struct tw_request){ .at = { .f = x },
                                     .loss = loss[k],
                                     .gradient = g[k],
                                     .batch = BATCH,
                                     .statistics = stat[k],
                                     .dropout_seed = 5 });
        for (size_t first = 0; k == 1 && first < ROWS; first += BATCH) {
            const size_t n = ROWS - first < BATCH ? ROWS - first : BATCH;
            double one[NB], grad[200];

            for (size_t i = 0; i < n; i++)
                rows[i] = first + i;
            ask(p, &(struct tw_request){ .at = { .f = x },
                                         .rows = rows,
                                         .nrows = n,
                                         .loss = part,
                                         .gradient = grad,
                                         .statistics = one,
                                         .dropout_seed = 5 });
            for (size_t i = 0; i < n; i++)
                check_ulp(part[i], loss[1][first + i], 0);
            for (size_t i = 0; i < NB; i++)
                sum[i] += one[i] / 4.0;
            for (size_t i = 0; i < p->dim; i++)
                gsum[i] += grad[i] * (double)n / ROWS;
        }
        if (k) {
            assert_memory_equal(g[0], g[1], p->dim * sizeof g[0][0]);
            check_vec(gsum, g[1], p->dim, 1e-6, 1e-6);
        }
        tw_problem_free(p);
    }
    assert_memory_equal(loss[0], loss[1], sizeof loss[0]);
    assert_memory_equal(stat[0], stat[1], sizeof stat[0]);
    check_vec(sum, stat[1], NB, 1e-12, 1e-12);
    tw_dataset_release(&d);
}

static void batches_without_statistics_are_refused(void **state)
{
    static const struct {
        const char *spec;
        size_t batch;
        bool statistics;
        const char *message;
    } rows[] = { { "mlp(6,3,4,norm=batch)", 1, false, "batches of 1 " },
                 { "mlp(6,3,4,norm=batch)", ROWS - 1, false, "a single sample" },
                 { "mlp(6,3,4)", 0, true, "takes no statistics" } };
    struct tw_dataset d = noise();
    float x[64];
    double stat[16];

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct tw_problem *p = made(rows[i].spec, &d, false, 1);
        struct tw_err err = { 0 };

        assert_true(p->dim <= 64);
        tw_graph_initial(tw_problem_graph(p), x, NULL);
        if (tw_problem_eval(p,
                            &(struct tw_request){ .at = { .f = x },
                                                  .batch = rows[i].batch,
                                                  .statistics = rows[i].statistics ? stat : NULL },
                            &err) != TW_EINVAL ||
            !strstr(err.msg, rows[i].message))
            fail_msg("%s: '%s'", rows[i].spec, err.msg);
        tw_problem_free(p);
    }
    tw_dataset_release(&d);
}

/* Losses of the same parameters under one seed and another, and without dropout. */
static void who_is_dropped_depends_on_seed_and_row(void **state)
{
    static const char spec[] = "mlp(6,40,30,4,act=tanh,dropout=0.5)";
    static const size_t rows[3] = { 200, 7, 7 };
    struct tw_dataset d = noise();
    struct tw_problem *p = made(spec, &d, false, 2), *q;
    struct tw_problem_options plain = { 0 };
    float *x = tw_alloc(p->dim, sizeof *x);
    double a[ROWS], b[ROWS], c[3], e[ROWS];
    size_t same = 0;

    (void)state;
    q = problem_of(spec, &d, &plain, NULL);
    tw_graph_initial(tw_problem_graph(p), x, NULL);
    ask(q, &(struct tw_request){ .at = { .f = x }, .loss = e, .dropout_seed = 1 });
    ask(p, &(struct tw_request){ .at = { .f = x }, .loss = a, .dropout_seed = 1 });
    ask(p, &(struct tw_request){ .at = { .f = x }, .loss = b, .dropout_seed = 2 });
    ask(p, &(struct tw_request){
               .at = { .f = x }, .rows = rows, .nrows = 3, .loss = c, .dropout_seed = 1 });
    for (size_t i = 0; i < ROWS; i++)
        same += a[i] == b[i] || a[i] == e[i];
    assert_true(same < 5);
    for (size_t i = 0; i < 3; i++)
        check_ulp(c[i], a[rows[i]], 0);
    free(x);
    tw_problem_free(p);
    tw_problem_free(q);
    tw_dataset_release(&d);
}

/* Weights 0, biases 1, no activation: each output is the sum of what is left of the layer before.
 * The share that is dropped is binomial, and what is left has the mean of what there was. */
static void the_dropped_are_as_many_as_they_should_be(void **state)
{
    enum { UNITS = 500 };
    struct tw_dataset d = noise();
    struct tw_problem_options o = { .graph = { .dropout = true }, .logits = true };
    struct tw_problem *p = problem_of("mlp(6,500,4,act=identity,dropout=0.3)", &d, &o, NULL);
    const struct tw_param *w, *bias, *v;
    float *x = tw_alloc(p->dim, sizeof *x);
    double *logits = tw_alloc(p->n * p->width, sizeof *logits), left = 0.0, square = 0.0;

    (void)state;
    w = tw_layout_find(p->layout, "fc1.bias");
    bias = tw_layout_find(p->layout, "fc2.bias");
    v = tw_layout_find(p->layout, "fc2.weight");
    assert_true(w && bias && v);
    for (size_t i = 0; i < w->n; i++)
        x[w->offset + i] = 1.0F;
    for (size_t i = 0; i < v->n; i++)
        x[v->offset + i] = 1.0F;
    ask(p, &(struct tw_request){ .at = { .f = x }, .logits = logits, .dropout_seed = 9 });
    for (size_t i = 0; i < ROWS; i++) {
        const double kept = 0.7 * logits[i * p->width];

        check_close(kept, round(kept), 1e-5, 0.0);
        left += kept / ROWS;
        square += (kept - 0.7 * UNITS) * (kept - 0.7 * UNITS) / ROWS;
    }
    /* Within five standard errors of mean and variance n p (1 - p). */
    check_close(left, 0.7 * UNITS, 0.0, 5.0 * sqrt(0.21 * UNITS / ROWS));
    check_close(square, 0.21 * UNITS, 0.0, 5.0 * 0.21 * UNITS * sqrt(2.0 / ROWS));
    free(x);
    free(logits);
    tw_problem_free(p);
    tw_dataset_release(&d);
}

/* At one seed the loss is a smooth function: gradient and Hessian product against differences. */
static void derivatives_go_through_dropout(void **state)
{
    static const char *const specs[] = { "mlp(6,7,4,act=tanh,dropout=0.4)",
                                         "mlp(6,5,5,4,act=gelu,norm=batch,dropout=0.2)" };
    const double h = 1e-5;

    (void)state;
    for (size_t k = 0; k < 2; k++) {
        struct tw_dataset d = noise();
        struct tw_problem *p = made(specs[k], &d, true, 2);
        double x[200], v[200], y[200], g[2][200], hv[200], loss[2], slope, *hvp = hv;
        struct tw_values values;
        float f[200];

        assert_true(p->dim <= 200);
        tw_graph_initial(tw_problem_graph(p), f, NULL);
        for (size_t i = 0; i < p->dim; i++) {
            x[i] = (double)f[i];
            v[i] = cos((double)(3 * i));
        }
        ask(p, &(struct tw_request){ .at = { .d = x },
                                     .ndirections = 1,
                                     .directions = &(struct tw_vector){ .d = v },
                                     .slopes = &slope,
                                     .hvp = &hvp,
                                     .batch = 90,
                                     .dropout_seed = 3 });
        for (size_t side = 0; side < 2; side++) {
            for (size_t i = 0; i < p->dim; i++)
                y[i] = x[i] + (side ? -h : h) * v[i];
            ask(p, &(struct tw_request){ .at = { .d = y },
                                         .values = &values,
                                         .gradient = g[side],
                                         .batch = 90,
                                         .dropout_seed = 3 });
            loss[side] = values.loss.value;
        }
        check_close(slope, (loss[0] - loss[1]) / (2.0 * h), 1e-7, 1e-8);
        for (size_t i = 0; i < p->dim; i++)
            check_close(hv[i], (g[0][i] - g[1][i]) / (2.0 * h), 1e-6, 1e-7);
        tw_problem_free(p);
        tw_dataset_release(&d);
    }
}

/* Where nothing is dropped the network is compiled to what it is without Dropout. */
static void evaluation_knows_no_dropout(void **state)
{
    static const char *const specs[][2] = {
        { "gpt(1,8,2,6,11,dropout=0.1)", "gpt(1,8,2,6,11)" },
        { "vit(1,8,2,patch=4,in=3x8x8,classes=5,mlp=9,dropout=0.1)",
          "vit(1,8,2,patch=4,in=3x8x8,classes=5,mlp=9)" },
        { "vgg(11,classes=3,in=1x32x32,hidden=8)",
          "vgg(11,classes=3,in=1x32x32,hidden=8,dropout=0)" },
    };

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        const struct tw_graph_options on = { .dropout = true };
        struct tw_net *net = tw_family_net(specs[i][0], NULL);
        struct tw_net *other = tw_family_net(specs[i][1], NULL);
        struct tw_graph *g[3] = { tw_graph_new(net, NULL, NULL), tw_graph_new(other, NULL, NULL),
                                  tw_graph_new(net, &on, NULL) };

        assert_true(g[0] && g[1] && g[2]);
        assert_int_equal(g[0]->ninstr, g[1]->ninstr);
        assert_true(g[2]->ninstr > g[0]->ninstr);
        for (int k = 0; k < 3; k++)
            tw_graph_free(g[k]);
        tw_net_free(net);
        tw_net_free(other);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(training_agrees_with_pytorch),
        cmocka_unit_test(batches_are_runs_of_their_own),
        cmocka_unit_test(batches_without_statistics_are_refused),
        cmocka_unit_test(who_is_dropped_depends_on_seed_and_row),
        cmocka_unit_test(the_dropped_are_as_many_as_they_should_be),
        cmocka_unit_test(derivatives_go_through_dropout),
        cmocka_unit_test(evaluation_knows_no_dropout),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
