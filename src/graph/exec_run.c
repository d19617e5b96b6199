/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A pass over samples: tiles in parallel, nothing threaded inside a tile. What is summed over
 * samples is summed tile by tile within fixed chunks, and the chunks in order: the same bits at
 * any number of threads. */
#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "exec.h"

struct job {
    struct tw_exec *e;
    const struct tw_exec_run *run;
    struct tw_alg alg;
    bool plain; /* values alone: nothing follows */
    size_t ntile, nchunk, nout;
    bool *needed;      /* for the way back, by instruction */
    size_t *zero_at;   /* by value: the instruction, counted from 1, before whose turn its
                          cotangent is zeroed */
    double *sums;      /* nchunk * planes * utotal */
    void **ugrad_real; /* the uniform part's cotangents */
};

static size_t row_of(const struct job *j, size_t i)
{
    return j->run->rows ? j->run->rows[i] : i;
}

/* Samples of a tile: the first, and how many. */
static size_t first_of(const struct job *j, size_t tile)
{
    return tile * j->e->batch;
}

static size_t count_of(const struct job *j, size_t tile)
{
    size_t left = j->run->n - first_of(j, tile);

    return left < j->e->batch ? left : j->e->batch;
}

/* ---- in and out ------------------------------------------------------------------------------ */

/* Lanes beyond the last sample repeat it; nothing of theirs is used. */
static void load(const struct job *j, struct tw_worker *w, const struct tw_run *r, size_t tile)
{
    const struct tw_exec *e = j->e;
    size_t first = first_of(j, tile), count = count_of(j, tile);

    for (size_t i = 0; i < e->g->ninput; i++) {
        int v = e->g->input[i];
        const struct tw_array *x = j->run->inputs[i];
        size_t n = e->g->val[v].n;

        for (size_t s = 0; s < e->lanes; s++) {
            size_t sample = first + (s < count ? s : count - 1);
            size_t from = row_of(j, sample) * n;

            if (x->dtype == TW_F32) {
                w->row[s] = (const float *)x->data + from;
                continue;
            }
            if (e->k->size == sizeof(double)) {
                double *to = tw_plane(r, v, 0);

                for (size_t k = 0; k < n; k++)
                    to[k * e->lanes + s] = tw_array_real(x, from + k);
                continue;
            }
            for (size_t k = 0; k < n; k++)
                w->convert[s * n + k] = (float)tw_array_real(x, from + k);
            w->row[s] = w->convert + s * n;
        }
        if (x->dtype == TW_F32 || e->k->size == sizeof(float))
            e->k->load_f32(n, e->lanes, w->row, tw_plane(r, v, 0));
    }
}

static void store_plane(const struct job *j, struct tw_worker *w, const struct tw_run *r, int v,
                        int plane, size_t tile, double *out)
{
    const struct tw_exec *e = j->e;
    size_t n = e->g->val[v].n, first = first_of(j, tile);
    size_t count = count_of(j, tile);
    const char *x = tw_plane(r, v, plane);

    if (!x || !e->g->val[v].varying) { /* zero, or the same for all */
        for (size_t i = 0; i < count * n; i++)
            out[first * n + i] = x ? tw_get_real(e->k, x, i % n) : 0.0;
        return;
    }
    for (size_t s = 0; s < count; s++)
        w->out_row[s] = out + (first + s) * n;
    e->k->store_f64(n, e->lanes, count, x, w->out_row);
}

static void store(const struct job *j, struct tw_worker *w, const struct tw_run *r, size_t tile)
{
    const struct tw_graph *g = j->e->g;
    size_t nd = (size_t)j->alg.planes - 1;

    for (size_t o = 0; o < g->noutput; o++) {
        if (j->run->outputs && j->run->outputs[o])
            store_plane(j, w, r, g->output[o], 0, tile, j->run->outputs[o]);
        for (size_t t = 0; t < nd && j->run->tangents; t++)
            if (j->run->tangents[o * nd + t])
                store_plane(j, w, r, g->output[o], 1 + (int)t, tile, j->run->tangents[o * nd + t]);
    }
}

/* ---- a tile -------------------------------------------------------------------------------------
 */

