/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Winograd's minimal filtering, strip by strip, against direct sums in double. */
#include "kernels_test.h"

struct winograd_case {
    size_t cin, cout, in[2];
    long pad[2], end[2]; /* zeros before and behind */
    size_t strip, lanes, nterm;
    bool turned, bias, relu;
    enum tw_store store;
};

/* The convolution's output o of channel m in lane l, and the sum of the sizes of its products. */
static double direct(const struct winograd_case *c, const struct reals *w, const struct reals *x,
                     size_t m, const size_t o[2], size_t l, double *size)
{
    double s = 0.0;

    for (size_t k = 0; k < c->cin; k++)
        for (size_t t = 0; t < 9; t++) {
            const long i = (long)(o[0] + t / 3) - c->pad[0], j = (long)(o[1] + t % 3) - c->pad[1];
            const size_t at = (m * c->cin + k) * 9 + (c->turned ? 8 - t : t);
            double p;

            if (i < 0 || j < 0 || i >= (long)c->in[0] || j >= (long)c->in[1])
                continue;
            p = get(w, at) *
                get(x, ((k * c->in[0] + (size_t)i) * c->in[1] + (size_t)j) * c->lanes + l);
            s += p;
            *size += fabs(p);
        }
    return s;
}

enum { MOST_TERMS = 2 };

struct winograd_arrays {
    struct reals a[MOST_TERMS], packed[MOST_TERMS], x[MOST_TERMS], v[MOST_TERMS], products, bias, y,
        old;
};

static void run_kernels(const struct tw_kernels *t, struct tw_winograd *w, size_t strip,
                        const struct winograd_arrays *z, bool bias)
{
    const size_t tiles = (w->out[0] + 1) / 2 * ((w->out[1] + 1) / 2);

    for (w->lane = 0; w->lane < w->lanes; w->lane += TW_LANES)
        for (w->first = 0; w->first < tiles; w->first += strip) {
            w->tiles = tiles - w->first < strip ? tiles - w->first : strip;
            for (size_t i = 0; i < w->nterm; i++)
                t->winograd_in(w, z->x[i].p, z->v[i].p);
            t->winograd_out(w, z->products.p, bias ? z->bias.p : NULL, z->y.p);
        }
}

static void check_outputs(const struct tw_kernels *t, const struct winograd_case *c,
                          const struct tw_winograd *w, const struct winograd_arrays *z)
{
    const size_t plane = w->out[0] * w->out[1];

    for (size_t i = 0; i < c->cout * plane * c->lanes; i++) {
        const size_t l = i % c->lanes, e = i / c->lanes % plane, m = i / c->lanes / plane;
        const size_t o[2] = { e / w->out[1], e % w->out[1] };
        double s = c->bias ? get(&z->bias, m) : 0.0, size = 4.0;

        for (size_t j = 0; j < c->nterm; j++)
            s += direct(c, &z->a[j], &z->x[j], m, o, l, &size);
        s = stored(c->store, get(&z->old, i), s);
        if (c->relu && s < 0.0)
            s = 0.0;
        assert_near(t, get(&z->y, i), s, (6.0 + sqrt(9.0 * (double)c->cin)) * size);
    }
}

static void check_case(const struct tw_kernels *t, const struct winograd_case *c)
{
    struct winograd_arrays z;
    const void *a[MOST_TERMS], *v[MOST_TERMS];
    struct tw_winograd w = { .cin = c->cin,
                             .cout = c->cout,
                             .lanes = c->lanes,
                             .nterm = c->nterm,
                             .a = a,
                             .v = v,
                             .store = c->store,
                             .relu = c->relu };

    for (int i = 0; i < 2; i++) {
        w.in[i] = c->in[i];
        w.pad[i] = c->pad[i];
        w.out[i] = (size_t)((long)c->in[i] + c->pad[i] + c->end[i] - 2);
    }
    for (size_t i = 0; i < c->nterm; i++) {
        z.a[i] = reals_random(t, c->cout * c->cin * 9, 1 + i, -1.0, 1.0);
        z.x[i] = reals_random(t, c->cin * c->in[0] * c->in[1] * c->lanes, 3 + i, -1.0, 1.0);
        z.packed[i] = reals_new(t, TW_WINOGRAD_POSITIONS * t->packed_size(c->cout, c->cin));
        z.v[i] = reals_new(t, tw_winograd_inputs(c->cin, c->strip) * TW_LANES);
        t->winograd_pack(c->cout, c->cin, z.a[i].p, 9 * (long)c->cin, 9, c->turned, z.packed[i].p);
        a[i] = z.packed[i].p;
        v[i] = z.v[i].p;
    }
    z.products = reals_new(t, tw_winograd_products() * TW_LANES);
    z.bias = reals_random(t, c->cout, 5, -1.0, 1.0);
    z.y = reals_random(t, c->cout * w.out[0] * w.out[1] * c->lanes, 6, -1.0, 1.0);
    z.old = reals_random(t, z.y.n, 6, -1.0, 1.0);
    run_kernels(t, &w, c->strip, &z, c->bias);
    check_outputs(t, c, &w, &z);
    for (size_t i = 0; i < c->nterm; i++) {
        reals_free(&z.a[i]);
        reals_free(&z.x[i]);
        reals_free(&z.packed[i]);
        reals_free(&z.v[i]);
    }
    reals_free(&z.products);
    reals_free(&z.bias);
    reals_free(&z.y);
    reals_free(&z.old);
}

