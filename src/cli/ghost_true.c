/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `thalweg ghost --true`: radii of the network as it is, of some samples. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "ghost.h"

/* The network once more, without its loss. */
enum tw_status tw_ghost_truths_open(struct ghost *g, const char *checkpoint)
{
    struct tw_err *err = &g->call->err;
    struct tw_net *net = tw_load_net(g->call, &g->o->net, checkpoint, NULL);

    if (net && tw_net_cool(net, g->o->temperature, err) == TW_OK)
        g->bare = tw_graph_new(net, NULL, err);
    tw_net_free(net);
    return g->bare ? TW_OK : err->code;
}

/* ---- which samples ------------------------------------------------------------------------- */

static bool is_taken(const struct ghost_line *l, size_t n, size_t row)
{
    for (size_t k = 0; k < n; k++)
        if (l->row[l->truth[k].softmax] == row)
            return true;
    return false;
}

/* Different rows of the data with the least linearised radii, in order. */
static void choose(struct ghost *g, struct ghost_line *l)
{
    const double *x = g->exact == TW_GHOST_ALL ? l->rho : l->low;

    for (l->ntruth = 0; l->ntruth < g->o->truths; l->ntruth++) {
        size_t best = l->n;

        for (size_t i = 0; i < l->n; i++)
            if (!isnan(x[i]) && (best == l->n || x[i] < x[best]) &&
                !is_taken(l, l->ntruth, l->row[i]))
                best = i;
        if (best == l->n)
            return;
        l->truth[l->ntruth].softmax = best;
    }
}

/* ---- finding ------------------------------------------------------------------------------- */

static enum tw_status begin(struct ghost *g, const double *v, double *params,
                            struct tw_ghost_true_search **s)
{
    const struct tw_loss_ports *ports = tw_problem_ports(g->problem);
    struct tw_ghost_true_line line = { .graph = g->bare,
                                       .params = params,
                                       .direction = v,
                                       .buffers = g->buffers,
                                       .x = &g->data.x,
                                       .classes = ports->classes,
                                       .inner = 1,
                                       .threads = g->call->common.threads };

    if (tw_graph_layout(g->bare)->n != g->problem->dim)
        return tw_err_set(&g->call->err, TW_EFORMAT,
                          "--true: the network has other parameters without its loss");
    for (int i = ports->axis; i < ports->target_rank; i++) /* the axes behind the classes */
        line.inner *= ports->target_dims[i];
    for (size_t i = 0; i < g->problem->dim; i++)
        params[i] = (double)g->params[i];
    *s = tw_ghost_true_new(&line, &g->call->err);
    return *s ? TW_OK : tw_err_ctx(&g->call->err, g->call->err.code, "--true");
}

static void name_limits(const struct tw_ghost_true_search *s, struct ghost_truth *t)
{
    struct tw_complex_site site = { .name = "", .what = "the softmax" };

    if (t->t.site < tw_ghost_true_nsite(s))
        site = tw_ghost_true_site(s, t->t.site);
    t->where = site.name;
    t->what = t->t.state == TW_GHOST_TRUE_BEYOND ? "nothing found"
              : isnan(t->t.radius)               ? "not resolved"
                                                 : site.what;
}

/* A block of rows for each look at whether to stop. */
static void find_all(struct ghost *g, struct ghost_line *l, struct tw_ghost_true_search *s)
{
    enum { BLOCK = 16 };
    size_t done = 0;

    while (done < l->ntruth && !(done && tw_stop_requested())) {
        const size_t n = l->ntruth - done < BLOCK ? l->ntruth - done : BLOCK;
        struct tw_ghost_true t[BLOCK];
        size_t rows[BLOCK];
        double start[BLOCK];

        for (size_t i = 0; i < n; i++) {
            const size_t k = l->truth[done + i].softmax;
            const double x = g->exact == TW_GHOST_ALL ? l->rho[k] : l->low[k];

            rows[i] = l->row[k];
            start[i] = isfinite(x) && x > 0.0 ? x : isfinite(l->tau) ? fabs(l->tau) : 1.0;
        }
        tw_ghost_true_run(s, n, rows, start, t);
        for (size_t i = 0; i < n; i++) {
            l->truth[done + i].t = t[i];
            name_limits(s, &l->truth[done + i]);
        }
        done += n;
    }
    l->ntruth = done;
}

