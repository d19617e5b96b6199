/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A pass over samples: tiles in parallel, nothing threaded inside a tile. What is summed over
 * samples is summed tile by tile within fixed chunks, and the chunks in order: the same bits at
 * any number of threads. */
#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "exec_run.h"

/* ---- the way back through the uniform part
 * --------------------------------------------------------- */

struct tw_tile tw_tile_of(const struct tw_job *j, size_t first, size_t count, size_t i)
{
    size_t left = count - i * j->tile;

    return (struct tw_tile){ .first = first + i * j->tile,
                             .count = left < j->tile ? left : j->tile };
}

/* Chunks in order; each element by itself, so any number of threads does the same. */
static void add_chunks(const struct tw_job *j)
{
    size_t n = (size_t)j->alg.planes * j->e->utotal;

#pragma omp parallel for schedule(static) num_threads((int)j->e->threads)
    for (size_t i = 0; i < n; i++)
        for (size_t c = 1; c < j->nchunk; c++)
            j->sums[i] += j->sums[c * n + i];
}

/* The cotangents of uniform values as plain reals: those of parameters begin at 0, since what the
 * tiles made of them stays in double. */
static void take_sums(const struct tw_job *j, char *reals, void **grad)
{
    const struct tw_exec *e = j->e;
    size_t planes = (size_t)j->alg.planes;

    for (size_t v = 0; v < e->g->nval; v++) {
        const struct tw_val *x = &e->g->val[v];

        if (x->varying || !x->active || (size_t)x->root != v)
            continue;
        for (size_t p = 0; p < planes; p++) {
            size_t at = p * e->utotal + e->uat[v];

            grad[v * planes + p] = reals + at * e->k->size;
            for (size_t i = 0; i < x->n && x->origin == TW_V_TEMP; i++)
                tw_put_real(e->k, reals, at + i, j->sums[at + i]);
        }
    }
}

static void give_gradient(const struct tw_job *j, const char *reals)
{
    const struct tw_exec *e = j->e;

    for (size_t v = 0; v < e->g->nval; v++) {
        const struct tw_val *x = &e->g->val[v];
        const struct tw_param *param;

        if (x->origin != TW_V_PARAM || (size_t)x->root != v)
            continue;
        param = &e->g->layout.param[x->index];
        for (int p = 0; p < j->alg.planes; p++) {
            double *to = p ? (j->run->hvp ? j->run->hvp[p - 1] : NULL) : j->run->gradient;
            size_t at = (size_t)p * e->utotal + e->uat[v];

            for (size_t i = 0; to && i < param->n; i++)
                to[param->offset + i] = j->sums[at + i] + tw_get_real(e->k, reals, at + i);
        }
    }
}

static enum tw_status uniform_back(struct tw_job *j, struct tw_err *err)
{
    struct tw_exec *e = j->e;
    const struct tw_graph *g = e->g;
    size_t planes = (size_t)j->alg.planes;
    void **grad = tw_alloc(g->nval * planes, sizeof *grad);
    char *reals = tw_alloc(planes * e->utotal, e->k->size);
    struct tw_run r = { .g = g,
                        .k = e->k,
                        .alg = &j->alg,
                        .lanes = 1,
                        .plane = e->uplane,
                        .grad = grad,
                        .kept = e->kept,
                        .scratch = e->uscratch };

    if (!grad || !reals) {
        free(grad);
        free(reals);
        return tw_err_set(err, TW_ENOMEM, "out of memory for the gradient");
    }
    take_sums(j, reals, grad);
    for (size_t i = g->ninstr; i-- > 0;)
        if (g->instr[i].uniform && j->needed[i] && g->instr[i].op->vjp &&
            g->val[g->instr[i].out[0]].active)
            g->instr[i].op->vjp(&r, &g->instr[i], i);
    give_gradient(j, reals);
    free(grad);
    free(reals);
    return TW_OK;
}

/* ---- the run
 * ------------------------------------------------------------------------------------------ */

