/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Normalizations. */
#include "reference.h"

#include <math.h>
#include <string.h>

/* Elements of x that are normalized together: `outer` runs of `inner` elements, `step` apart. */
struct group {
    size_t from, outer, step, inner;
};

static size_t member(const struct group *g, size_t k)
{
    return g->from + k / g->inner * g->step + k % g->inner;
}

/* Mean and (population) variance; without the mean, that of the squares. */
static void moments(const struct tw_array *x, const struct group *g, double *mean, double *var)
{
    const size_t n = g->outer * g->inner;

    *mean = *var = 0.0;
    for (size_t k = 0; k < n; k++)
        *mean += tw_array_real(x, member(g, k));
    *mean /= (double)n;
    for (size_t k = 0; k < n; k++) {
        const double d = tw_array_real(x, member(g, k)) - *mean;

        *var += d * d;
    }
    *var /= (double)n;
}

static enum tw_status need_vector(const struct tw_ref *r, size_t input, size_t n)
{
    const struct tw_array *a = tw_ref_in(r, input);

    if (a && (a->n != n || !tw_dtype_is_real(a->dtype)))
        return tw_ref_fail(r, "input %zu is %s with %zu elements; expected %zu real numbers", input,
                           tw_dtype_name(a->dtype), a->n, n);
    return TW_OK;
}

/* ---- batch ----------------------------------------------------------------------------------- */

/* Inputs x, scale, shift, mean, variance, one a channel (before opset 9 `spatial` = 0: one an
 * element). In training mode the batch's own moments, and the running ones as second and third
 * output: momentum times the old one and the rest of the new one. */
static enum tw_status run_batch(struct tw_ref *r)
{
    const struct tw_array *x = r->in[0];
    const bool training = tw_node_int(r->node, "training_mode", 0) != 0;
    const double momentum = tw_node_real(r->node, "momentum", 0.9);
    const double eps = tw_node_real(r->node, "epsilon", 1e-5);
    const bool spatial = r->opset >= 9 || tw_node_int(r->node, "spatial", 1) != 0;
    size_t c, inner;
    enum tw_status rc = tw_ref_need_real(r, x);

    if (rc == TW_OK && x->rank < 1)
        rc = tw_ref_fail(r, "expected [N, C, ...]");
    if (rc != TW_OK)
        return rc;
    c = tw_ref_product(x->dims, 1, spatial && x->rank > 1 ? 2 : x->rank);
    inner = spatial ? tw_ref_product(x->dims, 2, x->rank) : 1;
    for (size_t i = 1; rc == TW_OK && i < 5; i++)
        rc = need_vector(r, i, c);
    if (rc == TW_OK)
        rc = tw_ref_out_like(r, 0, x);
    for (size_t k = 1; rc == TW_OK && k < r->nout && k < 3 && training; k++)
        rc = tw_ref_out_like(r, k, r->in[k + 2]);
    for (size_t i = 0; rc == TW_OK && i < c; i++) {
        const struct group g = { i * inner, x->rank ? x->dims[0] : 1, c * inner, inner };
        double mean = tw_array_real(r->in[3], i), var = tw_array_real(r->in[4], i);

        if (training) {
            const double old[] = { mean, var };

            moments(x, &g, &mean, &var);
            for (size_t k = 1; k < r->nout && k < 3; k++)
                tw_array_set_real(&r->out[k], i,
                                  old[k - 1] * momentum + (k == 1 ? mean : var) * (1.0 - momentum));
        }
        for (size_t k = 0; k < g.outer * g.inner; k++) {
            const size_t at = member(&g, k);

            tw_array_set_real(&r->out[0], at,
                              tw_array_real(r->in[1], i) * (tw_array_real(x, at) - mean) /
                                      sqrt(var + eps) +
                                  tw_array_real(r->in[2], i));
        }
    }
    return rc;
}

/* ---- within a sample ------------------------------------------------------------------------- */

/* Instance: each channel by itself. Group: num_groups groups of channels; scale and shift one a
 * channel, or (opset 18) one a group. */
static enum tw_status run_group(struct tw_ref *r)
{
    const struct tw_array *x = r->in[0];
    const double eps = tw_node_real(r->node, "epsilon", 1e-5);
    int64_t given = tw_node_int(r->node, "num_groups", 0);
    size_t c, inner, groups, per;
    enum tw_status rc = tw_ref_need_real(r, x);

