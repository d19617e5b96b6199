/* SPDX-License-Identifier: GPL-3.0-or-later */
/* bench_line DATA A B ...: lines between pairs of checkpoints. For each: the points that the
 * adaptive line takes, its stated error against the true one (1,001 points, in double precision),
 * how far its top is off, and how many even points the same curve needs to be as good. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "thalweg/graph_match.h"
#include "thalweg/landscape_line.h"
#include "thalweg/store_data.h"
#include "thalweg/store_result.h"
#include "thalweg/store_weights.h"

enum { FINE = 1001, CAPACITY = 200 };

struct pair {
    struct tw_problem *p;
    float *a, *b, *buf_a, *buf_b, *delta;
    double truth[FINE];
};

static void die(const char *what, const struct tw_err *err)
{
    (void)fprintf(stderr, "bench_line: %s: %s\n", what, err->msg);
    exit(3);
}

static void find_model(void *ctx, const char *path, const char *type, const char *shape,
                       const char *value)
{
    char **model = ctx;

    (void)type;
    (void)shape;
    if (!strcmp(path, "/@model") && !*model)
        *model = tw_strdup(value);
}

static void load(const char *path, const struct tw_layout *layout, float *params, float *buffers)
{
    struct tw_named_list list = { 0 };
    struct tw_match match = { 0 };
    struct tw_err err = { 0 };

    if (tw_store_weights_read(path, NULL, &list, NULL, &err) != TW_OK ||
        tw_match_weights(layout, NULL, &list, params, buffers, &match, &err) != TW_OK)
        die(path, &err);
    tw_match_release(&match);
    tw_named_release(&list);
}

static const double from[] = { 1.0, 0.0 }, to[] = { 0.0, 1.0 };

static struct pair open_pair(const char *data_path, const char *a, const char *b,
                             struct tw_dataset *data)
{
    static const char *const model_attribute = "model";
    const double scale = 1.0 / 16.0;
    struct tw_data_options d = { .scale = scale, .split = "train" };
    struct tw_problem_options po = { .exec = { .tangents = 1 } };
    struct tw_err err = { 0 };
    struct pair s = { 0 };
    struct tw_net *net;
    char *model = NULL;
    size_t n, nb;

    if (tw_info_hdf5(a, find_model, &model, &err) != TW_OK)
        die(a, &err);
    net = model ? tw_family_net(model, &err) : NULL;
    if (!net)
        die(model_attribute, &err);
    if (tw_store_data_read(data_path, NULL, &d, data, NULL, NULL, &err) != TW_OK)
        die(data_path, &err);
    po.exec.real64 = true;
    s.p = tw_problem_new(net, data, &po, &err);
    if (!s.p)
        die(a, &err);
    n = s.p->dim;
    nb = s.p->layout->nb;
    s.a = tw_alloc(n, sizeof *s.a);
    s.b = tw_alloc(n, sizeof *s.b);
    s.delta = tw_alloc(n, sizeof *s.delta);
    s.buf_a = tw_alloc(nb, sizeof *s.buf_a);
    s.buf_b = tw_alloc(nb, sizeof *s.buf_b);
    load(a, s.p->layout, s.a, s.buf_a);
    load(b, s.p->layout, s.b, s.buf_b);
    for (size_t i = 0; i < n; i++)
        s.delta[i] = s.b[i] - s.a[i];
    if (tw_problem_anchor(s.p, 2, (struct tw_vector[]){ { .f = s.a }, { .f = s.b } },
                          (const float *const[]){ s.buf_a, s.buf_b }, &err) != TW_OK)
        die(b, &err);
    tw_net_free(net);
    free(model);
    return s;
}

static double at(struct pair *s, double t, double *error)
{
    const double w[] = { 1.0 - t, t };
    struct tw_values v;
    struct tw_err err = { 0 };

    if (tw_problem_eval(s->p, &(struct tw_request){ .weights = w, .values = &v }, &err) != TW_OK)
        die("evaluation", &err);
    if (error)
        *error = v.error.value;
    return v.loss.value;
}

static double true_error(const struct tw_line *l, const struct pair *s)
{
    double worst = 0.0;

    for (size_t i = 0; i < FINE; i++)
        worst =
            fmax(worst, fabs(tw_line_at(l, TW_LINE_LOSS, (double)i / (FINE - 1)) - s->truth[i]));
    return worst;
}

/* Even points until the same curve is as good. */
static size_t even_points(struct pair *s, double error)
{
    struct tw_err err = { 0 };

    for (size_t n = 5; n < CAPACITY; n++) {
        struct tw_line_options o = { .hi = 1.0, .max_points = n, .even = true };
        const struct tw_line_path path = { 2, from, to, NULL };
        struct tw_line l;
        double e;

        if (tw_line_init(&l, &o, &err) != TW_OK ||
            tw_line_sample(&l, s->p, &path, NULL, NULL, &err) != TW_OK)
            die("even", &err);
        e = true_error(&l, s);
        tw_line_release(&l);
        if (e <= error)
            return n;
    }
    return CAPACITY;
}

