/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What asking an evaluator costs: the time of one loss, of a point between two anchors, and of a
 * gradient, beside one copy of the parameters in the same run. The evaluator is this program: it
 * reads one parameter and answers, so that all the time is ours. Times are the least of five
 * batches. Arguments: numbers of parameters. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "thalweg/problem_evaluator.h"

static int serve(size_t n)
{
    FILE *in = fdopen(3, "r"), *out = fdopen(4, "w");
    char *line = NULL;
    size_t size = 0;
    const float *at = NULL;

    if (!in || !out)
        return 1;
    fprintf(out,
            "{\"twep\":1,\"can\":[\"loss\",\"grad\"],\"tensors\":[{\"name\":\"w\",\"shape\":[%zu]}"
            "]}\n",
            n);
    fflush(out);
    while (getline(&line, &size, in) > 0 && !strstr(line, "bye")) {
        const char *bytes = strstr(line, "\"size\":");

        if (bytes)
            at =
                mmap(NULL, strtoull(bytes + 7, NULL, 10), PROT_READ | PROT_WRITE, MAP_SHARED, 5, 0);
        fprintf(out, "{\"id\":%ld,\"loss\":%.9g}\n", strtol(strstr(line, "\"id\":") + 5, NULL, 10),
                bytes ? 0.0 : (double)at[n - 1]);
        fflush(out);
    }
    return 0;
}

static double seconds(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void stop_if(bool bad, const char *msg)
{
    if (!bad)
        return;
    fprintf(stderr, "bench_evaluator: %s\n", msg);
    exit(1);
}

/* Seconds a request; r NULL: a copy. */
static double least(struct tw_problem *p, const struct tw_request *r, const float *x, float *y)
{
    const size_t times = p->dim > 1000000 ? 3 : p->dim > 30000 ? 100 : 2000;
    double best = 1e300;

    for (int k = 0; k < 5; k++) {
        double t = seconds();

        for (size_t i = 0; i < times; i++) {
            if (r)
                stop_if(tw_problem_eval(p, r, NULL) != TW_OK, "a request failed");
            else
                memcpy(y, x, p->dim * sizeof *x);
            __asm__ volatile("" : : "r"(y) : "memory"); /* each copy counts */
        }
        t = (seconds() - t) / (double)times;
        best = t < best ? t : best;
    }
    return best;
}

static void measure(const char *self, size_t n)
{
    char command[4200];
    const struct tw_evaluator_options o = { .command = command, .timeout = 60.0 };
    struct tw_err err = { 0 };
    struct tw_problem *p;
    float *x = tw_alloc(n, sizeof *x), *y = tw_alloc(n, sizeof *y);
    double *g = tw_alloc(n, sizeof *g), t[4];
    const struct tw_vector anchors[2] = { { .f = x }, { .f = y } };
    const double weights[2] = { 0.25, 0.75 };
    struct tw_values values;
    struct tw_request r = { .at = { .f = x }, .values = &values };

    (void)snprintf(command, sizeof command, "'%s' --serve %zu", self, n);
    p = tw_problem_evaluator(&o, &err);
    stop_if(!p, err.msg);
    stop_if(!x || !y || !g, "out of memory");
    for (size_t i = 0; i < n; i++)
        x[i] = y[i] = (float)i;
    t[0] = least(p, NULL, x, y);
    t[1] = least(p, &r, x, y);
    r.gradient = g;
    t[2] = least(p, &r, x, y);
    stop_if(tw_problem_anchor(p, 2, anchors, NULL, &err) != TW_OK, err.msg);
    r = (struct tw_request){ .weights = weights, .values = &values };
    t[3] = least(p, &r, x, y);
    printf("  %9zu parameters: copy %9.1f us, loss %9.1f us (%+.1f), between anchors %9.1f us, "
           "gradient %9.1f us\n",
           n, 1e6 * t[0], 1e6 * t[1], 1e6 * (t[1] - t[0]), 1e6 * t[3], 1e6 * t[2]);
    tw_problem_free(p);
    free(x);
    free(y);
    free(g);
}

int main(int argc, char **argv)
{
    static const size_t sizes[] = { 1000, 10000, 100000, 1000000, 10000000, 100000000 };

    if (argc == 3 && !strcmp(argv[1], "--serve"))
        return serve(strtoull(argv[2], NULL, 10));
    printf("evaluator: one request, the least of five batches\n");
    for (size_t i = 0; argc < 2 && i < sizeof sizes / sizeof *sizes; i++)
        measure(argv[0], sizes[i]);
    for (int i = 1; i < argc; i++)
        measure(argv[0], strtoull(argv[i], NULL, 10));
    return 0;
}