    if (rc == TW_OK && x->rank < 2)
        rc = tw_ref_fail(r, "expected [N, C, ...]");
    if (rc != TW_OK)
        return rc;
    c = x->dims[1];
    if (!r->row->which)
        given = (int64_t)c;
    if (given < 1 || (uint64_t)given > c || c % (size_t)given != 0)
        return tw_ref_fail(r, "%zu channels in %lld groups", c, (long long)given);
    groups = (size_t)given;
    per = r->in[1]->n == groups ? groups : c;
    inner = tw_ref_product(x->dims, 2, x->rank);
    rc = need_vector(r, 1, per);
    if (rc == TW_OK)
        rc = need_vector(r, 2, per);
    if (rc == TW_OK)
        rc = tw_ref_out_like(r, 0, x);
    for (size_t i = 0; rc == TW_OK && i < x->dims[0] * groups; i++) {
        const size_t n = c / groups * inner;
        const struct group g = { i * n, 1, 0, n };
        double mean, var;

        moments(x, &g, &mean, &var);
        for (size_t k = 0; k < n; k++) {
            const size_t channel = i % groups * (c / groups) + k / inner;
            const size_t at = per == c ? channel : i % groups;

            tw_array_set_real(&r->out[0], g.from + k,
                              tw_array_real(r->in[1], at) * (tw_array_real(x, g.from + k) - mean) /
                                      sqrt(var + eps) +
                                  tw_array_real(r->in[2], at));
        }
    }
    return rc;
}

/* Layer (and, which = 1, root mean square): over the axes from `axis` on. The second and third
 * outputs are the mean and 1 / standard deviation. */
static enum tw_status run_layer(struct tw_ref *r)
{
    const struct tw_array *x = r->in[0], *scale = r->in[1], *shift = tw_ref_in(r, 2);
    const double eps = tw_node_real(r->node, "epsilon", 1e-5);
    const enum tw_dtype stash = tw_ref_dtype(tw_node_int(r->node, "stash_type", 1));
    size_t dims[TW_MAX_RANK] = { 0 }, s[2][TW_MAX_RANK] = { { 0 } }, n;
    const struct tw_array *parts[] = { x, scale, shift };
    int axis, rank = 0;
    enum tw_status rc = tw_ref_need_real(r, x);

    if (rc == TW_OK)
        rc = tw_ref_axis(r, tw_node_int(r->node, "axis", -1), x->rank, &axis);
    if (rc == TW_OK)
        rc = tw_ref_broadcast(r, 3, parts, &rank, dims);
    if (rc == TW_OK)
        rc = tw_ref_out_like(r, 0, x);
    if (rc == TW_OK && (rank != x->rank || memcmp(dims, x->dims, (size_t)rank * sizeof *dims) != 0))
        rc = tw_ref_fail(r, "scale or shift do not spread over the input");
    if (rc != TW_OK)
        return rc;
    tw_ref_spread(scale, x->rank, s[0]);
    if (shift)
        tw_ref_spread(shift, x->rank, s[1]);
    n = tw_ref_product(x->dims, axis, x->rank);
    for (int i = axis; i < x->rank; i++)
        dims[i] = 1;
    for (size_t k = 1; rc == TW_OK && k < r->nout && k < 3 && !r->row->which; k++)
        rc = tw_ref_out(r, k, stash == TW_NONE ? TW_F32 : stash, x->rank, dims);
    for (size_t i = 0; rc == TW_OK && n > 0 && i < x->n / n; i++) {
        const struct group g = { i * n, 1, 0, n };
        double mean, var;

        moments(x, &g, &mean, &var);
        if (r->row->which) { /* mean of the squares */
            var += mean * mean;
            mean = 0.0;
        }
        for (size_t k = i * n; k < (i + 1) * n; k++)
            tw_array_set_real(
                &r->out[0], k,
                (tw_array_real(x, k) - mean) / sqrt(var + eps) *
                        tw_array_real(scale, tw_ref_at(k, x->rank, x->dims, s[0])) +
                    (shift ? tw_array_real(shift, tw_ref_at(k, x->rank, x->dims, s[1])) : 0.0));
        if (r->out[0].n && r->nout > 1 && !r->row->which)
            tw_array_set_real(&r->out[1], i, mean);
        if (r->nout > 2 && !r->row->which)
            tw_array_set_real(&r->out[2], i, 1.0 / sqrt(var + eps));
    }
    return rc;
}

/* ---- without parameters ---------------------------------------------------------------------- */

/* (x - mean) / (standard deviation + 1e-9) over the axes (0, 2, 3); the small number is that of
 * the operator's definition as a function. */
static enum tw_status run_mean_variance(struct tw_ref *r)
{
    const struct tw_array *x = r->in[0];
    struct tw_ref_list axes;
    bool gone[TW_MAX_RANK];
    size_t kept[TW_MAX_RANK], kept_dims[TW_MAX_RANK], own[TW_MAX_RANK], away[TW_MAX_RANK];
    size_t away_dims[TW_MAX_RANK], outer = 1, n = 1;
    int nk = 0, na = 0;
    enum tw_status rc = tw_ref_list(r, "axes", -1, &axes);

