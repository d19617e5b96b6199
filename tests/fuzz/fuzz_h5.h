/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fuzz_h5.h - the bytes say what a well-formed HDF5 file holds: data sets of odd types, shapes and
 * names, links, groups where data sets should be. Damaged files are another matter, on which HDF5
 * itself crashes: test_damaged.c. */
#ifndef TESTS_FUZZ_H5_H
#define TESTS_FUZZ_H5_H

#include <hdf5.h>
#include <stdint.h>
#include <string.h>

struct bytes {
    const uint8_t *p, *end;
};

static inline unsigned take(struct bytes *b, unsigned below)
{
    return b->p < b->end ? *b->p++ % below : 0;
}

static inline hid_t some_type(struct bytes *b)
{
    switch (take(b, 8)) {
    case 0:
        return H5Tcopy(H5T_STD_I8BE);
    case 1:
        return H5Tcopy(H5T_STD_U64LE);
    case 2:
        return H5Tcopy(H5T_C_S1);
    case 3:
        return H5Tcreate(H5T_COMPOUND, 16);
    case 4:
        return H5Tcopy(H5T_IEEE_F32BE);
    case 5:
        return H5Tenum_create(H5T_NATIVE_INT);
    default:
        return H5Tcopy(H5T_IEEE_F64LE);
    }
}

static inline void put_set(hid_t file, const char *name, hid_t links, struct bytes *b)
{
    hsize_t dims[3] = { take(b, 6), take(b, 4), take(b, 3) }, chunk = 64;
    hid_t plist = H5Pcreate(H5P_DATASET_CREATE), type = some_type(b), space, set;
    int rank = take(b, 4) ? 1 : (int)take(b, 4);
    double y[6 * 4 * 3];

    if (take(b, 8) == 0) {
        dims[0] = (hsize_t)1 << take(b, 60);
        rank = 1;
        (void)H5Pset_chunk(plist, 1, &chunk);
    }
    space =
        rank ? H5Screate_simple(rank, dims, NULL) : H5Screate(take(b, 2) ? H5S_SCALAR : H5S_NULL);
    set = H5Dcreate2(file, name, type, space, links, plist, H5P_DEFAULT);
    for (size_t i = 0; i < sizeof y / sizeof y[0]; i++)
        y[i] = (double)take(b, 255) - 100.0;
    if (set >= 0 && H5Sget_simple_extent_npoints(space) <= (hssize_t)(sizeof y / sizeof y[0]))
        (void)H5Dwrite(set, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, y);
    if (set >= 0)
        (void)H5Dclose(set);
    (void)H5Sclose(space);
    (void)H5Tclose(type);
    (void)H5Pclose(plist);
}

/* Somewhere among these places, with one of these names; lists of 5 and 6. */
static inline void put_object(hid_t file, struct bytes *b, const char *const *where,
                              const char *const *what)
{
    hid_t links = H5Pcreate(H5P_LINK_CREATE), group;
    char name[64];

    (void)H5Pset_create_intermediate_group(links, 1);
    name[0] = '\0';
    (void)strcat(name, where[take(b, 5)]);
    (void)strcat(name, what[take(b, 6)]);
    switch (take(b, 8)) {
    case 0:
        (void)H5Lcreate_soft("/x", file, name, links, H5P_DEFAULT);
        break;
    case 1:
        (void)H5Lcreate_external("/dev/null", "/x", file, name, links, H5P_DEFAULT);
        break;
    case 2:
        group = H5Gcreate2(file, name, links, H5P_DEFAULT, H5P_DEFAULT);
        if (group >= 0)
            (void)H5Gclose(group);
        break;
    default:
        put_set(file, name, links, b);
    }
    (void)H5Pclose(links);
}

#endif
