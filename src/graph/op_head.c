/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The head of a language model with its loss: logits are made, used and forgotten some positions
 * at a time, so that positions times vocabulary are never stored, and made again on the way
 * back. The pieces are the operators themselves. */
#include <stdlib.h>
#include <string.h>

#include "ir.h"

/* in: what the head reads, its weights, the targets. out: the loss, and the likeliest class. */
struct head {
    struct tw_matmul_data product;
    struct tw_cross_entropy_data loss;
    struct tw_argmax_data best;
    int logits; /* a value without a place of its own */
    size_t rows, chunk;
};

enum { LEAST_CLASSES = 256, LEAST_ROWS = 4, CHUNK_BYTES = 2 * 1024 * 1024 };

/* The three for `n` rows. Pointers of the values they touch are set before they run. */
struct pieces {
    struct tw_matmul_data product;
    struct tw_cross_entropy_data loss;
    struct tw_argmax_data best;
    struct tw_instr multiply, measure, choose;
    int multiply_in[2], measure_in[2], choose_in[1];
};

static void cut(const struct tw_instr *in, size_t n, struct pieces *p)
{
    const struct head *h = in->data;

    p->product = h->product;
    p->product.ni = n;
    p->loss = h->loss;
    p->loss.outer = n;
    p->best = h->best;
    p->best.outer = n;
    p->multiply_in[0] = in->in[0];
    p->multiply_in[1] = in->in[1];
    p->measure_in[0] = p->choose_in[0] = h->logits;
    p->measure_in[1] = in->in[2];
    p->multiply = (struct tw_instr){ .op = &tw_op_matmul,
                                     .nin = 2,
                                     .nout = 1,
                                     .in = p->multiply_in,
                                     .out = { h->logits, -1 },
                                     .data = &p->product };
    p->measure = (struct tw_instr){ .op = &tw_op_cross_entropy,
                                    .nin = 2,
                                    .nout = 1,
                                    .in = p->measure_in,
                                    .out = { in->out[0], -1 },
                                    .data = &p->loss };
    p->choose = (struct tw_instr){ .op = &tw_op_argmax,
                                   .nin = 1,
                                   .nout = 1,
                                   .in = p->choose_in,
                                   .out = { in->nout > 1 ? in->out[1] : -1, -1 },
                                   .data = &p->best };
}

/* ---- where values lie for a chunk ---------------------------------------------------------- */

enum { TOUCHED = 5 };

/* Pointers as they were. */
struct saved {
    int value[TOUCHED];
    long width[TOUCHED]; /* elements a row */
    void *plane[TOUCHED][TW_MAX_PLANES], *grad[TOUCHED][TW_MAX_PLANES];
};

static void save(const struct tw_run *r, const struct tw_instr *in, struct saved *s)
{
    const struct head *h = in->data;
    const int v[TOUCHED] = { in->in[0], in->in[2], in->out[0], in->nout > 1 ? in->out[1] : -1,
                             h->logits };

    for (int i = 0; i < TOUCHED; i++) {
        s->value[i] = v[i] < 0 ? -1 : r->g->val[v[i]].root;
        s->width[i] = i ? 1 : (long)h->product.nk;
        for (int p = 0; p < r->alg->planes && v[i] >= 0; p++) {
            s->plane[i][p] = tw_plane(r, v[i], p);
            s->grad[i][p] = r->grad ? tw_grad(r, v[i], p) : NULL;
        }
    }
}

/* From row `first` on; the logits in scratch, their cotangents behind them. */
static void move_to(const struct tw_run *r, const struct tw_instr *in, const struct saved *s,
                    size_t first)
{
    const struct head *h = in->data;
    long size = (long)(h->chunk * h->product.nj);

    for (int i = 0; i < TOUCHED; i++)
        for (int p = 0; p < r->alg->planes && s->value[i] >= 0; p++) {
            const int at = s->value[i] * r->alg->planes + p;
            const bool logits = i == TOUCHED - 1;
            const long to = (long)first * s->width[i];
            const bool active = p == 0 || r->g->val[h->logits].active;

            r->plane[at] = logits ? active ? tw_at(r, r->scratch, p * size, r->lanes) : NULL
                           : s->plane[i][p] ? tw_at(r, s->plane[i][p], to, r->lanes)
                                            : NULL;
            if (r->grad)
                r->grad[at] = logits ? tw_at(r, r->scratch, (r->alg->planes + p) * size, r->lanes)
                              : s->grad[i][p] ? tw_at(r, s->grad[i][p], to, r->lanes)
                                              : NULL;
        }
}

