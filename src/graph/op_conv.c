/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Convolution (as networks have it: cross-correlation). Weights that all samples share go to the
 * packed kernel, whose inner index walks channels and window through a table of offsets into
 * the padded input; anything else goes one tap at a time. */
#include "ir.h"

static size_t volume(const size_t n[3])
{
    return n[0] * n[1] * n[2];
}

static size_t group_rows(const struct tw_conv_data *d)
{
    return d->cout / d->groups;
}

static size_t group_inner(const struct tw_conv_data *d)
{
    return d->cin / d->groups * volume(d->window);
}

/* Few rows a group would leave the kernel's registers empty. */
static bool uses_pack(const struct tw_graph *g, const struct tw_instr *in)
{
    return g->val[in->in[0]].varying && !g->val[in->in[1]].varying && group_rows(in->data) > 1;
}

static bool is_padded(const struct tw_conv_data *d)
{
    return volume(d->room) != volume(d->in) || d->pad[0] || d->pad[1] || d->pad[2];
}

/* ---- one tap at a time ---------------------------------------------------------------------- */

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
    size_t rows = group_rows(d), channels = d->cin / d->groups, window = volume(d->window);
    size_t plane = volume(d->in), outs = volume(d->out);
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

static struct tw_loop loop_with(const struct tw_loop *l, const long *a, const long *b,
                                const long *y)
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

static void each_tap(const struct tw_run *r, const struct tw_instr *in, bool back)
{
    const struct tw_conv_data *d = in->data;
    struct tw_planes x, w, y;

    tw_planes_of(r, in->in[0], &x);
    tw_planes_of(r, in->in[1], &w);
    if (back)
        tw_planes_grad(r, in->out[0], &y);
    else
        tw_planes_of(r, in->out[0], &y);
    for (size_t i = 0; i < volume(d->window); i++) {
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
            l = loop_with(&tap.loop, tap.loop.sy, tap.loop.sb, tap.loop.sa);
            into_at(r, &l, &yt, &wt, in->in[0], tap.x);
        }
        if (tw_wants_grad(r, in->in[1])) {
            l = loop_with(&tap.loop, tap.loop.sy, tap.loop.sa, tap.loop.sb);
            into_at(r, &l, &yt, &xt, in->in[1], tap.w);
        }
    }
}

/* ---- the packed kernel ------------------------------------------------------------------------
 */

static size_t conv_keep(const struct tw_graph *g, const struct tw_instr *in,
                        const struct tw_kernels *k, const struct tw_alg *alg, bool gradient)
{
    const struct tw_conv_data *d = in->data;
    size_t m = group_rows(d), n = group_inner(d);

    if (!uses_pack(g, in))
        return 0;
    return (g->val[in->in[1]].active ? (size_t)alg->planes : 1) * d->groups *
           (k->packed_size(m, n) + (gradient ? k->packed_size(n, m) : 0));
}

static void *panels(const struct tw_run *r, const struct tw_instr *in, size_t number, int p,
                    size_t group, bool transposed)
{
    const struct tw_conv_data *d = in->data;
    size_t m = group_rows(d), n = group_inner(d);
    size_t planes = tw_val_of(r, in->in[1])->active ? (size_t)r->alg->planes : 1;
    size_t forward = r->k->packed_size(m, n), back = r->k->packed_size(n, m);
    size_t which = (size_t)p * d->groups + group;
    size_t at = transposed ? planes * d->groups * forward + which * back : which * forward;

    return (char *)r->kept[number] + at * r->k->size;
}

static void conv_prepare(const struct tw_run *r, const struct tw_instr *in, size_t number,
                         bool gradient)
{
    const struct tw_conv_data *d = in->data;
    size_t m = group_rows(d), n = group_inner(d);

    if (!uses_pack(r->g, in))
        return;
    for (int p = 0; p < r->alg->planes; p++) {
        const char *w = tw_plane(r, in->in[1], p);

        for (size_t g = 0; w && g < d->groups; g++) {
            const void *wg = w + g * m * n * r->k->size;

            r->k->pack(m, n, wg, (long)n, 1, panels(r, in, number, p, g, false));
            if (gradient)
                r->k->pack(n, m, wg, 1, (long)n, panels(r, in, number, p, g, true));
        }
    }
}

/* The nest that walks the part of the padded input that is real: a padded, y real. */
static struct tw_loop pad_loop(const struct tw_conv_data *d, long *from, long *to)
{
    struct tw_loop l = { .nd = 4 };
    long xs = 1, ps = 1;

    *from = *to = 0;
    l.n[0] = d->cin;
    l.sa[0] = (long)volume(d->room);
    l.sy[0] = (long)volume(d->in);
    for (int i = 2; i >= 0; i--) {
        long skip = d->pad[i] < 0 ? -d->pad[i] : 0, at = d->pad[i] < 0 ? 0 : d->pad[i];
        long n = (long)d->in[i] - skip, room = (long)d->room[i] - at;

        n = n < room ? n : room;
        l.n[1 + i] = (size_t)(n > 0 ? n : 0);
        l.sa[1 + i] = ps;
        l.sy[1 + i] = xs;
        *from += at * ps;
        *to += skip * xs;
        ps *= (long)d->room[i];
        xs *= (long)d->in[i];
    }
    return l;
}

