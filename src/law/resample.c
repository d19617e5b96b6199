/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "resample.h"

#include <string.h>

/* The fewest distinct runs of a group, or those of all. */
static size_t distinct(const struct tw_resample *s, const double *weight)
{
    size_t all = 0, least = SIZE_MAX;

    for (size_t g = 0; g < s->ngroups; g++) {
        size_t here = 0;

        for (size_t i = s->first[g]; i < s->first[g + 1]; i++)
            here += weight[i] > 0.0;
        all += here;
        least = here < least ? here : least;
    }
    return s->each ? least : all;
}

static void draw(const struct tw_resample *s, struct tw_rng *rng, double *weight)
{
    memset(weight, 0, s->first[s->ngroups] * sizeof *weight);
    for (size_t g = 0; g < (s->paired ? 1 : s->ngroups); g++) {
        const size_t n = s->first[g + 1] - s->first[g];

        for (size_t k = 0; k < n; k++)
            weight[s->first[g] + tw_rng_below(rng, n)] += 1.0;
    }
    for (size_t g = 1; s->paired && g < s->ngroups; g++)
        memcpy(weight + s->first[g], weight, s->first[1] * sizeof *weight);
}

void tw_resample_cases(const struct tw_resample *s, uint64_t b, double *weight)
{
    enum { TRIES = 100 };
    struct tw_rng rng = tw_rng_stream(s->seed, TW_RNG_BOOTSTRAP, b);

    draw(s, &rng, weight);
    for (int try = 1; try < TRIES && distinct(s, weight) < s->need; try++)
        draw(s, &rng, weight);
}
