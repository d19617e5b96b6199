/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Memory of runs: what was planned for many directions holds runs of fewer, a run that the limit
 * refuses leaves the next ones as they were, a convolution over nothing has no strips. */
#include "graph_test.h"

#define DIMS(...)                                                                                  \
    (const size_t[])                                                                               \
    {                                                                                              \
        __VA_ARGS__                                                                                \
    }

static struct tw_net *wide(void)
{
    struct tw_net *net = nets_new();
    const int y = nets_op1(net, "Tanh",
                           nets_op2(net, "MatMul", nets_input(net, "x", 1, DIMS(128)),
                                    nets_param(net, "w", 2, DIMS(128, 128), -0.1, 0.1)));

    nets_ok(tw_net_output(net, y, &nets_err) == TW_OK);
    return net;
}

/* Strips of minimal filtering are of whole rows of tiles, longer for one plane than for two. */
static void fewer_directions_than_planned(void **state)
{
    static const size_t sizes[] = { 18, 20 };

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        const size_t n = sizes[i];
        struct tw_net *net = nets_new();
        const int64_t pads[4] = { 1, 1, 1, 1 };
        const int y = nets_op2(net, "Conv", nets_input(net, "x", 3, DIMS(8, n, n)),
                               nets_param(net, "w", 4, DIMS(8, 8, 3, 3), -0.3, 0.3));
        struct tw_array x = nets_data(3, DIMS(8, n, n), -1, 1);
        double *out[2];

        nets_ok(!tw_net_attr_ints(net, "pads", 4, pads, &nets_err));
        nets_ok(tw_net_output(net, y, &nets_err) == TW_OK);
        for (size_t tangents = 0; tangents < 2; tangents++) {
            struct tw_graph *g = tw_graph_new(net, NULL, &nets_err);
            struct tw_exec *e;

            nets_ok(g != NULL);
            e = tw_exec_new(g, &(struct tw_exec_options){ .threads = 1, .tangents = tangents },
                            &nets_err);
            nets_ok(e != NULL);
            out[tangents] = tw_alloc(NETS_SAMPLES * 8 * n * n, sizeof(double));
            assert_non_null(out[tangents]);
            nets_ok(
                tw_exec_run(e,
                            &(struct tw_exec_run){ .n = NETS_SAMPLES,
                                                   .inputs = (const struct tw_array *const[]){ &x },
                                                   .outputs = &out[tangents] },
                            &nets_err) == TW_OK);
            tw_exec_free(e);
            tw_graph_free(g);
        }
        for (size_t k = 0; k < NETS_SAMPLES * 8 * n * n; k++)
            check_close(out[1][k], out[0][k], 1e-5, 1e-6);
        free(out[0]);
        free(out[1]);
        tw_array_release(&x);
        tw_net_free(net);
    }
}

/* At every limit from none that suffices to one that does: refused or made, and then made again
 * for one sample, and freed. */
static void what_is_refused_leaves_no_trace(void **state)
{
    enum { MANY = 3000 };
    const size_t dims[2] = { MANY, 128 };
    struct tw_net *net = wide();
    struct tw_graph *g = tw_graph_new(net, NULL, &nets_err);
    struct tw_array x = { 0 };
    const struct tw_array *const inputs[] = { &x };
    double *gradient = tw_alloc(128 * 128, sizeof *gradient), out[128];
    size_t refused = 0, made = 0;

    (void)state;
    nets_ok(g != NULL);
    assert_non_null(gradient);
    nets_ok(!tw_array_make(&x, TW_F32, 2, dims, &nets_err));
    for (size_t i = 0; i < x.n; i++)
        ((float *)x.data)[i] = (float)(i % 17) / 17.0F;
    for (size_t limit = 400000; limit < 8000000; limit += limit / 8) {
        const struct tw_exec_options o = { .threads = 1, .gradient = true, .memory_limit = limit };
        struct tw_err err = { 0 };
        struct tw_exec *e = tw_exec_new(g, &o, &err);

        if (!e) {
            assert_int_equal(err.code, TW_ENOMEM);
            continue;
        }
        for (size_t n = 500; n <= MANY; n += 500) {
            const struct tw_exec_run back = { .n = n, .inputs = inputs, .gradient = gradient };
            const struct tw_exec_run one = { .n = 1,
                                             .inputs = inputs,
                                             .outputs = (double *[]){ out } };
            struct tw_err why = { 0 };

            if (tw_exec_run(e, &back, &why) == TW_OK) {
                made++;
            } else {
                refused++;
                assert_int_equal(why.code, TW_ENOMEM);
            }
            nets_ok(tw_exec_run(e, &one, &nets_err) == TW_OK);
        }
        tw_exec_free(e);
    }
    assert_true(refused > 0 && made > 0);
    free(gradient);
    tw_array_release(&x);
    tw_graph_free(g);
    tw_net_free(net);
}

