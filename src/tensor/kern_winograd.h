/* SPDX-License-Identifier: GPL-3.0-or-later */
/* kern_winograd.h - Winograd's minimal filtering F(2x2, 3x3): 2 x 2 outputs of a window of 3 x 3
 * from 16 products instead of 36. An output tile is A' [(G w G') . (B' x B)] A with
 *     B' = 1  0 -1  0     G = 1    0    0      A' = 1 1  1  0
 *          0  1  1  0         1/2  1/2  1/2         0 1 -1 -1
 *          0 -1  1  0         1/2 -1/2  1/2
 *          0  1  0 -1         0    0    1
 * (Lavin and Gray, arXiv:1509.09308, section 4.1). Samples lie in the lanes, so the transforms are
 * sums of whole vectors. */
#ifndef TENSOR_KERN_WINOGRAD_H
#define TENSOR_KERN_WINOGRAD_H

#include "kern_gemm.h"

enum { WINOGRAD = TW_WINOGRAD_POSITIONS };

/* ---- weights -------------------------------------------------------------------------------- */

/* Half of G w G': three numbers become four. */
static inline void winograd_spread(double a, double b, double c, double *to, size_t s)
{
    to[0] = a;
    to[s] = 0.5 * (a + b + c);
    to[2 * s] = 0.5 * (a - b + c);
    to[3 * s] = c;
}

/* Rows [from, last) of m: whole panels, but for the last. */
static void winograd_pack_rows(size_t from, size_t last, size_t m, size_t k, const void *va,
                               long sm, long sk, bool turned, void *packed)
{
    const size_t size = packed_size(m, k);

    for (size_t p = 0; p < WINOGRAD; p++)
        memset((real *)packed + p * size + from * k, 0, packed_size(last - from, k) * sizeof(real));
    for (size_t row = from; row < last; row++)
        for (size_t i = 0; i < k; i++) {
            const real *w = (const real *)va + (long)row * sm + (long)i * sk;
            real *to =
                (real *)packed + row / TW_PANEL * TW_PANEL * k + i * TW_PANEL + row % TW_PANEL;
            const long s = turned ? -1 : 1;
            double h[12], u[WINOGRAD];

            w += turned ? 8 : 0;
            for (int j = 0; j < 3; j++)
                winograd_spread((double)w[s * j], (double)w[s * (3 + j)], (double)w[s * (6 + j)],
                                h + j, 3);
            for (int j = 0; j < 4; j++)
                winograd_spread(h[3 * j], h[3 * j + 1], h[3 * j + 2], u + 4 * j, 1);
            for (int p = 0; p < WINOGRAD; p++)
                to[(size_t)p * size] = (real)u[p];
        }
}

static void winograd_pack(size_t m, size_t k, const void *a, long sm, long sk, bool turned,
                          void *packed)
{
    winograd_pack_rows(0, m, m, k, a, sm, sk, turned, packed);
}

/* ---- inputs --------------------------------------------------------------------------------- */

/* Tiles of one row of tiles: `n` of them, number i of the strip first. */
struct winograd_run {
    size_t row, col, n;
};

static inline struct winograd_run winograd_next(const struct tw_winograd *w, size_t i, size_t most)
{
    const size_t across = (w->out[1] + 1) / 2, left = w->tiles - i;
    struct winograd_run r = { (w->first + i) / across, (w->first + i) % across, most };

    r.n = r.n < left ? r.n : left;
    r.n = r.n < across - r.col ? r.n : across - r.col;
    return r;
}

/* B' times one column of a tile; a row outside is NULL. */
static inline void winograd_column(const real *const row[4], bool inside, long at, vec b[4])
{
    vec x[4];

    KERN_UNROLL
    for (int i = 0; i < 4; i++)
        x[i] = inside && row[i] ? vload(row[i] + at) : K(0.0);
    b[0] = x[0] - x[2];
    b[1] = x[1] + x[2];
    b[2] = x[2] - x[1];
    b[3] = x[1] - x[3];
}

