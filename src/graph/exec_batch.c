/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Runs of networks whose samples depend on each other: batch after batch, all tiles of a batch in
 * step. Instructions between two means over the batch run in parallel over the tiles; then the
 * tiles' sums are combined in order, so that any number of threads gives the same bits. */
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "exec_run.h"

/* A mean over the batch. */
struct mix {
    size_t instr, n;
    size_t at; /* of its planes * n means in `mean`, and in each tile's part */
};

struct batch {
    struct tw_job *j;
    size_t first, count, ntile; /* samples, tiles */
    size_t nmix, total;         /* total: reals in all means */
    struct mix *mix;
    double *part; /* [tile][total] */
    double *mean; /* [total] */
};

static const struct tw_instr *instr_of(const struct batch *b, size_t k)
{
    return &b->j->e->g->instr[b->mix[k].instr];
}

/* ---- one batch ------------------------------------------------------------------------------- */

/* Instructions between mean k - 1 and mean k. */
static size_t begin_of(const struct batch *b, size_t k)
{
    return k ? b->mix[k - 1].instr + 1 : 0;
}

static size_t end_of(const struct batch *b, size_t k)
{
    return k < b->nmix ? b->mix[k].instr : b->j->e->g->ninstr;
}

static struct tw_tile tile_of(const struct batch *b, size_t i)
{
    struct tw_tile t = tw_tile_of(b->j, b->first, b->count, i);

    t.slot = &b->j->e->slot[i];
    return t;
}

/* Tile i from mean k - 1 to mean k, or to the end. */
static void forward_tile(const struct batch *b, struct tw_worker *w, size_t i, size_t k)
{
    struct tw_tile t = tile_of(b, i);
    struct tw_run r = tw_tile_run(b->j, w, &t);

    if (k)
        tw_batch_spread(&r, instr_of(b, k - 1), false, b->mean + b->mix[k - 1].at);
    else
        tw_tile_load(b->j, w, &r, &t);
    tw_tile_forward(b->j, &r, begin_of(b, k), end_of(b, k));
    if (k < b->nmix)
        tw_batch_sum(&r, instr_of(b, k), false, b->part + i * b->total + b->mix[k].at);
    else
        tw_tile_store(b->j, w, &r, &t);
}

static bool leads_back(const struct batch *b, size_t k)
{
    return b->j->needed[b->mix[k].instr] && b->j->e->g->val[instr_of(b, k)->out[0]].active;
}

/* Tile i from mean k, or from the end, back to mean k - 1. */
static void backward_tile(const struct batch *b, struct tw_worker *w, size_t i, size_t chunk,
                          size_t k)
{
    struct tw_tile t = tile_of(b, i);
    struct tw_run r = tw_tile_run(b->j, w, &t);

    t.chunk = chunk;
    if (k == b->nmix)
        tw_tile_seed(b->j, w, &r, &t);
    else if (leads_back(b, k))
        tw_batch_spread(&r, instr_of(b, k), true, b->mean + b->mix[k].at);
    tw_tile_backward(b->j, &r, begin_of(b, k), end_of(b, k));
    if (!k || !leads_back(b, k - 1))
        return;
    tw_tile_ready(b->j, &r, b->mix[k - 1].instr);
    tw_batch_sum(&r, instr_of(b, k - 1), true, b->part + i * b->total + b->mix[k - 1].at);
}

/* The tiles' sums, in order, to the mean over the batch. */
static void combine(const struct batch *b, const struct mix *m)
{
    size_t n = m->n * (size_t)b->j->alg.planes;

    for (size_t c = m->at; c < m->at + n; c++) {
        double sum = 0.0;

        for (size_t i = 0; i < b->ntile; i++)
            sum += b->part[i * b->total + c];
        b->mean[c] = sum / (double)b->count;
    }
}

/* Running statistics: the mean, and the variance from n - 1 (as torch's running_var has it). */
static void add_statistics(const struct batch *b, double nbatch)
{
    const struct tw_graph *g = b->j->e->g;
    double *to = b->j->run->statistics;

    for (size_t i = 0; to && i < g->nstat; i++) {
        const struct tw_param *p = &g->layout.param[g->layout.nparam + g->stat[i].buffer];

        for (size_t k = 0; k < b->nmix; k++) {
            const struct tw_batch_mean_data *d = instr_of(b, k)->data;
            double m = (double)d->each * (double)b->count;
            double by = g->stat[i].kind == TW_STATISTIC_VARIANCE ? m / (m - 1.0) : 1.0;

            if (instr_of(b, k)->out[0] != g->stat[i].value)
                continue;
            for (size_t c = 0; c < p->n; c++)
                to[p->offset + c] += by * b->mean[b->mix[k].at + c] / nbatch;
        }
    }
}

