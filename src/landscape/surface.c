/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Grids from coarse to fine, and surfaces of which only some points are computed. */
#include <gsl/gsl_interp2d.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "thalweg/landscape.h"

/* ---- nodes of an axis: halved, and halved again ---------------------------------------------- */

/* Indices of 0 .. count-1, rising, with both ends. */
struct nodes {
    size_t n, *at;
};

/* The middle between every two that are not neighbours is put in; false: there was none. */
static bool halve(struct nodes *a, size_t *scratch)
{
    size_t n = 0;

    for (size_t i = 0; i < a->n; i++) {
        if (i && a->at[i] - a->at[i - 1] > 1)
            scratch[n++] = (a->at[i - 1] + a->at[i]) / 2;
        scratch[n++] = a->at[i];
    }
    memcpy(a->at, scratch, n * sizeof *scratch);
    n -= a->n;
    a->n += n;
    return n > 0;
}

static void ends(struct nodes *a, size_t count)
{
    a->n = count > 1 ? 2 : 1;
    a->at[0] = 0;
    a->at[a->n - 1] = count - 1;
}

/* The level at which each index comes in. */
static bool levels(size_t count, size_t *level)
{
    struct nodes a = { 0, tw_alloc(count, sizeof *a.at) };
    size_t *scratch = tw_alloc(count, sizeof *scratch), now = 0;
    const bool good = a.at && scratch;

    if (good) {
        for (size_t i = 0; i < count; i++)
            level[i] = SIZE_MAX;
        ends(&a, count);
        do {
            for (size_t i = 0; i < a.n; i++)
                level[a.at[i]] = level[a.at[i]] == SIZE_MAX ? now : level[a.at[i]];
            now++;
        } while (halve(&a, scratch));
    }
    free(a.at);
    free(scratch);
    return good;
}

enum tw_status tw_grid_order(size_t nx, size_t ny, size_t *order, struct tw_err *err)
{
    size_t *lx = tw_alloc(nx, sizeof *lx), *ly = tw_alloc(ny, sizeof *ly), n = 0;
    const bool good = lx && ly && levels(nx, lx) && levels(ny, ly);

    for (size_t level = 0; good && n < nx * ny; level++)
        for (size_t iy = 0; iy < ny; iy++)
            for (size_t ix = 0; ix < nx; ix++)
                if ((lx[ix] > ly[iy] ? lx[ix] : ly[iy]) == level)
                    order[n++] = iy * nx + ix;
    free(lx);
    free(ly);
    return good ? TW_OK : tw_err_set(err, TW_ENOMEM, "out of memory");
}

/* ---- the spline ------------------------------------------------------------------------------ */

struct fill {
    struct tw_surface *s;
    double tol;
    tw_surface_points *points;
    void *ctx;
    struct tw_surface_report *r;
    struct nodes x, y;
    size_t *scratch;
    /* The spline over the nodes, one for each field. */
    double *node_x, *node_y, *node_z[TW_SURFACE_FIELDS];
    bool logs[TW_SURFACE_FIELDS];
    double least[TW_SURFACE_FIELDS]; /* what stands for values that have no logarithm */
    gsl_interp2d *spline[TW_SURFACE_FIELDS];
    bool *seen; /* of each point: asked for. What an earlier run computed beyond is not there */
    size_t *wanted, nwanted; /* points to ask for together */
    bool *open;              /* of each cell: may still be split */
    bool *opened;            /* of each cell of the next level */
    double *off;             /* of each cell: the error at its middle; NaN: not computed */
};

static double into(const struct fill *f, size_t field, double v)
{
    return f->logs[field] ? log(fmax(v, f->least[field])) : v;
}

static double out_of(const struct fill *f, size_t field, double z)
{
    return f->logs[field] ? exp(z) : z;
}

/* Of the values computed so far: may logarithms be taken, and where do they end? */
static void survey(struct fill *f)
{
    const size_t n = f->s->nx * f->s->ny;

    for (size_t k = 0; k < f->s->nfield; k++) {
        double least = HUGE_VAL;

        f->logs[k] = true;
        for (size_t i = 0; i < n; i++) {
            const double v = f->s->field[k][i];

            if (!f->seen[i] || !isfinite(v))
                continue;
            f->logs[k] = f->logs[k] && v >= 0.0;
            least = v > 0.0 && v < least ? v : least;
            if (k == 0) {
                f->r->lo = fmin(f->r->lo, v);
                f->r->hi = fmax(f->r->hi, v);
            }
        }
        f->least[k] = 1e-3 * least;
        f->logs[k] = f->logs[k] && isfinite(least);
    }
    f->r->log = f->logs[0] && f->r->lo > 0.0 && f->r->hi > TW_SURFACE_LOG * f->r->lo;
}

