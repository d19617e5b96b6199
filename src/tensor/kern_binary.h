/* SPDX-License-Identifier: GPL-3.0-or-later */
/* kern_binary.h - functions of two reals and the choice between two, over strided nests with
 * broadcast. */
#ifndef TENSOR_KERN_BINARY_H
#define TENSOR_KERN_BINARY_H

#include "kern_loop.h"
#include "kern_math.h"

static inline vec vfmod(vec a, vec b)
{
    vec y = a;

    for (int i = 0; i < W; i++)
        y[i] = R(fmod)(a[i], b[i]);
    return y;
}

/* The remainder with the sign of the divisor. */
static inline vec vmod(vec a, vec b)
{
    const vec r = vfmod(a, b);

    return vsel((r != K(0.0)) & ((r < K(0.0)) ^ (b < K(0.0))), r + b, r);
}

static inline vec truth(ivec m)
{
    return vsel(m, K(1.0), K(0.0));
}

#define BINARY_ROWS(ROW)                                                                           \
    ROW(ADD, a + b)                                                                                \
    ROW(SUB, a - b)                                                                                \
    ROW(MUL, a *b)                                                                                 \
    ROW(DIV, a / b)                                                                                \
    ROW(POW, vpow(a, b))                                                                           \
    ROW(MAX, vmax(a, b))                                                                           \
    ROW(MIN, vmin(a, b))                                                                           \
    ROW(MOD, vmod(a, b))                                                                           \
    ROW(FMOD, vfmod(a, b))                                                                         \
    ROW(EQ, truth(a == b))                                                                         \
    ROW(LT, truth(a < b))                                                                          \
    ROW(LE, truth(a <= b))                                                                         \
    ROW(GT, truth(a > b))                                                                          \
    ROW(GE, truth(a >= b))                                                                         \
    ROW(AND, truth((a != K(0.0)) & (b != K(0.0))))                                                 \
    ROW(OR, truth((a != K(0.0)) | (b != K(0.0))))                                                  \
    ROW(XOR, truth((a != K(0.0)) ^ (b != K(0.0))))                                                 \
    ROW(FIRST, a)

/* `rows` rows of n reals (a multiple of W), row strides in reals; an operand that is spread gives
 * one real a row. */
struct rows {
    size_t rows, n;
    const real *a, *b, *c;
    long sa, sb, sc, sy;
    bool spread_a, spread_b, spread_c;
    real *y;
    enum tw_store store;
};

static inline vec row_operand(const real *p, size_t i, bool spread)
{
    return spread ? splat(*p) : vload(p + i);
}

#define BINARY_LOOP(name, expr)                                                                    \
    static void binary_##name(const struct rows *r)                                                \
    {                                                                                              \
        const bool spread_a = r->spread_a, spread_b = r->spread_b;                                 \
        const enum tw_store store = r->store;                                                      \
        const size_t n = r->n;                                                                     \
        const real *pa = r->a, *pb = r->b;                                                         \
        real *y = r->y;                                                                            \
        for (size_t j_ = 0; j_ < r->rows; j_++, pa += r->sa, pb += r->sb, y += r->sy)              \
            for (size_t i_ = 0; i_ < n; i_ += W) {                                                 \
                const vec a = row_operand(pa, i_, spread_a);                                       \
                const vec b = row_operand(pb, i_, spread_b);                                       \
                (void)b;                                                                           \
                vput(store, y + i_, expr);                                                         \
            }                                                                                      \
    }
BINARY_ROWS(BINARY_LOOP)

static void select_loop(const struct rows *r)
{
    const real *a = r->a, *b = r->b, *c = r->c;
    real *y = r->y;

    for (size_t j = 0; j < r->rows; j++, a += r->sa, b += r->sb, c += r->sc, y += r->sy)
        for (size_t i = 0; i < r->n; i += W) {
            const ivec m = row_operand(c, i, r->spread_c) != K(0.0);

            vput(r->store, y + i,
                 vsel(m, row_operand(a, i, r->spread_a), row_operand(b, i, r->spread_b)));
        }
}

