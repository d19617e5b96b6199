/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How long a loss takes over a data set, its directional derivative and its gradient; a point of a
 * line between two anchors; and the loss and gradient of a training step on 128 samples (16 of
 * GPT): for a multi-layer perceptron, LeNet, ResNet-20 and a small GPT. Prints a line for each;
 * with `--json`, seconds for tests/bench/engine.sh, which times PyTorch on the same. Arguments
 * choose networks by name. Times are the least of several; with `--cpu` they are processor seconds,
 * for one thread on a busy machine. */
#include "thalweg/problem.h"

#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const struct net {
    const char *name, *spec, *step; /* step: the network that is trained */
    size_t n, batch, classes;
} nets[] = {
    { "mlp", "mlp(784,512,512,512,10)", "mlp(784,512,512,512,10)", 10000, 128, 10 },
    { "lenet", "lenet(classes=10)", "lenet(classes=10,norm=batch)", 10000, 128, 10 },
    { "resnet20", "resnet20(classes=10)", "resnet20(classes=10)", 1000, 128, 10 },
    { "gpt", "gpt(layers=4,d=256,heads=4,ctx=128,vocab=4096)",
      "gpt(layers=4,d=256,heads=4,ctx=128,vocab=4096)", 64, 16, 4096 },
};

static clockid_t chosen_clock = CLOCK_MONOTONIC;

