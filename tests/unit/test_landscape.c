/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Directions, charts and planes of trajectories against closed forms. */
#include <stdlib.h>

#include "noise.h"
#include "thalweg/landscape.h"

/* ---- directions ------------------------------------------------------------------------------ */

enum { IN = 5, HIDDEN = 7, OUT = 3, ROWS = 40 };

struct setting {
    struct tw_dataset data;
    struct tw_problem *p;
    float *at, *buffers;
};

static struct setting set_up(const char *spec)
{
    struct setting s = { .data = noise_set(11, ROWS, IN, OUT) };
    const struct tw_problem_options po = { .exec.real64 = true };
    struct tw_err err = { 0 };
    struct tw_net *net = tw_family_net(spec, &err);

    s.p = net ? tw_problem_new(net, &s.data, &po, &err) : NULL;
    if (!s.p)
        fail_msg("%s", err.msg);
    tw_net_free(net);
    s.at = tw_alloc(s.p->dim, sizeof *s.at);
    s.buffers = tw_alloc(s.p->layout->nb, sizeof *s.buffers);
    tw_graph_initial(tw_problem_graph(s.p), s.at, s.buffers);
    return s;
}

static void tear_down(struct setting *s)
{
    tw_problem_free(s->p);
    tw_dataset_release(&s->data);
    free(s->at);
    free(s->buffers);
}

static double norm(const float *x, size_t n, size_t step)
{
    double s = 0.0;

    for (size_t i = 0; i < n; i++)
        s += (double)x[i * step] * (double)x[i * step];
    return sqrt(s);
}

static void filters_have_the_lengths_of_their_weights(void **state)
{
    struct setting s = set_up("mlp(5,7,3)");
    const struct tw_direction_options o = { .seed = 3, .normalise = TW_NORMALISE_FILTER };
    float *d = tw_alloc(s.p->dim, sizeof *d);
    const struct tw_param *w = tw_layout_find(s.p->layout, "fc1.weight");
    const struct tw_param *b = tw_layout_find(s.p->layout, "fc1.bias");

    (void)state;
    tw_direction_make(s.p->layout, s.at, &o, d);
    assert_int_equal(w->dims[0], HIDDEN);
    for (size_t f = 0; f < HIDDEN; f++)
        check_close(norm(d + w->offset + f * IN, IN, 1), norm(s.at + w->offset + f * IN, IN, 1),
                    1e-6, 0.0);
    for (size_t i = 0; i < b->n; i++)
        assert_true(d[b->offset + i] == 0.0F);
    free(d);
    tear_down(&s);
}

/* A kernel as Keras keeps it, (in, out), with the same numbers: its filters are columns. */
static void the_filter_axis_counts(void **state)
{
    enum { N = IN * HIDDEN };
    struct tw_param p = { .name = (char[]){ "w" },
                          .role = TW_ROLE_WEIGHT,
                          .rank = 2,
                          .dims = { IN, HIDDEN },
                          .n = N,
                          .filter_axis = 1 };
    const struct tw_layout l = { .nparam = 1, .param = &p, .n = N };
    const struct tw_direction_options o = { .normalise = TW_NORMALISE_FILTER };
    float w[N], d[N];

    (void)state;
    for (size_t i = 0; i < N; i++)
        w[i] = (float)(1 + i * i);
    tw_direction_make(&l, w, &o, d);
    for (size_t f = 0; f < HIDDEN; f++)
        check_close(norm(d + f, IN, HIDDEN), norm(w + f, IN, HIDDEN), 1e-6, 0.0);
}

static void other_scales_and_rules(void **state)
{
    struct setting s = set_up("mlp(5,7,3,norm=layer)");
    struct tw_direction_options o = { .seed = 3, .biases = TW_BIAS_WEIGHTS };
    float *raw = tw_alloc(s.p->dim, sizeof *raw), *d = tw_alloc(s.p->dim, sizeof *d);
    const struct tw_param *w = tw_layout_find(s.p->layout, "fc2.weight");
    const struct tw_param *g = tw_layout_find(s.p->layout, "norm1.weight");

    (void)state;
    tw_direction_make(s.p->layout, s.at, &o, raw);
    for (size_t i = 0; i < g->n; i++)
        assert_true(raw[g->offset + i] == s.at[g->offset + i]);
    o.normalise = TW_NORMALISE_LAYER;
    o.biases = TW_BIAS_RANDOM;
    tw_direction_make(s.p->layout, s.at, &o, d);
    check_close(norm(d + w->offset, w->n, 1), norm(s.at + w->offset, w->n, 1), 1e-6, 0.0);
    check_close(norm(d + g->offset, g->n, 1), norm(s.at + g->offset, g->n, 1), 1e-6, 0.0);
    assert_true(d[g->offset] != s.at[g->offset]);
    /* The same numbers, only scaled. */
    check_close((double)(d[w->offset] / d[w->offset + 1]),
                (double)(raw[w->offset] / raw[w->offset + 1]), 1e-5, 0.0);
    o.normalise = TW_NORMALISE_WEIGHT;
    tw_direction_make(s.p->layout, s.at, &o, d);
    for (size_t i = 0; i < w->n; i++)
        assert_true(d[w->offset + i] == raw[w->offset + i] * s.at[w->offset + i]);
    /* Another index, other numbers. */
    o.normalise = TW_NORMALISE_NONE;
    o.index = 1;
    tw_direction_make(s.p->layout, s.at, &o, d);
    assert_true(d[w->offset] != raw[w->offset]);
    assert_true(fabs(tw_pair_of(s.p->dim, d, raw).cosine) < 0.4);
    free(raw);
    free(d);
    tear_down(&s);
}

