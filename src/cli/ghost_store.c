/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The result file of `thalweg ghost`: numbers of each line, of each softmax and layer on it. */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ghost.h"
#include "thalweg/store_reader.h"

/* A number of a line, or the array of its softmaxes. */
struct column {
    const char *path, *unit, *meaning;
    enum { OF_LINE, OF_SOFTMAX } of;
    size_t at; /* offset in struct ghost_line of the number or the array */
};

#define LINE(field) OF_LINE, offsetof(struct ghost_line, field)
#define EACH(field) OF_SOFTMAX, offsetof(struct ghost_line, field)
static const struct column columns[] = {
    { "/line/tau", "parameter length", "length of the step; NaN: a direction without one",
      LINE(tau) },
    { "/line/step", "updates", "the checkpoint's step; NaN: it has none", LINE(step) },
    { "/line/loss", "nats", "mean loss at the point", LINE(loss) },
    { "/line/error", "", "error rate at the point", LINE(error) },
    { "/line/slope", "nats / parameter length", "derivative of the loss along the line",
      LINE(slope) },
    { "/line/curvature", "nats / parameter length^2", "second derivative", LINE(curvature) },
    { "/line/rho_a", "parameter length", "pi T over the largest spread of slopes",
      LINE(all.rho_a.value) },
    { "/line/bound", "parameter length", "least of the best proved lower bounds",
      LINE(all.low.value) },
    { "/line/b1", "parameter length", "B1: bound by the log-odds of the top class",
      LINE(all.b1.value) },
    { "/line/b2", "parameter length", "B2: bound by where the top class falls to one half",
      LINE(all.b2.value) },
    { "/line/b3", "parameter length", "B3: bound by the variance of the slopes",
      LINE(all.b3.value) },
    { "/line/rho_star", "parameter length", "modulus of the nearest zero", LINE(all.rho.value) },
    { "/line/quadratic", "parameter length", "bound for quadratic logits", LINE(quadratic) },
    { "/softmax/rho_a", "parameter length", "pi T over the spread of slopes", EACH(rho_a) },
    { "/softmax/bound", "parameter length", "best proved lower bound", EACH(low) },
    { "/softmax/rho_star", "parameter length", "modulus of the nearest zero", EACH(rho) },
    { "/softmax/re", "parameter length", "real part of the nearest zero", EACH(re) },
    { "/softmax/im", "parameter length", "imaginary part", EACH(im) },
    { "/softmax/flip", "parameter length", "where the prediction changes, linear logits",
      EACH(flip) },
    { "/softmax/variance", "1 / parameter length^2", "variance of the slopes over T",
      EACH(variance) },
};
enum { COLUMNS = sizeof columns / sizeof *columns };

static const void *place(const struct ghost_line *l, const struct column *c)
{
    return (const char *)l + c->at;
}

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
    const size_t all = c->of == OF_LINE                 ? g->nline
                       : n <= SIZE_MAX / (g->nline + 1) ? g->nline * n
                                                        : SIZE_MAX;
    double *x = tw_alloc(all, sizeof *x);
    enum tw_status rc;

    if (!x)
        return tw_err_set(&g->call->err, TW_ENOMEM, "out of memory");
    for (size_t i = 0; i < g->nline; i++) {
        const struct ghost_line *l = &g->line[i];

        if (c->of == OF_LINE)
            x[i] = *(const double *)place(l, c);
        for (size_t k = 0; c->of == OF_SOFTMAX && k < n; k++)
            x[i * n + k] = k < l->n ? (*(double *const *)place(l, c))[k] : (double)NAN;
    }
    rc = tw_result_put_reals(r, c->path, c->of == OF_LINE ? 1 : 2, dims, x, c->unit, c->meaning,
                             &g->call->err);
    free(x);
    return rc;
}

static enum tw_status put_rows(const struct ghost *g, struct tw_result *r)
{
    const size_t n = softmaxes(g);
    const struct ghost_line *l = g->line;
    double *x = tw_alloc(n, sizeof *x);
    enum tw_status rc;