/* Two columns of a tile are those of the next. */
static void winograd_in_run(const struct tw_winograd *w, const struct winograd_run *r,
                            const real *x, size_t step, real *v)
{
    const long first = 2 * (long)r->row - w->pad[0], lanes = (long)w->lanes;
    long col = 2 * (long)r->col - w->pad[1];
    const real *row[4];
    vec b[4][4];

    for (int i = 0; i < 4; i++)
        row[i] = first + i >= 0 && first + i < (long)w->in[0]
                     ? x + (first + i) * (long)w->in[1] * lanes
                     : NULL;
    for (int j = 0; j < 2; j++, col++)
        winograd_column(row, col >= 0 && col < (long)w->in[1], col * lanes, b[j]);
    for (size_t t = 0; t < r->n; t++, v += TW_LANES) {
        for (int j = 2; j < 4; j++, col++)
            winograd_column(row, col >= 0 && col < (long)w->in[1], col * lanes, b[j]);
        KERN_UNROLL
        for (size_t i = 0; i < 4; i++) {
            vstore(v + 4 * i * step, b[0][i] - b[2][i]);
            vstore(v + (4 * i + 1) * step, b[1][i] + b[2][i]);
            vstore(v + (4 * i + 2) * step, b[2][i] - b[1][i]);
            vstore(v + (4 * i + 3) * step, b[1][i] - b[3][i]);
            b[0][i] = b[2][i];
            b[1][i] = b[3][i];
        }
    }
}

typedef void winograd_run_fn(const struct tw_winograd *w, const struct winograd_run *r,
                             const real *x, size_t step, real *v);

/* A strip of `channels` planes through `transform`, a run of tiles at a time. */
static inline void winograd_strip(const struct tw_winograd *w, size_t channels, size_t plane,
                                  winograd_run_fn *transform, const void *x, void *v)
{
    const size_t step = tw_winograd_step(channels, w->tiles) * TW_LANES;

    for (size_t c = 0; c < channels; c++)
        for (size_t i = 0; i < w->tiles;) {
            const struct winograd_run r = winograd_next(w, i, SIZE_MAX);

            for (size_t l = 0; l < TW_LANES; l += W)
                transform(w, &r, (const real *)x + c * plane + w->lane + l, step,
                          (real *)v + (c * w->tiles + i) * TW_LANES + l);
            i += r.n;
        }
}

static void winograd_in(const struct tw_winograd *w, const void *x, void *v)
{
    winograd_strip(w, w->cin, w->in[0] * w->in[1] * w->lanes, winograd_in_run, x, v);
}

/* ---- gradients by the weights: what goes through A' comes back through A --------------------- */

static inline void winograd_back(vec x, vec y, vec a[4])
{
    a[0] = x;
    a[1] = x + y;
    a[2] = x - y;
    a[3] = -y;
}

/* One channel of a run: gy, the channel's plane. */
static void winograd_grad_run(const struct tw_winograd *w, const struct winograd_run *r,
                              const real *gy, size_t step, real *v)
{
    const size_t down = 2 * r->row + 1 < w->out[0] ? w->out[1] * w->lanes : 0;

    gy += 2 * r->row * w->out[1] * w->lanes + 2 * r->col * w->lanes;
    for (size_t t = 0; t < r->n; t++, v += TW_LANES, gy += 2 * w->lanes) {
        const bool both = 2 * (r->col + t) + 1 < w->out[1];
        vec a[2][4], g[4];

        winograd_back(vload(gy), down ? vload(gy + down) : K(0.0), a[0]);
        winograd_back(both ? vload(gy + w->lanes) : K(0.0),
                      both && down ? vload(gy + w->lanes + down) : K(0.0), a[1]);
        KERN_UNROLL
        for (size_t i = 0; i < 4; i++) {
            winograd_back(a[0][i], a[1][i], g);
            KERN_UNROLL
            for (size_t j = 0; j < 4; j++)
                vstore(v + (4 * i + j) * step, g[j]);
        }
    }
}

static void winograd_grad(const struct tw_winograd *w, const void *gy, void *v)
{
    winograd_strip(w, w->cout, w->out[0] * w->out[1] * w->lanes, winograd_grad_run, gy, v);
}

/* G' u: four numbers become three. */
static inline void winograd_gather(const double *u, size_t s, double *to, size_t ts)
{
    const double half = 0.5 * (u[s] + u[2 * s]);

    to[0] = u[0] + half;
    to[ts] = 0.5 * (u[s] - u[2 * s]);
    to[2 * ts] = half + u[3 * s];
}

static void winograd_weights(size_t n, const double *du, double *da)
{
    for (size_t i = 0; i < n; i++, da += 9) {
        double u[WINOGRAD], h[12], w[9];

        for (size_t p = 0; p < WINOGRAD; p++)
            u[p] = du[p * n + i];
        for (size_t j = 0; j < 4; j++)
            winograd_gather(u + j, 4, h + j, 4);
        for (size_t j = 0; j < 3; j++)
            winograd_gather(h + 4 * j, 1, w + 3 * j, 1);
        for (size_t t = 0; t < 9; t++)
            da[t] += w[t];
    }
}

