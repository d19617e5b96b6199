/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Pooling: averages are linear; of a maximum the winner's place is kept, and everything else
 * follows that place. */
#include "ir.h"

static size_t volume(const size_t n[3])
{
    return n[0] * n[1] * n[2];
}

/* out[0]: the largest, out[1]: its place. */
static void maxpool_forward(const struct tw_run *r, const struct tw_instr *in, size_t number)
{
    struct tw_pool pool = ((const struct tw_pool_data *)in->data)->pool;
    void *index = tw_plane(r, in->out[1], 0);

    (void)number;
    pool.lanes = r->lanes;
    r->k->maxpool(&pool, tw_plane(r, in->in[0], 0), tw_plane(r, in->out[0], 0), index);
    for (int p = 1; p < r->alg->planes; p++) {
        const void *x = tw_plane(r, in->in[0], p);
        void *y = tw_plane(r, in->out[0], p);

        if (y && x)
            r->k->pick(pool.planes, volume(pool.in), volume(pool.out), r->lanes, index, x, y);
        else if (y)
            r->k->fill(pool.planes * volume(pool.out) * r->lanes, 0.0, y);
    }
}

static void maxpool_vjp(const struct tw_run *r, const struct tw_instr *in, size_t number)
{
    const struct tw_pool *pool = &((const struct tw_pool_data *)in->data)->pool;

    (void)number;
    for (int p = 0; p < r->alg->planes; p++) {
        const void *g = tw_grad(r, in->out[0], p);
        void *gx = tw_grad(r, in->in[0], p);

        if (g && gx)
            r->k->unpick(pool->planes, volume(pool->in), volume(pool->out), r->lanes,
                         tw_plane(r, in->out[1], 0), g, gx);
    }
}

const struct tw_op tw_op_maxpool = { .name = "maxpool",
                                     .forward = maxpool_forward,
                                     .vjp = maxpool_vjp };

static void avgpool_forward(const struct tw_run *r, const struct tw_instr *in, size_t number)
{
    struct tw_pool pool = ((const struct tw_pool_data *)in->data)->pool;

    (void)number;
    pool.lanes = r->lanes;
    for (int p = 0; p < r->alg->planes; p++) {
        const void *x = tw_plane(r, in->in[0], p);
        void *y = tw_plane(r, in->out[0], p);

        if (y && x)
            r->k->avgpool(&pool, x, y);
        else if (y)
            r->k->fill(pool.planes * volume(pool.out) * r->lanes, 0.0, y);
    }
}

static void avgpool_vjp(const struct tw_run *r, const struct tw_instr *in, size_t number)
{
    struct tw_pool pool = ((const struct tw_pool_data *)in->data)->pool;

    (void)number;
    pool.lanes = r->lanes;
    for (int p = 0; p < r->alg->planes; p++)
        if (tw_grad(r, in->out[0], p) && tw_grad(r, in->in[0], p))
            r->k->avgpool_grad(&pool, tw_grad(r, in->out[0], p), tw_grad(r, in->in[0], p));
}

const struct tw_op tw_op_avgpool = { .name = "avgpool",
                                     .forward = avgpool_forward,
                                     .vjp = avgpool_vjp };
