/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "opt.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the options that every command shares -------------------------------------------- */

#define COMMON(field) offsetof(struct tw_common, field)
static const struct {
    unsigned uses;
    struct tw_opt opt;
} common_table[] = {
    { TW_USES_OUTPUT,
      { TW_OPT_STR, 'o', "output", COMMON(output), "FILE", "write the result to FILE (HDF5)", 0, 0,
        NULL } },
    { TW_USES_OUTPUT,
      { TW_OPT_FLAG, 0, "force", COMMON(force), NULL, "replace an existing output file", 0, 0,
        NULL } },
    { TW_USES_JSON,
      { TW_OPT_FLAG, 0, "json", COMMON(json), NULL, "print the result as one JSON object", 0, 0,
        NULL } },
    { TW_USES_SEED,
      { TW_OPT_U64, 0, "seed", COMMON(seed), "N", "seed of every random stream [0]", 0, 0, NULL } },
    { TW_USES_THREADS,
      { TW_OPT_SIZE, 't', "threads", COMMON(threads), "N",
        "threads to use; the result does not depend on it [all allowed]", 1, 4096, NULL } },
    { 0,
      { TW_OPT_FLAG, 'q', "quiet", COMMON(quiet), NULL, "no remarks and no progress", 0, 0,
        NULL } },
    { 0, { TW_OPT_FLAG, 'v', "verbose", COMMON(verbose), NULL, "say more", 0, 0, NULL } },
    { 0, { TW_OPT_FLAG, 'h', "help", COMMON(help), NULL, "print this help", 0, 0, NULL } },
};
enum { NCOMMON = sizeof common_table / sizeof common_table[0] };

const struct tw_opt *tw_opt_common(unsigned uses, size_t i)
{
    for (size_t k = 0; k < NCOMMON; k++)
        if ((common_table[k].uses & uses) == common_table[k].uses && i-- == 0)
            return &common_table[k].opt;
    return NULL;
}

/* ---- parsing -------------------------------------------------------------------------- */

struct parser {
    unsigned uses;
    const struct tw_opt *opts;
    char *common, *dst;
    struct tw_err *err;
};

/* The row with the long name (n bytes), or the short one if key is set; *base is the struct
 * that it writes to. */
static const struct tw_opt *find(const struct parser *p, const char *name, size_t n, char key,
                                 char **base)
{
    const struct tw_opt *o;

    for (o = p->opts; o->type != TW_OPT_END; o++)
        if (o->type != TW_OPT_HEAD &&
            (key ? o->key == key : !strncmp(o->name, name, n) && o->name[n] == '\0')) {
            *base = p->dst;
            return o;
        }
    for (size_t i = 0; (o = tw_opt_common(p->uses, i)); i++)
        if (key ? o->key == key : !strncmp(o->name, name, n) && o->name[n] == '\0') {
            *base = p->common;
            return o;
        }
    return NULL;
}

static enum tw_status unknown(const struct parser *p, const char *name, size_t n)
{
    enum { MAX = 128 };
    const char *names[MAX] = { 0 };
    char bare[64];
    const struct tw_opt *o;
    size_t count = 0, near;

    (void)snprintf(bare, sizeof bare, "%.*s", (int)(n < sizeof bare ? n : sizeof bare - 1), name);
    for (o = p->opts; o->type != TW_OPT_END && count < MAX; o++)
        if (o->type != TW_OPT_HEAD)
            names[count++] = o->name;
    for (size_t i = 0; (o = tw_opt_common(p->uses, i)) && count < MAX; i++)
        names[count++] = o->name;
    near = tw_str_nearest(bare, names, count);
    if (near < count)
        return tw_err_set(p->err, TW_EINVAL, "unknown option --%s; did you mean --%s?", bare,
                          names[near]);
    return tw_err_set(p->err, TW_EINVAL, "unknown option --%s", bare);
}

static bool has_suffix(const char *s, const char *suffix)
{
    size_t n = strlen(s), m = strlen(suffix);

    return n > m && !strcmp(s + n - m, suffix);
}

static bool looks_like_figure(const char *s)
{
    return s[0] != '-' && (has_suffix(s, ".pdf") || has_suffix(s, ".png") ||
                           has_suffix(s, ".svg") || has_suffix(s, ".tex") || has_suffix(s, ".eps"));
}

static bool is_choice(const char *choices, const char *s)
{
    size_t n = strlen(s);

    while (*choices) {
        size_t m = strcspn(choices, "|");

        if (m == n && !strncmp(choices, s, n))
            return true;
        choices += m;
        if (*choices)
            choices++;
    }
    return false;
}

