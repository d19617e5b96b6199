/* SPDX-License-Identifier: GPL-3.0-or-later */
/* kern_loop.h - walks the nests of struct tw_loop: neighbouring levels that run through memory
 * as one become one, and what is left is called for each innermost level. */
#ifndef TENSOR_KERN_LOOP_H
#define TENSOR_KERN_LOOP_H

#include "kern_vec.h"

enum { OPERANDS = 4 }; /* a, b, c, y */

/* Strides and offsets count reals of each operand. */
struct nest {
    int nd;
    size_t n[TW_LOOP_MAX];
    long s[OPERANDS][TW_LOOP_MAX];
};

/* Level d (outer) and d + 1 are one if each operand's stride allows it. */
static inline bool nest_joins(const struct nest *t, int d)
{
    for (int o = 0; o < OPERANDS; o++)
        if (t->s[o][d] != t->s[o][d + 1] * (long)t->n[d + 1])
            return false;
    return true;
}

/* At least one level; levels of extent 1 left out. lanes: of each operand. */
static inline struct nest nest_make(const struct tw_loop *l, const size_t lanes[OPERANDS])
{
    const long *const from[OPERANDS] = { l->sa, l->sb, l->sc, l->sy };
    struct nest t = { .nd = 0 };

    for (int d = 0; d < l->nd; d++) {
        if (l->n[d] == 1)
            continue;
        t.n[t.nd] = l->n[d];
        for (int o = 0; o < OPERANDS; o++)
            t.s[o][t.nd] = lanes[o] ? from[o][d] * (long)lanes[o] : 0;
        t.nd++;
    }
    for (int d = t.nd - 2; d >= 0; d--) {
        if (!nest_joins(&t, d))
            continue;
        t.n[d] *= t.n[d + 1];
        for (int o = 0; o < OPERANDS; o++)
            t.s[o][d] = t.s[o][d + 1];
        t.nd--;
        for (int e = d + 1; e < t.nd; e++) {
            t.n[e] = t.n[e + 1];
            for (int o = 0; o < OPERANDS; o++)
                t.s[o][e] = t.s[o][e + 1];
        }
    }
    if (t.nd == 0) {
        t.nd = 1;
        t.n[0] = 1;
        for (int o = 0; o < OPERANDS; o++)
            t.s[o][0] = 0;
    }
    return t;
}

/* The next outer index; at: the operands' offsets, i: TW_LOOP_MAX zeros at first. False at the
 * end. */
static inline bool nest_next(const struct nest *t, size_t *i, long at[OPERANDS])
{
    for (int d = t->nd - 2; d >= 0; d--) {
        for (int o = 0; o < OPERANDS; o++)
            at[o] += t->s[o][d];
        if (++i[d] < t->n[d])
            return true;
        for (int o = 0; o < OPERANDS; o++)
            at[o] -= t->s[o][d] * (long)t->n[d];
        i[d] = 0;
    }
    return false;
}

static inline bool nest_empty(const struct nest *t)
{
    for (int d = 0; d < t->nd; d++)
        if (t->n[d] == 0)
            return true;
    return false;
}

#endif