/* The input with its border, in scratch if there is one. */
static void padded(const struct tw_run *r, const struct tw_conv_data *d, int v, size_t *used,
                   struct tw_planes *x)
{
    struct tw_loop l, m;
    long from, to;

    tw_planes_of(r, v, x);
    if (!is_padded(d))
        return;
    l = pad_loop(d, &from, &to);
    m = loop_with(&l, l.sy, l.sy, l.sa);
    for (int p = 0; p < r->alg->planes; p++) {
        const void *real = x->p[p];
        void *y = tw_at(r, r->scratch, (long)*used, r->lanes);

        if (!real)
            continue;
        *used += d->cin * volume(d->room);
        r->k->fill(d->cin * volume(d->room) * r->lanes, 0.0, y);
        real = tw_at(r, real, to, r->lanes);
        r->k->binary(TW_B_FIRST, &m, r->lanes, real, r->lanes, real, TW_SET, r->lanes,
                     tw_at(r, y, from, r->lanes));
        x->p[p] = y;
    }
}

static void columns(const struct tw_conv_data *d, size_t nc[3], long xc[3], long yc[3])
{
    long xs = 1, ys = 1;

    for (int i = 2; i >= 0; i--) {
        nc[i] = d->out[i];
        xc[i] = xs * d->stride[i];
        yc[i] = ys;
        xs *= (long)d->room[i];
        ys *= (long)d->out[i];
    }
}

static void bias_alone(const struct tw_run *r, const struct tw_instr *in, int p, void *y)
{
    const struct tw_conv_data *d = in->data;
    const void *bias = in->nin > 2 ? tw_plane(r, in->in[2], p) : NULL;
    struct tw_loop l = {
        .nd = 2, .n = { d->cout, volume(d->out) }, .sa = { 1, 0 }, .sy = { (long)volume(d->out), 1 }
    };

    if (bias)
        r->k->binary(TW_B_FIRST, &l, 1, bias, 1, bias, TW_SET, r->lanes, y);
    else
        r->k->fill(d->cout * volume(d->out) * r->lanes, 0.0, y);
}

static void packed_forward(const struct tw_run *r, const struct tw_instr *in, size_t number)
{
    const struct tw_conv_data *d = in->data;
    size_t m = group_rows(d), n = group_inner(d), used = 0;
    bool written[TW_MAX_PLANES] = { false };
    struct tw_gemm g = { .m = m,
                         .k = n,
                         .koff = d->koff,
                         .mstride = (long)volume(d->out),
                         .lanes = r->lanes,
                         .act = r->act ? r->act[number] : TW_U_COPY };
    struct tw_planes x;

    padded(r, d, in->in[0], &used, &x);
    columns(d, g.nc, g.xc, g.yc);
    for (int i = 0; i < r->alg->nterm; i++) {
        const struct tw_term *t = &r->alg->term[i];
        const char *bias = in->nin > 2 ? tw_plane(r, in->in[2], t->k) : NULL;
        void *y = tw_plane(r, in->out[0], t->k);

        if (!tw_plane(r, in->in[1], t->i) || !x.p[t->j] || !y)
            continue;
        g.store = written[t->k] ? TW_ADD : TW_SET;
        for (size_t q = 0; q < d->groups; q++) {
            g.a = panels(r, in, number, t->i, q, false);
            g.bias = bias && !written[t->k] ? bias + q * m * r->k->size : NULL;
            g.x = tw_at(r, x.p[t->j], (long)(q * (d->cin / d->groups) * volume(d->room)), r->lanes);
            g.y = tw_at(r, y, (long)(q * m * volume(d->out)), r->lanes);
            r->k->gemm(&g);
        }
        written[t->k] = true;
    }
    for (int p = 0; p < r->alg->planes; p++)
        if (!written[p] && tw_plane(r, in->out[0], p))
            bias_alone(r, in, p, tw_plane(r, in->out[0], p));
}

