/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Values along lines and planes from products that are kept for the anchors. */
#include "problem_test.h"

enum { WIDE = 96 };

static struct tw_dataset wide(void)
{
    return noise_set(12, ROWS, WIDE, CLASSES);
}

/* Three points, and their weighted sum. */
struct points {
    float *x[3];
    struct tw_vector v[3];
    float *at;
};

static struct points points_of(const struct tw_problem *p)
{
    struct points q = { .at = tw_alloc(p->dim, sizeof *q.at) };
    struct tw_rng rng = tw_rng_stream(13, TW_RNG_TEST, 0);

    for (size_t k = 0; k < 3; k++) {
        q.x[k] = tw_alloc(p->dim, sizeof *q.x[k]);
        tw_graph_initial(tw_problem_graph(p), q.x[k], NULL);
        for (size_t i = 0; i < p->dim; i++)
            q.x[k][i] += 0.1F * (float)tw_rng_normal(&rng);
        q.v[k].f = q.x[k];
    }
    return q;
}

static void forget(struct points *q)
{
    for (size_t k = 0; k < 3; k++)
        free(q->x[k]);
    free(q->at);
}

static void ask(struct tw_problem *p, const struct tw_request *r)
{
    struct tw_err err = { 0 };

    if (tw_problem_eval(p, r, &err) != TW_OK)
        fail_msg("%s", err.msg);
}

/* Losses by weights against those of the point itself; true if products were kept. */
static bool compare(struct tw_problem *p, size_t n, const double *weights, double tol)
{
    struct points q = points_of(p);
    double a[ROWS], b[ROWS];
    bool kept, same;

    tw_mix(n, q.v, weights, p->dim, q.at, NULL);
    ask(p, &(struct tw_request){ .at = { .f = q.at }, .loss = a });
    assert_int_equal(tw_problem_anchor(p, n, q.v, NULL, NULL), TW_OK);
    ask(p, &(struct tw_request){ .weights = weights, .loss = b });
    check_vec(b, a, ROWS, tol, tol);
    same = !memcmp(a, b, sizeof a);
    kept = tw_problem_kept(p) > 0;
    assert_true(kept != same); /* by another way, so not the same to the last bit */
    /* What derivatives come with is the point's own. */
    ask(p,
        &(struct tw_request){ .weights = weights, .loss = b, .rows = (size_t[]){ 5 }, .nrows = 1 });
    check_ulp(b[0], a[5], 0);
    forget(&q);
    return kept;
}

static void sums_of_products_are_products_of_sums(void **state)
{
    static const struct {
        const char *spec;
        bool kept[2]; /* on a line, on a plane */
    } rows[] = {
        { "mlp(96,20,4,act=tanh)", { true, true } },
        { "mlp(96,20,4,act=tanh,bias=no,norm=layer)", { true, true } },
        { "conv1d(6,5,classes=4,in=8x12)", { false, false } },        /* 24 inputs: does not pay */
        { "conv1d(6,5,classes=4,in=8x12,kernel=7)", { true, true } }, /* 56 inputs */
        { "vit(1,8,2,patch=4,in=3x8x4,classes=4,mlp=20)", { true, true } },
    };
    const double line[2] = { 0.7, 0.3 }, plane[3] = { 1.0, -0.4, 0.25 };
    struct tw_dataset d = wide();

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (int real64 = 0; real64 < 2; real64++) {
            const struct tw_problem_options o = { .exec = { .real64 = real64 } };
            const double tol = real64 ? 1e-6 : 3e-5; /* the point itself is rounded to float */
            struct tw_problem *p = problem_of(rows[i].spec, &d, &o, NULL);

            assert_non_null(p);
            assert_int_equal(compare(p, 2, line, tol), rows[i].kept[0]);
            assert_int_equal(compare(p, 3, plane, tol), rows[i].kept[1]);
            tw_problem_free(p);
        }
    tw_dataset_release(&d);
}

