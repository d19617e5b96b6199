/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The mean over the samples of a tile, which is then a batch: what batch normalisation from the
 * statistics of the batch is made of (Ioffe & Szegedy 2015, algorithm 1). The only instruction that
 * mixes samples; linear, and its own transpose. */
#include <string.h>

#include "ir.h"

/* Lanes that are samples: 1, padding: 0. */
static void *sample_mask(const struct tw_run *r)
{
    for (size_t s = 0; s < r->lanes; s++)
        tw_put_real(r->k, r->scratch, s, s < r->samples ? 1.0 : 0.0);
    return r->scratch;
}

/* The mean of each element as a uniform real, behind the mask. */
static void *means(const struct tw_run *r, size_t n, const void *x, const void *mask)
{
    struct tw_loop l = { .nd = 1, .n = { n }, .sa = { 1 }, .sb = { 0 }, .sy = { 1 } };
    double *sum = tw_at(r, r->scratch, 1, r->lanes);
    void *mean = sum + n;

    memset(sum, 0, n * sizeof *sum);
    r->k->reduce_lanes(&l, x, r->lanes, mask, r->lanes, sum);
    for (size_t i = 0; i < n; i++)
        tw_put_real(r->k, mean, i, sum[i] / (double)r->samples);
    return mean;
}

static void batch_mean_forward(const struct tw_run *r, const struct tw_instr *in, size_t number)
{
    size_t n = tw_val_of(r, in->out[0])->n;
    struct tw_loop l = { .nd = 1, .n = { n }, .sa = { 1 }, .sb = { 1 }, .sy = { 1 } };

    (void)number;
    for (int p = 0; p < r->alg->planes; p++) {
        const void *x = tw_plane(r, in->in[0], p);
        void *y = tw_plane(r, in->out[0], p);
        const void *mean;

        if (y && !x)
            r->k->fill(n * r->lanes, 0.0, y);
        if (!y || !x)
            continue;
        mean = means(r, n, x, sample_mask(r));
        r->k->binary(TW_B_FIRST, &l, 1, mean, 1, mean, TW_SET, r->lanes, y);
    }
}

static void batch_mean_vjp(const struct tw_run *r, const struct tw_instr *in, size_t number)
{
    size_t n = tw_val_of(r, in->out[0])->n;
    struct tw_loop l = { .nd = 1, .n = { n }, .sa = { 1 }, .sb = { 0 }, .sy = { 1 } };

    (void)number;
    for (int p = 0; p < r->alg->planes; p++) {
        const void *g = tw_grad(r, in->out[0], p);
        void *gx = tw_grad(r, in->in[0], p), *mask;

        if (!g || !gx)
            continue;
        mask = sample_mask(r);
        r->k->binary(TW_B_MUL, &l, 1, means(r, n, g, mask), r->lanes, mask, TW_ADD, r->lanes, gx);
    }
}

/* The mask, n sums in double, n reals: in elements of at least 64 bytes. */
static size_t batch_mean_scratch(const struct tw_graph *g, const struct tw_instr *in,
                                 const struct tw_alg *alg)
{
    (void)alg;
    return 2 + g->val[in->out[0]].n / 4;
}

const struct tw_op tw_op_batch_mean = { .name = "batch mean",
                                        .forward = batch_mean_forward,
                                        .vjp = batch_mean_vjp,
                                        .scratch = batch_mean_scratch };
