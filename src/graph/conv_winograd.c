/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Convolutions by Winograd's minimal filtering: a strip of tiles at a time, so that its transformed
 * inputs stay in the second-level cache. All planes of the strip's inputs are transformed once;
 * products that go to one plane are added up before they are transformed back. */
#include <string.h>

#include "conv.h"

enum {
    FEWEST_CHANNELS = 8,
    STRIP = 256,              /* channels times tiles in a strip, about */
    SHORTEST = 4,             /* tiles in a strip, at least */
    WEIGHTS_STRIP = 2048,     /* for weights: channels, in and out, times tiles */
    FEWEST_TILES = 16,        /* sums over fewer do not pay for their transform */
    FEWEST_WEIGHTS = 16 * 16, /* windows that fill the rows of products */
    MOST_WEIGHTS = 128 * 128  /* windows whose sums still fit beside all else */
};

bool tw_winograd_pays(const struct tw_conv_data *d)
{
    const size_t tiles = (d->out[1] + 1) / 2 * ((d->out[2] + 1) / 2);

    if (d->groups != 1 || d->cin < FEWEST_CHANNELS || d->cout < FEWEST_CHANNELS ||
        d->window[0] != 1 || d->in[0] != 1 || d->out[0] != 1 || d->pad[0] != 0 || !d->in[1] ||
        !d->in[2])
        return false;
    for (int i = 1; i < 3; i++)
        if (d->window[i] != 3 || d->stride[i] != 1 || d->dilation[i] != 1)
            return false;
    /* 16 products a tile instead of 9 an output: where half the tiles hang over the edge, the
     * transforms cost more than is saved. */
    return 3 * d->out[1] * d->out[2] >= 8 * tiles;
}

/* The same for both ways: back, it is the convolution of the cotangent with the turned window. */
static struct tw_winograd shape_of(const struct tw_conv_data *d, bool back)
{
    struct tw_winograd w = { .cin = back ? d->cout : d->cin, .cout = back ? d->cin : d->cout };

    for (int i = 0; i < 2; i++) {
        w.in[i] = back ? d->out[i + 1] : d->in[i + 1];
        w.out[i] = back ? d->in[i + 1] : d->out[i + 1];
        w.pad[i] = back ? 2 - d->pad[i + 1] : d->pad[i + 1];
    }
    return w;
}

static size_t tiles_of(const struct tw_winograd *w)
{
    return (w->out[0] + 1) / 2 * ((w->out[1] + 1) / 2);
}

/* Whole rows of tiles where several fit. */
static size_t strip_of(const struct tw_winograd *w, size_t planes)
{
    const size_t row = (w->out[1] + 1) / 2, all = tiles_of(w), some = STRIP / (w->cin * planes);
    const size_t n = some < SHORTEST ? SHORTEST : some > row ? some / row * row : some;

    return n < all ? n : all;
}

size_t tw_winograd_scratch(const struct tw_conv_data *d, size_t planes, bool back)
{
    const struct tw_winograd w = shape_of(d, back);
    size_t most = 0;

    /* Runs of fewer planes have longer strips, of whole rows: they may need more. */
    for (size_t p = 1; p <= planes; p++) {
        const size_t n = p * tw_winograd_inputs(w.cin, strip_of(&w, p));

        most = n > most ? n : most;
    }
    return tw_winograd_products() + most;
}

/* The terms that go to plane `to`. */
static size_t terms_of(const struct tw_run *r, int to, const void *const *a, const void *const *v,
                       const void **ta, const void **tv)
{
    size_t n = 0;

    for (int i = 0; i < r->alg->nterm; i++) {
        const struct tw_term *t = &r->alg->term[i];

        if (t->k != to || !a[t->i] || !v[t->j])
            continue;
        ta[n] = a[t->i];
        tv[n++] = v[t->j];
    }
    return n;
}

