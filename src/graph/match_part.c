/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Choose the part of a nested checkpoint that holds the network. */
#include <stdlib.h>
#include <string.h>

#include "match.h"

/* The start of some names, its dot included, under which parameters were found. */
struct part {
    const char *name;
    size_t length, count;
};

static int by_start(const void *pa, const void *pb)
{
    const struct part *a = pa, *b = pb;
    size_t n = a->length < b->length ? a->length : b->length;
    int c = strncmp(a->name, b->name, n);

    return c ? c : (a->length > b->length) - (a->length < b->length);
}

bool match_optimizer(const char *name, size_t length)
{
    static const char *const starts[] = { "optim", "opt_state", "exp_avg", "momentum_buffer" };

    for (size_t i = 0; i < length; i += strcspn(name + i, ".") + 1)
        for (size_t k = 0; k < sizeof starts / sizeof starts[0]; k++)
            if (!strncmp(name + i, starts[k], strlen(starts[k])))
                return true;
    return false;
}

/* Smaller is better. */
static size_t rank(const struct part *p)
{
    static const char *const order[] = { "state_dict", "model_state_dict", "model",  "net",
                                         "network",    "module",           "params", "ema" };
    const size_t norder = sizeof order / sizeof order[0];

    if (p->length == 0)
        return 0;
    for (size_t i = 0; i < norder; i++)
        if (p->length == strlen(order[i]) + 1 && !strncmp(p->name, order[i], p->length - 1))
            return i + 1;
    return norder + 1;
}

/* One entry a name and a dot in it, behind which the name of a parameter follows. */
static struct part *collect(const struct match_key *bare, size_t n, const struct tw_named_list *c,
                            size_t *nparts)
{
    struct part *part = NULL;
    size_t cap = 0, count;

    *nparts = 0;
    for (size_t i = 0; i < c->n; i++) {
        const char *name = c->item[i].name, *rest = name;

        for (; rest; rest = strchr(rest, '.'), rest = rest ? rest + 1 : NULL) {
            struct part p = { name, (size_t)(rest - name), 1 };

            if (match_find(bare, n, match_bare(rest), &count) == n ||
                match_optimizer(p.name, p.length))
                continue;
            if (!tw_grow(&part, *nparts, &cap, sizeof *part)) {
                free(part);
                return NULL;
            }
            part[(*nparts)++] = p;
        }
    }
    return part ? part : tw_alloc(1, sizeof *part);
}

/* Equal ones become one. */
static size_t merge(struct part *part, size_t n)
{
    size_t k = 0;

    if (n == 0)
        return 0;
    qsort(part, n, sizeof *part, by_start);
    for (size_t i = 1; i < n; i++) {
        if (by_start(&part[k], &part[i]) == 0)
            part[k].count++;
        else
            part[++k] = part[i];
    }
    return k + 1;
}

static enum tw_status nothing(const struct match_key *bare, size_t n, const struct tw_named_list *c,
                              struct tw_err *err)
{
    return tw_err_set(err, TW_EFORMAT,
                      "no array of the checkpoint has the name of a parameter: the network's begin "
                      "with '%.60s', the checkpoint's with '%.60s'; is it a checkpoint of this "
                      "network, and was the network exported with its names?",
                      n ? bare[0].name : "", c->n ? c->item[0].name : "");
}

enum tw_status match_part(const struct match_key *bare, size_t n,
                          const struct tw_named_list *checkpoint, const char **start,
                          size_t *length, struct tw_match *report, struct tw_err *err)
{
    size_t nparts, best = 0;
    struct part *part = collect(bare, n, checkpoint, &nparts);
    enum tw_status rc = TW_OK;

    if (!part)
        return tw_err_set(err, TW_ENOMEM, "out of memory");
    nparts = merge(part, nparts);
    for (size_t i = 1; i < nparts; i++)
        if (part[i].count > part[best].count ||
            (part[i].count == part[best].count && rank(&part[i]) < rank(&part[best])))
            best = i;
    if (nparts == 0)
        rc = nothing(bare, n, checkpoint, err);
    for (size_t i = 0; i < nparts && rc == TW_OK; i++) {
        const struct part *p = &part[i];
        bool inside = by_start(&(struct part){ p->name, part[best].length, 0 }, &part[best]) == 0 &&
                      p->length >= part[best].length;
        const char *rest = p->name + (inside ? part[best].length : 0);
        /* What was taken, behind wrappers, is no other part. */
        bool same =
            p->count == part[best].count && i != best && match_bare(rest) < p->name + p->length;

        if (!same)
            continue;
        if (rank(&part[i]) == rank(&part[best]))
            rc = tw_err_set(err, TW_EFORMAT,
                            "two parts of the checkpoint fit the network equally well, '%.*s' and "
                            "'%.*s'; choose one (--state-key)",
                            (int)part[best].length - 1, part[best].name, (int)part[i].length - 1,
                            part[i].name);
        else if (!match_add(&report->list[TW_MATCH_OTHER], "%.*s", (int)part[i].length - 1,
                            part[i].name))
            rc = tw_err_set(err, TW_ENOMEM, "out of memory");
    }
    if (rc == TW_OK) {
        *start = part[best].name;
        *length = part[best].length;
    }
    free(part);
    return rc;
}