/* Nodes that are not finite take the largest finite value: their cells are split anyway. */
static enum tw_status fit(struct fill *f, struct tw_err *err)
{
    const struct tw_surface *s = f->s;
    const size_t nx = f->x.n, ny = f->y.n;

    survey(f);
    for (size_t i = 0; i < nx; i++)
        f->node_x[i] = s->x[f->x.at[i]];
    for (size_t j = 0; j < ny; j++)
        f->node_y[j] = s->y[f->y.at[j]];
    for (size_t k = 0; k < s->nfield; k++) {
        double top = -HUGE_VAL;

        gsl_interp2d_free(f->spline[k]);
        f->spline[k] = gsl_interp2d_alloc(gsl_interp2d_bicubic, nx, ny);
        if (!f->spline[k])
            return tw_err_set(err, TW_ENOMEM, "out of memory");
        for (int pass = 0; pass < 2; pass++)
            for (size_t j = 0; j < ny; j++)
                for (size_t i = 0; i < nx; i++) {
                    const double v = s->field[k][f->y.at[j] * s->nx + f->x.at[i]];
                    const double z = isfinite(v) ? into(f, k, v) : top;

                    top = isfinite(v) ? fmax(top, z) : top;
                    f->node_z[k][j * nx + i] = isfinite(z) ? z : 0.0;
                }
        if (gsl_interp2d_init(f->spline[k], f->node_x, f->node_y, f->node_z[k], nx, ny) != 0)
            return tw_err_set(err, TW_ENOMEM, "out of memory");
    }
    return TW_OK;
}

static double spline_at(const struct fill *f, size_t field, size_t ix, size_t iy)
{
    double z = NAN;

    (void)gsl_interp2d_eval_e(f->spline[field], f->node_x, f->node_y, f->node_z[field], f->s->x[ix],
                              f->s->y[iy], NULL, NULL, &z);
    return z;
}

static void interpolate(struct fill *f, size_t ix, size_t iy)
{
    for (size_t k = 0; k < f->s->nfield; k++)
        f->s->field[k][iy * f->s->nx + ix] = out_of(f, k, spline_at(f, k, ix, iy));
}

/* ---- cells ----------------------------------------------------------------------------------- */

static bool known(const struct fill *f, size_t index)
{
    return f->seen[index];
}

static void want(struct fill *f, size_t ix, size_t iy)
{
    const size_t index = iy * f->s->nx + ix;

    if (!f->seen[index])
        f->wanted[f->nwanted++] = index;
    f->seen[index] = true;
}

static enum tw_status compute(struct fill *f, struct tw_err *err)
{
    const size_t n = f->nwanted;

    f->nwanted = 0;
    return n ? f->points(f->ctx, n, f->wanted, err) : TW_OK;
}

static bool corner_failed(const struct fill *f, size_t i, size_t j)
{
    for (size_t k = 0; k < 4; k++)
        if (f->s->status[f->y.at[j + k / 2] * f->s->nx + f->x.at[i + k % 2]] == TW_POINT_FAILED)
            return true;
    return false;
}

/* A spline need not be farthest off in the middle. Over 18 planes of trained networks the largest
 * error anywhere was 0.6 to 1.7 times the largest at middles, and above 1.4 once. */
static const double MARGIN = 1.5;

/* A cell's error by its middle, as a share of the range; huge where something is not finite. */
static double error_of(const struct fill *f, size_t i, size_t j)
{
    const size_t ix = (f->x.at[i] + f->x.at[i + 1]) / 2, iy = (f->y.at[j] + f->y.at[j + 1]) / 2;
    const size_t index = iy * f->s->nx + ix;
    const double z = spline_at(f, 0, ix, iy), v = f->s->field[0][index];
    const struct tw_surface_report *r = f->r;
    const double range = r->log ? log(r->hi / r->lo) : r->hi - r->lo;

    if (f->s->status[index] == TW_POINT_FAILED || corner_failed(f, i, j))
        return HUGE_VAL;
    if (r->log) /* so the spline is one of logarithms */
        return MARGIN * fabs(z - into(f, 0, v)) / range;
    return range > 0.0 ? MARGIN * fabs(out_of(f, 0, z) - v) / range : 0.0;
}

