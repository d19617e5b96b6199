/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Networks at complex parameters: at real t they are the networks, along the imaginary axis their
 * derivative is the tangent, and everywhere they are analytic. */
#include <stdlib.h>

#include "num.h"
#include "thalweg/graph_complex.h"
#include "thalweg/tensor_build.h"

#define PI 3.14159265358979323846

static struct tw_err nets_err;

static void nets_ok(bool ok)
{
    if (!ok)
        fail_msg("%s", nets_err.msg);
}

static int parameter(struct tw_net_build *b, const char *name, int rank, const size_t *dims,
                     double lo, double hi)
{
    struct tw_rng r = tw_rng_stream(11, TW_RNG_TEST, strlen(name));
    struct tw_array a = { 0 };

    nets_ok(tw_array_make(&a, TW_F32, rank, dims, &nets_err) == TW_OK);
    for (size_t i = 0; i < a.n; i++)
        tw_array_set_real(&a, i, lo + (hi - lo) * tw_rng_real(&r));
    return tw_net_init(b->net, name, &a, &nets_err);
}

/* ---- the error function -------------------------------------------------------------------- */

static void check_erf(double x, double y, double re, double im)
{
    const struct tw_cx e = tw_cx_erf((struct tw_cx){ x, y });
    const double size = hypot(re, im);

    check_close(e.re, re, 0.0, 4e-15 * size);
    check_close(e.im, im, 0.0, 4e-15 * size);
}

/* erf(z) = 2 / sqrt(pi) sum (-1)^n z^(2n + 1) / (n! (2n + 1)): by the series where it does not
 * cancel; elsewhere by e^(z^2) erfc z = 1 / sqrt(pi) / (z + (1/2) / (z + 1 / (z + (3/2) / ...))).
 */
static void error_function(void **state)
{
    static const double at[][2] = { { 0.3, 0.4 },  { 1.0, -0.5 },  { 1e-9, 1.0 }, { -0.7, 0.9 },
                                    { 0.0, 2.0 },  { 1e-12, 5.0 }, { 0.1, 0.0 },  { 0.2, 1e-20 },
                                    { 0.05, 3.0 }, { -1.2, 0.1 } };
    (void)state;
    check_erf(1.0, 1.0, 1.3161512816979476, 0.19045346923783469);
    check_erf(0.0, 1.0, 0.0, 1.6504257587975429);
    for (size_t i = 0; i < sizeof at / sizeof *at; i++) {
        const double x = at[i][0], y = at[i][1], sr = x * x - y * y, si = 2.0 * x * y;
        double pr = x, pi = y, re = 0.0, im = 0.0, factor = 2.0 / sqrt(PI);

        for (int n = 0; n < 160; n++) {
            const double next = -(pr * sr - pi * si) / (n + 1.0);

            re += factor * pr / (2.0 * n + 1.0);
            im += factor * pi / (2.0 * n + 1.0);
            pi = -(pr * si + pi * sr) / (n + 1.0);
            pr = next;
        }
        check_erf(x, y, re, im);
        check_close(tw_cx_erf((struct tw_cx){ x, y }).im, im, 4e-14, 0.0);
    }
    for (int k = 0; k < 12; k++) {
        const double x = 6.0 * cos(0.13 * k), y = 6.0 * sin(0.13 * k);
        const struct tw_cx minus = tw_cx_exp((struct tw_cx){ y * y - x * x, -2.0 * x * y });
        double re = x, im = y, m;

        for (int n = 200; n > 0; n--) {
            m = re * re + im * im;
            re = x + 0.5 * n * re / m;
            im = y - 0.5 * n * im / m;
        }
        m = (re * re + im * im) * sqrt(PI);
        check_erf(x, y, 1.0 - (minus.re * re + minus.im * im) / m,
                  -(minus.im * re - minus.re * im) / m);
    }
}

/* ---- networks ------------------------------------------------------------------------------ */

struct line {
    struct tw_graph *graph;
    struct tw_exec *exec;
    struct tw_complex *net;
    double *params, *v, *moved;
    float *start, *buffers;
    struct tw_array x;
    size_t dim, n;
};