    while (l->n < n)
        l++;
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

/* Of a step that was passed over there are no layers; the others have the same. */
static enum tw_status put_layers(const struct ghost *g, struct tw_result *r)
{
    struct tw_err *err = &g->call->err;
    const struct ghost_line *named = g->line;
    size_t dims[2] = { g->nline };
    const char **name;
    double *x[2];
    enum tw_status rc = TW_OK;

    for (size_t i = 0; i < g->nline; i++)
        named = g->line[i].nlayer > named->nlayer ? &g->line[i] : named;
    dims[1] = named->nlayer;
    if (dims[1] == 0)
        return TW_OK;
    name = tw_alloc(dims[1], sizeof *name);
    x[0] = tw_alloc(2 * dims[0] * dims[1], sizeof *x[0]);
    x[1] = x[0] ? x[0] + dims[0] * dims[1] : NULL;
    if (!name || !x[0])
        rc = tw_err_set(err, TW_ENOMEM, "out of memory");
    for (size_t k = 0; rc == TW_OK && k < dims[0] * dims[1]; k++) {
        const struct ghost_line *l = &g->line[k / dims[1]];
        const size_t j = k % dims[1];

        name[j] = named->layer[j].name;
        x[0][k] = j < l->nlayer ? l->layer[j].tau : (double)NAN;
        x[1][k] = j < l->nlayer ? l->layer[j].rho_a : (double)NAN;
    }
    if (rc == TW_OK)
        rc =
            tw_result_put_texts(r, "/layer/name", dims[1], name, "layers, by the input first", err);
    if (rc == TW_OK)
        rc = tw_result_put_reals(r, "/layer/tau", 2, dims, x[0], "parameter length",
                                 "length of the step's part in the layer", err);
    if (rc == TW_OK)
        rc = tw_result_put_reals(r, "/layer/rho_a", 2, dims, x[1], "parameter length",
                                 "pi T over the largest spread of slopes along that part", err);
    free(name);
    free(x[0]);
    return rc;
}

static enum tw_status put_horizon(const struct ghost *g, struct tw_result *r)
{
    enum tw_status rc = tw_result_put_reals(r, "/horizon/distance", 1, &g->nhorizon, g->horizon[0],
                                            "parameter length", "along the step", &g->call->err);