/* One strip of TW_LANES lanes; `mine`: this thread's, and not another's of its team. */
static void run_strip(const struct tw_run *r, struct tw_winograd w, size_t strip, bool mine,
                      const void *const *a, const struct tw_planes *x, const void *const *bias,
                      const struct tw_planes *y, bool *written)
{
    const void *v[TW_MAX_PLANES] = { NULL }, *ta[TW_MAX_TERMS], *tv[TW_MAX_TERMS];
    long used = (long)tw_winograd_products();

    for (int p = 0; p < r->alg->planes; p++) {
        void *to = tw_at(r, r->own, used, TW_LANES);

        if (!x->p[p])
            continue;
        if (mine)
            r->alone->winograd_in(&w, x->p[p], to);
        v[p] = to;
        used += (long)tw_winograd_inputs(w.cin, strip);
    }
    w.a = ta;
    w.v = tv;
    for (int p = 0; p < r->alg->planes; p++) {
        w.nterm = y->p[p] ? terms_of(r, p, a, v, ta, tv) : 0;
        if (!w.nterm)
            continue;
        if (mine)
            r->alone->winograd_out(&w, r->own, bias ? bias[p] : NULL, y->p[p]);
        written[p] = true;
    }
}

void tw_winograd_run(const struct tw_run *r, const struct tw_conv_data *d, bool back,
                     const void *const *a, const struct tw_planes *x, const void *const *bias,
                     enum tw_store store, int act, const struct tw_planes *y, bool *written)
{
    struct tw_winograd w = shape_of(d, back);
    const size_t all = tiles_of(&w), strip = strip_of(&w, (size_t)r->alg->planes);
    size_t turn = 0;

    w.lanes = r->lanes;
    w.store = store;
    w.relu = act == TW_U_RELU;
    for (; w.lane < r->lanes; w.lane += TW_LANES)
        for (w.first = 0; w.first < all; w.first += strip) {
            w.tiles = all - w.first < strip ? all - w.first : strip;
            run_strip(r, w, strip, turn++ % r->team == r->me, a, x, bias, y, written);
        }
    tw_run_wait(r);
    if (act != TW_U_COPY && act != TW_U_RELU)
        r->k->unary((enum tw_unary)act, 0, 0.0, 0.0, w.cout * w.out[0] * w.out[1] * r->lanes,
                    y->p[0], y->p[0]);
}

/* ---- the gradient by the weights --------------------------------------------------------------
 */

bool tw_winograd_weights_pay(const struct tw_conv_data *d)
{
    const struct tw_winograd w = shape_of(d, false);

    return tw_winograd_pays(d) && d->cin * d->cout >= FEWEST_WEIGHTS &&
           d->cin * d->cout <= MOST_WEIGHTS && tiles_of(&w) >= FEWEST_TILES;
}

/* Longer strips than forward: their sums are added to many numbers. */
static size_t weights_strip(const struct tw_winograd *w)
{
    const size_t row = (w->out[1] + 1) / 2, all = tiles_of(w);
    const size_t some = WEIGHTS_STRIP / (w->cin + w->cout);
    const size_t n = some < FEWEST_TILES ? FEWEST_TILES : some > row ? some / row * row : some;

    return n < all ? n : all;
}

/* In elements of TW_LANES reals, however short these are. */
static size_t sums_elements(const struct tw_conv_data *d)
{
    const size_t bytes = TW_WINOGRAD_POSITIONS * d->cout * d->cin * sizeof(double);

    return (bytes + TW_LANES * sizeof(float) - 1) / (TW_LANES * sizeof(float));
}

size_t tw_winograd_weights_scratch(const struct tw_conv_data *d, size_t planes)
{
    const struct tw_winograd w = shape_of(d, false);
    const size_t strip = weights_strip(&w);

    return planes * (sums_elements(d) + tw_winograd_inputs(d->cin, strip) +
                     tw_winograd_inputs(d->cout, strip));
}

