/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Where every value lies while a tile is computed: values whose lives do not overlap share
 * memory, unless a way back needs them all. */
#include <stdlib.h>
#include <string.h>

#include "exec.h"

static size_t planes_of(const struct tw_exec *e, size_t root)
{
    return e->g->val[root].active ? e->planes : 1;
}

/* A place to be given: `size` elements from time `from` to `to`, inclusive. */
struct life {
    size_t root, size, from, to;
};

static int by_from(const void *a, const void *b)
{
    const struct life *x = a, *y = b;

    if (x->from != y->from)
        return x->from < y->from ? -1 : 1;
    return x->root < y->root ? -1 : 1;
}

/* First fit among those that are alive; the number of elements in all. */
static size_t place(struct life *l, size_t n, size_t *at)
{
    size_t *alive = tw_alloc(n, sizeof *alive), nalive = 0, total = 0;

    qsort(l, n, sizeof *l, by_from);
    for (size_t i = 0; i < n; i++) {
        size_t kept = 0, pos = 0, j;

        if (!alive) { /* no memory to be clever with: one after another */
            at[l[i].root] = total;
            total += l[i].size;
            continue;
        }
        for (j = 0; j < nalive; j++)
            if (l[alive[j]].to >= l[i].from)
                alive[kept++] = alive[j];
        nalive = kept;
        /* `alive` is in the order of places. */
        for (j = 0; j < nalive; j++) {
            size_t start = at[l[alive[j]].root];

            if (start >= pos + l[i].size)
                break;
            pos = start + l[alive[j]].size;
        }
        memmove(&alive[j + 1], &alive[j], (nalive - j) * sizeof *alive);
        alive[j] = i;
        nalive++;
        at[l[i].root] = pos;
        total = pos + l[i].size > total ? pos + l[i].size : total;
    }
    free(alive);
    return total;
}

static void find_lives(struct tw_exec *e)
{
    const struct tw_graph *g = e->g;

    for (size_t v = 0; v < g->nval; v++)
        e->first[v] = e->last[v] = 0;
    for (size_t i = 0; i < g->ninstr; i++) {
        const struct tw_instr *in = &g->instr[i];

        for (size_t j = 0; j < in->nout; j++)
            if (in->out[j] >= 0)
                e->first[g->val[in->out[j]].root] = e->last[g->val[in->out[j]].root] = i + 1;
        for (size_t j = 0; j < in->nin; j++)
            if (in->in[j] >= 0)
                e->last[g->val[in->in[j]].root] = i + 1;
    }
    for (size_t o = 0; o < g->noutput; o++)
        e->last[g->val[g->output[o]].root] = g->ninstr + 1;
}

/* A product followed by a function of one number that alone reads it. */
static void find_fusions(struct tw_exec *e)
{
    const struct tw_graph *g = e->g;

    for (size_t v = 0; v < g->nval; v++)
        e->storage[v] = v;
    for (size_t i = 0; i < g->ninstr; i++)
        e->act[i] = TW_U_COPY;
    for (size_t i = 1; i < g->ninstr; i++) {
        const struct tw_instr *in = &g->instr[i], *p = &g->instr[i - 1];
        const struct tw_unary_data *d = in->data;
        int x, y;

        if (in->op != &tw_op_unary || in->uniform || p->uniform ||
            (p->op != &tw_op_matmul && p->op != &tw_op_conv))
            continue;
        x = g->val[in->in[0]].root;
        y = g->val[in->out[0]].root;
        /* Read by this one alone, through weights that are packed, no parameters to pass on. */
        if (x != g->val[p->out[0]].root || e->last[x] != i + 1 || !e->kept[i - 1] ||
            d->f == TW_U_CLIP || d->f == TW_U_LEAKY || d->f == TW_U_ELU || d->f == TW_U_SELU ||
            d->f == TW_U_CELU || d->f == TW_U_POWC || d->f == TW_U_HSIGMOID ||
            d->f == TW_U_THRESHOLD || d->f == TW_U_HUBER)
            continue;
        for (size_t o = 0; o < g->noutput; o++)
            if (g->val[g->output[o]].root == x)
                x = -1;
        if (x < 0)
            continue;
        e->act[i - 1] = (unsigned char)d->f;
        e->fused[i] = true;
        e->storage[x] = (size_t)y;
    }
}