/* Which instructions lead to the seeded output, and who of them reads each value last. */
static enum tw_status find_needed(struct tw_job *j, struct tw_err *err)
{
    const struct tw_graph *g = j->e->g;
    bool *wanted = tw_alloc(g->nval, sizeof *wanted);

    j->needed = tw_alloc(g->ninstr, sizeof *j->needed);
    j->zero_at = tw_alloc(g->nval, sizeof *j->zero_at);
    if (!wanted || !j->needed || !j->zero_at) {
        free(wanted);
        return tw_err_set(err, TW_ENOMEM, "out of memory for the gradient");
    }
    wanted[g->val[g->output[j->run->seed_output]].root] = true;
    j->zero_at[g->val[g->output[j->run->seed_output]].root] = g->ninstr + 1;
    for (size_t i = g->ninstr; i-- > 0;) {
        const struct tw_instr *in = &g->instr[i];

        if (!wanted[g->val[in->out[0]].root] || !g->val[in->out[0]].active)
            continue;
        j->needed[i] = true;
        for (size_t k = 0; k < in->nin; k++) {
            int root = in->in[k] < 0 ? -1 : g->val[in->in[k]].root;

            if (root < 0)
                continue;
            wanted[root] = true;
            if (!j->zero_at[root])
                j->zero_at[root] = i + 1;
        }
    }
    free(wanted);
    return TW_OK;
}

/* As many chunks as keep the adding of their sums a few per cent of the work. */
static size_t choose_chunks(const struct tw_job *j)
{
    const struct tw_exec *e = j->e;
    double params = (double)e->utotal * j->alg.planes + 1.0;
    double most = (double)j->run->n * e->flops / (2000.0 * params);
    double memory = 2147483648.0 / (8.0 * params);

    most = most > 64.0 ? 64.0 : most < 2.0 ? 2.0 : most;
    most = most > memory ? memory : most;
    most = most > (double)j->ntile ? (double)j->ntile : most;
    return most < 1.0 ? 1 : (size_t)most;
}

enum { FEW_TILES = 8 };

static enum tw_status check(const struct tw_job *j, struct tw_err *err)
{
    const struct tw_exec_run *run = j->run;
    const struct tw_graph *g = j->e->g;

    for (size_t i = 0; i < g->ninput; i++) {
        struct tw_graph_port p = tw_graph_input(g, i);

        if (!run->inputs[i] || (p.n && run->inputs[i]->n / p.n < (run->rows ? 1 : run->n)))
            return tw_err_set(err, TW_EINVAL, "input '%s' has %zu numbers for %zu samples of %zu",
                              p.name ? p.name : "?", run->inputs[i] ? run->inputs[i]->n : 0, run->n,
                              p.n);
        for (size_t s = 0; run->rows && p.n && s < run->n; s++)
            if (run->rows[s] >= run->inputs[i]->n / p.n)
                return tw_err_set(err, TW_EINVAL, "row %zu of input '%s' is not there",
                                  run->rows[s], p.name ? p.name : "?");
    }
    if ((run->gradient || run->hvp) && !j->e->gradient)
        return tw_err_set(err, TW_EINVAL, "the network was not prepared for gradients");
    if (run->statistics && !g->mixes)
        return tw_err_set(err, TW_EINVAL, "the network takes no statistics from the batch");
    if (run->gauss_newton && (run->gradient || run->network_output >= g->noutput))
        return tw_err_set(err, TW_EINVAL,
                          "Gauss-Newton products come without a gradient and need an output of the "
                          "network");
    if ((run->gradient || run->hvp) && run->seed_output >= g->noutput)
        return tw_err_set(err, TW_EINVAL, "there is no output %zu", run->seed_output);
    return TW_OK;
}