/* May it be split, and has it a middle? One whose points are neighbours has none. */
static bool to_test(const struct fill *f, size_t i, size_t j)
{
    return f->open[j * (f->x.n - 1) + i] &&
           (f->x.at[i + 1] - f->x.at[i] > 1 || f->y.at[j + 1] - f->y.at[j] > 1);
}

/* The middles of all such cells. */
static enum tw_status test_all(struct fill *f, struct tw_err *err)
{
    const size_t nx = f->x.n - 1, ny = f->y.n - 1;
    enum tw_status rc;

    for (size_t j = 0; j < ny; j++)
        for (size_t i = 0; i < nx; i++)
            if (to_test(f, i, j))
                want(f, (f->x.at[i] + f->x.at[i + 1]) / 2, (f->y.at[j] + f->y.at[j + 1]) / 2);
    rc = compute(f, err);
    for (size_t j = 0; rc == TW_OK && j < ny; j++)
        for (size_t i = 0; i < nx; i++)
            f->off[j * nx + i] = to_test(f, i, j) ? error_of(f, i, j) : (double)NAN;
    return rc;
}

/* Is the cell, or one beside it, off by more than tol? A middle says little of a cell whose
 * neighbour is rough. */
static bool rough(const struct fill *f, size_t i, size_t j)
{
    const size_t nx = f->x.n - 1, ny = f->y.n - 1;

    for (size_t b = j ? j - 1 : 0; b <= j + 1 && b < ny; b++)
        for (size_t a = i ? i - 1 : 0; a <= i + 1 && a < nx; a++)
            if (f->off[b * nx + a] > f->tol && (a == i || b == j))
                return true;
    return false;
}

/* Open the four parts of rough cells, and count what the others are off by. */
static void decide(struct fill *f, const struct nodes *x, const struct nodes *y)
{
    const size_t nx = f->x.n - 1, cells = nx * (f->y.n - 1), next = x->n - 1;

    memset(f->opened, 0, next * (y->n - 1) * sizeof *f->opened);
    for (size_t c = 0; nx && c < cells; c++) {
        const size_t i = c % nx, j = c / nx;

        if (!f->open[c] || isnan(f->off[c]))
            continue;
        if (!rough(f, i, j)) {
            f->r->error = fmax(f->r->error, f->off[c]);
            f->r->tested++;
            continue;
        }
        for (size_t b = 0; b + 1 < y->n; b++)
            for (size_t a = 0; a + 1 < x->n; a++)
                if (y->at[b] >= f->y.at[j] && y->at[b + 1] <= f->y.at[j + 1] &&
                    x->at[a] >= f->x.at[i] && x->at[a + 1] <= f->x.at[i + 1])
                    f->opened[b * next + a] = true;
    }
}

/* Nodes of the next level: computed at the corners of open cells, interpolated elsewhere. */
static enum tw_status fill_nodes(struct fill *f, const struct nodes *x, const struct nodes *y,
                                 struct tw_err *err)
{
    const size_t nx = x->n, ny = y->n;

    for (size_t j = 0; j < ny; j++)
        for (size_t i = 0; i < nx; i++) {
            bool corner = false;

            for (size_t k = 0; k < 4; k++) {
                const size_t a = i - k % 2, b = j - k / 2; /* below 0 wraps, and is too large */

                corner = corner || (a < nx - 1 && b < ny - 1 && f->opened[b * (nx - 1) + a]);
            }
            if (corner)
                want(f, x->at[i], y->at[j]);
            else if (!known(f, y->at[j] * f->s->nx + x->at[i]))
                interpolate(f, x->at[i], y->at[j]);
        }
    return compute(f, err);
}

static bool any_open(const struct fill *f)
{
    for (size_t c = 0; c < (f->x.n - 1) * (f->y.n - 1); c++)
        if (f->open[c])
            return true;
    return false;
}

static bool copy(const struct nodes *from, struct nodes *to, size_t *scratch)
{
    to->n = from->n;
    memcpy(to->at, from->at, from->n * sizeof *to->at);
    return halve(to, scratch);
}

static enum tw_status refine(struct fill *f, struct nodes *x, struct nodes *y, struct tw_err *err)
{
    enum tw_status rc = TW_OK;
    bool *swap;

