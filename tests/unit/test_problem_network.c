/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Networks on data against PyTorch (tests/oracle/families.py): the loss of each sample, outputs,
 * gradients, slopes, Hessian products; and what the problem makes of rows, losses and NaN. */
#include "problem_test.h"

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

/* ---- rows, NaN, threads, refusals -------------------------------------------------------------
 */

static struct tw_values values_at_start(struct tw_problem *p, double *loss, double *gradient)
{
    float *x = tw_alloc(p->dim, sizeof *x), *b = tw_alloc(p->layout->nb, sizeof *b);
    struct tw_values v;
    struct tw_err err = { 0 };

    tw_graph_initial(tw_problem_graph(p), x, b);
    if (tw_problem_eval(
            p,
            &(struct tw_request){
                .at = { .f = x }, .buffers = b, .values = &v, .loss = loss, .gradient = gradient },
            &err) != TW_OK)
        fail_msg("%s", err.msg);
    free(x);
    free(b);
    return v;
}

static void a_subset_is_rows_of_the_whole(void **state)
{
    struct tw_dataset d = noise();
    double all[ROWS], some[ROWS], other[ROWS];
    struct tw_problem_options o = { 0 };
    struct tw_problem *p = problem_of("mlp(6,5,4)", &d, &o, NULL), *q, *r;
    struct tw_values v, w;
    size_t same = 0;

    (void)state;
    v = values_at_start(p, all, NULL);
    assert_null(tw_problem_rows(p));
    check_ulp(v.loss.se_data, 0.0, 0);
    o.limit = 100;
    q = problem_of("mlp(6,5,4)", &d, &o, NULL);
    o.subset_seed = 1;
    r = problem_of("mlp(6,5,4)", &d, &o, NULL);
    w = values_at_start(q, some, NULL);
    (void)values_at_start(r, other, NULL);
    assert_int_equal(w.n, 100);
    check_close(w.loss.se_data, w.loss.se * sqrt(1.0 - 100.0 / 300.0), 1e-14, 0.0);
    for (size_t i = 0; i < 100; i++) {
        const size_t row = tw_problem_rows(q)[i];

        assert_true(row < ROWS && (i == 0 || row > tw_problem_rows(q)[i - 1]));
        check_ulp(some[i], all[row], 0);
        same += some[i] == other[i];
    }
    assert_true(same < 50);
    assert_true(fabs(w.loss.value - v.loss.value) < 5.0 * w.loss.se_data);
    tw_problem_free(p);
    tw_problem_free(q);
    tw_problem_free(r);
    tw_dataset_release(&d);
}

static void a_request_may_name_its_rows(void **state)
{
    static const size_t rows[4] = { 250, 3, 3, 17 }, outside[1] = { ROWS };
    struct tw_dataset d = noise();
    double all[ROWS], some[4];
    struct tw_problem *p = problem_of("mlp(6,5,4)", &d, &(struct tw_problem_options){ 0 }, NULL);
    float *x = tw_alloc(p->dim, sizeof *x);
    const struct tw_vector anchor = { x, NULL };
    const double one = 1.0;
    struct tw_values v;
    struct tw_err err = { 0 };
    struct tw_request r = { .weights = &one, .rows = rows, .nrows = 4, .loss = some, .values = &v };

    (void)state;
    (void)values_at_start(p, all, NULL);
    tw_graph_initial(tw_problem_graph(p), x, NULL);
    assert_int_equal(tw_problem_anchor(p, 1, &anchor, NULL, &err), TW_OK);
    assert_int_equal(tw_problem_eval(p, &r, &err), TW_OK);
    assert_int_equal(v.n, 4);
    for (size_t i = 0; i < 4; i++)
        check_ulp(some[i], all[rows[i]], 0);
    check_close(v.loss.value, (all[250] + 2.0 * all[3] + all[17]) / 4.0, 1e-15, 0.0);
    r.rows = outside;
    r.nrows = 1;
    assert_int_equal(tw_problem_eval(p, &r, &err), TW_EINVAL);
    r.rows = rows;
    r.nrows = 0;
    assert_int_equal(tw_problem_eval(p, &r, &err), TW_EINVAL);
    free(x);
    tw_problem_free(p);
    tw_dataset_release(&d);
}

