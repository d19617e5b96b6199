/* SPDX-License-Identifier: GPL-3.0-or-later */
/* kern_move.h - fills, sums of arrays, tables looked up, samples into lanes and out of them. */
#ifndef TENSOR_KERN_MOVE_H
#define TENSOR_KERN_MOVE_H

#include "kern_vec.h"

static void fill(size_t n, double value, void *vy)
{
    real *y = vy;

    for (size_t i = 0; i < n; i++)
        y[i] = (real)value;
}

static void axpy(size_t n, double s, const void *vx, void *vy)
{
    const real *x = vx, c = (real)s;
    real *y = vy;

    for (size_t i = 0; i < n; i++)
        y[i] += c * x[i];
}

/* The row that index names; below 0 from the end; -1: out of range or NaN. */
static inline long table_row(real index, size_t rows)
{
    if (index < (real)0.0)
        index += (real)rows;
    return index >= (real)0.0 && index < (real)rows ? (long)index : -1;
}

static void lookup(size_t n, const void *vindex, size_t rows, size_t width, const void *vtable,
                   size_t lanes, void *vy)
{
    const real *index = vindex, *table = vtable;
    real *y = vy;

    for (size_t i = 0; i < n; i++, y += width * lanes)
        for (size_t l = 0; l < lanes; l++, index++) {
            const long r = table_row(*index, rows);
            const real *from = table + (size_t)(r < 0 ? 0 : r) * width;

            for (size_t w = 0; w < width; w++)
                y[w * lanes + l] = r < 0 ? (real)NAN : from[w];
        }
}

/* Columns `from` to `to` of the table. */
static void lookup_grad_part(size_t n, const void *vindex, size_t rows, size_t width,
                             const void *vgy, size_t lanes, double *gtable, size_t from, size_t to)
{
    const real *index = vindex, *gy = vgy;

    for (size_t i = 0; i < n; i++, gy += width * lanes)
        for (size_t l = 0; l < lanes; l++, index++) {
            const long r = table_row(*index, rows);

            if (r >= 0)
                for (size_t w = from; w < to; w++)
                    gtable[(size_t)r * width + w] += (double)gy[w * lanes + l];
        }
}

static void lookup_grad(size_t n, const void *index, size_t rows, size_t width, const void *gy,
                        size_t lanes, double *gtable)
{
    lookup_grad_part(n, index, rows, width, gy, lanes, gtable, 0, width);
}

/* Elements `from` to `to`. */
static void load_part(size_t from, size_t to, size_t lanes, const float *const *x, void *vy)
{
    real *y = (real *)vy + from * lanes;

    for (size_t i = from; i < to; i++, y += lanes)
        for (size_t l = 0; l < lanes; l++)
            y[l] = x[l] ? (real)x[l][i] : (real)0.0;
}

static void load_f32(size_t e, size_t lanes, const float *const *x, void *y)
{
    load_part(0, e, lanes, x, y);
}

static void store_f64(size_t e, size_t lanes, size_t nsamples, const void *vx, double *const *y)
{
    const real *x = vx;

    for (size_t i = 0; i < e; i++, x += lanes)
        for (size_t l = 0; l < nsamples; l++)
            if (y[l])
                y[l][i] = (double)x[l];
}

#endif
