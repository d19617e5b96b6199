/* SPDX-License-Identifier: GPL-3.0-or-later */
/* thalweg/store_surface.h - values on a line or a plane, written for other programs. */
#ifndef TW_STORE_SURFACE_H
#define TW_STORE_SURFACE_H

#include "thalweg/base.h"

enum { TW_SURFACE_COLUMNS = 32 };
struct tw_surface_table {
    size_t nx, ny;       /* ny 1: a line */
    const double *x, *y; /* (nx), (ny); y NULL on a line */
    size_t n;
    const char *name[TW_SURFACE_COLUMNS];
    const double *value[TW_SURFACE_COLUMNS]; /* (ny, nx) */
};

/* All write the whole file or nothing, and replace one only if `force`. TW_EIO, TW_ENOMEM. */

/*
 * HDF5 as the program loss-landscape (tomgoldstein/loss-landscape) keeps its surfaces: xcoordinates
 * (nx), ycoordinates (ny), each column under its name, all float64, and the text dir_file. Its
 * columns are train_loss, train_acc (per cent), ...; element k is at x[k mod nx], y[k div nx], and
 * what is not computed is -1. TW_EINVAL: a plane that is not square, for such files declare their
 * shape the wrong way round there.
 */
enum tw_status tw_surface_write_hdf5(const char *path, bool force, const struct tw_surface_table *t,
                                     const char *dir_file, struct tw_err *err) TW_CHECKED;
/*
 * Directions as that program keeps them: groups xdirection and, of two, ydirection, with the data
 * sets 0, 1, ... (float32), a tensor each in the order of the network's parameters.
 */
struct tw_direction_tensor {
    int rank;
    const size_t *dims; /* (rank) */
    size_t offset;      /* in the vector of parameters */
};
enum tw_status tw_directions_write(const char *path, bool force, size_t ntensor,
                                   const struct tw_direction_tensor *tensor, size_t n,
                                   const float *const *direction, struct tw_err *err) TW_CHECKED;
/*
 * VTK's PolyData in XML, as ParaView reads it: points (x, y, z), x fastest, with z from the first
 * column, as the point value "zvalue"; quadrilaterals with the mean of their corners, "averaged
 * zvalue". What is not finite is 0. TW_EINVAL: a line.
 */
enum tw_status tw_surface_write_vtp(const char *path, bool force, const struct tw_surface_table *t,
                                    struct tw_err *err) TW_CHECKED;
/* x, y and the columns, a row a point, with a line of names; empty where it is not finite. */
enum tw_status tw_surface_write_csv(const char *path, bool force, const struct tw_surface_table *t,
                                    struct tw_err *err) TW_CHECKED;

#endif
