/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A training run in HDF5: /runs/NAME/log/SERIES, or /log/SERIES in a file of one run. All
 * series of a log are one-dimensional and of one length; one of them is the step.
 *
 * The file is not trusted: only hard links are followed (a soft or an external link could
 * name any file), and a data set must be stored in this file and not claim to be far larger
 * than what is stored. */
#include <hdf5.h>
#include <stdlib.h>
#include <string.h>

#include "log_reader.h"

/* Names under a group, in the order of the alphabet. */
struct names {
    char **v;
    size_t n, cap;
    bool failed, too_many;
};

static void names_release(struct names *l)
{
    for (size_t i = 0; i < l->n; i++)
        free(l->v[i]);
    free(l->v);
    *l = (struct names){ 0 };
}

static herr_t collect(hid_t group, const char *name, const H5L_info_t *info, void *ctx)
{
    struct names *l = ctx;

    (void)group;
    (void)info;
    l->too_many = l->n >= LOG_MAX_RUNS;
    if (l->too_many)
        return 1;
    l->failed = !tw_grow(&l->v, l->n, &l->cap, sizeof *l->v) || !(l->v[l->n] = tw_strdup(name));
    l->n += !l->failed;
    return l->failed ? 1 : 0;
}

static enum tw_status list_links(hid_t group, const char *path, struct names *l, struct tw_err *err)
{
    hsize_t from = 0;

    if (H5Literate(group, H5_INDEX_NAME, H5_ITER_INC, &from, collect, l) < 0)
        return tw_err_set(err, TW_EFORMAT, "%s: the group cannot be listed; the file is damaged",
                          path);
    if (l->too_many)
        return tw_err_set(err, TW_EFORMAT, "%s: more than %d entries", path, LOG_MAX_RUNS);
    return l->failed ? log_out_of_memory(err) : TW_OK;
}

/* Open group/name if it is a hard link to an object of the wanted type. */
static hid_t open_child(hid_t group, const char *name, const char *path, H5I_type_t want,
                        struct tw_err *err)
{
    static const char *const what[] = { "group", "data set" };
    H5L_info_t link;
    hid_t id;

    if (H5Lget_info(group, name, &link, H5P_DEFAULT) < 0) {
        (void)tw_err_set(err, TW_EFORMAT, "%s/%s: cannot be read; the file is damaged", path, name);
        return -1;
    }
    if (link.type != H5L_TYPE_HARD) {
        (void)tw_err_set(err, TW_EFORMAT,
                         "%s/%s: a soft or external link; links out of the file are not followed: "
                         "copy the data into it (h5repack or h5copy)",
                         path, name);
        return -1;
    }
    id = H5Oopen(group, name, H5P_DEFAULT);
    if (id < 0) {
        (void)tw_err_set(err, TW_EFORMAT, "%s/%s: cannot be read; the file is damaged", path, name);
        return -1;
    }
    if (H5Iget_type(id) == want)
        return id;
    (void)H5Oclose(id);
    (void)tw_err_set(err, TW_EFORMAT, "%s/%s: expected a %s", path, name,
                     what[want == H5I_DATASET]);
    return -1;
}

/* ---- one series --------------------------------------------------------------------------------
 */

/* Stored in this file, plainly or in chunks; TW_EFORMAT otherwise. */
static enum tw_status check_storage(hid_t set, hsize_t n, const char *path, const char *name,
                                    struct tw_err *err)
{
    hid_t plist = H5Dget_create_plist(set);
    H5D_layout_t layout = plist < 0 ? H5D_LAYOUT_ERROR : H5Pget_layout(plist);
    bool outside = plist < 0 || H5Pget_external_count(plist) != 0 || layout == H5D_VIRTUAL ||
                   layout == H5D_LAYOUT_ERROR;
    hsize_t stored = H5Dget_storage_size(set);

    if (plist >= 0)
        (void)H5Pclose(plist);
    if (outside)
        return tw_err_set(err, TW_EFORMAT,
                          "%s/%s: the data are kept in another file, which is not read; copy them "
                          "into this one (h5repack)",
                          path, name);
    if (n > (hsize_t)1 << 29)
        return tw_err_set(err, TW_ENOMEM, "%s/%s: claims %llu values; at most 2^29 are read", path,
                          name, (unsigned long long)n);
    /* A chunk never written takes no room, so a small claim may exceed what is stored. */
    if (n > (hsize_t)1 << 24 && n / 1000 > stored)
        return tw_err_set(err, TW_EFORMAT, "%s/%s: claims %llu values but stores %llu bytes", path,
                          name, (unsigned long long)n, (unsigned long long)stored);
    return TW_OK;
}

static enum tw_status check_shape(hid_t set, const char *path, const char *name, hsize_t *n,
                                  struct tw_err *err)
{
    hid_t space = H5Dget_space(set), type = H5Dget_type(set);
    int rank = space < 0 ? -1 : H5Sget_simple_extent_ndims(space);
    H5T_class_t class = type < 0 ? H5T_NO_CLASS : H5Tget_class(type);
    enum tw_status rc = TW_OK;

    if (class != H5T_FLOAT && class != H5T_INTEGER)
        rc = tw_err_set(err, TW_EFORMAT, "%s/%s: expected numbers, found another type", path, name);
    else if (rank != 1)
        rc = tw_err_set(err, TW_EFORMAT, "%s/%s: expected 1 dimension, found %d", path, name, rank);
    else if (H5Sget_simple_extent_dims(space, n, NULL) < 0)
        rc = tw_err_set(err, TW_EFORMAT, "%s/%s: the file is damaged", path, name);
    if (space >= 0)
        (void)H5Sclose(space);
    if (type >= 0)
        (void)H5Tclose(type);
    return rc == TW_OK ? check_storage(set, *n, path, name, err) : rc;
}

