/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Ghosts of many samples, several directions, quadratic logits; slopes of networks. */
#include <stdlib.h>

#include "num.h"
#include "thalweg/ghost_batch.h"
#include "thalweg/tensor_build.h"

#define PI 3.14159265358979323846

enum { N = 400, K = 7 };
static double logits[N * K], slopes[N * K];

static void draw(void)
{
    struct tw_rng r = tw_rng_stream(41, TW_RNG_TEST, 0);

    for (size_t i = 0; i < N * K; i++) {
        logits[i] = 2.5 * tw_rng_normal(&r);
        slopes[i] = tw_rng_normal(&r) * (1.0 + 0.01 * (double)(i / K % 90));
    }
}

/* ---- many samples -------------------------------------------------------------------------- */

static void the_batch_is_its_nearest_sample(void **state)
{
    const struct tw_ghost_samples s = { N, K, logits, slopes, 1.5 };
    double rho_a[2][N], low[2][N], rho[2][N], re[N], im[N], flip[N], variance[N];
    const struct tw_ghost_each all = { rho_a[0], low[0], rho[0], re, im, flip, variance };
    const struct tw_ghost_each some = { .rho_a = rho_a[1], .low = low[1], .rho = rho[1] };
    struct tw_ghost_batch a, b, c;
    struct tw_ghost *g = tw_ghost_alloc(K);
    struct tw_ghost_nearest_of nearest = { HUGE_VAL, 0 }, widest = nearest, b1 = nearest, b3 = b1;

    (void)state;
    draw();
    assert_int_equal(tw_ghost_batch(&s, TW_GHOST_ALL, 0.0, 3, 0, &all, &a, NULL), TW_OK);
    for (size_t i = 0; i < N; i++) {
        struct tw_ghost_bounds w;
        struct tw_ghost_zero q;

        assert_int_equal(tw_ghost_set(g, K, logits + i * K, slopes + i * K, 1.5, NULL), TW_OK);
        w = tw_ghost_bounds(g);
        q = tw_ghost_nearest(g);
        check_ulp(rho[0][i], q.rho, 0);
        check_ulp(low[0][i], q.rho, 0);
        check_ulp(re[i], q.re, 0);
        check_ulp(im[i], q.im, 0);
        check_ulp(rho_a[0][i], w.rho_a, 0);
        check_ulp(variance[i], w.variance, 0);
        if (q.rho < nearest.value)
            nearest = (struct tw_ghost_nearest_of){ q.rho, i };
        if (w.rho_a < widest.value)
            widest = (struct tw_ghost_nearest_of){ w.rho_a, i };
        if (w.b1 < b1.value)
            b1 = (struct tw_ghost_nearest_of){ w.b1, i };
        if (tw_ghost_b3(g) < b3.value)
            b3 = (struct tw_ghost_nearest_of){ tw_ghost_b3(g), i };
    }
    check_ulp(a.rho.value, nearest.value, 0);
    check_ulp(a.rho_a.value, widest.value, 0);
    check_ulp(a.b1.value, b1.value, 0);
    check_ulp(a.b3.value, b3.value, 0);
    assert_int_equal(a.b1.at, b1.at);
    assert_int_equal(a.b3.at, b3.at);
    assert_true(a.rho_a.value <= a.b1.value && a.b1.value <= a.b2.value);
    assert_true(a.b2.value < a.rho.value && a.b3.value < a.rho.value);
    assert_int_equal(a.rho.at, nearest.at);
    assert_int_equal(a.rho_a.at, widest.at);
    assert_int_equal(a.solved, N);
    /* Few zeros are enough to find the nearest, and those within a reach. */
    assert_int_equal(tw_ghost_batch(&s, TW_GHOST_NEAREST, 0.0, 1, 0, &some, &b, NULL), TW_OK);
    check_ulp(b.rho.value, nearest.value, 0);
    assert_true(isnan(b.b1.value) && isnan(b.b2.value) && isnan(b.b3.value));
    assert_int_equal(b.rho.at, nearest.at);
    assert_true(b.solved < N / 4);
    assert_int_equal(
        tw_ghost_batch(&s, TW_GHOST_NEAREST, 2.0 * nearest.value, 2, 0, &some, &c, NULL), TW_OK);
    for (size_t i = 0; i < N; i++) {
        assert_true(low[1][i] <= rho[0][i]);
        if (rho[0][i] < 2.0 * nearest.value)
            check_ulp(rho[1][i], rho[0][i], 0);
    }
    assert_true(c.solved > b.solved && c.solved < N);
    tw_ghost_free(g);
}

