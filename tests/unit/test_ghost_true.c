/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The true radius: where logits are linear it is the nearest zero of the linearised ones, where
 * they are quadratic that of a direct search; poles and vanishing variances where they are known;
 * Taylor coefficients; kinks. */
#include <stdlib.h>

#include "folder.h"
#include "ghost.h"
#include "num.h"
#include "thalweg/ghost_batch.h"
#include "thalweg/ghost_inside.h"
#include "thalweg/ghost_true.h"

#define PI 3.14159265358979323846
enum { ROWS = 12 };

static struct tw_err failure;

struct setting {
    struct tw_net *net;
    struct tw_graph *graph;
    struct tw_ghost_true_search *search;
    struct tw_ghost_true_line line;
    struct tw_array x;
    double *params, *v;
    size_t classes, in;
};

/* A network with weights of size `spread` on top of its own; a direction in the parameters whose
 * names begin with `moves`. */
static void set_up(struct setting *s, const char *spec, double spread, const char *moves)
{
    struct tw_rng rng = tw_rng_stream(9, TW_RNG_TEST, 1);
    const struct tw_layout *layout;
    size_t dims[2] = { ROWS, 0 };
    float *start;

    *s = (struct setting){ .net = tw_family_net(spec, &failure) };
    s->graph = s->net ? tw_graph_new(s->net, NULL, &failure) : NULL;
    if (!s->graph)
        fail_msg("%s", failure.msg);
    layout = tw_graph_layout(s->graph);
    s->params = tw_alloc(layout->n, sizeof *s->params);
    s->v = tw_alloc(layout->n, sizeof *s->v);
    start = tw_alloc(layout->n, sizeof *start);
    assert_true(s->params && s->v && start);
    tw_graph_initial(s->graph, start, NULL);
    for (size_t p = 0; p < layout->nparam; p++)
        for (size_t i = 0; i < layout->param[p].n; i++) {
            const size_t at = layout->param[p].offset + i;

            s->params[at] = (double)start[at] + spread * tw_rng_normal(&rng);
            s->v[at] = tw_rng_normal(&rng);
            if (strncmp(layout->param[p].name, moves, strlen(moves)) != 0)
                s->v[at] = 0.0;
        }
    free(start);
    s->in = dims[1] = tw_graph_input(s->graph, 0).n;
    s->classes = tw_graph_output(s->graph, 0).n;
    assert_int_equal(tw_array_make(&s->x, TW_F32, 2, dims, NULL), TW_OK);
    for (size_t i = 0; i < s->x.n; i++)
        tw_array_set_real(&s->x, i, tw_rng_normal(&rng));
    s->line = (struct tw_ghost_true_line){ .graph = s->graph,
                                           .params = s->params,
                                           .direction = s->v,
                                           .x = &s->x,
                                           .classes = s->classes,
                                           .inner = 1,
                                           .threads = 1 };
    s->search = tw_ghost_true_new(&s->line, &failure);
    if (!s->search)
        fail_msg("%s", failure.msg);
}

static void tear_down(struct setting *s)
{
    tw_ghost_true_free(s->search);
    tw_graph_free(s->graph);
    tw_net_free(s->net);
    tw_array_release(&s->x);
    free(s->params);
    free(s->v);
}

static double *parameters(const struct setting *s, const char *name, const double *from)
{
    const struct tw_param *p = tw_layout_find(tw_graph_layout(s->graph), name);

    assert_non_null(p);
    return (double *)(uintptr_t)from + p->offset;
}

/* Logits and slopes of a row by a run a little off the real axis. */
static void slopes_of(const struct setting *s, size_t row, double *z, double *a)
{
    struct tw_complex *c = tw_complex_new(s->graph, &failure);
    struct tw_cx *watch = tw_alloc(tw_complex_nwatch(c), sizeof *watch);

    assert_non_null(watch);
    tw_complex_line(c, s->params, s->v, NULL);
    tw_complex_sample(c, &s->x, row);
    tw_complex_run(c, (struct tw_cx){ 0.0, 1e-40 }, NULL, watch);
    for (size_t k = 0; k < s->classes; k++) {
        z[k] = tw_complex_output(c)[k].re;
        a[k] = tw_complex_output(c)[k].im / 1e-40;
    }
    tw_complex_free(c);
    free(watch);
}

