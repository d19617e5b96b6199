/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Read files of training runs: which runs and checkpoints there are, one checkpoint, the state to
 * go on from. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "h5_arrays.h"
#include "h5_items.h"
#include "thalweg/store_run.h"

static const char runs[] = "/runs/";
static const size_t largest_step = (size_t)1 << 53;

static enum tw_status no_memory(struct tw_err *err)
{
    return tw_err_set(err, TW_ENOMEM, "out of memory");
}

/* /runs/RUN/REST of n elements of a kind; NULL if there is none such. */
static const struct tw_h5_item *member(const struct tw_h5_items *items, const char *run,
                                       const char *rest, enum tw_h5_values values)
{
    const struct tw_h5_item *it;
    struct tw_str path = { 0 };

    tw_str_addf(&path, "%s%s/%s", runs, run, rest);
    it = path.failed ? NULL : tw_h5_items_find(items, path.s, false);
    tw_str_release(&path);
    return it && it->kind == TW_H5_SET && it->values == values ? it : NULL;
}

static double real(const struct tw_h5_item *it, size_t i)
{
    double x;

    memcpy(&x, (const char *)it->data + i * sizeof x, sizeof x);
    return x;
}

static bool is_done(const struct tw_h5_item *status, size_t i)
{
    return ((const unsigned char *)status->data)[i] == 1;
}

/* ---- which runs -------------------------------------------------------------------------- */

static enum tw_status add_attr(struct tw_run_info *run, const char *name,
                               const struct tw_h5_item *it, struct tw_err *err)
{
    struct tw_str text = { 0 };
    int64_t i = 0;

    if (it->n != 1 || (it->values != TW_H5_TEXTS && it->values != TW_H5_INTS))
        return TW_OK;
    if (it->values == TW_H5_INTS)
        memcpy(&i, it->data, sizeof i);
    if (it->values == TW_H5_TEXTS)
        tw_str_add(&text, it->data);
    else
        tw_str_addf(&text, "%" PRId64, i);
    if (text.failed || !tw_grow(&run->attr, run->nattr, &run->cap, sizeof *run->attr)) {
        tw_str_release(&text);
        return no_memory(err);
    }
    run->attr[run->nattr] = (struct tw_run_text){ tw_strdup(name), text.s };
    return run->attr[run->nattr++].name ? TW_OK : no_memory(err);
}

static enum tw_status add_checkpoints(struct tw_run_info *run, const struct tw_h5_items *items,
                                      struct tw_err *err)
{
    const struct tw_h5_item *step = member(items, run->name, "checkpoint_step", TW_H5_REALS);
    const struct tw_h5_item *status = member(items, run->name, "checkpoint_status", TW_H5_BYTES);

    if (!step || !status || step->n != status->n)
        return tw_err_set(err, TW_EFORMAT,
                          "%s%s: checkpoint_step or checkpoint_status is missing or wrong", runs,
                          run->name);
    run->checkpoint = tw_alloc((size_t)step->n, sizeof *run->checkpoint);
    if (!run->checkpoint)
        return no_memory(err);
    for (size_t i = 0; i < step->n; i++) {
        const double x = real(step, i);

        if (!(x >= 0.0) || x > (double)largest_step || floor(x) != x ||
            (i && x <= real(step, i - 1)))
            return tw_err_set(err, TW_EFORMAT, "%s: %g is no step after the one before", step->path,
                              x);
        if (is_done(status, i))
            run->checkpoint[run->ncheckpoint++] = (size_t)x;
    }
    return TW_OK;
}

/* Groups right under /runs with their attributes, in the order of the file. */
static enum tw_status add_runs(struct tw_run_list *list, const struct tw_h5_items *items,
                               struct tw_err *err)
{
    enum tw_status rc = TW_OK;

    for (size_t i = 0; i < items->n && rc == TW_OK; i++) {
        const struct tw_h5_item *it = &items->v[i];
        const char *name = it->path + sizeof runs - 1;
        struct tw_run_info *last = list->n ? &list->run[list->n - 1] : NULL;

        if (strncmp(it->path, runs, sizeof runs - 1) != 0 || strchr(name, '/'))
            continue;
        if (it->kind == TW_H5_ATTR && last) {
            const size_t n = strlen(last->name);

            if (!strncmp(name, last->name, n) && name[n] == '@')
                rc = add_attr(last, name + n + 1, it, err);
        } else if (it->kind == TW_H5_GROUP) {
            if (!tw_grow(&list->run, list->n, &list->cap, sizeof *list->run))
                return no_memory(err);
            list->run[list->n] = (struct tw_run_info){ .name = tw_strdup(name) };
            if (!list->run[list->n++].name)
                return no_memory(err);
        }
    }
    return rc;
}

enum tw_status tw_run_list_read(const char *path, struct tw_run_list *list, struct tw_err *err)
{
    struct tw_h5_items items = { 0 };
    struct tw_err own = { 0 };
    enum tw_status rc;

    err = err ? err : &own;
    *list = (struct tw_run_list){ 0 };
    rc = tw_h5_items_read_run(path, NULL, &items, err);
    if (rc == TW_OK)
        rc = add_runs(list, &items, err);
    if (rc == TW_OK && list->n == 0)
        rc = tw_err_set(err, TW_EFORMAT, "no training runs in it");
    for (size_t i = 0; i < list->n && rc == TW_OK; i++)
        rc = add_checkpoints(&list->run[i], &items, err);
    tw_h5_items_release(&items);
    return rc == TW_OK ? rc : tw_err_ctx(err, rc, "%s", path);
}