static enum tw_status bad(const struct parser *p, const struct tw_opt *o, const char *s,
                          const char *why)
{
    return tw_err_set(p->err, TW_EINVAL, "--%s: '%s' %s", o->name, s, why);
}

static enum tw_status store_u64(const struct parser *p, const struct tw_opt *o, char *at,
                                const char *s)
{
    uint64_t x = 0;

    for (const char *c = s; *c; c++) {
        if (*c < '0' || *c > '9')
            return bad(p, o, s, "is not a whole number");
        if (x > (UINT64_MAX - (uint64_t)(*c - '0')) / 10)
            return bad(p, o, s, "is larger than 64 bits hold");
        x = 10 * x + (uint64_t)(*c - '0');
    }
    if (!*s)
        return bad(p, o, s, "is not a whole number");
    memcpy(at, &x, sizeof x);
    return TW_OK;
}

static enum tw_status store_number(const struct parser *p, const struct tw_opt *o, char *at,
                                   const char *s)
{
    size_t whole;
    double x;

    if (!tw_str_to_real(s, &x) || isnan(x))
        return bad(p, o, s, "is not a number");
    if (o->lo < o->hi && (x < o->lo || x > o->hi))
        return tw_err_set(p->err, TW_EINVAL, "--%s: %s is outside %g to %g", o->name, s, o->lo,
                          o->hi);
    if (o->type == TW_OPT_REAL) {
        memcpy(at, &x, sizeof x);
        return TW_OK;
    }
    if (x < 0.0 || x > 9007199254740992.0 || x != floor(x))
        return bad(p, o, s, "is not a whole number");
    whole = (size_t)x;
    memcpy(at, &whole, sizeof whole);
    return TW_OK;
}

static enum tw_status store(const struct parser *p, const struct tw_opt *o, char *base,
                            const char *s)
{
    char *at = base + o->off;

    switch (o->type) {
    case TW_OPT_FLAG:
        memcpy(at, &(bool){ true }, sizeof(bool));
        return TW_OK;
    case TW_OPT_CHOICE:
        if (!is_choice(o->choices, s))
            return tw_err_set(p->err, TW_EINVAL, "--%s: '%s' is none of %s", o->name, s,
                              o->choices);
        memcpy(at, &s, sizeof s);
        return TW_OK;
    case TW_OPT_STR:
    case TW_OPT_FIGURE:
        memcpy(at, &s, sizeof s);
        return TW_OK;
    case TW_OPT_LIST: {
        struct tw_opt_list list;

        memcpy(&list, at, sizeof list);
        if (!tw_grow(&list.v, list.n, &list.cap, sizeof *list.v))
            return tw_err_set(p->err, TW_ENOMEM, "out of memory");
        list.v[list.n++] = s;
        memcpy(at, &list, sizeof list);
        return TW_OK;
    }
    case TW_OPT_U64:
        return store_u64(p, o, at, s);
    case TW_OPT_SIZE:
    case TW_OPT_REAL:
        return store_number(p, o, at, s);
    case TW_OPT_END:
    case TW_OPT_HEAD:
        break;
    }
    return tw_err_set(p->err, TW_EINVAL, "--%s cannot be set", o->name);
}

/* --name, --name=value or --name value. *used: words consumed. */
static enum tw_status parse_long(const struct parser *p, char *const *argv, int left, int *used)
{
    const char *word = argv[0] + 2;
    size_t n = strcspn(word, "=");
    const char *value = word[n] == '=' ? word + n + 1 : NULL;
    const struct tw_opt *o;
    char *base;

    *used = 1;
    o = find(p, word, n, '\0', &base);
    if (!o)
        return unknown(p, word, n);
    if (o->type == TW_OPT_FLAG) {
        if (value)
            return tw_err_set(p->err, TW_EINVAL, "--%s takes no value", o->name);
        return store(p, o, base, "");
    }
    if (!value && o->type == TW_OPT_FIGURE) {
        value = "";
        if (left > 1 && looks_like_figure(argv[1])) {
            value = argv[1];
            *used = 2;
        }
    }
    if (!value) {
        /* A value that starts with "--" can be given as --name=--value. */
        if (left < 2 || !strncmp(argv[1], "--", 2))
            return tw_err_set(p->err, TW_EINVAL, "--%s needs a value: --%s=%s", o->name, o->name,
                              o->arg);
        value = argv[1];
        *used = 2;
    }
    return store(p, o, base, value);
}

