/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cli/scanfile.h - a line or a plane with what was measured on it, and its file.
 *
 * Kind "scan-1d" or "scan-2d"; arrays of points are (nx) or (ny, nx):
 *   /x, /y                         coordinates
 *   /loss, /loss_se, /error, /error_se, /status
 *   /computed/x, loss, loss_se, error, error_se, status    points of a line with --tol
 *   /also/name, loss, loss_se      other losses, one after another
 *   /stated_error                  what --tol was met with; NaN: every point was computed
 *   /settings                      cli/resume.h
 *   /chart/kind, normalise, biases, bn, objective     texts
 *   /chart/n, n_data               samples used, samples there are
 *   /chart/axis_length             of the anchors' differences, or of the directions
 *   /checkpoints/name, x, y        where checkpoints lie
 *   /trajectory/distance, off_plane, explained_variance
 *   /paths/name; path, step, x, y, distance, off_plane of each checkpoint of these runs
 * On lines and square planes also what loss-landscape's plotting scripts look for: xcoordinates,
 * ycoordinates and train_loss are other names of the same arrays, train_acc is 100 (1 - error). */
#ifndef TW_CLI_SCANFILE_H
#define TW_CLI_SCANFILE_H

#include "cmd.h"
#include "thalweg/figure.h"
#include "thalweg/landscape.h"
#include "thalweg/store_reader.h"

enum { SCAN_LOSS, SCAN_LOSS_SE, SCAN_ERROR, SCAN_ERROR_SE, SCAN_FIELDS };

/* Checkpoints of runs where they project to, path after path. */
enum {
    SCAN_PATH,
    SCAN_PATH_STEP,
    SCAN_PATH_X,
    SCAN_PATH_Y,
    SCAN_PATH_DISTANCE,
    SCAN_PATH_OFF,
    SCAN_PATH_FIELDS
};
struct tw_scan_paths {
    size_t npath, n;                 /* paths; checkpoints of all */
    char **name;                     /* (npath): "pair.h5:a" */
    double *field[SCAN_PATH_FIELDS]; /* (n) */
};

struct tw_scan {
    size_t nx, ny;              /* ny 1: a line */
    double *x, *y;              /* (nx), (ny) */
    double *field[SCAN_FIELDS]; /* (ny, nx); NULL: there is none */
    uint8_t *status;            /* (ny, nx): enum tw_point_status */
    size_t nextra;              /* other losses */
    char **extra_name;
    double *extra, *extra_se; /* (nextra, ny, nx); NULL if there are none */
    /* A line that was computed where it was needed: room for nat points, in their order. */
    size_t nat;
    double *at, *at_field[SCAN_FIELDS];
    uint8_t *at_done;
    double stated_error;                               /* NaN: none */
    char *chart, *normalise, *biases, *bn, *objective; /* "" where it does not apply */
    size_t n, n_data;                                  /* 0: not known */
    double axis_length[2];                             /* NaN: not known */
    size_t nmark;                                      /* checkpoints in the chart */
    char **mark;
    double *mark_x, *mark_y;
    double *distance, *off_plane; /* of a trajectory; NULL: none */
    double explained[2];
    struct tw_scan_paths paths;
};
enum tw_status tw_scan_make(struct tw_scan *s, size_t nx, size_t ny, bool error,
                            struct tw_err *err) TW_CHECKED;
/* Room for n points of a line. */
enum tw_status tw_scan_room(struct tw_scan *s, size_t n, struct tw_err *err) TW_CHECKED;
/* Room for n other losses. */
enum tw_status tw_scan_extra(struct tw_scan *s, size_t n, const char *const *names,
                             struct tw_err *err) TW_CHECKED;
void tw_scan_release(struct tw_scan *s);
const char *tw_scan_kind(const struct tw_scan *s);
/* Of the points whose loss is finite. */
struct tw_scan_range {
    double lo, hi, largest_se;
    size_t at_lo, at_hi;                   /* indices */
    size_t computed, interpolated, failed; /* of the mesh */
    size_t beside; /* a line with --tol is computed between the points of its mesh too */
};
struct tw_scan_range tw_scan_range_of(const struct tw_scan *s);

/* A file ready for points, in which nothing is computed. NULL on failure. */
struct tw_result *tw_scan_create(const char *path, const struct tw_scan *s, const char *settings,
                                 bool force, const struct tw_provenance *prov, struct tw_err *err);
/* Write points [first, first + n), their status last. */
enum tw_status tw_scan_write(struct tw_result *r, const struct tw_scan *s, size_t first, size_t n,
                             struct tw_err *err) TW_CHECKED;
/* Write point k of such a line. */
enum tw_status tw_scan_write_at(struct tw_result *r, const struct tw_scan *s, size_t k,
                                struct tw_err *err) TW_CHECKED;
/* "/loss", and "/computed/loss" of the points of such a line. */
const char *tw_scan_field_path(size_t k);
enum tw_status tw_scan_at_path(size_t k, struct tw_str *path, struct tw_err *err) TW_CHECKED;
/* scanfile_read.c */
enum tw_status tw_scan_read(const char *path, struct tw_scan *s, struct tw_err *err) TW_CHECKED;

/* scanfile_paths.c. Room for n checkpoints, of as many paths at most. */
enum tw_status tw_scan_paths_make(struct tw_scan_paths *p, size_t n, struct tw_err *err) TW_CHECKED;
void tw_scan_paths_release(struct tw_scan_paths *p);
enum tw_status tw_scan_paths_put(struct tw_result *r, const struct tw_scan_paths *p,
                                 struct tw_err *err) TW_CHECKED;
void tw_scan_paths_get(struct tw_reader *in, struct tw_scan_paths *p);
/* Of one path: its checkpoints [first, first + n), those that are not finite, and the largest
 * distances of the others (NaN: there is none). */
struct tw_scan_path_range {
    size_t first, n, lost;
    double distance, off, off_step;
};
struct tw_scan_path_range tw_scan_path_range_of(const struct tw_scan_paths *p, size_t path);

/* A surface of another program (scanfile_other.c). *is: is it one? */
enum tw_status tw_scan_read_other(const char *path, struct tw_scan *s, bool *is,
                                  struct tw_err *err) TW_CHECKED;

enum tw_scan_figure { TW_SCAN_FIGURE_AUTO, TW_SCAN_FIGURE_SURFACE };
enum tw_status tw_scan_draw(const struct tw_scan *s, enum tw_scan_figure kind, const char *path,
                            const struct tw_figure_opts *o, struct tw_err *err) TW_CHECKED;

#endif
