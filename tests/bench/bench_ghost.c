/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Ghosts of samples with 10 classes, on one core, in processor time. With --lattice: the nearest
 * zeros of samples with slopes 0 .. 9 in random order, logits first, as text for ghost.sh. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "thalweg/ghost_batch.h"

enum { K = 10, SOLVED = 20000, MANY = 1000000 };

static double now(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

enum kind { NORMAL, CONFIDENT, WIDE, LATTICE };

static void draw(enum kind kind, size_t n, double *z, double *a)
{
    struct tw_rng r = tw_rng_stream(1, TW_RNG_TEST, (uint64_t)kind);

    for (size_t i = 0; i < n * K; i++) {
        z[i] = tw_rng_normal(&r) * (kind == WIDE ? 10.0 : 1.0);
        a[i] = kind == LATTICE ? (double)(i % K) : tw_rng_normal(&r);
        if (kind == CONFIDENT && i % K == 3)
            z[i] += 10.0;
    }
}

static double least;

/* Microseconds of processor time a sample. */
static double solve(enum kind kind, size_t n, double *z, double *a, double *rho)
{
    struct tw_ghost *g = tw_ghost_alloc(K);
    double t = now();

    draw(kind, n, z, a);
    t = now();
    for (size_t i = 0; g && i < n; i++)
        if (tw_ghost_set(g, K, z + i * K, a + i * K, 1.0, NULL) == TW_OK)
            rho[i] = tw_ghost_nearest(g).rho;
    t = now() - t;
    tw_ghost_free(g);
    return 1e6 * t / (double)n;
}

static double bound(size_t n, const double *z, const double *a)
{
    struct tw_ghost *g = tw_ghost_alloc(K);
    const double t = now();

    least = HUGE_VAL;
    for (size_t i = 0; g && i < n; i++)
        if (tw_ghost_set(g, K, z + i * K, a + i * K, 1.0, NULL) == TW_OK) {
            const double b = tw_ghost_b3(g);

            least = b < least ? b : least;
        }
    tw_ghost_free(g);
    return 1e6 * (now() - t) / (double)n;
}

int main(int argc, char **argv)
{
    static const char *const names[] = { "normal", "confident", "logits x 10" };
    double *z = malloc(sizeof(double) * MANY * K), *a = malloc(sizeof(double) * MANY * K);
    double *rho = malloc(sizeof(double) * SOLVED), t;
    struct tw_ghost_batch b;
    const struct tw_ghost_samples many = { MANY, K, z, a, 1.0 };

    if (!z || !a || !rho)
        return 1;
    if (argc > 1 && !strcmp(argv[1], "--lattice")) {
        printf("%.17g\n", solve(LATTICE, 2000, z, a, rho));
        for (size_t i = 0; i < 2000; i++) {
            for (size_t k = 0; k < K; k++)
                printf("%.17g ", z[i * K + k]);
            printf("%.17g\n", rho[i]);
        }
        return 0;
    }
    for (int kind = 0; kind < 3; kind++) {
        printf("ghost, exact zero with proof, %-11s %7.1f us a sample\n", names[kind],
               solve((enum kind)kind, SOLVED, z, a, rho));
        printf("ghost, B3,                    %-11s %7.1f us a sample\n", names[kind],
               bound(SOLVED, z, a));
    }
    draw(NORMAL, MANY, z, a);
    t = now();
    if (tw_ghost_batch(&many, TW_GHOST_BOUNDS, 0.0, 1, 0, NULL, &b, NULL) != TW_OK)
        return 1;
    printf("ghost, rho_a and B1 of a million samples %7.2f s\n", now() - t);
    t = now();
    if (tw_ghost_batch(&many, TW_GHOST_NEAREST, 0.0, 1, 0, NULL, &b, NULL) != TW_OK)
        return 1;
    printf("ghost, and their nearest zero            %7.2f s, %zu zeros solved\n", now() - t,
           b.solved);
    free(z);
    free(a);
    free(rho);
    return 0;
}
