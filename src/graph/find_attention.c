/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Finding attention among instructions: product, scale, mask, softmax, product. */
#include <stdlib.h>
#include <string.h>

#include "attention.h"

/* The one instruction that reads v; NULL if there are none, several, or an output. */
static struct tw_instr *only_reader(struct tw_graph *g, int v)
{
    struct tw_instr *found = NULL;
    int root = g->val[v].root;

    for (size_t o = 0; o < g->noutput; o++)
        if (g->val[g->output[o]].root == root)
            return NULL;
    for (size_t i = 0; i < g->ninstr; i++)
        for (size_t k = 0; k < g->instr[i].nin; k++) {
            if (g->instr[i].in[k] < 0 || g->val[g->instr[i].in[k]].root != root)
                continue;
            if (found)
                return NULL;
            found = &g->instr[i];
        }
    return found;
}

static bool is_constant(const struct tw_graph *g, int v, size_t n)
{
    return g->val[v].origin == TW_V_CONST && g->val[v].n == n;
}

/* One number for each query and key, the same for all heads. */
static bool is_mask(const struct tw_graph *g, int v, size_t nq, size_t nk)
{
    const struct tw_val *m = &g->val[v];

    return is_constant(g, v, nq * nk) && m->rank >= 2 && m->dims[m->rank - 1] == nk &&
           m->dims[m->rank - 2] == nq;
}

/* x times a number (1, 1), or plus a mask (nq, nk): the other operand, or -1. */
static int other(const struct tw_graph *g, const struct tw_instr *in, enum tw_binary f, int x,
                 size_t nq, size_t nk)
{
    const bool number = nq == 1 && nk == 1 && f == TW_B_MUL;
    const struct tw_binary_data *d = in->data;

    if (in->op != &tw_op_binary || d->f != f)
        return -1;
    for (int k = 0; k < 2; k++)
        if (g->val[in->in[k]].root == g->val[x].root &&
            (number ? is_constant(g, in->in[!k], 1) : is_mask(g, in->in[!k], nq, nk)))
            return in->in[!k];
    return -1;
}

/* What is below -1e30 in a mask leaves nothing of a share in either precision. */
static const double NOTHING = -1e30;

static bool is_causal(const struct tw_array *m, size_t nq, size_t nk)
{
    if (nq > nk) /* some queries would see no key */
        return false;
    for (size_t i = 0; i < nq; i++)
        for (size_t j = 0; j < nk; j++) {
            double x = tw_array_real(m, i * nk + j);

            if (j + nq <= i + nk ? x != 0.0 : !(x <= NOTHING))
                return false;
        }
    return true;
}

/* A choice between scores and a large negative number as a mask to add; -1: it is not that. */
static int mask_of_choice(struct tw_build *b, const struct tw_instr *in, int x, size_t nq,
                          size_t nk)
{
    struct tw_graph *g = b->g;
    const size_t n = nq * nk, dims[2] = { nq, nk };
    struct tw_array a = { 0 };
    double low;

    if (in->op != &tw_op_select || !is_mask(g, in->in[0], nq, nk) ||
        g->val[in->in[1]].root != g->val[x].root || !is_constant(g, in->in[2], 1))
        return -1;
    low = tw_array_real(&g->val[in->in[2]].constant, 0);
    if (!(low <= NOTHING) || tw_array_make(&a, TW_F64, 2, dims, b->err) != TW_OK)
        return -1;
    for (size_t i = 0; i < n; i++)
        tw_array_set_real(&a, i, tw_array_real(&g->val[in->in[0]].constant, i) != 0.0 ? 0.0 : low);
    return tw_b_const(b, &a);
}

static bool same_heads(const struct tw_loop *s, const struct tw_loop *m)
{
    if (s->nd != m->nd)
        return false;
    for (int i = 0; i < s->nd; i++)
        if (s->n[i] != m->n[i] || s->sy[i] != m->sa[i])
            return false;
    return true;
}

static bool is_product(const struct tw_graph *g, const struct tw_instr *in)
{
    return in && in->op == &tw_op_matmul && in->nin == 2 && g->val[in->in[0]].varying &&
           g->val[in->in[1]].varying;
}

enum { MOST = 5 };

struct chain {
    struct tw_instr *in[MOST];
    size_t n;
    int last; /* the value made so far */
    int mask;
};