/* The losses at x = -1 .. 1 along a direction. */
static void along(struct setting *s, const struct tw_direction_options *o, double loss[5])
{
    float *d = tw_alloc(s->p->dim, sizeof *d);
    const struct tw_vector anchors[2] = { { s->at, NULL }, { d, NULL } };
    const struct tw_chart c = tw_chart_centre(1);
    struct tw_values v;
    double w[TW_CHART_ANCHORS];

    tw_direction_make(s->p->layout, s->at, o, d);
    assert_int_equal(tw_problem_anchor(s->p, 2, anchors, NULL, NULL), TW_OK);
    for (int i = 0; i < 5; i++) {
        tw_chart_weights(&c, 0.5 * i - 1.0, 0.0, w);
        assert_int_equal(
            tw_problem_eval(s->p, &(struct tw_request){ .weights = w, .values = &v }, NULL), TW_OK);
        loss[i] = v.loss.value;
    }
    free(d);
}

/* W1, b1 -> c W1, c b1; W2 -> W2 / c is the same function (c > 0). */
static void rescaled_layers_have_the_same_normalised_curve(void **state)
{
    const struct tw_direction_options filter = { .seed = 5, .normalise = TW_NORMALISE_FILTER },
                                      none = { .seed = 5 };
    struct setting s = set_up("mlp(5,7,3)");
    double before[2][5], after[2][5];

    (void)state;
    along(&s, &filter, before[0]);
    along(&s, &none, before[1]);
    for (size_t k = 0; k < s.p->layout->nparam; k++) {
        const struct tw_param *p = &s.p->layout->param[k];
        const float by = !strcmp(p->layer, "fc1") ? 8.0F : p->role == TW_ROLE_BIAS ? 1.0F : 0.125F;

        for (size_t i = 0; i < p->n; i++)
            s.at[p->offset + i] *= by;
    }
    along(&s, &filter, after[0]);
    along(&s, &none, after[1]);
    check_vec(after[0], before[0], 5, 1e-6, 0.0);
    check_close(after[1][2], before[1][2], 1e-6, 0.0);
    assert_true(fabs(after[1][4] - before[1][4]) > 0.01);
    tear_down(&s);
}

/* ---- charts ---------------------------------------------------------------------------------- */

enum { N = 4 };
static const float corner[3][N] = { { 1, 2, -1, 0.5F }, { 3, 1, 0.25F, 0 }, { -2, 0, 5, 1 } };

static void a_triangle_keeps_its_sides_and_its_corners(void **state)
{
    const float *const points[3] = { corner[0], corner[1], corner[2] };
    const struct tw_vector anchors[3] = { { corner[0], 0 }, { corner[1], 0 }, { corner[2], 0 } };
    const float *const line[3] = { corner[0], corner[1], corner[1] };
    struct tw_err err = { 0 };
    struct tw_chart c;
    double x[3], y[3], w[TW_CHART_ANCHORS];
    float at[N];

    (void)state;
    assert_int_equal(tw_chart_triangle(N, points, &c, x, y, &err), TW_OK);
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < i; j++) {
            double d = 0.0;

            for (int k = 0; k < N; k++)
                d += pow((double)corner[i][k] - (double)corner[j][k], 2.0);
            check_close(hypot(x[i] - x[j], y[i] - y[j]), sqrt(d), 1e-12, 0.0);
        }
    for (int i = 0; i < 3; i++) {
        tw_chart_weights(&c, x[i], y[i], w);
        tw_mix(3, anchors, w, N, at, NULL);
        for (int k = 0; k < N; k++)
            check_close((double)at[k], (double)corner[i][k], 1e-7, 1e-7);
    }
    assert_int_equal(tw_chart_triangle(N, line, &c, x, y, &err), TW_EDOMAIN);
    assert_non_null(strstr(err.msg, "on one line"));
}

