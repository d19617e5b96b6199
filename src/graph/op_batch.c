/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The mean over the samples of a batch: what batch normalisation from the statistics of the batch
 * is made of (Ioffe & Szegedy 2015, algorithm 1). The only instruction that mixes samples; linear,
 * and its own transpose. A batch may have many tiles: exec_batch.c runs it in two halves. */
#include <string.h>

#include "ir.h"

/* Lanes that are samples: 1, padding: 0. */
static void *sample_mask(const struct tw_run *r)
{
    for (size_t s = 0; s < r->lanes; s++)
        tw_put_real(r->k, r->scratch, s, s < r->samples ? 1.0 : 0.0);
    return r->scratch;
}

void tw_batch_sum(const struct tw_run *r, const struct tw_instr *in, bool back, double *sum)
{
    size_t n = tw_val_of(r, in->out[0])->n;
    struct tw_loop l = { .nd = 1, .n = { n }, .sa = { 1 }, .sb = { 0 }, .sy = { 1 } };

    memset(sum, 0, n * (size_t)r->alg->planes * sizeof *sum);
    for (int p = 0; p < r->alg->planes; p++) {
        const void *x = back ? tw_grad(r, in->out[0], p) : tw_plane(r, in->in[0], p);

        if (x)
            r->k->reduce_lanes(&l, x, r->lanes, sample_mask(r), r->lanes, sum + (size_t)p * n);
    }
}

void tw_batch_spread(const struct tw_run *r, const struct tw_instr *in, bool back,
                     const double *mean)
{
    size_t n = tw_val_of(r, in->out[0])->n;
    struct tw_loop l = { .nd = 1, .n = { n }, .sa = { 1 }, .sb = { 0 }, .sy = { 1 } };
    void *mask = sample_mask(r), *real = tw_at(r, mask, 1, r->lanes);

    for (int p = 0; p < r->alg->planes; p++) {
        void *y = back ? tw_grad(r, in->in[0], p) : tw_plane(r, in->out[0], p);

        if (!y)
            continue;
        for (size_t i = 0; i < n; i++)
            tw_put_real(r->k, real, i, mean[(size_t)p * n + i]);
        if (back)
            r->k->binary(TW_B_MUL, &l, 1, real, r->lanes, mask, TW_ADD, r->lanes, y);
        else
            r->k->binary(TW_B_FIRST, &l, 1, real, 1, real, TW_SET, r->lanes, y);
    }
}

/* The mask, and n reals: in elements of at least 64 bytes. */
static size_t batch_mean_scratch(const struct tw_graph *g, const struct tw_instr *in,
                                 const struct tw_alg *alg)
{
    (void)alg;
    return 2 + g->val[in->out[0]].n / 8;
}

const struct tw_op tw_op_batch_mean = { .name = "batch mean", .scratch = batch_mean_scratch };
