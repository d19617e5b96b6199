/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Specs of built-in networks: NAME(value, ..., key=value, ...), read and written out. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "family.h"

struct text {
    const char *s;
    size_t n;
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static struct text trim(const char *s, size_t n)
{
    while (n && is_blank(*s)) {
        s++;
        n--;
    }
    while (n && is_blank(s[n - 1]))
        n--;
    return (struct text){ s, n };
}

/* Short enough for a message. */
struct shown {
    char s[48];
};
static struct shown show(struct text t)
{
    struct shown x;

    (void)snprintf(x.s, sizeof x.s, "%.*s%s", (int)(t.n < 40 ? t.n : 40), t.s,
                   t.n > 40 ? "..." : "");
    return x;
}

static bool whole_number(struct text t, uint64_t *x)
{
    *x = 0;
    for (size_t i = 0; i < t.n; i++) {
        if (t.s[i] < '0' || t.s[i] > '9' || *x > (UINT64_MAX - (uint64_t)(t.s[i] - '0')) / 10)
            return false;
        *x = 10 * *x + (uint64_t)(t.s[i] - '0');
    }
    return t.n > 0;
}

int64_t family_choice(const char *choices, const char *s, size_t n)
{
    for (int64_t i = 0; *choices; i++) {
        size_t m = strcspn(choices, "|");

        if (m == n && !strncmp(choices, s, n))
            return i;
        choices += m;
        if (*choices)
            choices++;
    }
    return -1;
}

/* ---- one argument -------------------------------------------------------------------------- */

static enum tw_status read_whole(const struct family_arg *a, struct text t, int64_t *x,
                                 struct tw_err *err)
{
    uint64_t u;

    if (!whole_number(t, &u) || u < (uint64_t)a->lo || u > (uint64_t)a->hi)
        return tw_err_set(err, TW_EINVAL,
                          "%s: '%s' is not a whole number from %" PRId64 " to %" PRId64, a->name,
                          show(t).s, a->lo, a->hi);
    *x = (int64_t)u;
    return TW_OK;
}

static enum tw_status read_part(const struct family_arg *a, struct text t, double *x,
                                struct tw_err *err)
{
    if (!tw_strn_to_real(t.s, t.n, x) || !(*x >= 0.0 && *x < 1.0))
        return tw_err_set(err, TW_EINVAL, "%s: '%s' is not a number from 0 to below 1", a->name,
                          show(t).s);
    return TW_OK;
}

static enum tw_status read_shape(const struct family_arg *a, struct text t, struct family_value *v,
                                 struct tw_err *err)
{
    const struct family_arg extent = { a->name, FAMILY_WHOLE, NULL, 1, a->hi, NULL };
    const char *p = t.s, *const end = t.s + t.n;
    const char *x;

    v->n = 0;
    do {
        enum tw_status rc;

        x = memchr(p, 'x', (size_t)(end - p));
        if (v->n < (size_t)a->lo) {
            rc = read_whole(&extent, (struct text){ p, (size_t)((x ? x : end) - p) },
                            &v->list[v->n], err);
            if (rc != TW_OK)
                return rc;
        }
        v->n++;
        p = x ? x + 1 : end;
    } while (x && v->n <= (size_t)a->lo);
    if (v->n != (size_t)a->lo)
        return tw_err_set(err, TW_EINVAL, "%s: '%s' is not of the form %s", a->name, show(t).s,
                          a->lo == 2 ? "1x128 (channels, length)"
                                     : "3x32x32 (channels, height, width)");
    return TW_OK;
}

static enum tw_status read_value(const struct family_arg *a, struct text t, struct family_value *v,
                                 struct tw_err *err)
{
    const struct family_arg width = { a->name, FAMILY_WHOLE, NULL, 1, a->hi, NULL };

