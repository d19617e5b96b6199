/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How long the Chinchilla law takes on the 240 published points: the fit from 16 starts, from one,
 * and 4,000 bootstrap replicates. Prints one line; `--json` prints numbers for
 * tests/bench/chinchilla.sh. */
#include <omp.h>
#include <time.h>

#include "runs.h"

static double seconds(clockid_t clock)
{
    struct timespec t;

    (void)clock_gettime(clock, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* The published points without the five largest losses. */
static bool load(struct runs *d)
{
    FILE *f = runs_open("chinchilla_245.csv");
    char line[256], head[256], cell[64];

    if (!f)
        return false;
    if (!fgets(head, sizeof head, f))
        head[0] = '\0';
    while (head[0] && d->n < RUNS_MAX && fgets(line, sizeof line, f)) {
        runs_cell(line, runs_find(head, "N"), cell);
        d->input[0][d->n] = strtod(cell, NULL);
        runs_cell(line, runs_find(head, "D"), cell);
        d->input[1][d->n] = strtod(cell, NULL);
        runs_cell(line, runs_find(head, "loss"), cell);
        d->y[d->n++] = strtod(cell, NULL);
    }
    (void)fclose(f);
    for (int k = 0; k < 5 && d->n > 0; k++) {
        size_t worst = 0;

        for (size_t i = 1; i < d->n; i++)
            worst = d->y[i] > d->y[worst] ? i : worst;
        d->n--;
        d->y[worst] = d->y[d->n];
        d->input[0][worst] = d->input[0][d->n];
        d->input[1][worst] = d->input[1][d->n];
    }
    return d->n > 0;
}

struct took {
    double wall, cpu, objective;
};

/* The quickest of `times`. */
static struct took run(struct runs *d, size_t starts, size_t replicates, int times)
{
    struct took best = { HUGE_VAL, HUGE_VAL, 0.0 };

    for (int k = 0; k < times; k++) {
        struct tw_law_fit_opts opts = tw_law_fit_defaults();
        const double wall = seconds(CLOCK_MONOTONIC), cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
        struct tw_law_fit fit = { 0 };
        struct tw_err err = { 0 };

        opts.starts = starts;
        opts.bootstrap = replicates;
        if (tw_law_fit_run(tw_law_find("chinchilla"), runs_group(d), 1, &opts, &fit, &err) !=
            TW_OK) {
            fprintf(stderr, "%s\n", err.msg);
            exit(1);
        }
        best.wall = fmin(best.wall, seconds(CLOCK_MONOTONIC) - wall);
        best.cpu = fmin(best.cpu, seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu);
        best.objective = fit.min.objective;
        tw_law_fit_release(&fit);
    }
    return best;
}

int main(int argc, char **argv)
{
    static struct runs d;
    struct took fit, one, boot;

    tw_library_init();
    if (!load(&d)) {
        puts("chinchilla: ../shared/data/scaling is not there (set TW_SHARED)");
        return 0;
    }
    fit = run(&d, 16, 0, 20);
    one = run(&d, 1, 0, 20);
    boot = run(&d, 16, 4000, 3);
    if (argc > 1 && !strcmp(argv[1], "--json"))
        printf("{\"threads\": %d, \"points\": %zu, \"fit_s\": %.6f, \"fit_cpu_s\": %.6f, "
               "\"one_s\": %.6f, \"one_cpu_s\": %.6f, \"objective\": %.12g, "
               "\"bootstrap_s\": %.4f, \"bootstrap_cpu_s\": %.4f}\n",
               omp_get_max_threads(), d.n, fit.wall, fit.cpu, one.wall, one.cpu, fit.objective,
               boot.wall, boot.cpu);
    else
        printf("chinchilla, %zu published points, %d threads: fit from 16 starts %.1f ms "
               "(processor %.1f), from one %.1f ms (%.1f), with 4000 replicates %.2f s (%.2f), "
               "objective %.11g\n",
               d.n, omp_get_max_threads(), 1e3 * fit.wall, 1e3 * fit.cpu, 1e3 * one.wall,
               1e3 * one.cpu, boot.wall, boot.cpu, fit.objective);
    return 0;
}
