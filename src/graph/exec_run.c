/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A pass over samples: tiles in parallel, a tile to a thread; those that do not go round are
 * computed by all threads together, kernel after kernel. What is summed over samples is summed tile
 * by tile within fixed chunks, and the chunks in order: the same bits at any number of threads. */
#include <omp.h>

#include "exec_run.h"

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

struct tw_tile tw_tile_of(const struct tw_job *j, size_t first, size_t count, size_t i)
{
    size_t left = count - i * j->tile;

    return (struct tw_tile){ .first = first + i * j->tile,
                             .count = left < j->tile ? left : j->tile };
}

/* Who computes a chunk: one thread, or a team from thread `lead` on. */
struct crew {
    size_t thread, lead, team;
};

static void run_chunk(const struct tw_job *j, const struct crew *by, size_t c)
{
    struct tw_exec *e = j->e;
    struct tw_worker *w = &e->worker[by->thread];
    const size_t first = c * j->ntile / j->nchunk, last = (c + 1) * j->ntile / j->nchunk;

    if (j->sums)
        tw_back_zero(j, c, by->thread - by->lead, by->team);
    for (size_t i = first; i < last; i++) {
        struct tw_tile t = tw_tile_of(j, 0, j->run->n, i);
        struct tw_run r;

        t.chunk = c;
        t.lead = by->lead;
        t.me = by->thread - by->lead;
        t.team = by->team;
        t.slot = &e->slot[j->dense ? i : by->lead];
        if (by->team > 1) {
            w->view.arena = t.slot->arena;
            w->view.garena = t.slot->garena;
            tw_slot_point(j, &w->view);
            t.slot = &w->view;
        }
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

/* How many chunks threads compute alone. Those that do not go round are left to teams, if their
 * instructions are long against the wait after each kernel. */
static size_t chunks_alone(const struct tw_job *j, size_t threads)
{
    static const double least = 2e5; /* operations of a thread: some microseconds */
    const double each = j->e->flops * (double)j->lanes / (double)(j->e->g->ninstr * threads);

    return j->nchunk - (each < least ? 0 : j->nchunk % threads);
}

/* What is left: a team for each chunk, or all threads for one after the other. */
static void run_teams(const struct tw_job *j, size_t thread, size_t threads, size_t alone)
{
    const size_t left = j->nchunk - alone, teams = 2 * left > threads ? 1 : left;
    size_t which = 0;
    struct crew by = { .thread = thread };

    while ((which + 1) * threads / teams <= thread)
        which++;
    by.lead = which * threads / teams;
    by.team = (which + 1) * threads / teams - by.lead;
    tw_team_join(&j->e->team[which], thread - by.lead);
    for (size_t c = alone + which; c < j->nchunk; c += teams)
        run_chunk(j, &by, c);
    tw_team_join(NULL, 0);
}

static void set_teams(const struct tw_job *j, size_t threads, size_t alone)
{
    const size_t left = j->nchunk - alone, teams = 2 * left > threads ? 1 : left;

    for (size_t i = 0; i < teams; i++)
        j->e->team[i].of = (i + 1) * threads / teams - i * threads / teams;
}

static void run_tiles(struct tw_job *j)
{
    struct tw_exec *e = j->e;

#pragma omp parallel num_threads((int)e->threads)
    {
        const size_t me = (size_t)omp_get_thread_num(), threads = (size_t)omp_get_num_threads();
        const size_t alone = chunks_alone(j, threads);
        const struct crew by = { .thread = me, .lead = me, .team = 1 };

        if (!j->dense)
            tw_slot_point(j, &e->slot[me]);
#pragma omp master
        set_teams(j, threads, alone);
#pragma omp for schedule(dynamic, 1)
        for (size_t c = 0; c < alone; c++)
            run_chunk(j, &by, c);
        if (alone < j->nchunk)
            run_teams(j, me, threads, alone);
    }
}

/* Fewer lanes where there are few samples, so that there are tiles for many threads; but not so few
 * that adding a tile's part of the gradient costs more than making it. */
static void choose_lanes(struct tw_job *j, bool dense)
{
    enum { TILES = 8, DENSE_TILES = 4, WORK = 100 };
    static const double wide = 1e5; /* operations of an instruction: enough for threads to share */
    const struct tw_exec *e = j->e;
    const bool back = j->run->gradient || j->run->hvp;
    const size_t tiles = !dense ? TILES : e->flops / (double)e->g->ninstr >= wide ? 1 : DENSE_TILES;
    double least;

    j->dense = dense;
    j->per = (size_t)j->alg.planes * (dense ? e->usum : e->utotal);
    least = back ? WORK * (double)j->per / (e->flops + 1.0) : 0.0;
    j->lanes = e->lanes;
    while (!e->tile && j->lanes > TW_LANES &&
           (j->lanes / 2 >= j->batch ||
            (j->lanes * tiles > j->batch && (double)j->lanes / 2.0 >= least)))
        j->lanes /= 2;
    j->tile = e->tile ? e->tile : j->lanes;
    j->ntile = (j->batch + j->tile - 1) / j->tile;
    j->nchunk = back ? tw_choose_chunks(j) : j->ntile;
}

/* Depends on the network, the number of samples and the memory limit alone, but for runs of few
 * samples that the limit hardly holds. */
void tw_choose_tiles(struct tw_job *j)
{
    j->batch =
        j->e->g->mixes && j->run->batch && j->run->batch < j->run->n ? j->run->batch : j->run->n;
    choose_lanes(j, tw_dense_pays(j));
    if (j->dense && !tw_dense_fits(j))
        choose_lanes(j, false);
}

enum tw_status tw_exec_run(struct tw_exec *e, const struct tw_exec_run *run, struct tw_err *err)
{
    struct tw_job j = { .e = e, .run = run };
    bool back = run->gradient || run->hvp;
    enum tw_status st = check(&j, err);

    /* Memory was short for larger ones. */
    if (!st && !e->g->mixes && !e->nslot)
        st = tw_exec_slots(e, e->threads, e->lanes, err);
    if (st)
        return st;
    tw_alg_tangents(&j.alg, run->tangents || run->hvp ? (int)e->ndirection : 0);
    j.plain = j.alg.planes == 1 && !back;
    tw_choose_tiles(&j);
    j.reuse = j.plain && run->weights && e->reuse.n && e->reuse.ready == e->reuse.n &&
              e->reuse.samples == run->n && !run->batch;
    /* Pointers follow the number of planes, so the uniform part is computed anew with it. */
    tw_exec_refresh(e, &j.alg, j.reuse ? e->reuse.at : NULL);
    if (back)
        st = tw_back_begin(&j, err);
    j.dense = j.dense && j.sums;
    if (!st && j.dense && !e->g->mixes) {
        st = tw_exec_slots(e, j.ntile, j.lanes, err);
        for (size_t i = 0; !st && i < j.ntile; i++)
            tw_slot_point(&j, &e->slot[i]);
    }
    if (!st && e->g->mixes)
        st = tw_run_batches(&j, err);
    else if (!st)
        run_tiles(&j);
    j.scale = run->total ? 1.0 / tw_sum(run->total, run->n) : 1.0;
    if (!st && j.sums)
        tw_back_end(&j);
    return st;
}
