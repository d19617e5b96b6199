/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Products kept between points. What a layer that sees the data alone makes of them, X W, is linear
 * in its parameters: at a point that is a weighted sum of anchors it is the same sum of the
 * anchors' products, which are made once. Values then differ from the direct product by rounding.
 */
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "exec_run.h"

/* A sum over n anchors costs about as much as WORTH n multiply-adds for each number of the product:
 * it is bound by memory. And where no limit is set, no more than MOST bytes are kept. */
enum { WORTH = 24 };
static const double MOST = 1073741824.0;
/* What is kept of two and of three anchors is the same: the price of two, the room of three. An
 * anchor without weight adds nothing, so a row of a plane has the bits of the line along it. */
enum { LINE = 2, PLANE = 3 };

/* ---- what can be kept ---------------------------------------------------------------------------
 */

/* Values made of inputs and constants alone, and uniform ones that are parameters moved about. */
static void find_kinds(const struct tw_graph *g, bool *data, bool *linear)
{
    for (size_t v = 0; v < g->nval; v++) {
        data[v] = g->val[v].origin == TW_V_INPUT || g->val[v].origin == TW_V_CONST;
        linear[v] = g->val[v].origin == TW_V_PARAM;
    }
    for (size_t i = 0; i < g->ninstr; i++) {
        const struct tw_instr *in = &g->instr[i];
        const struct tw_assemble_data *d = in->data;
        bool all_data = in->op != &tw_op_dropout && in->op != &tw_op_batch_mean;
        bool all_linear =
            in->uniform && in->op == &tw_op_assemble && (d->covered || d->fill == 0.0);

        for (size_t k = 0; k < in->nin; k++) {
            const int root = in->in[k] < 0 ? -1 : g->val[in->in[k]].root;

            all_data = all_data && (root < 0 || data[root]);
            all_linear = all_linear && root >= 0 && linear[root];
        }
        for (size_t k = 0; k < in->nout; k++)
            if (in->out[k] >= 0) {
                data[g->val[in->out[k]].root] = all_data;
                linear[g->val[in->out[k]].root] = all_linear;
            }
    }
}

static bool is_product(const struct tw_exec *e, size_t i, const bool *data, const bool *linear,
                       size_t n)
{
    const struct tw_graph *g = e->g;
    const struct tw_instr *in = &g->instr[i];
    const size_t price = WORTH * (n <= PLANE ? LINE : n);
    int w, x;

    if ((in->op != &tw_op_matmul && in->op != &tw_op_conv) || in->uniform || !e->kept[i])
        return false;
    w = g->val[in->in[1]].varying ? 0 : 1;
    x = g->val[in->in[!w]].root;
    return data[x] && linear[g->val[in->in[w]].root] &&
           in->flops / 2.0 >= (double)price * (double)g->val[in->out[0]].n;
}

/* Which instructions are left to do, and which inputs anything still reads. */
static void find_left(const struct tw_exec *e, struct tw_reuse *u, bool *wanted)
{
    const struct tw_graph *g = e->g;

    for (size_t o = 0; o < g->noutput; o++)
        wanted[g->val[g->output[o]].root] = true;
    for (size_t i = g->ninstr; i-- > 0;) {
        const struct tw_instr *in = &g->instr[i];
        bool needed = in->uniform;

        for (size_t k = 0; k < in->nout; k++)
            needed = needed || (in->out[k] >= 0 && wanted[g->val[in->out[k]].root]);
        u->skip[i] = !needed;
        for (size_t k = 0; k < in->nin && needed && u->at[i] == SIZE_MAX; k++)
            if (in->in[k] >= 0)
                wanted[g->val[in->in[k]].root] = true;
    }
    for (size_t i = 0; i < g->ninput; i++)
        u->skip_input[i] = !wanted[g->val[g->input[i]].root];
}

void tw_exec_forget(struct tw_exec *e)
{
    struct tw_reuse *u = &e->reuse;

    free(u->at);
    free(u->skip);
    free(u->feeds);
    free(u->skip_input);
    free(u->data);
    e->memory -= u->bytes;
    *u = (struct tw_reuse){ 0 };
}

/* The products that pay and fit, first come first. */
static void choose(struct tw_exec *e, const struct tw_job *j, const bool *data, const bool *linear)
{
    struct tw_reuse *u = &e->reuse;
    const double limit = e->memory_limit ? (double)e->memory_limit - (double)e->memory : MOST;
    const double room = (double)(u->n < PLANE ? PLANE : u->n);
    const double each = room * (double)j->ntile * (double)j->lanes * (double)e->k->size;

    for (size_t i = 0; i < e->g->ninstr; i++) {
        const size_t n = e->g->val[e->g->instr[i].out[0]].n;

        u->at[i] = SIZE_MAX;
        if (!is_product(e, i, data, linear, u->n) || ((double)(u->total + n)) * each > limit)
            continue;
        u->at[i] = u->total;
        u->total += n;
    }
    u->tile = u->total * j->lanes * e->k->size;
    u->bytes = u->n * j->ntile * u->tile;
}