static void kernels_agree_with_direct_sums(void **state)
{
    static const struct winograd_case cases[] = {
        { 8, 8, { 4, 4 }, { 1, 1 }, { 1, 1 }, 4, 16, 1, false, false, false, TW_SET },
        { 3, 11, { 5, 7 }, { 0, 0 }, { 0, 0 }, 5, 32, 1, false, true, true, TW_SET },
        { 9, 17, { 7, 30 }, { 1, 0 }, { 0, 2 }, 60, 16, 2, false, true, false, TW_SET },
        { 5, 2, { 6, 5 }, { 2, 2 }, { 2, 2 }, 3, 48, 1, true, false, false, TW_ADD },
        { 4, 3, { 9, 8 }, { -1, 3 }, { -2, -1 }, 2, 16, 1, true, false, false, TW_ADD },
        { 530, 1, { 3, 2 }, { 1, 1 }, { 1, 1 }, 2, 16, 2, false, true, false, TW_SET },
        { 2, 2, { 1, 1 }, { 1, 1 }, { 1, 1 }, 1, 16, 1, false, true, false, TW_SET },
    };

    (void)state;
    FOR_TABLES(t)
    {
        for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
            check_case(t, &cases[i]);
    }
}

/* ---- gradients by the weights ------------------------------------------------------------------
 */

static void sum_products(const struct tw_kernels *t, struct tw_winograd *w, size_t strip,
                         const struct reals *x, const struct reals *gy, double *du)
{
    const size_t tiles = (w->out[0] + 1) / 2 * ((w->out[1] + 1) / 2);
    struct reals v = reals_new(t, tw_winograd_inputs(w->cin, strip) * TW_LANES);
    struct reals u = reals_new(t, tw_winograd_inputs(w->cout, strip) * TW_LANES);

    for (w->lane = 0; w->lane < w->lanes; w->lane += TW_LANES)
        for (w->first = 0; w->first < tiles; w->first += strip) {
            w->tiles = tiles - w->first < strip ? tiles - w->first : strip;
            t->winograd_in(w, x->p, v.p);
            t->winograd_grad(w, gy->p, u.p);
            for (size_t p = 0; p < TW_WINOGRAD_POSITIONS; p++)
                t->gradw(&(struct tw_gradw){
                    .m = w->cout,
                    .k = w->cin,
                    .gy = at(&u, p * tw_winograd_step(w->cout, w->tiles) * TW_LANES),
                    .mstride = (long)w->tiles,
                    .x = at(&v, p * tw_winograd_step(w->cin, w->tiles) * TW_LANES),
                    .kstride = (long)w->tiles,
                    .nc = { 1, 1, w->tiles },
                    .gyc = { 0, 0, 1 },
                    .xc = { 0, 0, 1 },
                    .lanes = TW_LANES,
                    .da = du + p * w->cout * w->cin,
                    .dam = (long)w->cin,
                    .dak = 1,
                    .by = 1.0 });
        }
    reals_free(&u);
    reals_free(&v);
}

/* The derivative by tap t of window i, and the sum of the sizes of its terms. */
static double direct_weight(const struct tw_winograd *w, const struct reals *x,
                            const struct reals *gy, size_t i, size_t t, double *size)
{
    const size_t m = i / w->cin, k = i % w->cin, plane = w->out[0] * w->out[1];
    double s = 0.0;

    for (size_t e = 0; e < plane * w->lanes; e++) {
        const size_t o = e / w->lanes, l = e % w->lanes;
        const long r = (long)(o / w->out[1] + t / 3) - w->pad[0];
        const long c = (long)(o % w->out[1] + t % 3) - w->pad[1];
        double p;

        if (r < 0 || c < 0 || r >= (long)w->in[0] || c >= (long)w->in[1])
            continue;
        p = get(gy, m * plane * w->lanes + e) *
            get(x, ((k * w->in[0] + (size_t)r) * w->in[1] + (size_t)c) * w->lanes + l);
        s += p;
        *size += fabs(p);
    }
    return s;
}

