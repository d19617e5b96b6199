/* SPDX-License-Identifier: GPL-3.0-or-later */
/* thalweg/base.h - status codes, the caller-owned error record, checked memory, growing
 * strings, counter-based random streams, ordered sums and digests. Everything else rests on
 * this; it rests on the C library (and nettle for SHA-256) alone. */
#ifndef TW_BASE_H
#define TW_BASE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TW_PRINTF(f, a) __attribute__((format(printf, f, a)))
#define TW_CHECKED      __attribute__((warn_unused_result))

/* ---- errors ------------------------------------------------------------------------- */

/* Every fallible function returns one of these: zero is success. */
enum tw_status {
    TW_OK = 0,
    TW_ENOMEM,  /* an allocation failed or a size overflowed */
    TW_EINVAL,  /* the caller broke the documented contract (a bad size, an unknown name) */
    TW_EIO,     /* a file could not be opened, read or written */
    TW_EFORMAT, /* a file was read but its contents are wrong */
    TW_EDOMAIN, /* a non-finite or out-of-domain number turned up */
    TW_ENOCONV, /* an iteration stopped before its tolerance */
    TW_ESTOP    /* stopped early on request (signal, time limit): what is done is kept */
};

/*
 * Owned by the caller, who starts it as {0}. The first failure fills it; the
 * frames above may only put context in front of the message.
 */
struct tw_err {
    enum tw_status code;
    char msg[640];
};

/* Set *err (unless NULL or already set) and return code. */
enum tw_status tw_err_set(struct tw_err *err, enum tw_status code, const char *fmt, ...)
    TW_PRINTF(3, 4);

/* Put "context: " before the message of a failure, then return its code. */
enum tw_status tw_err_ctx(struct tw_err *err, enum tw_status code, const char *fmt, ...)
    TW_PRINTF(3, 4);

#ifdef __clang_analyzer__
/* It does not see into other files: that these return their code is what makes "TW_OK, so there
 * is a result" true everywhere. */
#define tw_err_set(err, code, ...) (tw_err_set(err, code, __VA_ARGS__), (code))
#define tw_err_ctx(err, code, ...) (tw_err_ctx(err, code, __VA_ARGS__), (code))
#endif

/*
 * Make the libraries underneath report errors instead of aborting (GSL) or printing (HDF5).
 * Call it once before anything else; calling it again is harmless.
 */
void tw_library_init(void);

/* "0.1.0" or, from a checkout past a tag, "0.1.0-12-gabcdef0". */
const char *tw_version(void);

/* The libraries underneath with the versions in use at run time ("HDF5", "1.10.8"). Copies up
 * to n of them to parts (NULL: none) and returns how many there are. */
struct tw_library_part {
    const char *name;
    char version[32];
};
size_t tw_library_parts(struct tw_library_part *parts, size_t n);

/* ---- memory ------------------------------------------------------------------------- */

/* n zeroed elements of the given size; NULL when out of memory or when n * size overflows.
 * None gives a unique pointer. Free with free(). */
void *tw_alloc(size_t n, size_t size) TW_CHECKED;

/* bytes that are not cleared, from an address that is a multiple of 64; NULL when out of memory.
 * Free with free(). */
void *tw_alloc_aligned(size_t bytes) TW_CHECKED;

/* Grow *array (n elements used, *cap allocated) so that one more element fits; false when out
 * of memory, leaving the array as it was. New elements are not cleared. */
bool tw_grow(void *array, size_t n, size_t *cap, size_t size) TW_CHECKED;

/* A copy of s (n bytes, NUL added); NULL when out of memory. Free with free(). */
char *tw_strndup(const char *s, size_t n) TW_CHECKED;
char *tw_strdup(const char *s) TW_CHECKED; /* NULL in, NULL out */

/* ---- strings ------------------------------------------------------------------------ */

/* A growing, always NUL-terminated string; starts as {0}. Once an append runs out of memory
 * `failed` stays set and later appends do nothing, so one check at the end is enough. */
struct tw_str {
    char *s;
    size_t n, cap;
    bool failed;
};
void tw_str_add(struct tw_str *t, const char *s);
void tw_str_addn(struct tw_str *t, const char *s, size_t n);
void tw_str_addf(struct tw_str *t, const char *fmt, ...) TW_PRINTF(2, 3);
void tw_str_vaddf(struct tw_str *t, const char *fmt, va_list ap) TW_PRINTF(2, 0);
void tw_str_clear(struct tw_str *t);   /* empties, keeps the memory */
void tw_str_release(struct tw_str *t); /* frees, and is {0} again */

/* "s" after any number of things but one, for messages: ("%zu point%s", n, tw_plural(n)). */
const char *tw_plural(size_t n);

