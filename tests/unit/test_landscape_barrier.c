/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Barriers against closed forms, direct estimates and simulated populations; their split into
 * layers; what is known of permuted and of convex networks. */
#include <omp.h>
#include <stdlib.h>

#include "num.h"
#include "thalweg/landscape_barrier.h"
#include "thalweg/landscape_split.h"

/* ---- lines made of numbers ---------------------------------------------------------------------
 */

enum { M = 7, ROWS = 240 };

struct made {
    struct tw_line l;
    double loss[M * ROWS], weight[ROWS];
};

/* x(sample, t): sums of losses; t even. */
static void make(struct made *d, size_t n, double (*x)(void *ctx, size_t i, double t), void *ctx,
                 double (*w)(size_t i))
{
    const struct tw_line_options o = { .hi = 1.0, .max_points = M, .even = true };

    assert_int_equal(tw_line_init(&d->l, &o, NULL), TW_OK);
    d->l.samples = n;
    d->l.loss = d->loss;
    d->l.weight = d->weight;
    for (size_t i = 0; i < n; i++)
        d->weight[i] = w ? w(i) : 1.0;
    for (size_t k = 0; k < M; k++) {
        struct tw_line_point p = { .t = (double)k / (M - 1), .slope = NAN };

        for (size_t i = 0; i < n; i++)
            d->loss[k * n + i] = x(ctx, i, p.t);
        p.values.loss = tw_estimate_ratio(n, d->loss + k * n, d->weight, NAN, n);
        assert_int_equal(tw_line_add(&d->l, &p, NULL), TW_OK);
    }
}

static struct tw_barrier measure(const struct made *d, enum tw_barrier_kind kind, size_t all)
{
    const struct tw_barrier_options o = { .seed = 5 };
    struct tw_barrier b;
    struct tw_err err = { 0 };

    if (tw_barrier_measure(&d->l, TW_LINE_LOSS, kind, all, &o, &b, &err) != TW_OK)
        fail_msg("%s", err.msg);
    return b;
}

static double uneven(size_t i)
{
    return 1.0 + (double)(i % 4);
}

/* A hill that differs between samples, between unequal ends. */
static double hills(void *ctx, size_t i, double t)
{
    const double height = 1.0 + 0.8 * sin(12.9 * (double)i), wave = cos(3.7 * (double)i);

    (void)ctx;
    return uneven(i) * (0.4 + 0.3 * t + height * 4.0 * t * (1.0 - t)) + wave * t;
}

static void errors_are_those_of_paired_differences(void **state)
{
    struct made *d = tw_alloc(1, sizeof *d);
    double x[ROWS];
    struct tw_barrier e, f, part;
    struct tw_estimate want;

    (void)state;
    make(d, ROWS, hills, NULL, uneven);
    e = measure(d, TW_BARRIER_ENTEZARI, ROWS);
    f = measure(d, TW_BARRIER_FRANKLE, ROWS);
    part = measure(d, TW_BARRIER_ENTEZARI, 4 * (size_t)ROWS);
    for (size_t i = 0; i < ROWS; i++)
        x[i] = d->loss[3 * ROWS + i] - 0.5 * (d->loss[i] + d->loss[6 * ROWS + i]);
    want = tw_estimate_ratio(ROWS, x, d->weight, NAN, 4 * (size_t)ROWS);
    check_ulp(e.t, 0.5, 0);
    check_close(e.value, want.value, 1e-12, 0.0);
    check_close(e.se, want.se, 1e-10, 0.0);
    check_ulp(e.se_data, 0.0, 0);
    check_close(e.lo_data, e.value, 1e-12, 0.0);
    check_close(e.hi_data, e.value, 1e-12, 0.0);
    check_close(part.se_data, want.se_data, 1e-10, 0.0);
    check_close(part.hi_data - part.value, 0.5 * sqrt(3.0) * (part.hi - part.value), 1e-9, 0.0);
    /* One point stands out: the interval is nearly that of one number. */
    check_close(e.c, 1.96, 0.05, 0.0);
    check_close(e.hi - e.value, e.c * e.se, 1e-9, 0.0);
    assert_true(e.bias >= 0.0 && e.bias < 0.1 * e.se);
    assert_true(e.t_lo <= 0.5 && e.t_hi >= 0.5 && e.t_hi - e.t_lo < 0.2);
    /* Frankle's is higher up where the second end is. */
    assert_true(f.value >= e.value - 1e-12);
    tw_line_release(&d->l);
    free(d);
}

