/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Singularities inside networks: each formula at the singular point itself, and a first layer whose
 * inputs are affine in t, by hand. */
#include <stdlib.h>

#include "num.h"
#include "thalweg/ghost_inside.h"
#include "thalweg/tensor_build.h"

#define PI 3.14159265358979323846

struct complex_ {
    double re, im;
};

static struct complex_ times(struct complex_ x, struct complex_ y)
{
    return (struct complex_){ x.re * y.re - x.im * y.im, x.re * y.im + x.im * y.re };
}

static void distances_of_units(void **state)
{
    (void)state;
    check_close(tw_ghost_unit(TW_GHOST_SIGMOID, 3.0, -2.0), hypot(3.0, PI) / 2.0, 1e-15, 0.0);
    check_close(tw_ghost_unit(TW_GHOST_TANH, -1.0, 0.5), hypot(1.0, PI / 2.0) / 0.5, 1e-15, 0.0);
    check_close(tw_ghost_unit(TW_GHOST_KINK, -1.0, 0.5), 2.0, 1e-15, 0.0);
    check_close(tw_ghost_unit(TW_GHOST_KINK, 1.0, 0.5), INFINITY, 0.0, 0.0);
    check_close(tw_ghost_unit(TW_GHOST_KINK, 1.0, -0.5), 2.0, 1e-15, 0.0);
    check_close(tw_ghost_unit(TW_GHOST_TANH, 1.0, 0.0), INFINITY, 0.0, 0.0);
}

/* From h = 0 the distance is the modulus of the pole, from h = 0.634... its imaginary part: there
 * the argument of the tanh is i pi / 2. */
static void the_pole_of_gelu_by_tanh(void **state)
{
    const double modulus = tw_ghost_unit(TW_GHOST_GELU_TANH, 0.0, 1.0);
    double lo = 0.0, hi = 2.0;
    struct complex_ x, cube;

    (void)state;
    for (int it = 0; it < 200; it++) { /* the nearest point of the real line to the pole */
        const double a = lo + (hi - lo) / 3.0, b = hi - (hi - lo) / 3.0;

        if (tw_ghost_unit(TW_GHOST_GELU_TANH, a, 1.0) < tw_ghost_unit(TW_GHOST_GELU_TANH, b, 1.0))
            hi = b;
        else
            lo = a;
    }
    x.im = tw_ghost_unit(TW_GHOST_GELU_TANH, lo, 1.0);
    x.re = sqrt(modulus * modulus - x.im * x.im);
    cube = times(times(x, x), x);
    check_close(sqrt(2.0 / PI) * (x.re + 0.044715 * cube.re), 0.0, 0.0, 1e-7);
    check_close(sqrt(2.0 / PI) * (x.im + 0.044715 * cube.im), PI / 2.0, 1e-7, 0.0);
    check_close(tw_ghost_unit(TW_GHOST_GELU_TANH, -1.3, 2.0),
                tw_ghost_unit(TW_GHOST_GELU_TANH, 1.3, 2.0), 0.0, 0.0);
}

/* Var(h + t h') + eps = 0 is a quadratic in t: the modulus of its roots by the textbook. */
static void where_the_variance_is_zero(void **state)
{
    static const double h[] = { 0.3, -1.2, 2.0, 0.9 }, d[] = { 0.5, 0.1, -0.7, 1.5 };
    double sh = 0.0, sd = 0.0, hh = 0.0, hd = 0.0, dd = 0.0, a, b, c, disc;

    (void)state;
    for (int i = 0; i < 4; i++) {
        sh += h[i] / 4.0;
        sd += d[i] / 4.0;
        hh += h[i] * h[i] / 4.0;
        hd += h[i] * d[i] / 4.0;
        dd += d[i] * d[i] / 4.0;
    }
    for (int rms = 0; rms < 2; rms++) {
        a = dd - (rms ? 0.0 : sd * sd);
        b = 2.0 * (hd - (rms ? 0.0 : sh * sd));
        c = hh - (rms ? 0.0 : sh * sh) + 0.01;
        disc = b * b - 4.0 * a * c;
        assert_true(disc < 0.0);
        check_close(tw_ghost_row(rms ? TW_GHOST_RMS : TW_GHOST_NORM, 4, h, d, 0.01),
                    hypot(b, sqrt(-disc)) / (2.0 * a), 1e-14, 0.0);
    }
}

static void masked_scores_do_not_count(void **state)
{
    static const double h[] = { 0.3, -1.2, -INFINITY, 0.9 }, d[] = { 0.5, 0.1, -70.0, 1.5 };

    (void)state;
    check_close(tw_ghost_row(TW_GHOST_ATTENTION, 4, h, d, 0.0), PI / 1.4, 1e-15, 0.0);
}

