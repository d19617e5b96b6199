/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "holdout.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- which points are held out ------------------------------------------------------------- */

static bool one_schedule(const struct tw_schedule *a, const struct tw_schedule *b)
{
    return a == b || (a->n == b->n && a->base == b->base && !(fabs(a->batch - b->batch) > 0.0) &&
                      !memcmp(a->lr, b->lr, a->n * sizeof *a->lr));
}

static bool add_unit(struct tw_holdout *s, const char *name)
{
    s->name[s->nunits] = tw_strdup(name);
    return s->name[s->nunits++] != NULL;
}

/* Curves of one schedule differ in their noise alone: to keep one of them would tell the law
 * what it is asked. */
static bool by_curve(struct tw_holdout *s, const struct tw_law_curve *curves, size_t ncurves)
{
    size_t *unit = tw_alloc(ncurves, sizeof *unit);
    bool ok = unit != NULL;
    size_t k = 0;

    for (size_t c = 0; ok && c < ncurves; c++) {
        unit[c] = s->nunits;
        for (size_t b = c; b-- > 0;)
            if (one_schedule(curves[b].schedule, curves[c].schedule))
                unit[c] = unit[b];
        if (unit[c] == s->nunits)
            ok = add_unit(s, curves[c].name);
        for (size_t i = 0; i < curves[c].n; i++, k++)
            s->fold[k] = s->unit[k] = unit[c];
    }
    s->nfolds = s->nunits;
    free(unit);
    return ok;
}

static bool by_tail(struct tw_holdout *s, double tail, const struct tw_law_curve *curves,
                    size_t ncurves)
{
    bool ok = true;
    size_t k = 0;

    s->nfolds = 1;
    for (size_t c = 0; ok && c < ncurves; c++) {
        const double end = curves[c].n ? curves[c].x[curves[c].n - 1] : 0.0;

        for (size_t i = 0; i < curves[c].n; i++, k++)
            if (curves[c].x[i] > (1.0 - tail) * end) {
                s->fold[k] = 0;
                s->unit[k] = s->nunits;
            }
        ok = add_unit(s, curves[c].name);
    }
    return ok;
}

/* Sizes within 1 % are one: tables round them, or count them by different rules. */
static bool by_size(struct tw_holdout *s, const struct tw_law_curve *curves, size_t ncurves,
                    const double *size)
{
    const bool runs = ncurves && curves[0].input; /* each a unit; of curves, each curve */
    double largest = -INFINITY;
    bool ok = true;
    size_t k = 0;

    s->nfolds = 1;
    for (size_t i = 0; i < s->n; i++)
        largest = fmax(largest, size[i]);
    for (size_t c = 0; ok && c < ncurves; c++)
        for (size_t i = 0; ok && i < curves[c].n; i++, k++) {
            struct tw_str name = { 0 };

            if (size[k] < 0.99 * largest)
                continue;
            s->fold[k] = 0;
            s->unit[k] = s->nunits - (!runs && i > 0);
            if (!runs && i > 0)
                continue;
            tw_str_add(&name, curves[c].name);
            if (runs)
                tw_str_addf(&name, " run %zu", i + 1);
            ok = !name.failed && add_unit(s, name.s);
            tw_str_release(&name);
        }
    return ok;
}

enum tw_status tw_holdout_init(struct tw_holdout *s, enum tw_compare_hold hold, double tail,
                               const struct tw_law_curve *curves, size_t ncurves,
                               const double *size, struct tw_err *err)
{
    bool ok;

    *s = (struct tw_holdout){ 0 };
    for (size_t c = 0; c < ncurves; c++)
        s->n += curves[c].n;
    s->fold = tw_alloc(s->n, sizeof *s->fold);
    s->unit = tw_alloc(s->n, sizeof *s->unit);
    s->name = tw_alloc(s->n + ncurves, sizeof *s->name);
    ok = s->fold && s->unit && s->name;
    for (size_t i = 0; ok && i < s->n; i++)
        s->fold[i] = s->unit[i] = TW_SPLIT_NONE;
    if (ok && hold == TW_COMPARE_CURVE)
        ok = by_curve(s, curves, ncurves);
    else if (ok && hold == TW_COMPARE_TAIL)
        ok = by_tail(s, tail, curves, ncurves);
    else if (ok)
        ok = by_size(s, curves, ncurves, size);
    return ok ? TW_OK : tw_err_set(err, TW_ENOMEM, "out of memory");
}

void tw_holdout_release(struct tw_holdout *s)
{
    for (size_t i = 0; s->name && i < s->nunits; i++)
        free(s->name[i]);
    free(s->name);
    free(s->fold);
    free(s->unit);
    *s = (struct tw_holdout){ 0 };
}

/* ---- the two parts -------------------------------------------------------------------------- */

bool tw_holdout_part_init(struct tw_holdout_part *p, const struct tw_holdout *s, size_t fold,
                          bool held, const struct tw_law *law, const struct tw_law_curve *curves,
                          size_t ncurves)
{
    const size_t columns = 2 + law->ninputs;
    size_t k = 0;

    *p = (struct tw_holdout_part){ 0 };
    p->curves = tw_alloc(ncurves, sizeof *p->curves);
    p->at = tw_alloc(s->n, sizeof *p->at);
    p->values = tw_alloc(s->n, columns * sizeof *p->values);
    p->input = tw_alloc(ncurves * (law->ninputs + 1), sizeof *p->input);
    if (!p->curves || !p->at || !p->values || !p->input)
        return false;
    for (size_t c = 0; c < ncurves; c++) {
        double *column = p->values + p->n; /* of x; y and the inputs are s->n apart */
        const double **input = p->input + p->ncurves * law->ninputs;
        size_t n = 0;

        for (size_t i = 0; i < curves[c].n; i++, k++) {
            if ((s->fold[k] == fold) != held)
                continue;
            p->at[p->n + n] = k;
            column[n] = curves[c].x ? curves[c].x[i] : 0.0;
            column[s->n + n] = curves[c].y[i];
            for (size_t j = 0; j < law->ninputs; j++)
                column[(2 + j) * s->n + n] = curves[c].input[j][i];
            n++;
        }
        if (n == 0)
            continue;
        for (size_t j = 0; j < law->ninputs; j++)
            input[j] = column + (2 + j) * s->n;
        p->curves[p->ncurves++] = (struct tw_law_curve){
            .name = curves[c].name,
            .n = n,
            .x = column,
            .y = column + s->n,
            .schedule = curves[c].schedule,
            .input = input,
            .size = curves[c].size,
            .tokens = curves[c].tokens,
        };
        p->n += n;
    }
    return true;
}

void tw_holdout_part_release(struct tw_holdout_part *p)
{
    free(p->curves);
    free(p->at);
    free(p->values);
    free(p->input);
    *p = (struct tw_holdout_part){ 0 };
}