/* Data that are changed by constants before the layer, and read by others too. */
static void what_the_data_become_first_counts_as_data(void **state)
{
    const double line[2] = { 0.4, 0.6 };
    struct tw_dataset d = wide();
    struct tw_err err = { 0 };
    struct tw_array half = { 0 };
    const int64_t dims[2] = { TW_DIM_UNKNOWN, WIDE };
    const size_t wide_dims[2] = { WIDE, WIDE }, out_dims[2] = { WIDE, CLASSES };
    struct tw_net *net = tw_net_new("test", &err);
    struct tw_problem *p;
    struct tw_array w[2] = { { 0 }, { 0 } };
    int x, y, v[2];

    (void)state;
    assert_int_equal(tw_array_make(&half, TW_F32, 0, NULL, &err), TW_OK);
    tw_array_set_real(&half, 0, 0.5);
    assert_int_equal(tw_array_make(&w[0], TW_F32, 2, wide_dims, &err), TW_OK);
    assert_int_equal(tw_array_make(&w[1], TW_F32, 2, out_dims, &err), TW_OK);
    for (size_t k = 0; k < 2; k++)
        for (size_t i = 0; i < w[k].n; i++)
            tw_array_set_real(&w[k], i, 0.1 * sin((double)(i * (k + 1))));
    x = tw_net_input(net, "x", TW_F32, 2, dims, &err);
    y = tw_net_op(net, "Constant", "half", 0, NULL, &err);
    assert_int_equal(tw_net_attr_array(net, "value", &half, &err), TW_OK);
    x = tw_net_op(net, "Mul", NULL, 2, (const int[]){ x, y }, &err);
    v[0] = tw_net_init(net, "w", &w[0], &err);
    v[1] = tw_net_init(net, "vv", &w[1], &err);
    y = tw_net_op(net, "MatMul", NULL, 2, (const int[]){ x, v[0] }, &err);
    y = tw_net_op(net, "Relu", NULL, 1, &y, &err);
    y = tw_net_op(net, "Add", NULL, 2, (const int[]){ x, y }, &err);
    y = tw_net_op(net, "MatMul", NULL, 2, (const int[]){ y, v[1] }, &err);
    assert_int_equal(tw_net_output(net, y, &err), TW_OK);
    p = tw_problem_new(net, &d, &(struct tw_problem_options){ 0 }, &err);
    if (!p)
        fail_msg("%s", err.msg);
    assert_true(compare(p, 2, line, 3e-5));
    assert_int_equal(tw_problem_kept(p), 2 * 320 * WIDE * sizeof(float));
    tw_problem_free(p);
    tw_net_free(net);
    for (size_t k = 0; k < 2; k++)
        tw_array_release(&w[k]);
    tw_dataset_release(&d);
}

static void threads_change_no_bit_of_a_line(void **state)
{
    const double line[2] = { 0.35, 0.65 };
    struct tw_dataset d = wide();
    double loss[2][ROWS];

    (void)state;
    for (size_t k = 0; k < 2; k++) {
        const struct tw_problem_options o = { .exec = { .threads = k ? 3 : 1 } };
        struct tw_problem *p = problem_of("mlp(96,30,4)", &d, &o, NULL);
        struct points q = points_of(p);

        assert_int_equal(tw_problem_anchor(p, 2, q.v, NULL, NULL), TW_OK);
        ask(p, &(struct tw_request){ .weights = line, .loss = loss[k] });
        assert_true(tw_problem_kept(p) > 0);
        forget(&q);
        tw_problem_free(p);
    }
    assert_memory_equal(loss[0], loss[1], sizeof loss[0]);
    tw_dataset_release(&d);
}

static void new_anchors_replace_the_old_and_nan_stays_where_it_is(void **state)
{
    const double ends[2][2] = { { 1.0, 0.0 }, { 0.5, 0.5 } };
    struct tw_dataset d = wide();
    struct tw_problem *p = problem_of("mlp(96,30,4)", &d, &(struct tw_problem_options){ 0 }, NULL);
    struct points q = points_of(p);
    struct tw_values v[3];

    (void)state;
    ask(p, &(struct tw_request){ .at = q.v[2], .values = &v[0] });
    assert_int_equal(tw_problem_anchor(p, 2, q.v, NULL, NULL), TW_OK);
    ask(p, &(struct tw_request){ .weights = ends[1], .values = &v[1] });
    q.x[1][0] = NAN;
    q.v[0] = q.v[2];
    assert_int_equal(tw_problem_anchor(p, 2, q.v, NULL, NULL), TW_OK);
    ask(p, &(struct tw_request){ .weights = ends[0], .values = &v[1] });
    ask(p, &(struct tw_request){ .weights = ends[1], .values = &v[2] });
    check_close(v[1].loss.value, v[0].loss.value, 1e-6, 0.0);
    assert_true(isnan(v[2].loss.value));
    forget(&q);
    tw_problem_free(p);
    tw_dataset_release(&d);
}

/* A limit that leaves no room for products is kept, and the values are the same. */
static void the_memory_limit_holds_for_products(void **state)
{
    const double line[2] = { 0.7, 0.3 };
    struct tw_dataset d = wide();
    struct tw_problem_options o = { .exec = { .threads = 1 } };
    struct tw_problem *p = problem_of("mlp(96,200,4)", &d, &o, NULL);
    size_t bare = tw_problem_memory(p);

    (void)state;
    assert_true(compare(p, 2, line, 3e-5));
    assert_int_equal(tw_problem_memory(p), bare + tw_problem_kept(p));
    assert_true(tw_problem_kept(p) >= 2 * 200 * ROWS * sizeof(float));
    tw_problem_free(p);
    o.exec.memory_limit = bare + 1000;
    p = problem_of("mlp(96,200,4)", &d, &o, NULL);
    assert_false(compare(p, 2, line, 0.0));
    assert_int_equal(tw_problem_memory(p), bare);
    tw_problem_free(p);
    tw_dataset_release(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums_of_products_are_products_of_sums),
        cmocka_unit_test(what_the_data_become_first_counts_as_data),
        cmocka_unit_test(threads_change_no_bit_of_a_line),
        cmocka_unit_test(new_anchors_replace_the_old_and_nan_stays_where_it_is),
        cmocka_unit_test(the_memory_limit_holds_for_products),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
