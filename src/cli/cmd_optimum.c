/* SPDX-License-Identifier: GPL-3.0-or-later */
/* thalweg optimum: how a fitted law says compute is best spent. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fitfig.h"
#include "provenance.h"

struct optimum_opts {
    struct tw_opt_list flops;
    struct tw_figure_cli figure;
};

static const struct tw_opt opts[] = {
    { TW_OPT_LIST, 0, "flops", TW_OPT_FIELD(struct optimum_opts, flops), "C",
      "training compute in FLOPs, C = 6 N D; may be given again", 0, 0, NULL },
    TW_FIGURE_ROWS(struct optimum_opts, figure),
    { .type = TW_OPT_END },
};

/* The quantities reported: the law's two inputs, tokens per parameter, the loss. */
enum { QUANTITIES = 4 };

static bool quantities(const struct tw_law *law, const double *theta, double flops, double *q)
{
    double input[TW_LAW_MAX_INPUTS] = { 0 };
    const bool ok = tw_law_optimum(law, theta, flops, input, &q[3]);

    q[0] = input[0];
    q[1] = input[1];
    q[2] = input[1] / input[0];
    return ok;
}

/* best, lo and hi of each quantity at the fit's level; NAN without replicates. */
static bool intervals(const struct tw_law_fit *fit, double flops, double best[QUANTITIES],
                      double lo[QUANTITIES], double hi[QUANTITIES])
{
    const size_t np = fit->law->nparams;
    double *v = tw_alloc(fit->replicates + 1, QUANTITIES * sizeof *v);
    size_t n = 0;
    bool ok = v && quantities(fit->law, fit->theta, flops, best);

    for (size_t b = 0; ok && b < fit->replicates; b++) {
        double q[QUANTITIES] = { 0 };

        if (isnan(fit->theta_boot[b * np]))
            continue;
        ok = quantities(fit->law, fit->theta_boot + b * np, flops, q);
        for (size_t k = 0; k < QUANTITIES; k++)
            v[k * (fit->replicates + 1) + n] = q[k];
        n++;
    }
    for (size_t k = 0; ok && k < QUANTITIES; k++) {
        double *column = v + k * (fit->replicates + 1);

        tw_sort_reals(column, n);
        lo[k] = tw_quantile_sorted(column, n, 0.5 - 0.5 * fit->opts.level);
        hi[k] = tw_quantile_sorted(column, n, 0.5 + 0.5 * fit->opts.level);
    }
    free(v);
    return ok;
}

static enum tw_status one(struct tw_call *call, const struct tw_law_fit *fit, const char *text,
                          struct tw_table *t)
{
    const char *const name[QUANTITIES] = { fit->law->inputs[0].name, fit->law->inputs[1].name,
                                           "tokens_per_parameter", "loss" };
    static const char *const fmt[QUANTITIES] = { "%.4g", "%.4g", "%.4g", "%.4f" };
    double best[QUANTITIES] = { 0 }, lo[QUANTITIES] = { 0 }, hi[QUANTITIES] = { 0 }, flops;
    struct tw_json *j = &call->json;

    if (!tw_str_to_real(text, &flops) || !(flops > 0.0) || !isfinite(flops))
        return tw_err_set(&call->err, TW_EINVAL, "--flops=%s: expected a positive number", text);
    if (!intervals(fit, flops, best, lo, hi))
        return tw_err_set(&call->err, TW_ENOMEM, "out of memory");
    tw_json_open(j, NULL, '{');
    tw_json_real(j, "flops", flops);
    tw_table_real(t, "%.4g", flops);
    for (size_t k = 0; k < QUANTITIES; k++) {
        tw_json_open(j, name[k], '{');
        tw_json_real(j, "value", best[k]);
        tw_json_real(j, "lo", lo[k]);
        tw_json_real(j, "hi", hi[k]);
        tw_json_close(j, '}');
        tw_table_real(t, fmt[k], best[k]);
        tw_table_real(t, fmt[k], lo[k]);
        tw_table_real(t, fmt[k], hi[k]);
    }
    tw_json_close(j, '}');
    return TW_OK;
}

