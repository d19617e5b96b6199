/* SPDX-License-Identifier: GPL-3.0-or-later */
/* kern_vec.h - vectors of the table's real type, as GNU vector extensions: nothing here names an
 * instruction. A file that makes a table sets KERN_BYTES (width of a vector) and, for double,
 * KERN_REAL64, before it includes kern.h. */
#ifndef TENSOR_KERN_VEC_H
#define TENSOR_KERN_VEC_H

#include <math.h>
#include <string.h>

#include "kern_tables.h"

#ifdef KERN_REAL64
typedef double real;
typedef int64_t bits;
#define KERN_TYPE TW_REAL64
#define R(name)   name /* the C library's function for this type */
enum { KERN_REAL_BYTES = 8 };
#else
typedef float real;
typedef int32_t bits;
#define KERN_TYPE TW_REAL32
#define R(name)   name##f
enum { KERN_REAL_BYTES = 4 };
#endif

enum { W = KERN_BYTES / KERN_REAL_BYTES };
typedef real vec __attribute__((vector_size(KERN_BYTES)));
typedef bits ivec __attribute__((vector_size(KERN_BYTES)));
/* In memory a vector may begin at any real. */
typedef real memvec __attribute__((vector_size(KERN_BYTES), aligned(KERN_REAL_BYTES), may_alias));

#ifdef __clang__
#define KERN_UNROLL _Pragma("clang loop unroll(full)")
#else
#define KERN_UNROLL _Pragma("GCC unroll 16")
#endif

static inline vec vload(const real *p)
{
    return *(const memvec *)p;
}

static inline void vstore(real *p, vec v)
{
    *(memvec *)p = v;
}

/* x - 0 is x for every x, -0 and NaN too, so that compilers drop the subtraction. */
static inline vec splat(real x)
{
    return x - (vec){ 0 };
}

/* A literal in every lane. */
#define K(x) splat((real)(x))

static inline vec vsel(ivec m, vec yes, vec no)
{
    return (vec)((m & (ivec)yes) | (~m & (ivec)no));
}

static inline vec vabs(vec x)
{
    return (vec)((ivec)x & ~(ivec)K(-0.0));
}

/* |x| with the sign of s. */
static inline vec vcopysign(vec x, vec s)
{
    return (vec)(((ivec)x & ~(ivec)K(-0.0)) | ((ivec)s & (ivec)K(-0.0)));
}

/* The larger, the smaller; NaN if either is. */
static inline vec vmax(vec a, vec b)
{
    return vsel((a > b) | (a != a), a, b);
}

static inline vec vmin(vec a, vec b)
{
    return vsel((a < b) | (a != a), a, b);
}

/* Applies a function of the C library to each lane. */
#define KERN_EACH(name, f)                                                                         \
    static inline vec name(vec x)                                                                  \
    {                                                                                              \
        vec y = x;                                                                                 \
        for (int i_ = 0; i_ < W; i_++)                                                             \
            y[i_] = f(x[i_]);                                                                      \
        return y;                                                                                  \
    }
KERN_EACH(vsqrt, R(sqrt))
KERN_EACH(vfloor, R(floor))
KERN_EACH(vceil, R(ceil))
KERN_EACH(vround, R(rint))

static inline bool vany(ivec m)
{
    bits any = 0;

    for (int i = 0; i < W; i++)
        any |= m[i];
    return any != 0;
}

/* The sum of the lanes, in double and in order. */
static inline double vsum(vec x)
{
    double s = 0.0;

    for (int i = 0; i < W; i++)
        s += (double)x[i];
    return s;
}

/* y (store) v. */
static inline void vput(enum tw_store store, real *y, vec v)
{
    if (store == TW_ADD)
        v = vload(y) + v;
    else if (store == TW_SUBTRACT)
        v = vload(y) - v;
    vstore(y, v);
}

/* a0 b0 a1 b1 ...: the lower and the upper halves of a and b, taken in turn. */
#if KERN_BYTES / 4 == 16 && !defined KERN_REAL64
#define KERN_LOW  0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23
#define KERN_HIGH 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31
#elif (KERN_BYTES == 32 && !defined KERN_REAL64) || KERN_BYTES == 64
#define KERN_LOW  0, 8, 1, 9, 2, 10, 3, 11
#define KERN_HIGH 4, 12, 5, 13, 6, 14, 7, 15
#elif (KERN_BYTES == 16 && !defined KERN_REAL64) || KERN_BYTES == 32
#define KERN_LOW  0, 4, 1, 5
#define KERN_HIGH 2, 6, 3, 7
#else
#define KERN_LOW  0, 2
#define KERN_HIGH 1, 3
#endif
#define vlow(a, b)  __builtin_shufflevector(a, b, KERN_LOW)
#define vhigh(a, b) __builtin_shufflevector(a, b, KERN_HIGH)

/* W vectors as rows become columns: log2(W) perfect shuffles of vectors i and i + W/2. */
static inline void vtranspose(vec v[W])
{
    KERN_UNROLL
    for (int step = 1; step < W; step *= 2) {
        vec t[W];

        KERN_UNROLL
        for (int i = 0; i < W / 2; i++) {
            t[2 * i] = vlow(v[i], v[i + W / 2]);
            t[2 * i + 1] = vhigh(v[i], v[i + W / 2]);
        }
        KERN_UNROLL
        for (int i = 0; i < W; i++)
            v[i] = t[i];
    }
}

/* The sum over the lanes of each of W vectors, in the order of the vectors. */
static inline vec vsums(vec v[W])
{
    KERN_UNROLL
    for (int n = W / 2; n > 0; n /= 2) {
        KERN_UNROLL
        for (int i = 0; i < n; i++)
            v[i] = vlow(v[i], v[i + n]) + vhigh(v[i], v[i + n]);
    }
    return v[0];
}

#endif
