/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A training run in HDF5: /runs/NAME/log/SERIES, or /log/SERIES in a file of one run. All
 * series of a log are one-dimensional and of one length; one of them is the step.
 *
 * A log that is written as the run goes on (thalweg/store_run.h) has two more data sets of bytes:
 * `status`, 1 for the rows that are there, and `evaluated`, 1 where the series val_... were
 * measured; other rows are blank.
 *
 * The file is not trusted: another process reads it (h5_items.h), only hard links are followed
 * (a soft or an external link could name any file), and a data set must be stored in this file
 * and not claim to be far larger than what is stored. */
#include <stdlib.h>
#include <string.h>

#include "h5_items.h"
#include "log_reader.h"

/* The name of an object right under a group, NULL if it is deeper down. `under` ends with '/'. */
static const char *child_name(const struct tw_h5_item *it, size_t under)
{
    const char *name = it->path + under;

    return strchr(name, '/') ? NULL : name;
}

/* The next object whose path starts with `under`; NULL after the last. */
static const struct tw_h5_item *next_under(const struct tw_h5_items *items, const char *under,
                                           size_t *at)
{
    const struct tw_h5_item *it = *at < items->n ? items->sorted[*at] : NULL;

    if (!it || it->kind == TW_H5_ATTR || strncmp(it->path, under, strlen(under)) != 0)
        return NULL;
    ++*at;
    return it;
}

/* Is the object a hard link to one of the wanted kind? */
static enum tw_status check_kind(const struct tw_h5_item *it, const char *path,
                                 enum tw_h5_kind want, struct tw_err *err)
{
    if (!it)
        return tw_err_set(err, TW_EFORMAT, "%s: there is no such group", path);
    if (it->kind == TW_H5_LINK)
        return tw_err_set(err, TW_EFORMAT,
                          "%s: a soft or external link; links out of the file are not followed: "
                          "copy the data into it (h5repack or h5copy)",
                          path);
    if (it->kind != want)
        return tw_err_set(err, TW_EFORMAT, "%s: expected a %s", path,
                          want == TW_H5_SET ? "data set" : "group");
    return TW_OK;
}

/* ---- one series ---------------------------------------------------------------------------- */

static enum tw_status check_series(const struct tw_h5_item *it, uint64_t *length,
                                   struct tw_err *err)
{
    if (*it->note)
        return tw_err_set(err, TW_EFORMAT, "%s: not read: %s", it->path, it->note);
    if (it->class == TW_H5_NONE || it->class == TW_H5_TEXTS)
        return tw_err_set(err, TW_EFORMAT, "%s: expected numbers, found another type", it->path);
    if (it->rank != 1)
        return tw_err_set(err, TW_EFORMAT, "%s: expected 1 dimension, found %d", it->path,
                          it->rank);
    if (it->values == TW_H5_NONE)
        return tw_err_set(err, TW_EFORMAT, "%s: it has no values", it->path);
    if (*length == UINT64_MAX)
        *length = it->n;
    if (it->n != *length)
        return tw_err_set(err, TW_EFORMAT, "%s: %llu values where the other series have %llu",
                          it->path, (unsigned long long)it->n, (unsigned long long)*length);
    return TW_OK;
}

static double value(const struct tw_h5_item *it, size_t k)
{
    const char *p = it->data;
    int64_t i;
    uint64_t u;
    double x;

    if (it->values == TW_H5_BYTES)
        return (unsigned char)p[k];
    memcpy(&x, p + k * sizeof x, sizeof x);
    memcpy(&i, p + k * sizeof i, sizeof i);
    memcpy(&u, p + k * sizeof u, sizeof u);
    return it->values == TW_H5_REALS ? x : it->values == TW_H5_INTS ? (double)i : (double)u;
}

/* Which rows there are. */
struct rows {
    const struct tw_h5_item *status, *evaluated; /* NULL: all */
};

static bool is_there(const struct rows *r, const char *name, size_t k)
{
    return (!r->status || value(r->status, k) == 1.0) &&
           (!r->evaluated || strncmp(name, "val_", 4) != 0 || value(r->evaluated, k) == 1.0);
}

static enum tw_status read_series(struct log_table *t, const struct tw_h5_item *it,
                                  const char *name, const struct rows *rows, uint64_t *length,
                                  struct tw_err *err)
{
    size_t i = t->log->runs[t->irun].nseries;
    enum tw_status rc = check_series(it, length, err);

    if (rc == TW_OK)
        rc = log_table_add(t, name, strlen(name), err);
    t->row = 0.0;
    for (size_t k = 0; k < it->n && rc == TW_OK; k++) {
        log_table_row(t);
        if (is_there(rows, name, k))
            rc = log_table_put_at(t, i, value(it, k), err);
    }
    return rc;
}

/* ---- one run, all runs --------------------------------------------------------------------- */

