/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Networks exported from PyTorch against PyTorch: logits, losses, derivatives. The folder that
 * tests/oracle/exports.py wrote is TW_EXPORTS; without it there is nothing to test
 * (tests/cli/oracle_exports.sh makes one). */
#include "num.h"
#include "oracle_families.h"
#include "thalweg/problem.h"
#include "thalweg/store_net.h"

static const char *const names[] = { "mlp",        "lenet",    "vgg-gelu", "resnet20-a",
                                     "resnet20-b", "resnet18", "vit",      "gpt2",
                                     "llama",      "unet",     "mobile" };

struct model {
    const char *name;
    struct oracle o;
    char onnx[512];
    struct tw_dataset data;
};

static struct tw_net *read_net(const struct model *m)
{
    struct tw_err err = { 0 };
    struct tw_net *net = NULL;

    if (tw_store_net_read(m->onnx, &net, NULL, &err) != TW_OK)
        fail_msg("%s: %s", m->name, err.msg);
    return net;
}

static struct tw_array read_array(struct oracle *o, const char *name, enum tw_dtype t, int rank)
{
    size_t dims[TW_RESULT_MAX_RANK];
    double *x = oracle_get(o, "", name, rank, dims);
    struct tw_array a = { 0 };

    assert_int_equal(tw_array_make(&a, t, rank, dims, NULL), TW_OK);
    for (size_t i = 0; i < a.n; i++)
        tw_array_set_real(&a, i, x[i]);
    free(x);
    return a;
}

static struct model model_open(const char *folder, const char *name)
{
    struct model m = { .name = name };
    struct tw_err err = { 0 };
    struct tw_graph *g;
    struct tw_net *net;
    char path[512];
    bool tokens;

    (void)snprintf(path, sizeof path, "%s/%s.h5", folder, name);
    (void)snprintf(m.onnx, sizeof m.onnx, "%s/%s.onnx", folder, name);
    m.o.r = tw_result_open(path, "oracle", &err);
    if (!m.o.r)
        fail_msg("%s", err.msg);
    net = read_net(&m);
    tokens = net->value[net->input[0]].dtype == TW_I64;
    m.data.x = read_array(&m.o, "input", tokens ? TW_I64 : TW_F32, net->value[net->input[0]].rank);
    g = tw_graph_new(net, NULL, &err);
    if (!g)
        fail_msg("%s: %s", name, err.msg);
    m.data.y = read_array(&m.o, "target", TW_I64, tw_graph_output(g, 0).rank - 1);
    tw_graph_free(g);
    tw_net_free(net);
    return m;
}

static void model_close(struct model *m)
{
    tw_dataset_release(&m->data);
    tw_result_done(m->o.r);
}

/* One of the oracle's long vectors, in the order of the layout. */
static double *in_layout(struct model *m, const char *name, const struct tw_layout *l)
{
    double *to = tw_alloc(l->n, sizeof *to), *from;
    size_t n = 0, k = 0, total;
    char **parts = NULL;

    from = oracle_get(&m->o, "", name, 1, &total);
    assert_int_equal(tw_result_get_texts(m->o.r, "/parameters", &n, &parts, NULL), TW_OK);
    for (size_t i = 0; i < n; i++) {
        const struct tw_param *t = tw_layout_find(l, parts[i]);

        if (!t)
            fail_msg("%s: no parameter '%s'", m->name, parts[i]);
        memcpy(to + t->offset, from + k, t->n * sizeof *to);
        k += t->n;
        free(parts[i]);
    }
    free(parts);
    free(from);
    assert_int_equal(k, l->n);
    assert_int_equal(n, l->nparam);
    return to;
}

/* The largest difference, relative to the largest of what is wanted. */
static double apart(const double *x, const double *want, size_t n)
{
    double most = 0.0, scale = 0.0;

    for (size_t i = 0; i < n; i++) {
        assert_true(isfinite(x[i]) && isfinite(want[i]));
        most = fmax(most, fabs(x[i] - want[i]));
        scale = fmax(scale, fabs(want[i]));
    }
    return most / scale;
}