static struct tw_ghost_true solve(const struct setting *s, size_t row, double start)
{
    struct tw_ghost_true t;

    tw_ghost_true_run(s->search, 1, &row, &start, &t);
    return t;
}

/* One moving layer behind which nothing bends: rho* of the linearised logits, from any start. */
static void check_linear(const char *spec, const char *moves)
{
    struct setting s;
    double z[8], a[8];

    set_up(&s, spec, 0.7, moves);
    for (size_t row = 0; row < ROWS; row++) {
        struct tw_ghost *g = tw_ghost_alloc(s.classes);
        struct tw_ghost_zero zero;
        struct tw_ghost_true t;

        slopes_of(&s, row, z, a);
        assert_int_equal(tw_ghost_set(g, s.classes, z, a, 1.0, &failure), TW_OK);
        zero = tw_ghost_nearest(g);
        t = solve(&s, row, zero.rho * (row % 3 == 0 ? 1.0 : row % 3 == 1 ? 0.2 : 3.1));
        assert_int_equal(t.state, TW_GHOST_TRUE_COUNTED);
        check_close(t.radius, zero.rho, 1e-9, 0.0);
        check_close(t.re, zero.re, 1e-8, 1e-8 * zero.rho);
        check_close(t.im, zero.im, 1e-8, 1e-8 * zero.rho);
        assert_true(t.low >= t.radius * (1.0 - 1e-3) && t.low <= t.radius);
        assert_int_equal(t.site, tw_ghost_true_nsite(s.search));
        tw_ghost_free(g);
    }
    tear_down(&s);
}

static void linear_logits(void **state)
{
    (void)state;
    check_linear("mlp(5,4)", "");
    check_linear("mlp(6,5,4,act=gelu)", "fc2");
    check_linear("mlp(6,5,4,act=identity)", "fc1");
    check_linear("mlp(6,5,8,act=tanh,norm=layer)", "fc2");
}

/* ---- quadratic logits ---------------------------------------------------------------------- */

/* z + a t + b t^2: sum exp at t over its largest term. */
static struct tw_cx quadratic(size_t n, const double *z, const double *a, const double *b,
                              struct tw_cx t)
{
    const struct tw_cx t2 = { t.re * t.re - t.im * t.im, 2.0 * t.re * t.im };
    struct tw_cx sum = { 0.0, 0.0 };
    double most = -HUGE_VAL;

    for (size_t k = 0; k < n; k++)
        most = fmax(most, z[k] + a[k] * t.re + b[k] * t2.re);
    for (size_t k = 0; k < n; k++) {
        const double size = exp(z[k] + a[k] * t.re + b[k] * t2.re - most);

        sum.re += size * cos(a[k] * t.im + b[k] * t2.im);
        sum.im += size * sin(a[k] * t.im + b[k] * t2.im);
    }
    return sum;
}

/* Turns along the half circle, in 20000 steps. */
static double turns(size_t n, const double *z, const double *a, const double *b, double radius)
{
    double last = 0.0, sum = 0.0;

    for (int i = 1; i <= 20000; i++) {
        const double theta = PI * i / 20000.0;
        const struct tw_cx f =
            quadratic(n, z, a, b, (struct tw_cx){ radius * cos(theta), radius * sin(theta) });
        const double phase = atan2(f.im, f.re);

        sum += remainder(phase - last, 2.0 * PI);
        last = phase;
    }
    return sum / (2.0 * PI);
}