static void run_batch(const struct batch *b, double nbatch)
{
    const struct tw_job *j = b->j;
    size_t nchunk = j->nchunk < b->ntile ? j->nchunk : b->ntile;

#pragma omp parallel num_threads((int)j->e->threads)
    {
        struct tw_worker *w = &j->e->worker[omp_get_thread_num()];

        for (size_t k = 0; k <= b->nmix; k++) {
#pragma omp for schedule(dynamic, 1)
            for (size_t i = 0; i < b->ntile; i++)
                forward_tile(b, w, i, k);
            if (k < b->nmix) {
#pragma omp single
                combine(b, &b->mix[k]);
            }
        }
#pragma omp single
        add_statistics(b, nbatch);
        for (size_t k = b->nmix + 1; j->sums && k-- > 0;) {
#pragma omp for schedule(dynamic, 1)
            for (size_t c = 0; c < nchunk; c++)
                for (size_t i = c * b->ntile / nchunk; i < (c + 1) * b->ntile / nchunk; i++)
                    backward_tile(b, w, i, c, k);
            if (k && leads_back(b, k - 1)) {
#pragma omp single
                combine(b, &b->mix[k - 1]);
            }
        }
    }
}

/* ---- the run ----------------------------------------------------------------------------------
 */

static void find_means(struct batch *b)
{
    const struct tw_graph *g = b->j->e->g;

    for (size_t i = 0; i < g->ninstr; i++) {
        size_t n = g->val[g->instr[i].out[0]].n;

        if (g->instr[i].op != &tw_op_batch_mean)
            continue;
        b->mix[b->nmix++] = (struct mix){ .instr = i, .n = n, .at = b->total };
        b->total += n * (size_t)b->j->alg.planes;
    }
}

/* A mean over one number has no variance. */
static enum tw_status check_batches(const struct batch *b, struct tw_err *err)
{
    const size_t n = b->j->run->n, left = n % b->j->batch;

    for (size_t k = 0; k < b->nmix; k++) {
        const struct tw_batch_mean_data *d = instr_of(b, k)->data;

        if (d->each == 1 && (b->j->batch == 1 || left == 1))
            return tw_err_set(err, TW_EINVAL,
                              "%zu samples in batches of %zu leave one of a single sample, which "
                              "has no batch statistics: choose another batch size",
                              n, b->j->batch);
    }
    return TW_OK;
}

static void forget_statistics(const struct tw_job *j)
{
    const struct tw_graph *g = j->e->g;

    for (size_t i = 0; j->run->statistics && i < g->nstat; i++) {
        const struct tw_param *p = &g->layout.param[g->layout.nparam + g->stat[i].buffer];

        memset(j->run->statistics + p->offset, 0, p->n * sizeof(double));
    }
}

enum tw_status tw_run_batches(struct tw_job *j, struct tw_err *err)
{
    struct batch b = { .j = j };
    const size_t n = j->run->n, nbatch = (n + j->batch - 1) / j->batch;
    enum tw_status st;

    b.mix = tw_alloc(j->e->g->ninstr, sizeof *b.mix);
    if (!b.mix)
        return tw_err_set(err, TW_ENOMEM, "out of memory for the statistics of a batch");
    find_means(&b);
    b.mean = tw_alloc(b.total, sizeof *b.mean);
    b.part =
        j->ntile <= SIZE_MAX / (b.total + 1) ? tw_alloc(j->ntile * b.total, sizeof *b.part) : NULL;
    st = check_batches(&b, err);
    if (!st && (!b.mean || !b.part))
        st = tw_err_set(err, TW_ENOMEM, "out of memory for the statistics of a batch");
    if (!st)
        st = tw_exec_slots(j->e, j->ntile, j->lanes, err);
    if (!st) {
        for (size_t i = 0; i < j->ntile; i++)
            tw_slot_point(j, &j->e->slot[i]);
        forget_statistics(j);
        for (size_t c = 0; j->sums && c < j->nchunk; c++)
            tw_back_zero(j, c, 0, 1);
    }
    for (size_t i = 0; !st && i < nbatch; i++) {
        b.first = i * j->batch;
        b.count = n - b.first < j->batch ? n - b.first : j->batch;
        b.ntile = (b.count + j->tile - 1) / j->tile;
        run_batch(&b, (double)nbatch);
    }
    free(b.mix);
    free(b.mean);
    free(b.part);
    return st;
}