/* Does s end with `end`? */
bool tw_str_ends(const char *s, const char *end);

/* The edit distance (insert, delete, substitute, swap of neighbours) of two short names. */
size_t tw_str_distance(const char *a, const char *b);

/* Index of the name nearest to s among n, or n if none is near enough to suggest. */
size_t tw_str_nearest(const char *s, const char *const *names, size_t n);

/* The whole of s as a finite-or-not double in the C locale ("nan", "inf" in any case too);
 * false if anything else is left over. Independent of the locale. */
bool tw_str_to_real(const char *s, double *x) TW_CHECKED;
bool tw_strn_to_real(const char *s, size_t n, double *x) TW_CHECKED;

/* ---- random streams ----------------------------------------------------------------- */

/*
 * Philox4x32-10 (Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3",
 * SC 2011). The stream of item i depends on (seed, purpose, i) only, so any item can be made
 * on any thread in any order. A stream is a plain value: copy it to fork it.
 */
struct tw_rng {
    uint32_t key[2], ctr[4], out[4];
    unsigned used; /* words of out already given */
    double spare;  /* second normal of a pair */
    bool have_spare;
};
/* One name per use of randomness: never reuse a number for another purpose. */
enum tw_purpose {
    TW_RNG_TEST = 1,
    TW_RNG_STARTS = 2,    /* multi-start points */
    TW_RNG_BOOTSTRAP = 3, /* resampled blocks */
    TW_RNG_FORECAST = 4,  /* residual draws in prediction bands */
    TW_RNG_SUBSET = 5,
    TW_RNG_COMPARE = 6,         /* resampled held-out units */
    TW_RNG_SWEEP = 7,           /* resampled residuals of a sweep */
    TW_RNG_STEP_LAW = 8,        /* resampled sweeps */
    TW_RNG_INIT = 9,            /* initial parameters of built-in networks */
    TW_RNG_DROPOUT = 10,        /* who is dropped: seed, Dropout node and row */
    TW_RNG_DIRECTION = 20,      /* random directions of a landscape */
    TW_RNG_BARRIER = 21,        /* multipliers of samples for barriers */
    TW_RNG_BATCH = 30,          /* order of the data in training */
    TW_RNG_LABEL = 31,          /* labels made wrong on purpose */
    TW_RNG_SPLIT = 32,          /* samples set apart for validation */
    TW_RNG_UPDATE = 33,         /* a seed for each update, for what is drawn in it */
    TW_RNG_GHOST_BATCH = 40,    /* mini-batches whose radii are compared */
    TW_RNG_GHOST_DIRECTION = 41 /* random directions of `thalweg ghost` */
};
struct tw_rng tw_rng_stream(uint64_t seed, enum tw_purpose purpose, uint64_t item);
uint32_t tw_rng_u32(struct tw_rng *r);
uint64_t tw_rng_u64(struct tw_rng *r);
double tw_rng_real(struct tw_rng *r);                /* in [0, 1), 53 bits */
uint64_t tw_rng_below(struct tw_rng *r, uint64_t n); /* uniform in [0, n), n >= 1, unbiased */
double tw_rng_normal(struct tw_rng *r);              /* standard normal */
void tw_philox4x32(const uint32_t ctr[4], const uint32_t key[2], uint32_t out[4]);

/* ---- sums --------------------------------------------------------------------------- */

/* Sums over long arrays in fixed chunks added in order: the same bits at any number of
 * threads. NaN in, NaN out. */
double tw_sum(const double *x, size_t n);
double tw_sum_dot(const double *x, const double *y, size_t n);

/* Sort n reals in place, smallest first; none may be NaN. */
void tw_sort_reals(double *x, size_t n);

/* The q-quantile (0 <= q <= 1) of n sorted finite values by linear interpolation between
 * order statistics (Hyndman & Fan 1996, type 7); NaN if n == 0. */
double tw_quantile_sorted(const double *x, size_t n, double q);

/* ---- digests ------------------------------------------------------------------------ */

enum { TW_DIGEST_HEX = 65 }; /* "64 hex digits" + NUL */
/* SHA-256 (FIPS 180-4). */
void tw_digest_mem(const void *p, size_t n, char hex[TW_DIGEST_HEX]);
enum tw_status tw_digest_file(const char *path, char hex[TW_DIGEST_HEX],
                              struct tw_err *err) TW_CHECKED;
/* The same; ends, with a digest that means nothing, when stop (asked between blocks) says so. */
enum tw_status tw_digest_until(const char *path, bool (*stop)(void *ctx), void *ctx,
                               char hex[TW_DIGEST_HEX], struct tw_err *err) TW_CHECKED;

#endif
