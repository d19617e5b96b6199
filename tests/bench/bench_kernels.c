/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Speed of the numeric kernels on one core at the shapes of real networks: GFLOP/s and the share
 * of what a loop of fused multiply-adds on this core's cache reaches; GB/s for what memory
 * bounds. The best of many short runs, since other programs may be about. Arguments: names of
 * instruction sets, none for the best one; "double" for that type; a part of the names of the
 * lines wanted. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "thalweg/tensor_kernels.h"

static const struct tw_kernels *t;
static double peak;
static double patience = 0.25; /* seconds for each line */
static const char *only = "";  /* part of the names of the lines wanted */

static double now(void)
{
    struct timespec s;

    (void)clock_gettime(CLOCK_MONOTONIC, &s);
    return (double)s.tv_sec + 1e-9 * (double)s.tv_nsec;
}

/* n reals in -0.5 .. 0.5. */
static void *reals(size_t n)
{
    void *p = aligned_alloc(64, (n * t->size + 63) / 64 * 64);
    struct tw_rng rng = tw_rng_stream(1, TW_RNG_TEST, n);

    if (!p)
        exit(3);
    for (size_t i = 0; i < n; i++) {
        const double x = tw_rng_real(&rng) - 0.5;

        if (t->type == TW_REAL32)
            ((float *)p)[i] = (float)x;
        else
            ((double *)p)[i] = x;
    }
    return p;
}

/* The least seconds of one call. */
static double least(void (*work)(const void *), const void *arg)
{
    const double end = now() + patience;
    double best = 1e30;

    work(arg);
    do {
        const double start = now();
        double took;

        work(arg);
        took = now() - start;
        best = took < best ? took : best;
    } while (now() < end);
    return best;
}

static void line(const char *what, double flops, double seconds)
{
    const double rate = 1e-9 * flops / seconds;

    printf("%-44s %7.1f GFLOP/s  %3.0f %%\n", what, rate, peak > 0.0 ? 100.0 * rate / peak : 100.0);
}

static void run_gemm(const void *p)
{
    t->gemm(p);
}

static void run_gradw(const void *p)
{
    t->gradw(p);
}

static void run_attention(const void *p)
{
    t->attention(p);
}

/* A linear layer on `positions` columns, and its weights' gradient. */
static void linear(const char *what, size_t m, size_t k, size_t positions, size_t lanes)
{
    const double flops = 2.0 * (double)(m * k * positions * lanes);
    void *a = reals(m * k), *packed = reals(t->packed_size(m, k)), *bias = reals(m);
    void *x = reals(k * positions * lanes), *y = reals(m * positions * lanes);
    double *da = calloc(m * k, sizeof *da);
    const struct tw_gemm g = { .m = m,
                               .k = k,
                               .a = packed,
                               .bias = bias,
                               .x = x,
                               .kstride = 1,
                               .y = y,
                               .mstride = 1,
                               .nc = { 1, 1, positions },
                               .xc = { 0, 0, (long)k },
                               .yc = { 0, 0, (long)m },
                               .lanes = lanes,
                               .act = TW_U_RELU };
    const struct tw_gradw w = { .m = m,
                                .k = k,
                                .gy = y,
                                .mstride = 1,
                                .x = x,
                                .kstride = 1,
                                .nc = { 1, 1, positions },
                                .gyc = { 0, 0, (long)m },
                                .xc = { 0, 0, (long)k },
                                .lanes = lanes,
                                .da = da,
                                .dam = (long)k,
                                .dak = 1,
                                .by = 1.0 };
    char name[96];

    if (!strstr(what, only))
        return;
    if (!da)
        exit(3);
    t->pack(m, k, a, (long)k, 1, packed);
    line(what, flops, least(run_gemm, &g));
    if (peak > 0.0) {
        (void)snprintf(name, sizeof name, "  gradient of its weights");
        line(name, flops, least(run_gradw, &w));
    }
    free(a);
    free(packed);
    free(bias);
    free(x);
    free(y);
    free(da);
}