static void run_tiles(struct tw_job *j)
{
    struct tw_exec *e = j->e;
    size_t per = (size_t)j->alg.planes * e->utotal;

#pragma omp parallel num_threads((int)e->threads)
    {
        size_t me = (size_t)omp_get_thread_num();
        struct tw_worker *w = &e->worker[me];

        tw_slot_point(j, &e->slot[me]);
#pragma omp for schedule(dynamic, 1)
        for (size_t c = 0; c < j->nchunk; c++) {
            size_t first = c * j->ntile / j->nchunk, last = (c + 1) * j->ntile / j->nchunk;

            if (j->sums)
                memset(j->sums + c * per, 0, per * sizeof *j->sums);
            for (size_t i = first; i < last; i++) {
                struct tw_tile t = tw_tile_of(j, 0, j->run->n, i);
                struct tw_run r;

                t.chunk = c;
                t.slot = &e->slot[me];
                r = tw_tile_run(j, w, &t);
                tw_tile_load(j, w, &r, &t);
                tw_tile_forward(j, &r, 0, e->g->ninstr);
                tw_tile_store(j, w, &r, &t);
                if (!j->sums)
                    continue;
                tw_tile_seed(j, w, &r, &t);
                tw_tile_backward(j, &r, 0, e->g->ninstr);
            }
        }
    }
}

/* Fewer lanes where there are few samples, so that there are tiles for many threads. Depends on
 * the network and the number of samples alone. */
static void choose_tiles(struct tw_job *j)
{
    const struct tw_exec *e = j->e;

    j->batch =
        e->g->mixes && j->run->batch && j->run->batch < j->run->n ? j->run->batch : j->run->n;
    j->lanes = e->lanes;
    while (!e->tile && j->lanes > TW_LANES && j->lanes * FEW_TILES > j->batch)
        j->lanes /= 2;
    j->tile = e->tile ? e->tile : j->lanes;
    j->ntile = (j->batch + j->tile - 1) / j->tile;
    j->nchunk = j->run->gradient || j->run->hvp ? choose_chunks(j) : j->ntile;
}

/* Zeroed results and memory for the sums over samples. */
static enum tw_status begin_back(struct tw_job *j, struct tw_err *err)
{
    const struct tw_exec_run *run = j->run;
    const struct tw_val *v = &j->e->g->val[j->e->g->output[run->seed_output]];
    enum tw_status st;

    for (size_t i = 0; i < j->e->g->layout.n; i++) {
        if (run->gradient)
            run->gradient[i] = 0.0;
        for (int t = 1; run->hvp && t < j->alg.planes; t++)
            if (run->hvp[t - 1])
                run->hvp[t - 1][i] = 0.0;
    }
    st = find_needed(j, err);
    if (st || !v->active || !v->varying)
        return st;
    j->sums = tw_alloc(j->nchunk * (size_t)j->alg.planes * j->e->utotal, sizeof *j->sums);
    return j->sums ? TW_OK
                   : tw_err_set(err, TW_ENOMEM, "out of memory for the gradient of %zu parameters",
                                j->e->g->layout.n);
}

enum tw_status tw_exec_run(struct tw_exec *e, const struct tw_exec_run *run, struct tw_err *err)
{
    struct tw_job j = { .e = e, .run = run };
    bool back = run->gradient || run->hvp;
    enum tw_status st = check(&j, err);

    if (st)
        return st;
    tw_alg_tangents(&j.alg, run->tangents || run->hvp ? (int)e->ndirection : 0);
    j.plain = j.alg.planes == 1 && !back;
    choose_tiles(&j);
    /* Pointers follow the number of planes, so the uniform part is computed anew with it. */
    tw_exec_refresh(e, &j.alg);
    if (back)
        st = begin_back(&j, err);
    if (!st && e->g->mixes)
        st = tw_run_batches(&j, err);
    else if (!st)
        run_tiles(&j);
    if (!st && j.sums) {
        add_chunks(&j);
        st = uniform_back(&j, err);
    }
    free(j.needed);
    free(j.zero_at);
    free(j.sums);
    return st;
}