    v->given = true;
    switch (a->kind) {
    case FAMILY_WIDTHS:
        if (v->n == FAMILY_MAX_LIST)
            return tw_err_set(err, TW_EINVAL, "more than %d %s", FAMILY_MAX_LIST, a->name);
        return read_whole(&width, t, &v->list[v->n++], err);
    case FAMILY_WHOLE:
        return read_whole(a, t, &v->whole, err);
    case FAMILY_PART:
        return read_part(a, t, &v->part, err);
    case FAMILY_SHAPE:
        return read_shape(a, t, v, err);
    case FAMILY_CHOICE:
        break;
    }
    v->whole = family_choice(a->choices, t.s, t.n);
    if (v->whole < 0)
        return tw_err_set(err, TW_EINVAL, "%s: '%s' is none of %s", a->name, show(t).s, a->choices);
    return TW_OK;
}

/* ---- the list of arguments ------------------------------------------------------------------- */

static enum tw_status unknown_key(const struct family_def *d, struct text key, struct tw_err *err)
{
    const char *names[FAMILY_MAX_ARGS + 1];
    struct tw_str all = { 0 };
    size_t n = 0, near;

    for (size_t i = 0; i < d->nargs; i++)
        if (d->args[i].kind != FAMILY_WIDTHS)
            names[n++] = d->args[i].name;
    names[n++] = "seed";
    for (size_t i = 0; i < n; i++)
        tw_str_addf(&all, "%s%s", i ? ", " : "", names[i]);
    near = tw_str_nearest(show(key).s, names, n);
    if (near < n)
        tw_err_set(err, TW_EINVAL, "unknown argument '%s'; did you mean '%s'?", show(key).s,
                   names[near]);
    else
        tw_err_set(err, TW_EINVAL, "unknown argument '%s'; there are %s", show(key).s,
                   all.failed ? "others" : all.s);
    tw_str_release(&all);
    return TW_EINVAL;
}

static enum tw_status read_named(struct family_spec *s, struct text key, struct text value,
                                 struct tw_err *err)
{
    const struct family_def *d = s->family->def;

    if (key.n == 4 && !strncmp(key.s, "seed", 4)) {
        if (!whole_number(value, &s->seed))
            return tw_err_set(err, TW_EINVAL, "seed: '%s' is not a whole number of 64 bits",
                              show(value).s);
        return TW_OK;
    }
    for (size_t i = 0; i < d->nargs; i++) {
        const struct family_arg *a = &d->args[i];

        if (a->kind == FAMILY_WIDTHS || strlen(a->name) != key.n ||
            strncmp(a->name, key.s, key.n) != 0)
            continue;
        if (s->value[i].given)
            return tw_err_set(err, TW_EINVAL, "%s is given twice", a->name);
        return read_value(a, value, &s->value[i], err);
    }
    return unknown_key(d, key, err);
}

static enum tw_status read_item(struct family_spec *s, struct text item, size_t *place,
                                struct tw_err *err)
{
    const struct family_def *d = s->family->def;
    const char *eq = memchr(item.s, '=', item.n);
    size_t at = *place;

    if (eq) {
        size_t n = (size_t)(eq - item.s);

        return read_named(s, trim(item.s, n), trim(eq + 1, item.n - n - 1), err);
    }
    if (item.n == 0)
        return tw_err_set(err, TW_EINVAL, "an argument is empty");
    if (at >= d->nargs)
        return tw_err_set(err, TW_EINVAL, "'%s' is one value without a name too many",
                          show(item).s);
    if (d->args[0].kind == FAMILY_WIDTHS)
        return read_value(&d->args[0], item, &s->value[0], err);
    if (s->value[at].given)
        return tw_err_set(err, TW_EINVAL, "'%s': %s is given already, by its name", show(item).s,
                          d->args[at].name);
    ++*place;
    return read_value(&d->args[at], item, &s->value[at], err);
}

static enum tw_status standards(struct family_spec *s, struct tw_err *err)
{
    const struct family_def *d = s->family->def;

    for (size_t i = 0; i < d->nargs; i++) {
        const struct family_arg *a = &d->args[i];
        enum tw_status rc;

        if (a->kind == FAMILY_WIDTHS && s->value[i].n < (size_t)a->lo)
            return tw_err_set(err, TW_EINVAL, "at least %" PRId64 " %s are needed: %s", a->lo,
                              a->name, s->family->arguments);
        if (s->value[i].given)
            continue;
        if (!a->standard)
            return tw_err_set(err, TW_EINVAL, "%s is missing: %s", a->name, s->family->arguments);
        rc = read_value(a, (struct text){ a->standard, strlen(a->standard) }, &s->value[i], err);
        if (rc != TW_OK)
            return rc;
    }
    return TW_OK;
}

static enum tw_status find_family(struct text name, struct family_spec *s, struct tw_err *err)
{
    const char *names[64];
    size_t n = 0, near;

