/* SPDX-License-Identifier: GPL-3.0-or-later */
/* law/split.h - which points are held out together, and the two parts of a split. */
#ifndef TW_LAW_SPLIT_H
#define TW_LAW_SPLIT_H

#include "thalweg/law_compare.h"

#define TW_SPLIT_NONE SIZE_MAX

/* Of every stacked point: the fold in which it is held out and the unit that it is scored in. */
struct tw_split {
    size_t n, nfolds, nunits;
    size_t *fold, *unit; /* (n); TW_SPLIT_NONE: never held out */
    char **name;         /* (nunits) */
};
/* `size` (stacked) decides TW_COMPARE_LARGEST. Release even after a failure. */
enum tw_status tw_split_init(struct tw_split *s, enum tw_compare_hold hold, double tail,
                             const struct tw_law_curve *curves, size_t ncurves, const double *size,
                             struct tw_err *err) TW_CHECKED;
void tw_split_release(struct tw_split *s);

/* The held-out points of a fold, or the others, as curves; those without points are left out. */
struct tw_split_part {
    size_t ncurves, n;
    struct tw_law_curve *curves;
    size_t *at; /* (n) stacked index in the whole */
    double *values;
    const double **input;
};
bool tw_split_part_init(struct tw_split_part *p, const struct tw_split *s, size_t fold, bool held,
                        const struct tw_law *law, const struct tw_law_curve *curves,
                        size_t ncurves) TW_CHECKED;
void tw_split_part_release(struct tw_split_part *p);

#endif