static void threads_do_not_change_a_bit(void **state)
{
    struct tw_dataset d = noise();
    double loss[2][ROWS], g[2][200];
    struct tw_values v[2];

    (void)state;
    for (size_t k = 0; k < 2; k++) {
        struct tw_problem_options o = { .exec = { .threads = k ? 3 : 1, .gradient = true } };
        struct tw_problem *p = problem_of("mlp(6,5,4,norm=layer)", &d, &o, NULL);

        assert_true(p->dim <= 200);
        memset(g[k], 0, sizeof g[k]);
        v[k] = values_at_start(p, loss[k], g[k]);
        tw_problem_free(p);
    }
    assert_memory_equal(loss[0], loss[1], sizeof loss[0]);
    assert_memory_equal(g[0], g[1], sizeof g[0]);
    assert_memory_equal(&v[0].loss, &v[1].loss, sizeof v[0].loss);
    assert_memory_equal(&v[0].error, &v[1].error, sizeof v[0].error);
    tw_dataset_release(&d);
}

/* Rows of one input, and what is wanted of them, for a network of which few samples fill a tile. */
static struct tw_dataset few_rows(size_t width, size_t positions, size_t classes)
{
    enum { MANY = 40 };
    struct tw_dataset d = { .name = NULL };
    struct tw_rng r = tw_rng_stream(3, TW_RNG_TEST, width);
    struct tw_err err = { 0 };

    if (tw_array_make(&d.x, positions ? TW_I64 : TW_F32, 2, (size_t[]){ MANY, width }, &err) ||
        tw_array_make(&d.y, TW_I64, positions ? 2 : 1, (size_t[]){ MANY, width }, &err))
        fail_msg("%s", err.msg);
    for (size_t i = 0; i < d.x.n; i++)
        if (positions)
            ((int64_t *)d.x.data)[i] = (int64_t)tw_rng_below(&r, classes);
        else
            ((float *)d.x.data)[i] = (float)tw_rng_normal(&r);
    for (size_t i = 0; i < d.y.n; i++)
        ((int64_t *)d.y.data)[i] = (int64_t)tw_rng_below(&r, classes);
    return d;
}

/* The first n samples: fewer tiles than threads, or one too many. */
static void check_shared(const char *spec, struct tw_dataset *d, size_t n)
{
    struct tw_problem_options o = { .exec = { .threads = 1, .gradient = true, .real64 = true } };
    struct tw_problem *p = problem_of(spec, d, &o, NULL);
    double *exact = tw_alloc(p->dim, sizeof *exact), *first = tw_alloc(p->dim, sizeof *first);
    double *g = tw_alloc(p->dim, sizeof *g), size = 0.0, off = 0.0, loss = 0.0;
    float *x = tw_alloc(p->dim, sizeof *x);
    size_t rows[64];
    struct tw_values v;
    struct tw_request r = { .at = { .f = x }, .rows = rows, .nrows = n, .values = &v };
    struct tw_err err = { 0 };

    assert_true(exact && first && g && x);
    for (size_t i = 0; i < n; i++)
        rows[i] = i;
    tw_graph_initial(tw_problem_graph(p), x, NULL);
    r.gradient = exact;
    assert_int_equal(tw_problem_eval(p, &r, &err), TW_OK);
    tw_problem_free(p);
    o.exec.real64 = false;
    for (size_t threads = 1; threads <= 4; threads++) {
        o.exec.threads = threads;
        p = problem_of(spec, d, &o, NULL);
        r.gradient = threads == 1 ? first : g;
        assert_int_equal(tw_problem_eval(p, &r, &err), TW_OK);
        if (threads == 1)
            loss = v.loss.value;
        else
            assert_memory_equal(g, first, p->dim * sizeof *g);
        check_ulp(v.loss.value, loss, 0);
        if (threads < 4)
            tw_problem_free(p);
    }
    for (size_t i = 0; i < p->dim; i++) {
        size += exact[i] * exact[i];
        off += (first[i] - exact[i]) * (first[i] - exact[i]);
    }
    assert_true(off < 4e-12 * size);
    tw_problem_free(p);
    free(exact);
    free(first);
    free(g);
    free(x);
}

static void threads_share_a_tile(void **state)
{
    struct tw_dataset text = few_rows(32, 1, 300), images = few_rows(784, 0, 10);

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        static const size_t n[3] = { 16, 17, 40 };

        check_shared("gpt(layers=1,d=64,heads=2,ctx=32,vocab=300)", &text, n[i]);
        check_shared("mlp(784,512,10)", &images, n[i]);
    }
    tw_dataset_release(&text);
    tw_dataset_release(&images);
}