/* The products of one strip's transforms, position by position: each thread of a team has some. */
static void add_products(const struct tw_run *r, const struct tw_winograd *w, const void *gy,
                         const void *x, double *du)
{
    const long gstep = (long)tw_winograd_step(w->cout, w->tiles);
    const long xstep = (long)tw_winograd_step(w->cin, w->tiles);
    struct tw_gradw g = { .m = w->cout,
                          .k = w->cin,
                          .mstride = (long)w->tiles,
                          .kstride = (long)w->tiles,
                          .nc = { 1, 1, w->tiles },
                          .gyc = { 0, 0, 1 },
                          .xc = { 0, 0, 1 },
                          .lanes = TW_LANES,
                          .dam = (long)w->cin,
                          .dak = 1,
                          .by = 1.0 };

    for (long p = (long)r->me; p < TW_WINOGRAD_POSITIONS; p += (long)r->team) {
        g.gy = tw_at(r, gy, p * gstep, TW_LANES);
        g.x = tw_at(r, x, p * xstep, TW_LANES);
        g.da = du + (size_t)p * w->cout * w->cin;
        r->alone->gradw(&g);
    }
}

/* Where the transforms and sums of each plane lie in scratch; NULL: none. A team shares the sums;
 * the transforms are made by each of its threads. */
struct weights_planes {
    void *x[TW_MAX_PLANES], *gy[TW_MAX_PLANES];
    double *du[TW_MAX_PLANES];
};

static void lay_out(const struct tw_run *r, const struct tw_conv_data *d, const struct tw_planes *x,
                    const struct tw_planes *gy, int weights, struct weights_planes *at)
{
    const struct tw_winograd w = shape_of(d, false);
    const size_t strip = weights_strip(&w);
    const size_t sums = sums_elements(d) * TW_LANES * sizeof(float);
    char *shared = r->scratch, *to = r->own + (size_t)r->alg->planes * sums;

    for (int p = 0; p < r->alg->planes; p++) {
        at->du[p] = tw_ugrad(r, weights, p) ? (double *)(void *)shared : NULL;
        shared += sums;
        at->x[p] = x->p[p] ? to : NULL;
        to = tw_at(r, to, (long)tw_winograd_inputs(d->cin, strip), TW_LANES);
        at->gy[p] = gy->p[p] ? to : NULL;
        to = tw_at(r, to, (long)tw_winograd_inputs(d->cout, strip), TW_LANES);
    }
}

void tw_winograd_weights(const struct tw_run *r, const struct tw_conv_data *d,
                         const struct tw_planes *x, const struct tw_planes *gy, int weights)
{
    struct tw_winograd w = shape_of(d, false);
    const size_t all = tiles_of(&w), strip = weights_strip(&w), n = d->cin * d->cout;
    struct weights_planes at;

    w.lanes = r->lanes;
    lay_out(r, d, x, gy, weights, &at);
    for (int p = 0; p < r->alg->planes; p++)
        for (size_t i = r->me; at.du[p] && i < TW_WINOGRAD_POSITIONS; i += r->team)
            memset(at.du[p] + i * n, 0, n * sizeof(double));
    for (; w.lane < r->lanes; w.lane += TW_LANES)
        for (w.first = 0; w.first < all; w.first += strip) {
            w.tiles = all - w.first < strip ? all - w.first : strip;
            for (int p = 0; p < r->alg->planes; p++) {
                if (at.x[p])
                    r->alone->winograd_in(&w, x->p[p], at.x[p]);
                if (at.gy[p])
                    r->alone->winograd_grad(&w, gy->p[p], at.gy[p]);
            }
            for (int i = 0; i < r->alg->nterm; i++) {
                const struct tw_term *t = &r->alg->term[i];

                if (at.gy[t->i] && at.x[t->j] && at.du[t->k])
                    add_products(r, &w, at.gy[t->i], at.x[t->j], at.du[t->k]);
            }
        }
    tw_run_wait(r);
    for (int p = 0; p < r->alg->planes; p++)
        if (at.du[p] && r->me == 0)
            r->alone->winograd_weights(n, at.du[p], tw_ugrad(r, weights, p));
    tw_run_wait(r);
}