static size_t scratch_of(const struct tw_exec *e, bool uniform)
{
    struct tw_alg alg;
    size_t most = 0;

    tw_alg_tangents(&alg, (int)e->planes - 1);
    alg.back = e->gradient;
    for (size_t i = 0; i < e->g->ninstr; i++) {
        const struct tw_instr *in = &e->g->instr[i];
        size_t n = in->op->scratch && in->uniform == uniform ? in->op->scratch(e->g, in, &alg) : 0;

        most = n > most ? n : most;
    }
    return most;
}

static enum tw_status place_varying(struct tw_exec *e, struct tw_err *err)
{
    const struct tw_graph *g = e->g;
    struct life *l = tw_alloc(g->nval, sizeof *l);
    bool reuse = !e->gradient;
    size_t n = 0;

    if (!l)
        return tw_err_set(err, TW_ENOMEM, "out of memory for the plan");
    for (size_t v = 0; v < g->nval; v++) {
        const struct tw_val *x = &g->val[v];

        if (!x->varying || (size_t)x->root != v || (!e->last[v] && x->origin == TW_V_TEMP))
            continue; /* the last: nothing makes it any more */
        if (e->storage[v] != v && e->planes == 1 && !e->gradient)
            continue; /* only ever written in the place of the function's value */
        l[n] = (struct life){ v, x->n * planes_of(e, v), e->first[v], e->last[v] };
        /* What is fused writes into the place of the function's value. */
        for (size_t i = 0; i < g->ninstr; i++)
            if (e->fused[i] && g->val[g->instr[i].out[0]].root == (int)v)
                l[n].from = i;
        if (!reuse)
            l[n].to = g->ninstr + 1;
        n++;
    }
    e->arena = place(l, n, e->vat);
    n = 0;
    for (size_t v = 0; v < g->nval && e->gradient; v++) {
        const struct tw_val *x = &g->val[v];

        /* Backwards in time: from its last reader to its maker. */
        if (x->varying && x->active && (size_t)x->root == v &&
            (e->last[v] || x->origin != TW_V_TEMP))
            l[n++] = (struct life){ v, x->n * e->planes, g->ninstr + 1 - e->last[v],
                                    g->ninstr + 1 - e->first[v] };
    }
    for (size_t i = 0; i < e->ndense; i++) { /* stay to the end */
        const int root = g->val[g->instr[e->dense_instr[i]].out[0]].root;

        for (size_t k = 0; k < n; k++)
            if (l[k].root == (size_t)root)
                l[k].to = g->ninstr + 2;
    }
    e->garena = place(l, n, e->gat);
    free(l);
    return TW_OK;
}

static void *reals(struct tw_exec *e, size_t n)
{
    void *p;

    if (n > SIZE_MAX / 16 / e->k->size)
        return NULL;
    n = (n * e->k->size + 127) / 64 * 64;
    e->memory += n;
    p = tw_alloc_aligned(n);
    return p;
}

static enum tw_status place_uniform(struct tw_exec *e, struct tw_err *err)
{
    const struct tw_graph *g = e->g;
    struct tw_alg alg;
    size_t total = 0;
    char *at;

