/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What is done with the rows of a data set once they are read. */
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "data.h"

enum { IGNORED = -100 }; /* the label that PyTorch's losses leave out */

int data_split_number(const char *word)
{
    static const char *const words[] = { "train", "test", "validation", "val", "valid", "dev" };

    for (int i = 0; i < 6; i++)
        if (!strcmp(word, words[i]))
            return i < 2 ? i : 2;
    return -1;
}

/* ---- choosing ------------------------------------------------------------------------------ */

static enum tw_status of_split(int want, size_t samples, const struct tw_array *split,
                               struct data_rows *rows, struct tw_err *err)
{
    if (tw_dtype_is_real(split->dtype) || split->n != samples)
        return tw_err_set(err, TW_EFORMAT,
                          "split: expected a whole number for each of %zu samples, found %zu %ss",
                          samples, split->n, tw_dtype_name(split->dtype));
    for (size_t i = 0; i < samples; i++) {
        int64_t s = tw_array_int(split, i);

        if (s < 0 || s > 2)
            return tw_err_set(err, TW_EFORMAT,
                              "split: row %zu is %lld; 0 is train, 1 test, 2 validation", i,
                              (long long)s);
        if (want < 0 || s == want)
            rows->row[rows->n++] = i;
    }
    return TW_OK;
}

/* A subset in which every one of that size is equally likely: Fan, Muller and Rezucha's selection
 * sampling (Knuth, TAOCP 2, algorithm 3.4.2 S), which leaves the rows in order. */
static void sample(struct data_rows *rows, size_t want, uint64_t seed)
{
    struct tw_rng r = tw_rng_stream(seed, TW_RNG_SUBSET, 0);
    size_t taken = 0;

    for (size_t i = 0; taken < want; i++)
        if (tw_rng_below(&r, rows->n - i) < want - taken)
            rows->row[taken++] = rows->row[i];
}

enum tw_status data_choose(const struct tw_data_options *o, size_t samples,
                           const struct tw_array *split, struct data_rows *rows,
                           struct tw_data_report *report, struct tw_str *remarks,
                           struct tw_err *err)
{
    const int want = o->split ? data_split_number(o->split) : -1;
    enum tw_status rc = TW_OK;

    rows->row = tw_alloc(samples, sizeof *rows->row);
    if (!rows->row)
        return tw_err_set(err, TW_ENOMEM, "out of memory");
    if (split->dtype != TW_NONE) {
        rc = of_split(want, samples, split, rows, err);
        if (rc == TW_OK && want < 0 && remarks)
            tw_str_addf(remarks, "all %zu samples are taken, whatever their split.\n", samples);
    } else {
        for (; rows->n < samples; rows->n++)
            rows->row[rows->n] = rows->n;
    }
    if (rc != TW_OK)
        return rc;
    report->in_split = rows->n;
    if (rows->n == 0)
        return tw_err_set(err, TW_EFORMAT, "no samples%s%.20s", o->split ? " in split " : "",
                          o->split ? o->split : "");
    if (o->limit && o->limit < rows->n) {
        if (remarks)
            tw_str_addf(remarks, "%s %zu of %zu samples are taken.\n",
                        o->random ? "a random" : "the first", o->limit, rows->n);
        if (o->random)
            sample(rows, o->limit, o->subset_seed);
        rows->n = o->limit;
    }
    rows->all = rows->n == samples;
    return TW_OK;
}

enum tw_status data_keep(struct tw_array *a, const struct data_rows *rows, struct tw_err *err)
{
    size_t dims[TW_MAX_RANK], size;
    struct tw_array kept;
    enum tw_status rc;

    if (rows->all)
        return TW_OK;
    memcpy(dims, a->dims, sizeof dims);
    dims[0] = rows->n;
    rc = tw_array_make(&kept, a->dtype, a->rank, dims, err);
    if (rc != TW_OK)
        return rc;
    size = a->n / a->dims[0] * tw_dtype_size(a->dtype);
    for (size_t i = 0; i < rows->n && size > 0; i++)
        memcpy((char *)kept.data + i * size, (const char *)a->data + rows->row[i] * size, size);
    tw_array_release(a);
    *a = kept;
    return TW_OK;
}

/* ---- scaling --------------------------------------------------------------------------------- */

/* The dimension of the channels: the second, or the last if that alone has n. */
static int channel_axis(const struct tw_array *x, size_t n)
{
    const int last = x->rank - 1;

    return last > 1 && n > 1 && x->dims[1] != n && x->dims[last] == n ? last : 1;
}

static enum tw_status check_count(const struct tw_array *x, size_t n, const char *what,
                                  struct tw_err *err)
{
    struct tw_str shape = { 0 };

