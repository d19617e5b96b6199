/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A tile: its samples into the lanes, instructions forward and back, results out. */
#include <stdlib.h>
#include <string.h>

#include "exec_run.h"

static size_t row_of(const struct tw_job *j, size_t i)
{
    return j->run->rows ? j->run->rows[i] : i;
}

/* ---- in and out ------------------------------------------------------------------------------ */

/* Lanes beyond the last sample repeat it; nothing of theirs is used. */
void tw_tile_load(const struct tw_job *j, struct tw_worker *w, const struct tw_run *r,
                  const struct tw_tile *t)
{
    const struct tw_exec *e = j->e;

    for (size_t i = 0; i < e->g->ninput; i++) {
        int v = e->g->input[i];
        const struct tw_array *x = j->run->inputs[i];
        size_t n = e->g->val[v].n;

        if (j->reuse && e->reuse.skip_input[i])
            continue;
        for (size_t s = 0; s < j->lanes; s++) {
            size_t sample = t->first + (s < t->count ? s : t->count - 1);
            size_t from = row_of(j, sample) * n;

            if (x->dtype == TW_F32) {
                w->row[s] = (const float *)x->data + from;
                continue;
            }
            if (e->k->size == sizeof(double)) {
                double *to = tw_plane(r, v, 0);

                for (size_t k = r->me; k < n; k += r->team)
                    to[k * j->lanes + s] = tw_array_real(x, from + k);
                continue;
            }
            for (size_t k = 0; k < n; k++)
                w->convert[s * n + k] = (float)tw_array_real(x, from + k);
            w->row[s] = w->convert + s * n;
        }
        if (x->dtype == TW_F32 || e->k->size == sizeof(float))
            r->k->load_f32(n, j->lanes, w->row, tw_plane(r, v, 0));
    }
    tw_run_wait(r);
}

static void store_plane(const struct tw_job *j, struct tw_worker *w, const struct tw_run *r, int v,
                        int plane, const struct tw_tile *t, double *out)
{
    const struct tw_exec *e = j->e;
    size_t n = e->g->val[v].n;
    const char *x = tw_plane(r, v, plane);

    if (!x || !e->g->val[v].varying) { /* zero, or the same for all */
        for (size_t i = 0; i < t->count * n; i++)
            out[t->first * n + i] = x ? tw_get_real(e->k, x, i % n) : 0.0;
        return;
    }
    for (size_t s = 0; s < t->count; s++)
        w->out_row[s] = out + (t->first + s) * n;
    e->k->store_f64(n, j->lanes, t->count, x, w->out_row);
}

void tw_tile_store(const struct tw_job *j, struct tw_worker *w, const struct tw_run *r,
                   const struct tw_tile *t)
{
    const struct tw_graph *g = j->e->g;
    size_t nd = (size_t)j->alg.planes - 1;

    for (size_t o = 0; !r->me && o < g->noutput; o++) {
        if (j->run->outputs && j->run->outputs[o])
            store_plane(j, w, r, g->output[o], 0, t, j->run->outputs[o]);
        for (size_t d = 0; d < nd && j->run->tangents; d++)
            if (j->run->tangents[o * nd + d])
                store_plane(j, w, r, g->output[o], 1 + (int)d, t, j->run->tangents[o * nd + d]);
    }
    tw_run_wait(r);
}

/* ---- where things lie ---------------------------------------------------------------------------
 */

void tw_slot_point(const struct tw_job *j, struct tw_slot *s)
{
    const struct tw_exec *e = j->e;
    size_t planes = (size_t)j->alg.planes;

    for (size_t v = 0; v < e->g->nval; v++) {
        const struct tw_val *x = &e->g->val[v];
        size_t at = j->plain ? e->storage[v] : v;

        for (size_t p = 0; p < planes; p++) {
            s->plane[v * planes + p] =
                !x->varying ? e->uplane[v * planes + p]
                : (size_t)x->root != v || (p && !x->active)
                    ? NULL
                    : s->arena + (e->vat[at] + p * x->n) * j->lanes * e->k->size;
            s->grad[v * planes + p] =
                e->gradient && x->varying && x->active && (size_t)x->root == v
                    ? s->garena + (e->gat[v] + p * x->n) * j->lanes * e->k->size
                    : NULL;
        }
    }
}