    tw_alg_tangents(&alg, (int)e->planes - 1);
    for (int dense = 0; dense < 2; dense++) {
        for (size_t v = 0; v < g->nval; v++) {
            const struct tw_val *x = &g->val[v];

            if (x->varying || (size_t)x->root != v || e->dense[v] != dense)
                continue;
            e->uat[v] = e->utotal;
            e->utotal += (x->n + 15) / 16 * 16;
        }
        if (!dense)
            e->usum = e->utotal;
    }
    for (size_t i = 0; i < g->ninstr; i++)
        if (g->instr[i].op->keep && !g->instr[i].uniform)
            total +=
                (g->instr[i].op->keep(g, &g->instr[i], e->k, &alg, e->gradient) + 15) / 16 * 16;
    e->uniform = reals(e, e->planes * e->utotal);
    e->keep = reals(e, total);
    e->uscratch = reals(e, scratch_of(e, true));
    if (!e->uniform || !e->keep || !e->uscratch)
        return tw_err_set(err, TW_ENOMEM, "out of memory for %zu parameters and their packed form",
                          e->utotal);
    memset(e->uniform, 0, e->planes * e->utotal * e->k->size);
    at = e->keep;
    for (size_t i = 0; i < g->ninstr; i++) {
        size_t n = g->instr[i].op->keep && !g->instr[i].uniform
                       ? g->instr[i].op->keep(g, &g->instr[i], e->k, &alg, e->gradient)
                       : 0;

        e->kept[i] = n ? at : NULL;
        at += (n + 15) / 16 * 16 * e->k->size;
    }
    return TW_OK;
}

/* A tile's largest value should stay in the second-level cache; more lanes mean fewer passes
 * over the weights. Depends on the network alone. */
static size_t choose_lanes(const struct tw_exec *e)
{
    size_t most = 1, lanes = TW_LANES, limit = e->gradient ? 512 * 1024 : 256 * 1024;

    for (size_t v = 0; v < e->g->nval; v++)
        if (e->g->val[v].varying && e->g->val[v].n > most)
            most = e->g->val[v].n;
    while (lanes < (e->gradient ? 128u : 64u) && 2 * lanes * most * sizeof(float) <= limit)
        lanes *= 2;
    return lanes;
}

/* n elements of `lanes` reals; NULL if that is more than there can be. */
static void *elements(struct tw_exec *e, size_t n, size_t lanes)
{
    return n > SIZE_MAX / 64 / lanes ? NULL : reals(e, n * lanes);
}

void tw_exec_free_slots(struct tw_exec *e)
{
    for (size_t i = 0; i < e->nslot && e->slot; i++) {
        struct tw_slot *s = &e->slot[i];

        free(s->arena);
        free(s->garena);
        free(s->plane);
        free(s->grad);
        free(s->ugrad);
    }
    free(e->slot);
    e->slot = NULL;
    e->nslot = 0;
    e->memory -= e->slot_memory;
    e->slot_memory = 0;
}

static bool make_pointers(const struct tw_exec *e, struct tw_slot *s)
{
    size_t pointers = e->g->nval * e->planes;

    s->plane = tw_alloc(pointers, sizeof *s->plane);
    s->grad = tw_alloc(pointers, sizeof *s->grad);
    s->ugrad = tw_alloc(pointers, sizeof *s->ugrad);
    return s->plane && s->grad && s->ugrad;
}

static bool make_slot(struct tw_exec *e, struct tw_slot *s, size_t lanes)
{
    s->arena = elements(e, e->arena, lanes);
    s->garena = elements(e, e->garena, lanes);
    return make_pointers(e, s) && s->arena && s->garena;
}

enum tw_status tw_exec_slots(struct tw_exec *e, size_t n, size_t lanes, struct tw_err *err)
{
    size_t before;
    double want;

