/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which of a run's series is the loss and which the learning rate. */
#include <fnmatch.h>
#include <math.h>
#include <string.h>

#include "log_names.h"
#include "log_table.h"

/* A series can be a curve if two of its values are finite. */
static bool usable(const struct tw_log_series *s)
{
    size_t n = 0;

    for (size_t i = 0; i < s->n && n < 2; i++)
        n += isfinite(s->y[i]) != 0;
    return n == 2;
}

static enum tw_status named(const struct tw_log_run *run, const char *name, size_t *out,
                            struct tw_err *err)
{
    struct tw_str list = { 0 };
    size_t found = 0, i;

    for (i = 0; i < run->nseries; i++)
        if (!strcmp(run->series[i].name, name))
            return *out = i, TW_OK;
    for (i = 0; i < run->nseries; i++)
        if (fnmatch(name, run->series[i].name, 0) == 0) {
            tw_str_addf(&list, "%s%s", found++ ? ", " : "", run->series[i].name);
            *out = i;
        }
    if (found == 0)
        for (i = 0; i < run->nseries && found == 0; i++)
            if (log_name_alike(run->series[i].name, name)) {
                *out = i;
                found = 1;
            }
    if (found == 0) {
        log_run_list(run, 20, &list);
        (void)tw_err_set(err, TW_EFORMAT, "run '%s' has no series '%s'; it has: %s", run->name,
                         name, list.s ? list.s : "");
    } else if (found > 1) {
        (void)tw_err_set(err, TW_EFORMAT, "run '%s': '%s' fits %zu series, one is needed: %s",
                         run->name, name, found, list.s ? list.s : "");
    }
    tw_str_release(&list);
    return found == 1 ? TW_OK : TW_EFORMAT;
}

/* The only loss of these splits, or the only one that is called plainly "loss"; nseries if
 * there is none or no such one. *n: how many there are. */
static size_t only_loss(const struct tw_log_run *run, unsigned splits, size_t *n)
{
    size_t best = run->nseries, any = run->nseries;
    unsigned least = 0;

    *n = 0;
    for (size_t i = 0; i < run->nseries; i++) {
        const struct tw_log_series *s = &run->series[i];
        unsigned plain = log_name_plain(s->name, TW_Q_LOSS);

        if (s->quantity != TW_Q_LOSS || !(splits & 1U << s->split) || !usable(s))
            continue;
        ++*n;
        any = i;
        if (plain && (!least || plain < least)) {
            least = plain;
            best = i;
        } else if (plain && plain == least) {
            best = run->nseries;
        }
    }
    return *n == 1 ? any : best;
}

static enum tw_status no_loss(const struct tw_log_run *run, struct tw_err *err)
{
    struct tw_str list = { 0 };
    size_t n = 0, first = 0;

    for (size_t i = 0; i < run->nseries; i++)
        if (run->series[i].quantity == TW_Q_LOSS && n++ < 20) {
            tw_str_addf(&list, "%s%s", n > 1 ? ", " : "", run->series[i].name);
            first = n == 1 ? i : first;
        }
    if (n > 20)
        tw_str_addf(&list, " and %zu more", n - 20);
    if (n == 0) {
        log_run_list(run, 20, &list);
        (void)tw_err_set(err, TW_EFORMAT,
                         "run '%s': none of its series looks like a loss: %s; name one with --y",
                         run->name, list.s ? list.s : "");
    } else if (n == 1) {
        struct tw_log_range r = tw_log_series_range(&run->series[first]);

        (void)tw_err_set(err, TW_EFORMAT,
                         "run '%s': '%s' has %zu finite value%s of %zu (%zu NaN, %zu infinite); a "
                         "curve needs 2",
                         run->name, list.s ? list.s : "", r.n - r.nan - r.inf,
                         tw_plural(r.n - r.nan - r.inf), r.n, r.nan, r.inf);
    } else {
        (void)tw_err_set(err, TW_EFORMAT,
                         "run '%s': %zu series could be the loss: %s; name one with --y", run->name,
                         n, list.s ? list.s : "");
    }
    tw_str_release(&list);
    return TW_EFORMAT;
}

enum tw_status tw_log_choose(const struct tw_log_run *run, const struct tw_curve_opts *opts,
                             size_t *y, size_t *lr, struct tw_err *err)
{
    static const unsigned order[] = { 1U << TW_SPLIT_VAL,
                                      1U << TW_SPLIT_TRAIN | 1U << TW_SPLIT_NONE,
                                      1U << TW_SPLIT_TEST };
    unsigned least = 0;
    size_t n;

    *y = run->nseries;
    *lr = SIZE_MAX;
    if (opts->y) {
        enum tw_status rc = named(run, opts->y, y, err);

        if (rc != TW_OK)
            return rc;
    }
    for (size_t i = 0; i < sizeof order / sizeof order[0] && *y == run->nseries; i++) {
        *y = only_loss(run, order[i], &n);
        /* Several training losses: the test loss is not what was meant. */
        if (*y == run->nseries && n > 1 && i > 0)
            break;
    }
    if (*y == run->nseries)
        return no_loss(run, err);
    if (opts->lr)
        return named(run, opts->lr, lr, err);
    /* Of several parameter groups' rates the plainest name, then the first. */
    for (size_t i = 0; i < run->nseries; i++) {
        const struct tw_log_series *s = &run->series[i];
        unsigned plain = log_name_plain(s->name, TW_Q_LR);

        if (s->quantity == TW_Q_LR && (*lr == SIZE_MAX || (plain && (!least || plain < least)))) {
            *lr = i;
            least = plain;
        }
    }
    return TW_OK;
}
