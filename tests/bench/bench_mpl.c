/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How long the multi-power law takes to fit three published curves of 25M: all seven parameters
 * from 16 starts; from one start, as a peer does; and 1,000 bootstrap replicates of the fit
 * with beta and gamma held. Prints one line; `--json` prints numbers for tests/bench/mpl.sh. */
#include <omp.h>
#include <time.h>

#include "curves.h"

static double seconds(clockid_t clock)
{
    struct timespec t;

    (void)clock_gettime(clock, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

struct took {
    double wall, cpu, objective;
};

static struct took run(const struct tw_law_curve *curves, size_t starts, size_t restriction,
                       size_t replicates)
{
    struct tw_law_fit_opts opts = tw_law_fit_defaults();
    struct tw_law_fit fit = { 0 };
    struct tw_err err = { 0 };
    struct took t = { seconds(CLOCK_MONOTONIC), seconds(CLOCK_PROCESS_CPUTIME_ID), 0.0 };

    opts.starts = starts;
    opts.restriction = restriction;
    opts.bootstrap = replicates;
    if (tw_law_fit_run(tw_law_find("mpl"), curves, REF_TRAIN, &opts, &fit, &err) != TW_OK) {
        fprintf(stderr, "%s\n", err.msg);
        exit(1);
    }
    t.wall = seconds(CLOCK_MONOTONIC) - t.wall;
    t.cpu = seconds(CLOCK_PROCESS_CPUTIME_ID) - t.cpu;
    t.objective = fit.min.objective;
    tw_law_fit_release(&fit);
    return t;
}

/* Processor time of one prediction with derivatives. */
static double evaluation(const struct tw_law_curve *curves)
{
    enum { TIMES = 50 };
    const struct tw_law *law = tw_law_find("mpl");
    double theta[] = { 3.0, 0.53, 0.51, 420.0, 1.0, 0.5, 0.6 }, start;
    void *model = law->model_alloc(curves, REF_TRAIN, TW_WARMUP_KEEP, NULL);
    void *memo = model ? law->memo_alloc(model) : NULL;
    size_t n = 0;
    double *y;

    for (size_t c = 0; c < REF_TRAIN; c++)
        n += curves[c].n;
    y = calloc(n, 8 * sizeof *y);
    if (!memo || !y)
        exit(1);
    start = seconds(CLOCK_PROCESS_CPUTIME_ID);
    for (int k = 0; k < TIMES; k++) {
        theta[4] *= 1.001;
        law->predict(model, memo, theta, y, y + n);
    }
    start = (seconds(CLOCK_PROCESS_CPUTIME_ID) - start) / TIMES;
    law->memo_free(memo);
    law->model_free(model);
    free(y);
    return start;
}

int main(int argc, char **argv)
{
    struct ref_data data[REF_CURVES] = { { 0 } };
    struct tw_law_curve curves[REF_TRAIN];
    struct took full, one, boot;
    double each;

    tw_library_init();
    if (!ref_present() || !ref_load("25M", data)) {
        puts("multi-power law: ../shared/data/scaling is not there (set TW_SHARED)");
        return 0;
    }
    for (size_t c = 0; c < REF_TRAIN; c++)
        curves[c] = data[c].curve;
    each = evaluation(curves);
    full = run(curves, 16, 0, 0);
    one = run(curves, 1, 0, 0);
    boot = run(curves, 4, 1, 1000);
    if (argc > 1 && !strcmp(argv[1], "--json"))
        printf("{\"threads\": %d, \"evaluation_cpu_s\": %.6f, \"fit_s\": %.4f, "
               "\"fit_cpu_s\": %.4f, \"objective\": %.12g, \"one_s\": %.4f, \"one_cpu_s\": %.4f, "
               "\"one_objective\": %.12g, \"bootstrap_s\": %.3f, \"bootstrap_cpu_s\": %.3f}\n",
               omp_get_max_threads(), each, full.wall, full.cpu, full.objective, one.wall, one.cpu,
               one.objective, boot.wall, boot.cpu);
    else
        printf(
            "multi-power law, published curves, %d threads: fit from 16 starts %.2f s "
            "(processor %.2f), from one %.2f s (%.2f), 1000 replicates restricted %.1f s (%.1f), "
            "one evaluation %.2f ms\n",
            omp_get_max_threads(), full.wall, full.cpu, one.wall, one.cpu, boot.wall, boot.cpu,
            1e3 * each);
    ref_release(data, REF_CURVES);
    return 0;
}
