/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The grammar: KIND:key=value,... into numbers, each checked. */
#include "parse.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

const struct tw_schedule_key tw_schedule_keys[] = {
    { "peak", "largest learning rate, reached after the warm-up" },
    { "end", "learning rate at the end of the decay [0]" },
    { "total", "number of steps" },
    { "warmup", "steps of linear warm-up [0]" },
    { "ramp", "form of the warm-up: s/(w-1), (s+1)/w or s/w [s/(w-1)]" },
    { "decay",
      "steps of the final decay (wsd also takes stage); a shape's name is taken as shape" },
    { "shape", "form of the decay: exp, linear, cosine or 1-sqrt [exp]" },
    { "stage", "step at which the rate changes or the decay begins" },
    { "period", "steps of one cycle" },
    { "restart", "step at which the second warm-up begins" },
    { "rewarm", "steps of the second warm-up" },
    { "peak2", "rate after the second warm-up [peak]" },
    { "end2", "rate at the end of the second decay [end]" },
    { "base", "number of the first step in the log, 0 or 1 [0]" },
    { "batch", "units of the log's x per step, when x counts tokens or samples [1]" },
    { NULL, NULL },
};

static const char *const shape_names[] = { "exp", "linear", "cosine", "1-sqrt" };
static const char *const ramp_names[] = { "s/(w-1)", "(s+1)/w", "s/w" };

struct value {
    const char *s;
    size_t n;
};

/* How much of a word a message quotes: it must have room for more. */
static int shown(size_t n)
{
    return n < 60 ? (int)n : 60;
}

static bool same(struct value v, const char *name)
{
    return strlen(name) == v.n && !strncmp(v.s, name, v.n);
}

static bool find_name(struct value v, const char *const *names, size_t n, size_t *i)
{
    for (*i = 0; *i < n; (*i)++)
        if (same(v, names[*i]))
            return true;
    return false;
}

/* Is `key` one of the space-separated words of `list`? */
bool tw_schedule_lists(const char *list, const char *key)
{
    size_t n = strlen(key);

    while (*list) {
        size_t m = strcspn(list, " ");

        if (m == n && !strncmp(list, key, n))
            return true;
        list += m;
        list += *list == ' ';
    }
    return false;
}

static enum tw_status set_rate(double *dst, const char *key, double x, struct tw_err *err)
{
    if (!(x >= 0.0) || !(x <= TW_SCHEDULE_MAX_RATE))
        return tw_err_set(err, TW_EINVAL, "%s=%g: a learning rate lies between 0 and 1e6", key, x);
    *dst = x;
    return TW_OK;
}

static enum tw_status set_steps(double *dst, const char *key, double x, struct tw_err *err)
{
    if (!(x >= 0.0) || x > TW_SCHEDULE_MAX_STEPS || x != floor(x))
        return tw_err_set(err, TW_EINVAL, "%s=%g: expected a whole number of steps up to 2^30", key,
                          x);
    *dst = x;
    return TW_OK;
}

static enum tw_status set_number(struct tw_schedule_spec *p, const char *key, double x,
                                 struct tw_err *err)
{
    const struct {
        const char *name;
        double *dst;
        bool rate;
    } row[] = {
        { "peak", &p->peak, true },      { "end", &p->end, true },
        { "peak2", &p->peak2, true },    { "end2", &p->end2, true },
        { "total", &p->total, false },   { "warmup", &p->warmup, false },
        { "decay", &p->decay, false },   { "stage", &p->stage, false },
        { "period", &p->period, false }, { "restart", &p->restart, false },
        { "rewarm", &p->rewarm, false },
    };

    for (size_t i = 0; i < sizeof row / sizeof row[0]; i++)
        if (!strcmp(row[i].name, key))
            return row[i].rate ? set_rate(row[i].dst, key, x, err)
                               : set_steps(row[i].dst, key, x, err);
    if (!strcmp(key, "base")) {
        if (x != 0.0 && x != 1.0)
            return tw_err_set(err, TW_EINVAL, "base=%g: the first step is numbered 0 or 1", x);
        p->base = (unsigned)x;
        return TW_OK;
    }
    if (!(x > 0.0) || !isfinite(x)) /* batch */
        return tw_err_set(err, TW_EINVAL, "batch=%g: expected a positive number", x);
    p->batch = x;
    return TW_OK;
}

static enum tw_status set_key(struct tw_schedule_spec *p, const char *key, struct value v,
                              struct tw_err *err)
{
    size_t i;
    double x;