/* ---- products and outputs ------------------------------------------------------------------- */

static inline void winograd_put(const struct tw_winograd *w, real *y, vec v)
{
    if (w->store == TW_ADD)
        v = vload(y) + v;
    if (w->relu)
        v = vsel(v <= K(0.0), K(0.0), v);
    vstore(y, v);
}

/* One channel of a run: m, its products; y, the channel's plane. */
static void winograd_out_run(const struct tw_winograd *w, const struct winograd_run *r,
                             const real *m, size_t step, vec bias, real *y)
{
    const size_t down = w->out[1] * w->lanes;
    const int rows = 2 * r->row + 1 < w->out[0] ? 2 : 1;

    y += 2 * r->row * down + 2 * r->col * w->lanes;
    for (size_t t = 0; t < r->n; t++, m += TW_LANES, y += 2 * w->lanes) {
        const bool both = 2 * (r->col + t) + 1 < w->out[1];
        vec a[2][4];

        KERN_UNROLL
        for (size_t j = 0; j < 4; j++) {
            const vec m0 = vload(m + j * step), m1 = vload(m + (4 + j) * step);
            const vec m2 = vload(m + (8 + j) * step), m3 = vload(m + (12 + j) * step);

            a[0][j] = m0 + m1 + m2;
            a[1][j] = m1 - m2 - m3;
        }
        for (int i = 0; i < rows; i++) {
            real *to = y + (size_t)i * down;

            winograd_put(w, to, a[i][0] + a[i][1] + a[i][2] + bias);
            if (both)
                winograd_put(w, to + w->lanes, a[i][1] - a[i][2] - a[i][3] + bias);
        }
    }
}

/* The products of one panel's rows with a run, all positions: sums over the terms. */
static void winograd_products(const struct tw_winograd *w, const struct winograd_run *r, size_t i,
                              size_t row, size_t rows, real *m)
{
    const size_t from = tw_winograd_step(w->cin, w->tiles) * TW_LANES;
    const size_t to = tw_winograd_step(TW_PANEL, r->n) * TW_LANES, vecs = r->n * (TW_LANES / W);
    long ko[GEMM_K], yrow[TW_PANEL], col[TW_WINOGRAD_RUN * TW_LANES / W];

    for (size_t v = 0; v < vecs; v++)
        col[v] = (long)(v * W);
    for (size_t k = 0; k < TW_PANEL; k++)
        yrow[k] = (long)(k * r->n * TW_LANES);
    for (size_t k = 0; k < w->cin && k < GEMM_K; k++)
        ko[k] = (long)(k * w->tiles * TW_LANES);
    for (size_t p = 0; p < WINOGRAD; p++)
        for (size_t t = 0; t < w->nterm; t++) {
            const real *v = (const real *)w->v[t] + p * from + i * TW_LANES;
            const real *a = (const real *)w->a[t] + p * packed_size(w->cout, w->cin) + row * w->cin;

            for (size_t k = 0; k < w->cin; k += GEMM_K) {
                const struct gemm_tile g = {
                    .k = w->cin - k < GEMM_K ? w->cin - k : GEMM_K,
                    .ko = ko,
                    .x = v + k * w->tiles * TW_LANES,
                    .y = m + p * to,
                    .store = t || k ? TW_ADD : TW_SET,
                };

                gemm_panel(&g, rows, a + k * TW_PANEL, NULL, yrow, vecs, col, col);
            }
        }
}

static void winograd_out(const struct tw_winograd *w, void *products, const void *bias, void *y)
{
    const size_t plane = w->out[0] * w->out[1] * w->lanes;

    for (size_t i = 0; i < w->tiles;) {
        const struct winograd_run r = winograd_next(w, i, TW_WINOGRAD_RUN);
        const size_t step = tw_winograd_step(TW_PANEL, r.n) * TW_LANES;

        for (size_t row = 0; row < w->cout; row += TW_PANEL) {
            const size_t rows = w->cout - row < TW_PANEL ? w->cout - row : TW_PANEL;

            winograd_products(w, &r, i, row, rows, products);
            for (size_t k = 0; k < rows; k++)
                for (size_t l = 0; l < TW_LANES; l += W)
                    winograd_out_run(w, &r, (const real *)products + k * r.n * TW_LANES + l, step,
                                     bias ? splat(((const real *)bias)[row + k]) : K(0.0),
                                     (real *)y + (row + k) * plane + w->lane + l);
        }
        i += r.n;
    }
}

#endif