static double falls(void *ctx, size_t i, double t)
{
    (void)ctx;
    return (2.0 + 0.1 * cos((double)i)) * (1.0 - t) + (t == 0.5 ? 1.2 : 0.0);
}

static void the_largest_rise_is_found_between_any_two_points(void **state)
{
    struct made *d = tw_alloc(1, sizeof *d);
    struct tw_barrier b;

    (void)state;
    make(d, 50, falls, NULL, NULL);
    b = measure(d, TW_BARRIER_RISE, 50);
    check_close(b.from, 1.0 / 3.0, 1e-12, 0.0);
    check_close(b.t, 0.5, 1e-12, 0.0);
    check_close(b.value, 1.2 - 2.0 / 6.0, 0.01, 0.0);
    assert_true(b.lo > 0.7);
    tw_line_release(&d->l);
    free(d);
}

static double rises_once(void *ctx, size_t i, double t)
{
    (void)ctx;
    (void)i;
    return t == 0.5 ? (double)INFINITY : 1.0 + t;
}

static void what_is_not_finite_is_left_out(void **state)
{
    struct made *d = tw_alloc(1, sizeof *d);
    struct tw_barrier b;

    (void)state;
    make(d, 20, rises_once, NULL, NULL);
    b = measure(d, TW_BARRIER_ENTEZARI, 20);
    check_close(b.value, 0.0, 0.0, 1e-15);
    d->l.point[0].values.loss.value = NAN;
    assert_true(isnan(measure(d, TW_BARRIER_ENTEZARI, 20).value));
    d->l.loss = NULL;
    assert_int_equal(tw_barrier_measure(&d->l, TW_LINE_LOSS, TW_BARRIER_RISE, 20,
                                        &(struct tw_barrier_options){ 0 }, &b, NULL),
                     TW_EINVAL);
    tw_line_release(&d->l);
    free(d);
}

static void verdicts_are_those_of_the_interval(void **state)
{
    const struct tw_barrier b = { .value = 0.03, .lo = 0.01, .hi = 0.05 };

    (void)state;
    assert_int_equal(tw_barrier_verdict(&b, 0.06), TW_CONNECTED);
    assert_int_equal(tw_barrier_verdict(&b, 0.005), TW_SEPARATED);
    assert_int_equal(tw_barrier_verdict(&b, 0.02), TW_UNDECIDED);
    /* 0.02 to a side must become 0.01: four times the samples. */
    check_close(tw_barrier_samples(&b, 0.02, 100), 400.0, 1e-12, 0.0);
    assert_int_equal(tw_barrier_verdict(&(struct tw_barrier){ .lo = NAN, .hi = NAN }, 1.0),
                     TW_UNDECIDED);
}

/* ---- a simulated population --------------------------------------------------------------------
 */

struct population {
    double a[ROWS], b[ROWS], c[ROWS];
};

/* Skewed heights, a lean and a shift of each sample; the population's excess is 2 t (1 - t). */
static double member(void *ctx, size_t i, double t)
{
    const struct population *p = ctx;

    return p->c[i] + p->a[i] * 2.0 * t * (1.0 - t) + p->b[i] * sin(6.283185307179586 * t);
}

static void intervals_cover_the_population(void **state)
{
    enum { TIMES = 200, N = 120 };
    struct made *d = tw_alloc(1, sizeof *d);
    size_t covered = 0;

    (void)state;
    for (size_t s = 0; s < TIMES; s++) {
        struct tw_rng rng = tw_rng_stream(11, TW_RNG_TEST, s);
        const struct tw_barrier_options o = { .seed = s, .replicates = 400 };
        struct population p;
        struct tw_barrier b;

        for (size_t i = 0; i < N; i++) {
            const double z = tw_rng_normal(&rng);

            p.a[i] = z * z;
            p.b[i] = tw_rng_normal(&rng);
            p.c[i] = tw_rng_normal(&rng);
        }
        make(d, N, member, &p, NULL);
        assert_int_equal(
            tw_barrier_measure(&d->l, TW_LINE_LOSS, TW_BARRIER_ENTEZARI, N, &o, &b, NULL), TW_OK);
        covered += b.lo <= 0.5 && b.hi >= 0.5;
        tw_line_release(&d->l);
    }
    assert_in_range(covered, 180, 199);
    free(d);
}

/* ---- closed forms ------------------------------------------------------------------------------
 */