/* (x - c)' A (x - c) / 2 along charts. */
static void a_quadratic_is_exact_and_rows_are_lines(void **state)
{
    static const double a[N * N] = { 2, 1, 0, 0, 1, 3, 0, 0, 0, 0, 1, 0.5, 0, 0, 0.5, 4 };
    static const double c[N] = { 1, 0, -1, 2 };
    struct tw_problem *p = tw_problem_quadratic(N, a, c, NULL);
    const struct tw_vector anchors[3] = { { corner[0], 0 }, { corner[1], 0 }, { corner[2], 0 } };
    const struct tw_chart plane = tw_chart_centre(2), line = tw_chart_centre(1);
    struct tw_values v[2];
    double w[TW_CHART_ANCHORS];

    (void)state;
    for (int row = -1; row <= 1; row++)
        for (int i = -4; i <= 4; i++) {
            double want = 0.0, d[N];

            for (int k = 0; k < N; k++) {
                const double at = (double)corner[0][k] + 0.25 * i * (double)corner[1][k] +
                                  row * (double)corner[2][k];

                d[k] = at - c[k];
            }
            for (int k = 0; k < N * N; k++)
                want += 0.5 * a[k] * d[k / N] * d[k % N];
            assert_int_equal(tw_problem_anchor(p, 3, anchors, NULL, NULL), TW_OK);
            tw_chart_weights(&plane, 0.25 * i, row, w);
            assert_int_equal(
                tw_problem_eval(p, &(struct tw_request){ .weights = w, .values = &v[0] }, NULL),
                TW_OK);
            check_close(v[0].loss.value, want, 1e-6, 1e-6);
            if (row != 0)
                continue;
            assert_int_equal(tw_problem_anchor(p, 2, anchors, NULL, NULL), TW_OK);
            tw_chart_weights(&line, 0.25 * i, 0.0, w);
            assert_int_equal(
                tw_problem_eval(p, &(struct tw_request){ .weights = w, .values = &v[1] }, NULL),
                TW_OK);
            check_ulp(v[1].loss.value, v[0].loss.value, 0);
        }
    tw_problem_free(p);
}

static void both_ends_of_a_line_are_the_ends(void **state)
{
    const struct tw_vector anchors[2] = { { corner[0], 0 }, { corner[1], 0 } };
    const struct tw_chart c = tw_chart_line();
    double w[TW_CHART_ANCHORS];
    float at[N];

    (void)state;
    for (int end = 0; end < 2; end++) {
        tw_chart_weights(&c, end, 0.0, w);
        tw_mix(2, anchors, w, N, at, NULL);
        assert_memory_equal(at, corner[end], sizeof at);
    }
}

/* ---- trajectories ---------------------------------------------------------------------------- */

enum { POINTS = 9, DIM = 60 };

/* Points in the plane of two vectors, the last at the middle, with `off` along a third. */
struct path {
    float at[POINTS][DIM];
    double off[POINTS];
    size_t calls;
};

static struct path make_path(double size)
{
    struct path p = { .calls = 0 };
    double u[3][DIM];

    /* cosines over a whole period are orthogonal */
    for (int a = 0; a < 3; a++)
        for (int i = 0; i < DIM; i++)
            u[a][i] = cos(2.0 * 3.14159265358979323846 * (a + 1) * i / DIM) * sqrt(2.0 / DIM);
    for (int k = 0; k < POINTS; k++) {
        const double t = (double)(POINTS - 1 - k);

        p.off[k] = size * (k % 2) * t;
        for (int i = 0; i < DIM; i++)
            p.at[k][i] =
                (float)(1.0 + 3.0 * t * u[0][i] + 0.25 * t * t * u[1][i] + p.off[k] * u[2][i]);
    }
    return p;
}

static enum tw_status path_point(void *ctx, size_t k, float *params, float *buffers,
                                 struct tw_err *err)
{
    struct path *p = ctx;

    (void)err;
    memcpy(params, p->at[k], sizeof p->at[k]);
    buffers[0] = (float)k;
    p->calls++;
    return TW_OK;
}

static struct tw_trajectory plane_of(struct path *p, size_t held, bool from_last)
{
    const struct tw_trajectory_source s = { .n = POINTS,
                                            .dim = DIM,
                                            .nbuffer = 1,
                                            .memory = held * DIM * sizeof(float),
                                            .from_last = from_last,
                                            .point = path_point,
                                            .ctx = p };
    struct tw_trajectory t;
    struct tw_err err = { 0 };

    if (tw_trajectory_plane(&s, &t, &err) != TW_OK)
        fail_msg("%s", err.msg);
    return t;
}

