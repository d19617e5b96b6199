/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Convolutions one tap of the window at a time: whatever the packed kernel does not take. */
#include "conv.h"

/* The outputs whose window has tap t inside the input, along one axis. */
static void reach(const struct tw_conv_data *d, int axis, size_t t, size_t *first, size_t *n)
{
    long shift = (long)t * d->dilation[axis] - d->pad[axis], s = d->stride[axis];
    long lo = shift < 0 ? (-shift + s - 1) / s : 0;
    long hi = (long)d->in[axis] - 1 - shift; /* o s <= hi */

    hi = hi < 0 ? -1 : hi / s;
    if (hi > (long)d->out[axis] - 1)
        hi = (long)d->out[axis] - 1;
    *first = (size_t)lo;
    *n = hi < lo ? 0 : (size_t)(hi - lo + 1);
}

struct tap {
    struct tw_loop loop; /* a: input, b: weights, y: output */
    long x, w, y;        /* where they start */
};

/* Groups, rows, channels, then space. */
static bool tap_of(const struct tw_conv_data *d, const size_t t[3], struct tap *tap)
{
    size_t rows = tw_conv_rows(d), channels = d->cin / d->groups,
           window = tw_conv_volume(d->window);
    size_t plane = tw_conv_volume(d->in), outs = tw_conv_volume(d->out);
    long xs = 1, ys = 1;

    *tap = (struct tap){ .loop = { .nd = 6 } };
    tap->loop.n[0] = d->groups;
    tap->loop.n[1] = rows;
    tap->loop.n[2] = channels;
    tap->loop.sa[0] = (long)(channels * plane);
    tap->loop.sa[2] = (long)plane;
    tap->loop.sb[0] = (long)(rows * channels * window);
    tap->loop.sb[1] = (long)(channels * window);
    tap->loop.sb[2] = (long)window;
    tap->loop.sy[0] = (long)(rows * outs);
    tap->loop.sy[1] = (long)outs;
    for (int i = 2; i >= 0; i--) {
        size_t first, n;

        reach(d, i, t[i], &first, &n);
        if (!n)
            return false;
        tap->loop.n[3 + i] = n;
        tap->loop.sa[3 + i] = xs * d->stride[i];
        tap->loop.sy[3 + i] = ys;
        tap->x += xs * ((long)first * d->stride[i] + (long)t[i] * d->dilation[i] - d->pad[i]);
        tap->y += ys * (long)first;
        xs *= (long)d->in[i];
        ys *= (long)d->out[i];
    }
    tap->w = (long)((t[0] * d->window[1] + t[1]) * d->window[2] + t[2]);
    return true;
}

static struct tw_planes moved(const struct tw_run *r, const struct tw_planes *x, long n)
{
    struct tw_planes y = *x;

    for (int p = 0; p < r->alg->planes; p++)
        y.p[p] = x->p[p] ? tw_at(r, x->p[p], n, x->lanes) : NULL;
    return y;
}

struct tw_loop tw_conv_loop(const struct tw_loop *l, const long *a, const long *b, const long *y)
{
    struct tw_loop m = { .nd = l->nd };

    for (int i = 0; i < l->nd; i++) {
        m.n[i] = l->n[i];
        m.sa[i] = a[i];
        m.sb[i] = b[i];
        m.sy[i] = y[i];
    }
    return m;
}

/* Adds to a shifted cotangent: the offset is applied to where v's cotangent lies. */
static void into_at(const struct tw_run *r, const struct tw_loop *l, const struct tw_planes *a,
                    const struct tw_planes *b, int v, long at)
{
    bool uniform = tw_lanes_of(r, v) == 1 && r->lanes > 1;

    for (int i = 0; i < r->alg->nterm; i++) {
        const struct tw_term *t = &r->alg->term[i];

        if (!a->p[t->i] || !b->p[t->j])
            continue;
        if (uniform && tw_ugrad(r, v, t->k))
            r->k->reduce_lanes(l, a->p[t->i], b->lanes, b->p[t->j], r->lanes,
                               tw_ugrad(r, v, t->k) + at);
        else if (!uniform && tw_grad(r, v, t->k))
            r->k->binary(TW_B_MUL, l, a->lanes, a->p[t->i], b->lanes, b->p[t->j], TW_ADD, r->lanes,
                         tw_at(r, tw_grad(r, v, t->k), at, r->lanes));
    }
}

void tw_conv_taps(const struct tw_run *r, const struct tw_instr *in, bool back)
{
    const struct tw_conv_data *d = in->data;
    struct tw_planes x, w, y;

    tw_planes_of(r, in->in[0], &x);
    tw_planes_of(r, in->in[1], &w);
    if (back)
        tw_planes_grad(r, in->out[0], &y);
    else
        tw_planes_of(r, in->out[0], &y);
    for (size_t i = 0; i < tw_conv_volume(d->window); i++) {
        size_t t[3] = { i / (d->window[1] * d->window[2]), i / d->window[2] % d->window[1],
                        i % d->window[2] };
        struct tw_planes xt, wt, yt;
        struct tap tap;
        struct tw_loop l;

        if (!tap_of(d, t, &tap))
            continue;
        xt = moved(r, &x, tap.x);
        wt = moved(r, &w, tap.w);
        yt = moved(r, &y, tap.y);
        if (!back) {
            tw_alg_binary(r, TW_B_MUL, &tap.loop, &xt, &wt, TW_ADD, &yt);
            continue;
        }
        if (tw_wants_grad(r, in->in[0])) {
            l = tw_conv_loop(&tap.loop, tap.loop.sy, tap.loop.sb, tap.loop.sa);
            into_at(r, &l, &yt, &wt, in->in[0], tap.x);
        }
        if (tw_wants_grad(r, in->in[1])) {
            l = tw_conv_loop(&tap.loop, tap.loop.sy, tap.loop.sa, tap.loop.sb);
            into_at(r, &l, &yt, &xt, in->in[1], tap.w);
        }
    }
}