    if (rc == TW_OK)
        rc = tw_result_put_reals(r, "/horizon/loss", 1, &g->nhorizon, g->horizon[1], "nats",
                                 "mean loss, by the scan", &g->call->err);
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
        rc = put_layers(g, r);
    if (rc == TW_OK && g->nhorizon)
        rc = put_horizon(g, r);
    if (rc == TW_OK)
        rc = tw_result_put_text(r, "/figure", g->figure, "what `thalweg plot` draws", err);
    if (rc == TW_OK)
        rc = tw_result_close(r, err);
    else
        tw_result_abandon(r);
    free(names);
    return rc;
}

/* ---- reading ------------------------------------------------------------------------------- */

static void get_column(struct tw_reader *in, struct ghost *g, const struct column *c, size_t n)
{
    double *x = tw_reader_reals(in, c->path, c->of == OF_LINE ? 1 : 2, (size_t[]){ g->nline, n });

    for (size_t i = 0; x && i < g->nline; i++) {
        void *to = (char *)&g->line[i] + c->at;

        if (c->of == OF_LINE)
            *(double *)to = x[i];
        else if (n > 0)
            memcpy(*(double **)to, x + i * n, n * sizeof *x);
    }
    free(x);
}

static void get_lines(struct tw_reader *in, struct ghost *g)
{
    size_t dims[2] = { SIZE_MAX, SIZE_MAX }, nline = SIZE_MAX;
    char **name = tw_reader_texts(in, "/line/name", &nline);
    double *star;

    if (name && nline == 0)
        tw_reader_refuse(in, "/line/name is empty");
    g->nline = dims[0] = name ? nline : 0;
    star = tw_reader_reals(in, "/softmax/rho_star", 2, dims);
    g->line = tw_alloc(g->nline, sizeof *g->line);
    if (!g->line)
        tw_reader_no_memory(in);
    for (size_t i = 0; in->rc == TW_OK && i < g->nline; i++) {
        in->rc = tw_ghost_line_make(&g->line[i], dims[1], in->err);
        g->line[i].name = name[i];
        name[i] = NULL;
    }
    for (size_t i = 0; i < COLUMNS; i++)
        get_column(in, g, &columns[i], dims[1]);
    g->exact = TW_GHOST_BOUNDS;
    for (size_t i = 0; star && i < dims[0] * dims[1]; i++)
        if (!isnan(star[i]))
            g->exact = TW_GHOST_ALL;
    tw_reader_free_texts(name, nline);
    free(star);
}

static void get_onsets(struct tw_reader *in, struct ghost *g)
{
    size_t n = SIZE_MAX;
    char **kind = tw_reader_texts(in, "/onset/kind", &n);
    double *x = NULL;

    if (kind && n > GHOST_ONSETS)
        tw_reader_refuse(in, "/onset/kind has more than %d entries", GHOST_ONSETS);
    x = tw_reader_reals(in, "/onset/length", 2, (size_t[]){ g->nline, n });
    for (size_t k = 0; x && k < n; k++) {
        (void)snprintf(g->onsets[k].text, sizeof g->onsets[k].text, "%s", kind[k]);
        for (size_t i = 0; i < g->nline; i++)
            g->line[i].onset[k] = x[i * n + k];
    }
    g->nonset = x ? n : 0;
    tw_reader_free_texts(kind, n);
    free(x);
}

static void get_layers(struct tw_reader *in, struct ghost *g)
{
    size_t dims[2] = { g->nline, SIZE_MAX };
    double *tau, *rho_a;

    g->layer_name = tw_reader_texts(in, "/layer/name", &dims[1]);
    g->nlayer_name = g->layer_name ? dims[1] : 0;
    tau = tw_reader_reals(in, "/layer/tau", 2, dims);
    rho_a = tw_reader_reals(in, "/layer/rho_a", 2, dims);
    for (size_t i = 0; in->rc == TW_OK && i < g->nline; i++) {
        struct ghost_line *l = &g->line[i];

        l->layer = tw_alloc(dims[1], sizeof *l->layer);
        if (!l->layer) {
            tw_reader_no_memory(in);
            break;
        }
        l->nlayer = dims[1];
        for (size_t k = 0; k < l->nlayer; k++)
            l->layer[k] = (struct ghost_layer){ g->layer_name[k], tau[i * l->nlayer + k],
                                                rho_a[i * l->nlayer + k] };
    }
    free(tau);
    free(rho_a);
}

static void get_horizon(struct tw_reader *in, struct ghost *g)
{
    g->nhorizon = SIZE_MAX;
    g->horizon[0] = tw_reader_reals(in, "/horizon/distance", 1, &g->nhorizon);
    g->horizon[1] = tw_reader_list(in, "/horizon/loss", g->nhorizon);
}

static void get_figure(struct tw_reader *in, struct ghost *g)
{
    static const char *const known[] = { GHOST_LAYERS, GHOST_RUN, GHOST_DAMAGE, GHOST_HORIZON };
    char *name = tw_reader_text(in, "/figure");

    for (size_t k = 0; name && k < sizeof known / sizeof *known; k++)
        if (!strcmp(name, known[k]))
            g->figure = known[k];
    free(name);
}

enum tw_status tw_ghost_read(struct ghost *g, const char *path)
{
    static const struct {
        const char *if_there;
        void (*read)(struct tw_reader *in, struct ghost *g);
    } parts[] = {
        { "/line/name", get_lines },         { "/onset/kind", get_onsets },
        { "/layer/name", get_layers },       { "/horizon/distance", get_horizon },
        { "/true/re", tw_ghost_truths_get }, { "/figure", get_figure },
    };
    struct tw_reader in = tw_reader_open(path, "ghost", &g->call->err);

    g->figure = GHOST_ZEROS;
    for (size_t k = 0; k < sizeof parts / sizeof *parts; k++)
        if (k == 0 || tw_reader_has(&in, parts[k].if_there))
            parts[k].read(&in, g);
    return tw_reader_close(&in);
}