static void a_planar_path_lies_in_its_plane(void **state)
{
    struct path p = make_path(0.0);
    struct tw_trajectory t = plane_of(&p, 0, false);

    (void)state;
    check_close(t.explained[0] + t.explained[1], 1.0, 1e-9, 0.0);
    for (int k = 0; k < POINTS; k++) {
        const double s = POINTS - 1 - k, far = hypot(3.0 * s, 0.25 * s * s);

        check_close(t.distance[k], far, 1e-5, 1e-6);
        check_close(hypot(t.x[k], t.y[k]), far, 1e-5, 1e-6);
        assert_true(t.off[k] < 1e-5);
    }
    assert_true(t.x[0] > 0.0 && t.y[0] > 0.0);
    assert_true(t.x[POINTS - 1] == 0.0 && t.off[POINTS - 1] == 0.0);
    check_close(norm(t.axis[0], DIM, 1), 1.0, 1e-6, 0.0);
    check_close(norm(t.axis[1], DIM, 1), 1.0, 1e-6, 0.0);
    assert_true(fabs(tw_pair_of(DIM, t.axis[0], t.axis[1]).cosine) < 1e-6);
    tw_trajectory_release(&t);
}

/* With a third dimension: what is left of a distance (Pythagoras), and in all what the two
 * components do not explain. Memory for few points changes nothing but how often they are read. */
static void what_is_off_the_plane_is_told(void **state)
{
    struct path p = make_path(0.1);
    struct tw_trajectory t = plane_of(&p, 0, true), u;
    const size_t calls = p.calls;
    double off = 0.0, all = 0.0;

    (void)state;
    for (int k = 0; k < POINTS; k++) {
        const double rest = t.distance[k] * t.distance[k] - t.x[k] * t.x[k] - t.y[k] * t.y[k];

        check_close(t.off[k], sqrt(fmax(rest, 0.0)), 1e-3, 1e-3);
        off += t.off[k] * t.off[k];
        all += t.distance[k] * t.distance[k];
    }
    assert_true(t.x[0] > 0.0 && t.y[0] > 0.0);
    check_close(off / all, 1.0 - t.explained[0] - t.explained[1], 1e-4, 0.0);
    assert_true(off / all > 1e-4);
    p.calls = 0;
    u = plane_of(&p, 2, true);
    assert_true(p.calls > calls);
    check_vec(u.x, t.x, POINTS, 0.0, 0.0);
    check_vec(u.off, t.off, POINTS, 0.0, 0.0);
    tw_trajectory_release(&u);
    tw_trajectory_release(&t);
}

/* Buffers go along: at a point of the path the axes give the buffer that fits best, which for one
 * that is linear in the plane is its own. */
static void buffers_go_along(void **state)
{
    struct path p = make_path(0.0);
    struct tw_trajectory t;

    (void)state;
    /* t = 8 - k is linear in the first coordinate of the path. */
    t = plane_of(&p, 0, true);
    assert_true(t.x[0] > 0.0 && t.y[0] > 0.0);
    for (int k = 0; k < POINTS; k++)
        check_close((double)t.origin_buffers[0] + t.x[k] * (double)t.axis_buffers[0][0] +
                        t.y[k] * (double)t.axis_buffers[1][0],
                    k, 1e-4, 1e-4);
    tw_trajectory_release(&t);
}

static void a_straight_path_has_no_plane(void **state)
{
    struct path p = make_path(0.0);
    const struct tw_trajectory_source s = {
        .n = POINTS, .dim = DIM, .nbuffer = 1, .point = path_point, .ctx = &p
    };
    struct tw_trajectory t;
    struct tw_err err = { 0 };

    (void)state;
    for (int k = 0; k < POINTS; k++)
        for (int i = 0; i < DIM; i++)
            p.at[k][i] = (float)(k * i);
    assert_int_equal(tw_trajectory_plane(&s, &t, &err), TW_EDOMAIN);
    assert_non_null(strstr(err.msg, "on one line"));
    tw_trajectory_release(&t);
    p.at[3][3] = NAN;
    err = (struct tw_err){ 0 };
    assert_int_equal(tw_trajectory_plane(&s, &t, &err), TW_EDOMAIN);
    assert_non_null(strstr(err.msg, "not finite"));
    tw_trajectory_release(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(filters_have_the_lengths_of_their_weights),
        cmocka_unit_test(the_filter_axis_counts),
        cmocka_unit_test(other_scales_and_rules),
        cmocka_unit_test(rescaled_layers_have_the_same_normalised_curve),
        cmocka_unit_test(a_triangle_keeps_its_sides_and_its_corners),
        cmocka_unit_test(a_quadratic_is_exact_and_rows_are_lines),
        cmocka_unit_test(both_ends_of_a_line_are_the_ends),
        cmocka_unit_test(a_planar_path_lies_in_its_plane),
        cmocka_unit_test(what_is_off_the_plane_is_told),
        cmocka_unit_test(buffers_go_along),
        cmocka_unit_test(a_straight_path_has_no_plane),
    };

    tw_library_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
