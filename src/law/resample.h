/* SPDX-License-Identifier: GPL-3.0-or-later */
/* law/resample.h - one bootstrap draw of tables of runs. */
#ifndef TW_LAW_RESAMPLE_H
#define TW_LAW_RESAMPLE_H

#include "thalweg/law.h"

/* Stacked runs in groups: those first[g] .. first[g + 1] are drawn among themselves. */
struct tw_resample {
    uint64_t seed;
    size_t ngroups;
    const size_t *first; /* (ngroups + 1) */
    bool paired;         /* all groups have as many runs, and draw the same places */
    size_t need;         /* distinct runs without which nothing is determined */
    bool each;           /* ... in each group, not in all together */
};

/* How often replicate b draws each run: as many as there are, with replacement (Efron 1979, Annals
 * of Statistics 7). Draws of fewer than `need` distinct runs, which only tables of a few runs
 * see, are drawn again. */
void tw_resample_cases(const struct tw_resample *s, uint64_t b, double *weight);

#endif
