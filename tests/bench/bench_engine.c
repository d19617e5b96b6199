/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How long a loss takes, and its directional derivative and gradient, over a data set: a
 * multi-layer perceptron, LeNet, ResNet-20 and a small GPT. Prints a line for each; with
 * `--json`, seconds for tests/bench/engine.sh, which times PyTorch on the same. Arguments
 * choose networks by name. Times are the least of several. */
#include "thalweg/graph.h"
#include "thalweg/loss.h"

#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const struct {
    const char *name, *spec;
    size_t n, classes;
} nets[] = {
    { "mlp", "mlp(784,512,512,512,10)", 10000, 10 },
    { "lenet", "lenet(classes=10)", 10000, 10 },
    { "resnet20", "resnet20(classes=10)", 1000, 10 },
    { "gpt", "gpt(layers=4,d=256,heads=4,ctx=128,vocab=4096)", 64, 4096 },
};

static double seconds(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void stop_if(bool bad, const struct tw_err *err)
{
    if (!bad)
        return;
    fprintf(stderr, "%s\n", err->msg);
    exit(1);
}

/* Random rows for an input of the compiled graph. */
static struct tw_array random_rows(struct tw_graph_port p, size_t n, size_t classes)
{
    struct tw_array a = { 0 };
    struct tw_err err = { 0 };
    struct tw_rng r = tw_rng_stream(1, TW_RNG_TEST, p.n);
    size_t dims[2] = { n, p.n };

    stop_if(tw_array_make(&a, tw_dtype_is_real(p.dtype) ? TW_F32 : TW_I64, 2, dims, &err) != TW_OK,
            &err);
    for (size_t i = 0; i < a.n; i++) {
        if (a.dtype == TW_F32)
            ((float *)a.data)[i] = (float)tw_rng_normal(&r);
        else
            ((int64_t *)a.data)[i] = (int64_t)tw_rng_below(&r, classes);
    }
    return a;
}

enum { TIMES = 5 };

static double least(struct tw_exec *e, const struct tw_exec_run *run)
{
    struct tw_err err = { 0 };
    double best = 1e300;

    for (int i = 0; i < TIMES; i++) {
        double t = seconds();

        stop_if(tw_exec_run(e, run, &err) != TW_OK, &err);
        t = seconds() - t;
        best = t < best ? t : best;
    }
    return best;
}

static struct tw_graph *compile(const char *spec)
{
    struct tw_err err = { 0 };
    struct tw_net *net = tw_family_net(spec, &err);
    struct tw_graph *g;
    struct tw_loss_value out = { .dtype = TW_F32 }, target = { .dtype = TW_I64 };
    struct tw_loss_spec loss;
    struct tw_loss_ports ports;
    struct tw_graph_port p;

    stop_if(!net, &err);
    g = tw_graph_new(net, NULL, &err);
    stop_if(!g, &err);
    p = tw_graph_output(g, 0);
    out.rank = p.rank;
    memcpy(out.dims, p.dims, sizeof out.dims);
    target.rank = p.rank - 1;
    memcpy(target.dims, p.dims, sizeof target.dims);
    tw_graph_free(g);
    stop_if(tw_loss_parse("cross-entropy", &loss, &err) != TW_OK, &err);
    stop_if(tw_loss_attach(net, &loss, &out, &target, false, &ports, &err) != TW_OK, &err);
    g = tw_graph_new(net, NULL, &err);
    stop_if(!g, &err);
    tw_net_free(net);
    return g;
}

int main(int argc, char **argv)
{
    bool json = argc > 1 && !strcmp(argv[1], "--json"), first = true;

    if (json)
        printf("{");
    for (size_t k = 0; k < sizeof nets / sizeof nets[0]; k++) {
        bool chosen = argc == 1 + json;
        struct tw_err err = { 0 };
        struct tw_graph *g;
        struct tw_exec *e[3];
        struct tw_array in[2];
        double *loss, *grad, *tan, t[3], flops;
        float *d;
        size_t n = nets[k].n;
        struct tw_exec_run run = { .n = n };

        for (int i = 1 + json; i < argc; i++)
            chosen = chosen || !strcmp(argv[i], nets[k].name);
        if (!chosen)
            continue;
        g = compile(nets[k].spec);
        flops = tw_graph_flops(g) * (double)n;
        for (size_t i = 0; i < 2; i++)
            in[i] = random_rows(tw_graph_input(g, i), n, nets[k].classes);
        for (int i = 0; i < 3; i++) {
            e[i] = tw_exec_new(
                g, &(struct tw_exec_options){ .tangents = i == 1, .gradient = i == 2 }, &err);
            stop_if(!e[i], &err);
        }
        loss = tw_alloc(n, sizeof *loss);
        tan = tw_alloc(n, sizeof *tan);
        grad = tw_alloc(tw_graph_layout(g)->n, sizeof *grad);
        d = tw_alloc(tw_graph_layout(g)->n, sizeof *d);
        stop_if(!loss || !tan || !grad || !d, &err);
        for (size_t i = 0; i < tw_graph_layout(g)->n; i++)
            d[i] = (float)(i % 17) / 17.0F - 0.5F;
        run.inputs = (const struct tw_array *const[]){ &in[0], &in[1] };
        run.outputs = (double *[]){ loss, NULL, NULL, NULL };
        t[0] = least(e[0], &run);
        tw_exec_direct(e[1], 1, (const float *const[]){ d });
        run.tangents = (double *[]){ tan, NULL, NULL, NULL };
        t[1] = least(e[1], &run);
        run.tangents = NULL;
        run.gradient = grad;
        t[2] = least(e[2], &run);
        if (json)
            printf("%s\"%s\":{\"loss\":%.6f,\"jvp\":%.6f,\"gradient\":%.6f}", first ? "" : ",",
                   nets[k].name, t[0], t[1], t[2]);
        else
            printf("%-9s loss %7.1f ms (%5.1f GFLOP/s)  jvp %7.1f ms  gradient %7.1f ms  memory "
                   "%.0f MB, %zu threads\n",
                   nets[k].name, 1e3 * t[0], 1e-9 * flops / t[0], 1e3 * t[1], 1e3 * t[2],
                   1e-6 * (double)tw_exec_memory(e[2]), (size_t)omp_get_max_threads());
        first = false;
        free(loss);
        free(tan);
        free(grad);
        free(d);
        for (int i = 0; i < 3; i++)
            tw_exec_free(e[i]);
        tw_graph_free(g);
        for (int i = 0; i < 2; i++)
            tw_array_release(&in[i]);
    }
    if (json)
        printf("}\n");
    return 0;
}