void tw_run_list_release(struct tw_run_list *list)
{
    for (size_t i = 0; i < list->n; i++) {
        struct tw_run_info *run = &list->run[i];

        for (size_t k = 0; k < run->nattr; k++) {
            free(run->attr[k].name);
            free(run->attr[k].text);
        }
        free(run->attr);
        free(run->checkpoint);
        free(run->name);
    }
    free(list->run);
    *list = (struct tw_run_list){ 0 };
}

const struct tw_run_info *tw_run_find(const struct tw_run_list *list, const char *name)
{
    for (size_t i = 0; i < list->n; i++)
        if (!strcmp(list->run[i].name, name))
            return &list->run[i];
    return NULL;
}

const char *tw_run_attr(const struct tw_run_info *run, const char *name)
{
    for (size_t i = 0; i < run->nattr; i++)
        if (!strcmp(run->attr[i].name, name))
            return run->attr[i].text;
    return NULL;
}

bool tw_is_run_file(const char *path)
{
    struct tw_h5_items items = { 0 };
    struct tw_err none = { 0 };
    bool found = false;

    if (tw_is_hdf5(path) && tw_h5_items_read_run(path, NULL, &items, &none) == TW_OK)
        for (size_t i = tw_h5_items_from(&items, runs); i < items.n && !found; i++) {
            const char *p = items.sorted[i]->path, *end = strrchr(p, '/');

            if (strncmp(p, runs, sizeof runs - 1) != 0)
                break;
            found = !strcmp(end, "/checkpoint_step");
        }
    tw_h5_items_release(&items);
    return found;
}

/* ---- one checkpoint ---------------------------------------------------------------------- */

enum tw_status tw_run_weights_read(const char *path, const char *run, size_t step,
                                   struct tw_named_list *out, struct tw_err *err)
{
    struct tw_h5_items items = { 0 };
    struct tw_str part = { 0 };
    struct tw_err own = { 0 };
    enum tw_status rc;

    err = err ? err : &own;
    *out = (struct tw_named_list){ 0 };
    tw_str_addf(&part, "%s%s/checkpoints/%zu", runs, run, step);
    rc = part.failed ? no_memory(err) : tw_h5_items_read_run(path, part.s, &items, err);
    for (size_t i = 0; i < items.n && rc == TW_OK; i++) {
        const struct tw_h5_item *it = &items.v[i];
        struct tw_array a = { 0 };

        if (it->kind != TW_H5_SET || strncmp(it->path, part.s, part.n) != 0 ||
            it->path[part.n] != '/')
            continue;
        rc = tw_h5_array(it, &a, err);
        if (rc == TW_OK)
            rc = tw_named_add(out, it->path + part.n + 1, &a, err);
        tw_array_release(&a);
    }
    if (rc == TW_OK && out->n == 0)
        rc = tw_err_set(err, TW_EFORMAT, "run '%s' has no checkpoint %zu", run, step);
    if (rc != TW_OK) {
        tw_named_release(out);
        rc = tw_err_ctx(err, rc, "%s", path);
    }
    tw_h5_items_release(&items);
    tw_str_release(&part);
    return rc;
}

/* ---- the state ----------------------------------------------------------------------------- */

/* The place of the newest whole state, or the number of places. */
static size_t newest(const struct tw_h5_item *step, const struct tw_h5_item *status)
{
    size_t best = (size_t)step->n;

    for (size_t i = 0; i < step->n; i++) {
        const double x = real(step, i);

        if (is_done(status, i) && x >= 0.0 && x <= (double)largest_step &&
            (best == step->n || x > real(step, best)))
            best = i;
    }
    return best;
}

enum tw_status tw_run_state_read(const char *path, const char *run, struct tw_run_state *s,
                                 struct tw_err *err)
{
    const struct tw_h5_item *state, *step, *status;
    struct tw_h5_items items = { 0 };
    struct tw_str part = { 0 };
    enum tw_status rc;

    *s = (struct tw_run_state){ 0 };
    tw_str_addf(&part, "%s%s/resume", runs, run);
    rc = part.failed ? no_memory(err) : tw_h5_items_read_run(path, part.s, &items, err);
    if (rc != TW_OK)
        goto out;
    state = member(&items, run, "resume/state", TW_H5_REALS);
    step = member(&items, run, "resume/step", TW_H5_REALS);
    status = member(&items, run, "resume/status", TW_H5_BYTES);
    if (!state || !step || !status || state->rank != 2 || step->n != state->dims[0] ||
        status->n != step->n) {
        rc = tw_err_set(err, TW_EFORMAT, "%s: resume/state, step or status is missing or wrong",
                        part.s);
        goto out;
    }
    s->slot = newest(step, status);
    if (s->slot == step->n)
        goto out;
    s->n = (size_t)state->dims[1];
    s->step = (size_t)real(step, s->slot);
    s->x = tw_alloc(s->n, sizeof *s->x);
    if (s->x)
        memcpy(s->x, (const char *)state->data + s->slot * s->n * sizeof *s->x,
               s->n * sizeof *s->x);
    else
        rc = no_memory(err);
out:
    tw_h5_items_release(&items);
    tw_str_release(&part);
    return rc == TW_OK ? rc : tw_err_ctx(err, rc, "%s", path);
}
