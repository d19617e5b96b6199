/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Write a file of training runs: all of it at the start, then numbers in place. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "result.h"
#include "thalweg/store_run.h"

/* Room is left for what readers count beside the data sets. */
enum { MOST_OBJECTS = 80000, SLOTS = 2 };
static const uint64_t most_bytes = UINT64_C(1) << 32;

struct tw_run_file {
    struct tw_result *r;
    const struct tw_run_plan *plan;
    size_t *slot; /* of each run: where the next state goes */
    struct tw_str path;
};

static const char *path_of(struct tw_run_file *f, size_t run, const char *fmt, ...) TW_PRINTF(3, 4);
static const char *path_of(struct tw_run_file *f, size_t run, const char *fmt, ...)
{
    va_list ap;

    tw_str_clear(&f->path);
    tw_str_addf(&f->path, "/runs/%s/", f->plan[run].name);
    va_start(ap, fmt);
    tw_str_vaddf(&f->path, fmt, ap);
    va_end(ap);
    return f->path.failed ? "/" : f->path.s; /* which is refused as a path */
}

/* Keras's names have slashes, which would be groups here: a dot stands for each, as readers of HDF5
 * take it. */
static const char *tensor_path(struct tw_run_file *f, size_t run, size_t step, const char *name)
{
    (void)path_of(f, run, "checkpoints/%zu/%s", step, name);
    if (!f->path.failed)
        for (char *p = f->path.s + f->path.n - strlen(name); (p = strchr(p, '/')) != NULL;)
            *p = '.';
    return f->path.failed ? "/" : f->path.s;
}

/* ---- the file, empty --------------------------------------------------------------------- */

static bool is_name(const char *s)
{
    return *s && strlen(s) < 256 && strcmp(s, ".") != 0 && strcmp(s, "..") != 0;
}

static enum tw_status check_plan(const char *path, const struct tw_run_plan *p, struct tw_err *err)
{
    if (!is_name(p->name) || strpbrk(p->name, "/:"))
        return tw_err_set(err, TW_EINVAL,
                          "%s: '%s' cannot be the name of a run: it is empty, too long, or holds "
                          "'/' or ':'",
                          path, p->name);
    for (size_t i = 0; i < p->ntensor; i++)
        if (!is_name(p->tensor[i].name))
            return tw_err_set(err, TW_EINVAL,
                              "%s: a tensor named '%s' cannot be stored: the name is empty or too "
                              "long",
                              path, p->tensor[i].name);
    return TW_OK;
}

static enum tw_status check_size(const char *path, size_t n, const struct tw_run_plan *plan,
                                 struct tw_err *err)
{
    double bytes = 0.0, objects = 0.0;

    for (size_t i = 0; i < n; i++) {
        const struct tw_run_plan *p = &plan[i];
        const enum tw_status rc = check_plan(path, p, err);
        double reals = 0.0;

        if (rc != TW_OK)
            return rc;
        for (size_t k = 0; k < p->ntensor; k++)
            reals += (double)p->tensor[k].n;
        bytes += 4.0 * reals * (double)p->ncheckpoint + 8.0 * SLOTS * (double)p->nstate +
                 8.0 * (double)p->nrow * (double)p->nseries;
        objects += (double)p->ncheckpoint * (double)(p->ntensor + 1) + 3.0 * (double)p->nseries +
                   (double)p->nattr + 32.0;
    }
    if (bytes > (double)most_bytes)
        return tw_err_set(err, TW_EINVAL,
                          "%s would take %.1f GiB, and is made in memory first, 4 GiB at most: ask "
                          "for fewer checkpoints or runs in one file",
                          path, bytes / 1073741824.0);
    if (objects > MOST_OBJECTS)
        return tw_err_set(err, TW_EINVAL,
                          "%s would hold %.0f tensors and series, and %d are the most: ask for "
                          "fewer checkpoints or runs in one file",
                          path, objects, (int)MOST_OBJECTS);
    return TW_OK;
}

static enum tw_status make_log(struct tw_run_file *f, size_t run, struct tw_err *err)
{
    const struct tw_run_plan *p = &f->plan[run];
    enum tw_status rc = TW_OK;