enum tw_status tw_ghost_truths_find(struct ghost *g, struct ghost_line *l, const double *v)
{
    const struct tw_loss_ports *ports = tw_problem_ports(g->problem);
    double *params = tw_alloc(g->problem->dim, sizeof *params);
    struct tw_ghost_true_search *s = NULL;
    enum tw_status rc;

    l->truth = tw_alloc(g->o->truths, sizeof *l->truth);
    if (!l->truth || !params)
        rc = tw_err_set(&g->call->err, TW_ENOMEM, "out of memory");
    else if (l->n * ports->classes != g->problem->n * g->problem->width)
        rc = tw_err_set(&g->call->err, TW_EFORMAT,
                        "--true: targets that are ignored would count; leave it out");
    else
        rc = begin(g, v, params, &s);
    if (rc == TW_OK) {
        choose(g, l);
        find_all(g, l, s);
    }
    tw_ghost_true_free(s);
    free(params);
    return rc;
}

/* ---- telling ------------------------------------------------------------------------------- */

double tw_ghost_truth_least(const struct ghost_line *l)
{
    double least = (double)NAN;

    for (size_t k = 0; k < l->ntruth; k++)
        if (l->truth[k].t.state != TW_GHOST_TRUE_OPEN)
            least = fmin(least, l->truth[k].t.radius); /* fmin leaves NaN out */
    return least;
}

static const char *state_name(const struct ghost_truth *t)
{
    static const char *const names[] = { "counted", "beyond", "open" };

    return names[t->t.state];
}

void tw_ghost_truths_print(const struct ghost_line *l)
{
    static const char *const head[] = { "sample",     "true radius", "/ its rho_a", "/ its rho*",
                                        "limited by", "first kink",  "state" };
    const double least = tw_ghost_truth_least(l);
    struct tw_table t = { 0 };
    size_t open = 0;

    tw_table_head(&t, head, 7);
    for (size_t k = 0; k < l->ntruth; k++) {
        const struct ghost_truth *x = &l->truth[k];
        struct tw_str by = { 0 };

        tw_str_addf(&by, "%s%s%s", x->where, *x->where ? " " : "", x->what);
        tw_table_size(&t, l->row[x->softmax]);
        tw_table_real(&t, "%.4g", x->t.radius);
        tw_table_real(&t, "%.3g", x->t.radius / l->rho_a[x->softmax]);
        tw_table_real(&t, "%.3g", x->t.radius / l->rho[x->softmax]);
        tw_table_text(&t, by.s ? by.s : "?");
        tw_table_real(&t, "%.3g", x->t.kink);
        tw_table_text(&t, state_name(x));
        tw_str_release(&by);
        open += x->t.state == TW_GHOST_TRUE_OPEN;
    }
    printf("\n");
    tw_table_print(&t);
    if (open)
        printf("%zu of %zu were not resolved: something may be nearer\n", open, l->ntruth);
    if (least < l->all.rho_a.value)
        printf("The least true radius is %.3g times rho_a: the linearised bound is no bound of the "
               "true loss here.\n",
               least / l->all.rho_a.value);
    if (!isnan(l->tau) && fabs(l->tau) >= least)
        printf("The step is %.3g times the least true radius: the loss's own series does not "
               "reach that far.\n",
               fabs(l->tau) / least);
}

void tw_ghost_truths_json(struct tw_json *j, const struct ghost_line *l)
{
    tw_json_open(j, "true", '[');
    for (size_t k = 0; k < l->ntruth; k++) {
        const struct ghost_truth *x = &l->truth[k];

        tw_json_open(j, NULL, '{');
        tw_json_size(j, "row", l->row[x->softmax]);
        tw_json_text(j, "state", state_name(x));
        tw_json_real(j, "radius", x->t.radius);
        tw_json_real(j, "low", x->t.low);
        tw_json_real(j, "re", x->t.re);
        tw_json_real(j, "im", x->t.im);
        tw_json_real(j, "rho_a", l->rho_a[x->softmax]);
        tw_json_real(j, "rho_star", l->rho[x->softmax]);
        tw_json_text(j, "where", x->where);
        tw_json_text(j, "what", x->what);
        tw_json_real(j, "kink", x->t.kink);
        tw_json_size(j, "evaluations", x->t.evaluations);
        tw_json_close(j, '}');
    }
    tw_json_close(j, ']');
}