/* A data set of bytes in the group `log`; NULL if there is none. */
static const struct tw_h5_item *marks(const struct tw_h5_items *items, const char *log,
                                      const char *name)
{
    const struct tw_h5_item *it;
    struct tw_str path = { 0 };

    tw_str_addf(&path, "%s%s", log, name);
    it = path.failed ? NULL : tw_h5_items_find(items, path.s, false);
    tw_str_release(&path);
    return it && it->kind == TW_H5_SET && it->values == TW_H5_BYTES && it->rank == 1 ? it : NULL;
}

static enum tw_status read_run(struct log_table *t, const struct tw_h5_items *items,
                               const char *path, struct tw_err *err)
{
    const struct tw_h5_item *it;
    uint64_t length = UINT64_MAX;
    struct tw_str log = { 0 };
    struct rows rows = { 0 };
    enum tw_status rc;

    tw_str_addf(&log, "%s/log", path);
    if (log.failed)
        return log_out_of_memory(err);
    rc = check_kind(tw_h5_items_find(items, log.s, false), log.s, TW_H5_GROUP, err);
    tw_str_add(&log, "/");
    if (log.failed)
        rc = log_out_of_memory(err);
    if (rc == TW_OK) {
        rows.status = marks(items, log.s, "status");
        rows.evaluated = rows.status ? marks(items, log.s, "evaluated") : NULL;
        if (rows.status)
            rc = check_series(rows.status, &length, err);
        if (rc == TW_OK && rows.evaluated)
            rc = check_series(rows.evaluated, &length, err);
    }
    for (size_t at = rc == TW_OK ? tw_h5_items_from(items, log.s) : 0;
         rc == TW_OK && (it = next_under(items, log.s, &at));) {
        const char *name = child_name(it, log.n);

        rc = name ? check_kind(it, it->path, TW_H5_SET, err) : TW_OK;
        if (rc == TW_OK && name && it != rows.status && it != rows.evaluated)
            rc = read_series(t, it, name, &rows, &length, err);
    }
    tw_str_release(&log);
    return rc;
}

/* Is there one run, named as `thalweg train` names it if there is nothing to tell apart? The name
 * of the file then says more. */
static bool is_plain(const struct tw_h5_items *items, size_t at)
{
    static const char run[] = "/runs/run";
    const struct tw_h5_item *it;
    bool plain = false;

    while ((it = next_under(items, "/runs/", &at)))
        if (!strncmp(it->path, run, sizeof run - 1) &&
            (it->path[sizeof run - 1] == '/' || !it->path[sizeof run - 1]))
            plain = true;
        else
            return false;
    return plain;
}

static enum tw_status read_runs(struct log_table *t, const struct tw_h5_items *items,
                                struct tw_err *err)
{
    static const char runs[] = "/runs/";
    const struct tw_h5_item *it = tw_h5_items_find(items, "/runs", false);
    enum tw_status rc = check_kind(it, "/runs", TW_H5_GROUP, err);
    size_t at = tw_h5_items_from(items, runs);
    const bool plain = is_plain(items, at);

    while (rc == TW_OK && (it = next_under(items, runs, &at))) {
        const char *name = child_name(it, sizeof runs - 1);

        if (!name)
            continue;
        rc = check_kind(it, it->path, TW_H5_GROUP, err);
        if (rc == TW_OK && !plain)
            rc = log_table_run(t, name, strlen(name), err);
        if (rc == TW_OK)
            rc = read_run(t, items, it->path, err);
    }
    return rc;
}

/* A run that was stopped before its first row. */
static bool is_empty(const struct tw_log *log)
{
    for (size_t r = 0; r < log->nruns; r++)
        for (size_t i = 0; i < log->runs[r].nseries; i++)
            if (log->runs[r].series[i].n)
                return false;
    return true;
}

enum tw_status log_hdf5_read(struct log_table *t, const char *path, const struct log_text *image,
                             struct tw_err *err)
{
    struct tw_h5_items items = { 0 };
    enum tw_status rc =
        tw_h5_items_read(path, path ? NULL : image->s, path ? 0 : image->n, TW_H5_LOG, &items, err);

    if (rc == TW_OK && tw_h5_items_find(&items, "/runs", false))
        rc = read_runs(t, &items, err);
    else if (rc == TW_OK && tw_h5_items_find(&items, "/log", false))
        rc = read_run(t, &items, "", err);
    else if (rc == TW_OK)
        rc = tw_err_set(err, TW_EFORMAT,
                        "an HDF5 file without /runs or /log: not a training run ('thalweg info' "
                        "shows what is in it)");
    if (rc == TW_OK && is_empty(t->log))
        rc = tw_err_set(err, TW_EFORMAT,
                        "no step is logged in it yet; the command that made it goes on where it "
                        "ended");
    tw_h5_items_release(&items);
    return rc;
}
