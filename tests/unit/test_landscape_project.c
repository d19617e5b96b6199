/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Points projected on planes, against a closed form. */
#include <omp.h>
#include <stdlib.h>

#include "num.h"
#include "thalweg/landscape.h"

/* Anchors and a point of many numbers, so that threads share them; cosines over whole
 * periods are orthogonal. */
enum { LONG = 30000 };
struct scene {
    float *at[5]; /* a centre, two directions that are not orthogonal, one off them, a point */
};

static struct scene make_scene(void)
{
    struct scene s;
    double e[3];

    for (int k = 0; k < 5; k++)
        s.at[k] = tw_alloc(LONG, sizeof *s.at[k]);
    for (int i = 0; i < LONG; i++) {
        for (int a = 0; a < 3; a++)
            e[a] = cos(2.0 * 3.14159265358979323846 * (a + 1) * i / LONG) * sqrt(2.0 / LONG);
        s.at[0][i] = (float)(0.5 * sin(i));
        s.at[1][i] = (float)(2.0 * e[0]);
        s.at[2][i] = (float)(3.0 * e[0] + 4.0 * e[1]);
        s.at[3][i] = (float)e[2];
    }
    return s;
}

static void scene_release(struct scene *s)
{
    for (int k = 0; k < 5; k++)
        free(s->at[k]);
}

/* centre + x u + y v + z e3, where u and v have lengths 2 and 5 and an angle between them. */
static void put(struct scene *s, double x, double y, double z)
{
    for (int i = 0; i < LONG; i++)
        s->at[4][i] = (float)((double)s->at[0][i] + x * (double)s->at[1][i] +
                              y * (double)s->at[2][i] + z * (double)s->at[3][i]);
}

static struct tw_projection seen(const struct scene *s, const struct tw_chart *c)
{
    struct tw_projection p;
    struct tw_err err = { 0 };

    if (tw_chart_project(c, LONG, (const float *const *)s->at, s->at[4], &p, &err) != TW_OK)
        fail_msg("%s", err.msg);
    return p;
}

static void a_point_is_seen_where_it_is_nearest(void **state)
{
    const double at[][3] = {
        { 0.0, 0.0, 0.0 }, { 1.5, -0.25, 0.0 }, { 1.5, -0.25, 0.75 }, { -3.0, 2.0, 100.0 }
    };
    struct scene s = make_scene();
    const struct tw_chart c = tw_chart_centre(2);

    (void)state;
    for (size_t k = 0; k < sizeof at / sizeof at[0]; k++) {
        const double x = at[k][0], y = at[k][1], z = at[k][2];
        struct tw_projection p;

        put(&s, x, y, z);
        p = seen(&s, &c);
        check_close(p.x, x, 1e-5, 1e-6);
        check_close(p.y, y, 1e-5, 1e-6);
        check_close(p.off, z, 1e-5, 1e-5);
        check_close(p.distance, sqrt(4.0 * x * x + 12.0 * x * y + 25.0 * y * y + z * z), 1e-5, 0.0);
    }
    scene_release(&s);
}

/* In the plane of three points coordinates are distances. The corners are seen where the chart says
 * that they are, and what is beside it keeps its place. */
static void a_triangle_sees_its_corners(void **state)
{
    struct scene s = make_scene();
    struct tw_projection p;
    struct tw_chart c;
    struct tw_err err = { 0 };
    double x[3], y[3];

    (void)state;
    for (int i = 0; i < LONG; i++) {
        s.at[1][i] += s.at[0][i];
        s.at[2][i] += s.at[0][i];
    }
    assert_int_equal(tw_chart_triangle(LONG, (const float *const *)s.at, &c, x, y, &err), TW_OK);
    for (int k = 0; k < 3; k++) {
        memcpy(s.at[4], s.at[k], LONG * sizeof *s.at[4]);
        p = seen(&s, &c);
        check_close(p.x, x[k], 1e-9, 1e-9);
        check_close(p.y, y[k], 1e-9, 1e-9);
        assert_true(p.off < 1e-9);
    }
    for (int i = 0; i < LONG; i++)
        s.at[4][i] += 0.5f * s.at[3][i];
    p = seen(&s, &c);
    check_close(p.x, 3.0, 1e-5, 0.0);
    check_close(p.y, 4.0, 1e-5, 0.0);
    check_close(p.off, 0.5, 1e-4, 0.0);
    s.at[4][7] = NAN;
    p = seen(&s, &c);
    assert_true(isnan(p.x) && isnan(p.y) && isnan(p.off));
    scene_release(&s);
}

static void the_same_bits_at_any_number_of_threads(void **state)
{
    const int before = omp_get_max_threads();
    struct scene s = make_scene();
    const struct tw_chart c = tw_chart_centre(2);
    struct tw_projection one, p;

    (void)state;
    put(&s, 1.5, -0.25, 0.75);
    omp_set_num_threads(1);
    one = seen(&s, &c);
    for (int n = 2; n <= 3; n++) {
        omp_set_num_threads(n);
        p = seen(&s, &c);
        assert_true(p.x == one.x && p.y == one.y && p.off == one.off);
        assert_true(p.distance == one.distance);
    }
    omp_set_num_threads(before);
    scene_release(&s);
}

static void what_is_no_plane_is_refused(void **state)
{
    struct scene s = make_scene();
    struct tw_chart c = tw_chart_centre(2);
    struct tw_projection p;
    struct tw_err err = { 0 };

    (void)state;
    put(&s, 1.0, 1.0, 1.0);
    for (int i = 0; i < LONG; i++)
        s.at[2][i] = -2.0f * s.at[1][i];
    assert_int_equal(tw_chart_project(&c, LONG, (const float *const *)s.at, s.at[4], &p, &err),
                     TW_EDOMAIN);
    c = tw_chart_line();
    assert_int_equal(tw_chart_project(&c, LONG, (const float *const *)s.at, s.at[4], &p, &err),
                     TW_EINVAL);
    scene_release(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_point_is_seen_where_it_is_nearest),
        cmocka_unit_test(a_triangle_sees_its_corners),
        cmocka_unit_test(the_same_bits_at_any_number_of_threads),
        cmocka_unit_test(what_is_no_plane_is_refused),
    };

    tw_library_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