static struct tw_instr *add(struct tw_graph *g, struct chain *c, struct tw_instr *in)
{
    c->in[c->n++] = in;
    c->last = in->out[0];
    return only_reader(g, c->last);
}

/* The mask, if there is one; what comes after it. */
static struct tw_instr *take_mask(struct tw_build *b, struct chain *c, struct tw_instr *in,
                                  struct tw_attention_data *a)
{
    struct tw_graph *g = b->g;
    size_t at = (size_t)(in - g->instr);
    int mask = other(g, in, TW_B_ADD, c->last, a->score.ni, a->score.nj);

    mask = mask < 0 ? mask_of_choice(b, in, c->last, a->score.ni, a->score.nj) : mask;
    if (mask < 0)
        return in;
    c->mask = mask;
    a->causal = is_causal(&g->val[mask].constant, a->score.ni, a->score.nj);
    return add(g, c, &g->instr[at]);
}

/* The chain that begins with instruction `at`: its instructions, and what it computes. */
static bool follow(struct tw_build *b, size_t at, struct chain *c, struct tw_attention_data *a)
{
    struct tw_graph *g = b->g;
    struct tw_instr *in = &g->instr[at];
    const struct tw_softmax_data *soft;
    int scale;

    *c = (struct chain){ .mask = -1 };
    *a = (struct tw_attention_data){ .scale = 1.0, .scores = in->out[0] };
    if (!is_product(g, in))
        return false;
    a->score = *(const struct tw_matmul_data *)in->data;
    if (a->score.yj != 1 || a->score.yi != (long)a->score.nj)
        return false;
    in = add(g, c, in);
    if (in && (scale = other(g, in, TW_B_MUL, c->last, 1, 1)) >= 0) {
        a->scale = tw_array_real(&g->val[scale].constant, 0);
        in = add(g, c, in);
    }
    in = in ? take_mask(b, c, in, a) : NULL;
    if (!in || in->op != &tw_op_softmax)
        return false;
    soft = in->data;
    if (soft->log || soft->inner != 1 || soft->n != a->score.nj)
        return false;
    in = add(g, c, in);
    a->shares = c->last;
    if (!is_product(g, in) || g->val[in->in[0]].root != g->val[a->shares].root)
        return false;
    a->mix = *(const struct tw_matmul_data *)in->data;
    (void)add(g, c, in);
    return a->mix.ni == a->score.ni && a->mix.nk == a->score.nj && a->mix.ak == 1 &&
           a->mix.ai == (long)a->mix.nk && !a->mix.a_at &&
           same_heads(&a->score.batch, &a->mix.batch);
}

enum tw_status tw_b_find_attention(struct tw_build *b)
{
    struct tw_graph *g = b->g;

    for (size_t i = 0; i < g->ninstr; i++) {
        struct tw_instr made = { .op = &tw_op_attention, .nin = 4, .nout = 1 };
        struct tw_attention_data a, *data;
        struct chain c;
        size_t at[MOST], kept = 0;
        bool found = follow(b, i, &c, &a);

        if (b->err->code)
            return b->err->code;
        if (!found)
            continue;
        data = tw_alloc(1, sizeof *data);
        made.in = tw_alloc(4, sizeof *made.in);
        if (!data || !made.in) {
            free(data);
            free(made.in);
            return tw_err_set(b->err, TW_ENOMEM, "out of memory for the network");
        }
        *data = a;
        made.data = data;
        made.in[0] = c.in[0]->in[0];
        made.in[1] = c.in[0]->in[1];
        made.in[2] = c.in[c.n - 1]->in[1];
        made.in[3] = c.mask;
        made.out[0] = c.in[c.n - 1]->out[0];
        made.out[1] = -1;
        for (size_t k = 0; k < c.n; k++) {
            made.flops += c.in[k]->flops;
            at[k] = (size_t)(c.in[k] - g->instr);
            free(c.in[k]->in);
            free(c.in[k]->data);
        }
        g->instr[at[c.n - 1]] = made;
        for (size_t k = 0; k < g->ninstr; k++) {
            bool drop = false;

            for (size_t q = 0; q + 1 < c.n; q++)
                drop = drop || at[q] == k;
            if (!drop)
                g->instr[kept++] = g->instr[k];
        }
        g->ninstr = kept;
    }
    return TW_OK;
}