static void packed_back(const struct tw_run *r, const struct tw_instr *in, size_t number)
{
    const struct tw_conv_data *d = in->data;
    size_t m = group_rows(d), n = group_inner(d), used = 0;
    size_t channels = d->cin / d->groups * volume(d->room);
    struct tw_gemm g = { .m = n,
                         .k = m,
                         .kstride = (long)volume(d->out),
                         .moff = d->koff,
                         .lanes = r->lanes,
                         .store = TW_ADD,
                         .act = TW_U_COPY };
    struct tw_planes gx;
    struct tw_loop l;
    long from, to;

    tw_planes_grad(r, in->in[0], &gx);
    columns(d, g.nc, g.yc, g.xc);
    for (int p = 0; p < r->alg->planes && is_padded(d); p++) {
        if (!gx.p[p])
            continue;
        gx.p[p] = tw_at(r, r->scratch, (long)used, r->lanes);
        used += d->cin * volume(d->room);
        r->k->fill(d->cin * volume(d->room) * r->lanes, 0.0, gx.p[p]);
    }
    for (int i = 0; i < r->alg->nterm; i++) {
        const struct tw_term *t = &r->alg->term[i];
        const void *gy = tw_grad(r, in->out[0], t->j);

        if (!tw_plane(r, in->in[1], t->i) || !gy || !gx.p[t->k])
            continue;
        for (size_t q = 0; q < d->groups; q++) {
            g.a = panels(r, in, number, t->i, q, true);
            g.x = tw_at(r, gy, (long)(q * m * volume(d->out)), r->lanes);
            g.y = tw_at(r, gx.p[t->k], (long)(q * channels), r->lanes);
            r->k->gemm(&g);
        }
    }
    l = pad_loop(d, &from, &to);
    for (int p = 0; p < r->alg->planes && is_padded(d); p++) {
        const void *a = gx.p[p];

        if (!a)
            continue;
        a = tw_at(r, a, from, r->lanes);
        r->k->binary(TW_B_FIRST, &l, r->lanes, a, r->lanes, a, TW_ADD, r->lanes,
                     tw_at(r, tw_grad(r, in->in[0], p), to, r->lanes));
    }
}

static void weight_back(const struct tw_run *r, const struct tw_instr *in)
{
    const struct tw_conv_data *d = in->data;
    size_t m = group_rows(d), n = group_inner(d), used = 0;
    struct tw_gradw g = { .m = m,
                          .k = n,
                          .mstride = (long)volume(d->out),
                          .koff = d->koff,
                          .lanes = r->lanes,
                          .dam = (long)n,
                          .dak = 1 };
    struct tw_planes x;

    padded(r, d, in->in[0], &used, &x);
    columns(d, g.nc, g.xc, g.gyc);
    for (int i = 0; i < r->alg->nterm; i++) {
        const struct tw_term *t = &r->alg->term[i];
        const void *gy = tw_grad(r, in->out[0], t->i);
        double *gw = tw_ugrad(r, in->in[1], t->k);

        if (!gy || !x.p[t->j] || !gw)
            continue;
        for (size_t q = 0; q < d->groups; q++) {
            g.gy = tw_at(r, gy, (long)(q * m * volume(d->out)), r->lanes);
            g.x = tw_at(r, x.p[t->j], (long)(q * (d->cin / d->groups) * volume(d->room)), r->lanes);
            g.da = gw + q * m * n;
            r->k->gradw(&g);
        }
    }
}

/* ---- the operator -------------------------------------------------------------------------- */

static void conv_forward(const struct tw_run *r, const struct tw_instr *in, size_t number)
{
    const struct tw_conv_data *d = in->data;
    struct tw_planes y, bias;
    struct tw_loop l = {
        .nd = 2, .n = { d->cout, volume(d->out) }, .sa = { 1, 0 }, .sy = { (long)volume(d->out), 1 }
    };

    if (uses_pack(r->g, in)) {
        packed_forward(r, in, number);
        return;
    }
    tw_planes_of(r, in->out[0], &y);
    tw_alg_zero(r, d->cout * volume(d->out), &y);
    if (in->nin > 2) {
        tw_planes_of(r, in->in[2], &bias);
        tw_alg_binary(r, TW_B_FIRST, &l, &bias, &bias, TW_SET, &y);
    }
    each_tap(r, in, false);
}

static void conv_vjp(const struct tw_run *r, const struct tw_instr *in, size_t number)
{
    const struct tw_conv_data *d = in->data;
    struct tw_loop l = {
        .nd = 2, .n = { d->cout, volume(d->out) }, .sa = { (long)volume(d->out), 1 }, .sy = { 1, 0 }
    };

    if (in->nin > 2 && tw_wants_grad(r, in->in[2])) {
        struct tw_planes g;

        tw_planes_grad(r, in->out[0], &g);
        tw_alg_into(r, &l, &g, NULL, in->in[2]);
    }
    if (!uses_pack(r->g, in)) {
        each_tap(r, in, true);
        return;
    }
    if (tw_wants_grad(r, in->in[0]))
        packed_back(r, in, number);
    if (tw_wants_grad(r, in->in[1]))
        weight_back(r, in);
}

static size_t conv_scratch(const struct tw_graph *g, const struct tw_instr *in,
                           const struct tw_alg *alg)
{
    const struct tw_conv_data *d = in->data;

    return uses_pack(g, in) && is_padded(d) ? (size_t)alg->planes * d->cin * volume(d->room) : 0;
}

const struct tw_op tw_op_conv = { .name = "conv",
                                  .forward = conv_forward,
                                  .bias = bias_alone,
                                  .vjp = conv_vjp,
                                  .scratch = conv_scratch,
                                  .keep = conv_keep,
                                  .prepare = conv_prepare };