static void blocks_add_up(void **state)
{
    const struct tw_ghost_samples s[3] = { { N, K, logits, slopes, 1.0 },
                                           { 150, K, logits, slopes, 1.0 },
                                           { N - 150, K, logits + 150 * K, slopes + 150 * K,
                                             1.0 } };
    struct tw_ghost_batch whole, part, sum = { 0 };

    (void)state;
    draw();
    assert_int_equal(tw_ghost_batch(&s[0], TW_GHOST_ALL, 0.0, 2, 0, NULL, &whole, NULL), TW_OK);
    assert_int_equal(tw_ghost_batch(&s[1], TW_GHOST_ALL, 0.0, 2, 0, NULL, &part, NULL), TW_OK);
    tw_ghost_batch_add(&sum, &part, 0);
    assert_int_equal(tw_ghost_batch(&s[2], TW_GHOST_ALL, 0.0, 2, 150, NULL, &part, NULL), TW_OK);
    tw_ghost_batch_add(&sum, &part, 150);
    assert_int_equal(sum.rho.at, whole.rho.at);
    assert_int_equal(sum.rho_a.at, whole.rho_a.at);
    assert_int_equal(sum.solved, whole.solved);
    check_ulp(sum.rho.value, whole.rho.value, 0);
    check_ulp(sum.spread, whole.spread, 0);
}

static void a_sample_that_is_not_finite_is_named(void **state)
{
    const struct tw_ghost_samples s = { N, K, logits, slopes, 1.0 };
    struct tw_ghost_batch b;
    struct tw_err err = { 0 };

    (void)state;
    draw();
    slopes[211 * K + 3] = INFINITY;
    slopes[305 * K] = NAN;
    assert_int_equal(tw_ghost_batch(&s, TW_GHOST_ALL, 0.0, 2, 1000, NULL, &b, &err), TW_EDOMAIN);
    assert_string_equal(err.msg, "sample 1211: the slope of class 3 is inf");
}

static void mini_batches_see_less(void **state)
{
    double radius[N], out[50];

    (void)state;
    for (size_t i = 0; i < N; i++)
        radius[i] = 1.0 + (double)((i * 37) % N);
    assert_int_equal(tw_ghost_mini_batches(N, radius, N, 5, 1, out, NULL), TW_OK);
    for (size_t t = 0; t < 5; t++)
        check_ulp(out[t], 1.0, 0);
    assert_int_equal(tw_ghost_mini_batches(N, radius, 20, 50, 1, out, NULL), TW_OK);
    /* The least of 20 of 1 .. 400 has the mean 401/21 = 19.1 and about that deviation. */
    check_close(tw_sum(out, 50) / 50.0, 401.0 / 21.0, 0.0, 4.0 * 18.0 / sqrt(50.0));
}

/* ---- several directions -------------------------------------------------------------------- */

static void layers_together(void **state)
{
    static const double length[] = { 0.4, 1.1 }, spread[] = { 3.0, 0.5 };
    static const double a[] = { 1.0, 2.0, 4.0, -1.0, 0.0, 0.5 }; /* 3 classes, 2 directions */
    const double r = tw_ghost_subspace(3, 2, a, 2.0);

    (void)state;
    check_close(tw_ghost_polydisc(2, length, spread, 1.0), 1.75 / PI, 1e-15, 0.0);
    /* The farthest rows are 1 and 2: (4, -1.5) apart. */
    check_close(r, 2.0 * PI / sqrt(18.25), 1e-15, 0.0);
    assert_true(isinf(tw_ghost_subspace(1, 2, a, 1.0)));
}

/* ---- quadratic logits ---------------------------------------------------------------------- */

/* Zeros of sum exp(z + a t + b t^2) within a radius, from its argument around the whole circle. */
static long zeros_within(size_t n, const double *z, const double *a, const double *b, double radius)
{
    enum { STEPS = 6000 };
    double turned = 0.0, last = 0.0;

    for (int i = 0; i <= STEPS; i++) {
        const double x = radius * cos(2.0 * PI * i / STEPS), y = radius * sin(2.0 * PI * i / STEPS);
        double top = -HUGE_VAL, re = 0.0, im = 0.0, phase;

        for (size_t k = 0; k < n; k++)
            top = fmax(top, z[k] + a[k] * x + b[k] * (x * x - y * y));
        for (size_t k = 0; k < n; k++) {
            const double size = exp(z[k] + a[k] * x + b[k] * (x * x - y * y) - top);

            re += size * cos(a[k] * y + b[k] * 2.0 * x * y);
            im += size * sin(a[k] * y + b[k] * 2.0 * x * y);
        }
        phase = atan2(im, re);
        turned += i ? remainder(phase - last, 2.0 * PI) : 0.0;
        last = phase;
    }
    return lround(turned / (2.0 * PI));
}