/* A convolution r x r on a padded image of side n. */
static void convolution(const char *what, size_t cin, size_t cout, size_t r, size_t n)
{
    enum { L = 16 };
    const size_t k = cin * r * r, out = n - r + 1;
    const double flops = 2.0 * (double)(cout * k * out * out * L);
    void *a = reals(cout * k), *packed = reals(t->packed_size(cout, k)), *bias = reals(cout);
    void *x = reals(cin * n * n * L), *y = reals(cout * out * out * L);
    double *da = calloc(cout * k, sizeof *da);
    long *koff = calloc(k, sizeof *koff);

    if (!strstr(what, only))
        return;
    if (!da || !koff)
        exit(3);
    for (size_t i = 0; i < k; i++)
        koff[i] = (long)(i / (r * r) * n * n + i % (r * r) / r * n + i % r);
    t->pack(cout, k, a, (long)k, 1, packed);
    line(what, flops,
         least(run_gemm, &(struct tw_gemm){ .m = cout,
                                            .k = k,
                                            .a = packed,
                                            .bias = bias,
                                            .x = x,
                                            .koff = koff,
                                            .y = y,
                                            .mstride = (long)(out * out),
                                            .nc = { 1, out, out },
                                            .xc = { 0, (long)n, 1 },
                                            .yc = { 0, (long)out, 1 },
                                            .lanes = L,
                                            .act = TW_U_RELU }));
    line("  gradient of its weights", flops,
         least(run_gradw, &(struct tw_gradw){ .m = cout,
                                              .k = k,
                                              .gy = y,
                                              .mstride = (long)(out * out),
                                              .x = x,
                                              .koff = koff,
                                              .nc = { 1, out, out },
                                              .gyc = { 0, (long)out, 1 },
                                              .xc = { 0, (long)n, 1 },
                                              .lanes = L,
                                              .da = da,
                                              .dam = (long)k,
                                              .dak = 1,
                                              .by = 1.0 }));
    free(a);
    free(packed);
    free(bias);
    free(x);
    free(y);
    free(da);
    free(koff);
}

static void attend(const char *what, bool causal)
{
    enum { N = 128, D = 64, L = 16 };
    void *q = reals(N * D * L), *k = reals(N * D * L), *v = reals(N * D * L);
    void *y = reals(N * D * L), *scratch = reals(t->attention_scratch(N, D, D, L));
    const double pairs = !strstr(what, only) ? 0.0 : causal ? N * (N + 1) / 2.0 : (double)N * N;

    if (pairs > 0.0)
        line(what, 4.0 * pairs * D * L,
             least(run_attention, &(struct tw_attention){ .nq = N,
                                                          .nk = N,
                                                          .d = D,
                                                          .dv = D,
                                                          .q = q,
                                                          .k = k,
                                                          .v = v,
                                                          .qi = D,
                                                          .qd = 1,
                                                          .kj = D,
                                                          .kd = 1,
                                                          .vj = D,
                                                          .vd = 1,
                                                          .y = y,
                                                          .yi = D,
                                                          .yd = 1,
                                                          .scale = 0.125,
                                                          .causal = causal,
                                                          .lanes = L,
                                                          .scratch = scratch }));
    free(q);
    free(k);
    free(v);
    free(y);
    free(scratch);
}

struct stream {
    int what;
    size_t n;
    void *x, *y, *p;
};

static void run_stream(const void *arg)
{
    const struct stream *s = arg;
    const struct tw_loop l = {
        .nd = 2, .n = { 128, 64 }, .sa = { 64, 1 }, .sb = { 0, 1 }, .sy = { 64, 1 }
    };

    if (s->what == 0)
        t->softmax(false, 64, 128, 128, 1, 1, 16, s->x, s->y);
    else if (s->what == 1)
        t->normalize(false, 128, 64, 64, 1, 1e-5, s->p, s->p, 16, s->x, s->y, NULL);
    else if (s->what == 2)
        t->unary(TW_U_GELU, 0, 0.0, 0.0, s->n, s->x, s->y);
    else if (s->what == 3)
        t->unary(TW_U_EXP, 0, 0.0, 0.0, s->n, s->x, s->y);
    else if (s->what == 4)
        t->unary_grad(TW_U_RELU, 1, 0.0, 0.0, s->n, s->x, s->x, TW_SET, s->y);
    else
        t->binary(TW_B_ADD, &l, 16, s->x, 1, s->p, TW_SET, 16, s->y);
}

