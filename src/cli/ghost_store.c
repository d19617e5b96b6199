/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The result file of `thalweg ghost`: numbers of each line, and of each softmax on it. */
#include <math.h>
#include <stdlib.h>

#include "ghost.h"

/* A number of a line, or the array of its softmaxes. */
struct column {
    const char *path, *unit, *meaning;
    double (*of_line)(const struct ghost_line *l);
    size_t array; /* offset in struct ghost_line */
};

static double tau(const struct ghost_line *l)
{
    return l->tau;
}
static double step(const struct ghost_line *l)
{
    return l->step;
}
static double loss(const struct ghost_line *l)
{
    return l->loss;
}
static double error(const struct ghost_line *l)
{
    return l->error;
}
static double slope(const struct ghost_line *l)
{
    return l->slope;
}
static double curvature(const struct ghost_line *l)
{
    return l->curvature;
}
static double rho_a(const struct ghost_line *l)
{
    return l->all.rho_a.value;
}
static double bound(const struct ghost_line *l)
{
    return l->all.low.value;
}
static double rho_star(const struct ghost_line *l)
{
    return l->all.rho.value;
}
static double quadratic(const struct ghost_line *l)
{
    return l->quadratic;
}

#define ARRAY(name) NULL, offsetof(struct ghost_line, name)
static const struct column columns[] = {
    { "/line/tau", "parameter length", "length of the step; NaN: a direction without one", tau, 0 },
    { "/line/step", "updates", "the checkpoint's step; NaN: it has none", step, 0 },
    { "/line/loss", "nats", "mean loss at the point", loss, 0 },
    { "/line/error", "", "error rate at the point", error, 0 },
    { "/line/slope", "nats / parameter length", "derivative of the loss along the line", slope, 0 },
    { "/line/curvature", "nats / parameter length^2", "second derivative", curvature, 0 },
    { "/line/rho_a", "parameter length", "pi T over the largest spread of slopes", rho_a, 0 },
    { "/line/bound", "parameter length", "least of the best proved lower bounds", bound, 0 },
    { "/line/rho_star", "parameter length", "modulus of the nearest zero", rho_star, 0 },
    { "/line/quadratic", "parameter length", "bound for quadratic logits", quadratic, 0 },
    { "/softmax/rho_a", "parameter length", "pi T over the spread of slopes", ARRAY(rho_a) },
    { "/softmax/bound", "parameter length", "best proved lower bound", ARRAY(low) },
    { "/softmax/rho_star", "parameter length", "modulus of the nearest zero", ARRAY(rho) },
    { "/softmax/re", "parameter length", "real part of the nearest zero", ARRAY(re) },
    { "/softmax/im", "parameter length", "imaginary part", ARRAY(im) },
    { "/softmax/flip", "parameter length", "where the prediction changes, linear logits",
      ARRAY(flip) },
    { "/softmax/variance", "1 / parameter length^2", "variance of the slopes over T",
      ARRAY(variance) },
};
enum { COLUMNS = sizeof columns / sizeof *columns };

/* Softmaxes of a line: the same for all, but for one that was passed over. */
static size_t softmaxes(const struct ghost *g)
{
    size_t n = 0;

    for (size_t i = 0; i < g->nline; i++)
        n = g->line[i].n > n ? g->line[i].n : n;
    return n;
}

static enum tw_status put(const struct ghost *g, struct tw_result *r, const struct column *c)
{
    const size_t n = softmaxes(g), dims[2] = { g->nline, n };
    const size_t all = c->of_line                       ? g->nline
                       : n <= SIZE_MAX / (g->nline + 1) ? g->nline * n
                                                        : SIZE_MAX;
    double *x = tw_alloc(all, sizeof *x);
    enum tw_status rc;

    if (!x)
        return tw_err_set(&g->call->err, TW_ENOMEM, "out of memory");
    for (size_t i = 0; i < g->nline; i++) {
        const struct ghost_line *l = &g->line[i];
        double *const *from = (double *const *)(const void *)((const char *)l + c->array);

        if (c->of_line)
            x[i] = c->of_line(l);
        for (size_t k = 0; !c->of_line && k < n; k++)
            x[i * n + k] = k < l->n ? (*from)[k] : (double)NAN;
    }
    rc = tw_result_put_reals(r, c->path, c->of_line ? 1 : 2, dims, x, c->unit, c->meaning,
                             &g->call->err);
    free(x);
    return rc;
}

static enum tw_status put_rows(const struct ghost *g, struct tw_result *r)
{
    const struct ghost_line *l = &g->line[0];
    const size_t n = l->n;
    double *x = tw_alloc(n, sizeof *x);
    enum tw_status rc;

    if (!x)
        return tw_err_set(&g->call->err, TW_ENOMEM, "out of memory");
    for (size_t i = 0; i < n; i++)
        x[i] = (double)l->row[i];
    rc = tw_result_put_reals(r, "/softmax/row", 1, &n, x, "",
                             "row of the data set (of its split), from 0", &g->call->err);
    for (size_t i = 0; i < n; i++)
        x[i] = l->label[i] == SIZE_MAX ? (double)NAN : (double)l->label[i];
    if (rc == TW_OK)
        rc = tw_result_put_reals(r, "/softmax/label", 1, &n, x, "", "target class", &g->call->err);
    free(x);
    return rc;
}

static enum tw_status put_onsets(const struct ghost *g, struct tw_result *r)
{
    const size_t dims[2] = { g->nline, g->nonset };
    const char *names[GHOST_ONSETS];
    double *x = tw_alloc(g->nline * GHOST_ONSETS, sizeof *x);
    enum tw_status rc;

    if (!x)
        return tw_err_set(&g->call->err, TW_ENOMEM, "out of memory");
    for (size_t k = 0; k < g->nonset; k++) {
        names[k] = g->onsets[k].text;
        for (size_t i = 0; i < g->nline; i++)
            x[i * g->nonset + k] = g->line[i].onset[k];
    }
    rc = tw_result_put_texts(r, "/onset/kind", g->nonset, names, "damage that was looked for",
                             &g->call->err);
    if (rc == TW_OK)
        rc = tw_result_put_reals(r, "/onset/length", 2, dims, x, "parameter length",
                                 "where it begins; infinite: not within 1000 rho_a", &g->call->err);
    free(x);
    return rc;
}

enum tw_status tw_ghost_store(const struct ghost *g)
{
    struct tw_err *err = &g->call->err;
    const char **names = tw_alloc(g->nline, sizeof *names);
    struct tw_result *r;
    enum tw_status rc;

    if (!names)
        return tw_err_set(err, TW_ENOMEM, "out of memory");
    for (size_t i = 0; i < g->nline; i++)
        names[i] = g->line[i].name;
    r = tw_result_create(g->call->common.output, "ghost", TW_RESULT_ATOMIC, g->call->common.force,
                         &g->prov.record, err);
    rc = r ? tw_result_put_texts(r, "/line/name", g->nline, names,
                                 "directions, or where steps begin", err)
           : err->code;
    for (size_t i = 0; rc == TW_OK && i < COLUMNS; i++)
        rc = put(g, r, &columns[i]);
    if (rc == TW_OK)
        rc = put_rows(g, r);
    if (rc == TW_OK && g->nonset)
        rc = put_onsets(g, r);
    if (rc == TW_OK && g->bare)
        rc = tw_ghost_truths_put(g, r);
    if (rc == TW_OK)
        rc = tw_result_close(r, err);
    else
        tw_result_abandon(r);
    free(names);
    return rc;
}
