/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The cells of a sweep: every combination of the values that options are given. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "train.h"

static const char *const swept[] = { "batch",     "clip",        "data-seed", "dropout-seed",
                                     "init-seed", "lr",          "seed",      "optimizer",
                                     "spike",     "temperature", "steps",     "ghost-cap",
                                     "ghost-rate" };
enum { NSWEPT = sizeof swept / sizeof *swept, MOST_CELLS = 10000 };

const char *train_next_value(const char **p, size_t *n)
{
    const char *s = *p;
    int depth = 0;

    if (!s)
        return NULL;
    for (*n = 0; s[*n] && (depth > 0 || s[*n] != ','); ++*n)
        depth += s[*n] == '(' ? 1 : s[*n] == ')' ? -1 : 0;
    *p = s[*n] ? s + *n + 1 : NULL;
    return s;
}

/* One "0..4" is all of them. */
static bool is_range(const char *s, size_t n, uint64_t *from, uint64_t *to)
{
    char *end = NULL;

    if (n < 4 || s[0] < '0' || s[0] > '9')
        return false;
    *from = strtoull(s, &end, 10);
    if (end[0] != '.' || end[1] != '.' || end[2] < '0' || end[2] > '9')
        return false;
    *to = strtoull(end + 2, &end, 10);
    return end == s + n && *to >= *from && *to - *from < MOST_CELLS;
}

void train_cells_release(struct train_cells *c)
{
    for (size_t i = 0; i < c->n; i++)
        free(c->v[i]);
    free(c->v);
    *c = (struct train_cells){ 0 };
}

static enum tw_status add_cell(struct train_cells *c, const char *before, const char *key,
                               size_t nkey, const char *value, size_t n, struct tw_err *err)
{
    struct tw_str s = { 0 };

    if (c->n >= MOST_CELLS)
        return tw_err_set(err, TW_EINVAL, "--sweep: more than %d runs", (int)MOST_CELLS);
    tw_str_addf(&s, "%s%s%.*s=%.*s", before, *before ? "," : "", (int)nkey, key, (int)n, value);
    if (s.failed || !tw_grow(&c->v, c->n, &c->cap, sizeof *c->v)) {
        tw_str_release(&s);
        return tw_err_set(err, TW_ENOMEM, "out of memory");
    }
    c->v[c->n++] = s.s;
    return TW_OK;
}

/* All of `old` with each value of one sweep "key=a,b,c". */
static enum tw_status cross(const struct train_cells *old, const char *sweep,
                            struct train_cells *out, struct tw_err *err)
{
    const size_t nkey = strcspn(sweep, "=");
    enum tw_status rc = TW_OK;
    size_t k = 0, n;

    while (k < NSWEPT && (strlen(swept[k]) != nkey || strncmp(swept[k], sweep, nkey) != 0))
        k++;
    if (k == NSWEPT || !sweep[nkey] || !sweep[nkey + 1])
        return tw_err_set(err, TW_EINVAL,
                          "--sweep: '%s' is not of the form OPTION=VALUE,VALUE,... with one of "
                          "batch, clip, data-seed, dropout-seed, ghost-cap, ghost-rate, init-seed, "
                          "lr, optimizer, seed, spike, steps, temperature",
                          sweep);
    for (size_t i = 0; i < old->n && rc == TW_OK; i++) {
        const char *p = sweep + nkey + 1, *value;

        while (rc == TW_OK && (value = train_next_value(&p, &n))) {
            uint64_t from, to;
            char number[24];

            if (!is_range(value, n, &from, &to)) {
                rc = add_cell(out, old->v[i], sweep, nkey, value, n, err);
                continue;
            }
            for (; from <= to && rc == TW_OK; from++) {
                const int len = snprintf(number, sizeof number, "%" PRIu64, from);

                rc = add_cell(out, old->v[i], sweep, nkey, number, (size_t)len, err);
            }
        }
    }
    return rc;
}

enum tw_status train_cells_make(const struct tw_opt_list *sweep, struct train_cells *c,
                                struct tw_err *err)
{
    enum tw_status rc = tw_grow(&c->v, 0, &c->cap, sizeof *c->v) && (c->v[0] = tw_strdup(""))
                            ? TW_OK
                            : tw_err_set(err, TW_ENOMEM, "out of memory");

    c->n = rc == TW_OK;
    for (size_t i = 0; i < sweep->n && rc == TW_OK; i++) {
        struct train_cells more = { 0 };

        rc = cross(c, sweep->v[i], &more, err);
        train_cells_release(c);
        *c = more;
    }
    return rc;
}
