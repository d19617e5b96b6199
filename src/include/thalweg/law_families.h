/* SPDX-License-Identifier: GPL-3.0-or-later */
/* thalweg/law_families.h - families of runs (architectures, data mixes) under one law: some
 * parameters are the same for all, the others each family's own; and what one family saves against
 * another at equal loss. */
#ifndef TW_LAW_FAMILIES_H
#define TW_LAW_FAMILIES_H

#include "thalweg/law.h"

enum { TW_FAMILIES_MAX = 16 };

/*
 * Every replicate of the bootstrap draws runs of all families and fits all of them again, so that
 * differences of families have intervals of their own. Families that ran the same grid - as many
 * runs, and no input of a run differs from that of the first family's run in the same place by
 * more than 10 % - are paired: they draw the same places.
 */
struct tw_families {
    const struct tw_law *law;
    unsigned shared; /* bit j: parameter j is one for all */
    size_t n;
    struct tw_law_fit *fit;   /* (n): theta, lo, hi, theta_boot, points and scores of each; row b of
                                 theta_boot is the same replicate in all, NAN in all if it failed */
    struct tw_fit_result min; /* of all together; condition and gradient are the worst of families
                                 that are fitted apart */
    size_t starts, at_optimum;
    bool paired;
    enum tw_bootstrap kind; /* as used, for the family with the fewest configurations: */
    size_t clusters;
    size_t replicates, failed;
};

/*
 * Fit `law` to n families, one group of runs each; opts as for tw_law_fit_run (profiles and model
 * error are not made). Starts are the conditional optima at the shared values that each family's
 * own fit has, and at their mean. *f is {0} on entry; release it even after a failure. TW_EDOMAIN:
 * what a fit alone refuses, with the family's name; or more parameters than TW_FIT_MAX_PARAMS.
 */
enum tw_status tw_families_fit(const struct tw_law *law, const struct tw_law_curve *family,
                               size_t n, unsigned shared, const struct tw_law_fit_opts *opts,
                               struct tw_families *f, struct tw_err *err) TW_CHECKED;
void tw_families_release(struct tw_families *f);

/* A quantity with its interval at the fits' level, over the replicates in which it is defined; NAN
 * where that is fewer than half of them. */
struct tw_family_value {
    double value, lo, hi;
};

/* Family k's parameter j less the first family's. */
enum tw_status tw_families_difference(const struct tw_families *f, size_t k, size_t j,
                                      struct tw_family_value *d, struct tw_err *err) TW_CHECKED;

/*
 * What family k needs for the loss `target`, and how many times as much the first family needs:
 * above 1, family k saves. `size` > 0: tokens at that N; 0: compute, each family spending its own
 * best. Where one family cannot reach the loss - target below E + A N^-alpha, or below E - the
 * factor is INFINITY (the first cannot) or 0 (k cannot), and NAN where neither can.
 */
struct tw_family_savings {
    double size;
    double first, other; /* what they need; INFINITY: infeasible */
    struct tw_family_value factor;
    size_t infeasible_first, infeasible_other; /* replicates, of `replicates` good ones */
    size_t replicates;
};
/* TW_EINVAL: the law cannot say (tw_law.tokens, tw_law.compute). */
enum tw_status tw_families_savings(const struct tw_families *f, size_t k, double target,
                                   double size, struct tw_family_savings *s,
                                   struct tw_err *err) TW_CHECKED;

/* The least loss of a budget under the first family's and family k's law, and their difference. */
enum tw_status tw_families_budget(const struct tw_families *f, size_t k, double flops,
                                  double loss[2], struct tw_family_value *d,
                                  struct tw_err *err) TW_CHECKED;

#endif
