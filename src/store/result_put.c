/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Groups, data sets and attributes of a result that is being built. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "result.h"

enum tw_status tw_result_broke(struct tw_result *r, enum tw_status rc)
{
    r->broken = r->broken || rc != TW_OK;
    return rc;
}

/* ---- attributes and groups ------------------------------------------------------------ */

/* Of variable length: h5py shows those as str, the others as bytes. */
bool tw_result_attr_text(hid_t object, const char *name, const char *text)
{
    hid_t type = tw_h5_text_type(0), space = H5Screate(H5S_SCALAR), attr = -1;
    bool good = false;

    if (type >= 0 && space >= 0)
        attr = H5Acreate2(object, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
    if (attr >= 0)
        good = H5Awrite(attr, type, &text) >= 0;
    tw_h5_close(attr);
    tw_h5_close(space);
    tw_h5_close(type);
    return good;
}

bool tw_result_attr_int(hid_t object, const char *name, int64_t x)
{
    hid_t space = H5Screate(H5S_SCALAR), attr = -1;
    bool good = false;

    if (space >= 0)
        attr = H5Acreate2(object, name, H5T_STD_I64LE, space, H5P_DEFAULT, H5P_DEFAULT);
    if (attr >= 0)
        good = H5Awrite(attr, H5T_NATIVE_INT64, &x) >= 0;
    tw_h5_close(attr);
    tw_h5_close(space);
    return good;
}

hid_t tw_result_creation(hid_t class)
{
    /* Links stay in the group's header, which has a checksum; past a number of them HDF5 moves
     * them to a heap that has none. */
    const unsigned most = 65535;
    hid_t plist = H5Pcreate(class);

    if (plist < 0)
        return plist;
    if (H5Pset_obj_track_times(plist, false) < 0 ||
        (class != H5P_DATASET_CREATE &&
         (H5Pset_link_phase_change(plist, most, 0) < 0 ||
          H5Pset_link_creation_order(plist, H5P_CRT_ORDER_TRACKED | H5P_CRT_ORDER_INDEXED) < 0))) {
        tw_h5_close(plist);
        return -1;
    }
    return plist;
}

/* HDF5 can make missing groups itself, but with times in them. */
static enum tw_status make_groups(struct tw_result *r, const char *path, struct tw_err *err)
{
    char *part = tw_strdup(path);
    hid_t plist = tw_result_creation(H5P_GROUP_CREATE);
    enum tw_status rc = TW_OK;

    if (!part || plist < 0) {
        rc = tw_err_set(err, TW_ENOMEM, "%s: %s: out of memory", r->path, path);
        goto out;
    }
    for (char *end = strchr(part + 1, '/'); end && rc == TW_OK; end = strchr(end + 1, '/')) {
        *end = '\0';
        if (H5Lexists(r->file, part, H5P_DEFAULT) <= 0) {
            hid_t group = H5Gcreate2(r->file, part, H5P_DEFAULT, plist, H5P_DEFAULT);

            if (group < 0)
                rc = tw_h5_fail(err, TW_EINVAL, "%s: %s", r->path, part);
            tw_h5_close(group);
        }
        *end = '/';
    }
out:
    tw_h5_close(plist);
    free(part);
    return rc;
}

/* ---- data sets ------------------------------------------------------------------------ */

struct item {
    const char *path;
    hid_t file_type, type; /* in the file, in memory */
    int rank;
    const size_t *dims;
    const void *data; /* NULL: reserve, filled with `fill` */
    const void *fill;
    const char *unit, *meaning; /* unit NULL: none */
    bool bare;                  /* no attributes: one of thousands that its group explains */
};

/* Large arrays are packed, in chunks of at most 1 MiB that keep the last axes whole. */
static bool pack(hid_t plist, const hsize_t *dims, int rank, size_t size)
{
    const hsize_t most = (hsize_t)1 << 20;
    hsize_t chunk[TW_RESULT_MAX_RANK], bytes = size;
    unsigned info = 0;

    if (H5Zfilter_avail(H5Z_FILTER_DEFLATE) <= 0 ||
        H5Zget_filter_info(H5Z_FILTER_DEFLATE, &info) < 0 ||
        !(info & H5Z_FILTER_CONFIG_ENCODE_ENABLED))
        return true; /* this HDF5 was built without zlib: stored plain */
    for (int i = 0; i < rank; i++)
        bytes *= chunk[i] = dims[i];
    for (int i = 0; i < rank && bytes > most; i++) {
        hsize_t rest = bytes / chunk[i], fit = most / rest;

        bytes = rest * (chunk[i] = fit ? fit : 1);
    }
    return H5Pset_chunk(plist, rank, chunk) >= 0 && H5Pset_shuffle(plist) >= 0 &&
           H5Pset_deflate(plist, 6) >= 0;
}

static hid_t layout(const struct item *it, const hsize_t *dims)
{
    const hsize_t small = (hsize_t)64 << 10;
    size_t size = H5Tget_size(it->file_type);
    hid_t plist = tw_result_creation(H5P_DATASET_CREATE);
    hsize_t bytes = size;
    bool good = plist >= 0;

    for (int i = 0; i < it->rank; i++)
        bytes *= dims[i];
    /* Points are written to their places later, so that these must exist from the start. */
    if (good && (it->fill || bytes <= small))
        good = H5Pset_alloc_time(plist, H5D_ALLOC_TIME_EARLY) >= 0;
    if (good && it->fill)
        good = H5Pset_fill_value(plist, it->type, it->fill) >= 0 &&
               H5Pset_fill_time(plist, H5D_FILL_TIME_ALLOC) >= 0;
    else if (good && bytes > small)
        good = pack(plist, dims, it->rank, size);
    if (!good) {
        tw_h5_close(plist);
        return -1;
    }
    return plist;
}

/* The caller's mistakes, told apart from the library's failures. */
static enum tw_status check(struct tw_result *r, const struct item *it, hsize_t *dims,
                            struct tw_err *err)
{
    size_t n = SIZE_MAX / 2 / H5Tget_size(it->file_type);

    if (r->state != TW_RESULT_BUILDING)
        return tw_err_set(err, TW_EINVAL, "%s: %s: the file is no longer being built", r->path,
                          it->path);
    if (it->path[0] != '/' || !it->path[1] || strstr(it->path, "//") ||
        it->path[strlen(it->path) - 1] == '/')
        return tw_err_set(err, TW_EINVAL, "%s: '%s' is no path of a data set", r->path, it->path);
    if (it->rank < 0 || it->rank > TW_RESULT_MAX_RANK)
        return tw_err_set(err, TW_EINVAL, "%s: %s: rank %d is not in 0 to %d", r->path, it->path,
                          it->rank, TW_RESULT_MAX_RANK);
    for (int i = 0; i < it->rank; i++) {
        dims[i] = it->dims[i];
        if (it->dims[i] && it->dims[i] > n)
            return tw_err_set(err, TW_ENOMEM, "%s: %s: too large", r->path, it->path);
        n /= it->dims[i] ? it->dims[i] : 1;
    }
    return TW_OK;
}

/* Reserved numbers that are packed, or none at all, are not for points. */
static enum tw_status add_slot(struct tw_result *r, const struct item *it, hid_t set, hid_t space,
                               struct tw_err *err)
{
    haddr_t at = H5Dget_offset(set);
    hssize_t n = H5Sget_simple_extent_npoints(space);

    (void)H5Eclear2(H5E_DEFAULT);
    if (at == HADDR_UNDEF || n <= 0)
        return TW_OK;
    return tw_slots_add(r, it->path, at, (uint64_t)n, H5Tget_size(it->file_type), err);
}

static enum tw_status put(struct tw_result *r, const struct item *it, struct tw_err *err)
{
    hsize_t dims[TW_RESULT_MAX_RANK] = { 0 };
    hid_t space = -1, plist = -1, set = -1;
    enum tw_status rc = check(r, it, dims, err);
    htri_t there;

    if (rc == TW_OK)
        rc = make_groups(r, it->path, err);
    if (rc != TW_OK)
        return tw_result_broke(r, rc);
    there = H5Lexists(r->file, it->path, H5P_DEFAULT);
    if (there != 0) {
        rc = there > 0 ? tw_err_set(err, TW_EINVAL, "%s: %s is there already", r->path, it->path)
                       : tw_h5_fail(err, TW_EINVAL, "%s: %s", r->path, it->path);
        return tw_result_broke(r, rc);
    }
    space = it->rank ? H5Screate_simple(it->rank, dims, NULL) : H5Screate(H5S_SCALAR);
    plist = layout(it, dims);
    if (space >= 0 && plist >= 0)
        set = H5Dcreate2(r->file, it->path, it->file_type, space, H5P_DEFAULT, plist, H5P_DEFAULT);
    if (set < 0 || (it->unit && !tw_result_attr_text(set, "unit", it->unit)) ||
        (!it->bare && !tw_result_attr_text(set, "meaning", it->meaning ? it->meaning : "")) ||
        (it->data && H5Sget_simple_extent_npoints(space) > 0 &&
         H5Dwrite(set, it->type, H5S_ALL, H5S_ALL, H5P_DEFAULT, it->data) < 0))
        rc = tw_h5_fail(err, TW_EIO, "%s: %s", r->path, it->path);
    if (rc == TW_OK && it->fill)
        rc = add_slot(r, it, set, space, err);
    tw_h5_close(set);
    tw_h5_close(plist);
    tw_h5_close(space);
    return tw_result_broke(r, rc);
}

enum tw_status tw_result_put_reals(struct tw_result *r, const char *path, int rank,
                                   const size_t *dims, const double *x, const char *unit,
                                   const char *meaning, struct tw_err *err)
{
    struct item it = { .path = path, .rank = rank, .dims = dims, .data = x, .meaning = meaning };

    it.unit = unit ? unit : "";
    it.file_type = H5T_IEEE_F64LE;
    it.type = H5T_NATIVE_DOUBLE;
    return put(r, &it, err);
}

enum tw_status tw_result_put_real(struct tw_result *r, const char *path, double x, const char *unit,
                                  const char *meaning, struct tw_err *err)
{
    return tw_result_put_reals(r, path, 0, NULL, &x, unit, meaning, err);
}

enum tw_status tw_result_put_u64(struct tw_result *r, const char *path, uint64_t x, bool wide,
                                 const char *unit, const char *meaning, struct tw_err *err)
{
    struct item it = { .path = path, .data = &x, .unit = unit ? unit : "", .meaning = meaning };

    it.file_type = wide ? H5T_STD_U64LE : H5T_STD_I64LE;
    it.type = H5T_NATIVE_UINT64;
    return put(r, &it, err);
}

enum tw_status tw_result_put_size(struct tw_result *r, const char *path, size_t x, const char *unit,
                                  const char *meaning, struct tw_err *err)
{
    if (x > INT64_MAX)
        return tw_result_broke(
            r, tw_err_set(err, TW_EINVAL, "%s: %s: %zu is too large", r->path, path, x));
    return tw_result_put_u64(r, path, x, false, unit, meaning, err);
}

enum tw_status tw_result_put_bytes(struct tw_result *r, const char *path, int rank,
                                   const size_t *dims, const uint8_t *x, const char *meaning,
                                   struct tw_err *err)
{
    struct item it = { .path = path, .rank = rank, .dims = dims, .data = x, .meaning = meaning };

    it.unit = "";
    it.file_type = H5T_STD_U8LE;
    it.type = H5T_NATIVE_UINT8;
    return put(r, &it, err);
}

/* Text in data sets has a fixed length: no reader has to follow references to find it, and
 * its place is known. */
enum tw_status tw_result_put_fixed(struct tw_result *r, const char *path, size_t n, const char *s,
                                   const char *fill, const char *meaning, struct tw_err *err)
{
    struct item it = { .path = path, .data = s, .fill = fill, .meaning = meaning };
    enum tw_status rc;

    it.file_type = it.type = tw_h5_text_type(n ? n : 1);
    if (it.type < 0)
        return tw_result_broke(r, tw_h5_fail(err, TW_EIO, "%s: %s", r->path, path));
    rc = put(r, &it, err);
    tw_h5_close(it.type);
    return rc;
}

enum tw_status tw_result_put_text(struct tw_result *r, const char *path, const char *s,
                                  const char *meaning, struct tw_err *err)
{
    return tw_result_put_fixed(r, path, strlen(s), s, NULL, meaning, err);
}

enum tw_status tw_result_put_texts(struct tw_result *r, const char *path, size_t n,
                                   const char *const *s, const char *meaning, struct tw_err *err)
{
    struct item it = { .path = path, .rank = 1, .dims = &n, .meaning = meaning };
    enum tw_status rc;
    size_t wide = 1;
    char *all;

    for (size_t i = 0; i < n; i++)
        wide = strlen(s[i]) > wide ? strlen(s[i]) : wide;
    all = n > SIZE_MAX / wide ? NULL : tw_alloc(n * wide, 1);
    it.file_type = it.type = tw_h5_text_type(wide);
    if (!all || it.type < 0) {
        rc = tw_result_broke(r, tw_err_set(err, TW_ENOMEM, "%s: %s: out of memory", r->path, path));
        goto out;
    }
    for (size_t i = 0; i < n; i++)
        memcpy(all + i * wide, s[i], strlen(s[i]));
    it.data = all;
    rc = put(r, &it, err);
out:
    tw_h5_close(it.type);
    free(all);
    return rc;
}

/* ---- reserved data sets --------------------------------------------------------------- */

enum tw_status tw_result_reserve_reals(struct tw_result *r, const char *path, int rank,
                                       const size_t *dims, const char *unit, const char *meaning,
                                       struct tw_err *err)
{
    static const double nan = NAN;
    struct item it = { .path = path, .rank = rank, .dims = dims, .fill = &nan, .meaning = meaning };

    it.unit = unit ? unit : "";
    it.file_type = H5T_IEEE_F64LE;
    it.type = H5T_NATIVE_DOUBLE;
    return put(r, &it, err);
}

enum tw_status tw_result_reserve_bytes(struct tw_result *r, const char *path, int rank,
                                       const size_t *dims, const char *meaning, struct tw_err *err)
{
    static const uint8_t zero = 0;
    struct item it = { .path = path, .rank = rank, .dims = dims, .fill = &zero, .unit = "" };

    it.meaning = meaning;
    it.file_type = H5T_STD_U8LE;
    it.type = H5T_NATIVE_UINT8;
    return put(r, &it, err);
}

enum tw_status tw_result_reserve_floats(struct tw_result *r, const char *path, int rank,
                                        const size_t *dims, struct tw_err *err)
{
    static const float nan = (float)NAN;
    struct item it = { .path = path, .rank = rank, .dims = dims, .fill = &nan, .bare = true };

    it.file_type = H5T_IEEE_F32LE;
    it.type = H5T_NATIVE_FLOAT;
    return put(r, &it, err);
}

enum tw_status tw_result_link(struct tw_result *r, const char *path, const char *as,
                              struct tw_err *err)
{
    if (H5Lcreate_hard(r->file, path, r->file, as, H5P_DEFAULT, H5P_DEFAULT) < 0)
        return tw_result_broke(r, tw_h5_fail(err, TW_EINVAL, "%s: %s", r->path, as));
    return TW_OK;
}
