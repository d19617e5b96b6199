/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "given.h"

#include <string.h>

void tw_warn_given_twice(struct tw_call *call, const struct tw_curve_set *set, size_t before)
{
    for (size_t i = before; i < set->n; i++)
        for (size_t k = 0; k < before; k++) {
            const struct tw_curve *a = &set->log.v[k], *b = &set->log.v[i];

            if (strcmp(a->digest, b->digest) != 0)
                continue;
            if (strcmp(a->path, b->path) != 0)
                tw_cmd_warn(call, "%s and %s are the same file: its points count twice", a->path,
                            b->path);
            else
                tw_cmd_warn(call, "%s is given twice: its points count twice", b->path);
            return;
        }
}

/* How many of n points are among the fitted ones of curve c. Those of a curve rise in x, both
 * here and there; runs have no order. */
static size_t count_fitted(const struct tw_fit_file *f, size_t c, const struct tw_law_curve *q)
{
    const struct tw_law_fit *fit = &f->fit;
    const bool runs = fit->law->ninputs > 0;
    const double *x = runs ? q->input[0] : q->x;
    size_t from = fit->first[c], count = 0;

    for (size_t i = 0; i < q->n; i++) {
        size_t k = from;

        while (k < fit->first[c + 1] &&
               (runs ? fit->x[k] != x[i] || fit->y[k] != q->y[i] : fit->x[k] < x[i]))
            k++;
        count += k < fit->first[c + 1] && fit->x[k] == x[i] && fit->y[k] == q->y[i];
        from = runs ? from : k;
    }
    return count;
}

void tw_warn_fitted(struct tw_call *call, const struct tw_fit_file *f,
                    const struct tw_curve_set *set)
{
    for (size_t i = 0; i < set->n; i++) {
        size_t most = 0;

        for (size_t c = 0; c < f->n; c++)
            if (!strcmp(f->digest[c], set->log.v[i].digest)) {
                const size_t count = count_fitted(f, c, &set->law[i]);

                most = count > most ? count : most;
            }
        if (most)
            tw_cmd_warn(call,
                        "%s: %zu of its %zu point%s took part in the fit: its scores are no test "
                        "of the law",
                        set->log.v[i].name, most, set->law[i].n, tw_plural(set->law[i].n));
    }
}