static void a_sample_that_is_nan_stays_alone(void **state)
{
    struct tw_dataset d = noise();
    struct tw_problem_options o = { 0 };
    double loss[ROWS], before[ROWS];
    struct tw_problem *p;
    struct tw_values v;

    (void)state;
    p = problem_of("mlp(6,5,4)", &d, &o, NULL);
    (void)values_at_start(p, before, NULL);
    tw_array_set_real(&d.x, 17 * IN + 2, (double)NAN);
    tw_array_set_real(&d.x, 40 * IN, -(double)INFINITY);
    v = values_at_start(p, loss, NULL);
    assert_int_equal(v.nonfinite, 2);
    assert_true(isnan(v.loss.value) && isnan(v.loss.se));
    for (size_t i = 0; i < ROWS; i++)
        if (i == 17 || i == 40)
            assert_true(isnan(loss[i]) || isinf(loss[i]));
        else
            check_ulp(loss[i], before[i], 0);
    tw_problem_free(p);
    tw_dataset_release(&d);
}

static void targets_that_are_ignored_count_nowhere(void **state)
{
    struct tw_dataset d = noise();
    struct tw_loss_spec loss;
    struct tw_problem_options o = { .loss = &loss };
    double each[ROWS], sum = 0.0;
    struct tw_problem *p;
    struct tw_values v;
    size_t n = 0;

    (void)state;
    assert_int_equal(tw_loss_parse("cross-entropy(ignore_index=3)", &loss, NULL), TW_OK);
    p = problem_of("mlp(6,5,4)", &d, &o, NULL);
    v = values_at_start(p, each, NULL);
    for (size_t i = 0; i < ROWS; i++) {
        if (tw_array_int(&d.y, i) == 3)
            check_ulp(each[i], 0.0, 0);
        n += tw_array_int(&d.y, i) != 3;
        sum += each[i];
    }
    check_ulp(v.weight, (double)n, 0);
    check_close(v.loss.value, sum / (double)n, 1e-14, 0.0);
    tw_problem_free(p);
    tw_dataset_release(&d);
}

/* Each loss of a pass is what a problem of its own says, and the gradient that of the first. */
static void further_losses_come_with_the_same_pass(void **state)
{
    static const char *const texts[2][3] = { { "cross-entropy(label_smoothing=0.2)",
                                               "cross-entropy", "cross-entropy(ignore_index=3)" },
                                             { "mse", "huber(delta=0.5)", "l1" } };

    (void)state;
    for (size_t kind = 0; kind < 2; kind++) {
        struct tw_dataset d = noise();
        struct tw_loss_spec spec[3];
        struct tw_problem_options o = { .loss = &spec[0],
                                        .exec = { .real64 = true, .gradient = true } };
        double loss[3][ROWS], weight[3][ROWS], correct[3][ROWS], one[ROWS], g[2][100];
        struct tw_values v[3], w;
        const struct tw_sample_results more[2] = { { loss[1], weight[1], kind ? NULL : correct[1] },
                                                   { loss[2], NULL, NULL } };
        struct tw_problem *p;
        struct tw_err err = { 0 };
        float x[100];

        if (kind == 1) {
            tw_array_release(&d.y);
            assert_int_equal(tw_array_convert(&d.y, TW_F64, &d.x, NULL), TW_OK);
        }
        for (size_t k = 0; k < 3; k++)
            assert_int_equal(tw_loss_parse(texts[kind][k], &spec[k], NULL), TW_OK);
        o.nextra = 2;
        o.extra = &spec[1];
        p = problem_of(kind ? "mlp(6,4,6)" : "mlp(6,5,4)", &d, &o, &err);
        if (!p)
            fail_msg("%s", err.msg);
        assert_true(p->dim <= 100);
        tw_graph_initial(tw_problem_graph(p), x, NULL);
        assert_int_equal(tw_problem_eval(p,
                                         &(struct tw_request){ .at = { .f = x },
                                                               .values = v,
                                                               .loss = loss[0],
                                                               .gradient = g[0],
                                                               .extra_values = v + 1,
                                                               .extra = more },
                                         &err),
                         TW_OK);
        assert_int_equal(tw_problem_extra_ports(p, 0)->correct >= 0, kind == 0);
        tw_problem_free(p);
        o.nextra = 0;
        for (size_t k = 0; k < 3; k++) {
            o.loss = &spec[k];
            p = problem_of(kind ? "mlp(6,4,6)" : "mlp(6,5,4)", &d, &o, NULL);
            w = values_at_start(p, one, k ? NULL : g[1]);
            for (size_t i = 0; i < ROWS; i++)
                check_ulp(loss[k][i], one[i], 0);
            check_ulp(v[k].loss.value, w.loss.value, 0);
            check_ulp(v[k].loss.se, w.loss.se, 0);
            check_ulp(v[k].weight, w.weight, 0);
            if (kind == 0)
                check_ulp(v[k].error.value, w.error.value, 0);
            if (k == 0)
                check_vec(g[0], g[1], p->dim, 1e-13, 1e-13);
            if (k == 1) {
                struct tw_request r = { .at = { .f = x }, .weight = one };

                assert_int_equal(tw_problem_eval(p, &r, NULL), TW_OK);
                assert_memory_equal(one, weight[1], sizeof one);
                r.correct = kind ? NULL : one;
                assert_int_equal(tw_problem_eval(p, &r, NULL), TW_OK);
                assert_true(kind || !memcmp(one, correct[1], sizeof one));
                r.extra_values = v;
                assert_int_equal(tw_problem_eval(p, &r, NULL), TW_EINVAL);
            }
            tw_problem_free(p);
        }
        /* Classes beside numbers. */
        assert_int_equal(tw_loss_parse(kind ? "cross-entropy" : "mse", &spec[1], NULL), TW_OK);
        o.loss = &spec[0];
        o.nextra = 1;
        assert_null(problem_of("mlp(6,5,4)", &d, &o, NULL));
        tw_dataset_release(&d);
    }
}