static void no_zero_within_the_quadratic_bound(void **state)
{
    static const double z2[] = { 20.0, 20.0 }, a2[] = { 0.0, 1.0 }, b2[] = { 0.0, 0.1 };
    struct tw_rng r = tw_rng_stream(8, TW_RNG_TEST, 0);
    double z[6], a[6], b[6], zero[6] = { 0.0 };
    struct tw_ghost *g = tw_ghost_alloc(6);

    (void)state;
    /* Its zeros solve t + 0.1 t^2 = i pi: the nearest at 2.8417, below pi over the spread. */
    assert_true(tw_ghost_quadratic(2, z2, a2, b2, 1.0) < 2.8417);
    assert_true(tw_ghost_quadratic(2, z2, a2, b2, 1.0) > 2.0);
    assert_int_equal(zeros_within(2, z2, a2, b2, 2.8416), 0);
    assert_true(zeros_within(2, z2, a2, b2, 2.8418) > 0);
    for (size_t item = 0; item < 40; item++) {
        const size_t n = 2 + item % 5;
        double bound;

        for (size_t k = 0; k < n; k++) {
            z[k] = tw_rng_normal(&r) + (k == 0 && item % 2 ? 5.0 : 0.0);
            a[k] = tw_rng_normal(&r);
            b[k] = 0.3 * tw_rng_normal(&r);
        }
        bound = tw_ghost_quadratic(n, z, a, b, 1.0);
        assert_int_equal(zeros_within(n, z, a, b, 0.9999 * bound), 0);
        /* Straight logits: B1, up to the width of the angles' cells. */
        assert_int_equal(tw_ghost_set(g, n, z, a, 1.0, NULL), TW_OK);
        check_close(tw_ghost_quadratic(n, z, a, zero, 1.0), tw_ghost_bounds(g).b1, 0.012, 0.0);
        assert_true(tw_ghost_quadratic(n, z, a, zero, 1.0) <=
                    tw_ghost_bounds(g).b1 * (1.0 + 1e-12));
    }
    tw_ghost_free(g);
}

static void rates_keep_the_normalised_step(void **state)
{
    (void)state;
    /* r = eta norm / rho_a */
    check_close(tw_ghost_rate(TW_GHOST_CAP, 0.5, 2.0, 0.3, 4.0), 0.15, 1e-15, 0.0);
    check_close(tw_ghost_rate(TW_GHOST_CAP, 0.1, 2.0, 0.3, 4.0), 0.1, 0.0, 0.0);
    check_close(tw_ghost_rate(TW_GHOST_RATE, 0.1, 2.0, 0.3, 4.0), 0.15, 1e-15, 0.0);
    check_close(tw_ghost_rate(TW_GHOST_RATE, 0.1, 2.0, INFINITY, 4.0), 0.1, 0.0, 0.0);
    check_close(tw_ghost_rate(TW_GHOST_CAP, 0.1, 2.0, 0.3, 0.0), 0.1, 0.0, 0.0);
}

/* ---- networks ------------------------------------------------------------------------------ */

struct seen {
    double *z, *a; /* softmax by softmax; a for direction 1 */
    size_t *row, *label, n, blocks;
};

static enum tw_status see(void *ctx, const struct tw_ghost_block *b, struct tw_err *err)
{
    struct seen *s = ctx;

    (void)err;
    assert_int_equal(b->first, s->n);
    memcpy(s->z + b->first * b->classes, b->logits, b->n * b->classes * sizeof *s->z);
    memcpy(s->a + b->first * b->classes, b->slopes[1], b->n * b->classes * sizeof *s->a);
    memcpy(s->row + b->first, b->row, b->n * sizeof *b->row);
    memcpy(s->label + b->first, b->label, b->n * sizeof *b->label);
    s->n += b->n;
    s->blocks++;
    return TW_OK;
}

/* The rows' logits at params + h v. */
static void logits_at(struct tw_problem *p, const double *params, const double *v, double h,
                      double *out)
{
    double *at = tw_alloc(p->dim, sizeof *at);
    struct tw_err err = { 0 };

    for (size_t i = 0; i < p->dim; i++)
        at[i] = params[i] + h * v[i];
    if (tw_problem_eval(p, &(struct tw_request){ .at = { .d = at }, .logits = out }, &err) != TW_OK)
        fail_msg("%s", err.msg);
    free(at);
}

/* Softmaxes of a network whose classes lie along the last axis, or (turned) before its positions,
 * with targets that do not count: against logits and their differences. */