static void quadratic_logits(void **state)
{
    struct setting s;
    double z[4], a[4], b[4];

    (void)state;
    set_up(&s, "mlp(6,5,4,act=identity)", 0.5, "");
    for (size_t row = 0; row < 4; row++) {
        const double *v1 = parameters(&s, "fc1.weight", s.v), *c1 = parameters(&s, "fc1.bias", s.v);
        const double *v2 = parameters(&s, "fc2.weight", s.v);
        double bound, least = HUGE_VAL;
        struct tw_ghost_true t;

        slopes_of(&s, row, z, a);
        for (size_t k = 0; k < 4; k++) { /* b = V2 h' */
            b[k] = 0.0;
            for (size_t j = 0; j < 5; j++) {
                double h = c1[j];

                for (size_t i = 0; i < 6; i++)
                    h += v1[j * 6 + i] * tw_array_real(&s.x, row * 6 + i);
                b[k] += v2[k * 5 + j] * h;
            }
        }
        bound = tw_ghost_quadratic(4, z, a, b, 1.0);
        t = solve(&s, row, bound);
        assert_int_equal(t.state, TW_GHOST_TRUE_COUNTED);
        assert_true(t.radius >= bound);
        /* It is a zero, and the nearest. */
        least = hypot(quadratic(4, z, a, b, (struct tw_cx){ t.re, t.im }).re,
                      quadratic(4, z, a, b, (struct tw_cx){ t.re, t.im }).im);
        assert_true(least < 1e-9);
        check_close(turns(4, z, a, b, t.radius * (1.0 - 1e-4)), 0.0, 0.0, 1e-3);
        assert_true(turns(4, z, a, b, t.radius * (1.0 + 1e-4)) > 0.9);
    }
    tear_down(&s);
}

/* ---- inside the network -------------------------------------------------------------------- */

/* Logits that differ by constants: the softmax has no zero, and what limits is the activation or
 * the normalisation of the first layer, whose input is affine in t. */
static void check_inside(const char *spec, enum tw_ghost_site_kind kind, const char *what)
{
    enum { IN = 4, HIDDEN = 5 };
    struct setting s;

    set_up(&s, spec, 0.8, "fc1");
    for (size_t k = 1; k < s.classes; k++)
        memcpy(parameters(&s, "fc2.weight", s.params) + k * HIDDEN,
               parameters(&s, "fc2.weight", s.params), HIDDEN * sizeof(double));
    for (size_t row = 0; row < 5; row++) {
        double h[HIDDEN], d[HIDDEN], nearest = HUGE_VAL;
        struct tw_ghost_true t;

        for (size_t j = 0; j < HIDDEN; j++) {
            h[j] = parameters(&s, "fc1.bias", s.params)[j];
            d[j] = parameters(&s, "fc1.bias", s.v)[j];
            for (size_t i = 0; i < IN; i++) {
                const double x = tw_array_real(&s.x, row * IN + i);

                h[j] += parameters(&s, "fc1.weight", s.params)[j * IN + i] * x;
                d[j] += parameters(&s, "fc1.weight", s.v)[j * IN + i] * x;
            }
        }
        for (size_t j = 0; j < HIDDEN; j++)
            nearest = fmin(nearest, tw_ghost_unit(kind, h[j], d[j]));
        if (kind == TW_GHOST_NORM)
            nearest = tw_ghost_row(kind, HIDDEN, h, d, 1e-5);
        t = solve(&s, row, 0.3);
        assert_int_equal(t.state, TW_GHOST_TRUE_COUNTED);
        check_close(t.radius, nearest, kind == TW_GHOST_GELU_TANH ? 1e-8 : 1e-9, 0.0);
        assert_true(t.site < tw_ghost_true_nsite(s.search));
        assert_string_equal(tw_ghost_true_site(s.search, t.site).what, what);
    }
    tear_down(&s);
}

static void poles_and_variances(void **state)
{
    (void)state;
    check_inside("mlp(4,5,3,act=tanh)", TW_GHOST_TANH, "tanh");
    check_inside("mlp(4,5,3,act=silu)", TW_GHOST_SIGMOID, "sigmoid"); /* times x */
    check_inside("mlp(4,5,3,act=sigmoid)", TW_GHOST_SIGMOID, "sigmoid");
    check_inside("mlp(4,5,3,act=gelu_tanh)", TW_GHOST_GELU_TANH, "GELU by tanh");
    check_inside("mlp(4,5,3,act=identity,norm=layer)", TW_GHOST_NORM, "layer normalisation");
}

