/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The result file of one line, kind "barrier": written whole once it is finished. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "barrier.h"
#include "thalweg/store_reader.h"

static const char *const curve_name[] = { "loss", "error" };
static const char *const kind_name[] = { "entezari", "frankle", "rise" };
enum { FIELDS = 13, SWAP_FIELDS = 4 };

void barrier_result_release(struct barrier_result *r)
{
    free(r->name[0]);
    free(r->name[1]);
    free(r->objective);
    free(r->t);
    for (int c = 0; c < TW_LINE_NCURVES; c++) {
        free(r->value[c]);
        free(r->se[c]);
    }
    for (size_t i = 0; r->group && i < r->ngroup; i++)
        free(r->group[i]);
    free(r->group);
    free(r->part);
    free(r->swap);
    free(r->pile);
    *r = (struct barrier_result){ 0 };
}

/* ---- parts as rows of numbers -------------------------------------------------------------------
 */

static void pack(const struct tw_barrier *b, double x[FIELDS])
{
    const double v[FIELDS] = { b->value,   b->t,       b->from, b->se,   b->se_data, b->lo, b->hi,
                               b->lo_data, b->hi_data, b->bias, b->t_lo, b->t_hi,    b->c };

    memcpy(x, v, sizeof v);
}

static void unpack(const double x[FIELDS], struct tw_barrier *b)
{
    *b = (struct tw_barrier){ x[0], x[1], x[2], x[3],  x[4],  x[5], x[6],
                              x[7], x[8], x[9], x[10], x[11], x[12] };
}

static const char barrier_meaning[] =
    "value, t, start of a rise, se, se_data, lo, hi, lo_data, hi_data, bias of the maximum, t_lo, "
    "t_hi, standard errors to a side";
static const char swap_meaning[] =
    "barrier over the path's own chord, its t, middle less the mean of the path's ends, middle "
    "less the mean of the whole networks' ends";

/* ---- writing ------------------------------------------------------------------------------------
 */

struct writer {
    struct tw_result *f;
    struct tw_err *err;
    enum tw_status rc;
};

static void put(struct writer *w, const char *path, int rank, const size_t *dims, const double *x,
                const char *unit, const char *meaning)
{
    if (w->rc == TW_OK)
        w->rc = tw_result_put_reals(w->f, path, rank, dims, x, unit, meaning, w->err);
}

static void put_size(struct writer *w, const char *path, size_t x, const char *meaning)
{
    if (w->rc == TW_OK)
        w->rc = tw_result_put_size(w->f, path, x, "", meaning, w->err);
}

static void put_texts(struct writer *w, const char *path, size_t n, char *const *s,
                      const char *meaning)
{
    const char **v = tw_alloc(n, sizeof *v);

    for (size_t i = 0; v && i < n; i++)
        v[i] = s[i];
    if (!v)
        w->rc = tw_err_set(w->err, TW_ENOMEM, "out of memory");
    if (w->rc == TW_OK)
        w->rc = tw_result_put_texts(w->f, path, n, v, meaning, w->err);
    free(v);
}

static void put_line(struct writer *w, const struct barrier_result *r)
{
    static const char *const unit[] = { "nats", "" };
    char path[64];
    double x[FIELDS];

    put(w, "/t", 1, &r->m, r->t, "", "place on the line: 0 is the first model, 1 the second");
    for (int c = 0; c < (r->has_error ? 2 : 1); c++) {
        (void)snprintf(path, sizeof path, "/%s", curve_name[c]);
        put(w, path, 1, &r->m, r->value[c], unit[c], c ? "error rate" : "mean loss");
        (void)snprintf(path, sizeof path, "/%s_se", curve_name[c]);
        put(w, path, 1, &r->m, r->se[c], unit[c], "its standard error (population)");
        (void)snprintf(path, sizeof path, "/stated_error/%s", curve_name[c]);
        put(w, path, 0, NULL, &r->stated[c], unit[c],
            "how far the curve between points may be off");
        (void)snprintf(path, sizeof path, "/threshold/%s", curve_name[c]);
        put(w, path, 0, NULL, &r->threshold[c], unit[c], "of the verdict; NaN: none");
        for (int k = 0; k < TW_NBARRIERS; k++) {
            const size_t n = FIELDS;

            (void)snprintf(path, sizeof path, "/barrier/%s/%s", curve_name[c], kind_name[k]);
            pack(&r->barrier[c][k], x);
            put(w, path, 1, &n, x, unit[c], barrier_meaning);
        }
    }
}

static void put_swaps(struct writer *w, const char *path, const struct tw_swap *s, size_t n,
                      size_t columns)
{
    const size_t dims[3] = { n, columns, SWAP_FIELDS };
    double *x = s ? tw_alloc(n * columns, SWAP_FIELDS * sizeof *x) : NULL;

    if (!s)
        return;
    for (size_t i = 0; x && i < n * columns; i++) {
        const double v[SWAP_FIELDS] = { s[i].barrier, s[i].t, s[i].middle, s[i].published };

        memcpy(x + i * SWAP_FIELDS, v, sizeof v);
    }
    if (x)
        put(w, path, 3, dims, x, "nats", swap_meaning);
    else
        w->rc = tw_err_set(w->err, TW_ENOMEM, "out of memory");
    free(x);
}

