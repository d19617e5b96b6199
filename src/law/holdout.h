/* SPDX-License-Identifier: GPL-3.0-or-later */
/* law/holdout.h - which points are held out together, and the two parts of a split. */
#ifndef TW_LAW_HOLDOUT_H
#define TW_LAW_HOLDOUT_H

#include "thalweg/law_compare.h"

#define TW_SPLIT_NONE SIZE_MAX

/* Of every stacked point: the fold in which it is held out and the unit that it is scored in. */
struct tw_holdout {
    size_t n, nfolds, nunits;
    size_t *fold, *unit; /* (n); TW_SPLIT_NONE: never held out */
    char **name;         /* (nunits) */
};
/* `size` (stacked) decides TW_COMPARE_LARGEST. Release even after a failure. */
enum tw_status tw_holdout_init(struct tw_holdout *s, enum tw_compare_hold hold, double tail,
                               const struct tw_law_curve *curves, size_t ncurves,
                               const double *size, struct tw_err *err) TW_CHECKED;
void tw_holdout_release(struct tw_holdout *s);

/* The held-out points of a fold, or the others, as curves; those without points are left out. */
struct tw_holdout_part {
    size_t ncurves, n;
    struct tw_law_curve *curves;
    size_t *at; /* (n) stacked index in the whole */
    double *values;
    const double **input;
};
bool tw_holdout_part_init(struct tw_holdout_part *p, const struct tw_holdout *s, size_t fold,
                          bool held, const struct tw_law *law, const struct tw_law_curve *curves,
                          size_t ncurves) TW_CHECKED;
void tw_holdout_part_release(struct tw_holdout_part *p);

#endif