/* exp(x) alone in front of logits that differ by constants: nothing is ever singular. */
static void nothing_to_find(void **state)
{
    struct setting s;
    struct tw_ghost_true t;

    (void)state;
    set_up(&s, "mlp(4,5,3,act=gelu)", 0.05, "fc2.bias");
    for (size_t k = 0; k < 3; k++)
        parameters(&s, "fc2.bias", s.v)[k] = 0.5;
    t = solve(&s, 0, 1.0);
    assert_int_equal(t.state, TW_GHOST_TRUE_BEYOND);
    assert_true(isinf(t.radius) && t.low >= 64.0);
    tear_down(&s);
}

/* ---- Taylor coefficients ------------------------------------------------------------------- */

/* log F has the coefficients -sum over zeros of t^-n / n: times n, those of the nearest pair obey
 * d(n+1) = 2 Re(1/t) d(n) - |1/t|^2 d(n-1). F by the network itself, coefficients by the trapezoid
 * rule on a circle, |t| from the last ones. */
static void check_growth(const char *spec, double spread, double off)
{
    enum { POINTS = 2048, FIRST = 600, MANY = 60 };
    struct setting s;

    set_up(&s, spec, spread, "");
    for (size_t row = 0; row < 3; row++) {
        const struct tw_ghost_true t = solve(&s, row, 0.2);
        struct tw_complex *c = tw_complex_new(s.graph, &failure);
        struct tw_cx *near = tw_alloc(tw_complex_nwatch(c), sizeof *near);
        double log_re[POINTS + 1], log_im[POINTS + 1], d[MANY], r, sum[5] = { 0.0 };

        assert_int_equal(t.state, TW_GHOST_TRUE_COUNTED);
        assert_int_equal(t.site, tw_ghost_true_nsite(s.search));
        tw_complex_line(c, s.params, s.v, NULL);
        tw_complex_sample(c, &s.x, row);
        r = 0.98 * t.radius;
        for (int i = 0; i <= POINTS; i++) {
            const double theta = PI * i / POINTS;
            const struct tw_cx *z;
            double re = 0.0, im = 0.0;

            tw_complex_run(c, (struct tw_cx){ r * cos(theta), r * sin(theta) }, i ? near : NULL,
                           near);
            z = tw_complex_output(c);
            for (size_t k = 0; k < s.classes; k++) {
                re += exp(z[k].re - z[0].re) * cos(z[k].im - z[0].im);
                im += exp(z[k].re - z[0].re) * sin(z[k].im - z[0].im);
            }
            log_re[i] = log(hypot(re, im)) + z[0].re;
            log_im[i] = atan2(im, re) + z[0].im;
            if (i)
                log_im[i] += 2.0 * PI * nearbyint((log_im[i - 1] - log_im[i]) / (2.0 * PI));
        }
        for (int n = 0; n < MANY; n++) {
            const int order = FIRST + n;

            d[n] = 0.0;
            for (int i = 0; i <= POINTS; i++) {
                const double theta = order * PI * i / POINTS;

                d[n] += (i == 0 || i == POINTS ? 0.5 : 1.0) *
                        (log_re[i] * cos(theta) + log_im[i] * sin(theta)) * order;
            }
        }
        /* d2 = p d1 - q d0 in the least squares; in units of the circle q = (r / |t|)^2. */
        for (int n = 0; n + 2 < MANY; n++) {
            sum[0] += d[n] * d[n];
            sum[1] += d[n] * d[n + 1];
            sum[2] += d[n + 1] * d[n + 1];
            sum[3] += d[n] * d[n + 2];
            sum[4] += d[n + 1] * d[n + 2];
        }
        check_close(
            r / sqrt((sum[1] * sum[4] - sum[2] * sum[3]) / (sum[0] * sum[2] - sum[1] * sum[1])),
            t.radius, off, 0.0);
        tw_complex_free(c);
        free(near);
    }
    tear_down(&s);
}