struct tw_run tw_tile_run(const struct tw_job *j, const struct tw_worker *w,
                          const struct tw_tile *t)
{
    const struct tw_exec *e = j->e;
    const bool shared = t->team > 1;

    return (struct tw_run){ .g = e->g,
                            .k = shared ? e->k->team : e->k,
                            .alone = e->k,
                            .alg = &j->alg,
                            .lanes = j->lanes,
                            .samples = t->count,
                            .first = t->first,
                            .rows = j->run->rows,
                            .dropout_seed = j->run->dropout_seed,
                            .plane = t->slot->plane,
                            .grad = t->slot->grad,
                            .ugrad = j->sums ? t->slot->ugrad : NULL,
                            .kept = e->kept,
                            .scratch = (shared ? &e->worker[t->lead] : w)->scratch,
                            .own = w->scratch,
                            .me = shared ? t->me : 0,
                            .team = shared ? t->team : 1,
                            .act = j->plain ? e->act : NULL };
}

/* ---- forward and back -------------------------------------------------------------------------
 */

void tw_tile_forward(const struct tw_job *j, const struct tw_run *r, size_t from, size_t to)
{
    const struct tw_exec *e = j->e;

    for (size_t i = from; i < to; i++)
        if (e->g->instr[i].uniform || (j->plain && e->fused[i]) || (j->reuse && e->reuse.skip[i]))
            continue;
        else if (j->reuse && e->reuse.at[i] != SIZE_MAX)
            tw_tile_combine(j, r, i);
        else
            e->g->instr[i].op->forward(r, &e->g->instr[i], i);
}

void tw_tile_seed(const struct tw_job *j, struct tw_worker *w, const struct tw_run *r,
                  const struct tw_tile *t)
{
    const struct tw_exec *e = j->e;
    size_t planes = (size_t)j->alg.planes;
    int v = e->g->output[j->run->seed_output];
    size_t n = e->g->val[v].n;
    struct tw_loop l = { .nd = 1, .n = { n }, .sa = { 0 }, .sy = { 1 } };

    for (size_t u = 0; u < e->g->nval; u++) {
        const struct tw_val *x = &e->g->val[u];

        for (size_t p = 0; p < planes; p++)
            r->ugrad[u * planes + p] =
                !x->varying && x->active && (size_t)x->root == u && !(j->dense && e->dense[u])
                    ? j->sums + t->chunk * j->per + p * e->utotal + e->uat[u]
                    : NULL;
    }
    for (size_t s = 0; s < j->lanes; s++) {
        double x = s >= t->count ? 0.0 : j->run->seed ? j->run->seed[t->first + s] : 1.0;

        tw_put_real(e->k, w->seed, s, x);
    }
    for (int p = 1; p < j->alg.planes; p++)
        r->k->fill(n * j->lanes, 0.0, tw_grad(r, v, p));
    r->k->binary(TW_B_FIRST, &l, j->lanes, w->seed, j->lanes, w->seed, TW_SET, j->lanes,
                 tw_grad(r, v, 0));
}

/* Before the way back enters the network itself: without the cotangent's value, only what its
 * tangents bring along is left of every later product, J' times them. */
static void forget_value(const struct tw_job *j, const struct tw_run *r, size_t i)
{
    const struct tw_graph *g = j->e->g;
    int root = g->val[g->output[j->run->network_output]].root;

    if (g->val[g->instr[i].out[0]].root == root && tw_grad(r, root, 0))
        r->k->fill(g->val[root].n * j->lanes, 0.0, tw_grad(r, root, 0));
}

void tw_tile_ready(const struct tw_job *j, const struct tw_run *r, size_t i)
{
    const struct tw_instr *in = &j->e->g->instr[i];

    if (j->run->gauss_newton)
        forget_value(j, r, i);
    for (size_t k = 0; k < in->nin; k++) {
        int root = in->in[k] < 0 ? -1 : j->e->g->val[in->in[k]].root;

        if (root < 0 || j->zero_at[root] != i + 1)
            continue;
        for (int p = 0; p < j->alg.planes; p++) {
            bool before = false; /* an input twice is zeroed once */

            for (size_t q = 0; q < k; q++)
                before = before || (in->in[q] >= 0 && j->e->g->val[in->in[q]].root == root);
            if (!before && tw_grad(r, root, p))
                r->k->fill(j->e->g->val[root].n * j->lanes, 0.0, tw_grad(r, root, p));
        }
    }
}

void tw_tile_backward(const struct tw_job *j, const struct tw_run *r, size_t from, size_t to)
{
    const struct tw_graph *g = j->e->g;

    for (size_t i = to; i-- > from;) {
        if (!j->needed[i] || g->instr[i].uniform)
            continue;
        tw_tile_ready(j, r, i);
        if (g->instr[i].op->vjp && g->val[g->instr[i].out[0]].active)
            g->instr[i].op->vjp(r, &g->instr[i], i);
    }
}