static void open_line(struct line *l, const struct tw_net *net, double spread, bool tokens)
{
    const struct tw_exec_options eo = { .real64 = true, .tangents = 1, .threads = 1 };
    struct tw_rng rng = tw_rng_stream(3, TW_RNG_TEST, 0);
    size_t dims[TW_MAX_RANK];
    struct tw_graph_port in;

    *l = (struct line){ .graph = tw_graph_new(net, NULL, &nets_err) };
    nets_ok(l->graph != NULL);
    l->exec = tw_exec_new(l->graph, &eo, &nets_err);
    nets_ok(l->exec != NULL);
    l->net = tw_complex_new(l->graph, &nets_err);
    nets_ok(l->net != NULL);
    l->dim = tw_graph_layout(l->graph)->n;
    l->n = tw_graph_output(l->graph, 0).n;
    l->params = tw_alloc(l->dim, sizeof(double));
    l->v = tw_alloc(l->dim, sizeof(double));
    l->moved = tw_alloc(l->dim, sizeof(double));
    l->start = tw_alloc(l->dim, sizeof(float));
    l->buffers = tw_alloc(tw_graph_layout(l->graph)->nb, sizeof(float));
    assert_true(l->params && l->v && l->moved && l->start && l->buffers);
    tw_graph_initial(l->graph, l->start, l->buffers);
    for (size_t i = 0; i < l->dim; i++) {
        l->params[i] = (double)l->start[i] + spread * tw_rng_normal(&rng);
        l->v[i] = tw_rng_normal(&rng);
    }
    in = tw_graph_input(l->graph, 0);
    memcpy(dims, in.dims, sizeof dims);
    dims[0] = 2;
    nets_ok(tw_array_make(&l->x, in.dtype, in.rank, dims, &nets_err) == TW_OK);
    for (size_t i = 0; i < l->x.n; i++)
        tw_array_set_real(&l->x, i, tokens ? floor(4.0 * tw_rng_real(&rng)) : tw_rng_normal(&rng));
    tw_complex_line(l->net, l->params, l->v, l->buffers);
    tw_complex_sample(l->net, &l->x, 1);
}

static void close_line(struct line *l)
{
    tw_complex_free(l->net);
    tw_exec_free(l->exec);
    tw_graph_free(l->graph);
    free(l->params);
    free(l->v);
    free(l->moved);
    free(l->start);
    free(l->buffers);
    tw_array_release(&l->x);
}

/* The network itself at real t, with its tangent. */
static void by_exec(struct line *l, double t, double *value, double *slope)
{
    const struct tw_array *x = &l->x;
    const size_t row = 1;
    const struct tw_exec_run run = {
        .n = 1, .inputs = &x, .rows = &row, .outputs = &value, .tangents = &slope
    };
    const double *v = l->v;

    for (size_t i = 0; i < l->dim; i++)
        l->moved[i] = l->params[i] + t * l->v[i];
    tw_exec_set_real(l->exec, l->moved, NULL);
    for (size_t i = 0; i < tw_graph_layout(l->graph)->nb; i++)
        assert_true(isfinite((double)l->buffers[i]));
    tw_exec_direct_real(l->exec, 1, &v);
    nets_ok(tw_exec_run(l->exec, &run, &nets_err) == TW_OK);
}

static void copy_output(const struct line *l, struct tw_cx *to)
{
    memcpy(to, tw_complex_output(l->net), l->n * sizeof *to);
}

static void check_line(struct line *l, double h, const char *what)
{
    struct tw_cx *f = tw_alloc(5 * l->n, sizeof *f);
    double *value = tw_alloc(2 * l->n, sizeof *value), *slope = value + l->n;
    struct tw_cx *near = tw_alloc(tw_complex_nwatch(l->net), sizeof *near);
    double ahead;

    assert_true(f && value && near);
    for (int k = 0; k < 2; k++) {
        const double t = k ? 0.3 * h : 0.0, size = 1e-30;

        tw_complex_run(l->net, (struct tw_cx){ t, size }, NULL, near);
        if (tw_complex_margin(l->net, &ahead) < 0.0)
            continue;
        copy_output(l, f);
        by_exec(l, t, value, slope);
        for (size_t i = 0; i < l->n; i++) {
            if (!(fabs(f[i].re - value[i]) <= 1e-11 * (1.0 + fabs(value[i]))) ||
                !(fabs(f[i].im / size - slope[i]) <= 1e-9 * (1.0 + fabs(slope[i]))))
                fail_msg("%s: output %zu at %g: %.17g and %.17g; slope %.17g and %.17g", what, i, t,
                         f[i].re, value[i], f[i].im / size, slope[i]);
        }
    }
    /* f(t + d) - f(t - d) over 2d is the same for all d of one length. */
    for (int k = 0; k < 4; k++) {
        const double d = 1e-5 * h;
        const struct tw_cx t = { 0.5 * h + (k == 0   ? d
                                            : k == 1 ? -d
                                                     : 0.0),
                                 0.7 * h + (k == 2   ? d
                                            : k == 3 ? -d
                                                     : 0.0) };

        tw_complex_run(l->net, t, near, near);
        copy_output(l, f + (size_t)k * l->n);
    }
    for (size_t i = 0; i < l->n; i++) {
        const struct tw_cx *e = f + i;
        const double dre = e[0].re - e[l->n].re, dim = e[0].im - e[l->n].im;
        const double ire = e[2 * l->n].im - e[3 * l->n].im;
        const double iim = -(e[2 * l->n].re - e[3 * l->n].re);
        const double size = hypot(dre, dim) + 1e-9 * (hypot(e[0].re, e[0].im) + 1.0);

        if (!(hypot(dre - ire, dim - iim) <= 1e-6 * size + 1e-11 * hypot(e[0].re, e[0].im)))
            fail_msg("%s: output %zu is not analytic: %g %g and %g %g", what, i, dre, dim, ire,
                     iim);
    }
    free(f);
    free(value);
    free(near);
}