    for (size_t i = 0; i < p->nseries && rc == TW_OK; i++)
        rc = tw_result_reserve_reals(f->r, path_of(f, run, "log/%s", p->series[i].name), 1,
                                     &p->nrow, p->series[i].unit, p->series[i].meaning, err);
    if (rc == TW_OK)
        rc = tw_result_reserve_bytes(f->r, path_of(f, run, "log/status"), 1, &p->nrow,
                                     "1: the row is there", err);
    if (rc == TW_OK)
        rc = tw_result_reserve_bytes(f->r, path_of(f, run, "log/evaluated"), 1, &p->nrow,
                                     "1: the series val_... were measured", err);
    return rc;
}

static enum tw_status make_checkpoints(struct tw_run_file *f, size_t run, struct tw_err *err)
{
    const struct tw_run_plan *p = &f->plan[run];
    double *steps = tw_alloc(p->ncheckpoint, sizeof *steps);
    enum tw_status rc;

    if (!steps)
        return tw_err_set(err, TW_ENOMEM, "out of memory");
    for (size_t k = 0; k < p->ncheckpoint; k++)
        steps[k] = (double)p->checkpoint[k];
    rc = tw_result_put_reals(f->r, path_of(f, run, "checkpoint_step"), 1, &p->ncheckpoint, steps,
                             "", "updates made at each checkpoint", err);
    free(steps);
    if (rc == TW_OK)
        rc = tw_result_reserve_bytes(f->r, path_of(f, run, "checkpoint_status"), 1, &p->ncheckpoint,
                                     "1: the checkpoint is there", err);
    for (size_t k = 0; k < p->ncheckpoint; k++)
        for (size_t i = 0; i < p->ntensor && rc == TW_OK; i++)
            rc = tw_result_reserve_floats(f->r,
                                          tensor_path(f, run, p->checkpoint[k], p->tensor[i].name),
                                          p->tensor[i].rank, p->tensor[i].dims, err);
    return rc;
}

static enum tw_status make_state(struct tw_run_file *f, size_t run, struct tw_err *err)
{
    const size_t slots[2] = { SLOTS, f->plan[run].nstate };
    enum tw_status rc =
        tw_result_reserve_reals(f->r, path_of(f, run, "resume/state"), 2, slots, "",
                                "what training needs to go on, in two places by turns", err);

    if (rc == TW_OK)
        rc = tw_result_reserve_reals(f->r, path_of(f, run, "resume/step"), 1, slots, "",
                                     "updates made then", err);
    if (rc == TW_OK)
        rc = tw_result_reserve_bytes(f->r, path_of(f, run, "resume/status"), 1, slots,
                                     "1: the place holds a state", err);
    return rc;
}

static enum tw_status make_attributes(struct tw_run_file *f, size_t run, struct tw_err *err)
{
    const struct tw_run_plan *p = &f->plan[run];
    struct tw_str path = { 0 };
    hid_t group = -1;
    bool good;

    tw_str_addf(&path, "/runs/%s", p->name);
    if (!path.failed)
        group = H5Gopen2(f->r->file, path.s, H5P_DEFAULT);
    good = group >= 0;
    for (size_t i = 0; i < p->nattr && good; i++)
        good = p->attr[i].text ? tw_result_attr_text(group, p->attr[i].name, p->attr[i].text)
                               : tw_result_attr_int(group, p->attr[i].name, p->attr[i].number);
    tw_h5_close(group);
    tw_str_release(&path);
    return tw_result_broke(
        f->r, good ? TW_OK : tw_h5_fail(err, TW_EIO, "%s: /runs/%s", f->r->path, p->name));
}

/* ---- begin and end ----------------------------------------------------------------------- */

void tw_run_abandon(struct tw_run_file *f)
{
    if (!f)
        return;
    tw_result_abandon(f->r);
    tw_str_release(&f->path);
    free(f->slot);
    free(f);
}

enum tw_status tw_run_close(struct tw_run_file *f, struct tw_err *err)
{
    enum tw_status rc = tw_result_close(f->r, err);

    f->r = NULL;
    tw_run_abandon(f);
    return rc;
}

static struct tw_run_file *handle(size_t n, const struct tw_run_plan *plan, struct tw_err *err)
{
    struct tw_run_file *f = tw_alloc(1, sizeof *f);

    if (f)
        f->slot = tw_alloc(n, sizeof *f->slot);
    if (!f || !f->slot) {
        free(f);
        (void)tw_err_set(err, TW_ENOMEM, "out of memory");
        return NULL;
    }
    f->plan = plan;
    return f;
}

