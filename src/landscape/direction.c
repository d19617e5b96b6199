/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Random directions, scaled to the parameters that they start from. */
#include <math.h>

#include "sums.h"
#include "thalweg/landscape.h"

static bool is_bias(const struct tw_param *p)
{
    return p->role == TW_ROLE_BIAS || p->role == TW_ROLE_NORM_SCALE ||
           p->role == TW_ROLE_NORM_SHIFT;
}

/* The stream of a tensor: 2^32 directions of 2^32 tensors. */
static void gaussian(const struct tw_direction_options *o, size_t tensor, size_t n, float *out)
{
    const uint64_t item = (uint64_t)o->index << 32 | (uint64_t)tensor;
    struct tw_rng rng = tw_rng_stream(o->seed, TW_RNG_DIRECTION, item);

    for (size_t i = 0; i < n; i++)
        out[i] = (float)tw_rng_normal(&rng);
}

/* Slice f of `filters` along an axis with `inner` numbers after it: d ||w|| / ||d||. */
static void scale_filter(size_t n, size_t filters, size_t inner, size_t f, const float *w, float *d)
{
    double ww = 0.0, dd = 0.0, by;

    for (size_t o = f * inner; o < n; o += filters * inner)
        for (size_t i = o; i < o + inner; i++) {
            ww += (double)w[i] * (double)w[i];
            dd += (double)d[i] * (double)d[i];
        }
    by = dd > 0.0 ? sqrt(ww / dd) : 0.0;
    for (size_t o = f * inner; o < n; o += filters * inner)
        for (size_t i = o; i < o + inner; i++)
            d[i] = (float)(by * (double)d[i]);
}

static void scale(const struct tw_param *p, enum tw_normalise how, const float *w, float *d)
{
    const bool whole = how == TW_NORMALISE_LAYER || p->filter_axis < 0 || is_bias(p);
    size_t filters = 1, inner = p->n;

    switch (how) {
    case TW_NORMALISE_NONE:
        return;
    case TW_NORMALISE_WEIGHT:
        for (size_t i = 0; i < p->n; i++)
            d[i] *= w[i];
        return;
    case TW_NORMALISE_LAYER:
    case TW_NORMALISE_FILTER:
        if (!whole) {
            filters = p->dims[p->filter_axis];
            inner = 1;
            for (int a = p->filter_axis + 1; a < p->rank; a++)
                inner *= p->dims[a];
        }
        for (size_t f = 0; f < filters; f++)
            scale_filter(p->n, filters, inner, f, w, d);
        return;
    }
}

void tw_direction_make(const struct tw_layout *l, const float *at,
                       const struct tw_direction_options *o, float *out)
{
#pragma omp parallel for schedule(dynamic, 1)
    for (size_t k = 0; k < l->nparam; k++) {
        const struct tw_param *p = &l->param[k];
        const float *w = at + p->offset;
        float *d = out + p->offset;

        if (is_bias(p) && o->biases != TW_BIAS_RANDOM) {
            for (size_t i = 0; i < p->n; i++)
                d[i] = o->biases == TW_BIAS_WEIGHTS ? w[i] : 0.0F;
        } else {
            gaussian(o, k, p->n, d);
            scale(p, o->normalise, w, d);
        }
    }
}

struct tw_pair tw_pair_of(size_t n, const float *a, const float *b)
{
    const double aa = tw_dot_from(n, a, a, NULL), bb = tw_dot_from(n, b, b, NULL);

    return (struct tw_pair){ { sqrt(aa), sqrt(bb) }, tw_dot_from(n, a, b, NULL) / sqrt(aa * bb) };
}