static double seconds(void)
{
    struct timespec t;

    (void)clock_gettime(chosen_clock, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void stop_if(bool bad, const struct tw_err *err)
{
    if (!bad)
        return;
    fprintf(stderr, "%s\n", err->msg);
    exit(1);
}

/* Random rows for an input of the network, or targets for its output. */
static struct tw_array random_rows(const struct tw_graph_port *p, size_t n, size_t classes,
                                   bool target)
{
    struct tw_array a = { 0 };
    struct tw_err err = { 0 };
    struct tw_rng r = tw_rng_stream(1, TW_RNG_TEST, p->n);
    size_t dims[TW_MAX_RANK] = { n };
    const int rank = p->rank - target;

    for (int i = 1; i < rank; i++)
        dims[i] = p->dims[i];
    stop_if(tw_array_make(&a, tw_dtype_is_real(p->dtype) && !target ? TW_F32 : TW_I64, rank, dims,
                          &err) != TW_OK,
            &err);
    for (size_t i = 0; i < a.n; i++) {
        if (a.dtype == TW_F32)
            ((float *)a.data)[i] = (float)tw_rng_normal(&r);
        else
            ((int64_t *)a.data)[i] = (int64_t)tw_rng_below(&r, classes);
    }
    return a;
}

static struct tw_problem *make(const char *spec, struct tw_dataset *d, size_t n, size_t classes,
                               struct tw_problem_options o)
{
    struct tw_err err = { 0 };
    struct tw_net *net = tw_family_net(spec, &err);
    struct tw_problem *p;

    stop_if(!net, &err);
    if (!d->x.data) {
        struct tw_graph *g = tw_graph_new(net, NULL, &err);
        struct tw_graph_port in, out;

        stop_if(!g, &err);
        in = tw_graph_input(g, 0);
        out = tw_graph_output(g, 0);
        d->x = random_rows(&in, n, classes, false);
        d->y = random_rows(&out, n, classes, true);
        tw_graph_free(g);
    }
    p = tw_problem_new(net, d, &o, &err);
    stop_if(!p, &err);
    tw_net_free(net);
    return p;
}

enum { TIMES = 5 };

static double least(struct tw_problem *p, const struct tw_request *r)
{
    struct tw_err err = { 0 };
    double best = 1e300;

    for (int i = 0; i < TIMES; i++) {
        double t = seconds();

        stop_if(tw_problem_eval(p, r, &err) != TW_OK, &err);
        t = seconds() - t;
        best = t < best ? t : best;
    }
    return best;
}

static float *start_of(const struct tw_problem *p)
{
    float *x = tw_alloc(p->dim, sizeof *x);

    stop_if(!x, &(struct tw_err){ .msg = "out of memory" });
    tw_graph_initial(tw_problem_graph(p), x, NULL);
    return x;
}

struct times {
    double loss, line, jvp, gradient, step, flops;
    size_t memory;
};

/* Loss, a point of a line, slope, gradient. */
static void time_study(const struct net *net, struct tw_dataset *d, struct times *t)
{
    struct tw_problem *p =
        make(net->spec, d, net->n, net->classes, (struct tw_problem_options){ 0 });
    float *x = start_of(p), *v = start_of(p);
    double *g = tw_alloc(p->dim, sizeof *g), slope;
    const struct tw_vector ends[2] = { { .f = x }, { .f = v } };
    const double weights[2] = { 0.75, 0.25 };
    struct tw_values values;
    struct tw_request r = { .at = { .f = x }, .values = &values };
    struct tw_err err = { 0 };

    stop_if(!g, &(struct tw_err){ .msg = "out of memory" });
    for (size_t i = 0; i < p->dim; i++)
        v[i] += 0.01F * (float)(i % 17) / 17.0F;
    t->flops = tw_graph_flops(tw_problem_graph(p)) * (double)net->n;
    t->loss = least(p, &r);
    stop_if(tw_problem_anchor(p, 2, ends, NULL, &err) != TW_OK, &err);
    t->line = least(p, &(struct tw_request){ .weights = weights, .values = &values });
    tw_problem_free(p);
    p = make(net->spec, d, net->n, net->classes,
             (struct tw_problem_options){ .exec = { .tangents = 1 } });
    r.ndirections = 1;
    r.directions = &(struct tw_vector){ .f = v };
    r.slopes = &slope;
    t->jvp = least(p, &r);
    tw_problem_free(p);
    p = make(net->spec, d, net->n, net->classes,
             (struct tw_problem_options){ .exec = { .gradient = true } });
    r.slopes = NULL;
    r.ndirections = 0;
    r.gradient = g;
    t->gradient = least(p, &r);
    t->memory = tw_problem_memory(p);
    tw_problem_free(p);
    free(x);
    free(v);
    free(g);
}

static void time_step(const struct net *net, struct times *t)
{
    struct tw_dataset d = { .name = NULL };
    struct tw_problem *p =
        make(net->step, &d, net->batch, net->classes,
             (struct tw_problem_options){ .graph = { .batch_statistics = true, .dropout = true },
                                          .exec = { .gradient = true } });
    float *x = start_of(p);
    double *g = tw_alloc(p->dim, sizeof *g), *s = tw_alloc(p->layout->nb, sizeof *s);
    struct tw_values values;

    stop_if(!g || !s, &(struct tw_err){ .msg = "out of memory" });
    t->step = least(p, &(struct tw_request){ .at = { .f = x },
                                             .values = &values,
                                             .gradient = g,
                                             .statistics = p->layout->nb ? s : NULL });
    tw_problem_free(p);
    tw_dataset_release(&d);
    free(x);
    free(g);
    free(s);
}

int main(int argc, char **argv)
{
    bool json = false, first = true;
    int named = 1;

    for (; named < argc && argv[named][0] == '-'; named++) {
        json = json || !strcmp(argv[named], "--json");
        if (!strcmp(argv[named], "--cpu"))
            chosen_clock = CLOCK_PROCESS_CPUTIME_ID;
    }
    if (json)
        printf("{");
    for (size_t k = 0; k < sizeof nets / sizeof nets[0]; k++) {
        bool chosen = argc == named;
        struct tw_dataset d = { .name = NULL };
        struct times t;

        for (int i = named; i < argc; i++)
            chosen = chosen || !strcmp(argv[i], nets[k].name);
        if (!chosen)
            continue;
        time_step(&nets[k], &t);
        time_study(&nets[k], &d, &t);
        if (json)
            printf("%s\"%s\":{\"loss\":%.6f,\"line\":%.6f,\"jvp\":%.6f,\"gradient\":%.6f,"
                   "\"step\":%.6f}",
                   first ? "" : ",", nets[k].name, t.loss, t.line, t.jvp, t.gradient, t.step);
        else
            printf(
                "%-9s loss %6.1f ms (%5.1f GFLOP/s)  line %6.1f ms  jvp %6.1f ms  gradient %6.1f "
                "ms (%.0f MB)  step %6.1f ms; %zu threads\n",
                nets[k].name, 1e3 * t.loss, 1e-9 * t.flops / t.loss, 1e3 * t.line, 1e3 * t.jvp,
                1e3 * t.gradient, 1e-6 * (double)t.memory, 1e3 * t.step,
                (size_t)omp_get_max_threads());
        (void)fflush(stdout);
        first = false;
        tw_dataset_release(&d);
    }
    if (json)
        printf("}\n");
    return 0;
}
