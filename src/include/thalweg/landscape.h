/* SPDX-License-Identifier: GPL-3.0-or-later */
/* thalweg/landscape.h - lines and planes through the space of parameters.
 *
 * A chart gives every pair of coordinates a few weights, and the weights name a point as a
 * weighted sum of fixed vectors, the anchors (thalweg/problem.h): two ends of a line, three
 * corners of a plane, a centre and its directions. Points are never built here, and a row of a
 * plane asks for the same sums as the line along it.
 *
 * Vectors of parameters have layout->n reals (or dim), those of buffers layout->nb. */
#ifndef TW_LANDSCAPE_H
#define TW_LANDSCAPE_H

#include "thalweg/problem.h"

/* ---- random directions ----------------------------------------------------------------------- */

/*
 * How a Gaussian direction d is scaled to the parameters w (Li, Xu, Taylor, Studer, Goldstein 2018,
 * "Visualizing the loss landscape of neural nets", arXiv:1712.09913, section 4). Two weights that
 * a rescaling of ReLU layers takes into each other have the same filter-normalised curve.
 */
enum tw_normalise {
    TW_NORMALISE_NONE,   /* as drawn: standard normal */
    TW_NORMALISE_LAYER,  /* each tensor: d ||w|| / ||d|| */
    TW_NORMALISE_FILTER, /* the same for each filter of a tensor: a slice of its filter axis */
    TW_NORMALISE_WEIGHT, /* each number: d w */
};
/* What a direction is in biases and in scales and shifts of normalisations. */
enum tw_bias_rule {
    TW_BIAS_IGNORE,  /* 0: they stay */
    TW_BIAS_WEIGHTS, /* the parameters themselves, not random: what the program loss-landscape does
                      */
    TW_BIAS_RANDOM,  /* Gaussian, scaled as one filter */
};
struct tw_direction_options {
    uint64_t seed;
    size_t index; /* 0, 1, ...: which of the directions of this seed */
    enum tw_normalise normalise;
    enum tw_bias_rule biases;
};
/* A direction at the point `at`. The Gaussian numbers of parameter tensor p depend on (seed, index,
 * p) alone. */
void tw_direction_make(const struct tw_layout *l, const float *at,
                       const struct tw_direction_options *o, float *out);

/* Lengths and angle of two vectors of n reals. */
struct tw_pair {
    double length[2], cosine;
};
struct tw_pair tw_pair_of(size_t n, const float *a, const float *b);

/* ---- charts ---------------------------------------------------------------------------------- */

enum { TW_CHART_ANCHORS = 3 };
struct tw_chart {
    size_t nanchor;
    int dim; /* 1 or 2 */
    /* weight k is origin[k] + x axis[0][k] + y axis[1][k] */
    double origin[TW_CHART_ANCHORS], axis[2][TW_CHART_ANCHORS];
};
void tw_chart_weights(const struct tw_chart *c, double x, double y,
                      double weights[TW_CHART_ANCHORS]);
/* Anchors: a at x = 0, b at x = 1. */
struct tw_chart tw_chart_line(void);
/* Anchors: a centre, and one direction for each coordinate. */
struct tw_chart tw_chart_centre(int dim);
/*
 * Anchors: three points of n reals. Coordinates are distances: the first point is the origin, the
 * second lies on the x axis, the third above or below it (Gram-Schmidt, as Garipov et al. 2018,
 * arXiv:1802.10026, appendix A.3). Where they lie goes to x and y. TW_EDOMAIN: on one line.
 */
enum tw_status tw_chart_triangle(size_t n, const float *const points[3], struct tw_chart *c,
                                 double x[3], double y[3], struct tw_err *err) TW_CHECKED;

/*
 * The point of a plane that is nearest to a point of n reals (orthogonal projection; the axes need
 * be neither orthogonal nor of length 1). anchors: those of the chart. Coordinates are the
 * chart's, distances are between parameters; a point that is not finite has NaN. TW_EDOMAIN: the
 * axes are parallel, or one is 0. TW_EINVAL: the chart is a line.
 */