enum { DIM = 3 };
static const double bowl[DIM * DIM] = { 2, 1, 0, 1, 3, -1, 0, -1, 4 };
static const double from[] = { 1.0, 0.0 }, to[] = { 0.0, 1.0 };
static const struct tw_line_path path = { 2, from, to, NULL };

static void a_quadratic_has_the_excess_of_its_curvature(void **state)
{
    static const double centre[DIM] = { 0.3, -0.1, 0.2 };
    static const float a[DIM] = { 1.0F, -0.5F, 2.0F }, b[DIM] = { -1.0F, 0.75F, 0.5F };
    const struct tw_ends ends = { { a, b }, { NULL, NULL } };
    struct tw_problem *p = tw_problem_quadratic(DIM, bowl, centre, NULL);
    const struct tw_line_options o = { .hi = 1.0, .max_points = 40, .tol = 1e-9 };
    struct tw_curvature_guess g;
    struct tw_line l;
    double q = 0.0, top;

    (void)state;
    for (size_t i = 0; i < DIM; i++)
        for (size_t j = 0; j < DIM; j++)
            q += (double)(b[i] - a[i]) * bowl[i * DIM + j] * (double)(b[j] - a[j]);
    assert_int_equal(
        tw_problem_anchor(p, 2, (struct tw_vector[]){ { .f = a }, { .f = b } }, NULL, NULL), TW_OK);
    assert_int_equal(tw_line_init(&l, &o, NULL), TW_OK);
    assert_int_equal(tw_line_sample(&l, p, &path, NULL, NULL, NULL), TW_OK);
    for (double t = 0.0; t <= 1.0; t += 0.05) {
        const double chord =
            (1.0 - t) * tw_line_at(&l, TW_LINE_LOSS, 0.0) + t * tw_line_at(&l, TW_LINE_LOSS, 1.0);

        check_close(tw_line_at(&l, TW_LINE_LOSS, t) - chord, -0.5 * t * (1.0 - t) * q, 0.0,
                    1e-6 * q); /* points are rounded to float */
    }
    top = tw_line_top(&l, TW_LINE_LOSS, true, NULL);
    assert_true(top <= 1e-6);
    assert_int_equal(tw_curvature_guess(p, &ends, &g, NULL), TW_OK);
    check_close(g.by_slopes, -q / 8.0, 1e-12, 0.0);
    check_close(g.by_ends, -q / 8.0, 1e-12, 0.0);
    check_close(g.by_middle, -q / 8.0, 1e-12, 0.0);
    check_close(g.by_three, -q / 8.0, 1e-12, 0.0);
    tw_line_release(&l);
    tw_problem_free(p);
}

/* ---- networks ----------------------------------------------------------------------------------
 */

enum { SAMPLES = 64, INPUTS = 5, CLASSES = 3 };

struct nets {
    struct tw_problem *p;
    struct tw_dataset data;
    struct tw_groups g;
    float *a, *b;
    struct tw_line l;
};

static struct tw_dataset clouds(void)
{
    const size_t dims[2] = { SAMPLES, INPUTS };
    struct tw_rng rng = tw_rng_stream(3, TW_RNG_TEST, 0);
    struct tw_dataset d = { 0 };

    assert_int_equal(tw_array_make(&d.x, TW_F32, 2, dims, NULL), TW_OK);
    assert_int_equal(tw_array_make(&d.y, TW_I64, 1, dims, NULL), TW_OK);
    for (size_t i = 0; i < SAMPLES * INPUTS; i++)
        tw_array_set_real(&d.x, i, 2.0 * tw_rng_normal(&rng));
    for (size_t i = 0; i < SAMPLES; i++)
        tw_array_set_real(&d.y, i, (double)(i % CLASSES));
    return d;
}

static void parameters(const char *spec, size_t n, float **out)
{
    struct tw_net *net = tw_family_net(spec, NULL);
    struct tw_graph *g = tw_graph_new(net, &(struct tw_graph_options){ 0 }, NULL);

    assert_non_null(g);
    assert_int_equal(tw_graph_layout(g)->n, n);
    *out = tw_alloc(n, sizeof **out);
    tw_graph_initial(g, *out, NULL);
    for (size_t i = 0; i < n; i++) /* far from the origin, so that barriers are seen */
        (*out)[i] *= 4.0F;
    tw_graph_free(g);
    tw_net_free(net);
}

static struct nets open_nets(const char *a, const char *b, size_t threads, bool real64)
{
    struct tw_problem_options po = { 0 };
    struct nets s = { .data = clouds() };
    struct tw_net *net = tw_family_net(a, NULL);
    struct tw_err err = { 0 };