/* ---- the result file ----------------------------------------------------------------------- */

static double row_of(const struct ghost_line *l, const struct ghost_truth *x)
{
    return (double)l->row[x->softmax];
}
static double state_of(const struct ghost_line *l, const struct ghost_truth *x)
{
    (void)l;
    return (double)x->t.state;
}
static double radius_of(const struct ghost_line *l, const struct ghost_truth *x)
{
    (void)l;
    return x->t.radius;
}
static double low_of(const struct ghost_line *l, const struct ghost_truth *x)
{
    (void)l;
    return x->t.low;
}
static double re_of(const struct ghost_line *l, const struct ghost_truth *x)
{
    (void)l;
    return x->t.re;
}
static double im_of(const struct ghost_line *l, const struct ghost_truth *x)
{
    (void)l;
    return x->t.im;
}
static double kink_of(const struct ghost_line *l, const struct ghost_truth *x)
{
    (void)l;
    return x->t.kink;
}

static const struct {
    const char *path, *unit, *meaning;
    double (*of)(const struct ghost_line *l, const struct ghost_truth *x);
} columns[] = {
    { "/true/row", "", "row of the data set (of its split), from 0", row_of },
    { "/true/state", "", "0 counted, 1 beyond what was searched, 2 open: not resolved", state_of },
    { "/true/radius", "parameter length", "modulus of the nearest singularity", radius_of },
    { "/true/low", "parameter length", "no singularity is nearer, by count", low_of },
    { "/true/re", "parameter length", "real part of the singularity", re_of },
    { "/true/im", "parameter length", "imaginary part", im_of },
    { "/true/kink", "parameter length", "where a unit first leaves its piece", kink_of },
};

enum tw_status tw_ghost_truths_put(const struct ghost *g, struct tw_result *r)
{
    size_t dims[2] = { g->nline, 0 }, n;
    enum tw_status rc = TW_OK;
    const char **by;
    double *x;

    for (size_t i = 0; i < g->nline; i++)
        dims[1] = g->line[i].ntruth > dims[1] ? g->line[i].ntruth : dims[1];
    n = dims[1];
    x = n <= SIZE_MAX / (g->nline + 1) ? tw_alloc(g->nline * n, sizeof *x) : NULL;
    by = x ? tw_alloc(g->nline * n, sizeof *by) : NULL;
    if (!by)
        rc = tw_err_set(&g->call->err, TW_ENOMEM, "out of memory");
    for (size_t c = 0; rc == TW_OK && c < sizeof columns / sizeof *columns; c++) {
        for (size_t i = 0; i < g->nline * n; i++) {
            const struct ghost_line *l = &g->line[i / n];
            const bool is = i % n < l->ntruth;

            x[i] = is ? columns[c].of(l, &l->truth[i % n]) : (double)NAN;
            by[i] = is ? l->truth[i % n].what : "";
        }
        rc = tw_result_put_reals(r, columns[c].path, 2, dims, x, columns[c].unit,
                                 columns[c].meaning, &g->call->err);
    }
    if (rc == TW_OK)
        rc = tw_result_put_texts(r, "/true/limit", g->nline * n, by,
                                 "what is singular there, in the order of /true/radius",
                                 &g->call->err);
    free(x);
    free(by);
    return rc;
}

void tw_ghost_truths_get(struct tw_reader *in, struct ghost *g)
{
    size_t dims[2] = { g->nline, SIZE_MAX };
    double *re = tw_reader_reals(in, "/true/re", 2, dims);
    double *im = tw_reader_reals(in, "/true/im", 2, dims);

    for (size_t i = 0; in->rc == TW_OK && i < g->nline; i++) {
        struct ghost_line *l = &g->line[i];

        l->truth = tw_alloc(dims[1], sizeof *l->truth);
        if (!l->truth) {
            tw_reader_no_memory(in);
            break;
        }
        l->ntruth = dims[1];
        for (size_t k = 0; k < l->ntruth; k++) {
            l->truth[k].t.re = re[i * l->ntruth + k];
            l->truth[k].t.im = im[i * l->ntruth + k];
        }
    }
    free(re);
    free(im);
}
