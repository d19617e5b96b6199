/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The best schedule of 24,000 steps, warm-up 2,160, peak 3e-4, rates of at least 1e-10. The
 * peer for the multi-power law at its published parameters is L-BFGS-B (scipy) on monotone
 * rates: its loss and seconds, measured once on one thread of a two-core machine. */
#include <stdio.h>
#include <time.h>

#include "law/final.h"
#include "thalweg/law_schedule.h"

static double now(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

int main(void)
{
    static const struct tw_law mpl = { .name = "mpl", .final = tw_law_mpl_final };
    static const struct {
        const char *name;
        const struct tw_law *law; /* NULL: annealing */
        double theta[7], floor, peer, seconds;
    } row[] = {
        { "multi-power 25M",
          &mpl,
          { 3.0404541, .5246860, .5078686, 363.78752, 2.0656081, .5827901, .6414226 },
          1e-10,
          3.147936,
          6.0 },
        { "multi-power 400M",
          &mpl,
          { 2.3747447, .6542122, .4287873, 523.42464, 2.0246274, .5935049, .6347246 },
          1e-10,
          2.530869,
          6.0 },
        { "annealing", NULL, { 3.1524, .52025, .5052, .74092, .9981 }, 3e-5, 0.0, 0.0 },
    };
    static double rise[2160];

    for (size_t i = 0; i < 2160; i++)
        rise[i] = 3e-4 * (double)i / 2159.0;
    for (size_t k = 0; k < sizeof row / sizeof row[0]; k++) {
        const struct tw_law_best_problem p = {
            .law = row[k].law ? row[k].law : tw_law_find("annealing"),
            .theta = row[k].theta,
            .n = 24000,
            .first = 2159,
            .rise = rise,
            .floor = row[k].floor,
            .fall = 1,
        };
        struct tw_law_best best = { 0 };
        double t = now();

        if (tw_law_best_schedule(&p, &best, NULL) != TW_OK)
            return 1;
        t = now() - t;
        printf("best schedule, %-16s %8.3f s   loss %.6f  gap %.1e", row[k].name, t, best.loss,
               best.gap);
        if (row[k].peer > 0.0)
            printf("   L-BFGS-B %.6f  ratio %5.1f", row[k].peer, row[k].seconds / t);
        putchar('\n');
        tw_law_best_release(&best);
    }
    return 0;
}
