/* SPDX-License-Identifier: GPL-3.0-or-later */
/* graph/complex.h - what the files of the complex evaluator share. Plain loops over one sample;
 * `struct tw_val` and the instructions are those of the compiled network. */
#ifndef GRAPH_COMPLEX_H
#define GRAPH_COMPLEX_H

#include <math.h>

#include "ir.h"
#include "thalweg/graph_complex.h"

/* What an instruction needs of its own. */
struct cx_room {
    size_t watches, pieces, scratch;
    const char *what; /* of the watches */
    bool bad;         /* it has no complex form */
};
struct cx_op {
    const struct tw_op *op;
    struct cx_room (*room)(const struct tw_graph *g, const struct tw_instr *in);
    void (*run)(struct tw_complex *c, const struct tw_instr *in, size_t number);
};
/* Each ends with a NULL op. */
extern const struct cx_op cx_elementwise[], cx_moves[], cx_products[], cx_rows[];

struct cx_place {
    const struct cx_op *op; /* NULL: the output does not need it */
    struct cx_room room;
    size_t watch, piece;
    bool moving; /* depends on t */
};

struct tw_complex {
    const struct tw_graph *g;
    struct tw_cx **val; /* by root */
    bool *moving;       /* by value */
    struct cx_place *place;
    size_t nwatch;
    size_t *piece; /* the choices made at t = 0 */
    struct tw_cx *scratch;
    size_t nsite, *site; /* instructions with watches */
    const double *params, *direction;
    /* Of the run. */
    bool choosing;
    const struct tw_cx *near;
    struct tw_cx *watch;
    double margin, ahead;
};

/* ---- numbers ----------------------------------------------------------------------------- */

static inline struct tw_cx cx(double re, double im)
{
    return (struct tw_cx){ re, im };
}
static inline struct tw_cx cx_add(struct tw_cx a, struct tw_cx b)
{
    return cx(a.re + b.re, a.im + b.im);
}
static inline struct tw_cx cx_sub(struct tw_cx a, struct tw_cx b)
{
    return cx(a.re - b.re, a.im - b.im);
}
static inline struct tw_cx cx_mul(struct tw_cx a, struct tw_cx b)
{
    return cx(a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re);
}
static inline struct tw_cx cx_scale(double s, struct tw_cx a)
{
    return cx(s * a.re, s * a.im);
}
static inline struct tw_cx cx_inverse(struct tw_cx a)
{
    const double m = hypot(a.re, a.im);

    return cx(a.re / m / m, -a.im / m / m);
}
/* y += a b */
static inline void cx_fma(struct tw_cx *y, struct tw_cx a, struct tw_cx b)
{
    y->re += a.re * b.re - a.im * b.im;
    y->im += a.re * b.im + a.im * b.re;
}

/* ---- what operators use ------------------------------------------------------------------- */

static inline struct tw_cx *cx_val(const struct tw_complex *c, int v)
{
    return c->val[c->g->val[v].root];
}
/* Choices of an instruction, and whether they are to be made now. */
static inline size_t *cx_pieces(const struct tw_complex *c, size_t number)
{
    return c->piece + c->place[number].piece;
}
/* A unit's distance to the edge of its piece, and what it loses of it while t moves on by its own
 * imaginary part. */
static inline void cx_margin(struct tw_complex *c, struct tw_cx x)
{
    c->margin = x.re < c->margin ? x.re : c->margin;
    if (x.im < 0.0 && -x.re / x.im < c->ahead)
        c->ahead = -x.re / x.im;
}
/* Watch i of an instruction has this logarithm, up to turns: that of the branch wanted. */
struct tw_cx cx_watch(struct tw_complex *c, size_t number, size_t i, struct tw_cx log);
/* log(1 + e^u) up to turns. */
struct tw_cx cx_log1pexp(struct tw_cx u);

/* A walk over a nest: offsets of its operands. */
struct cx_walk {
    const struct tw_loop *l;
    size_t i[TW_LOOP_MAX];
    long a, b, c, y;
};
static inline bool cx_next(struct cx_walk *w)
{
    for (int d = w->l->nd - 1; d >= 0; d--) {
        const long n = (long)w->l->n[d];

        w->a += w->l->sa[d];
        w->b += w->l->sb[d];
        w->c += w->l->sc[d];
        w->y += w->l->sy[d];
        if (++w->i[d] < w->l->n[d])
            return true;
        w->a -= n * w->l->sa[d];
        w->b -= n * w->l->sb[d];
        w->c -= n * w->l->sc[d];
        w->y -= n * w->l->sy[d];
        w->i[d] = 0;
    }
    return false;
}

#endif