    if (n <= e->nslot && lanes <= e->slot_lanes)
        return TW_OK;
    n = n > e->nslot ? n : e->nslot;
    lanes = lanes > e->slot_lanes ? lanes : e->slot_lanes;
    want = (double)(e->memory - e->slot_memory) +
           (double)n * ((double)e->arena + (double)e->garena) * (double)lanes * (double)e->k->size;
    if (e->memory_limit && want > (double)e->memory_limit)
        return tw_err_set(err, TW_ENOMEM,
                          "%zu samples at once need %.1f MB of memory, more than the %.1f MB "
                          "allowed: use fewer threads, smaller batches or a higher limit",
                          n * lanes, want / 1e6, (double)e->memory_limit / 1e6);
    tw_exec_free_slots(e);
    before = e->memory;
    e->slot = tw_alloc(n, sizeof *e->slot);
    e->nslot = e->slot ? n : 0;
    e->slot_lanes = lanes;
    for (size_t i = 0; i < n; i++)
        if (!e->slot || !make_slot(e, &e->slot[i], lanes)) {
            e->slot_memory = e->memory - before;
            tw_exec_free_slots(e);
            return tw_err_set(err, TW_ENOMEM,
                              "out of memory for the activations of %zu samples at once: use "
                              "fewer threads or smaller batches",
                              n * lanes);
        }
    e->slot_memory = e->memory - before;
    return TW_OK;
}

static enum tw_status make_workers(struct tw_exec *e, struct tw_err *err)
{
    e->worker = tw_alloc(e->threads, sizeof *e->worker);
    e->team = tw_alloc(e->threads, sizeof *e->team);
    for (size_t t = 0; t < e->threads && e->team; t++)
        tw_team_begin(&e->team[t]);
    if (!e->worker || !e->team)
        return tw_err_set(err, TW_ENOMEM, "out of memory for the threads");
    for (size_t t = 0; t < e->threads; t++) {
        struct tw_worker *w = &e->worker[t];

        w->scratch = elements(e, e->scratch, e->lanes);
        w->seed = reals(e, e->lanes);
        w->convert = tw_alloc(e->convert * e->lanes, sizeof *w->convert);
        w->row = tw_alloc(e->lanes, sizeof *w->row);
        w->out_row = tw_alloc(e->lanes, sizeof *w->out_row);
        if (!make_pointers(e, &w->view) || !w->scratch || !w->seed || !w->convert || !w->row ||
            !w->out_row)
            return tw_err_set(err, TW_ENOMEM, "out of memory for %zu threads: use fewer",
                              e->threads);
    }
    /* Where samples mix, a run says how many tiles there are. */
    return e->g->mixes ? TW_OK : tw_exec_slots(e, e->threads, e->lanes, err);
}

enum tw_status tw_exec_plan(struct tw_exec *e, struct tw_err *err)
{
    const struct tw_graph *g = e->g;
    enum tw_status st;

    if (!e->lanes)
        e->lanes = choose_lanes(e);
    e->uat = tw_alloc(g->nval, sizeof *e->uat);
    e->vat = tw_alloc(g->nval, sizeof *e->vat);
    e->gat = tw_alloc(g->nval, sizeof *e->gat);
    e->first = tw_alloc(g->nval, sizeof *e->first);
    e->last = tw_alloc(g->nval, sizeof *e->last);
    e->storage = tw_alloc(g->nval, sizeof *e->storage);
    e->kept = tw_alloc(g->ninstr, sizeof *e->kept);
    e->act = tw_alloc(g->ninstr, sizeof *e->act);
    e->fused = tw_alloc(g->ninstr, sizeof *e->fused);
    e->uplane = tw_alloc(g->nval * e->planes, sizeof *e->uplane);
    if (!e->uat || !e->vat || !e->gat || !e->first || !e->last || !e->storage || !e->kept ||
        !e->act || !e->fused || !e->uplane)
        return tw_err_set(err, TW_ENOMEM, "out of memory for the plan");
    for (size_t i = 0; i < g->ninput; i++)
        e->convert = g->val[g->input[i]].n > e->convert ? g->val[g->input[i]].n : e->convert;
    for (size_t o = 0; o < g->noutput; o++)
        e->out = g->val[g->output[o]].n > e->out ? g->val[g->output[o]].n : e->out;
    e->flops = tw_graph_flops(g);
    find_lives(e);
    if ((st = tw_exec_find_dense(e, err)))
        return st;
    if ((st = place_uniform(e, err)))
        return st;
    find_fusions(e);
    if ((st = place_varying(e, err)))
        return st;
    e->scratch = scratch_of(e, false);
    return make_workers(e, err);
}