static enum tw_status read_series(struct log_table *t, hid_t set, const char *path,
                                  const char *name, hsize_t *length, struct tw_err *err)
{
    size_t i = t->log->runs[t->irun].nseries;
    double *y = NULL;
    hsize_t n = 0;
    enum tw_status rc = check_shape(set, path, name, &n, err);

    if (rc != TW_OK)
        return rc;
    if (*length == HSIZE_UNDEF)
        *length = n;
    if (n != *length)
        return tw_err_set(err, TW_EFORMAT, "%s/%s: %llu values where the other series have %llu",
                          path, name, (unsigned long long)n, (unsigned long long)*length);
    y = tw_alloc((size_t)n, sizeof *y);
    if (!y)
        return tw_err_set(err, TW_ENOMEM, "%s/%s: %llu values do not fit in memory", path, name,
                          (unsigned long long)n);
    if (H5Dread(set, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, y) < 0)
        rc = tw_err_set(err, TW_EFORMAT, "%s/%s: cannot be read; the file is damaged or cut short",
                        path, name);
    if (rc == TW_OK)
        rc = log_table_add(t, name, strlen(name), err);
    t->row = 0.0;
    for (hsize_t k = 0; k < n && rc == TW_OK; k++) {
        log_table_row(t);
        rc = log_table_put_at(t, i, y[k], err);
    }
    free(y);
    return rc;
}

/* ---- one run, all runs
 * --------------------------------------------------------------------------- */

static enum tw_status read_run(struct log_table *t, hid_t parent, const char *path,
                               struct tw_err *err)
{
    hid_t group = open_child(parent, "log", path, H5I_GROUP, err);
    hsize_t length = HSIZE_UNDEF;
    struct names names = { 0 };
    struct tw_str here = { 0 };
    enum tw_status rc;

    if (group < 0)
        return TW_EFORMAT;
    tw_str_addf(&here, "%s/log", path);
    rc = here.failed ? log_out_of_memory(err) : list_links(group, here.s, &names, err);
    for (size_t i = 0; i < names.n && rc == TW_OK; i++) {
        hid_t set = open_child(group, names.v[i], here.s, H5I_DATASET, err);

        rc = set < 0 ? TW_EFORMAT : read_series(t, set, here.s, names.v[i], &length, err);
        if (set >= 0)
            (void)H5Oclose(set);
    }
    names_release(&names);
    tw_str_release(&here);
    (void)H5Oclose(group);
    return rc;
}

static enum tw_status read_runs(struct log_table *t, hid_t file, struct tw_err *err)
{
    hid_t runs = open_child(file, "runs", "", H5I_GROUP, err);
    struct names names = { 0 };
    enum tw_status rc;

    if (runs < 0)
        return TW_EFORMAT;
    rc = list_links(runs, "/runs", &names, err);
    for (size_t i = 0; i < names.n && rc == TW_OK; i++) {
        hid_t run = open_child(runs, names.v[i], "/runs", H5I_GROUP, err);
        struct tw_str path = { 0 };

        tw_str_addf(&path, "/runs/%s", names.v[i]);
        if (run < 0)
            rc = TW_EFORMAT;
        else if (path.failed)
            rc = log_out_of_memory(err);
        else
            rc = log_table_run(t, names.v[i], strlen(names.v[i]), err);
        if (rc == TW_OK)
            rc = read_run(t, run, path.s, err);
        tw_str_release(&path);
        if (run >= 0)
            (void)H5Oclose(run);
    }
    names_release(&names);
    (void)H5Oclose(runs);
    return rc;
}

static hid_t open_file(const char *path, const struct log_text *image)
{
    hid_t plist = H5Pcreate(H5P_FILE_ACCESS), file = -1;
    union {
        const void *in;
        void *out;
    } copy = { .in = image ? image->s : NULL }; /* HDF5 copies the image; its type lacks const */

    if (plist < 0)
        return -1;
    if (path)
        file = H5Fopen(path, H5F_ACC_RDONLY, plist);
    else if (H5Pset_fapl_core(plist, 1 << 16, 0) >= 0 &&
             H5Pset_file_image(plist, copy.out, image->n) >= 0)
        file = H5Fopen("image", H5F_ACC_RDONLY, plist);
    (void)H5Pclose(plist);
    return file;
}

enum tw_status log_hdf5_read(struct log_table *t, const char *path, const struct log_text *image,
                             struct tw_err *err)
{
    hid_t file = open_file(path, image);
    enum tw_status rc;

    if (file < 0)
        return tw_err_set(err, TW_EFORMAT,
                          "HDF5 cannot open it: the file is cut short, damaged or still being "
                          "written");
    if (H5Lexists(file, "runs", H5P_DEFAULT) > 0)
        rc = read_runs(t, file, err);
    else if (H5Lexists(file, "log", H5P_DEFAULT) > 0)
        rc = read_run(t, file, "", err);
    else
        rc = tw_err_set(err, TW_EFORMAT,
                        "an HDF5 file without /runs or /log: not a training run ('thalweg info' "
                        "shows what is in it)");
    (void)H5Fclose(file);
    return rc;
}
