/* SPDX-License-Identifier: GPL-3.0-or-later */
/* law/joint.h - families of runs as one problem to minimise. */
#ifndef TW_LAW_JOINT_H
#define TW_LAW_JOINT_H

#include "solve.h"
#include "thalweg/law_families.h"

/* Families as one problem: which of its parameters each family's are. */
struct tw_joint {
    const struct tw_law *law;
    const struct tw_law_fit_opts *opts;
    size_t n, p, npoints, longest;
    struct tw_law_problem *problem; /* (n) */
    size_t *first;                  /* (n + 1) stacked points of each */
    struct tw_fit_param params[TW_FIT_MAX_PARAMS];
    bool fixed[TW_FIT_MAX_PARAMS];
    size_t at[TW_FAMILIES_MAX][TW_FIT_MAX_PARAMS];
};

/* What one thread needs to minimise it. */
struct tw_joint_worker {
    const struct tw_joint *joint;
    struct tw_law_worker *each; /* (n) */
    struct tw_fit_problem fit;
    struct tw_fit_ws *ws;
    double *jac; /* (longest x law's parameters) */
};

/* Release even after a failure. */
enum tw_status tw_joint_init(struct tw_joint *j, const struct tw_law *law,
                             const struct tw_law_curve *family, size_t n, unsigned shared,
                             const struct tw_law_fit_opts *opts, struct tw_err *err) TW_CHECKED;
void tw_joint_release(struct tw_joint *j);
/* Between family f's parameters and those of the problem. */
void tw_joint_gather(const struct tw_joint *j, size_t f, const double *all, double *theta);
void tw_joint_scatter(const struct tw_joint *j, size_t f, const double *theta, double *all);

/* False when out of memory; release even then. `w` must stay where it is. */
bool tw_joint_worker_init(struct tw_joint_worker *w, const struct tw_joint *j) TW_CHECKED;
void tw_joint_worker_release(struct tw_joint_worker *w);

#endif
