/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Networks as they are trained: normalised by the statistics of a batch, with dropout; against
 * PyTorch in training mode (tests/oracle/families.py) and differences. */
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
    static const char spec[] = "mlp(6,9,4,norm=batch,act=tanh)";
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(training_agrees_with_pytorch),
        cmocka_unit_test(batches_are_runs_of_their_own),
        cmocka_unit_test(batches_without_statistics_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