    for (; n < 64 && tw_families[n].name; n++) {
        names[n] = tw_families[n].name;
        if (strlen(names[n]) == name.n && !strncmp(names[n], name.s, name.n)) {
            s->family = &tw_families[n];
            return TW_OK;
        }
    }
    near = tw_str_nearest(show(name).s, names, n);
    if (near < n)
        return tw_err_set(err, TW_EINVAL, "no network '%s'; did you mean '%s'?", show(name).s,
                          names[near]);
    return tw_err_set(err, TW_EINVAL, "no network '%s'; see thalweg-networks(7)", show(name).s);
}

enum tw_status family_parse(const char *text, struct family_spec *s, struct tw_err *err)
{
    struct text all = trim(text, strlen(text));
    const char *open = memchr(all.s, '(', all.n);
    struct text name = trim(all.s, open ? (size_t)(open - all.s) : all.n);
    size_t place = 0;
    const char *p, *end;
    enum tw_status rc;

    memset(s, 0, sizeof *s);
    rc = find_family(name, s, err);
    if (rc != TW_OK)
        return rc;
    end = all.s + all.n - 1;
    if (open && *end != ')')
        return tw_err_set(err, TW_EINVAL, "network '%s': ')' is missing at the end", show(all).s);
    p = open ? open + 1 : end;
    for (bool more = open && trim(p, (size_t)(end - p)).n > 0; more;) {
        const char *comma = memchr(p, ',', (size_t)(end - p));
        struct text item = trim(p, (size_t)((comma ? comma : end) - p));

        rc = read_item(s, item, &place, err);
        if (rc != TW_OK)
            return tw_err_ctx(err, rc, "network %s, character %td", s->family->name,
                              item.s - text + 1);
        more = comma != NULL;
        p = comma ? comma + 1 : end;
    }
    rc = standards(s, err);
    return rc == TW_OK ? rc : tw_err_ctx(err, rc, "network %s", s->family->name);
}

/* ---- writing --------------------------------------------------------------------------------- */

static void print_choice(const char *choices, int64_t i, struct tw_str *out)
{
    for (; i > 0; i--)
        choices += strcspn(choices, "|") + 1;
    tw_str_addn(out, choices, strcspn(choices, "|"));
}

/* As few digits as read back the same. */
static void print_real(double x, struct tw_str *out)
{
    char text[40];
    double again;

    for (int digits = 1; digits <= 17; digits++) {
        (void)snprintf(text, sizeof text, "%.*g", digits, x);
        if (tw_str_to_real(text, &again) && again == x)
            break;
    }
    tw_str_add(out, text);
}

void family_print(const struct family_spec *s, struct tw_str *out)
{
    const struct family_def *d = s->family->def;

    tw_str_addf(out, "%s(", s->family->name);
    for (size_t i = 0; i < d->nargs; i++) {
        const struct family_value *v = &s->value[i];

        if (i)
            tw_str_add(out, ",");
        if (d->args[i].kind != FAMILY_WIDTHS)
            tw_str_addf(out, "%s=", d->args[i].name);
        if (d->args[i].kind == FAMILY_CHOICE)
            print_choice(d->args[i].choices, v->whole, out);
        else if (d->args[i].kind == FAMILY_WHOLE)
            tw_str_addf(out, "%" PRId64, v->whole);
        else if (d->args[i].kind == FAMILY_PART)
            print_real(v->part, out);
        for (size_t k = 0; k < v->n; k++)
            tw_str_addf(out, "%s%" PRId64,
                        k == 0                             ? ""
                        : d->args[i].kind == FAMILY_WIDTHS ? ","
                                                           : "x",
                        v->list[k]);
    }
    if (s->seed)
        tw_str_addf(out, ",seed=%" PRIu64, s->seed);
    tw_str_add(out, ")");
}
