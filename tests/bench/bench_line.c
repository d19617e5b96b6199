/* SPDX-License-Identifier: GPL-3.0-or-later */
/* bench_line DATA A B ...: lines between pairs of checkpoints, in double precision. For each and
 * for tolerances that are shares of the loss's range: the points that the adaptive line takes, its
 * stated error against the true one (1,001 points), how far its top is off, and the points of two
 * even grids with the same curve through them: the first one that is as near to the truth, which
 * only who knows the truth can choose, and the first one whose own stated error does. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "thalweg/graph_match.h"
#include "thalweg/landscape_line.h"
#include "thalweg/store_data.h"
#include "thalweg/store_result.h"
#include "thalweg/store_weights.h"

enum { FINE = 1001, CAPACITY = 130, TOLERANCES = 3 };
static const double tolerance[TOLERANCES] = { 1e-2, 1e-3, 1e-4 };

struct count {
    size_t rows, holds, even, blind, top;
};

struct pair {
    struct tw_problem *p;
    float *a, *b, *buf_a, *buf_b;
    double truth[FINE], range;
    /* of even grids; NAN: not computed yet */
    double even_error[CAPACITY], even_stated[CAPACITY];
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
    s.buf_a = tw_alloc(nb, sizeof *s.buf_a);
    s.buf_b = tw_alloc(nb, sizeof *s.buf_b);
    load(a, s.p->layout, s.a, s.buf_a);
    load(b, s.p->layout, s.b, s.buf_b);
    if (tw_problem_anchor(s.p, 2, (struct tw_vector[]){ { .f = s.a }, { .f = s.b } },
                          (const float *const[]){ s.buf_a, s.buf_b }, &err) != TW_OK)
        die(b, &err);
    tw_net_free(net);
    free(model);
    return s;
}

static double at(struct pair *s, double t)
{
    const double w[] = { 1.0 - t, t };
    struct tw_values v;
    struct tw_err err = { 0 };

    if (tw_problem_eval(s->p, &(struct tw_request){ .weights = w, .values = &v }, &err) != TW_OK)
        die("evaluation", &err);
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

/* The even grid of n points. */
static void even_grid(struct pair *s, size_t n)
{
    struct tw_line_options o = { .hi = 1.0, .max_points = n, .even = true };
    const struct tw_line_path path = { 2, from, to, NULL };
    struct tw_err err = { 0 };
    struct tw_line l;

    if (!isnan(s->even_error[n]))
        return;
    if (tw_line_init(&l, &o, &err) != TW_OK ||
        tw_line_sample(&l, s->p, &path, NULL, NULL, &err) != TW_OK)
        die("even", &err);
    s->even_error[n] = true_error(&l, s);
    s->even_stated[n] = tw_line_stated_error(&l, TW_LINE_LOSS);
    tw_line_release(&l);
}

/* The first even grid whose errors are no more than these. */
static size_t even_points(struct pair *s, double error, double stated)
{
    size_t n = 5;

    for (; n < CAPACITY; n++) {
        even_grid(s, n);
        if (s->even_error[n] <= error && s->even_stated[n] <= stated)
            break;
    }
    return n;
}

static void row(struct pair *s, double share, struct count *count)
{
    const double tol = share * s->range;
    struct tw_line_options o = { .hi = 1.0, .tol = tol, .max_points = CAPACITY };
    const struct tw_line_path path = { 2, from, to, NULL };
    double top = -INFINITY, excess = -INFINITY, error, missed;
    struct tw_err err = { 0 };
    struct tw_line l;
    size_t even, blind;

    if (tw_line_init(&l, &o, &err) != TW_OK ||
        tw_line_sample(&l, s->p, &path, NULL, NULL, &err) != TW_OK)
        die("adaptive", &err);
    for (size_t i = 0; i < FINE; i++) {
        const double t = (double)i / (FINE - 1);

        top = fmax(top, s->truth[i]);
        excess = fmax(excess, s->truth[i] - (1.0 - t) * s->truth[0] - t * s->truth[FINE - 1]);
    }
    missed = fmax(top - tw_line_top(&l, TW_LINE_LOSS, false, NULL),
                  excess - tw_line_top(&l, TW_LINE_LOSS, true, NULL));
    error = true_error(&l, s);
    even = even_points(s, error, (double)INFINITY);
    blind = even_points(s, (double)INFINITY, tol);
    printf("  %-6.0e %4zu %10.1e %10.1e %6zu %6zu %12.1e%s\n", share, l.n,
           tw_line_stated_error(&l, TW_LINE_LOSS) / s->range, error / s->range, even, blind,
           missed / s->range, tw_line_converged(&l) ? "" : "  not converged");
    count->rows++;
    count->holds += error <= tw_line_stated_error(&l, TW_LINE_LOSS);
    count->even += l.n <= even;
    count->blind += l.n <= blind;
    count->top += missed <= tol;
    tw_line_release(&l);
}

static void one_pair(const char *data_path, const char *a, const char *b, struct count *count)
{
    struct tw_dataset data = { 0 };
    struct pair s = open_pair(data_path, a, b, &data);
    double lo = INFINITY, hi = -INFINITY;

    for (size_t n = 0; n < CAPACITY; n++)
        s.even_error[n] = (double)NAN;
    for (size_t k = 0; k < FINE; k++) {
        s.truth[k] = at(&s, (double)k / (FINE - 1));
        lo = fmin(lo, s.truth[k]);
        hi = fmax(hi, s.truth[k]);
    }
    s.range = hi - lo;
    printf("%s %s: loss %.4g to %.4g; errors in its range\n"
           "  tol       n     stated       true   even  blind   top missed\n",
           a, b, lo, hi);
    for (size_t k = 0; k < TOLERANCES; k++)
        row(&s, tolerance[k], count + k);
    tw_problem_free(s.p);
    tw_dataset_release(&data);
    free(s.a);
    free(s.b);
    free(s.buf_a);
    free(s.buf_b);
}

int main(int argc, char **argv)
{
    struct count count[TOLERANCES] = { 0 };

    for (int i = 2; i + 1 < argc; i += 2)
        one_pair(argv[1], argv[i], argv[i + 1], count);
    printf("lines that keep what they state, that take no more points than the even grid of equal "
           "true error, than the\none that stops by its stated error, whose top is missed by no "
           "more than the tolerance\n");
    for (size_t k = 0; k < TOLERANCES; k++)
        printf("  %-6.0e %zu %zu %zu %zu of %zu\n", tolerance[k], count[k].holds, count[k].even,
               count[k].blind, count[k].top, count[k].rows);
    return 0;
}