struct tw_projection {
    double x, y;
    double distance; /* of the point from the origin of the chart */
    double off;      /* and from the plane */
};
enum tw_status tw_chart_project(const struct tw_chart *c, size_t n, const float *const *anchors,
                                const float *point, struct tw_projection *out,
                                struct tw_err *err) TW_CHECKED;

/* ---- the plane of a trajectory --------------------------------------------------------------- */

/* Point k of a trajectory, into params and buffers. */
typedef enum tw_status tw_trajectory_point(void *ctx, size_t k, float *params, float *buffers,
                                           struct tw_err *err);
struct tw_trajectory_source {
    size_t n; /* points, in order: at least 3; the last is the origin of the plane */
    size_t dim, nbuffer;
    size_t memory;  /* bytes for points at once; 0: all. Fewer are read again */
    bool from_last; /* differences from the last point as they are; else from their mean */
    tw_trajectory_point *point;
    void *ctx;
};
/*
 * Principal components of theta_k - theta_last (Li et al. 2018, section 7), which are centred by
 * their mean as principal components are, or not (`from_last`). The plane goes through the last
 * point along the first two, whose lengths are 1; a point of the trajectory is shown where it
 * projects to, and `off` is how far from there it is. axis[i] points to the side of the first
 * point.
 */
struct tw_trajectory {
    size_t n;
    double *x, *y;       /* n projections */
    double *distance;    /* n: from the last point */
    double *off;         /* n: from the plane */
    double explained[2]; /* shares of the variance */
    float *origin, *axis[2];
    float *origin_buffers, *axis_buffers[2]; /* the axes' combinations of the points' buffers */
};
/* TW_EDOMAIN: the points lie on one line, or are not finite. Release it in any case. */
enum tw_status tw_trajectory_plane(const struct tw_trajectory_source *s, struct tw_trajectory *t,
                                   struct tw_err *err) TW_CHECKED;
void tw_trajectory_release(struct tw_trajectory *t);

/* ---- grids ----------------------------------------------------------------------------------- */

/* The indices of an ny x nx grid from coarse to fine, so that what is done first shows the whole.
 */
enum tw_status tw_grid_order(size_t nx, size_t ny, size_t *order, struct tw_err *err) TW_CHECKED;

/* What is known of a point; the first three are what result files call todo, done, failed. */
enum tw_point_status {
    TW_POINT_TODO,
    TW_POINT_DONE,
    TW_POINT_FAILED, /* computed; its loss is not finite */
    TW_POINT_INTERPOLATED,
};

/*
 * A surface of nx times ny points (index iy * nx + ix) of which only some are computed. A coarse
 * grid is; between its points a bicubic spline stands for the surface (of the logarithm of a field
 * whose values are above zero), and the middle of every cell is computed to see how far it is off.
 * Where that is more than `tol`, in the cell or in a neighbour, the cell is quartered and its
 * corners computed, down to the last point if need be. tol and errors are shares of the range that
 * the first field has on the points computed, of its logarithm if its values are above zero and
 * span more than TW_SURFACE_LOG: that of a figure's colours.
 */
#define TW_SURFACE_LOG 30.0
enum { TW_SURFACE_FIELDS = 4 };
struct tw_surface {
    size_t nx, ny;
    const double *x, *y; /* rising */
    size_t nfield;
    double *field[TW_SURFACE_FIELDS]; /* ny * nx each; the first decides */
    uint8_t *status;                  /* ny * nx, enum tw_point_status */
};
/* Compute the fields and the status of n points, in any order, unless their status says that they
 * are done. */
typedef enum tw_status tw_surface_points(void *ctx, size_t n, const size_t *index,
                                         struct tw_err *err);
struct tw_surface_report {
    size_t computed, interpolated;
    bool log;      /* the error is one of logarithms */
    double error;  /* 1.5 times the largest at middles of cells that were then interpolated */
    size_t tested; /* such middles */
    double lo, hi; /* least and largest finite value computed */
};
/* TW_ENOMEM, or what `points` returns. */
enum tw_status tw_surface_fill(struct tw_surface *s, double tol, tw_surface_points *points,
                               void *ctx, struct tw_surface_report *r,
                               struct tw_err *err) TW_CHECKED;

#endif