/* All budgets are numbers by now. */
static enum tw_status draw(struct tw_call *call, const struct tw_fit_file *f)
{
    const struct optimum_opts *o = call->opts;
    double *flops = tw_alloc(o->flops.n, sizeof *flops);
    struct tw_cmd_provenance prov = { 0 };
    struct tw_str lines = { 0 }, store = { 0 };
    struct tw_figure_opts fo;
    enum tw_status rc =
        flops ? TW_OK : tw_err_set(&call->err, TW_ENOMEM, "the figure: out of memory");
    const char *path = tw_figure_cli_path(&o->figure, "optimum.pdf", &store);

    if (rc == TW_OK)
        rc = tw_cmd_provenance_input(&prov, call->argv[0], NULL, &call->err);
    for (size_t i = 0; flops && i < o->flops.n; i++)
        if (!tw_str_to_real(o->flops.v[i], &flops[i]))
            flops[i] = (double)NAN;
    tw_cmd_provenance_lines(&prov, &lines);
    tw_figure_cli_opts(&o->figure, call, lines.s, &fo);
    if (rc == TW_OK)
        rc = tw_optimum_figure(f, flops, o->flops.n, path, &fo, &call->err);
    if (rc == TW_OK)
        tw_figure_cli_done(&o->figure, call, "figure", path);
    tw_cmd_provenance_release(&prov);
    tw_str_release(&lines);
    tw_str_release(&store);
    free(flops);
    return rc;
}

static int run(struct tw_call *call)
{
    static const char *const head[] = { "FLOPs", "N",    "from", "to",   "D",    "from", "to",
                                        "D/N",   "from", "to",   "loss", "from", "to" };
    const struct optimum_opts *o = call->opts;
    const char *plot = o->figure.plot && !*o->figure.plot ? "optimum.pdf" : o->figure.plot;
    struct tw_fit_file f = { 0 };
    struct tw_table t = { 0 };
    int rc;

    if (call->argc != 1)
        return tw_cmd_usage(call, call->argc ? "one fit at a time" : "no fit given");
    if (o->flops.n == 0)
        return tw_cmd_usage(call, "no budget given: --flops=1e24");
    if (tw_figure_cli_check(&o->figure, call, plot) != TW_OK)
        return tw_cmd_fail(call);
    if (tw_fit_file_read(call->argv[0], &f, &call->err) == TW_OK && !f.fit.law->optimum)
        (void)tw_err_set(&call->err, TW_EINVAL,
                         "%s: the law %s has no optimum for a budget; chinchilla has",
                         call->argv[0], f.fit.law->name);
    tw_table_head(&t, head, sizeof head / sizeof head[0]);
    tw_json_open(&call->json, "optima", '[');
    for (size_t i = 0; call->err.code == TW_OK && i < o->flops.n; i++)
        (void)one(call, &f.fit, o->flops.v[i], &t);
    tw_json_close(&call->json, ']');
    if (call->err.code == TW_OK && !call->common.json) {
        tw_table_print(&t);
        if (f.fit.replicates == 0)
            tw_cmd_warn(call, "the fit has no bootstrap: no intervals");
    } else {
        tw_str_release(&t.cells);
    }
    rc = call->err.code == TW_OK ? TW_EXIT_OK : tw_cmd_fail(call);
    if (rc == TW_EXIT_OK && o->figure.plot && draw(call, &f) != TW_OK)
        rc = tw_cmd_fail_late(call);
    tw_fit_file_release(&f);
    return rc;
}

static const struct optimum_opts defaults = { 0 };
const struct tw_cmd tw_cmd_optimum = {
    "optimum",       "Loss curves", "say how a fitted law spends compute best",
    "FIT.h5",        TW_USES_JSON,  opts,
    sizeof defaults, &defaults,     run,
};
