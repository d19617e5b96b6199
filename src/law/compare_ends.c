/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The end points of curves as runs of N parameters and D tokens: what a law of runs that never
 * saw a learning rate predicts of the sizes held out. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "compare_ends.h"

static bool known(const struct tw_law_curve *curves, size_t n)
{
    for (size_t c = 0; c < n; c++)
        if (!(curves[c].size > 0.0) || !(curves[c].tokens > 0.0) || curves[c].n == 0)
            return false;
    return true;
}

struct ends {
    size_t n;
    double *size, *tokens, *y; /* (n) */
    const double *input[2];
};

static struct tw_law_curve group(struct ends *e, const char *name)
{
    e->input[0] = e->size;
    e->input[1] = e->tokens;
    return (struct tw_law_curve){ .name = name, .n = e->n, .y = e->y, .input = e->input };
}

static enum tw_status score(const struct tw_law *law, const struct tw_law_fit_opts *opts,
                            struct ends *fitted, struct ends *held, struct tw_compare_ends *out,
                            struct tw_err *err)
{
    const struct tw_law_curve train = group(fitted, "end points"),
                              test = group(held, "held-out end points");
    struct tw_law_fit fit = { 0 };
    struct tw_err own = { 0 };
    double *yhat = tw_alloc(held->n, sizeof *yhat);
    enum tw_status rc = tw_law_fit_run(law, &train, 1, opts, &fit, &own);
    void *model = NULL;

    if (rc == TW_OK)
        model = tw_law_model(law, &test, 1, opts->warmup, &own);
    if (yhat && model && tw_law_predict(law, model, fit.theta, yhat)) {
        out->law = law;
        out->fitted = fitted->n;
        out->held = held->n;
        out->error = out->bias = 0.0;
        for (size_t i = 0; i < held->n; i++) {
            out->error += fabs(held->y[i] - yhat[i]) / held->y[i] / (double)held->n;
            out->bias += (held->y[i] - yhat[i]) / held->y[i] / (double)held->n;
        }
        memcpy(out->theta, fit.theta, sizeof out->theta);
    } else if (!yhat || own.code == TW_ENOMEM || (rc == TW_OK && own.code == TW_OK)) {
        rc = tw_err_set(err, TW_ENOMEM, "out of memory");
    } else {
        rc = TW_OK; /* too few end points, or none converged: there is nothing to say */
    }
    law->model_free(model);
    tw_law_fit_release(&fit);
    free(yhat);
    return rc;
}

enum tw_status tw_compare_end_points(const struct tw_holdout *s, const struct tw_law_curve *curves,
                                     size_t n, const struct tw_law_fit_opts *fit,
                                     struct tw_compare_ends *out, struct tw_err *err)
{
    struct tw_law_fit_opts opts = *fit;
    struct ends part[2] = { { 0 } };
    double *room = tw_alloc(n, 6 * sizeof *room);
    enum tw_status rc = TW_OK;
    size_t k = 0;

    *out = (struct tw_compare_ends){ .error = NAN, .bias = NAN };
    if (!room)
        return tw_err_set(err, TW_ENOMEM, "out of memory");
    for (size_t p = 0; p < 2; p++) {
        part[p].size = room + 3 * p * n;
        part[p].tokens = part[p].size + n;
        part[p].y = part[p].tokens + n;
    }
    if (known(curves, n)) {
        for (size_t c = 0; c < n; c++) {
            struct ends *e = &part[s->fold[k] != TW_SPLIT_NONE]; /* a curve is held out whole */

            k += curves[c].n;
            e->size[e->n] = curves[c].size;
            e->tokens[e->n] = curves[c].tokens;
            e->y[e->n++] = curves[c].y[curves[c].n - 1];
        }
        opts.bootstrap = 0;
        opts.profile = 0;
        opts.model_error = false;
        opts.loss = TW_FIT_HUBER;
        if (part[1].n)
            rc = score(tw_law_find("chinchilla"), &opts, &part[0], &part[1], out, err);
    }
    free(room);
    return rc;
}