/* Along the direction, without a loss. */
static double tangents_apart(struct model *m, bool real64)
{
    const struct tw_exec_options eo = { .real64 = real64, .tangents = 1 };
    struct tw_net *net = read_net(m);
    struct tw_err err = { 0 };
    struct tw_graph *g = tw_graph_new(net, NULL, &err);
    struct tw_exec *e = g ? tw_exec_new(g, &eo, &err) : NULL;
    size_t n = m->data.x.dims[0], width, dims[TW_RESULT_MAX_RANK];
    double *jvp, *want, *direction, result;

    if (!e)
        fail_msg("%s: %s", m->name, err.msg);
    width = tw_graph_output(g, 0).n;
    direction = in_layout(m, "direction", tw_graph_layout(g));
    jvp = tw_alloc(n * width, sizeof *jvp);
    tw_exec_direct_real(e, 1, (const double *[]){ direction });
    if (tw_exec_run(e,
                    &(struct tw_exec_run){ .n = n,
                                           .inputs = (const struct tw_array *[]){ &m->data.x },
                                           .tangents = (double *[]){ jvp } },
                    &err) != TW_OK)
        fail_msg("%s: %s", m->name, err.msg);
    want = oracle_get(&m->o, "", "jvp", tw_graph_output(g, 0).rank, dims);
    result = apart(jvp, want, n * width);
    free(want);
    free(jvp);
    free(direction);
    tw_exec_free(e);
    tw_graph_free(g);
    tw_net_free(net);
    return result;
}

static void compare(struct model *m, bool real64)
{
    /* The file's constants (the root of 2 in GELU) are of single precision, so no better. */
    const double tol = real64 ? 1e-6 : 1e-5;
    const bool second = tw_result_has(m->o.r, "/hvp");
    struct tw_loss_spec spec;
    const struct tw_problem_options po = {
        .loss = &spec,
        .exec = { .real64 = real64, .gradient = true, .tangents = second },
        .logits = true
    };
    struct tw_err err = { 0 };
    struct tw_net *net = read_net(m);
    struct tw_problem *p;
    struct tw_graph_port port;
    struct tw_values values;
    double *g, *h, *v, *loss, *logits, *want, d[5] = { 0 };
    size_t dims[TW_RESULT_MAX_RANK];
    float *params;

    assert_int_equal(tw_loss_parse("cross-entropy", &spec, &err), TW_OK);
    p = tw_problem_new(net, &m->data, &po, &err);
    if (!p)
        fail_msg("%s: %s", m->name, err.msg);
    params = tw_alloc(p->dim, sizeof *params);
    tw_graph_initial(tw_problem_graph(p), params, NULL);
    g = tw_alloc(p->dim, sizeof *g);
    h = tw_alloc(p->dim, sizeof *h);
    loss = tw_alloc(p->n, sizeof *loss);
    logits = tw_alloc(p->n * p->width, sizeof *logits);
    v = in_layout(m, "direction", p->layout);
    if (tw_problem_eval(p,
                        &(struct tw_request){ .at = { .f = params },
                                              .ndirections = second,
                                              .directions = &(struct tw_vector){ .d = v },
                                              .values = &values,
                                              .loss = loss,
                                              .logits = logits,
                                              .gradient = g,
                                              .hvp = second ? &h : NULL },
                        &err) != TW_OK)
        fail_msg("%s: %s", m->name, err.msg);
    port = tw_graph_output(tw_problem_graph(p), (size_t)tw_problem_ports(p)->logits);
    want = oracle_get(&m->o, "", "logits", port.rank, dims);
    d[0] = apart(logits, want, p->n * p->width);
    free(want);
    want = oracle_get(&m->o, "", "loss", 1, dims);
    d[1] = apart(loss, want, p->n);
    free(want);
    for (size_t i = 0; i < p->dim; i++) { /* PyTorch's are those of the sum */
        g[i] *= values.weight;
        h[i] *= values.weight;
    }
    want = in_layout(m, "gradient", p->layout);
    d[2] = apart(g, want, p->dim);
    free(want);
    d[3] = tangents_apart(m, real64);
    if (second) {
        want = in_layout(m, "hvp", p->layout);
        d[4] = apart(h, want, p->dim);
        free(want);
    }
    print_message("%-10s %s: logits %.1e, loss %.1e, gradient %.1e, jvp %.1e", m->name,
                  real64 ? "double" : "single", d[0], d[1], d[2], d[3]);
    print_message(second ? ", hvp %.1e\n" : "\n", d[4]);
    assert_true(d[0] <= tol && d[1] <= tol);
    /* Rounding turns units of a deep network whose input is near 0 on or off: PyTorch's own
     * derivatives in single precision are as far from those in double. */
    assert_true(d[2] <= 10.0 * tol && d[3] <= 10.0 * tol && d[4] <= (real64 ? 10.0 : 100.0) * tol);
    free(params);
    free(g);
    free(h);
    free(loss);
    free(logits);
    free(v);
    tw_problem_free(p);
    tw_net_free(net);
}

static void exports_agree_with_pytorch(void **state)
{
    const char *folder = getenv("TW_EXPORTS");

    (void)state;
    if (!folder)
        skip();
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct model m = model_open(folder, names[i]);

        compare(&m, true);
        compare(&m, false);
        model_close(&m);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(exports_agree_with_pytorch) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