typedef void (*rows_loop)(const struct rows *r);
#define BINARY_ENTRY(name, expr) [TW_B_##name] = binary_##name,
static const rows_loop binary_loops[TW_B_COUNT] = { BINARY_ROWS(BINARY_ENTRY) };

/* All operands uniform: some elements at a time, through buffers, so that strides do not matter. */
static void run_uniform(rows_loop loop, const struct rows *r, size_t n)
{
    enum { BLOCK = 128 };
    real a[BLOCK], b[BLOCK], c[BLOCK], y[BLOCK];

    for (size_t at = 0; at < n; at += BLOCK) {
        const size_t m = n - at < BLOCK ? n - at : BLOCK;
        const long j = (long)at;

        for (size_t i = 0; i < BLOCK; i++) {
            const long k = j + (long)(i < m ? i : 0);

            a[i] = r->a[k * r->sa];
            b[i] = r->b[k * r->sb];
            c[i] = r->c ? r->c[k * r->sc] : (real)0.0;
        }
        loop(&(struct rows){
            .rows = 1, .n = (m + W - 1) / W * W, .a = a, .b = b, .c = c, .y = y, .store = TW_SET });
        for (size_t i = 0; i < m; i++) { /* one by one: a stride of 0 adds up */
            real *to = r->y + (j + (long)i) * r->sy;

            *to = r->store == TW_SET ? y[i] : r->store == TW_ADD ? *to + y[i] : *to - y[i];
        }
    }
}

/* lanes, base: of a, b, c, y; base[2] may be NULL. */
static void run_nest(rows_loop loop, const struct tw_loop *l, const size_t lanes[OPERANDS],
                     const real *const base[OPERANDS], enum tw_store store, real *out)
{
    const struct nest t = nest_make(l, lanes);
    const size_t ylanes = lanes[3];
    size_t i[TW_LOOP_MAX] = { 0 };
    long at[OPERANDS] = { 0 };
    const int in = t.nd - 1;
    bool flat = ylanes > 1;

    if (nest_empty(&t))
        return;
    for (int o = 0; o < OPERANDS; o++)
        if ((o != 2 || base[2]) && (lanes[o] != ylanes || t.s[o][in] != (long)lanes[o]))
            flat = false;
    do {
        struct rows r = {
            .rows = flat ? 1 : t.n[in],
            .n = flat ? t.n[in] * ylanes : ylanes,
            .a = base[0] + at[0],
            .b = base[1] + at[1],
            .c = base[2] ? base[2] + at[2] : NULL,
            .y = out + at[3],
            .sa = t.s[0][in],
            .sb = t.s[1][in],
            .sc = t.s[2][in],
            .sy = t.s[3][in],
            .spread_a = lanes[0] < ylanes,
            .spread_b = lanes[1] < ylanes,
            .spread_c = lanes[2] < ylanes,
            .store = store,
        };
        if (ylanes == 1)
            run_uniform(loop, &r, t.n[in]);
        else
            loop(&r);
    } while (nest_next(&t, i, at));
}

static void binary(enum tw_binary f, const struct tw_loop *l, size_t alanes, const void *a,
                   size_t blanes, const void *b, enum tw_store store, size_t lanes, void *y)
{
    const bool one = f == TW_B_FIRST; /* b is not looked at */
    struct tw_loop first;

    if (one) {
        first = *l;
        memcpy(first.sb, first.sa, sizeof first.sb);
        memset(first.sc, 0, sizeof first.sc);
        l = &first;
    }
    run_nest(binary_loops[f], l, (size_t[]){ alanes, one ? alanes : blanes, 0, lanes },
             (const real *const[]){ a, one ? a : b, NULL, NULL }, store, y);
}

static void choose(const struct tw_loop *l, size_t clanes, const void *c, size_t alanes,
                   const void *a, size_t blanes, const void *b, enum tw_store store, size_t lanes,
                   void *y)
{
    run_nest(select_loop, l, (size_t[]){ alanes, blanes, clanes, lanes },
             (const real *const[]){ a, b, c, NULL }, store, y);
}

#endif