static void families(void **state)
{
    static const struct {
        const char *spec;
        bool tokens;
    } nets[] = {
        { "mlp(5,7,6,3)", false },
        { "mlp(5,7,6,3,act=gelu,norm=layer)", false },
        { "mlp(5,7,6,3,act=gelu_tanh,norm=batch)", false },
        { "mlp(5,7,6,3,act=tanh)", false },
        { "mlp(5,7,6,3,act=sigmoid)", false },
        { "mlp(5,7,6,3,act=silu)", false },
        { "mlp(5,7,6,3,act=leaky_relu)", false },
        { "mlp(5,7,6,3,act=elu)", false },
        { "mlp(5,7,6,3,act=selu)", false },
        { "mlp(5,7,6,3,act=hardswish)", false },
        { "lenet(classes=4,in=1x16x16)", false },
        { "lenet(classes=4,in=1x16x16,pool=average,act=tanh,norm=batch)", false },
        { "conv1d(4,3,classes=3,in=2x9,kernel=3,stride=2,norm=batch)", false },
        { "resnet20(classes=3,in=3x8x8,width=2)", false },
        { "vit(layers=1,d=8,heads=2,patch=2,in=1x4x4,classes=3,mlp=12)", false },
        { "gpt(layers=1,d=8,heads=2,ctx=4,vocab=5)", true },
    };

    (void)state;
    for (size_t i = 0; i < sizeof nets / sizeof *nets; i++) {
        struct tw_net *net = tw_family_net(nets[i].spec, &nets_err);
        struct line l;

        nets_ok(net != NULL);
        open_line(&l, net, 0.1, nets[i].tokens);
        check_line(&l, 1e-3, nets[i].spec);
        close_line(&l);
        tw_net_free(net);
    }
}

/* op(W x + b) and what a few operators make of it. */
static void functions(void **state)
{
    static const char *const ops[] = {
        "Neg",      "Exp",        "Abs",  "Sin",        "Cos",         "Erf",
        "Softplus", "Softsign",   "Mish", "Celu",       "HardSigmoid", "ThresholdedRelu",
        "Sigmoid",  "Log",        "Sqrt", "Reciprocal", "Floor",       "Round",
        "Softmax",  "LogSoftmax", "Sign", "Ceil",       "Where",
    };
    static const char *const twos[] = { "Max", "Min", "Div", "Pow", "Mul", "Sub" };
    static const char *const sums[] = { "ReduceMax", "ReduceMin", "ReduceProd", "ReduceMean",
                                        "ReduceSum" };
    const int64_t in = 3;
    const size_t w[2] = { 3, 4 }, b[1] = { 4 };

    (void)state;
    for (size_t i = 0; i < 23 + 6 + 5; i++) {
        struct tw_net_build nb = { .net = tw_net_new("test", &nets_err), .err = &nets_err };
        const int x = tw_build_input(&nb, "x", TW_F32, 1, &in);
        const int weight = parameter(&nb, "w.weight", 2, w, -0.3, 0.3);
        const int bias = parameter(&nb, "w.bias", 1, b, 1.6, 2.4);
        const int h = tw_build_op2(&nb, "Add", tw_build_op2(&nb, "MatMul", x, weight), bias);
        const char *what = i < 23 ? ops[i] : i < 29 ? twos[i - 23] : sums[i - 29];
        struct line l;
        int y;

        if (!strcmp(what, "Where"))
            y = tw_build_op(
                &nb, what, NULL, 3,
                (const int[]){ tw_build_op2(&nb, "Less", tw_build_op1(&nb, "Sin", h), h), h,
                               tw_build_op1(&nb, "Neg", h) });
        else if (i < 23 || i >= 29)
            y = tw_build_op1(&nb, what, h);
        else
            y = tw_build_op2(&nb, what, tw_build_op1(&nb, "Exp", h), bias);
        tw_build_output(&nb, tw_build_op2(&nb, "Mul", y, h));
        nets_ok(!nb.failed);
        open_line(&l, nb.net, 0.0, false);
        check_line(&l, 1e-2, what);
        close_line(&l);
        tw_net_free(nb.net);
    }
}

static void what_has_no_form(void **state)
{
    const int64_t in = 3;
    const size_t w[1] = { 3 };
    struct tw_net_build nb = { .net = tw_net_new("test", &nets_err), .err = &nets_err };
    const int x = tw_build_input(&nb, "x", TW_F32, 1, &in);
    const int y = tw_build_op2(&nb, "Mod", x, parameter(&nb, "w", 1, w, 1.0, 2.0));
    struct tw_graph *graph;

    (void)state;
    tw_build_int(&nb, "fmod", 1);
    tw_build_output(&nb, y);
    graph = nb.failed ? NULL : tw_graph_new(nb.net, NULL, &nets_err);
    nets_ok(graph != NULL);
    assert_null(tw_complex_new(graph, &nets_err));
    assert_int_equal(nets_err.code, TW_EFORMAT);
    assert_non_null(strstr(nets_err.msg, "no form for complex parameters"));
    tw_graph_free(graph);
    tw_net_free(nb.net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(error_function),
        cmocka_unit_test(families),
        cmocka_unit_test(functions),
        cmocka_unit_test(what_has_no_form),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
