/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The weights of full connections, one column a sample: adding a tile's part of their gradient
 * costs as much as making it. In runs over few samples, whose tiles can all stay in memory, it is
 * made at the end instead: some rows of the weights at a time, over all tiles in order, in parallel
 * over rows, straight into the result. */
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "exec_run.h"

/* ROWS: the sums of so many rows stay in the second-level cache. */
enum { LEAST_WEIGHTS = 4096, MOST_SAMPLES = 1024, ROWS = 96 };
static const double MOST_BYTES = 268435456.0;

static size_t readers(const struct tw_graph *g, int root)
{
    size_t n = 0;

    for (size_t i = 0; i < g->ninstr; i++)
        for (size_t k = 0; k < g->instr[i].nin; k++)
            n += g->instr[i].in[k] >= 0 && g->val[g->instr[i].in[k]].root == root;
    for (size_t o = 0; o < g->noutput; o++)
        n += g->val[g->output[o]].root == root;
    return n;
}

enum tw_status tw_exec_find_dense(struct tw_exec *e, struct tw_err *err)
{
    const struct tw_graph *g = e->g;

    e->dense = tw_alloc(g->nval, sizeof *e->dense);
    e->dense_instr = tw_alloc(g->ninstr, sizeof *e->dense_instr);
    if (!e->dense || !e->dense_instr)
        return tw_err_set(err, TW_ENOMEM, "out of memory for the plan");
    for (size_t i = 0; e->gradient && i < g->ninstr; i++) {
        const struct tw_val *w;
        size_t rows;
        int root;

        if (!tw_matmul_packed(g, &g->instr[i], &root, &rows))
            continue;
        w = &g->val[root];
        if (w->origin != TW_V_PARAM || !w->active || w->n < LEAST_WEIGHTS ||
            g->instr[i].flops != 2.0 * (double)w->n || readers(g, w->root) != 1)
            continue;
        e->dense[w->root] = true;
        e->dense_instr[e->ndense++] = i;
    }
    return TW_OK;
}

bool tw_dense_pays(const struct tw_job *j)
{
    return j->e->ndense && j->run->gradient && !j->run->hvp && j->alg.planes == 1 &&
           j->run->n <= MOST_SAMPLES && j->batch == j->run->n;
}

bool tw_dense_fits(const struct tw_job *j)
{
    const struct tw_exec *e = j->e;
    const size_t slots = j->ntile > e->nslot ? j->ntile : e->nslot;
    const size_t lanes = j->lanes > e->slot_lanes ? j->lanes : e->slot_lanes;
    const double bytes =
        (double)slots * (double)lanes * ((double)e->arena + (double)e->garena) * (double)e->k->size;
    const double beside = (double)(e->memory - e->slot_memory) + tw_back_more(j);

    return bytes <= MOST_BYTES && (!e->memory_limit || beside + bytes <= (double)e->memory_limit);
}

/* Rows k .. of one instruction's weights. */
static void make_rows(const struct tw_job *j, const struct tw_worker *w, size_t instr, size_t k,
                      size_t n, double *gw)
{
    const struct tw_exec *e = j->e;
    struct tw_tile tile = tw_tile_of(j, 0, j->run->n, 0);
    struct tw_run r;

    for (size_t t = 0; t < j->ntile; t++) {
        tile = tw_tile_of(j, 0, j->run->n, t);
        tile.slot = &e->slot[t];
        r = tw_tile_run(j, w, &tile);
        tw_matmul_weights(&r, &e->g->instr[instr], !j->needed[instr], t == 0,
                          t + 1 < j->ntile ? 1.0 : j->scale, k, n, gw);
    }
}

void tw_dense_gradient(const struct tw_job *j)
{
    const struct tw_exec *e = j->e;
    const struct tw_graph *g = e->g;

#pragma omp parallel num_threads((int)e->threads)
    {
        const struct tw_worker *worker = &e->worker[omp_get_thread_num()];

        for (size_t i = 0; i < e->ndense; i++) {
            const size_t instr = e->dense_instr[i];
            size_t rows = 0;
            int w = -1;
            double *gw;

            (void)tw_matmul_packed(g, &g->instr[instr], &w, &rows);
            gw = j->run->gradient + g->layout.param[g->val[g->val[w].root].index].offset;
#pragma omp for schedule(dynamic, 1) nowait
            for (size_t k = 0; k < rows; k += ROWS)
                make_rows(j, worker, instr, k, rows - k < ROWS ? rows - k : ROWS, gw);
        }
    }
}
