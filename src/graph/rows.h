/* SPDX-License-Identifier: GPL-3.0-or-later */
/* graph/rows.h - rows: arrays [outer, n, inner] with one number for each (outer, inner). */
#ifndef TW_GRAPH_ROWS_H
#define TW_GRAPH_ROWS_H

#include "ir.h"

/* The nests that walk them. */
struct tw_rows {
    size_t all, few;
    struct tw_loop full;   /* all three contiguous */
    struct tw_loop spread; /* a, y contiguous, b one for each row */
    struct tw_loop sum;    /* a contiguous, y one for each row */
};

static inline struct tw_rows rows_of(size_t outer, size_t n, size_t inner)
{
    struct tw_rows w = { .all = outer * n * inner, .few = outer * inner };
    long a = (long)(n * inner), b = (long)inner;

    w.full = (struct tw_loop){ .nd = 1, .n = { w.all }, .sa = { 1 }, .sb = { 1 }, .sy = { 1 } };
    w.spread = (struct tw_loop){
        .nd = 3, .n = { outer, n, inner }, .sa = { a, b, 1 }, .sb = { b, 0, 1 }, .sy = { a, b, 1 }
    };
    w.sum = (struct tw_loop){
        .nd = 3, .n = { outer, n, inner }, .sa = { a, b, 1 }, .sb = { a, b, 1 }, .sy = { b, 0, 1 }
    };
    return w;
}

static inline void sum_rows(const struct tw_run *r, const struct tw_rows *w,
                            const struct tw_planes *a, const struct tw_planes *y)
{
    tw_alg_zero(r, w->few, y);
    tw_alg_reduce(r, &w->sum, a, y);
}

/* A value without tangents. */
static inline bool is_plain(const struct tw_run *r, int v)
{
    for (int p = 1; p < r->alg->planes; p++)
        if (tw_plane(r, v, p))
            return false;
    return true;
}

#endif