    po.exec = (struct tw_exec_options){
        .threads = threads, .gradient = true, .tangents = 1, .real64 = real64
    };
    s.p = tw_problem_new(net, &s.data, &po, &err);
    if (!s.p)
        fail_msg("%s", err.msg);
    tw_net_free(net);
    parameters(a, s.p->dim, &s.a);
    parameters(b, s.p->dim, &s.b);
    assert_int_equal(tw_groups_make(s.p->layout, &s.g, NULL), TW_OK);
    return s;
}

static void sample(struct nets *s, double tol)
{
    const struct tw_line_options o = { .hi = 1.0, .tol = tol, .max_points = 100 };
    struct tw_err err = { 0 };

    assert_int_equal(tw_problem_anchor(
                         s->p, 2, (struct tw_vector[]){ { .f = s->a }, { .f = s->b } }, NULL, NULL),
                     TW_OK);
    assert_int_equal(tw_line_init(&s->l, &o, NULL), TW_OK);
    s->l.samples = SAMPLES;
    s->l.loss = tw_alloc(o.max_points, SAMPLES * sizeof(double));
    s->l.miss = tw_alloc(o.max_points, SAMPLES * sizeof(double));
    s->l.weight = tw_alloc(SAMPLES, sizeof(double));
    if (tw_line_sample(&s->l, s->p, &path, NULL, NULL, &err) != TW_OK)
        fail_msg("%s", err.msg);
}

static void close_nets(struct nets *s)
{
    free(s->l.loss);
    free(s->l.miss);
    free(s->l.weight);
    tw_line_release(&s->l);
    tw_groups_release(&s->g);
    tw_problem_free(s->p);
    tw_dataset_release(&s->data);
    free(s->a);
    free(s->b);
}

static void a_convex_loss_has_no_barrier(void **state)
{
    struct nets s = open_nets("mlp(5,3,seed=1)", "mlp(5,3,seed=2)", 1, true);
    struct tw_barrier b;

    (void)state;
    sample(&s, 1e-6);
    assert_int_equal(tw_barrier_measure(&s.l, TW_LINE_LOSS, TW_BARRIER_ENTEZARI, SAMPLES,
                                        &(struct tw_barrier_options){ 0 }, &b, NULL),
                     TW_OK);
    check_close(b.value, 0.0, 0.0, 1e-9);
    assert_true(tw_line_at(&s.l, TW_LINE_LOSS, 0.5) <
                0.5 * (tw_line_at(&s.l, TW_LINE_LOSS, 0.0) + tw_line_at(&s.l, TW_LINE_LOSS, 1.0)));
    close_nets(&s);
}

static void parts_of_layers_sum_to_the_whole(void **state)
{
    struct nets s =
        open_nets("mlp(5,12,12,3,act=tanh,seed=1)", "mlp(5,12,12,3,act=tanh,seed=2)", 1, true);
    const struct tw_ends ends = { { s.a, s.b }, { NULL, NULL } };
    const struct tw_parts_options o = { .t = 0.37, .tol = 1e-5, .max_gradients = 2000 };
    struct tw_parts parts;
    double sum = 0.0;

    (void)state;
    assert_int_equal(tw_parts_measure(s.p, &ends, &s.g, &o, &parts, NULL), TW_OK);
    assert_int_equal(parts.n, 3);
    assert_true(parts.converged);
    for (size_t k = 0; k < 3; k++)
        sum += parts.part[k];
    check_close(sum, parts.whole, 0.0, 1e-5);
    check_close(parts.residual, parts.whole - sum, 0.0, 1e-15);
    sample(&s, 1e-4);
    check_close(parts.whole,
                tw_line_at(&s.l, TW_LINE_LOSS, 0.37) - 0.63 * tw_line_at(&s.l, TW_LINE_LOSS, 0.0) -
                    0.37 * tw_line_at(&s.l, TW_LINE_LOSS, 1.0),
                0.0, 3e-4);
    tw_parts_release(&parts);
    assert_int_equal(
        tw_parts_measure(s.p, &ends, &s.g, &(struct tw_parts_options){ .t = 1.0 }, &parts, NULL),
        TW_EINVAL);
    tw_parts_release(&parts);
    close_nets(&s);
}

/* A layer whose ends are equal has no part, and the other has all; by another route, the only layer
 * that moves has the barrier of the path on which it moves alone. */
