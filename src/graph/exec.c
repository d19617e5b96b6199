/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Making, pointing and freeing an exec; the uniform part of a network. */
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "exec.h"

struct tw_exec *tw_exec_new(const struct tw_graph *g, const struct tw_exec_options *o,
                            struct tw_err *err)
{
    static const struct tw_exec_options none;
    struct tw_exec *e = tw_alloc(1, sizeof *e);

    o = o ? o : &none;
    if (!e) {
        tw_err_set(err, TW_ENOMEM, "out of memory for the network");
        return NULL;
    }
    e->g = g;
    e->k = tw_kernels_find(o->isa, o->real64 ? TW_REAL64 : TW_REAL32);
    e->threads = o->threads ? o->threads : (size_t)omp_get_max_threads();
    e->max_tangents = o->tangents;
    e->planes = 1 + o->tangents;
    e->gradient = o->gradient;
    e->tile = o->tile;
    e->memory_limit = o->memory_limit;
    e->lanes = (o->tile + TW_LANES - 1) / TW_LANES * TW_LANES;
    e->stale = true;
    if (!e->k)
        tw_err_set(err, TW_EINVAL, "instruction set '%s' is not there on this machine",
                   o->isa ? o->isa : "");
    else if (e->planes > TW_MAX_PLANES)
        tw_err_set(err, TW_EINVAL, "%zu directions at once; at most %d", o->tangents,
                   TW_MAX_PLANES - 1);
    else if (tw_exec_plan(e, err) == TW_OK) {
        if (!o->memory_limit || e->memory <= o->memory_limit) {
            tw_exec_start(e);
            return e;
        }
        tw_err_set(err, TW_ENOMEM,
                   "needs %.1f MB of memory, more than the %.1f MB allowed: use fewer threads "
                   "or a higher limit",
                   (double)e->memory / 1e6, (double)o->memory_limit / 1e6);
    }
    tw_exec_free(e);
    return NULL;
}

void tw_exec_free(struct tw_exec *e)
{
    if (!e)
        return;
    for (size_t t = 0; t < e->threads && e->team; t++)
        tw_team_end(&e->team[t]);
    for (size_t t = 0; t < e->threads && e->worker; t++) {
        struct tw_worker *w = &e->worker[t];

        free(w->scratch);
        free(w->seed);
        free(w->convert);
        free(w->row);
        free(w->out_row);
        free(w->view.plane);
        free(w->view.grad);
        free(w->view.ugrad);
    }
    free(e->worker);
    free(e->team);
    tw_exec_free_slots(e);
    tw_exec_free_back(e);
    tw_exec_forget(e);
    free(e->uat);
    free(e->dense);
    free(e->dense_instr);
    free(e->vat);
    free(e->gat);
    free(e->first);
    free(e->last);
    free(e->storage);
    free(e->kept);
    free(e->act);
    free(e->fused);
    free(e->uplane);
    free(e->uniform);
    free(e->keep);
    free(e->uscratch);
    free(e);
}

size_t tw_exec_memory(const struct tw_exec *e)
{
    return e->memory;
}

static char *uniform_at(const struct tw_exec *e, size_t root, size_t plane)
{
    return e->uniform + (plane * e->utotal + e->uat[root]) * e->k->size;
}

enum { MANY = 50000 }; /* numbers that threads share */

static void copy(const struct tw_exec *e, size_t n, const float *from, void *to)
{
    const size_t part = n > MANY ? (n + e->threads - 1) / e->threads : n;

#pragma omp parallel for schedule(static) num_threads((int)e->threads) if (n > MANY)
    for (size_t i = 0; i < n; i += part)
        memcpy((float *)to + i, from + i, (n - i < part ? n - i : part) * sizeof *from);
}

/* Numbers of one tensor into its place in a plane; none of both: zeros. */
static void put(struct tw_exec *e, size_t n, const float *f, const double *d, void *to)
{
    if (n && e->k->size == sizeof *f && !d && f) {
        copy(e, n, f, to);
        return;
    }
#pragma omp parallel for schedule(static) num_threads((int)e->threads) if (n > MANY)
    for (size_t i = 0; i < n; i++)
        tw_put_real(e->k, to, i, d ? d[i] : f ? (double)f[i] : 0.0);
}