static void what_does_not_fit_is_refused(void **state)
{
    static const struct {
        const char *spec;
        size_t memory;
        enum tw_status code;
        const char *message;
    } rows[] = {
        { "mlp(5,4)", 0, TW_EFORMAT, "the network takes float32[5] a sample" },
        { "mlp(6,3)", 0, TW_EFORMAT, "holds 3, but the network has 3 classes" },
        { "gpt(1,4,1,6,9)", 0, TW_EFORMAT, "the targets should have the output's shape" },
        { "conv1d(3,in=1x6)", 1, TW_ENOMEM, "memory" },
    };
    struct tw_dataset d = noise();

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct tw_problem_options o = { .exec = { .memory_limit = rows[i].memory } };
        struct tw_err err = { 0 };

        if (problem_of(rows[i].spec, &d, &o, &err) || err.code != rows[i].code ||
            !strstr(err.msg, rows[i].message))
            fail_msg("%s: %d, '%s'", rows[i].spec, (int)err.code, err.msg);
    }
    tw_array_release(&d.y);
    assert_null(problem_of("mlp(6,4)", &d, &(struct tw_problem_options){ 0 }, NULL));
    tw_dataset_release(&d);
}

/* The oracle's network with its loss inside: mean((x - y)^2) of ONNX operators. */
static void a_network_that_ends_in_its_loss_is_taken_as_it_is(void **state)
{
    struct setting s = set_up("loss-3");
    const int64_t dims[2] = { TW_DIM_UNKNOWN, 3 };
    const struct tw_problem_options o = { .exec = { .real64 = true } };
    struct tw_err err = { 0 };
    struct tw_problem *p;
    double *params, mean;
    struct tw_values v;
    int d;

    (void)state;
    d = tw_net_input(s.net, "y", TW_F32, 2, dims, &err);
    d = tw_net_op(s.net, "Sub", NULL, 2, (const int[]){ s.net->output[0], d }, &err);
    d = tw_net_op(s.net, "Mul", NULL, 2, (const int[]){ d, d }, &err);
    d = tw_net_op(s.net, "ReduceMean", "loss", 1, &d, &err);
    assert_int_equal(tw_net_attr_int(s.net, "keepdims", 0, &err), TW_OK);
    s.net->noutput = 0;
    assert_int_equal(tw_net_output(s.net, d, &err), TW_OK);
    p = tw_problem_new(s.net, &s.data, &o, &err);
    if (!p)
        fail_msg("%s", err.msg);
    assert_int_equal(tw_problem_loss(p)->kind, TW_LOSS_OWN);
    params = tw_alloc(p->dim, sizeof *params);
    load_weights(&s.o, p->layout, params, NULL);
    assert_int_equal(
        tw_problem_eval(p, &(struct tw_request){ .at = { .d = params }, .values = &v }, &err),
        TW_OK);
    assert_int_equal(tw_result_get_real(s.o.r, "/mean_loss", &mean, &err), TW_OK);
    check_close(v.loss.value, mean, 1e-10, 0.0);
    free(params);
    tw_problem_free(p);
    tear_down(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(families_agree_with_pytorch_in_double),
        cmocka_unit_test(families_agree_with_pytorch_in_single),
        cmocka_unit_test(a_subset_is_rows_of_the_whole),
        cmocka_unit_test(a_request_may_name_its_rows),
        cmocka_unit_test(threads_do_not_change_a_bit),
        cmocka_unit_test(threads_share_a_tile),
        cmocka_unit_test(a_sample_that_is_nan_stays_alone),
        cmocka_unit_test(targets_that_are_ignored_count_nowhere),
        cmocka_unit_test(further_losses_come_with_the_same_pass),
        cmocka_unit_test(what_does_not_fit_is_refused),
        cmocka_unit_test(a_network_that_ends_in_its_loss_is_taken_as_it_is),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
