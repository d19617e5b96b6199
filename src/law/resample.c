/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "resample.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- clusters ------------------------------------------------------------------------------- */

/* A run by what decides its cluster. */
struct key {
    size_t group, cluster, at;
    double input[TW_LAW_MAX_INPUTS];
};

static int compare_keys(const struct key *a, const struct key *b)
{
    if (a->group != b->group)
        return a->group < b->group ? -1 : 1;
    if (a->cluster != b->cluster)
        return a->cluster < b->cluster ? -1 : 1;
    for (size_t k = 0; k < TW_LAW_MAX_INPUTS; k++)
        if (a->input[k] < b->input[k] || a->input[k] > b->input[k])
            return a->input[k] < b->input[k] ? -1 : 1;
    return 0;
}

static int by_key(const void *pa, const void *pb)
{
    const struct key *a = pa, *b = pb;
    const int order = compare_keys(a, b);

    return order ? order : (a->at > b->at) - (a->at < b->at);
}

bool tw_resample_clusters(const struct tw_law_curve *runs, size_t n, size_t ninputs, size_t *of,
                          size_t *nclusters)
{
    size_t all = 0, at = 0;
    struct key *key;

    for (size_t g = 0; g < n; g++)
        all += runs[g].n;
    key = tw_alloc(all, sizeof *key);
    if (!key)
        return false;
    for (size_t g = 0; g < n; g++)
        for (size_t i = 0; i < runs[g].n; i++, at++) {
            key[at] = (struct key){ .group = g, .at = at };
            if (runs[g].cluster)
                key[at].cluster = runs[g].cluster[i];
            for (size_t k = 0; !runs[g].cluster && k < ninputs; k++)
                key[at].input[k] = runs[g].input[k][i];
        }
    qsort(key, all, sizeof *key, by_key);
    for (size_t i = 0, head = 0; i < all; i++) { /* the first run of each stands for it */
        head = i && !compare_keys(&key[i - 1], &key[i]) ? head : key[i].at;
        of[key[i].at] = head;
    }
    *nclusters = 0;
    for (size_t i = 0; i < all; i++)
        of[i] = of[i] == i ? (*nclusters)++ : of[of[i]];
    free(key);
    return true;
}

/* ---- cases ---------------------------------------------------------------------------------- */

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

/* Clusters of a group have neighbouring numbers. */
static void draw_clusters(const struct tw_resample *s, struct tw_rng *rng, double *count,
                          double *weight)
{
    memset(count, 0, s->nclusters * sizeof *count);
    for (size_t g = 0; g < (s->paired ? 1 : s->ngroups); g++) {
        const size_t from = s->cluster[s->first[g]];
        size_t n = 1;

        for (size_t i = s->first[g]; i < s->first[g + 1]; i++)
            n = s->cluster[i] - from + 1 > n ? s->cluster[i] - from + 1 : n;
        for (size_t k = 0; k < n; k++)
            count[from + tw_rng_below(rng, n)] += 1.0;
    }
    for (size_t i = 0; i < s->first[s->ngroups]; i++)
        weight[i] = count[s->cluster[i]];
}

static void draw_runs(const struct tw_resample *s, struct tw_rng *rng, double *weight)
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

static void draw_cases(const struct tw_resample *s, struct tw_rng *rng, double *scratch,
                       double *weight)
{
    enum { TRIES = 100 };

    for (int try = 0; try == 0 || (try < TRIES && distinct(s, weight) < s->need); try++) {
        if (s->whole)
            draw_clusters(s, rng, scratch, weight);
        else
            draw_runs(s, rng, weight);
    }
}

/* ---- the wild cluster bootstrap ------------------------------------------------------------- */

double tw_resample_factor(size_t n, size_t nclusters, size_t p)
{
    if (n <= p || nclusters < 2)
        return 1.0;
    return sqrt((double)nclusters / (double)(nclusters - 1) * (double)(n - 1) / (double)(n - p));
}

static void draw_wild(const struct tw_resample *s, struct tw_rng *rng, double *v, double *target)
{
    static const double square[3] = { 0.5, 1.0, 1.5 };

    for (size_t g = 0; g < s->nclusters; g++) {
        const uint64_t side = tw_rng_below(rng, 6);

        v[g] = (side < 3 ? 1.0 : -1.0) * sqrt(square[side % 3]);
    }
    for (size_t i = 0; i < s->first[s->ngroups]; i++)
        target[i] = s->fitted[i] + v[s->cluster[i]] * s->residual[i];
}

void tw_resample_draw(const struct tw_resample *s, uint64_t b, double *scratch, double *out)
{
    struct tw_rng rng = tw_rng_stream(s->seed, TW_RNG_BOOTSTRAP, b);

    if (s->kind == TW_BOOTSTRAP_WILD)
        draw_wild(s, &rng, scratch, out);
    else
        draw_cases(s, &rng, scratch, out);
}