static void point_planes(const struct job *j, struct tw_worker *w)
{
    const struct tw_exec *e = j->e;
    size_t planes = (size_t)j->alg.planes;

    for (size_t v = 0; v < e->g->nval; v++) {
        const struct tw_val *x = &e->g->val[v];
        size_t s = j->plain ? e->storage[v] : v;

        for (size_t p = 0; p < planes; p++) {
            w->plane[v * planes + p] =
                !x->varying ? e->uplane[v * planes + p]
                : (size_t)x->root != v || (p && !x->active)
                    ? NULL
                    : w->arena + (e->vat[s] + p * x->n) * e->lanes * e->k->size;
            w->grad[v * planes + p] =
                e->gradient && x->varying && x->active && (size_t)x->root == v
                    ? w->garena + (e->gat[v] + p * x->n) * e->lanes * e->k->size
                    : NULL;
        }
    }
}

static void forward(const struct job *j, const struct tw_run *r)
{
    const struct tw_exec *e = j->e;

    for (size_t i = 0; i < e->g->ninstr; i++)
        if (!e->g->instr[i].uniform && !(j->plain && e->fused[i]))
            e->g->instr[i].op->forward(r, &e->g->instr[i], i);
}

static void seed(const struct job *j, struct tw_worker *w, const struct tw_run *r, size_t tile)
{
    const struct tw_exec *e = j->e;
    int v = e->g->output[j->run->seed_output];
    size_t n = e->g->val[v].n, first = first_of(j, tile);
    struct tw_loop l = { .nd = 1, .n = { n }, .sa = { 0 }, .sy = { 1 } };

    for (size_t s = 0; s < e->lanes; s++) {
        double x = s >= count_of(j, tile) ? 0.0 : j->run->seed ? j->run->seed[first + s] : 1.0;

        tw_put_real(e->k, w->seed, s, x);
    }
    for (int p = 1; p < j->alg.planes; p++)
        e->k->fill(n * e->lanes, 0.0, tw_grad(r, v, p));
    e->k->binary(TW_B_FIRST, &l, e->lanes, w->seed, e->lanes, w->seed, TW_SET, e->lanes,
                 tw_grad(r, v, 0));
}

static void zero_grads(const struct job *j, const struct tw_run *r, size_t i)
{
    const struct tw_instr *in = &j->e->g->instr[i];

    for (size_t k = 0; k < in->nin; k++) {
        int root = in->in[k] < 0 ? -1 : j->e->g->val[in->in[k]].root;

        if (root < 0 || j->zero_at[root] != i + 1)
            continue;
        for (int p = 0; p < j->alg.planes; p++) {
            bool before = false; /* an input twice is zeroed once */

            for (size_t q = 0; q < k; q++)
                before = before || (in->in[q] >= 0 && j->e->g->val[in->in[q]].root == root);
            if (!before && tw_grad(r, root, p))
                j->e->k->fill(j->e->g->val[root].n * j->e->lanes, 0.0, tw_grad(r, root, p));
        }
    }
}

/* Before the way back enters the network itself: without the cotangent's value, only what its
 * tangents bring along is left of every later product, J' times them. */
static void forget_value(const struct job *j, const struct tw_run *r, size_t i)
{
    const struct tw_graph *g = j->e->g;
    int root = g->val[g->output[j->run->network_output]].root;

    if (g->val[g->instr[i].out[0]].root == root && tw_grad(r, root, 0))
        j->e->k->fill(g->val[root].n * j->e->lanes, 0.0, tw_grad(r, root, 0));
}

static void backward(const struct job *j, const struct tw_run *r)
{
    const struct tw_graph *g = j->e->g;

    for (size_t i = g->ninstr; i-- > 0;) {
        if (!j->needed[i] || g->instr[i].uniform)
            continue;
        if (j->run->gauss_newton)
            forget_value(j, r, i);
        zero_grads(j, r, i);
        if (g->instr[i].op->vjp && g->val[g->instr[i].out[0]].active)
            g->instr[i].op->vjp(r, &g->instr[i], i);
    }
}