/* A vector over parameters (or buffers) into a plane of their values. */
static void scatter(struct tw_exec *e, enum tw_origin origin, size_t plane, const float *f,
                    const double *d)
{
    const struct tw_graph *g = e->g;

    for (size_t v = 0; v < g->nval; v++) {
        const struct tw_val *x = &g->val[v];
        const struct tw_param *p;

        if (x->origin != origin || (size_t)x->root != v)
            continue;
        p = &g->layout.param[origin == TW_V_PARAM ? x->index : g->layout.nparam + x->index];
        put(e, p->n, f ? f + p->offset : NULL, d ? d + p->offset : NULL, uniform_at(e, v, plane));
    }
}

static void constants(struct tw_exec *e)
{
    for (size_t v = 0; v < e->g->nval; v++) {
        const struct tw_val *x = &e->g->val[v];

        for (size_t i = 0; x->origin == TW_V_CONST && i < x->n; i++)
            tw_put_real(e->k, uniform_at(e, v, 0), i, tw_array_real(&x->constant, i));
    }
}

static void set_point(struct tw_exec *e, const float *pf, const double *pd, const float *bf,
                      const double *bd)
{
    constants(e);
    scatter(e, TW_V_PARAM, 0, pf, pd);
    if (bf || bd)
        scatter(e, TW_V_BUFFER, 0, bf, bd);
    else
        scatter(e, TW_V_BUFFER, 0, e->g->initial_buffers, NULL);
    e->stale = true;
}

void tw_exec_start(struct tw_exec *e)
{
    const struct tw_graph *g = e->g;

    constants(e);
    scatter(e, TW_V_BUFFER, 0, g->initial_buffers, NULL);
    for (size_t v = 0; v < g->nval; v++) {
        const struct tw_val *x = &g->val[v];

        if (x->origin == TW_V_PARAM && (size_t)x->root == v && g->initial[x->index].stored)
            put(e, x->n, g->initial[x->index].stored, NULL, uniform_at(e, v, 0));
    }
}

void tw_exec_set(struct tw_exec *e, const float *params, const float *buffers)
{
    set_point(e, params, NULL, buffers, NULL);
}

void tw_exec_set_real(struct tw_exec *e, const double *params, const double *buffers)
{
    set_point(e, NULL, params, NULL, buffers);
}

void tw_exec_direct(struct tw_exec *e, size_t n, const float *const *directions)
{
    e->ndirection = n < e->max_tangents ? n : e->max_tangents;
    for (size_t i = 0; i < e->ndirection; i++)
        scatter(e, TW_V_PARAM, 1 + i, directions[i], NULL);
    e->stale = true;
}

void tw_exec_direct_real(struct tw_exec *e, size_t n, const double *const *directions)
{
    e->ndirection = n < e->max_tangents ? n : e->max_tangents;
    for (size_t i = 0; i < e->ndirection; i++)
        scatter(e, TW_V_PARAM, 1 + i, NULL, directions[i]);
    e->stale = true;
}

void tw_exec_refresh(struct tw_exec *e, const struct tw_alg *alg, const size_t *at)
{
    const struct tw_graph *g = e->g;
    struct tw_run r = { .g = g,
                        .k = e->k,
                        .alone = e->k,
                        .alg = alg,
                        .lanes = 1,
                        .plane = e->uplane,
                        .kept = e->kept,
                        .scratch = e->uscratch,
                        .own = e->uscratch,
                        .team = 1 };

    for (size_t v = 0; v < g->nval; v++)
        for (int p = 0; p < alg->planes; p++)
            e->uplane[v * (size_t)alg->planes + (size_t)p] =
                g->val[v].varying || (size_t)g->val[v].root != v || (p && !g->val[v].active)
                    ? NULL
                    : uniform_at(e, v, (size_t)p);
    for (size_t i = 0; i < g->ninstr; i++)
        if (g->instr[i].uniform)
            g->instr[i].op->forward(&r, &g->instr[i], i);
    r.k = e->k->team;
#pragma omp parallel num_threads((int)e->threads) if (e->utotal > MANY)
    {
#pragma omp single
        e->team[0].of = (size_t)omp_get_num_threads();
        tw_team_join(&e->team[0], (size_t)omp_get_thread_num());
        for (size_t i = 0; i < g->ninstr; i++)
            if (e->kept[i] && (!at || at[i] == SIZE_MAX))
                g->instr[i].op->prepare(&r, &g->instr[i], i, e->gradient);
        tw_team_join(NULL, 0);
    }
    e->stale = false;
}
