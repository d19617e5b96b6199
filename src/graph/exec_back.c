/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The way back: what it needs, and from the tiles' sums over samples through the uniform part to
 * the gradient. */
#include <stdlib.h>
#include <string.h>

#include "exec_run.h"

/* Which instructions lead to the seeded output, and who of them reads each value last. */
static enum tw_status find_needed(struct tw_job *j, struct tw_err *err)
{
    const struct tw_graph *g = j->e->g;
    bool *wanted = tw_alloc(g->nval, sizeof *wanted);

    if (!wanted)
        return tw_err_set(err, TW_ENOMEM, "out of memory for the gradient");
    memset(j->needed, 0, g->ninstr * sizeof *j->needed);
    memset(j->zero_at, 0, g->nval * sizeof *j->zero_at);
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
size_t tw_choose_chunks(const struct tw_job *j)
{
    const struct tw_exec *e = j->e;
    double params = (double)j->per + 1.0;
    double most = (double)j->run->n * e->flops / (2000.0 * params);
    double memory = 2147483648.0 / (8.0 * params);

    most = most > 64.0 ? 64.0 : most < 2.0 ? 2.0 : most;
    most = most > memory ? memory : most;
    most = most > (double)j->ntile ? (double)j->ntile : most;
    return most < 1.0 ? 1 : (size_t)most;
}

/* ---- sums over samples
 * ---------------------------------------------------------------------------
 */

static double sum_of(const struct tw_job *j, size_t i)
{
    double sum = j->sums[i];

    for (size_t c = 1; c < j->nchunk; c++)
        sum += j->sums[c * j->per + i];
    return sum;
}

/* What is as large in every run. */
static bool has_fixed(const struct tw_back *b)
{
    return b->needed && b->zero_at && b->touched && b->grad && b->reals;
}

static void free_fixed(const struct tw_back *b)
{
    free(b->needed);
    free(b->zero_at);
    free(b->touched);
    free(b->grad);
    free(b->reals);
}

/* Memory that stays for the next run. */
static enum tw_status hold(struct tw_exec *e, size_t n, struct tw_err *err)
{
    struct tw_back *b = &e->back;
    const size_t slots = e->g->nval * e->planes, reals = e->planes * e->utotal;

    if (!has_fixed(b)) {
        free_fixed(b);
        b->needed = tw_alloc(e->g->ninstr, sizeof *b->needed);
        b->zero_at = tw_alloc(e->g->nval, sizeof *b->zero_at);
        b->touched = tw_alloc(e->g->nval, sizeof *b->touched);
        b->grad = tw_alloc(slots, sizeof *b->grad);
        b->reals = tw_alloc(reals, e->k->size);
        if (has_fixed(b))
            e->memory += reals * e->k->size;
    }
    if (n > b->nsum) {
        const size_t held = e->memory - b->nsum * sizeof *b->sums;

        free(b->sums);
        b->sums = NULL;
        b->nsum = 0;
        e->memory = held;
        if (e->memory_limit && (n > SIZE_MAX / 16 || held + n * sizeof *b->sums > e->memory_limit))
            return tw_err_set(err, TW_ENOMEM,
                              "a gradient of %zu parameters needs %.1f MB of memory, more than the "
                              "%.1f MB allowed",
                              e->g->layout.n, ((double)held + 8.0 * (double)n) / 1e6,
                              (double)e->memory_limit / 1e6);
        b->sums = tw_alloc(n, sizeof *b->sums);
        if (b->sums) {
            b->nsum = n;
            e->memory += n * sizeof *b->sums;
        }
    }
    return has_fixed(b) && b->sums
               ? TW_OK
               : tw_err_set(err, TW_ENOMEM, "out of memory for the gradient of %zu parameters",
                            e->g->layout.n);
}

void tw_exec_free_back(struct tw_exec *e)
{
    free_fixed(&e->back);
    free(e->back.sums);
}

double tw_back_more(const struct tw_job *j)
{
    const struct tw_back *b = &j->e->back;
    const double sums = (double)j->nchunk * (double)j->per + 1.0 - (double)b->nsum;
    const double reals = (double)j->e->planes * (double)j->e->utotal * (double)j->e->k->size;

    return (sums > 0.0 ? sums * sizeof *b->sums : 0.0) + (has_fixed(b) ? 0.0 : reals);
}

static void no_gradient(const struct tw_job *j)
{
    const struct tw_exec_run *run = j->run;

    for (size_t i = 0; i < j->e->g->layout.n; i++) {
        if (run->gradient)
            run->gradient[i] = 0.0;
        for (int t = 1; run->hvp && t < j->alg.planes; t++)
            if (run->hvp[t - 1])
                run->hvp[t - 1][i] = 0.0;
    }
}

enum tw_status tw_back_begin(struct tw_job *j, struct tw_err *err)
{
    struct tw_exec *e = j->e;
    const struct tw_val *v = &e->g->val[e->g->output[j->run->seed_output]];
    enum tw_status st;