/* One hidden layer: its inputs are W x + b + t (V x + c). */
static void check_network(const char *spec, enum tw_ghost_site_kind kind)
{
    enum { ROWS = 30, IN = 6, HIDDEN = 5 };
    const struct tw_exec_options eo = { .real64 = true };
    const size_t dims[2] = { ROWS, IN };
    struct tw_err err = { 0 };
    struct tw_net *net = tw_family_net(spec, &err);
    struct tw_ghost_inside *w = net ? tw_ghost_inside_new(net, &eo, &err) : NULL;
    struct tw_graph *graph = net ? tw_graph_new(net, NULL, &err) : NULL;
    struct tw_rng rng = tw_rng_stream(6, TW_RNG_TEST, 0);
    double v[200], nearest = HUGE_VAL;
    struct tw_array x = { 0 };
    float params[200];
    size_t at = 0;

    if (!w || !graph)
        fail_msg("%s", err.msg);
    assert_true(tw_graph_layout(graph)->n <= 200);
    tw_graph_initial(graph, params, NULL);
    assert_int_equal(tw_array_make(&x, TW_F32, 2, dims, NULL), TW_OK);
    for (size_t i = 0; i < x.n; i++)
        tw_array_set_real(&x, i, tw_rng_normal(&rng));
    for (size_t i = 0; i < 200; i++)
        v[i] = tw_rng_normal(&rng);
    if (tw_ghost_inside_run(w, params, NULL, v, &x, ROWS, NULL, &err) != TW_OK)
        fail_msg("%s", err.msg);
    for (size_t i = 0; i < ROWS; i++) {
        double h[HIDDEN], d[HIDDEN];

        for (size_t k = 0; k < HIDDEN; k++) { /* fc1.weight, then fc1.bias */
            h[k] = (double)params[IN * HIDDEN + k];
            d[k] = v[IN * HIDDEN + k];
            for (size_t j = 0; j < IN; j++) {
                h[k] += (double)params[k * IN + j] * tw_array_real(&x, i * IN + j);
                d[k] += v[k * IN + j] * tw_array_real(&x, i * IN + j);
            }
        }
        for (size_t k = 0; k < (kind >= TW_GHOST_NORM ? 1 : HIDDEN); k++) {
            const double here = kind >= TW_GHOST_NORM ? tw_ghost_row(kind, HIDDEN, h, d, 1e-5)
                                                      : tw_ghost_unit(kind, h[k], d[k]);

            at = here < nearest ? i : at;
            nearest = fmin(nearest, here);
        }
    }
    assert_true(tw_ghost_inside_count(w) >= 1);
    assert_int_equal(tw_ghost_inside_site(w, 0)->kind, kind);
    assert_int_equal(tw_ghost_inside_site(w, 0)->at, at);
    check_close(tw_ghost_inside_site(w, 0)->nearest, nearest, 1e-12, 0.0);
    assert_true(tw_ghost_inside_site(w, 0)->low >= nearest * 0.97);
    tw_array_release(&x);
    tw_graph_free(graph);
    tw_ghost_inside_free(w);
    tw_net_free(net);
}

static void first_layers_by_hand(void **state)
{
    (void)state;
    check_network("mlp(6,5,4,act=tanh)", TW_GHOST_TANH);
    check_network("mlp(6,5,4,act=silu)", TW_GHOST_SIGMOID);
    check_network("mlp(6,5,4)", TW_GHOST_KINK);
    check_network("mlp(6,5,4,act=gelu_tanh)", TW_GHOST_GELU_TANH);
    check_network("mlp(6,5,4,norm=layer)", TW_GHOST_NORM);
}

/* ---- normalisation in small operators ------------------------------------------------------ */

enum { TO = 5, FROM = 3, SAMPLES = 4 };
static const double w0[FROM * TO] = { 0.4, -1.1, 0.7, 0.2,  -0.3, 1.3, 0.5, -0.6,
                                      0.9, 0.1,  0.8, -0.7, 0.35, 0.6, -1.2 };

static int squared_mean(struct tw_net_build *b, int x, bool by_pow)
{
    const int square = by_pow ? tw_build_op2(b, "Pow", x, tw_build_const_real(b, 2.0))
                              : tw_build_op2(b, "Mul", x, x);
    const int mean =
        by_pow ? tw_build_op1(b, "ReduceMean", square)
               : tw_build_op2(b, "ReduceMean", square,
                              tw_build_const_ints(b, 1, (const int64_t[]){ -1 })); /* version 18 */

    if (by_pow)
        tw_build_ints(b, "axes", 1, (const int64_t[]){ -1 });
    return tw_build_op2(b, "Add", tw_build_const_real(b, 0.01), mean);
}

