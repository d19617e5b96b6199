/* SPDX-License-Identifier: GPL-3.0-or-later */
/* law/annealing_area.h - the sum of rates S1 and the annealing area S2 at the points of some
 * curves, for the laws that are made of them. */
#ifndef TW_LAW_ANNEALING_AREA_H
#define TW_LAW_ANNEALING_AREA_H

#include "thalweg/law.h"

struct tw_area_track;
struct tw_area {
    size_t ncurves, n;
    double *log_s1; /* (n) stacked */
    bool falls;     /* some curve's rate changes where the convention counts it */
    struct tw_area_track *tracks;
};
/* NULL with *err set when out of memory or an x is no step of its schedule. */
struct tw_area *tw_area_alloc(const struct tw_law_curve *curves, size_t n, enum tw_warmup warmup,
                              struct tw_err *err);
void tw_area_free(void *area); /* NULL is fine */

/* S2 of every point and its derivative in lambda, for the last lambda asked for: most steps of a
 * search leave it alone. */
struct tw_area_memo {
    double lambda;
    double *s2, *ds2; /* (n) each */
};
void *tw_area_memo_alloc(const void *area); /* NULL when out of memory */
void tw_area_memo_free(void *memo);         /* NULL is fine */
void tw_area_recall(const struct tw_area *area, struct tw_area_memo *memo, double lambda);

#endif
