/* SPDX-License-Identifier: GPL-3.0-or-later */
/* kern_pool.h - pooling windows, and what gathers and scatters by the winners' numbers. */
#ifndef TENSOR_KERN_POOL_H
#define TENSOR_KERN_POOL_H

#include "kern_vec.h"

/* The part of a window of output o that lies inside, along one axis: first position, count. */
struct span {
    long first;
    size_t n;
};

static inline struct span pool_span(const struct tw_pool *p, int axis, size_t o)
{
    const long dilation = p->dilation[axis], in = (long)p->in[axis];
    const long begin = (long)o * p->stride[axis] - p->pad[axis];
    const long skip = begin < 0 ? (-begin + dilation - 1) / dilation : 0;
    const long first = begin + skip * dilation, window = (long)p->window[axis];
    const long inside = first < in ? (in - 1 - first) / dilation + 1 : 0;
    const long left = window - skip;

    return (struct span){ first, (size_t)(left < 0 ? 0 : left < inside ? left : inside) };
}

/* Positions of a window before any is left out that lie in the input or its padding: what an
 * average divides by if padding counts. */
static inline size_t pool_whole(const struct tw_pool *p)
{
    return p->window[0] * p->window[1] * p->window[2];
}

/* Runs a block for each output, with its spans s[3] and its number `out` within the plane. */
#define POOL_OUTPUTS(p, ...)                                                                       \
    {                                                                                              \
        size_t out = 0;                                                                            \
        struct span s[3];                                                                          \
        for (size_t o0 = 0; o0 < (p)->out[0]; o0++) {                                              \
            s[0] = pool_span(p, 0, o0);                                                            \
            for (size_t o1 = 0; o1 < (p)->out[1]; o1++) {                                          \
                s[1] = pool_span(p, 1, o1);                                                        \
                for (size_t o2 = 0; o2 < (p)->out[2]; o2++, out++) {                               \
                    s[2] = pool_span(p, 2, o2);                                                    \
                    __VA_ARGS__                                                                    \
                }                                                                                  \
            }                                                                                      \
        }                                                                                          \
    }

/* Runs a block for each element e of the plane in the window. */
#define POOL_WINDOW(p, s, ...)                                                                     \
    for (size_t a_ = 0; a_ < (s)[0].n; a_++)                                                       \
        for (size_t b_ = 0; b_ < (s)[1].n; b_++) {                                                 \
            const long row_ = (((s)[0].first + (long)a_ * (p)->dilation[0]) * (long)(p)->in[1] +   \
                               (s)[1].first + (long)b_ * (p)->dilation[1]) *                       \
                                  (long)(p)->in[2] +                                               \
                              (s)[2].first;                                                        \
            for (size_t c_ = 0; c_ < (s)[2].n; c_++) {                                             \
                const long e = row_ + (long)c_ * (p)->dilation[2];                                 \
                __VA_ARGS__                                                                        \
            }                                                                                      \
        }

static inline size_t volume(const size_t n[3])
{
    return n[0] * n[1] * n[2];
}

/* The first of equals wins; NaN wins over all. Where the window holds nothing the winner is -1. */
static void maxpool_plane(const struct tw_pool *p, const real *x, real *y, real *index)
{
    const size_t lanes = p->lanes;

    POOL_OUTPUTS(p, {
        for (size_t l = 0; l < lanes; l += W) {
            vec top = K(-INFINITY), who = K(-1.0);

            POOL_WINDOW(p, s, {
                const vec v = vload(x + e * (long)lanes + (long)l);
                const ivec better = (v > top) | (who < K(0.0)) | ((v != v) & (top == top));

                top = vsel(better, v, top);
                who = vsel(better, K(e), who);
            })
            vstore(y + out * lanes + l, top);
            if (index)
                vstore(index + out * lanes + l, who);
        }
    })
}

static void maxpool(const struct tw_pool *p, const void *x, void *y, void *index)
{
    const size_t in = volume(p->in) * p->lanes, out = volume(p->out) * p->lanes;

    for (size_t c = 0; c < p->planes; c++)
        maxpool_plane(p, (const real *)x + c * in, (real *)y + c * out,
                      index ? (real *)index + c * out : NULL);
}

static void avgpool_plane(const struct tw_pool *p, const real *x, real *y)
{
    const size_t lanes = p->lanes;

    POOL_OUTPUTS(p, {
        const size_t n = p->count_pad ? pool_whole(p) : s[0].n * s[1].n * s[2].n;

        for (size_t l = 0; l < lanes; l += W) {
            vec sum = K(0.0);

            POOL_WINDOW(p, s, sum += vload(x + e * (long)lanes + (long)l);)
            vstore(y + out * lanes + l, sum / K(n));
        }
    })
}

static void avgpool(const struct tw_pool *p, const void *x, void *y)
{
    const size_t in = volume(p->in) * p->lanes, out = volume(p->out) * p->lanes;

    for (size_t c = 0; c < p->planes; c++)
        avgpool_plane(p, (const real *)x + c * in, (real *)y + c * out);
}

static void avgpool_grad_plane(const struct tw_pool *p, const real *gy, real *gx)
{
    const size_t lanes = p->lanes;

    POOL_OUTPUTS(p, {
        const size_t n = p->count_pad ? pool_whole(p) : s[0].n * s[1].n * s[2].n;

        for (size_t l = 0; l < lanes; l += W) {
            const vec g = vload(gy + out * lanes + l) / K(n);

            POOL_WINDOW(p, s, vput(TW_ADD, gx + e * (long)lanes + (long)l, g);)
        }
    })
}

static void avgpool_grad(const struct tw_pool *p, const void *gy, void *gx)
{
    const size_t in = volume(p->in) * p->lanes, out = volume(p->out) * p->lanes;

    for (size_t c = 0; c < p->planes; c++)
        avgpool_grad_plane(p, (const real *)gy + c * out, (real *)gx + c * in);
}

/* The element that index (a real) names among n, or -1. */
static inline long picked(real index, size_t n)
{
    return index >= (real)0.0 && index < (real)n ? (long)index : -1;
}

static void pick(size_t planes, size_t nin, size_t nout, size_t lanes, const void *vindex,
                 const void *vx, void *vy)
{
    const real *index = vindex, *x = vx;
    real *y = vy;

    for (size_t c = 0; c < planes; c++, x += nin * lanes)
        for (size_t o = 0; o < nout; o++, index += lanes, y += lanes)
            for (size_t l = 0; l < lanes; l++) {
                const long e = picked(index[l], nin);

                y[l] = e < 0 ? (real)0.0 : x[(size_t)e * lanes + l];
            }
}

static void unpick(size_t planes, size_t nin, size_t nout, size_t lanes, const void *vindex,
                   const void *vg, void *vgx)
{
    const real *index = vindex, *g = vg;
    real *gx = vgx;

    for (size_t c = 0; c < planes; c++, gx += nin * lanes)
        for (size_t o = 0; o < nout; o++, index += lanes, g += lanes)
            for (size_t l = 0; l < lanes; l++) {
                const long e = picked(index[l], nin);

                if (e >= 0)
                    gx[(size_t)e * lanes + l] += g[l];
            }
}

#endif
