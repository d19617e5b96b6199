/* SPDX-License-Identifier: GPL-3.0-or-later */
/* law/frontier.h - what both ways to a frontier share: stacked runs in groups, of which each
 * bootstrap replicate weighs the runs or takes the groups anew. */
#ifndef TW_LAW_FRONTIER_PARTS_H
#define TW_LAW_FRONTIER_PARTS_H

#include "thalweg/law_frontier.h"

struct tw_frontier_data {
    size_t n;
    double *log_n, *log_c, *y; /* (n) stacked */
    size_t *table;             /* (n) the group of runs that each came with */

    /* Budgets (isoflop) or curves (envelope): group g is index[first[g] .. first[g + 1]). */
    size_t groups, *first, *index;
    double *flops; /* (groups) isoflop: geometric mean of the group's budgets */

    size_t budgets;  /* envelope: where curves are compared, log spaced */
    double *log_at;  /* (budgets) */
    double *loss_at; /* (groups x budgets) loss of each curve there; NAN: it has none */
    bool ends;       /* ... where the least or largest size is best, that counts too */
};

/* Fill groups and what follows. TW_EDOMAIN, TW_ENOMEM. */
enum tw_status tw_frontier_budgets(struct tw_frontier_data *d, const struct tw_frontier_opts *opts,
                                   struct tw_err *err) TW_CHECKED;
enum tw_status tw_frontier_curves(struct tw_frontier_data *d, struct tw_err *err) TW_CHECKED;

/* Parabola of group g, each run `weight` times (by stacked run; NULL: once), into *p. */
void tw_frontier_valley(const struct tw_frontier_data *d, size_t g, const double *weight,
                        struct tw_frontier_point *p);
/* The best size at budget b among the curves of positive weight (by group; NULL: all). */
void tw_frontier_best(const struct tw_frontier_data *d, size_t b, const double *weight,
                      struct tw_frontier_point *p);

#endif
