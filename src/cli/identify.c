/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "identify.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "lawopts.h"

/* ---- which bootstrap --------------------------------------------------------------------------
 */

const char *const tw_bootstrap_names[] = { "auto", "moving-block", "case", "wild-cluster" };

void tw_bootstrap_report(const struct tw_law_fit *fit)
{
    if (fit->opts.kind == TW_BOOTSTRAP_BLOCK) {
        printf("%zu bootstrap replicates of blocks of %zu points, %zu failed\n", fit->replicates,
               fit->opts.block, fit->failed);
        return;
    }
    printf("%zu replicates of the %s bootstrap, %zu failed; ", fit->replicates,
           tw_bootstrap_names[fit->opts.kind], fit->failed);
    printf("%zu runs of %zu configurations%s\n", fit->n, fit->clusters,
           fit->opts.kind == TW_BOOTSTRAP_WILD ? ": few, so all are kept and their residuals "
                                                 "change sign and size at random"
           : fit->clusters < fit->n            ? ", each drawn whole"
                                               : "");
}

/* ---- identified or not ------------------------------------------------------------------------
 */

/* An interval that ends this many times as high as it begins says nothing useful. */
#define WIDE 100.0

static const struct tw_law_profile *profile_of(const struct tw_law_fit *fit, size_t j)
{
    for (size_t i = 0; i < fit->nprofiles; i++)
        if (fit->profiles[i].param == j)
            return &fit->profiles[i];
    return NULL;
}

/* Why parameter j is not identified, as the end of a sentence; "" if it is. */
static void why_not(const struct tw_law_fit *fit, size_t j, char *why, size_t size)
{
    const struct tw_law_profile *q = profile_of(fit, j);
    const double lo = q ? q->lo : fit->lo[j], hi = q ? q->hi : fit->hi[j];
    const bool positive = fit->law->params[j].bound == TW_FIT_POSITIVE;

    why[0] = '\0';
    if (fit->min.at_bounds >> j & 1u)
        (void)snprintf(why, size, "it ran to an end of its range");
    else if (q && isnan(lo) && isnan(hi))
        (void)snprintf(why, size, "any value fits about as well");
    else if (q && isnan(hi))
        (void)snprintf(why, size, "anything above %.4g fits about as well", lo);
    else if (q && isnan(lo))
        (void)snprintf(why, size, "anything below %.4g fits about as well", hi);
    else if (positive && hi > WIDE * lo)
        (void)snprintf(why, size, "anything from %.4g to %.4g fits about as well", lo, hi);
}

void tw_identify_report(struct tw_call *call, const struct tw_law_fit *fit)
{
    struct tw_json *json = &call->json;
    const bool together = fit->min.condition > 10.0 * TW_LAW_MAX_CONDITION;
    struct tw_str good = { 0 };
    size_t ngood = 0, nfree = 0;

    if (!fit->law->ninputs)
        return;
    if (!call->common.json)
        putchar('\n');
    tw_json_open(json, "not_identified", '[');
    for (size_t j = 0; j < fit->law->nparams; j++) {
        const char *name = fit->law->params[j].name;
        char why[128];

        if (fit->opts.fixed[j])
            continue;
        nfree++;
        why_not(fit, j, why, sizeof why);
        if (why[0] == '\0' && together) {
            tw_json_text(json, NULL, name);
            continue;
        }
        if (why[0] == '\0') {
            tw_str_addf(&good, "%s%s", ngood ? ", " : "", name);
            ngood++;
            continue;
        }
        tw_json_text(json, NULL, name);
        if (!call->common.json)
            printf("%s is not identified by these data: %s\n", name, why);
    }
    tw_json_close(json, ']');
    if (!call->common.json && ngood)
        printf("identified by these data: %s%s\n", ngood == nfree ? "all of " : "",
               good.s ? good.s : "");
    if (!call->common.json && together)
        printf("these data do not tell the parameters apart (condition number %.1e): quite other "
               "values, several at once, fit about as well\n",
               fit->min.condition);
    else if (!call->common.json && ngood == nfree && fit->min.condition > 1e4)
        printf("but not one by one (condition number %.1e): each interval holds for other values "
               "of the others, and forecasts use them together\n",
               fit->min.condition);
    tw_str_release(&good);
}

