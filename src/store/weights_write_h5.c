/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A checkpoint in HDF5, but for its numbers: contiguous data sets, allocated and not filled. */
#include <stdlib.h>
#include <string.h>

#include "h5.h"
#include "weights_write.h"

static bool put_text(hid_t object, const char *name, const char *text)
{
    hid_t type = tw_h5_text_type(0), space = H5Screate(H5S_SCALAR), attr = -1;
    bool good = type >= 0 && space >= 0;

    if (good)
        attr = H5Acreate2(object, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
    good = good && attr >= 0 && H5Awrite(attr, type, &text) >= 0;
    tw_h5_close(attr);
    tw_h5_close(space);
    tw_h5_close(type);
    return good;
}

/* May the name be a path of groups and a data set? */
static bool is_path(const char *name)
{
    for (const char *p = name; p; p = strchr(p, '/'), p = p ? p + 1 : NULL) {
        const size_t n = strcspn(p, "/");

        if (n == 0 || (n == 1 && *p == '.') || (n == 2 && !strncmp(p, "..", 2)))
            return false;
    }
    return true;
}

struct lists {
    hid_t set, group; /* creation properties */
};

/* The data set and the groups on the way to it; negative if something else has one of the names. */
static hid_t create(hid_t file, const char *path, hid_t type, hid_t space, const struct lists *l)
{
    const char *slash = strchr(path, '/');
    hid_t at = file, set = -1;

    while (slash && at >= 0) {
        char *name = tw_strndup(path, (size_t)(slash - path));
        const hid_t above = at;

        at = !name ? -1
             : H5Lexists(above, name, H5P_DEFAULT) > 0
                 ? H5Gopen2(above, name, H5P_DEFAULT)
                 : H5Gcreate2(above, name, H5P_DEFAULT, l->group, H5P_DEFAULT);
        free(name);
        if (above != file)
            tw_h5_close(above);
        path = slash + 1;
        slash = strchr(path, '/');
    }
    if (at >= 0)
        set = H5Dcreate2(at, path, type, space, H5P_DEFAULT, l->set, H5P_DEFAULT);
    if (at != file)
        tw_h5_close(at);
    (void)H5Eclear2(H5E_DEFAULT);
    return set;
}

static enum tw_status put_tensor(hid_t file, const struct write_plan *w, size_t k,
                                 const struct lists *l, struct tw_err *err)
{
    struct write_tensor *t = w->v[k];
    const struct tw_weight *v = &w->file->v[t->i];
    hsize_t dims[TW_MAX_RANK];
    hid_t type = tw_h5_element_type(t->dtype), space, set = -1;
    bool named = is_path(v->name), good;
    char other[40];

    for (int d = 0; d < v->rank; d++)
        dims[d] = v->dims[d];
    space = v->rank ? H5Screate_simple(v->rank, dims, NULL) : H5Screate(H5S_SCALAR);
    if (type >= 0 && space >= 0 && named)
        set = create(file, v->name, type, space, l);
    if (type >= 0 && space >= 0 && set < 0) { /* "a" and "a/b" cannot both be */
        (void)snprintf(other, sizeof other, "tensor_%zu", t->i);
        named = false;
        set = create(file, other, type, space, l);
    }
    good = set >= 0 && ((named && !strchr(v->name, '/')) || put_text(set, "tensor_name", v->name));
    if (good && v->n > 0) {
        const haddr_t at = H5Dget_offset(set);

        good = at != HADDR_UNDEF;
        t->at = at;
    }
    tw_h5_close(set);
    tw_h5_close(space);
    tw_h5_close(type);
    return good ? TW_OK : tw_h5_fail(err, TW_EIO, "'%.100s' cannot be stored in HDF5", v->name);
}

static enum tw_status put_all(hid_t file, const struct write_plan *w, const struct lists *l,
                              struct tw_err *err)
{
    enum tw_status rc = TW_OK;

    for (size_t i = 0; i < w->options->nnote + w->file->nnote && rc == TW_OK; i++) {
        const struct tw_weights_note *note = write_note(w, i);

        if (note && !put_text(file, note->key, note->value))
            rc = tw_h5_fail(err, TW_EIO, "the note '%.100s' cannot be stored in HDF5", note->key);
    }
    for (size_t k = 0; k < w->n && rc == TW_OK; k++)
        rc = put_tensor(file, w, k, l, err);
    return rc;
}

enum tw_status write_hdf5(struct write_plan *w, const struct tw_publication *p, struct tw_err *err)
{
    const hid_t access = tw_h5_access(true), create_file = tw_result_creation(H5P_FILE_CREATE);
    const struct lists l = { tw_result_creation(H5P_DATASET_CREATE),
                             tw_result_creation(H5P_GROUP_CREATE) };
    enum tw_status rc = TW_OK;
    hid_t file = -1;

    if (access < 0 || create_file < 0 || l.set < 0 || l.group < 0 ||
        H5Pset_layout(l.set, H5D_CONTIGUOUS) < 0 ||
        H5Pset_alloc_time(l.set, H5D_ALLOC_TIME_EARLY) < 0 ||
        H5Pset_fill_time(l.set, H5D_FILL_TIME_NEVER) < 0)
        rc = tw_h5_fail(err, TW_ENOMEM, "%s", p->path);
    if (rc == TW_OK) {
        file = H5Fcreate(p->name, H5F_ACC_TRUNC, create_file, access);
        if (file < 0)
            rc = tw_h5_fail(err, TW_EIO, "%s: cannot be created", p->path);
    }
    if (rc == TW_OK) {
        rc = put_all(file, w, &l, err);
        rc = rc == TW_OK ? rc : tw_err_ctx(err, rc, "%s", p->path);
    }
    if (file >= 0 && H5Fclose(file) < 0 && rc == TW_OK)
        rc = tw_h5_fail(err, TW_EIO, "%s: cannot be written", p->path);
    (void)H5Eclear2(H5E_DEFAULT);
    tw_h5_close(l.set);
    tw_h5_close(l.group);
    tw_h5_close(create_file);
    tw_h5_close(access);
    return rc;
}
