/* SPDX-License-Identifier: GPL-3.0-or-later */
/* law/resample.h - one bootstrap draw of tables of runs. */
#ifndef TW_LAW_RESAMPLE_H
#define TW_LAW_RESAMPLE_H

#include "thalweg/law.h"

/* Runs that belong together (tw_law_curve.cluster), numbered from 0 in the order in which they
 * first come; of (stacked runs). False when out of memory. */
bool tw_resample_clusters(const struct tw_law_curve *runs, size_t n, size_t ninputs, size_t *of,
                          size_t *nclusters) TW_CHECKED;

/* Stacked runs in groups: those first[g] .. first[g + 1] are drawn among themselves. */
struct tw_resample {
    enum tw_bootstrap kind; /* CASE or WILD */
    uint64_t seed;
    size_t ngroups;
    const size_t *first;             /* (ngroups + 1) */
    bool paired;                     /* all groups have as many runs, and draw the same places */
    const size_t *cluster;           /* (runs), as above; of paired groups those of the first */
    size_t nclusters;                /* no number is as large */
    bool whole;                      /* cases are clusters, not single runs */
    size_t need;                     /* distinct runs without which nothing is determined */
    bool each;                       /* ... in each group, not in all together */
    const double *fitted, *residual; /* (runs) for WILD, on the residuals' scale */
};
/* Residuals are smaller than errors because p parameters were fitted. Best are those from the fit
 * without the run's cluster (the jackknife of MacKinnon, Nielsen & Webb 2023, Journal of Applied
 * Econometrics 38): a robust fit passes through runs, whose own residuals then say nothing. Where
 * the others do not determine the fit, this factor: sqrt(G / (G - 1) (n - 1) / (n - p)) for n runs
 * in G clusters (Cameron & Miller 2015, Journal of Human Resources 50, section II.B). */
double tw_resample_factor(size_t n, size_t nclusters, size_t p);

/*
 * Replicate b; `scratch` (nclusters), out (runs).
 *
 * CASE: how often each run is drawn, as many as there are, with replacement (Efron 1979, Annals of
 * Statistics 7). Draws of fewer than `need` distinct runs, which only tables of a few runs see, are
 * drawn again.
 *
 * WILD: new targets, fitted + v residual, v one number a cluster (Cameron, Gelbach & Miller
 * 2008, Review of Economics and Statistics 90): +-sqrt(1/2), +-1 or +-sqrt(3/2), a sixth each (Webb
 * 2023, Canadian Journal of Economics 56; with +-1 alone a few clusters would have few draws).
 */
void tw_resample_draw(const struct tw_resample *s, uint64_t b, double *scratch, double *out);

#endif
