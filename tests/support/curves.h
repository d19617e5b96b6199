/* SPDX-License-Identifier: GPL-3.0-or-later */
/* curves.h - loss curves to fit: the published ones of Luo et al. 2025 (arXiv:2503.12811),
 * which lie beside the project and not in it, and made-up ones. No cmocka here. */
#ifndef TESTS_CURVES_H
#define TESTS_CURVES_H

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "thalweg/law.h"

enum { REF_CURVES = 9, REF_TRAIN = 3 };

/* Train curves first. The specs are those of schedules.csv in our grammar. */
static const struct {
    const char *name, *spec;
} ref_curve[REF_CURVES] = {
    { "cosine_24000", "cosine:peak=3e-4,end=3e-5,total=24000,warmup=2160" },
    { "constant_24000", "constant:peak=3e-4,total=24000,warmup=2160" },
    { "wsdcon_9", "wsdcon:peak=3e-4,end=9e-5,total=16000,stage=8000,warmup=2160" },
    { "constant_72000", "constant:peak=3e-4,total=72000,warmup=2160" },
    { "cosine_72000", "cosine:peak=3e-4,end=3e-5,total=72000,warmup=2160" },
    { "wsd_20000_24000", "wsd:peak=3e-4,end=3e-5,total=24000,decay=4000,warmup=2160" },
    { "wsdld_20000_24000", "wsdld:peak=3e-4,end=3e-5,total=24000,decay=4000,warmup=2160" },
    { "wsdcon_3", "wsdcon:peak=3e-4,end=3e-5,total=16000,stage=8000,warmup=2160" },
    { "wsdcon_18", "wsdcon:peak=3e-4,end=1.8e-4,total=16000,stage=8000,warmup=2160" },
};

/* $TW_SHARED, or ../shared seen from the project's root, holds data/scaling. */
static inline void ref_path(char *path, size_t n, const char *size, const char *file)
{
    const char *shared = getenv("TW_SHARED");

    (void)snprintf(path, n, "%s/data/scaling/mpl_%s/%s.csv",
                   shared && *shared ? shared : "../shared", size, file);
}

static inline bool ref_present(void)
{
    char path[512];
    FILE *f;

    ref_path(path, sizeof path, "25M", "schedules");
    f = fopen(path, "r");
    if (f)
        (void)fclose(f);
    return f != NULL;
}

/* A curve with what it points to. */
struct ref_data {
    size_t n;
    double *x, *lr, *y;
    struct tw_schedule schedule;
    struct tw_law_curve curve;
};

static inline void ref_release(struct ref_data *d, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        free(d[i].x);
        free(d[i].lr);
        free(d[i].y);
        tw_schedule_release(&d[i].schedule);
        d[i] = (struct ref_data){ 0 };
    }
}

/* Rows step,lr,loss below one line of names. */
static inline bool ref_read(const char *path, struct ref_data *d)
{
    enum { MAX = 4000 };
    char line[256];
    FILE *f = fopen(path, "r");

    d->x = calloc(MAX, sizeof *d->x);
    d->lr = calloc(MAX, sizeof *d->lr);
    d->y = calloc(MAX, sizeof *d->y);
    if (!f || !d->x || !d->lr || !d->y || !fgets(line, sizeof line, f)) {
        if (f)
            (void)fclose(f);
        return false;
    }
    while (d->n < MAX && fgets(line, sizeof line, f)) {
        char *p = line;

        d->x[d->n] = strtod(p, &p);
        d->lr[d->n] = strtod(p + 1, &p);
        d->y[d->n++] = strtod(p + 1, &p);
    }
    (void)fclose(f);
    return d->n > 0;
}

/* All nine curves of "25M" or "400M"; false if a file is missing or cannot be understood. */
static inline bool ref_load(const char *size, struct ref_data d[REF_CURVES])
{
    for (size_t c = 0; c < REF_CURVES; c++)
        d[c] = (struct ref_data){ 0 };
    for (size_t c = 0; c < REF_CURVES; c++) {
        char path[512];

        ref_path(path, sizeof path, size, ref_curve[c].name);
        if (!ref_read(path, &d[c]) ||
            tw_schedule_parse(ref_curve[c].spec, NULL, NULL, &d[c].schedule, NULL) != TW_OK) {
            ref_release(d, REF_CURVES);
            return false;
        }
        d[c].curve = (struct tw_law_curve){ .name = ref_curve[c].name,
                                            .n = d[c].n,
                                            .x = d[c].x,
                                            .y = d[c].y,
                                            .schedule = &d[c].schedule };
    }
    return true;
}

/* ---- made-up curves ----------------------------------------------------------------------- */

/* A curve of the annealing law (L0, A, alpha, C, lambda) under `spec`, logged every `every`
 * steps from `from`, times exp of noise: AR(1) with standard deviation sd and coefficient phi
 * from stream `item`; plus share of the values of `common` at the same point, if given. */
struct made {
    const char *spec;
    size_t from, every;
    double sd, phi;
    uint64_t item;
    const double *common;
};

static inline void ar1(uint64_t item, double sd, double phi, double *e, size_t n)
{
    struct tw_rng rng = tw_rng_stream(20240811, TW_RNG_TEST, item);
    double last = sd * tw_rng_normal(&rng);

    for (size_t i = 0; i < n; i++) {
        e[i] = last;
        last = phi * last + sd * sqrt(1.0 - phi * phi) * tw_rng_normal(&rng);
    }
}

static inline bool made_curve(const struct made *m, const double theta[5], enum tw_warmup warmup,
                              struct ref_data *d)
{
    double *s1, *s2;

    *d = (struct ref_data){ 0 };
    if (tw_schedule_parse(m->spec, NULL, NULL, &d->schedule, NULL) != TW_OK)
        return false;
    s1 = calloc(d->schedule.n, sizeof *s1);
    s2 = calloc(d->schedule.n, sizeof *s2);
    d->x = calloc(d->schedule.n, sizeof *d->x);
    d->y = calloc(d->schedule.n, sizeof *d->y);
    if (!s1 || !s2 || !d->x || !d->y)
        abort();
    tw_law_annealing_features(&d->schedule, warmup, theta[4], s1, s2);
    for (size_t i = m->from; i < d->schedule.n; i += m->every) {
        d->x[d->n] = (double)i;
        d->y[d->n++] = theta[0] + theta[1] * pow(s1[i], -theta[2]) - theta[3] * s2[i];
    }
    if (m->sd > 0.0) {
        ar1(m->item, m->sd, m->phi, s1, d->n);
        for (size_t i = 0; i < d->n; i++)
            d->y[i] *= exp(s1[i]);
    }
    for (size_t i = 0; m->common && i < d->n; i++)
        d->y[i] *= exp(m->common[i]);
    free(s1);
    free(s2);
    d->curve = (struct tw_law_curve){
        .name = m->spec, .n = d->n, .x = d->x, .y = d->y, .schedule = &d->schedule
    };
    return true;
}

#endif