static void growth_of_coefficients(void **state)
{
    (void)state;
    check_growth("mlp(6,8,8,4,act=gelu,norm=layer)", 0.3, 2e-3);
    check_growth("mlp(6,8,8,4,act=silu)", 0.3, 2e-3);
    check_growth("mlp(6,8,4,act=tanh)", 0.3, 2e-3);
}

/* ---- kinks --------------------------------------------------------------------------------- */

/* First layer: -h / h' where that is positive, exactly. Second: by a walk along the real line. */
static void first_kink(void **state)
{
    struct setting s;

    (void)state;
    set_up(&s, "mlp(5,6,4)", 0.5, "fc1");
    for (size_t row = 0; row < ROWS; row++) {
        double nearest = HUGE_VAL;
        struct tw_ghost_true t = solve(&s, row, 1.0);

        for (size_t j = 0; j < 6; j++) {
            double h = parameters(&s, "fc1.bias", s.params)[j];
            double d = parameters(&s, "fc1.bias", s.v)[j];

            for (size_t i = 0; i < 5; i++) {
                const double x = tw_array_real(&s.x, row * 5 + i);

                h += parameters(&s, "fc1.weight", s.params)[j * 5 + i] * x;
                d += parameters(&s, "fc1.weight", s.v)[j * 5 + i] * x;
            }
            nearest = fmin(nearest, tw_ghost_unit(TW_GHOST_KINK, h, d));
        }
        if (nearest > t.radius)
            nearest = HUGE_VAL;
        check_close(t.kink, nearest, 1e-9, 0.0);
    }
    tear_down(&s);
    set_up(&s, "mlp(5,6,6,4)", 0.5, "");
    for (size_t row = 0; row < 4; row++) {
        struct tw_complex *c = tw_complex_new(s.graph, &failure);
        const struct tw_ghost_true t = solve(&s, row, 1.0);
        double at = 0.0, ahead;
        struct tw_cx none;

        assert_true(isfinite(t.kink));
        tw_complex_line(c, s.params, s.v, NULL);
        tw_complex_sample(c, &s.x, row);
        assert_int_equal(tw_complex_nwatch(c), 0);
        for (int i = 0; i <= 4000 && at <= 1.2 * t.kink; i++) {
            tw_complex_run(c, (struct tw_cx){ at, 0.0 }, NULL, &none);
            if (tw_complex_margin(c, &ahead) < 0.0)
                break;
            at += t.kink / 1000.0;
        }
        check_close(at, t.kink, 1.1e-3, 0.0);
        tw_complex_free(c);
    }
    tear_down(&s);
}

/* The same bits at any number of threads; all softmaxes of a row count. */
static void threads_and_positions(void **state)
{
    struct setting s;
    struct tw_ghost_true one[ROWS], three[ROWS], joint;
    size_t rows[ROWS];
    double start[ROWS];
    struct tw_ghost_true_search *search;

    (void)state;
    set_up(&s, "mlp(5,6,4,act=gelu,norm=layer)", 0.5, "");
    for (size_t i = 0; i < ROWS; i++) {
        rows[i] = ROWS - 1 - i;
        start[i] = 0.3;
    }
    tw_ghost_true_run(s.search, ROWS, rows, start, one);
    s.line.threads = 3;
    search = tw_ghost_true_new(&s.line, &failure);
    assert_non_null(search);
    tw_ghost_true_run(search, ROWS, rows, start, three);
    for (size_t i = 0; i < ROWS; i++) {
        check_ulp(one[i].radius, three[i].radius, 0);
        check_ulp(one[i].low, three[i].low, 0);
        check_ulp(one[i].re, three[i].re, 0);
        assert_int_equal(one[i].evaluations, three[i].evaluations);
    }
    tw_ghost_true_free(search);
    /* Logits 0, 2 and 1, 3 as two softmaxes of two classes. */
    s.line.classes = s.line.inner = 2;
    s.line.threads = 1;
    search = tw_ghost_true_new(&s.line, &failure);
    assert_non_null(search);
    tw_ghost_true_run(search, 1, rows, start, &joint);
    tw_ghost_true_free(search);
    {
        double *w = parameters(&s, "fc2.weight", s.params), *d = parameters(&s, "fc2.weight", s.v);
        double *b = parameters(&s, "fc2.bias", s.params), *e = parameters(&s, "fc2.bias", s.v);
        double alone[2];

        for (size_t half = 0; half < 2; half++) { /* the other two out of the way */
            double kept[2];

            for (size_t k = 0; k < 2; k++) {
                kept[k] = b[1 - half + 2 * k];
                b[1 - half + 2 * k] = -400.0;
            }
            search = tw_ghost_true_new(&(struct tw_ghost_true_line){ .graph = s.graph,
                                                                     .params = s.params,
                                                                     .direction = s.v,
                                                                     .x = &s.x,
                                                                     .classes = 4,
                                                                     .inner = 1,
                                                                     .threads = 1 },
                                       &failure);
            tw_ghost_true_run(search, 1, rows, start, &one[half]);
            alone[half] = one[half].radius;
            tw_ghost_true_free(search);
            for (size_t k = 0; k < 2; k++)
                b[1 - half + 2 * k] = kept[k];
        }
        assert_true(w && d && e);
        check_close(joint.radius, fmin(alone[0], alone[1]), 1e-8, 0.0);
    }
    tear_down(&s);
}