/* What fits into some memory fits into more. */
static void a_higher_limit_never_refuses(void **state)
{
    enum { MANY = 512 };
    const size_t dims[2] = { MANY, 128 };
    struct tw_net *net = wide();
    struct tw_graph *g = tw_graph_new(net, NULL, &nets_err);
    struct tw_array x = { 0 };
    const struct tw_array *const inputs[] = { &x };
    double *gradient = tw_alloc(128 * 128, sizeof *gradient);
    const struct tw_exec_run back = { .n = MANY, .inputs = inputs, .gradient = gradient };
    bool made = false;

    (void)state;
    nets_ok(g != NULL);
    assert_non_null(gradient);
    nets_ok(!tw_array_make(&x, TW_F32, 2, dims, &nets_err));
    for (size_t limit = 400000; limit < 6000000; limit += limit / 40) {
        const struct tw_exec_options o = { .threads = 1, .gradient = true, .memory_limit = limit };
        struct tw_err err = { 0 };
        struct tw_exec *e = tw_exec_new(g, &o, &err);

        if (e && tw_exec_run(e, &back, &err) == TW_OK)
            made = true;
        else if (made)
            fail_msg("refused with %zu bytes, and not with fewer: %s", limit, err.msg);
        tw_exec_free(e);
    }
    assert_true(made);
    free(gradient);
    tw_array_release(&x);
    tw_graph_free(g);
    tw_net_free(net);
}

/* A convolution whose input has no place at all, only what is put around it. */
static void windows_over_nothing(void **state)
{
    enum { OUT = 8 * 12 * 6, WEIGHTS = 8 * 8 * 9 };
    const int64_t pads[4] = { 4, 4, 4, 4 };
    struct tw_net *net = nets_new();
    const int y = nets_op2(net, "Conv", nets_input(net, "x", 3, DIMS(8, 6, 0)),
                           nets_param(net, "w", 4, DIMS(8, 8, 3, 3), -0.3, 0.3));
    struct tw_array x = nets_data(3, DIMS(8, 6, 0), -1, 1);
    double out[NETS_SAMPLES * OUT], gradient[WEIGHTS];
    size_t wrong = 0;
    struct tw_graph *g;
    struct tw_exec *e;

    (void)state;
    nets_ok(!tw_net_attr_ints(net, "pads", 4, pads, &nets_err));
    nets_ok(tw_net_output(net, y, &nets_err) == TW_OK);
    g = tw_graph_new(net, NULL, &nets_err);
    nets_ok(g != NULL);
    e = tw_exec_new(g, &(struct tw_exec_options){ .threads = 1, .gradient = true }, &nets_err);
    nets_ok(e != NULL);
    memset(out, 1, sizeof out);
    memset(gradient, 1, sizeof gradient);
    nets_ok(tw_exec_run(e,
                        &(struct tw_exec_run){ .n = NETS_SAMPLES,
                                               .inputs = (const struct tw_array *const[]){ &x },
                                               .outputs = (double *[]){ out },
                                               .gradient = gradient },
                        &nets_err) == TW_OK);
    for (size_t k = 0; k < NETS_SAMPLES * OUT; k++)
        wrong += out[k] != 0.0;
    for (size_t k = 0; k < WEIGHTS; k++)
        wrong += gradient[k] != 0.0;
    assert_int_equal(wrong, 0);
    tw_exec_free(e);
    tw_graph_free(g);
    tw_net_free(net);
    tw_array_release(&x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fewer_directions_than_planned),
        cmocka_unit_test(what_is_refused_leaves_no_trace),
        cmocka_unit_test(a_higher_limit_never_refuses),
        cmocka_unit_test(windows_over_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