static enum tw_status plan(struct tw_exec *e, const struct tw_job *j, size_t n, struct tw_err *err)
{
    const struct tw_graph *g = e->g;
    struct tw_reuse *u = &e->reuse;
    bool *data = tw_alloc(g->nval, sizeof *data), *linear = tw_alloc(g->nval, sizeof *linear);
    bool *wanted = tw_alloc(g->nval, sizeof *wanted), good;

    tw_exec_forget(e);
    u->n = n;
    u->samples = j->run->n;
    u->ntile = j->ntile;
    u->at = tw_alloc(g->ninstr, sizeof *u->at);
    u->skip = tw_alloc(g->ninstr, sizeof *u->skip);
    u->feeds = tw_alloc(g->ninstr, sizeof *u->feeds);
    u->skip_input = tw_alloc(g->ninput, sizeof *u->skip_input);
    good = data && linear && wanted && u->at && u->skip && u->feeds && u->skip_input;
    if (good) {
        find_kinds(g, data, linear);
        for (size_t i = 0; i < g->ninstr; i++)
            u->feeds[i] = !g->instr[i].uniform && data[g->val[g->instr[i].out[0]].root];
        choose(e, j, data, linear);
        find_left(e, u, wanted);
        if (u->total)
            u->data = tw_alloc_aligned(u->bytes);
        good = !u->total || u->data;
    }
    free(data);
    free(linear);
    free(wanted);
    if (!good || !u->total) {
        u->bytes = 0;
        tw_exec_forget(e);
    }
    e->memory += u->bytes;
    return good ? TW_OK : tw_err_set(err, TW_ENOMEM, "out of memory for products of the data");
}

/* ---- keeping ------------------------------------------------------------------------------------
 */

static char *kept_at(const struct tw_exec *e, size_t anchor, size_t tile, size_t i, size_t lanes)
{
    const struct tw_reuse *u = &e->reuse;

    return u->data + (anchor * u->ntile + tile) * u->tile + u->at[i] * lanes * e->k->size;
}

/* The products of one tile without their biases. */
static void keep_tile(const struct tw_job *j, struct tw_worker *w, const struct tw_tile *t,
                      size_t anchor, size_t tile)
{
    const struct tw_exec *e = j->e;
    struct tw_run r = tw_tile_run(j, w, t);

    r.act = NULL;
    tw_tile_load(j, w, &r, t);
    for (size_t i = 0; i < e->g->ninstr; i++) {
        struct tw_instr in = e->g->instr[i];

        if (e->reuse.at[i] == SIZE_MAX) {
            if (e->reuse.feeds[i])
                in.op->forward(&r, &in, i);
            continue;
        }
        in.nin = 2;
        in.op->forward(&r, &in, i);
        memcpy(kept_at(e, anchor, tile, i, j->lanes), tw_plane(&r, in.out[0], 0),
               e->g->val[in.out[0]].n * j->lanes * e->k->size);
    }
}

enum tw_status tw_exec_keep(struct tw_exec *e, size_t anchor, size_t n,
                            const struct tw_exec_run *samples, struct tw_err *err)
{
    struct tw_job j = { .e = e, .run = samples, .plain = true };
    enum tw_status st = TW_OK;

    tw_alg_tangents(&j.alg, 0);
    tw_choose_tiles(&j);
    if (anchor == 0)
        st = e->g->mixes ? TW_OK : plan(e, &j, n, err);
    if (st || anchor >= e->reuse.n)
        return st;
    tw_exec_refresh(e, &j.alg, NULL);
#pragma omp parallel num_threads((int)e->threads)
    {
        size_t me = (size_t)omp_get_thread_num();

        tw_slot_point(&j, &e->slot[me]);
#pragma omp for schedule(dynamic, 1)
        for (size_t i = 0; i < j.ntile; i++) {
            struct tw_tile t = tw_tile_of(&j, 0, samples->n, i);

            t.slot = &e->slot[me];
            keep_tile(&j, &e->worker[me], &t, anchor, i);
        }
    }
    e->reuse.ready = anchor + 1;
    return TW_OK;
}

size_t tw_exec_kept(const struct tw_exec *e)
{
    return e->reuse.bytes;
}

/* ---- using --------------------------------------------------------------------------------------
 */

void tw_tile_combine(const struct tw_job *j, const struct tw_run *r, size_t i)
{
    const struct tw_exec *e = j->e;
    const struct tw_instr *in = &e->g->instr[i];
    const size_t n = e->g->val[in->out[0]].n * j->lanes;
    void *y = tw_plane(r, in->out[0], 0);

    in->op->bias(r, in, 0, y);
    for (size_t k = 0; k < e->reuse.n; k++) /* what has no weight is not looked at */
        if (j->run->weights[k] != 0.0)
            r->k->axpy(n, j->run->weights[k], kept_at(e, k, r->first / j->tile, i, j->lanes), y);
    if (e->act[i] != TW_U_COPY)
        r->k->unary((enum tw_unary)e->act[i], 0, 0.0, 0.0, n, y, y);
}
