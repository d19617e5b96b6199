/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Convolution (as networks have it: cross-correlation). Weights that all samples share go to the
 * packed kernel, whose inner index walks channels and window through a table of offsets into
 * the padded input, or to conv_winograd.c; anything else goes one tap at a time. */
#include "conv.h"

static size_t group_inner(const struct tw_conv_data *d)
{
    return d->cin / d->groups * tw_conv_volume(d->window);
}

/* Few rows a group would leave the kernel's registers empty. */
static bool uses_pack(const struct tw_graph *g, const struct tw_instr *in)
{
    return g->val[in->in[0]].varying && !g->val[in->in[1]].varying && tw_conv_rows(in->data) > 1;
}

static bool is_padded(const struct tw_conv_data *d)
{
    return tw_conv_volume(d->room) != tw_conv_volume(d->in) || d->pad[0] || d->pad[1] || d->pad[2];
}

/* ---- the packed kernel ------------------------------------------------------------------------
 */

/* Reals of one group's weights in packed form. */
static size_t panel_size(const struct tw_conv_data *d, const struct tw_kernels *k, bool transposed)
{
    size_t m = tw_conv_rows(d), n = group_inner(d);

    if (tw_winograd_pays(d))
        return TW_WINOGRAD_POSITIONS *
               (transposed ? k->packed_size(d->cin, m) : k->packed_size(m, d->cin));
    return transposed ? k->packed_size(n, m) : k->packed_size(m, n);
}

static size_t conv_keep(const struct tw_graph *g, const struct tw_instr *in,
                        const struct tw_kernels *k, const struct tw_alg *alg, bool gradient)
{
    const struct tw_conv_data *d = in->data;

    if (!uses_pack(g, in))
        return 0;
    return (g->val[in->in[1]].active ? (size_t)alg->planes : 1) * d->groups *
           (panel_size(d, k, false) + (gradient ? panel_size(d, k, true) : 0));
}

static void *panels(const struct tw_run *r, const struct tw_instr *in, size_t number, int p,
                    size_t group, bool transposed)
{
    const struct tw_conv_data *d = in->data;
    size_t planes = tw_val_of(r, in->in[1])->active ? (size_t)r->alg->planes : 1;
    size_t forward = panel_size(d, r->k, false), back = panel_size(d, r->k, true);
    size_t which = (size_t)p * d->groups + group;
    size_t at = transposed ? planes * d->groups * forward + which * back : which * forward;

    return r->kept[number] ? (char *)r->kept[number] + at * r->k->size : NULL;
}