/* Rows of which something nearer may exist are told from the others, on the terminal and in the
 * file. */
static void states_are_told(void **state)
{
    struct ghost_truth truth[3] = { { .softmax = 0, .where = "", .what = "the softmax" },
                                    { .softmax = 1, .where = "", .what = "nothing found" },
                                    { .softmax = 2, .where = "", .what = "not resolved" } };
    double near[3] = { 1.0, 1.0, 1.0 };
    size_t row[3] = { 10, 20, 30 }, dims[2] = { 1, 3 };
    struct ghost_line line = {
        .tau = (double)NAN, .n = 3, .rho_a = near, .rho = near, .row = row, .ntruth = 3
    };
    struct tw_call call = { 0 };
    const struct ghost g = { .call = &call, .nline = 1, .line = &line };
    struct tw_result *r;
    struct tw_reader in;
    const int out = dup(1);
    char text[2000] = "";
    double *x;
    FILE *f;

    (void)state;
    for (size_t k = 0; k < 3; k++)
        truth[k].t = (struct tw_ghost_true){ .state = (enum tw_ghost_true_state)k, .radius = 2.0 };
    line.truth = truth;
    line.all.rho_a.value = 1.0;
    (void)fflush(stdout);
    f = freopen(in_folder("table"), "w+", stdout);
    assert_true(f && out >= 0);
    tw_ghost_truths_print(&line);
    rewind(f);
    text[fread(text, 1, sizeof text - 1, f)] = '\0';
    (void)dup2(out, 1);
    (void)close(out);
    assert_non_null(strstr(text, "first kink  state"));
    assert_non_null(strstr(text, "the softmax             0  counted\n"));
    assert_non_null(strstr(text, "nothing found           0  beyond\n"));
    assert_non_null(strstr(text, "not resolved            0  open\n"));

    r = tw_result_create(in_folder("x.h5"), "ghost", TW_RESULT_ATOMIC, true, NULL, &failure);
    assert_non_null(r);
    assert_int_equal(tw_ghost_truths_put(&g, r), TW_OK);
    assert_int_equal(tw_result_close(r, &failure), TW_OK);
    in = tw_reader_open(in_folder("x.h5"), "ghost", &failure);
    x = tw_reader_reals(&in, "/true/state", 2, dims);
    assert_non_null(x);
    for (size_t k = 0; k < 3; k++)
        assert_true(x[k] == (double)k);
    free(x);
    assert_int_equal(tw_reader_close(&in), TW_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(linear_logits),          cmocka_unit_test(quadratic_logits),
        cmocka_unit_test(poles_and_variances),    cmocka_unit_test(nothing_to_find),
        cmocka_unit_test(growth_of_coefficients), cmocka_unit_test(first_kink),
        cmocka_unit_test(threads_and_positions),  folder_test(states_are_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