static void one_tile(struct job *j, struct tw_worker *w, size_t tile, size_t chunk)
{
    struct tw_exec *e = j->e;
    struct tw_run r = { .g = e->g,
                        .k = e->k,
                        .alg = &j->alg,
                        .lanes = e->lanes,
                        .samples = count_of(j, tile),
                        .plane = w->plane,
                        .grad = w->grad,
                        .ugrad = j->sums ? w->ugrad : NULL,
                        .kept = e->kept,
                        .scratch = w->scratch,
                        .act = j->plain ? e->act : NULL };
    size_t planes = (size_t)j->alg.planes;

    load(j, w, &r, tile);
    forward(j, &r);
    store(j, w, &r, tile);
    if (!j->sums)
        return;
    for (size_t v = 0; v < e->g->nval; v++)
        for (size_t p = 0; p < planes; p++)
            w->ugrad[v * planes + p] =
                !e->g->val[v].varying && e->g->val[v].active && (size_t)e->g->val[v].root == v
                    ? j->sums + (chunk * planes + p) * e->utotal + e->uat[v]
                    : NULL;
    seed(j, w, &r, tile);
    backward(j, &r);
}

/* ---- the way back through the uniform part
 * --------------------------------------------------------- */

/* Chunks in order; each element by itself, so any number of threads does the same. */
static void add_chunks(const struct job *j)
{
    size_t n = (size_t)j->alg.planes * j->e->utotal;

#pragma omp parallel for schedule(static) num_threads((int)j->e->threads)
    for (size_t i = 0; i < n; i++)
        for (size_t c = 1; c < j->nchunk; c++)
            j->sums[i] += j->sums[c * n + i];
}

/* The cotangents of uniform values as plain reals: those of parameters begin at 0, since what the
 * tiles made of them stays in double. */
static void take_sums(const struct job *j, char *reals, void **grad)
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

static void give_gradient(const struct job *j, const char *reals)
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

static enum tw_status uniform_back(struct job *j, struct tw_err *err)
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
static enum tw_status find_needed(struct job *j, struct tw_err *err)
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
static size_t choose_chunks(const struct job *j)
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

static enum tw_status check(const struct job *j, struct tw_err *err)
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
    if (run->gauss_newton && (run->gradient || run->network_output >= g->noutput))
        return tw_err_set(err, TW_EINVAL,
                          "Gauss-Newton products come without a gradient and need an output of the "
                          "network");
    if ((run->gradient || run->hvp) && run->seed_output >= g->noutput)
        return tw_err_set(err, TW_EINVAL, "there is no output %zu", run->seed_output);
    return TW_OK;
}

static void run_tiles(struct job *j)
{
    struct tw_exec *e = j->e;
    size_t per = (size_t)j->alg.planes * e->utotal;

#pragma omp parallel num_threads((int)e->threads)
    {
        struct tw_worker *w = &e->worker[omp_get_thread_num()];

        point_planes(j, w);
#pragma omp for schedule(dynamic, 1)
        for (size_t c = 0; c < j->nchunk; c++) {
            size_t first = c * j->ntile / j->nchunk, last = (c + 1) * j->ntile / j->nchunk;

            if (j->sums)
                memset(j->sums + c * per, 0, per * sizeof *j->sums);
            for (size_t t = first; t < last; t++)
                one_tile(j, w, t, c);
        }
    }
}

enum tw_status tw_exec_run(struct tw_exec *e, const struct tw_exec_run *run, struct tw_err *err)
{
    struct job j = { .e = e, .run = run };
    bool back = run->gradient || run->hvp;
    enum tw_status st = check(&j, err);

    if (st)
        return st;
    tw_alg_tangents(&j.alg, run->tangents || run->hvp ? (int)e->ndirection : 0);
    j.plain = j.alg.planes == 1 && !back;
    j.ntile = (run->n + e->batch - 1) / e->batch;
    j.nchunk = back ? choose_chunks(&j) : j.ntile;
    /* Pointers follow the number of planes, so the uniform part is computed anew with it. */
    tw_exec_refresh(e, &j.alg);
    if (back) {
        const struct tw_val *v = &e->g->val[e->g->output[run->seed_output]];

        for (size_t i = 0; i < e->g->layout.n; i++) {
            if (run->gradient)
                run->gradient[i] = 0.0;
            for (int t = 1; run->hvp && t < j.alg.planes; t++)
                if (run->hvp[t - 1])
                    run->hvp[t - 1][i] = 0.0;
        }
        st = find_needed(&j, err);
        if (!st && v->active && v->varying) {
            j.sums = tw_alloc(j.nchunk * (size_t)j.alg.planes * e->utotal, sizeof *j.sums);
            if (!j.sums)
                st = tw_err_set(err, TW_ENOMEM, "out of memory for the gradient of %zu parameters",
                                e->g->layout.n);
        }
    }
    if (!st)
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
