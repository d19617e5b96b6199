/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Orders of grids, and surfaces of which only some points are computed. */
#include <stdlib.h>

#include "num.h"
#include "thalweg/landscape.h"

/* ---- grids ----------------------------------------------------------------------------------- */

static void an_order_has_every_point_once_and_corners_first(void **state)
{
    enum { NX = 9, NY = 6 };
    size_t order[NX * NY], seen[NX * NY] = { 0 };

    (void)state;
    assert_int_equal(tw_grid_order(NX, NY, order, NULL), TW_OK);
    for (size_t i = 0; i < NX * NY; i++)
        seen[order[i]]++;
    for (size_t i = 0; i < NX * NY; i++)
        assert_int_equal(seen[i], 1);
    for (size_t i = 0; i < 4; i++)
        assert_true(order[i] % NX % (NX - 1) == 0 && order[i] / NX % (NY - 1) == 0);
    assert_int_equal(tw_grid_order(2, 1, order, NULL), TW_OK);
    assert_int_equal(order[0] + order[1], 1);
}

/* ---- surfaces -------------------------------------------------------------------------------- */

enum { SIDE = 65 };
struct bowl {
    double x[SIDE], z[SIDE * SIDE], true_z[SIDE * SIDE];
    uint8_t status[SIDE * SIDE];
    size_t calls, stop_after, together; /* together: calls for several points */
};

static enum tw_status bowl_point(void *ctx, size_t i, struct tw_err *err)
{
    struct bowl *b = ctx;

    (void)err;
    if (b->status[i] == TW_POINT_DONE || b->status[i] == TW_POINT_FAILED)
        return TW_OK;
    if (b->stop_after && b->calls == b->stop_after)
        return TW_ESTOP;
    b->calls++;
    b->z[i] = b->true_z[i];
    b->status[i] = isfinite(b->z[i]) ? TW_POINT_DONE : TW_POINT_FAILED;
    return TW_OK;
}

static enum tw_status bowl_points(void *ctx, size_t n, const size_t *index, struct tw_err *err)
{
    struct bowl *b = ctx;
    enum tw_status rc = TW_OK;

    b->together++;
    for (size_t k = n; k-- > 0 && rc == TW_OK;) /* any order will do */
        rc = bowl_point(ctx, index[k], err);
    return rc;
}

static struct bowl *make_bowl(double (*f)(double x, double y))
{
    struct bowl *b = tw_alloc(1, sizeof *b);

    for (int i = 0; i < SIDE; i++)
        b->x[i] = i / 32.0 - 1.0;
    for (int i = 0; i < SIDE * SIDE; i++) {
        b->true_z[i] = f(b->x[i % SIDE], b->x[i / SIDE]);
        b->z[i] = NAN;
    }
    return b;
}

static enum tw_status fill(struct bowl *b, double tol, struct tw_surface_report *r)
{
    struct tw_surface s = { .nx = SIDE,
                            .ny = SIDE,
                            .x = b->x,
                            .y = b->x,
                            .nfield = 1,
                            .field = { b->z },
                            .status = b->status };

    return tw_surface_fill(&s, tol, bowl_points, b, r, NULL);
}

static double worst(const struct bowl *b, const struct tw_surface_report *r)
{
    double most = 0.0;

    for (int i = 0; i < SIDE * SIDE; i++)
        if (isfinite(b->true_z[i]))
            most = fmax(most, r->log ? fabs(log(b->z[i] / b->true_z[i])) / log(r->hi / r->lo)
                                     : fabs(b->z[i] - b->true_z[i]) / (r->hi - r->lo));
    return most;
}

static double smooth(double x, double y)
{
    return exp(2.0 * x + y * y) * (0.1 + 3.0 * x * x + y * y);
}

static double narrow(double x, double y)
{
    return 1.0 + 0.2 * x + 3.0 * exp(-60.0 * ((x - 0.3) * (x - 0.3) + (y + 0.2) * (y + 0.2)));
}

static double torn(double x, double y)
{
    return x + y > 1.2 ? nan("") : 1.0 + x * x;
}

/* Where the largest values are, so that what stands for the missing corner is just right. */
static double bitten(double x, double y)
{
    return x > 0.93 && y > 0.93 ? nan("") : 2.0 + x;
}

static void a_smooth_surface_takes_few_points(void **state)
{
    struct bowl *b = make_bowl(smooth);
    struct tw_surface_report r;

    (void)state;
    assert_int_equal(fill(b, 0.01, &r), TW_OK);
    assert_true(r.log);
    assert_true(r.computed == b->calls && r.computed * 8 < SIDE * SIDE);
    assert_true(b->together <= 7); /* the first grid; middles and corners of three levels at most */
    assert_int_equal(r.computed + r.interpolated, SIDE * SIDE);
    assert_true(r.error <= 0.01 && worst(b, &r) <= 0.01);
    free(b);
}

static void a_narrow_peak_is_found_and_followed(void **state)
{
    struct bowl *b = make_bowl(narrow);
    struct tw_surface_report r;
    size_t near = 0, far = 0;

    (void)state;
    assert_int_equal(fill(b, 0.01, &r), TW_OK);
    assert_false(r.log);
    assert_true(worst(b, &r) <= 0.01);
    for (int i = 0; i < SIDE * SIDE; i++)
        if (b->status[i] == TW_POINT_DONE)
            *(hypot(b->x[i % SIDE] - 0.3, b->x[i / SIDE] + 0.2) < 0.5 ? &near : &far) += 1;
    assert_true(2 * near > far); /* on a fifth of the area */
    free(b);
}

static void what_is_not_finite_is_computed_and_stays(void **state)
{
    double (*const kind[])(double, double) = { torn, bitten };

    (void)state;
    for (int k = 0; k < 2; k++) {
        struct bowl *b = make_bowl(kind[k]);
        struct tw_surface_report r;

        assert_int_equal(fill(b, 0.01, &r), TW_OK);
        for (int i = 0; i < SIDE * SIDE; i++) {
            assert_true((b->status[i] == TW_POINT_FAILED) == !isfinite(b->true_z[i]));
            assert_true(isfinite(b->z[i]) == isfinite(b->true_z[i]));
        }
        assert_true(worst(b, &r) <= 0.01);
        free(b);
    }
}

/* A run that was stopped, continued: the same bits as one that was not. */
static void a_stopped_surface_goes_on(void **state)
{
    struct bowl *whole = make_bowl(narrow), *parts = make_bowl(narrow);
    struct tw_surface_report r[2];
    enum tw_status rc;

    (void)state;
    assert_int_equal(fill(whole, 0.01, &r[0]), TW_OK);
    for (parts->stop_after = 37; (rc = fill(parts, 0.01, &r[1])) == TW_ESTOP;)
        parts->stop_after += 53;
    assert_int_equal(rc, TW_OK);
    assert_true(parts->stop_after > 100);
    assert_memory_equal(parts->z, whole->z, sizeof whole->z);
    assert_memory_equal(parts->status, whole->status, sizeof whole->status);
    check_ulp(r[1].error, r[0].error, 0);
    free(whole);
    free(parts);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_order_has_every_point_once_and_corners_first),
        cmocka_unit_test(a_smooth_surface_takes_few_points),
        cmocka_unit_test(a_narrow_peak_is_found_and_followed),
        cmocka_unit_test(what_is_not_finite_is_computed_and_stays),
        cmocka_unit_test(a_stopped_surface_goes_on),
    };

    tw_library_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