    while (rc == TW_OK && any_open(f)) {
        bool more;

        rc = fit(f, err);
        if (rc != TW_OK)
            return rc;
        more = copy(&f->x, x, f->scratch);
        more = copy(&f->y, y, f->scratch) || more;
        if (!more)
            break;
        rc = test_all(f, err);
        if (rc != TW_OK)
            return rc;
        decide(f, x, y);
        rc = fill_nodes(f, x, y, err);
        f->x.n = x->n;
        f->y.n = y->n;
        memcpy(f->x.at, x->at, x->n * sizeof *x->at);
        memcpy(f->y.at, y->at, y->n * sizeof *y->at);
        swap = f->open;
        f->open = f->opened;
        f->opened = swap;
    }
    return rc;
}

/* ---- the whole ------------------------------------------------------------------------------- */

static enum tw_status start(struct fill *f, struct tw_err *err)
{
    enum { COARSE = 9 }; /* nodes of an axis to begin with, at least */
    enum tw_status rc;
    bool more = true;

    ends(&f->x, f->s->nx);
    ends(&f->y, f->s->ny);
    while (more && f->x.n < COARSE)
        more = halve(&f->x, f->scratch);
    for (more = true; more && f->y.n < COARSE;)
        more = halve(&f->y, f->scratch);
    for (size_t j = 0; j < f->y.n; j++)
        for (size_t i = 0; i < f->x.n; i++)
            want(f, f->x.at[i], f->y.at[j]);
    rc = compute(f, err);
    for (size_t c = 0; rc == TW_OK && c < (f->x.n - 1) * (f->y.n - 1); c++)
        f->open[c] = true;
    return rc;
}

/* What is left lies in cells that passed. */
static enum tw_status finish(struct fill *f, struct tw_err *err)
{
    struct tw_surface *s = f->s;
    enum tw_status rc = fit(f, err);

    for (size_t i = 0; rc == TW_OK && i < s->nx * s->ny; i++)
        if (known(f, i)) {
            f->r->computed++;
        } else {
            interpolate(f, i % s->nx, i / s->nx);
            s->status[i] = TW_POINT_INTERPOLATED;
            f->r->interpolated++;
        }
    return rc;
}

enum tw_status tw_surface_fill(struct tw_surface *s, double tol, tw_surface_points *points,
                               void *ctx, struct tw_surface_report *r, struct tw_err *err)
{
    const size_t n = s->nx * s->ny, most = s->nx > s->ny ? s->nx : s->ny;
    struct fill f = { .s = s, .tol = tol, .points = points, .ctx = ctx, .r = r };
    struct nodes x = { 0, tw_alloc(most, sizeof *x.at) }, y = { 0, tw_alloc(most, sizeof *y.at) };
    enum tw_status rc;
    bool good;

    *r = (struct tw_surface_report){ .lo = HUGE_VAL, .hi = -HUGE_VAL };
    f.x.at = tw_alloc(most, sizeof *f.x.at);
    f.y.at = tw_alloc(most, sizeof *f.y.at);
    f.scratch = tw_alloc(most, sizeof *f.scratch);
    f.node_x = tw_alloc(most, sizeof *f.node_x);
    f.node_y = tw_alloc(most, sizeof *f.node_y);
    f.wanted = tw_alloc(n, sizeof *f.wanted);
    f.seen = tw_alloc(n, sizeof *f.seen);
    f.open = tw_alloc(n, sizeof *f.open);
    f.opened = tw_alloc(n, sizeof *f.opened);
    f.off = tw_alloc(n, sizeof *f.off);
    good = x.at && y.at && f.x.at && f.y.at && f.scratch && f.node_x && f.node_y && f.wanted &&
           f.seen && f.open && f.opened && f.off;
    for (size_t k = 0; k < s->nfield; k++) {
        f.node_z[k] = tw_alloc(n, sizeof *f.node_z[k]);
        good = good && f.node_z[k];
    }
    rc = !good                    ? tw_err_set(err, TW_ENOMEM, "out of memory")
         : s->nx < 4 || s->ny < 4 ? tw_err_set(err, TW_EINVAL, "too few points to interpolate")
                                  : start(&f, err);
    if (rc == TW_OK)
        rc = refine(&f, &x, &y, err);
    if (rc == TW_OK)
        rc = finish(&f, err);
    for (size_t k = 0; k < s->nfield; k++) {
        free(f.node_z[k]);
        gsl_interp2d_free(f.spline[k]);
    }
    free(x.at);
    free(y.at);
    free(f.x.at);
    free(f.y.at);
    free(f.scratch);
    free(f.node_x);
    free(f.node_y);
    free(f.wanted);
    free(f.seen);
    free(f.open);
    free(f.opened);
    free(f.off);
    return rc;
}