/* -k, -kVALUE, -k VALUE, and flags in one word: -qv. */
static enum tw_status parse_short(const struct parser *p, char *const *argv, int left, int *used)
{
    *used = 1;
    for (const char *c = argv[0] + 1; *c; c++) {
        char *base;
        const struct tw_opt *o = find(p, NULL, 0, *c, &base);
        enum tw_status rc;

        if (!o && *c > ' ' && *c <= '~')
            return tw_err_set(p->err, TW_EINVAL, "unknown option -%c", *c);
        if (!o)
            return tw_err_set(p->err, TW_EINVAL, "unknown option '%s'", argv[0]);
        if (o->type == TW_OPT_FLAG) {
            rc = store(p, o, base, "");
            if (rc != TW_OK)
                return rc;
            continue;
        }
        if (c[1])
            return store(p, o, base, c + 1);
        if (left < 2)
            return tw_err_set(p->err, TW_EINVAL, "-%c (--%s) needs a value", *c, o->name);
        *used = 2;
        return store(p, o, base, argv[1]);
    }
    return TW_OK;
}

enum tw_status tw_opt_parse(int argc, char **argv, unsigned uses, const struct tw_opt *opts,
                            struct tw_common *common, void *dst, int *operands, struct tw_err *err)
{
    struct parser p = { uses, opts, (char *)common, dst, err };
    bool only_operands = false;
    int n = 0;

    *operands = 0;
    for (int i = 1; i < argc;) {
        char *word = argv[i];
        enum tw_status rc;
        int used = 1;

        if (only_operands || word[0] != '-' || word[1] == '\0') {
            argv[++n] = word;
        } else if (!strcmp(word, "--")) {
            only_operands = true;
        } else {
            rc = word[1] == '-' ? parse_long(&p, argv + i, argc - i, &used)
                                : parse_short(&p, argv + i, argc - i, &used);
            if (rc != TW_OK)
                return rc;
            if (common->help)
                return TW_OK;
        }
        i += used;
    }
    *operands = n;
    return TW_OK;
}

/* ---- the record ----------------------------------------------------------------------- */

static void record(const struct tw_opt *o, const char *base, struct tw_str *out)
{
    const char *at = base + o->off;

    switch (o->type) {
    case TW_OPT_FLAG: {
        bool b;

        memcpy(&b, at, sizeof b);
        tw_str_addf(out, "--%s=%s\n", o->name, b ? "true" : "false");
        break;
    }
    case TW_OPT_STR:
    case TW_OPT_CHOICE:
    case TW_OPT_FIGURE: {
        const char *s;

        memcpy(&s, at, sizeof s);
        if (s)
            tw_str_addf(out, "--%s=%s\n", o->name, s);
        break;
    }
    case TW_OPT_LIST: {
        struct tw_opt_list list;

        memcpy(&list, at, sizeof list);
        for (size_t i = 0; i < list.n; i++)
            tw_str_addf(out, "--%s=%s\n", o->name, list.v[i]);
        break;
    }
    case TW_OPT_SIZE: {
        size_t n;

        memcpy(&n, at, sizeof n);
        if (n != SIZE_MAX)
            tw_str_addf(out, "--%s=%zu\n", o->name, n);
        break;
    }
    case TW_OPT_U64: {
        uint64_t n;

        memcpy(&n, at, sizeof n);
        tw_str_addf(out, "--%s=%" PRIu64 "\n", o->name, n);
        break;
    }
    case TW_OPT_REAL: {
        double x;

        memcpy(&x, at, sizeof x);
        if (!isnan(x))
            tw_str_addf(out, "--%s=%.17g\n", o->name, x);
        break;
    }
    case TW_OPT_END:
    case TW_OPT_HEAD:
        break;
    }
}

void tw_opt_record(const struct tw_opt *opts, unsigned uses, const struct tw_common *common,
                   const void *src, struct tw_str *out)
{
    const struct tw_opt *o;

    for (o = opts; o->type != TW_OPT_END; o++)
        record(o, src, out);
    /* How the work is spread and shown does not change a result: the record leaves it out. */
    for (size_t i = 0; (o = tw_opt_common(uses, i)); i++)
        if (!strcmp(o->name, "seed"))
            record(o, (const char *)common, out);
}

void tw_opt_release(const struct tw_opt *opts, void *dst)
{
    for (const struct tw_opt *o = opts; o->type != TW_OPT_END; o++)
        if (o->type == TW_OPT_LIST) {
            struct tw_opt_list list;

            memcpy(&list, (char *)dst + o->off, sizeof list);
            free(list.v);
            list = (struct tw_opt_list){ 0 };
            memcpy((char *)dst + o->off, &list, sizeof list);
        }
}
