/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The k-th allocation fails, for every k until none does, while a network is compiled, planned and
 * run: each time a status and a sentence (or the same numbers without it), no leak. What was
 * planned then runs as if nothing had been. */
#include "failing.h"
#include "num.h"
#include "thalweg/graph.h"

enum { SAMPLES = 200 };

struct task {
    struct tw_net *net;
    struct tw_graph_options how;
    const struct tw_array *x;
    size_t n, nout;
    float *point;
};

static void ok(bool is, const struct tw_err *err)
{
    if (!is)
        print_error("%s\n", err->msg);
    assert_true(is);
}

/* Outputs of all samples and the gradient of their sum; `made`: nout + n doubles. */
static enum tw_status compute(const struct task *t, struct tw_exec *e, double *made,
                              struct tw_err *err)
{
    const struct tw_exec_run run = {
        .n = SAMPLES, .inputs = &t->x, .outputs = &made, .gradient = made + t->nout
    };

    return tw_exec_run(e, &run, err);
}

static struct tw_exec *prepare(const struct task *t, struct tw_graph **g, struct tw_err *err)
{
    const struct tw_exec_options o = { .threads = 2, .gradient = true };
    struct tw_exec *e;

    *g = tw_graph_new(t->net, &t->how, err);
    e = *g ? tw_exec_new(*g, &o, err) : NULL;
    if (e)
        tw_exec_set(e, t->point, NULL);
    return e;
}

/* Allocation k fails; false once there is no k-th any more. */
static bool attempt(const struct task *t, size_t k, const double *expected, double *made)
{
    struct tw_err err = { 0 };
    struct tw_graph *g;
    struct tw_exec *e;
    bool done;

    left = k;
    hit = false;
    armed = true;
    e = prepare(t, &g, &err);
    done = e && compute(t, e, made, &err) == TW_OK;
    armed = false;
    assert_int_equal(err.code, done ? TW_OK : TW_ENOMEM);
    assert_int_equal(done, err.msg[0] == '\0');
    assert_true(done || hit);
    if (g)
        assert_string_equal(tw_graph_input(g, 0).name, "input");
    if (done)
        assert_memory_equal(made, expected, (t->nout + t->n) * sizeof *made);
    memset(&err, 0, sizeof err);
    if (e) {
        const struct tw_exec_run plain = { .n = 1, .inputs = &t->x, .outputs = &made };

        memset(made, 0, (t->nout + t->n) * sizeof *made);
        ok(tw_exec_run(e, &plain, &err) == TW_OK, &err);
        ok(compute(t, e, made, &err) == TW_OK, &err);
        assert_memory_equal(made, expected, (t->nout + t->n) * sizeof *made);
    }
    tw_exec_free(e);
    tw_graph_free(g);
    return hit;
}

static void every(const char *spec, struct tw_graph_options how)
{
    struct tw_err err = { 0 };
    struct task t = { .net = tw_family_net(spec, &err), .how = how };
    struct tw_rng r = tw_rng_stream(1, TW_RNG_TEST, 0);
    struct tw_array x = { 0 };
    struct tw_graph *g;
    struct tw_exec *e;
    double *made, *expected;
    size_t k = 0;

    ok(t.net != NULL, &err);
    g = tw_graph_new(t.net, &how, &err);
    ok(g != NULL, &err);
    t.n = tw_graph_layout(g)->n;
    t.nout = SAMPLES * tw_graph_output(g, 0).n;
    ok(!tw_array_make(&x, TW_F32, 2, (const size_t[]){ SAMPLES, tw_graph_input(g, 0).n }, &err),
       &err);
    tw_graph_free(g);
    t.x = &x;
    t.point = tw_alloc(t.n, sizeof *t.point);
    made = tw_alloc(t.nout + t.n, sizeof *made);
    expected = tw_alloc(t.nout + t.n, sizeof *expected);
    for (size_t i = 0; i < t.n; i++)
        t.point[i] = (float)(0.2 * tw_rng_normal(&r));
    for (size_t i = 0; i < x.n; i++)
        tw_array_set_real(&x, i, tw_rng_normal(&r));
    spare_libraries = true; /* OpenMP ends the program */
    e = prepare(&t, &g, &err);
    ok(e && compute(&t, e, expected, &err) == TW_OK, &err);
    tw_exec_free(e);
    tw_graph_free(g);
    while (attempt(&t, k, expected, made))
        k++;
    assert_true(k > 50);
    free(made);
    free(expected);
    free(t.point);
    tw_array_release(&x);
    tw_net_free(t.net);
}

/* Weights wide enough for dense gradients, which want places for all samples at once. */
static void dense_networks_survive(void **state)
{
    (void)state;
    every("mlp(64,64,10)", (struct tw_graph_options){ 0 });
}

static void normalisation_from_the_batch_survives(void **state)
{
    (void)state;
    every("conv1d(8,8,classes=10,in=1x64,norm=batch)",
          (struct tw_graph_options){ .batch_statistics = true });
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dense_networks_survive),
        cmocka_unit_test(normalisation_from_the_batch_survives),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