static void weights_agree_with_direct_sums(void **state)
{
    static const struct tw_winograd cases[] = {
        { .cin = 8, .cout = 9, .in = { 6, 6 }, .out = { 6, 6 }, .pad = { 1, 1 }, .lanes = 16 },
        { .cin = 3, .cout = 17, .in = { 5, 9 }, .out = { 3, 9 }, .pad = { 0, 2 }, .lanes = 32 },
        { .cin = 2, .cout = 1, .in = { 4, 4 }, .out = { 3, 1 }, .pad = { 2, -1 }, .lanes = 16 },
    };

    (void)state;
    FOR_TABLES(t)
    {
        for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
            struct tw_winograd w = cases[i];
            const size_t n = w.cin * w.cout;
            struct reals x = reals_random(t, w.cin * w.in[0] * w.in[1] * w.lanes, 1, -1.0, 1.0);
            struct reals gy = reals_random(t, w.cout * w.out[0] * w.out[1] * w.lanes, 2, -1.0, 1.0);
            double *du = calloc(n * TW_WINOGRAD_POSITIONS, sizeof *du);
            double *da = calloc(n * 9, sizeof *da);

            assert_non_null(du);
            assert_non_null(da);
            da[0] = 1.5;
            sum_products(t, &w, 4 + i, &x, &gy, du);
            t->winograd_weights(n, du, da);
            for (size_t k = 0; k < 9 * n; k++) {
                double size = 4.0, s = direct_weight(&w, &x, &gy, k / 9, k % 9, &size);

                assert_near(t, da[k], s + (k ? 0.0 : 1.5), 24.0 * size);
            }
            free(du);
            free(da);
            reals_free(&x);
            reals_free(&gy);
        }
    }
}

/* Neighbours in the lanes, a NaN among them, and the place in a strip change nothing. */
static void samples_do_not_meet(void **state)
{
    enum { C = 8, SIDE = 6, PLANE = SIDE * SIDE, STRIPS = 3 };

    (void)state;
    FOR_TABLES(t)
    {
        struct reals a = reals_random(t, C * C * 9, 1, -1.0, 1.0), x, y[STRIPS];
        struct reals packed = reals_new(t, TW_WINOGRAD_POSITIONS * t->packed_size(C, C));
        struct reals v = reals_new(t, tw_winograd_inputs(C, 9) * TW_LANES);
        struct reals products = reals_new(t, tw_winograd_products() * TW_LANES);
        const void *const pa[] = { packed.p }, *const pv[] = { v.p };

        t->winograd_pack(C, C, a.p, 9 * C, 9, false, packed.p);
        x = reals_random(t, C * PLANE * 32, 2, -1.0, 1.0);
        for (size_t e = 0; e < C * PLANE; e++) { /* lane 20 as lane 3, lane 2 spoilt */
            put(&x, e * 32 + 20, get(&x, e * 32 + 3));
            put(&x, e * 32 + 2, (double)NAN);
        }
        for (size_t s = 0; s < STRIPS; s++) {
            struct tw_winograd w = { .cin = C,
                                     .cout = C,
                                     .in = { SIDE, SIDE },
                                     .out = { SIDE, SIDE },
                                     .pad = { 1, 1 },
                                     .lanes = 32,
                                     .nterm = 1,
                                     .a = pa,
                                     .v = pv };
            const struct winograd_arrays z = { .x = { x }, .v = { v }, .products = products };
            struct winograd_arrays with = z;

            y[s] = with.y = reals_new(t, C * PLANE * 32);
            run_kernels(t, &w, s == 0 ? 9 : s, &with, false);
        }
        for (size_t e = 0; e < C * PLANE; e++) {
            assert_true(get(&y[0], e * 32 + 20) == get(&y[0], e * 32 + 3));
            assert_true(isnan(get(&y[0], e * 32 + 2)));
            for (size_t s = 1; s < STRIPS; s++)
                assert_true(get(&y[s], e * 32 + 3) == get(&y[0], e * 32 + 3));
        }
        for (size_t s = 0; s < STRIPS; s++)
            reals_free(&y[s]);
        reals_free(&a);
        reals_free(&x);
        reals_free(&packed);
        reals_free(&v);
        reals_free(&products);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kernels_agree_with_direct_sums),
        cmocka_unit_test(weights_agree_with_direct_sums),
        cmocka_unit_test(samples_do_not_meet),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
