/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The kinds of schedule: one row and one function each. A step's rate is a pure function of
 * its number, so a kind is easy to check against its formula. */
#include "thalweg/schedule.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "parse.h"

#define PI 3.14159265358979323846

/* From `from` (f = 0) to `to` (f = 1). */
static double decay(enum tw_shape shape, double from, double to, double f)
{
    switch (shape) {
    case TW_SHAPE_EXP:
        return pow(from, 1.0 - f) * pow(to, f);
    case TW_SHAPE_LINEAR:
        return from * (1.0 - f) + to * f;
    case TW_SHAPE_COSINE:
        return to + 0.5 * (from - to) * (1.0 + cos(PI * f));
    case TW_SHAPE_SQRT: /* Haegele et al. 2024, arXiv:2405.18392 */
        return to + (from - to) * (1.0 - sqrt(f));
    }
    return to;
}

static double ramp(const struct tw_schedule_spec *p, double s)
{
    const double w = p->warmup;

    switch (p->ramp) {
    case TW_RAMP_FULL:
        return w > 1.0 ? p->peak * s / (w - 1.0) : p->peak;
    case TW_RAMP_NEXT:
        return p->peak * (s + 1.0) / w;
    case TW_RAMP_ZERO:
        return p->peak * s / w;
    }
    return p->peak;
}

/* Each gives the rate of step s >= warmup. */
static double at_constant(const struct tw_schedule_spec *p, double s)
{
    (void)s;
    return p->peak;
}

static double at_linear(const struct tw_schedule_spec *p, double s)
{
    return decay(TW_SHAPE_LINEAR, p->peak, p->end, (s - p->warmup) / (p->total - p->warmup));
}

static double at_cosine(const struct tw_schedule_spec *p, double s)
{
    return decay(TW_SHAPE_COSINE, p->peak, p->end, (s - p->warmup) / (p->total - p->warmup));
}

static double at_wsd(const struct tw_schedule_spec *p, double s)
{
    const double stage = p->total - p->decay;

    return s < stage ? p->peak : decay(p->shape, p->peak, p->end, (s - stage) / p->decay);
}

static double at_wsdcon(const struct tw_schedule_spec *p, double s)
{
    return s < p->stage ? p->peak : p->end;
}

static double at_cyclic(const struct tw_schedule_spec *p, double s)
{
    return decay(p->shape, p->peak, p->end, fmod(s - p->warmup, p->period) / p->period);
}

static double at_rewarmup(const struct tw_schedule_spec *p, double s)
{
    const double up = p->restart + p->rewarm;

    if (s < p->restart)
        return decay(p->shape, p->peak, p->end, (s - p->warmup) / (p->restart - p->warmup));
    if (s < up)
        return p->end + (p->peak2 - p->end) * (s - p->restart) / p->rewarm;
    return decay(p->shape, p->peak2, p->end2, (s - up) / (p->total - up));
}

const struct tw_schedule_kind tw_schedule_kinds[] = {
    { "constant", "peak after the warm-up", "lr = peak", "peak total", "warmup ramp base batch" },
    { "linear", "a straight line from peak to end", "lr = peak (1-f) + end f, f = (s-w)/(T-w)",
      "peak total", "end warmup ramp base batch" },
    { "cosine", "half a cosine from peak to end",
      "lr = end + (peak-end)/2 (1 + cos(pi f)), f = (s-w)/(T-w)", "peak total",
      "end warmup ramp base batch" },
    { "wsd", "warm-up, stable, decay: peak until the last `decay` steps, then down to end",
      "f = (s-(T-decay))/decay; exp: peak^(1-f) end^f; linear: peak (1-f) + end f; cosine; "
      "1-sqrt: end + (peak-end)(1-sqrt f)",
      "peak total", "decay stage end shape warmup ramp base batch" },
    { "wsdld", "wsd with shape=linear", "peak (1-f) + end f", "peak total",
      "decay stage end warmup ramp base batch" },
    { "wsdcon", "two stages: peak before step `stage`, then end", "lr = s < stage ? peak : end",
      "peak total stage end", "warmup ramp base batch" },
    { "cyclic", "from peak to end again every `period` steps",
      "f = ((s-w) mod period)/period, shape as in wsd (cosine unless given)", "peak total period",
      "end shape warmup ramp base batch" },
    { "rewarmup", "decay to end at step `restart`, rise to peak2 in `rewarm` steps, decay to end2",
      "shape as in wsd (cosine unless given)", "peak total restart rewarm",
      "end peak2 end2 shape warmup ramp base batch" },
    { "file", "rates read from a log or a table with columns step and lr: file:PATH",
      "straight lines between the rows", "", "" },
    { NULL, NULL, NULL, NULL, NULL },
};