struct tw_run_file *tw_run_create(const char *path, bool force, const struct tw_provenance *prov,
                                  size_t n, const struct tw_run_plan *plan, struct tw_err *err)
{
    struct tw_run_file *f;
    enum tw_status rc;

    if (check_size(path, n, plan, err) != TW_OK)
        return NULL;
    f = handle(n, plan, err);
    if (!f)
        return NULL;
    f->r = tw_result_create(path, "train", TW_RESULT_INPLACE, force, prov, err);
    rc = f->r ? TW_OK : TW_EIO;
    for (size_t i = 0; i < n && rc == TW_OK; i++) {
        rc = make_log(f, i, err);
        if (rc == TW_OK)
            rc = make_checkpoints(f, i, err);
        if (rc == TW_OK)
            rc = make_state(f, i, err);
        if (rc == TW_OK)
            rc = make_attributes(f, i, err);
    }
    if (rc == TW_OK)
        rc = tw_result_begin(f->r, err);
    if (rc == TW_OK)
        return f;
    tw_run_abandon(f);
    return NULL;
}

struct tw_run_file *tw_run_reopen(const char *path, size_t n, const struct tw_run_plan *plan,
                                  const size_t *slot, struct tw_err *err)
{
    struct tw_run_file *f = handle(n, plan, err);

    if (!f)
        return NULL;
    for (size_t i = 0; i < n; i++)
        f->slot[i] = (slot[i] + 1) % SLOTS;
    f->r = tw_result_reopen(path, "train", err);
    if (f->r)
        return f;
    tw_run_abandon(f);
    return NULL;
}

/* ---- numbers ----------------------------------------------------------------------------- */

enum tw_status tw_run_write_row(struct tw_run_file *f, size_t run, size_t row, const double *x,
                                bool evaluated, struct tw_err *err)
{
    const struct tw_run_plan *p = &f->plan[run];
    const uint8_t done = 1, yes = evaluated ? 1 : 0;
    enum tw_status rc = TW_OK;

    for (size_t i = 0; i < p->nseries && rc == TW_OK; i++)
        rc = tw_result_write_reals(f->r, path_of(f, run, "log/%s", p->series[i].name), row, &x[i],
                                   1, err);
    if (rc == TW_OK)
        rc = tw_result_write_bytes(f->r, path_of(f, run, "log/evaluated"), row, &yes, 1, err);
    if (rc == TW_OK)
        rc = tw_result_write_bytes(f->r, path_of(f, run, "log/status"), row, &done, 1, err);
    return rc;
}

enum tw_status tw_run_write_checkpoint(struct tw_run_file *f, size_t run, size_t k,
                                       const float *const *x, struct tw_err *err)
{
    const struct tw_run_plan *p = &f->plan[run];
    const uint8_t done = 1;
    enum tw_status rc = TW_OK;

    for (size_t i = 0; i < p->ntensor && rc == TW_OK; i++)
        if (p->tensor[i].n)
            rc = tw_result_write_floats(f->r,
                                        tensor_path(f, run, p->checkpoint[k], p->tensor[i].name), 0,
                                        x[i], p->tensor[i].n, err);
    if (rc == TW_OK)
        rc = tw_result_write_bytes(f->r, path_of(f, run, "checkpoint_status"), k, &done, 1, err);
    return rc;
}

enum tw_status tw_run_write_state(struct tw_run_file *f, size_t run, size_t step, const double *x,
                                  struct tw_err *err)
{
    const size_t n = f->plan[run].nstate, slot = f->slot[run];
    const double at = (double)step;
    const uint8_t none = 0, done = 1;
    const char *status = "resume/status";
    enum tw_status rc =
        tw_result_write_bytes(f->r, path_of(f, run, "%s", status), slot, &none, 1, err);

    if (rc == TW_OK)
        rc = tw_result_write_reals(f->r, path_of(f, run, "resume/state"), slot * n, x, n, err);
    if (rc == TW_OK)
        rc = tw_result_write_reals(f->r, path_of(f, run, "resume/step"), slot, &at, 1, err);
    if (rc == TW_OK)
        rc = tw_result_write_bytes(f->r, path_of(f, run, "%s", status), slot, &done, 1, err);
    f->slot[run] = (slot + 1) % SLOTS;
    return rc;
}