static void restore(const struct tw_run *r, const struct saved *s)
{
    for (int i = 0; i < TOUCHED; i++)
        for (int p = 0; p < r->alg->planes && s->value[i] >= 0; p++) {
            r->plane[s->value[i] * r->alg->planes + p] = s->plane[i][p];
            if (r->grad)
                r->grad[s->value[i] * r->alg->planes + p] = s->grad[i][p];
        }
}

static struct tw_run behind_logits(const struct tw_run *r, const struct head *h)
{
    struct tw_run q = *r;

    q.act = NULL;
    q.scratch =
        tw_at(r, r->scratch, 2 * r->alg->planes * (long)(h->chunk * h->product.nj), r->lanes);
    return q;
}

/* ---- the operator ------------------------------------------------------------------------------
 */

static void head_forward(const struct tw_run *r, const struct tw_instr *in, size_t number)
{
    const struct head *h = in->data;
    struct tw_run q = behind_logits(r, h);
    struct pieces p;
    struct saved s;

    save(r, in, &s);
    for (size_t i = 0; i < h->rows; i += h->chunk) {
        cut(in, h->rows - i < h->chunk ? h->rows - i : h->chunk, &p);
        move_to(r, in, &s, i);
        tw_op_matmul.forward(&q, &p.multiply, number);
        tw_op_cross_entropy.forward(&q, &p.measure, number);
        if (p.choose.out[0] >= 0)
            tw_op_argmax.forward(&q, &p.choose, number);
    }
    restore(r, &s);
}

static void head_vjp(const struct tw_run *r, const struct tw_instr *in, size_t number)
{
    const struct head *h = in->data;
    struct tw_run q = behind_logits(r, h);
    struct pieces p;
    struct saved s;

    save(r, in, &s);
    for (size_t i = 0; i < h->rows; i += h->chunk) {
        cut(in, h->rows - i < h->chunk ? h->rows - i : h->chunk, &p);
        move_to(r, in, &s, i);
        tw_op_matmul.forward(&q, &p.multiply, number);
        for (int k = 0; k < r->alg->planes; k++)
            r->k->fill(h->chunk * h->product.nj * r->lanes, 0.0, tw_grad(r, h->logits, k));
        tw_op_cross_entropy.vjp(&q, &p.measure, number);
        tw_op_matmul.vjp(&q, &p.multiply, number);
    }
    restore(r, &s);
}

static size_t head_scratch(const struct tw_graph *g, const struct tw_instr *in,
                           const struct tw_alg *alg)
{
    const struct head *h = in->data;
    struct pieces p;

    cut(in, h->chunk, &p);
    return 2 * (size_t)alg->planes * h->chunk * h->product.nj +
           tw_op_cross_entropy.scratch(g, &p.measure, alg);
}

static size_t head_keep(const struct tw_graph *g, const struct tw_instr *in,
                        const struct tw_kernels *k, const struct tw_alg *alg, bool gradient)
{
    struct pieces p;

    cut(in, 1, &p);
    return tw_op_matmul.keep(g, &p.multiply, k, alg, gradient);
}

static void head_prepare(const struct tw_run *r, const struct tw_instr *in, size_t number,
                         bool gradient)
{
    struct pieces p;

    cut(in, 1, &p);
    tw_op_matmul.prepare(r, &p.multiply, number, gradient);
}

const struct tw_op tw_op_head = { .name = "head",
                                  .forward = head_forward,
                                  .vjp = head_vjp,
                                  .scratch = head_scratch,
                                  .keep = head_keep,
                                  .prepare = head_prepare };

/* ---- finding heads
 * --------------------------------------------------------------------------------- */