static void streams(void)
{
    static const char *const name[] = {
        "softmax, rows of 128", "normalize, rows of 64", "gelu", "exp",
        "relu, gradient",       "add of a uniform row"
    };
    enum { N = 128 * 64 * 16 };
    struct stream s = { 0, N, reals(N), reals(N), reals(N) };

    for (s.what = 0; s.what < 6; s.what++)
        if (strstr(name[s.what], only))
            printf("%-44s %7.1f GB/s (in and out)\n", name[s.what],
                   1e-9 * 2.0 * (double)(N * t->size) / least(run_stream, &s));
    free(s.x);
    free(s.y);
    free(s.p);
}

static void table(const struct tw_kernels *kernels)
{
    t = kernels;
    peak = 0.0;
    {
        enum { M = 256, K = 64, L = 16 };
        void *a = reals(M * K), *x = reals(K * L * 3), *y = reals(M * L * 3);
        const struct tw_gemm g = { .m = M,
                                   .k = K,
                                   .a = a,
                                   .x = x,
                                   .kstride = 1,
                                   .y = y,
                                   .mstride = 1,
                                   .nc = { 1, 1, 3 },
                                   .xc = { 0, 0, K },
                                   .yc = { 0, 0, M },
                                   .lanes = L };

        patience = 0.5;
        peak = 1e-9 * 2.0 * M * K * L * 3 / least(run_gemm, &g);
        patience = 0.25;
        free(a);
        free(x);
        free(y);
    }
    printf("%s, %s: tiles in the first-level cache %.1f GFLOP/s\n", t->isa,
           t->type == TW_REAL32 ? "float" : "double", peak);
    linear("MLP 512 x 784, 64 lanes", 512, 784, 1, 64);
    linear("MLP 512 x 784, 32 lanes", 512, 784, 1, 32);
    linear("MLP 512 x 512, 64 lanes", 512, 512, 1, 64);
    linear("MLP 512 x 512, 32 lanes", 512, 512, 1, 32);
    linear("MLP 10 x 512, 64 lanes", 10, 512, 1, 64);
    convolution("ResNet 16 to 16, 3 x 3, 34 x 34", 16, 16, 3, 34);
    convolution("ResNet 32 to 32, 3 x 3, 18 x 18", 32, 32, 3, 18);
    convolution("ResNet 64 to 64, 3 x 3, 10 x 10", 64, 64, 3, 10);
    convolution("LeNet 1 to 6, 5 x 5, 32 x 32", 1, 6, 5, 32);
    convolution("LeNet 6 to 16, 5 x 5, 14 x 14", 6, 16, 5, 14);
    linear("GPT 1024 x 256, 128 positions, 16 lanes", 1024, 256, 128, 16);
    linear("GPT 256 x 1024, 128 positions, 16 lanes", 256, 1024, 128, 16);
    linear("GPT head 4096 x 256, 128 positions, 16 lanes", 4096, 256, 128, 16);
    attend("attention 128 x 128 x 64", false);
    attend("attention 128 x 128 x 64, causal", true);
    streams();
}

int main(int argc, char **argv)
{
    enum tw_real_type type = TW_REAL32;
    bool any = false;

    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "double") == 0)
            type = TW_REAL64;
        else if (!tw_kernels_find(argv[i], type))
            only = argv[i];
    for (int i = 1; i < argc; i++) {
        const struct tw_kernels *kernels = tw_kernels_find(argv[i], type);

        if (kernels) {
            table(kernels);
            any = true;
        }
    }
    if (!any)
        table(tw_kernels_find(NULL, type));
    return 0;
}