static void check_slopes(bool turned)
{
    enum { ROWS = 11, POS = 5, VOCAB = 6 };
    const size_t dims[2] = { ROWS, POS };
    struct tw_err err = { 0 };
    struct tw_net *net = tw_family_net("gpt(1,8,2,5,6)", &err);
    struct tw_dataset d = { 0 };
    struct tw_problem_options o = { .logits = true, .exec = { .real64 = true, .tangents = 2 } };
    double z[ROWS * POS * VOCAB], up[ROWS * POS * VOCAB], down[ROWS * POS * VOCAB];
    double got_z[ROWS * POS * VOCAB], got_a[ROWS * POS * VOCAB], *params, *v[2], rho_a,
        widest = 0.0;
    size_t row[ROWS * POS], label[ROWS * POS], m = 0;
    struct seen s = { got_z, got_a, row, label, 0, 0 };
    struct tw_rng rng = tw_rng_stream(2, TW_RNG_TEST, 0);
    struct tw_vector directions[2] = { 0 };
    struct tw_request r = { .ndirections = 2, .directions = directions };
    struct tw_problem *p;
    float *initial;

    assert_non_null(net);
    if (turned) {
        struct tw_net_build b = { net, &err, false, NULL };
        const int64_t perm[] = { 0, 2, 1 };
        const int out = tw_build_op1(&b, "Transpose", net->output[0]);

        tw_build_ints(&b, "perm", 3, perm);
        net->value[net->output[0]].is_output = false;
        net->noutput = 0;
        tw_build_output(&b, out);
        assert_false(b.failed);
    }
    assert_int_equal(tw_array_make(&d.x, TW_I64, 2, dims, NULL), TW_OK);
    assert_int_equal(tw_array_make(&d.y, TW_I64, 2, dims, NULL), TW_OK);
    for (size_t i = 0; i < ROWS * POS; i++) {
        tw_array_set_int(&d.x, i, (int64_t)tw_rng_below(&rng, VOCAB));
        tw_array_set_int(&d.y, i, i % 4 == 1 ? -100 : (int64_t)tw_rng_below(&rng, VOCAB));
    }
    p = tw_problem_new(net, &d, &o, &err);
    if (!p)
        fail_msg("%s", err.msg);
    params = tw_alloc(p->dim, sizeof *params);
    initial = tw_alloc(p->dim, sizeof *initial);
    tw_graph_initial(tw_problem_graph(p), initial, NULL);
    for (int t = 0; t < 2; t++) {
        v[t] = tw_alloc(p->dim, sizeof *v[t]);
        directions[t].d = v[t];
        for (size_t i = 0; i < p->dim; i++) {
            params[i] = (double)initial[i];
            v[t][i] = tw_rng_normal(&rng);
        }
    }
    r.at.d = params;
    /* Blocks of two rows. */
    if (tw_ghost_slopes(p, &r, 2 * 2 * 3 * POS * VOCAB * sizeof(double), see, &s, &err) != TW_OK)
        fail_msg("%s", err.msg);
    assert_int_equal(s.blocks, 6);
    assert_int_equal(s.n, tw_ghost_positions(p, &r));
    logits_at(p, params, v[1], 0.0, z);
    logits_at(p, params, v[1], 1e-6, up);
    logits_at(p, params, v[1], -1e-6, down);
    for (size_t i = 0; i < ROWS * POS; i++) {
        double lo = HUGE_VAL, hi = -HUGE_VAL;

        if (tw_array_int(&d.y, i) == -100)
            continue;
        assert_int_equal(row[m], i / POS);
        assert_int_equal(label[m], tw_array_int(&d.y, i));
        for (size_t k = 0; k < VOCAB; k++) {
            const size_t at = turned ? i / POS * POS * VOCAB + k * POS + i % POS : i * VOCAB + k;
            const double a = (up[at] - down[at]) / 2e-6;

            check_close(got_z[m * VOCAB + k], z[at], 1e-13, 1e-15);
            check_close(got_a[m * VOCAB + k], a, 1e-6, 1e-6);
            lo = fmin(lo, got_a[m * VOCAB + k]);
            hi = fmax(hi, got_a[m * VOCAB + k]);
        }
        widest = fmax(widest, hi - lo);
        m++;
    }
    assert_int_equal(m, s.n);
    r.ndirections = 1;
    directions[0].d = v[1];
    assert_int_equal(tw_ghost_radius(p, &r, &rho_a, &err), TW_OK);
    check_close(rho_a, PI / widest, 1e-14, 0.0);
    for (int t = 0; t < 2; t++)
        free(v[t]);
    free(params);
    free(initial);
    tw_problem_free(p);
    tw_dataset_release(&d);
    tw_net_free(net);
}

static void slopes_are_derivatives_of_logits(void **state)
{
    (void)state;
    check_slopes(false);
    check_slopes(true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_batch_is_its_nearest_sample),
        cmocka_unit_test(blocks_add_up),
        cmocka_unit_test(a_sample_that_is_not_finite_is_named),
        cmocka_unit_test(mini_batches_see_less),
        cmocka_unit_test(layers_together),
        cmocka_unit_test(no_zero_within_the_quadratic_bound),
        cmocka_unit_test(rates_keep_the_normalised_step),
        cmocka_unit_test(slopes_are_derivatives_of_logits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