    if (rc == TW_OK && !axes.given)
        axes = (struct tw_ref_list){ .n = 3, .v = { 0, 2, 3 } };
    if (rc == TW_OK)
        rc = tw_ref_flags(r, &axes, x->rank, gone);
    if (rc == TW_OK)
        rc = tw_ref_need_real(r, x);
    if (rc == TW_OK)
        rc = tw_ref_out_like(r, 0, x);
    if (rc != TW_OK)
        return rc;
    tw_ref_strides(x->rank, x->dims, own);
    for (int i = 0; i < x->rank; i++) {
        if (gone[i]) {
            away[na] = own[i];
            away_dims[na++] = x->dims[i];
            n *= x->dims[i];
        } else {
            kept[nk] = own[i];
            kept_dims[nk++] = x->dims[i];
            outer *= x->dims[i];
        }
    }
    for (size_t i = 0; x->n > 0 && i < outer; i++) {
        const size_t from = tw_ref_at(i, nk, kept_dims, kept);
        double mean = 0.0, square = 0.0;

        for (size_t k = 0; k < n; k++)
            mean += tw_array_real(x, from + tw_ref_at(k, na, away_dims, away)) / (double)n;
        for (size_t k = 0; k < n; k++)
            square += pow(tw_array_real(x, from + tw_ref_at(k, na, away_dims, away)) - mean, 2.0);
        for (size_t k = 0; k < n; k++) {
            const size_t at = from + tw_ref_at(k, na, away_dims, away);

            tw_array_set_real(&r->out[0], at,
                              (tw_array_real(x, at) - mean) / (sqrt(square / (double)n) + 1e-9));
        }
    }
    return TW_OK;
}

/* x over its p-norm along an axis; a norm of 0 gives 0. */
static enum tw_status run_lp(struct tw_ref *r)
{
    const struct tw_array *x = r->in[0];
    const int64_t p = tw_node_int(r->node, "p", 2);
    size_t inner, n;
    int axis = 0;
    enum tw_status rc = tw_ref_axis(r, tw_node_int(r->node, "axis", -1), x->rank, &axis);

    if (rc == TW_OK)
        rc = tw_ref_need_real(r, x);
    if (rc == TW_OK && p != 1 && p != 2)
        rc = tw_ref_fail(r, "p is %lld; expected 1 or 2", (long long)p);
    if (rc == TW_OK)
        rc = tw_ref_out_like(r, 0, x);
    if (rc != TW_OK)
        return rc;
    n = x->dims[axis];
    inner = tw_ref_product(x->dims, axis + 1, x->rank);
    for (size_t i = 0; n > 0 && i < x->n / n; i++) {
        const size_t from = i / inner * n * inner + i % inner;
        double s = 0.0;

        for (size_t k = 0; k < n; k++) {
            const double v = fabs(tw_array_real(x, from + k * inner));

            s += p == 1 ? v : v * v;
        }
        s = p == 1 ? s : sqrt(s);
        for (size_t k = 0; k < n; k++) {
            const size_t at = from + k * inner;

            tw_array_set_real(&r->out[0], at, s == 0.0 ? 0.0 : tw_array_real(x, at) / s);
        }
    }
    return TW_OK;
}

/* x / (bias + alpha / size * sum of squares over `size` neighbouring channels)^beta. */
static enum tw_status run_lrn(struct tw_ref *r)
{
    const struct tw_array *x = r->in[0];
    const double alpha = tw_node_real(r->node, "alpha", 1e-4);
    const double beta = tw_node_real(r->node, "beta", 0.75);
    const double bias = tw_node_real(r->node, "bias", 1.0);
    const int64_t size = tw_node_int(r->node, "size", 0);
    size_t c, inner;
    enum tw_status rc = tw_ref_need_real(r, x);

    if (rc == TW_OK && (x->rank < 2 || size < 1 || size > INT32_MAX))
        rc = tw_ref_fail(r, "expected [N, C, ...] and a size of 1 or more");
    if (rc == TW_OK)
        rc = tw_ref_out_like(r, 0, x);
    if (rc != TW_OK)
        return rc;
    c = x->dims[1];
    inner = tw_ref_product(x->dims, 2, x->rank);
    for (size_t i = 0; i < x->n; i++) {
        const size_t at = i / inner % c, below = (size_t)(size - 1) / 2, above = (size_t)size / 2;
        const size_t first = at > below ? at - below : 0;
        const size_t last = at + above < c ? at + above : c - 1;
        double s = 0.0;

        for (size_t k = first; k <= last; k++)
            s += pow(tw_array_real(x, i - at * inner + k * inner), 2.0);
        tw_array_set_real(&r->out[0], i,
                          tw_array_real(x, i) / pow(bias + alpha / (double)size * s, beta));
    }
    return TW_OK;
}

const struct tw_ref_op tw_ref_norm[] = {
    { .op = "BatchNormalization", .least = 5, .most = 5, .run = run_batch },
    { .op = "InstanceNormalization", .least = 3, .most = 3, .run = run_group },
    { .op = "GroupNormalization", .least = 3, .most = 3, .run = run_group, .which = 1 },
    { .op = "LayerNormalization", .least = 2, .most = 3, .run = run_layer },
    { .op = "RMSNormalization", .least = 2, .most = 2, .run = run_layer, .which = 1 },
    { .op = "MeanVarianceNormalization", .least = 1, .most = 1, .run = run_mean_variance },
    { .op = "LpNormalization", .least = 1, .most = 1, .run = run_lp },
    { .op = "LRN", .least = 1, .most = 1, .run = run_lrn },
    { .op = NULL },
};