static void conv_prepare(const struct tw_run *r, const struct tw_instr *in, size_t number,
                         bool gradient)
{
    const struct tw_conv_data *d = in->data;
    size_t m = tw_conv_rows(d), n = group_inner(d);

    if (!uses_pack(r->g, in))
        return;
    for (int p = 0; p < r->alg->planes; p++) {
        const char *w = tw_plane(r, in->in[1], p);

        for (size_t g = 0; w && g < d->groups; g++) {
            const void *wg = w + g * m * n * r->k->size;

            if (tw_winograd_pays(d)) {
                r->k->winograd_pack(m, d->cin, wg, (long)n, 9, false,
                                    panels(r, in, number, p, g, false));
                if (gradient)
                    r->k->winograd_pack(d->cin, m, wg, 9, (long)n, true,
                                        panels(r, in, number, p, g, true));
                continue;
            }
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
    l.sa[0] = (long)tw_conv_volume(d->room);
    l.sy[0] = (long)tw_conv_volume(d->in);
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
    m = tw_conv_loop(&l, l.sy, l.sy, l.sa);
    for (int p = 0; p < r->alg->planes; p++) {
        const void *real = x->p[p];
        void *y = tw_at(r, r->scratch, (long)*used, r->lanes);

        if (!real)
            continue;
        *used += d->cin * tw_conv_volume(d->room);
        r->k->fill(d->cin * tw_conv_volume(d->room) * r->lanes, 0.0, y);
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
    struct tw_loop l = { .nd = 2,
                         .n = { d->cout, tw_conv_volume(d->out) },
                         .sa = { 1, 0 },
                         .sy = { (long)tw_conv_volume(d->out), 1 } };

    if (bias)
        r->k->binary(TW_B_FIRST, &l, 1, bias, 1, bias, TW_SET, r->lanes, y);
    else
        r->k->fill(d->cout * tw_conv_volume(d->out) * r->lanes, 0.0, y);
}

/* By terms through tw_winograd_run: forward with the bias, or back to the input's cotangent. */
static void winograd(const struct tw_run *r, const struct tw_instr *in, size_t number, bool back)
{
    const void *a[TW_MAX_PLANES], *bias[TW_MAX_PLANES];
    bool written[TW_MAX_PLANES] = { false };
    struct tw_planes x, y;

    for (int p = 0; p < r->alg->planes; p++) {
        a[p] = tw_plane(r, in->in[1], p) ? panels(r, in, number, p, 0, back) : NULL;
        bias[p] = in->nin > 2 ? tw_plane(r, in->in[2], p) : NULL;
    }
    if (back) {
        tw_planes_grad(r, in->out[0], &x);
        tw_planes_grad(r, in->in[0], &y);
        tw_winograd_run(r, in->data, true, a, &x, NULL, TW_ADD, TW_U_COPY, &y, written);
        return;
    }
    tw_planes_of(r, in->in[0], &x);
    tw_planes_of(r, in->out[0], &y);
    tw_winograd_run(r, in->data, false, a, &x, bias, TW_SET, r->act ? r->act[number] : TW_U_COPY,
                    &y, written);
    for (int p = 0; p < r->alg->planes; p++)
        if (!written[p] && y.p[p])
            bias_alone(r, in, p, y.p[p]);
}

static void packed_forward(const struct tw_run *r, const struct tw_instr *in, size_t number)
{
    const struct tw_conv_data *d = in->data;
    size_t m = tw_conv_rows(d), n = group_inner(d), used = 0;
    bool written[TW_MAX_PLANES] = { false };
    struct tw_gemm g = { .m = m,
                         .k = n,
                         .koff = d->koff,
                         .mstride = (long)tw_conv_volume(d->out),
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
            g.x = tw_at(r, x.p[t->j], (long)(q * (d->cin / d->groups) * tw_conv_volume(d->room)),
                        r->lanes);
            g.y = tw_at(r, y, (long)(q * m * tw_conv_volume(d->out)), r->lanes);
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
    size_t m = tw_conv_rows(d), n = group_inner(d), used = 0;
    size_t channels = d->cin / d->groups * tw_conv_volume(d->room);
    struct tw_gemm g = { .m = n,
                         .k = m,
                         .kstride = (long)tw_conv_volume(d->out),
                         .moff = d->koff,
                         .apart = tw_conv_volume(d->window),
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
        used += d->cin * tw_conv_volume(d->room);
        r->k->fill(d->cin * tw_conv_volume(d->room) * r->lanes, 0.0, gx.p[p]);
    }
    for (int i = 0; i < r->alg->nterm; i++) {
        const struct tw_term *t = &r->alg->term[i];
        const void *gy = tw_grad(r, in->out[0], t->j);

        if (!tw_plane(r, in->in[1], t->i) || !gy || !gx.p[t->k])
            continue;
        for (size_t q = 0; q < d->groups; q++) {
            g.a = panels(r, in, number, t->i, q, true);
            g.x = tw_at(r, gy, (long)(q * m * tw_conv_volume(d->out)), r->lanes);
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
    size_t m = tw_conv_rows(d), n = group_inner(d), used = 0;
    struct tw_gradw g = { .m = m,
                          .k = n,
                          .mstride = (long)tw_conv_volume(d->out),
                          .koff = d->koff,
                          .lanes = r->lanes,
                          .dam = (long)n,
                          .dak = 1,
                          .by = 1.0 };
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
            g.gy = tw_at(r, gy, (long)(q * m * tw_conv_volume(d->out)), r->lanes);
            g.x = tw_at(r, x.p[t->j], (long)(q * (d->cin / d->groups) * tw_conv_volume(d->room)),
                        r->lanes);
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
    struct tw_loop l = { .nd = 2,
                         .n = { d->cout, tw_conv_volume(d->out) },
                         .sa = { 1, 0 },
                         .sy = { (long)tw_conv_volume(d->out), 1 } };

    if (uses_pack(r->g, in)) {
        if (tw_winograd_pays(d))
            winograd(r, in, number, false);
        else
            packed_forward(r, in, number);
        return;
    }
    tw_planes_of(r, in->out[0], &y);
    tw_alg_zero(r, d->cout * tw_conv_volume(d->out), &y);
    if (in->nin > 2) {
        tw_planes_of(r, in->in[2], &bias);
        tw_alg_binary(r, TW_B_FIRST, &l, &bias, &bias, TW_SET, &y);
    }
    tw_conv_taps(r, in, false);
}

static void conv_vjp(const struct tw_run *r, const struct tw_instr *in, size_t number)
{
    const struct tw_conv_data *d = in->data;
    struct tw_loop l = { .nd = 2,
                         .n = { d->cout, tw_conv_volume(d->out) },
                         .sa = { (long)tw_conv_volume(d->out), 1 },
                         .sy = { 1, 0 } };

    if (in->nin > 2 && tw_wants_grad(r, in->in[2])) {
        struct tw_planes g;

        tw_planes_grad(r, in->out[0], &g);
        tw_alg_into(r, &l, &g, NULL, in->in[2]);
    }
    if (!uses_pack(r->g, in)) {
        tw_conv_taps(r, in, true);
        return;
    }
    if (tw_wants_grad(r, in->in[0])) {
        if (tw_winograd_pays(d))
            winograd(r, in, number, true);
        else
            packed_back(r, in, number);
    }
    if (!tw_wants_grad(r, in->in[1]))
        return;
    if (tw_winograd_weights_pay(d)) {
        struct tw_planes x, gy;

        tw_planes_of(r, in->in[0], &x);
        tw_planes_grad(r, in->out[0], &gy);
        tw_winograd_weights(r, d, &x, &gy, in->in[1]);
    } else {
        weight_back(r, in);
    }
}

static size_t conv_scratch(const struct tw_graph *g, const struct tw_instr *in,
                           const struct tw_alg *alg)
{
    const struct tw_conv_data *d = in->data;
    const size_t planes = (size_t)alg->planes;
    size_t most = 0, n[3] = { is_padded(d) ? planes * d->cin * tw_conv_volume(d->room) : 0 };

    if (!uses_pack(g, in))
        return 0;
    if (tw_winograd_pays(d)) {
        const size_t direct = n[0];

        n[0] = tw_winograd_scratch(d, planes, false);
        n[1] = alg->back ? tw_winograd_scratch(d, planes, true) : 0;
        n[2] = !alg->back                   ? 0
               : tw_winograd_weights_pay(d) ? tw_winograd_weights_scratch(d, planes)
                                            : direct;
    }
    for (int i = 0; i < 3; i++)
        most = n[i] > most ? n[i] : most;
    return most;
}

const struct tw_op tw_op_conv = { .name = "conv",
                                  .forward = conv_forward,
                                  .bias = bias_alone,
                                  .vjp = conv_vjp,
                                  .scratch = conv_scratch,
                                  .keep = conv_keep,
                                  .prepare = conv_prepare };
