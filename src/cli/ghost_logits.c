/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Logits and slopes that were made elsewhere. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "ghost.h"
#include "thalweg/store_weights.h"

struct arrays {
    struct tw_named_list list;
    const struct tw_array *logits, *slopes, *labels, *bends;
    double *z, *a, *b;
};

static double scalar(const struct arrays *x, const char *name, double otherwise)
{
    const struct tw_array *a = tw_named_find(&x->list, name);

    return a && a->n == 1 ? tw_array_real(a, 0) : otherwise;
}

static double *as_reals(const struct tw_array *a)
{
    double *x = a ? tw_alloc(a->n, sizeof *x) : NULL;

    for (size_t i = 0; x && i < a->n; i++)
        x[i] = tw_array_real(a, i);
    return x;
}

static enum tw_status check(const struct arrays *x, struct tw_err *err)
{
    if (!x->logits || !x->slopes)
        return tw_err_set(err, TW_EFORMAT,
                          "no array '%s'; arrays 'logits' and 'slopes' (samples x "
                          "classes) are needed",
                          x->logits ? "slopes" : "logits");
    if (x->logits->rank != 2 || x->logits->dims[0] < 1 || x->logits->dims[1] < 1)
        return tw_err_set(err, TW_EFORMAT, "'logits' should be samples x classes");
    if (!tw_array_same_shape(x->logits, x->slopes))
        return tw_err_set(err, TW_EFORMAT, "'slopes' has another shape than 'logits'");
    if (x->bends && !tw_array_same_shape(x->logits, x->bends))
        return tw_err_set(err, TW_EFORMAT, "'bends' has another shape than 'logits'");
    if (x->labels && x->labels->n != x->logits->dims[0])
        return tw_err_set(err, TW_EFORMAT, "%zu 'labels' for %zu samples", x->labels->n,
                          x->logits->dims[0]);
    for (size_t i = 0; x->labels && i < x->labels->n; i++) {
        const int64_t y = tw_array_int(x->labels, i);

        if (y < 0 || (uint64_t)y >= x->logits->dims[1])
            return tw_err_set(err, TW_EFORMAT, "label %zu is no class from 0 to %zu", i,
                              x->logits->dims[1] - 1);
    }
    return TW_OK;
}

/* Mean loss of the labels, where there are some. */
static void losses(const struct arrays *x, double temperature, struct ghost_line *l)
{
    const size_t n = l->n, classes = l->classes;
    double *loss = tw_alloc(n, sizeof *loss), wrong = 0.0;

    l->loss = l->error = (double)NAN;
    for (size_t i = 0; loss && x->labels && i < n; i++) {
        const double *z = x->z + i * classes;
        const size_t y = (size_t)tw_array_int(x->labels, i);
        size_t top = 0;

        for (size_t k = 1; k < classes; k++)
            top = z[k] > z[top] ? k : top;
        wrong += top == y ? 0.0 : 1.0;
        l->label[i] = y;
        loss[i] = tw_ghost_shift(classes, z, x->a + i * classes, y, temperature, 0.0).loss0;
    }
    if (loss && x->labels) {
        l->loss = tw_sum(loss, n) / (double)n;
        l->error = wrong / (double)n;
    }
    free(loss);
}

static enum tw_status measure(struct ghost *g, const struct arrays *x, struct ghost_line *l)
{
    const double t = scalar(x, "temperature", g->o->temperature);
    const struct tw_ghost_samples s = { x->logits->dims[0], x->logits->dims[1], x->z, x->a, t };
    struct tw_ghost_each each;
    enum tw_status rc = tw_ghost_line_make(l, s.n, &g->call->err);

    if (rc != TW_OK)
        return rc;
    l->classes = s.classes;
    l->tau = isnan(g->o->tau) ? scalar(x, "tau", (double)NAN) : g->o->tau;
    l->step = l->slope = l->curvature = l->quadratic = (double)NAN;
    each = (struct tw_ghost_each){ l->rho_a, l->low, l->rho, l->re, l->im, l->flip, l->variance };
    rc = tw_ghost_batch(&s, g->exact, isfinite(l->tau) ? fabs(l->tau) : 0.0,
                        g->call->common.threads, 0, &each, &l->all, &g->call->err);
    for (size_t i = 0; i < l->n; i++)
        l->row[i] = i;
    if (rc == TW_OK)
        losses(x, t, l);
    if (rc == TW_OK && x->b) {
        l->quadratic = HUGE_VAL;
        for (size_t i = 0; i < l->n; i++)
            l->quadratic = fmin(l->quadratic, tw_ghost_quadratic(l->classes, x->z + i * l->classes,
                                                                 x->a + i * l->classes,
                                                                 x->b + i * l->classes, t));
    }
    return rc;
}

enum tw_status tw_ghost_run_logits(struct ghost *g)
{
    const char *path = g->o->logits;
    struct tw_err *err = &g->call->err;
    struct arrays x = { 0 };
    enum tw_status rc = tw_store_weights_read(path, NULL, &x.list, NULL, err);

    if (rc == TW_OK)
        rc = tw_cmd_provenance_input(&g->prov, path, NULL, err);
    x.logits = tw_named_find(&x.list, "logits");
    x.slopes = tw_named_find(&x.list, "slopes");
    x.labels = tw_named_find(&x.list, "labels");
    x.bends = tw_named_find(&x.list, "bends");
    if (rc == TW_OK)
        rc = check(&x, err);
    if (rc == TW_OK) {
        x.z = as_reals(x.logits);
        x.a = as_reals(x.slopes);
        x.b = as_reals(x.bends);
        g->line = tw_alloc(1, sizeof *g->line);
        g->nline = 1;
        if (!x.z || !x.a || (x.bends && !x.b) || !g->line)
            rc = tw_err_set(err, TW_ENOMEM, "out of memory");
    }
    if (rc == TW_OK) {
        g->line[0].name = tw_strdup(path);
        rc = measure(g, &x, &g->line[0]);
    }
    free(x.z);
    free(x.a);
    free(x.b);
    tw_named_release(&x.list);
    return rc == TW_OK ? rc : tw_err_ctx(err, rc, "%s", path);
}