static bool reads(const struct tw_graph *g, const struct tw_instr *in, int root)
{
    for (size_t k = 0; k < in->nin; k++)
        if (in->in[k] >= 0 && g->val[in->in[k]].root == root)
            return true;
    return false;
}

static bool is_output(const struct tw_graph *g, int root)
{
    for (size_t o = 0; o < g->noutput; o++)
        if (g->val[g->output[o]].root == root)
            return true;
    return false;
}

static bool is_head_product(const struct tw_graph *g, const struct tw_instr *in)
{
    const struct tw_matmul_data *d = in->data;

    return in->op == &tw_op_matmul && in->nin == 2 && g->val[in->in[0]].varying &&
           !g->val[in->in[1]].varying && !d->batch.nd && d->yj == 1 && d->yi == (long)d->nj &&
           d->ak == 1 && d->ai == (long)d->nk && d->ni >= LEAST_ROWS && d->nj >= LEAST_CLASSES &&
           !is_output(g, g->val[in->out[0]].root);
}

/* The readers of the logits: a loss, and perhaps a choice of class. */
static bool find_readers(const struct tw_graph *g, size_t at, size_t *loss, size_t *best)
{
    const struct tw_matmul_data *d = g->instr[at].data;
    int root = g->val[g->instr[at].out[0]].root;

    *loss = *best = 0;
    for (size_t i = at + 1; i < g->ninstr; i++) {
        const struct tw_instr *in = &g->instr[i];
        const struct tw_cross_entropy_data *c = in->data;
        const struct tw_argmax_data *a = in->data;

        if (!reads(g, in, root))
            continue;
        if (in->op == &tw_op_cross_entropy && !*loss && c->outer == d->ni && c->classes == d->nj &&
            c->inner == 1 && g->val[in->in[1]].origin == TW_V_INPUT)
            *loss = i;
        else if (in->op == &tw_op_argmax && !*best && a->outer == d->ni && a->n == d->nj &&
                 a->inner == 1)
            *best = i;
        else
            return false;
    }
    return *loss != 0;
}

static void drop(struct tw_graph *g, size_t at)
{
    free(g->instr[at].in);
    free(g->instr[at].data);
    memmove(&g->instr[at], &g->instr[at + 1], (g->ninstr - at - 1) * sizeof g->instr[0]);
    g->ninstr--;
}

enum tw_status tw_b_find_heads(struct tw_build *b)
{
    struct tw_graph *g = b->g;

    for (size_t i = 0; i < g->ninstr; i++) {
        struct tw_instr *in = &g->instr[i], made = { .op = &tw_op_head, .nin = 3, .nout = 1 };
        size_t loss, best, row;
        struct head *h;

        if (!is_head_product(g, in) || !find_readers(g, i, &loss, &best))
            continue;
        h = tw_alloc(1, sizeof *h);
        made.in = tw_alloc(3, sizeof *made.in);
        if (!h || !made.in) {
            free(h);
            free(made.in);
            return tw_err_set(b->err, TW_ENOMEM, "out of memory for the network");
        }
        h->product = *(const struct tw_matmul_data *)in->data;
        h->loss = *(const struct tw_cross_entropy_data *)g->instr[loss].data;
        h->logits = in->out[0];
        h->rows = h->product.ni;
        row = h->product.nj * TW_LANES * sizeof(float);
        h->chunk = CHUNK_BYTES / row < LEAST_ROWS ? LEAST_ROWS : CHUNK_BYTES / row;
        h->chunk = h->chunk > h->rows ? h->rows : h->chunk;
        made.in[0] = in->in[0];
        made.in[1] = in->in[1];
        made.in[2] = g->instr[loss].in[1];
        made.out[0] = g->instr[loss].out[0];
        made.out[1] = -1;
        made.flops = in->flops + g->instr[loss].flops;
        made.data = h;
        if (best) {
            h->best = *(const struct tw_argmax_data *)g->instr[best].data;
            made.out[1] = g->instr[best].out[0];
            made.nout = 2;
        }
        drop(g, loss > best ? loss : best);
        if (best)
            drop(g, loss > best ? best : loss);
        free(g->instr[i].in);
        free(g->instr[i].data);
        g->instr[i] = made;
    }
    return TW_OK;
}