bool tw_schedule_takes(const char *kind, const char *key)
{
    for (size_t k = 0; tw_schedule_kinds[k].name; k++)
        if (!strcmp(tw_schedule_kinds[k].name, kind))
            return tw_schedule_lists(tw_schedule_kinds[k].needs, key) ||
                   tw_schedule_lists(tw_schedule_kinds[k].takes, key);
    return false;
}

typedef double at_fn(const struct tw_schedule_spec *p, double s);
static at_fn *const at[] = { at_constant, at_linear, at_cosine, at_wsd,
                             at_wsd,      at_wsdcon, at_cyclic, at_rewarmup };

/* ---- checks and filling ----------------------------------------------------------------- */

static enum tw_status check(struct tw_schedule_spec *p, const char *kind, struct tw_err *err)
{
    const bool cosine_by_default = !strcmp(kind, "cyclic") || !strcmp(kind, "rewarmup");

    if (!strcmp(kind, "wsdld"))
        p->shape = TW_SHAPE_LINEAR;
    else if (cosine_by_default && !p->shape_given)
        p->shape = TW_SHAPE_COSINE;
    if (p->total < 1.0)
        return tw_err_set(err, TW_EINVAL, "total=%g: a schedule has at least one step", p->total);
    if (p->warmup >= p->total && p->total > 0.0 && p->warmup > 0.0)
        return tw_err_set(err, TW_EINVAL, "warmup=%g leaves no step of total=%g", p->warmup,
                          p->total);
    if (!strncmp(kind, "wsd", 3) && strcmp(kind, "wsdcon") != 0) {
        if (isnan(p->decay) == isnan(p->stage))
            return tw_err_set(err, TW_EINVAL,
                              "%s needs decay= (steps of the final decay) or stage= (its first "
                              "step), one of them",
                              kind);
        if (isnan(p->decay))
            p->decay = p->total - p->stage;
        if (p->decay < 0.0)
            return tw_err_set(err, TW_EINVAL, "stage=%g lies beyond total=%g", p->stage, p->total);
        if (p->decay > p->total - p->warmup)
            return tw_err_set(err, TW_EINVAL, "decay=%g is longer than total - warmup = %g",
                              p->decay, p->total - p->warmup);
        if (p->shape == TW_SHAPE_EXP && p->end <= 0.0 && p->decay > 0.0)
            return tw_err_set(err, TW_EINVAL,
                              "an exponential decay cannot end at 0: give end= or shape=linear");
    }
    if (!strcmp(kind, "wsdcon") && (p->stage < p->warmup || p->stage > p->total))
        return tw_err_set(err, TW_EINVAL, "stage=%g lies outside warmup=%g to total=%g", p->stage,
                          p->warmup, p->total);
    if (!strcmp(kind, "cyclic") && p->period < 1.0)
        return tw_err_set(err, TW_EINVAL, "period=%g: a cycle has at least one step", p->period);
    if (!strcmp(kind, "rewarmup") &&
        (p->restart <= p->warmup || p->rewarm < 1.0 || p->restart + p->rewarm >= p->total))
        return tw_err_set(err, TW_EINVAL,
                          "rewarmup needs warmup < restart and restart + rewarm < total, rewarm "
                          ">= 1; found %g, %g, %g, total %g",
                          p->warmup, p->restart, p->rewarm, p->total);
    if (cosine_by_default && p->shape == TW_SHAPE_EXP && (p->end <= 0.0 || p->end2 <= 0.0))
        return tw_err_set(err, TW_EINVAL,
                          "an exponential decay cannot end at 0: give end= or shape=linear");
    return TW_OK;
}

static void find_warm_end(struct tw_schedule *s)
{
    size_t i = 0;

    while (i + 1 < s->n && s->lr[i + 1] > s->lr[i])
        i++;
    s->warm_end = i;
}