static void a_layer_that_does_not_move_has_no_part(void **state)
{
    struct nets s = open_nets("mlp(5,12,3,seed=1)", "mlp(5,12,3,seed=2)", 1, true);
    const struct tw_param *w = tw_layout_find(s.p->layout, "fc2.weight"),
                          *b = tw_layout_find(s.p->layout, "fc2.bias");
    const struct tw_ends ends = { { s.a, s.b }, { NULL, NULL } };
    const bool first[] = { true, false }, last[] = { false, true };
    struct tw_parts parts;
    struct tw_swap swap, two[2];
    double whole[2];

    (void)state;
    memcpy(s.b + w->offset, s.a + w->offset, w->n * sizeof *s.a);
    memcpy(s.b + b->offset, s.a + b->offset, b->n * sizeof *s.a);
    assert_int_equal(
        tw_parts_measure(s.p, &ends, &s.g,
                         &(struct tw_parts_options){ .t = 0.5, .tol = 2e-3, .max_gradients = 4000 },
                         &parts, NULL),
        TW_OK);
    check_ulp(parts.part[1], 0.0, 0);
    check_close(parts.part[0], parts.whole, 0.0, 2e-3);
    sample(&s, 1e-4);
    whole[0] = tw_line_at(&s.l, TW_LINE_LOSS, 0.0);
    whole[1] = tw_line_at(&s.l, TW_LINE_LOSS, 1.0);
    assert_int_equal(tw_swaps_measure(s.p, &ends, &s.g, 1, &(struct tw_swap_job){ first, 0, &swap },
                                      1e-4, 100, whole, NULL),
                     TW_OK);
    assert_int_equal(
        tw_swaps_measure(s.p, &ends, &s.g, 2,
                         (struct tw_swap_job[]){ { last, 1, &two[0] }, { first, 0, &two[1] } },
                         1e-4, 100, whole, NULL),
        TW_OK);
    assert_memory_equal(&two[1], &swap, sizeof swap); /* whoever is beside it */
    check_close(two[0].barrier, 0.0, 0.0, 1e-12);
    check_close(swap.middle, parts.whole, 0.0, 1e-4);
    check_close(swap.published, parts.whole, 0.0, 1e-4);
    tw_parts_release(&parts);
    close_nets(&s);
}

static void threads_do_not_change_a_bit(void **state)
{
    struct tw_barrier seen[3];
    double part[3][3];
    const int before = omp_get_max_threads();

    (void)state;
    for (int i = 0; i < 3; i++) {
        struct nets s =
            open_nets("mlp(5,12,12,3,seed=1)", "mlp(5,12,12,3,seed=2)", (size_t)1 << i, false);
        const struct tw_ends ends = { { s.a, s.b }, { NULL, NULL } };
        struct tw_parts parts;

        omp_set_num_threads(1 << i);
        sample(&s, 1e-3);
        assert_int_equal(tw_barrier_measure(&s.l, TW_LINE_ERROR, TW_BARRIER_FRANKLE, 2 * SAMPLES,
                                            &(struct tw_barrier_options){ .replicates = 300 },
                                            &seen[i], NULL),
                         TW_OK);
        assert_int_equal(tw_parts_measure(s.p, &ends, &s.g,
                                          &(struct tw_parts_options){ .t = 0.4, .tol = 1e-2 },
                                          &parts, NULL),
                         TW_OK);
        memcpy(part[i], parts.part, sizeof part[i]);
        tw_parts_release(&parts);
        close_nets(&s);
    }
    omp_set_num_threads(before);
    for (int i = 1; i < 3; i++) {
        assert_memory_equal(&seen[i], &seen[0], sizeof seen[0]);
        assert_memory_equal(part[i], part[0], sizeof part[0]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(errors_are_those_of_paired_differences),
        cmocka_unit_test(the_largest_rise_is_found_between_any_two_points),
        cmocka_unit_test(what_is_not_finite_is_left_out),
        cmocka_unit_test(verdicts_are_those_of_the_interval),
        cmocka_unit_test(intervals_cover_the_population),
        cmocka_unit_test(a_quadratic_has_the_excess_of_its_curvature),
        cmocka_unit_test(a_convex_loss_has_no_barrier),
        cmocka_unit_test(parts_of_layers_sum_to_the_whole),
        cmocka_unit_test(a_layer_that_does_not_move_has_no_part),
        cmocka_unit_test(threads_do_not_change_a_bit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
