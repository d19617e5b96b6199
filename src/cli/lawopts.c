/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "lawopts.h"

#include <math.h>
#include <string.h>

enum tw_status tw_law_param(const struct tw_law *law, const char *name, size_t n, size_t *j,
                            struct tw_err *err)
{
    const char *names[TW_FIT_MAX_PARAMS];
    struct tw_str list = { 0 };
    char given[32] = { 0 };
    size_t near;

    for (*j = 0; *j < law->nparams; (*j)++)
        if (strlen(law->params[*j].name) == n && !strncmp(law->params[*j].name, name, n))
            return TW_OK;
    for (size_t k = 0; k < law->nparams; k++) {
        names[k] = law->params[k].name;
        tw_str_addf(&list, " %s", names[k]);
    }
    memcpy(given, name, n < sizeof given ? n : sizeof given - 1);
    near = tw_str_nearest(given, names, law->nparams);
    if (n && near < law->nparams)
        (void)tw_err_set(err, TW_EINVAL, "'%s' is no parameter of %s; did you mean '%s'?", given,
                         law->name, names[near]);
    else
        (void)tw_err_set(err, TW_EINVAL, "'%s' is no parameter of %s; it has%s", given, law->name,
                         list.s ? list.s : "");
    tw_str_release(&list);
    return TW_EINVAL;
}

enum tw_status tw_law_params_parse(const struct tw_law *law, const char *s, const char *option,
                                   unsigned *mask, struct tw_err *err)
{
    *mask = 0;
    if (!strcmp(s, "none") || !*s)
        return TW_OK;
    if (!strcmp(s, "default")) {
        *mask = law->profile;
        return TW_OK;
    }
    if (!strcmp(s, "all")) {
        *mask = (1u << law->nparams) - 1u;
        return TW_OK;
    }
    while (*s) {
        const size_t n = strcspn(s, ",");
        size_t j;

        if (tw_law_param(law, s, n, &j, err) != TW_OK)
            return tw_err_ctx(err, TW_EINVAL, "--%s", option);
        *mask |= 1u << j;
        s += n;
        s += *s == ',';
    }
    return TW_OK;
}

static bool within(const struct tw_law *law, size_t j, double x)
{
    const struct tw_fit_param *q = &law->params[j];

    return isfinite(x) && (q->bound == TW_FIT_FREE || (x >= q->lo && x <= q->hi) ||
                           (x == 0.0 && law->zero >> j & 1u));
}

enum tw_status tw_law_fix_parse(const struct tw_law *law, const struct tw_opt_list *list,
                                struct tw_law_fit_opts *o, struct tw_err *err)
{
    for (size_t i = 0; i < list->n; i++) {
        const size_t n = strcspn(list->v[i], "=");
        size_t j;

        if (tw_law_param(law, list->v[i], n, &j, err) != TW_OK)
            return tw_err_ctx(err, TW_EINVAL, "--fix=%s", list->v[i]);
        if (list->v[i][n] != '=' || !tw_str_to_real(list->v[i] + n + 1, &o->fixed_value[j]))
            return tw_err_set(err, TW_EINVAL, "--fix=%s: expected NAME=NUMBER", list->v[i]);
        if (!within(law, j, o->fixed_value[j]))
            return tw_err_set(err, TW_EINVAL, "--fix=%s: %s lies between %.9g and %.9g", list->v[i],
                              law->params[j].name, law->params[j].lo, law->params[j].hi);
        o->fixed[j] = true;
    }
    return TW_OK;
}

enum tw_status tw_law_restrict_parse(const struct tw_law *law, const char *s,
                                     struct tw_law_fit_opts *o, struct tw_err *err)
{
    const struct tw_law_restriction *r = law->restrictions;
    struct tw_str list = { 0 };

    o->choose_restriction = !strcmp(s, "auto");
    if (o->choose_restriction || !strcmp(s, "none"))
        return TW_OK;
    for (size_t k = 0; k < law->nrestrictions; k++) {
        if (!strcmp(r[k].name, s))
            o->restriction = k + 1;
        tw_str_addf(&list, ", %s", r[k].name);
    }
    if (o->restriction == 0)
        (void)tw_err_set(err, TW_EINVAL, "--restrict=%s: for %s it is auto, none%s", s, law->name,
                         list.s ? list.s : "");
    for (size_t j = 0; o->restriction && j < law->nparams; j++)
        if (o->fixed[j] && r[o->restriction - 1].held >> j & 1u)
            (void)tw_err_set(err, TW_EINVAL, "--restrict=%s holds %s, and so does --fix", s,
                             law->params[j].name);
    tw_str_release(&list);
    return err->code;
}