/* ---- how many more ----------------------------------------------------------------------------
 */

double tw_runs_needed(size_t n, double now, double width)
{
    const double ratio = now / width;

    return ratio > 1.0 ? ceil((double)n * (ratio * ratio - 1.0) - 1e-9) : 0.0;
}

static enum tw_status parse(const struct tw_law *law, const char *s, size_t *j, double *width,
                            struct tw_err *err)
{
    const size_t n = strcspn(s, "=");
    unsigned mask = 0;
    char name[64] = { 0 };

    memcpy(name, s, n < sizeof name ? n : sizeof name - 1);
    if (s[n] != '=' || !tw_str_to_real(s + n + 1, width) || !(*width > 0.0) || !isfinite(*width))
        return tw_err_set(err, TW_EINVAL, "--want=%s: expected NAME=WIDTH, a positive number", s);
    if (strchr(name, ',') || tw_law_params_parse(law, name, "want", &mask, err) != TW_OK)
        return tw_err_set(err, TW_EINVAL, "--want=%s: one parameter at a time", s);
    for (*j = 0; !(mask >> *j & 1u) && *j < law->nparams;)
        ++*j;
    return *j < law->nparams && mask == 1u << *j
               ? TW_OK
               : tw_err_set(err, TW_EINVAL, "--want=%s: one parameter at a time", s);
}

enum tw_status tw_want_check(const struct tw_law *law, const struct tw_opt_list *want,
                             struct tw_err *err)
{
    if (want->n && !law->ninputs)
        return tw_err_set(err, TW_EINVAL,
                          "--want counts runs, and %s is a law of curves: points of a curve are "
                          "not runs of their own",
                          law->name);
    for (size_t i = 0; i < want->n; i++) {
        double width;
        size_t j;

        if (parse(law, want->v[i], &j, &width, err) != TW_OK)
            return TW_EINVAL;
    }
    return TW_OK;
}

void tw_want_report(struct tw_call *call, const struct tw_law_fit *fit,
                    const struct tw_opt_list *want)
{
    struct tw_json *json = &call->json;

    if (want->n == 0)
        return;
    tw_json_open(json, "wanted", '[');
    for (size_t i = 0; i < want->n; i++) {
        const struct tw_law_profile *q;
        double width = 0.0, now, more;
        size_t j = 0;

        if (parse(fit->law, want->v[i], &j, &width, NULL) != TW_OK)
            continue;
        q = profile_of(fit, j);
        now = fit->hi[j] - fit->lo[j];
        if (isnan(now) && q)
            now = q->hi - q->lo;
        more = tw_runs_needed(fit->n, now, width);
        tw_json_open(json, NULL, '{');
        tw_json_text(json, "parameter", fit->law->params[j].name);
        tw_json_real(json, "width", width);
        tw_json_real(json, "width_now", now);
        tw_json_size(json, "runs", fit->n);
        tw_json_real(json, "more_runs", isnan(now) ? (double)NAN : more);
        tw_json_close(json, '}');
        if (call->common.json)
            continue;
        printf("%s%s: ", i ? "" : "\n", fit->law->params[j].name);
        if (isnan(now))
            printf("no interval to go by: ask for a bootstrap or its profile\n");
        else if (more == 0.0)
            printf("its interval is %.4g wide with %zu runs: narrow enough for %.4g\n", now, fit->n,
                   width);
        else
            printf("its interval is %.4g wide with %zu runs; for %.4g about %.0f more runs of the "
                   "same kind are needed, if widths fall as 1/sqrt(runs)\n",
                   now, fit->n, width, more);
    }
    tw_json_close(json, ']');
    if (!call->common.json)
        printf("Runs further out (larger, longer) tell more than as many of the same kind.\n");
}