static void put_layers(struct writer *w, const struct barrier_result *r)
{
    const double split[] = { r->split_t,       r->split_whole, r->split_residual,
                             r->split_buffers, r->split_doubt, (double)r->gradients };
    const struct tw_curvature_guess *g = &r->guess;
    const double guess[] = { g->slope[0],  g->slope[1], g->bend[0],   g->bend[1],  g->bend[2],
                             g->by_slopes, g->by_ends,  g->by_middle, g->by_three, r->middle };
    const size_t nsplit = sizeof split / sizeof split[0], nguess = sizeof guess / sizeof guess[0];

    if (r->ngroup)
        put_texts(w, "/layers/name", r->ngroup, r->group, "layers of the network");
    if (r->part) {
        put(w, "/layers/part", 1, &r->ngroup, r->part, "nats",
            "each layer's exact part of the excess over the chord");
        put(w, "/layers/split", 1, &nsplit, split, "nats",
            "t, excess there, residual of the split, part of moving buffers (as the difference), "
            "doubt of a part, gradients");
    }
    put_swaps(w, "/layers/alone", r->swap, r->ngroup, BARRIER_SWAP_BASES);
    put_swaps(w, "/layers/together", r->pile, r->ngroup, BARRIER_PILES);
    if (r->has_guess)
        put(w, "/curvature", 1, &nguess, guess, "nats",
            "slopes at 0 and 1; curvatures at 0, 1/2, 1; excess at 1/2 by slopes, by the ends' "
            "curvature, by the middle's, by all three; measured excess at 1/2");
}

enum tw_status barrier_file_write(const char *path, const struct barrier_result *r,
                                  const char *settings, const struct tw_provenance *prov,
                                  struct tw_err *err)
{
    struct writer w = { tw_result_create(path, "barrier", TW_RESULT_ATOMIC, true, prov, err), err,
                        TW_OK };

    if (!w.f)
        return err->code;
    w.rc = tw_result_put_text(w.f, "/settings", settings, "what a rerun must agree with", err);
    put_texts(&w, "/models", 2, (char *const *)r->name, "ends of the line");
    if (w.rc == TW_OK)
        w.rc = tw_result_put_text(w.f, "/objective", r->objective, "the loss", err);
    put_size(&w, "/n", r->n, "samples");
    put_size(&w, "/n_data", r->n_data, "samples that these were chosen from");
    put_size(&w, "/mli", r->mli, "1: a test of monotone linear interpolation");
    put_size(&w, "/buffers_move", r->buffers_move, "1: running statistics were interpolated too");
    put_size(&w, "/recalibrated", r->recalibrated,
             "1: running statistics were measured anew at each point");
    put_size(&w, "/evaluations", r->evaluations, "of the loss over all samples");
    put_size(&w, "/converged", r->converged, "1: the stated error is what was asked for");
    put_size(&w, "/verdict", (size_t)r->verdict, "0 undecided, 1 connected, 2 separated");
    put(&w, "/needed", 0, NULL, &r->needed, "", "samples that would decide; NaN: it is decided");
    put_line(&w, r);
    put_layers(&w, r);
    if (w.rc == TW_OK)
        return tw_result_close(w.f, err);
    tw_result_abandon(w.f);
    return w.rc;
}

/* ---- reading ------------------------------------------------------------------------------------
 */

static void get_line(struct tw_reader *f, struct barrier_result *r)
{
    char path[64];

    r->m = SIZE_MAX;
    r->t = tw_reader_reals(f, "/t", 1, &r->m);
    if (f->rc == TW_OK && r->m < 3)
        tw_reader_refuse(f, "/t: fewer than three points");
    for (int c = 0; c < (r->has_error ? 2 : 1); c++) {
        (void)snprintf(path, sizeof path, "/%s", curve_name[c]);
        r->value[c] = tw_reader_list(f, path, r->m);
        (void)snprintf(path, sizeof path, "/%s_se", curve_name[c]);
        r->se[c] = tw_reader_list(f, path, r->m);
        (void)snprintf(path, sizeof path, "/stated_error/%s", curve_name[c]);
        r->stated[c] = tw_reader_real(f, path);
        (void)snprintf(path, sizeof path, "/threshold/%s", curve_name[c]);
        r->threshold[c] = tw_reader_real(f, path);
        for (int k = 0; k < TW_NBARRIERS; k++) {
            double *x;

            (void)snprintf(path, sizeof path, "/barrier/%s/%s", curve_name[c], kind_name[k]);
            x = tw_reader_list(f, path, FIELDS);
            if (x)
                unpack(x, &r->barrier[c][k]);
            free(x);
        }
    }
}

