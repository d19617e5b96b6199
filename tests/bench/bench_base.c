/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Speed of what every log and every fit goes through; the C library is the peer. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "thalweg/base.h"

enum { NUMBERS = 200000, WIDTH = 24, REPEAT = 9 };

static double now(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Best of some runs, in nanoseconds per item. */
static double best(double (*work)(const void *), const void *arg, double items)
{
    static volatile double sink; /* keeps the work */
    double least = 1e30;

    for (int i = 0; i < REPEAT; i++) {
        double t = now();

        sink = work(arg);
        t = now() - t;
        least = t < least ? t : least;
    }
    (void)sink;
    return 1e9 * least / items;
}

static double read_ours(const void *arg)
{
    const char *text = arg;
    double sum = 0.0, x;

    for (size_t i = 0; i < NUMBERS; i++)
        if (tw_strn_to_real(text + WIDTH * i, strlen(text + WIDTH * i), &x))
            sum += x;
    return sum;
}

static double read_theirs(const void *arg)
{
    const char *text = arg;
    double sum = 0.0;

    for (size_t i = 0; i < NUMBERS; i++)
        sum += strtod(text + WIDTH * i, NULL);
    return sum;
}

static double sum_ours(const void *arg)
{
    return tw_sum(arg, NUMBERS);
}

static double sum_plain(const void *arg)
{
    const double *x = arg;
    double sum = 0.0;

    for (size_t i = 0; i < NUMBERS; i++)
        sum += x[i];
    return sum;
}

static void report(const char *what, double ours, const char *peer, double theirs)
{
    printf("%-28s %8.2f ns   %-10s %8.2f ns   ratio %5.2f\n", what, ours, peer, theirs,
           theirs / ours);
}

int main(void)
{
    char *text = tw_alloc(NUMBERS, WIDTH);
    double *x = tw_alloc(NUMBERS, sizeof *x);
    struct tw_rng r = tw_rng_stream(1, TW_RNG_TEST, 0);

    if (!text || !x)
        return 1;
    for (size_t i = 0; i < NUMBERS; i++) {
        x[i] = 3.0 + tw_rng_normal(&r);
        (void)snprintf(text + WIDTH * i, WIDTH, "%.6f", x[i]); /* as a loss in a log */
    }
    report("read a number", best(read_ours, text, NUMBERS), "strtod",
           best(read_theirs, text, NUMBERS));
    report("add a number", best(sum_ours, x, NUMBERS), "plain loop", best(sum_plain, x, NUMBERS));
    free(text);
    free(x);
    return 0;
}