/* h = x W three times: LayerNormalization, the same in small operators, and RMS normalisation. */
static void three_ways(struct tw_net_build *b)
{
    const size_t n = TO, dims[2] = { FROM, TO };
    struct tw_array w = { 0 }, one = { 0 };
    int x, h, y, mean, d;

    assert_int_equal(tw_array_make(&w, TW_F32, 2, dims, NULL), TW_OK);
    assert_int_equal(tw_array_make(&one, TW_F32, 1, &n, NULL), TW_OK);
    for (size_t i = 0; i < w.n; i++)
        tw_array_set_real(&w, i, w0[i]);
    for (size_t i = 0; i < n; i++)
        tw_array_set_real(&one, i, 1.0);
    b->net->opset = 18;
    x = tw_build_input(b, "x", TW_F32, 1, (const int64_t[]){ FROM });
    h = tw_build_op2(b, "MatMul", x, tw_net_init(b->net, "w", &w, b->err));
    y = tw_build_op2(b, "LayerNormalization", h, tw_build_const_array(b, &one));
    tw_build_int(b, "axis", -1);
    tw_build_real(b, "epsilon", 0.01);
    mean = tw_build_op1(b, "ReduceMean", h);
    tw_build_ints(b, "axes", 1, (const int64_t[]){ -1 });
    d = tw_build_op2(b, "Sub", h, mean);
    d = tw_build_op2(b, "Div", d, tw_build_op1(b, "Sqrt", squared_mean(b, d, true)));
    y = tw_build_op2(b, "Add", y, d);
    d = tw_build_op2(b, "Pow", squared_mean(b, h, false), tw_build_const_real(b, -0.5));
    d = tw_build_op2(b, "Mul", h, d);
    tw_build_output(b, tw_build_op2(b, "Add", y, d));
}

static void normalisation_in_small_operators(void **state)
{
    const struct tw_exec_options eo = { .real64 = true };
    const size_t dims[2] = { SAMPLES, FROM };
    struct tw_err err = { 0 };
    struct tw_net *net = tw_net_new("three ways", &err);
    struct tw_net_build b = { .net = net, .err = &err };
    struct tw_ghost_inside *w;
    struct tw_array x = { 0 };
    float params[FROM * TO];
    double v[FROM * TO], rms = HUGE_VAL, norm = HUGE_VAL;

    (void)state;
    three_ways(&b);
    if (b.failed)
        fail_msg("%s", err.msg);
    w = tw_ghost_inside_new(net, &eo, &err);
    if (!w)
        fail_msg("%s", err.msg);
    assert_int_equal(tw_array_make(&x, TW_F32, 2, dims, NULL), TW_OK);
    for (size_t i = 0; i < x.n; i++)
        tw_array_set_real(&x, i, sin(1.0 + 2.0 * (double)i));
    for (size_t i = 0; i < FROM * TO; i++) {
        params[i] = (float)w0[i];
        v[i] = cos(3.0 * (double)i);
    }
    if (tw_ghost_inside_run(w, params, NULL, v, &x, SAMPLES, NULL, &err) != TW_OK)
        fail_msg("%s", err.msg);
    for (size_t i = 0; i < SAMPLES; i++) {
        double h[TO] = { 0 }, slope[TO] = { 0 };

        for (size_t k = 0; k < TO; k++)
            for (size_t j = 0; j < FROM; j++) {
                h[k] += tw_array_real(&x, i * FROM + j) * (double)params[j * TO + k];
                slope[k] += tw_array_real(&x, i * FROM + j) * v[j * TO + k];
            }
        norm = fmin(norm, tw_ghost_row(TW_GHOST_NORM, TO, h, slope, 0.01));
        rms = fmin(rms, tw_ghost_row(TW_GHOST_RMS, TO, h, slope, 0.01));
    }
    assert_int_equal(tw_ghost_inside_count(w), 3);
    for (size_t i = 0; i < 3; i++)
        check_close(tw_ghost_inside_site(w, i)->nearest, i < 2 ? norm : rms, 1e-7, 0.0);
    assert_string_equal(tw_ghost_inside_site(w, 1)->op, "LayerNormalization");
    assert_string_equal(tw_ghost_inside_site(w, 2)->op, "RMSNormalization");
    tw_array_release(&x);
    tw_ghost_inside_free(w);
    tw_net_free(net);
}

/* GELU by erf is entire; attention and normalisations of a transformer are found. */
static void what_a_transformer_has(void **state)
{
    const struct tw_exec_options eo = { 0 };
    struct tw_net *net = tw_family_net("gpt(2,8,2,6,11,act=gelu)", NULL);
    struct tw_ghost_inside *w = tw_ghost_inside_new(net, &eo, NULL);
    size_t norm = 0, attention = 0;

    (void)state;
    assert_non_null(w);
    for (size_t i = 0; i < tw_ghost_inside_count(w); i++) {
        norm += tw_ghost_inside_site(w, i)->kind == TW_GHOST_NORM;
        attention += tw_ghost_inside_site(w, i)->kind == TW_GHOST_ATTENTION;
    }
    assert_int_equal(norm, 5);
    assert_int_equal(attention, 2);
    assert_int_equal(tw_ghost_inside_count(w), 7);
    tw_ghost_inside_free(w);
    tw_net_free(net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(distances_of_units),
        cmocka_unit_test(the_pole_of_gelu_by_tanh),
        cmocka_unit_test(where_the_variance_is_zero),
        cmocka_unit_test(masked_scores_do_not_count),
        cmocka_unit_test(first_layers_by_hand),
        cmocka_unit_test(what_a_transformer_has),
        cmocka_unit_test(normalisation_in_small_operators),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