    if (!strcmp(key, "shape") && find_name(v, shape_names, 4, &i)) {
        p->shape = (enum tw_shape)i;
        return TW_OK;
    }
    if (!strcmp(key, "shape"))
        return tw_err_set(err, TW_EINVAL, "shape=%.*s: expected exp, linear, cosine or 1-sqrt",
                          shown(v.n), v.s);
    if (!strcmp(key, "ramp")) {
        if (!find_name(v, ramp_names, 3, &i))
            return tw_err_set(err, TW_EINVAL, "ramp=%.*s: expected s/(w-1), (s+1)/w or s/w",
                              shown(v.n), v.s);
        p->ramp = (enum tw_ramp)i;
        return TW_OK;
    }
    if (!tw_strn_to_real(v.s, v.n, &x) || isnan(x))
        return tw_err_set(err, TW_EINVAL, "%s=%.*s: expected a number", key, shown(v.n), v.s);
    return set_number(p, key, x, err);
}

static const char *key_name(struct value key, const struct tw_schedule_kind *kind,
                            struct tw_err *err)
{
    enum { MAX = 32 };
    const char *names[MAX] = { 0 };
    char bare[32] = { 0 };
    size_t n = 0, near;

    for (; tw_schedule_keys[n].name; n++)
        names[n] = tw_schedule_keys[n].name;
    for (size_t i = 0; i < n; i++)
        if (same(key, names[i])) {
            if (tw_schedule_lists(kind->needs, names[i]) ||
                tw_schedule_lists(kind->takes, names[i]))
                return names[i];
            (void)tw_err_set(err, TW_EINVAL, "%s does not take %s; it takes %s %s", kind->name,
                             names[i], kind->needs, kind->takes);
            return NULL;
        }
    memcpy(bare, key.s, key.n < sizeof bare - 1 ? key.n : sizeof bare - 1);
    near = tw_str_nearest(bare, names, n);
    if (near < n)
        (void)tw_err_set(err, TW_EINVAL, "unknown key %s; did you mean %s?", bare, names[near]);
    else
        (void)tw_err_set(err, TW_EINVAL, "unknown key %s; %s takes %s %s", bare, kind->name,
                         kind->needs, kind->takes);
    return NULL;
}

static enum tw_status check_needed(const struct tw_schedule_kind *kind, const bool *given,
                                   struct tw_err *err)
{
    for (size_t i = 0; tw_schedule_keys[i].name; i++)
        if (tw_schedule_lists(kind->needs, tw_schedule_keys[i].name) && !given[i])
            return tw_err_set(err, TW_EINVAL, "%s needs %s= (%s)", kind->name,
                              tw_schedule_keys[i].name, tw_schedule_keys[i].meaning);
    return TW_OK;
}

static size_t key_index(const char *name)
{
    size_t i = 0;

    while (strcmp(tw_schedule_keys[i].name, name) != 0)
        i++;
    return i;
}

enum tw_status tw_schedule_parse_keys(const char *text, const struct tw_schedule_kind *kind,
                                      struct tw_schedule_spec *p, struct tw_err *err)
{
    bool given[32] = { false };

    *p = (struct tw_schedule_spec){
        .peak2 = NAN, .end2 = NAN, .decay = NAN, .stage = NAN, .batch = 1.0
    };
    while (*text) {
        size_t n = strcspn(text, ",");
        size_t eq = strcspn(text, "=,");
        struct value key = { text, eq }, v = { text + eq + 1, 0 };
        const char *name;
        size_t i;

        if (text[eq] != '=')
            return tw_err_set(err, TW_EINVAL, "'%.*s': expected key=value", shown(n), text);
        v.n = n - eq - 1;
        name = key_name(key, kind, err);
        if (!name)
            return TW_EINVAL;
        if (!strcmp(name, "decay") && tw_schedule_lists(kind->takes, "shape") &&
            find_name(v, shape_names, 4, &i))
            name = "shape"; /* decay=linear is how people say it */
        if (set_key(p, name, v, err) != TW_OK)
            return TW_EINVAL;
        given[key_index(name)] = true;
        text += n;
        text += *text == ',';
    }
    p->shape_given = given[key_index("shape")];
    if (isnan(p->peak2))
        p->peak2 = p->peak;
    if (isnan(p->end2))
        p->end2 = p->end;
    return check_needed(kind, given, err);
}
