/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Scaled dot-product attention (Vaswani et al. 2017, equation 1), a head at a time: values alone by
 * a kernel that stores no scores; with tangents or on the way back the scores of one head are
 * made in scratch, and made again when they are needed again. */
#include "attention.h"

enum { Q, KEY, V, MASK }; /* inputs */

struct pieces {
    struct tw_matmul_data score, mix;
    struct tw_softmax_data soft;
    struct tw_instr multiply, soften, combine;
    int multiply_in[2], soften_in[1], combine_in[2];
};

static void cut(const struct tw_instr *in, size_t head, struct pieces *p)
{
    const struct tw_attention_data *a = in->data;
    const size_t nq = a->score.ni, nk = a->score.nj;

    p->score = a->score;
    p->score.a_at += tw_loop_offset(&a->score.batch, a->score.batch.sa, head);
    p->score.b_at += tw_loop_offset(&a->score.batch, a->score.batch.sb, head);
    p->score.batch.nd = 0;
    p->score.yi = (long)nk;
    p->score.yj = 1;
    p->mix = a->mix;
    p->mix.a_at = 0;
    p->mix.ai = (long)nk;
    p->mix.ak = 1;
    p->mix.b_at += tw_loop_offset(&a->mix.batch, a->mix.batch.sb, head);
    p->mix.batch.nd = 0;
    p->soft = (struct tw_softmax_data){ false, nq, nk, 1 };
    p->multiply_in[0] = in->in[Q];
    p->multiply_in[1] = in->in[KEY];
    p->soften_in[0] = a->scores;
    p->combine_in[0] = a->shares;
    p->combine_in[1] = in->in[V];
    p->multiply = (struct tw_instr){ .op = &tw_op_matmul,
                                     .nin = 2,
                                     .nout = 1,
                                     .in = p->multiply_in,
                                     .out = { a->scores, -1 },
                                     .data = &p->score };
    p->soften = (struct tw_instr){ .op = &tw_op_softmax,
                                   .nin = 1,
                                   .nout = 1,
                                   .in = p->soften_in,
                                   .out = { a->shares, -1 },
                                   .data = &p->soft };
    p->combine = (struct tw_instr){ .op = &tw_op_matmul,
                                    .nin = 2,
                                    .nout = 1,
                                    .in = p->combine_in,
                                    .out = { in->out[0], -1 },
                                    .data = &p->mix };
}

/* ---- values alone -------------------------------------------------------------------------- */

static void by_kernel(const struct tw_run *r, const struct tw_instr *in)
{
    const struct tw_attention_data *a = in->data;
    struct pieces p;

    for (size_t h = 0; h < tw_attention_heads(a); h++) {
        long to = tw_loop_offset(&a->mix.batch, a->mix.batch.sy, h);

        cut(in, h, &p);
        r->k->attention(&(struct tw_attention){
            .nq = p.score.ni,
            .nk = p.score.nj,
            .d = p.score.nk,
            .dv = p.mix.nj,
            .q = tw_at(r, tw_plane(r, in->in[Q], 0), p.score.a_at, r->lanes),
            .qi = p.score.ai,
            .qd = p.score.ak,
            .k = tw_at(r, tw_plane(r, in->in[KEY], 0), p.score.b_at, r->lanes),
            .kj = p.score.bj,
            .kd = p.score.bk,
            .v = tw_at(r, tw_plane(r, in->in[V], 0), p.mix.b_at, r->lanes),
            .vj = p.mix.bk,
            .vd = p.mix.bj,
            .y = tw_at(r, tw_plane(r, in->out[0], 0), to, r->lanes),
            .yi = p.mix.yi,
            .yd = p.mix.yj,
            .scale = a->scale,
            .causal = a->causal,
            .bias = a->causal || in->in[MASK] < 0 ? NULL : tw_plane(r, in->in[MASK], 0),
            .bi = (long)p.score.nj,
            .lanes = r->lanes,
            .scratch = r->own });
    }
}

/* ---- any number type ------------------------------------------------------------------------ */

/* Scores and shares of one head in scratch, their cotangents behind them. */
static struct tw_run with_scores(const struct tw_run *r, const struct tw_instr *in)
{
    const struct tw_attention_data *a = in->data;
    const long size = (long)(a->score.ni * a->score.nj);
    const int value[2] = { a->scores, a->shares };
    struct tw_run q = *r;