    if (n <= 1 || (x->rank > 1 && x->dims[channel_axis(x, n)] == n))
        return TW_OK;
    tw_array_describe(x->dtype, x->rank, x->dims, &shape);
    (void)tw_err_set(err, TW_EINVAL,
                     "%zu %s for x, which is %s: give one, or one for each channel (the second "
                     "dimension, or the last)",
                     n, what, shape.s ? shape.s : "");
    tw_str_release(&shape);
    return TW_EINVAL;
}

enum tw_status data_scale(struct tw_array *x, const struct tw_data_options *o, struct tw_err *err)
{
    const double scale = o->scale == 0.0 ? 1.0 : o->scale;
    const int axis = channel_axis(x, o->nmean > 1 ? o->nmean : o->nstd);
    size_t inner = 1, channels;
    struct tw_array y;
    enum tw_status rc;
    float *to;

    if (scale == 1.0 && !o->nmean && !o->nstd)
        return TW_OK;
    rc = check_count(x, o->nmean, "means", err);
    if (rc == TW_OK)
        rc = check_count(x, o->nstd, "standard deviations", err);
    if (rc == TW_OK && o->nmean > 1 && o->nstd > 1 && o->nmean != o->nstd)
        rc =
            tw_err_set(err, TW_EINVAL, "%zu means, but %zu standard deviations", o->nmean, o->nstd);
    for (size_t i = 0; i < o->nstd && rc == TW_OK; i++)
        if (!(o->std[i] > 0.0) || isinf(o->std[i]))
            rc = tw_err_set(err, TW_EINVAL, "a standard deviation of %g; it must be positive",
                            o->std[i]);
    if (rc == TW_OK)
        rc = tw_array_make(&y, TW_F32, x->rank, x->dims, err);
    if (rc != TW_OK)
        return rc;
    for (int d = axis + 1; d < x->rank; d++)
        inner *= x->dims[d];
    channels = x->rank > 1 ? x->dims[axis] : 1;
    to = y.data;
    for (size_t i = 0; i < x->n; i++) {
        size_t c = i / inner % channels;
        double mean = o->nmean ? o->mean[o->nmean > 1 ? c : 0] : 0.0;
        double std = o->nstd ? o->std[o->nstd > 1 ? c : 0] : 1.0;

        to[i] = (float)((tw_array_real(x, i) * scale - mean) / std);
    }
    tw_array_release(x);
    *x = y;
    return TW_OK;
}

static size_t nonfinite_floats(const float *x, size_t n)
{
    size_t bad = 0;

#pragma omp simd reduction(+ : bad)
    for (size_t i = 0; i < n; i++)
        bad += fabsf(x[i]) <= FLT_MAX ? 0 : 1;
    return bad;
}

size_t data_nonfinite(const struct tw_array *x)
{
    size_t n = 0;

    if (x->dtype == TW_F32)
        return nonfinite_floats(x->data, x->n);
    for (size_t i = 0; tw_dtype_is_real(x->dtype) && i < x->n; i++)
        n += isfinite(tw_array_real(x, i)) ? 0 : 1;
    return n;
}

/* ---- labels ---------------------------------------------------------------------------------- */

static enum tw_status check_label(const struct tw_array *y, size_t i, const struct data_rows *rows,
                                  int64_t *label, struct tw_err *err)
{
    size_t row = rows->row[i / (y->n / rows->n)];
    double x = tw_array_real(y, i);

    if (!(fabs(x) < 1e15) || x != floor(x))
        return tw_err_set(err, TW_EFORMAT, "y: row %zu is %g, which is no class number", row, x);
    *label = tw_array_int(y, i);
    if (*label < 0 && *label != IGNORED)
        return tw_err_set(err, TW_EFORMAT,
                          "y: row %zu is %lld; classes are numbered from 0 (%d is ignored)", row,
                          (long long)*label, (int)IGNORED);
    return TW_OK;
}

enum tw_status data_classes(struct tw_array *y, const struct data_rows *rows, int64_t *nclass,
                            struct tw_err *err)
{
    struct tw_array labels;
    enum tw_status rc;

    if (tw_dtype_is_real(y->dtype) && y->rank > 1 && y->n > y->dims[0])
        return tw_err_set(err, TW_EFORMAT,
                          "y holds %zu reals a sample, not a class number; if one is 1 and the "
                          "others 0, save numpy.argmax(y, axis=1)",
                          y->n / y->dims[0]);
    while (y->rank > 1 && y->dims[y->rank - 1] == 1)
        y->rank--; /* a column */
    rc = tw_array_make(&labels, TW_I64, y->rank, y->dims, err);
    for (size_t i = 0; i < labels.n && rc == TW_OK; i++) {
        int64_t label = 0;

        rc = check_label(y, i, rows, &label, err);
        if (rc == TW_OK) {
            tw_array_set_int(&labels, i, label);
            *nclass = label >= *nclass ? label + 1 : *nclass;
        }
    }
    if (rc != TW_OK) {
        tw_array_release(&labels);
        return rc;
    }
    tw_array_release(y);
    *y = labels;
    return TW_OK;
}