static struct tw_swap *get_swaps(struct tw_reader *f, const char *path, size_t n, size_t columns)
{
    size_t dims[3] = { n, columns, SWAP_FIELDS };
    double *x = tw_reader_has(f, path) ? tw_reader_reals(f, path, 3, dims) : NULL;
    struct tw_swap *s = x ? tw_alloc(n * columns, sizeof *s) : NULL;

    if (x && !s)
        tw_reader_no_memory(f);
    for (size_t i = 0; s && i < n * columns; i++) {
        const double *v = x + i * SWAP_FIELDS;

        s[i] = (struct tw_swap){ v[0], v[1], v[2], v[3], 0 };
    }
    free(x);
    return s;
}

static void get_layers(struct tw_reader *f, struct barrier_result *r)
{
    double *x;

    if (tw_reader_has(f, "/layers/name")) {
        size_t n = SIZE_MAX;

        r->group = tw_reader_texts(f, "/layers/name", &n);
        r->ngroup = r->group ? n : 0;
    }
    if (tw_reader_has(f, "/layers/part")) {
        r->part = tw_reader_list(f, "/layers/part", r->ngroup);
        x = tw_reader_list(f, "/layers/split", 6);
        if (x) {
            r->split_t = x[0];
            r->split_whole = x[1];
            r->split_residual = x[2];
            r->split_buffers = x[3];
            r->split_doubt = x[4];
            r->gradients = x[5] >= 0.0 && x[5] < 1e9 ? (size_t)x[5] : 0;
        }
        free(x);
    }
    r->swap = get_swaps(f, "/layers/alone", r->ngroup, BARRIER_SWAP_BASES);
    r->pile = get_swaps(f, "/layers/together", r->ngroup, BARRIER_PILES);
    if (tw_reader_has(f, "/curvature")) {
        x = tw_reader_list(f, "/curvature", 10);
        if (x) {
            r->has_guess = true;
            r->guess = (struct tw_curvature_guess){ { x[0], x[1] }, { x[2], x[3], x[4] },
                                                    x[5],           x[6],
                                                    x[7],           x[8] };
            r->middle = x[9];
        }
        free(x);
    }
}

static void get_names(struct tw_reader *f, struct barrier_result *r)
{
    size_t two = 2;
    char **s = tw_reader_texts(f, "/models", &two);

    for (size_t i = 0; s && i < 2; i++)
        r->name[i] = s[i];
    free(s);
    r->objective = tw_reader_text(f, "/objective");
}

enum tw_status barrier_file_read(const char *path, struct barrier_result *r, struct tw_err *err)
{
    struct tw_reader f = tw_reader_open(path, "barrier", err);
    size_t verdict;

    *r = (struct barrier_result){ 0 };
    if (f.rc == TW_OK && !tw_result_has(f.r, "/t"))
        tw_reader_refuse(&f, "this line is not finished; run the same command again to go on");
    get_names(&f, r);
    r->n = tw_reader_size(&f, "/n");
    r->n_data = tw_reader_size(&f, "/n_data");
    r->mli = tw_reader_size(&f, "/mli") != 0;
    r->buffers_move = tw_reader_size(&f, "/buffers_move") != 0;
    r->recalibrated = tw_reader_size(&f, "/recalibrated") != 0;
    r->evaluations = tw_reader_size(&f, "/evaluations");
    r->converged = tw_reader_size(&f, "/converged") != 0;
    verdict = tw_reader_size(&f, "/verdict");
    r->verdict = verdict <= TW_SEPARATED ? (enum tw_verdict)verdict : TW_UNDECIDED;
    r->needed = tw_reader_real(&f, "/needed");
    r->has_error = tw_reader_has(&f, "/error");
    r->threshold[1] = (double)NAN;
    get_line(&f, r);
    get_layers(&f, r);
    if (f.rc != TW_OK)
        barrier_result_release(r);
    return tw_reader_close(&f);
}

/* ---- what is there ------------------------------------------------------------------------------
 */

enum tw_status barrier_file_look(const char *path, const char *kind, const char *settings,
                                 enum barrier_found *found, struct tw_err *err)
{
    struct tw_err why = { 0 };
    struct tw_result *f;
    char *old = NULL;
    FILE *there = fopen(path, "rb");

    *found = BARRIER_NONE;
    if (!there)
        return TW_OK;
    (void)fclose(there);
    f = tw_is_hdf5(path) ? tw_result_open(path, kind, &why) : NULL;
    if (!f && tw_result_check(path, true, err) != TW_OK)
        return err->code; /* a folder, a device */
    if (!f)
        return tw_err_set(err, TW_EIO, "%s exists and is no %s of thalweg's; --force overwrites it",
                          path, kind);
    *found = tw_result_has(f, "/t") ? BARRIER_FINISHED : BARRIER_BEGUN;
    if (tw_result_get_text(f, "/settings", &old, &why) != TW_OK || strcmp(old, settings) != 0) {
        free(old);
        tw_result_done(f);
        return tw_err_set(err, TW_EIO,
                          "%s was made with other models, data or options; choose another name, or "
                          "--force to overwrite it",
                          path);
    }
    free(old);
    tw_result_done(f);
    return TW_OK;
}
