/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How long the annealing law takes to fit: three published curves of 25M (made-up ones where
 * those are not at hand), 16 starts with lambda free, then 1,000 bootstrap replicates. Prints
 * one line; `--json` prints the numbers for tests/bench/annealing.sh. */
#include <omp.h>
#include <time.h>

#include "curves.h"

enum { RUNS = 25, REPLICATES = 1000 };

static double seconds(clockid_t clock)
{
    struct timespec t;

    (void)clock_gettime(clock, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int compare_reals(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static bool load(struct ref_data d[REF_CURVES], bool *published)
{
    static const double theta[5] = { 3.15, 0.52, 0.505, 0.74, 0.9981 };

    *published = ref_present() && ref_load("25M", d);
    if (*published)
        return true;
    for (size_t c = 0; c < REF_TRAIN; c++) {
        const struct made m = { ref_curve[c].spec, 2160, 128, 1.5e-3, 0.5, c, NULL };

        if (!made_curve(&m, theta, TW_WARMUP_SKIP, &d[c]))
            return false;
    }
    return true;
}

/* Wall and processor time of one fit; the fit's objective. */
static double run(const struct tw_law_curve *curves, size_t replicates, double *wall, double *cpu)
{
    struct tw_law_fit_opts opts = tw_law_fit_defaults();
    struct tw_law_fit fit = { 0 };
    struct tw_err err = { 0 };
    double objective;

    opts.bootstrap = replicates;
    *wall = seconds(CLOCK_MONOTONIC);
    *cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
    if (tw_law_fit_run(tw_law_find("annealing"), curves, REF_TRAIN, &opts, &fit, &err) != TW_OK) {
        fprintf(stderr, "%s\n", err.msg);
        exit(1);
    }
    *wall = seconds(CLOCK_MONOTONIC) - *wall;
    *cpu = seconds(CLOCK_PROCESS_CPUTIME_ID) - *cpu;
    objective = fit.min.objective;
    tw_law_fit_release(&fit);
    return objective;
}

int main(int argc, char **argv)
{
    struct ref_data data[REF_CURVES] = { { 0 } };
    struct tw_law_curve curves[REF_TRAIN];
    double wall[RUNS], cpu[RUNS], many_wall[3], many_cpu[3], objective = 0.0;
    bool published;

    tw_library_init();
    if (!load(data, &published))
        return 1;
    for (size_t c = 0; c < REF_TRAIN; c++)
        curves[c] = data[c].curve;
    for (size_t k = 0; k < RUNS; k++)
        objective = run(curves, 0, &wall[k], &cpu[k]);
    for (size_t k = 0; k < 3; k++)
        (void)run(curves, REPLICATES, &many_wall[k], &many_cpu[k]);
    qsort(wall, RUNS, sizeof *wall, compare_reals);
    qsort(cpu, RUNS, sizeof *cpu, compare_reals);
    qsort(many_wall, 3, sizeof *many_wall, compare_reals);
    qsort(many_cpu, 3, sizeof *many_cpu, compare_reals);
    if (argc > 1 && !strcmp(argv[1], "--json"))
        printf("{\"published\": %s, \"threads\": %d, \"runs\": %d, \"fit_s\": %.6f, "
               "\"fit_least_s\": %.6f, \"fit_cpu_s\": %.6f, \"bootstrap_s\": %.6f, "
               "\"bootstrap_cpu_s\": %.6f, \"objective\": %.12g}\n",
               published ? "true" : "false", omp_get_max_threads(), (int)RUNS, wall[RUNS / 2],
               wall[0], cpu[RUNS / 2], many_wall[1], many_cpu[1], objective);
    else
        printf("annealing law, %s curves, %d threads: fit %.1f ms (least %.1f, processor %.1f), "
               "%d replicates %.2f s\n",
               published ? "published" : "made-up", omp_get_max_threads(), 1e3 * wall[RUNS / 2],
               1e3 * wall[0], 1e3 * cpu[RUNS / 2], (int)REPLICATES, many_wall[1]);
    ref_release(data, REF_CURVES);
    return 0;
}