    for (int i = 0; i < 2; i++)
        for (int p = 0; p < r->alg->planes; p++) {
            const int at = value[i] * r->alg->planes + p, place = i * r->alg->planes + p;

            r->plane[at] = p && !r->g->val[value[i]].active
                               ? NULL
                               : tw_at(r, r->scratch, place * size, r->lanes);
            if (r->grad)
                r->grad[at] = tw_at(r, r->scratch, (2 * r->alg->planes + place) * size, r->lanes);
        }
    q.act = NULL;
    q.scratch = tw_at(r, r->scratch, 4 * r->alg->planes * size, r->lanes);
    return q;
}

static void make_shares(const struct tw_run *q, const struct tw_instr *in, const struct pieces *p)
{
    const struct tw_attention_data *a = in->data;
    const size_t n = a->score.ni * a->score.nj;
    struct tw_loop l = { .nd = 1, .n = { n }, .sa = { 1 }, .sb = { 1 }, .sy = { 1 } };
    struct tw_planes s;

    tw_op_matmul.forward(q, &p->multiply, 0);
    tw_planes_of(q, a->scores, &s);
    if (a->scale != 1.0)
        tw_alg_scale(q, n, a->scale, &s);
    if (in->in[MASK] >= 0)
        q->k->binary(TW_B_ADD, &l, s.lanes, s.p[0], 1, tw_plane(q, in->in[MASK], 0), TW_SET,
                     s.lanes, s.p[0]);
    tw_op_softmax.forward(q, &p->soften, 0);
}

static void shift(const struct tw_run *r, int v, long by)
{
    for (int p = 0; p < r->alg->planes; p++) {
        const int at = r->g->val[v].root * r->alg->planes + p;

        if (r->plane[at])
            r->plane[at] = tw_at(r, r->plane[at], by, r->lanes);
        if (r->grad && r->grad[at])
            r->grad[at] = tw_at(r, r->grad[at], by, r->lanes);
    }
}

static void attention_forward(const struct tw_run *r, const struct tw_instr *in, size_t number)
{
    const struct tw_attention_data *a = in->data;
    struct tw_run q;
    struct pieces p;

    (void)number;
    if (r->alg->planes == 1) {
        by_kernel(r, in);
        return;
    }
    q = with_scores(r, in);
    for (size_t h = 0; h < tw_attention_heads(a); h++) {
        long to = tw_loop_offset(&a->mix.batch, a->mix.batch.sy, h);

        cut(in, h, &p);
        make_shares(&q, in, &p);
        shift(r, in->out[0], to);
        tw_op_matmul.forward(&q, &p.combine, 0);
        shift(r, in->out[0], -to);
    }
}

static void attention_vjp(const struct tw_run *r, const struct tw_instr *in, size_t number)
{
    const struct tw_attention_data *a = in->data;
    const size_t n = a->score.ni * a->score.nj;
    struct tw_run q = with_scores(r, in);
    struct tw_planes gp, gs;
    struct pieces p;

    (void)number;
    tw_planes_grad(r, a->shares, &gp);
    tw_planes_grad(r, a->scores, &gs);
    for (size_t h = 0; h < tw_attention_heads(a); h++) {
        long to = tw_loop_offset(&a->mix.batch, a->mix.batch.sy, h);

        cut(in, h, &p);
        make_shares(&q, in, &p);
        tw_alg_zero(r, n, &gp);
        tw_alg_zero(r, n, &gs);
        shift(r, in->out[0], to);
        tw_op_matmul.vjp(&q, &p.combine, 0);
        shift(r, in->out[0], -to);
        tw_op_softmax.vjp(&q, &p.soften, 0);
        if (a->scale != 1.0)
            tw_alg_scale(r, n, a->scale, &gs);
        tw_op_matmul.vjp(&q, &p.multiply, 0);
    }
}

static size_t attention_scratch(const struct tw_graph *g, const struct tw_instr *in,
                                const struct tw_alg *alg)
{
    const struct tw_attention_data *a = in->data;
    static const char *const isas[] = { "avx512", "avx2", "generic" };
    size_t most = 0;
    struct pieces p;

    for (int i = 0; i < 6; i++) { /* which one will run is not known here */
        const struct tw_kernels *k = tw_kernels_find(isas[i / 2], i % 2 ? TW_REAL64 : TW_REAL32);
        const size_t n =
            k ? k->attention_scratch(a->score.nj, a->score.nk, a->mix.nj, TW_LANES) : 0;

        most = n > most ? n : most;
    }
    most = most / TW_LANES + 1;
    if (alg->planes == 1 && !alg->back)
        return most;
    cut(in, 0, &p);
    return most + 4 * (size_t)alg->planes * a->score.ni * a->score.nj +
           tw_op_softmax.scratch(g, &p.soften, alg);
}

const struct tw_op tw_op_attention = { .name = "attention",
                                       .forward = attention_forward,
                                       .vjp = attention_vjp,
                                       .scratch = attention_scratch };