static enum tw_status fill(const struct tw_schedule_spec *p, at_fn *rate, struct tw_schedule *out,
                           struct tw_err *err)
{
    out->n = (size_t)p->total;
    out->lr = tw_alloc(out->n, sizeof *out->lr);
    if (!out->lr)
        return tw_err_set(err, TW_ENOMEM, "%zu steps do not fit in memory", out->n);
    for (size_t i = 0; i < out->n; i++) {
        const double s = (double)i;

        out->lr[i] = s < p->warmup ? ramp(p, s) : rate(p, s);
    }
    out->base = p->base;
    out->batch = p->batch;
    find_warm_end(out);
    return TW_OK;
}

static enum tw_status load_file(const char *path, tw_schedule_load_fn *load, void *ctx,
                                struct tw_schedule *out, struct tw_err *err)
{
    double *x = NULL, *lr = NULL;
    char *spec = out->spec;
    enum tw_status rc;
    size_t n = 0;

    if (!load)
        return tw_err_set(err, TW_EINVAL, "file: is not available here");
    if (!*path)
        return tw_err_set(err, TW_EINVAL, "file: needs a path, as in file:lr.csv");
    rc = load(ctx, path, &n, &x, &lr, err);
    out->spec = NULL;
    if (rc == TW_OK)
        /* Rates that begin at 1 count their steps from 1. */
        rc = tw_schedule_from_log(x, lr, n, n && x[0] == 1.0, 1.0, out, err);
    free(out->spec);
    out->spec = spec;
    free(x);
    free(lr);
    return rc;
}

enum tw_status tw_schedule_parse(const char *spec, tw_schedule_load_fn *load, void *ctx,
                                 struct tw_schedule *out, struct tw_err *err)
{
    enum { MAX = 16, SHOWN = 200 }; /* of a spec in a message, which must have room for more */
    const char *names[MAX] = { 0 };
    const char *dots = strlen(spec) > SHOWN ? "..." : "";
    size_t n = strcspn(spec, ":"), k, near;
    struct tw_schedule_spec p;
    enum tw_status rc = TW_EINVAL;
    char bare[32] = { 0 };

    out->spec = tw_strdup(spec);
    if (!out->spec)
        return tw_err_set(err, TW_ENOMEM, "out of memory");
    for (k = 0; tw_schedule_kinds[k].name; k++)
        names[k] = tw_schedule_kinds[k].name;
    for (size_t i = 0; i < k; i++) {
        if (strlen(names[i]) != n || strncmp(names[i], spec, n) != 0)
            continue;
        if (!strcmp(names[i], "file")) {
            rc = load_file(spec[n] ? spec + n + 1 : "", load, ctx, out, err);
        } else {
            rc =
                tw_schedule_parse_keys(spec[n] ? spec + n + 1 : "", &tw_schedule_kinds[i], &p, err);
            if (rc == TW_OK)
                rc = check(&p, names[i], err);
            if (rc == TW_OK)
                rc = fill(&p, at[i], out, err);
        }
        return rc == TW_OK ? rc : tw_err_ctx(err, rc, "schedule '%.*s%s'", SHOWN, spec, dots);
    }
    memcpy(bare, spec, n < sizeof bare - 1 ? n : sizeof bare - 1);
    near = tw_str_nearest(bare, names, k);
    return tw_err_set(err, TW_EINVAL, "schedule '%.*s%s': unknown kind '%s'; %s%s%s", SHOWN, spec,
                      dots, bare, near < k ? "did you mean '" : "see thalweg-schedule(7)",
                      near < k ? names[near] : "", near < k ? "'?" : "");
}

void tw_schedule_release(struct tw_schedule *s)
{
    free(s->spec);
    free(s->lr);
    *s = (struct tw_schedule){ 0 };
}

bool tw_schedule_index(const struct tw_schedule *s, double x, size_t *i)
{
    const double k = x / s->batch - s->base;
    const double r = nearbyint(k);

    if (!(fabs(k - r) <= 1e-6 * (1.0 + fabs(k))) || r < 0.0 || r >= (double)s->n)
        return false;
    *i = (size_t)r;
    return true;
}