static void row(struct pair *s, double tol, bool slopes)
{
    struct tw_line_options o = { .hi = 1.0, .tol = tol, .max_points = CAPACITY };
    const struct tw_vector direction = { .f = s->delta };
    const struct tw_line_path path = { 2, from, to, slopes ? &direction : NULL };
    double top = -INFINITY, excess = -INFINITY, found, error, t;
    struct tw_err err = { 0 };
    struct tw_line l;
    clock_t start = clock();

    if (tw_line_init(&l, &o, &err) != TW_OK ||
        tw_line_sample(&l, s->p, &path, NULL, NULL, &err) != TW_OK)
        die("adaptive", &err);
    start = clock() - start;
    for (size_t i = 0; i < FINE; i++) {
        t = (double)i / (FINE - 1);
        top = fmax(top, s->truth[i]);
        excess = fmax(excess, s->truth[i] - (1.0 - t) * s->truth[0] - t * s->truth[FINE - 1]);
    }
    error = true_error(&l, s);
    found = tw_line_top(&l, TW_LINE_LOSS, true, &t);
    printf("  %-8.0e %-6s %4zu %10.1e %10.1e %6zu %10.1e %10.1e  t %.4f %s%.0f us a point\n", tol,
           slopes ? "yes" : "no", l.n, tw_line_stated_error(&l, TW_LINE_LOSS), error,
           slopes ? (size_t)0 : even_points(s, error),
           top - tw_line_top(&l, TW_LINE_LOSS, false, NULL), excess - found, t,
           tw_line_converged(&l) ? "" : "(not converged) ",
           1e6 * (double)start / CLOCKS_PER_SEC / (double)l.n);
    tw_line_release(&l);
}

int main(int argc, char **argv)
{
    static const double tol[] = { 1e-2, 3e-3, 1e-3, 3e-4, 1e-4 };

    for (int i = 2; i + 1 < argc; i += 2) {
        struct tw_dataset data = { 0 };
        struct pair s = open_pair(argv[1], argv[i], argv[i + 1], &data);
        double lo = INFINITY, hi = -INFINITY;

        for (size_t k = 0; k < FINE; k++) {
            s.truth[k] = at(&s, (double)k / (FINE - 1), NULL);
            lo = fmin(lo, s.truth[k]);
            hi = fmax(hi, s.truth[k]);
        }
        printf("%s %s: loss %.4g to %.4g\n  tol      slopes  n     stated       true   even "
               "top missed excess missed\n",
               argv[i], argv[i + 1], lo, hi);
        for (size_t k = 0; k < 5; k++) {
            row(&s, tol[k], false);
            if (!s.p->layout->nb)
                row(&s, tol[k], true);
        }
        tw_problem_free(s.p);
        tw_dataset_release(&data);
        free(s.a);
        free(s.b);
        free(s.delta);
        free(s.buf_a);
        free(s.buf_b);
    }
    return 0;
}