    if (!v->active || !v->varying) {
        no_gradient(j);
        return TW_OK;
    }
    if (j->nchunk > SIZE_MAX / 16 / (j->per + 1))
        return tw_err_set(err, TW_ENOMEM, "out of memory for the gradient");
    st = hold(e, j->nchunk * j->per + 1, err);
    if (st)
        return st;
    j->needed = e->back.needed;
    j->zero_at = e->back.zero_at;
    j->sums = e->back.sums;
    return find_needed(j, err);
}

void tw_back_zero(const struct tw_job *j, size_t chunk, size_t me, size_t team)
{
    const size_t from = j->per / team * me, to = me + 1 < team ? j->per / team * (me + 1) : j->per;

    memset(j->sums + chunk * j->per + from, 0, (to - from) * sizeof *j->sums);
}

/* ---- the uniform part ---------------------------------------------------------------------------
 */

/* Uniform values that uniform instructions lead back to. */
static void find_touched(const struct tw_job *j)
{
    const struct tw_graph *g = j->e->g;
    bool *touched = j->e->back.touched;

    memset(touched, 0, g->nval * sizeof *touched);
    for (size_t i = 0; i < g->ninstr; i++)
        for (size_t k = 0; g->instr[i].uniform && j->needed[i] && k < g->instr[i].nin; k++)
            if (g->instr[i].in[k] >= 0)
                touched[g->val[g->instr[i].in[k]].root] = true;
}

/* The cotangents of uniform values as plain reals: those of parameters begin at 0, since what the
 * tiles made of them stays in double. */
static void take_sums(const struct tw_job *j)
{
    const struct tw_exec *e = j->e;
    size_t planes = (size_t)j->alg.planes;

    for (size_t v = 0; v < e->g->nval; v++) {
        const struct tw_val *x = &e->g->val[v];

        for (size_t p = 0; p < planes; p++) {
            size_t at = p * e->utotal + e->uat[v];

            e->back.grad[v * planes + p] = NULL;
            if (x->varying || !x->active || (size_t)x->root != v || (j->dense && e->dense[v]))
                continue;
            e->back.grad[v * planes + p] = e->back.reals + at * e->k->size;
            for (size_t i = 0; x->origin == TW_V_TEMP && i < x->n; i++)
                tw_put_real(e->k, e->back.reals, at + i, sum_of(j, at + i));
            if (x->origin != TW_V_TEMP && e->back.touched[v])
                e->k->fill(x->n, 0.0, e->back.grad[v * planes + p]);
        }
    }
}

static void give_param(const struct tw_job *j, size_t v, int p, double *to)
{
    const struct tw_exec *e = j->e;
    const double by = j->scale;
    const bool touched = e->back.touched[v];
    const size_t n = e->g->val[v].n, at = (size_t)p * e->utotal + e->uat[v];

#pragma omp parallel for schedule(static) num_threads((int)e->threads) if (n > 20000)
    for (size_t i = 0; i < n; i++)
        to[i] =
            (sum_of(j, at + i) + (touched ? tw_get_real(e->k, e->back.reals, at + i) : 0.0)) * by;
}

void tw_back_end(const struct tw_job *j)
{
    const struct tw_exec *e = j->e;
    const struct tw_graph *g = e->g;
    struct tw_run r = { .g = g,
                        .k = e->k,
                        .alone = e->k,
                        .alg = &j->alg,
                        .lanes = 1,
                        .plane = e->uplane,
                        .grad = e->back.grad,
                        .kept = e->kept,
                        .scratch = e->uscratch,
                        .own = e->uscratch,
                        .team = 1 };

    if (j->dense)
        tw_dense_gradient(j);
    find_touched(j);
    take_sums(j);
    for (size_t i = g->ninstr; i-- > 0;)
        if (g->instr[i].uniform && j->needed[i] && g->instr[i].op->vjp &&
            g->val[g->instr[i].out[0]].active)
            g->instr[i].op->vjp(&r, &g->instr[i], i);
    for (size_t v = 0; v < g->nval; v++) {
        const struct tw_val *x = &g->val[v];

        if (x->origin != TW_V_PARAM || (size_t)x->root != v || (j->dense && e->dense[v]))
            continue;
        for (int p = 0; p < j->alg.planes; p++) {
            double *to = p ? (j->run->hvp ? j->run->hvp[p - 1] : NULL) : j->run->gradient;

            if (to)
                give_param(j, v, p, to + g->layout.param[x->index].offset);
        }
    }
}
