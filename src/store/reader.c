/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "thalweg/store_reader.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

struct tw_reader tw_reader_open(const char *path, const char *kind, struct tw_err *err)
{
    struct tw_reader in = { .r = tw_result_open(path, kind, err), .path = path, .err = err };

    in.rc = in.r ? TW_OK : err->code;
    return in;
}

enum tw_status tw_reader_close(struct tw_reader *in)
{
    tw_result_done(in->r);
    in->r = NULL;
    return in->rc;
}

bool tw_reader_has(const struct tw_reader *in, const char *name)
{
    return in->rc == TW_OK && tw_result_has(in->r, name);
}

void tw_reader_refuse(struct tw_reader *in, const char *fmt, ...)
{
    struct tw_str s = { 0 };
    va_list ap;

    if (in->rc != TW_OK)
        return;
    va_start(ap, fmt);
    tw_str_vaddf(&s, fmt, ap);
    va_end(ap);
    in->rc = tw_err_set(in->err, TW_EFORMAT, "%s: %s", in->path,
                        s.failed || !s.s ? "it is damaged" : s.s);
    tw_str_release(&s);
}

void tw_reader_no_memory(struct tw_reader *in)
{
    if (in->rc == TW_OK)
        in->rc = tw_err_set(in->err, TW_ENOMEM, "%s: out of memory", in->path);
}

/* Are the extents those that are wanted, or take their place? */
static bool fits(struct tw_reader *in, const char *name, int rank, const size_t *dims, size_t *want)
{
    for (int i = 0; i < rank; i++) {
        if (in->rc == TW_OK && want[i] != SIZE_MAX && dims[i] != want[i])
            tw_reader_refuse(in, "%s has %zu %s, expected %zu", name, dims[i],
                             rank == 1  ? "values"
                             : rank > 2 ? "parts along an axis"
                             : i == 0   ? "rows"
                                        : "columns",
                             want[i]);
        if (want[i] == SIZE_MAX)
            want[i] = dims[i];
    }
    return in->rc == TW_OK;
}

double *tw_reader_reals(struct tw_reader *in, const char *name, int rank, size_t *want)
{
    size_t dims[TW_RESULT_MAX_RANK] = { 0 };
    double *x = NULL;

    if (in->rc == TW_OK)
        in->rc = tw_result_get_reals(in->r, name, rank, dims, &x, in->err);
    if (!fits(in, name, rank, dims, want)) {
        free(x);
        x = NULL;
    }
    return x;
}

uint8_t *tw_reader_bytes(struct tw_reader *in, const char *name, int rank, size_t *want)
{
    size_t dims[TW_RESULT_MAX_RANK] = { 0 };
    uint8_t *x = NULL;

    if (in->rc == TW_OK)
        in->rc = tw_result_get_bytes(in->r, name, rank, dims, &x, in->err);
    if (!fits(in, name, rank, dims, want)) {
        free(x);
        x = NULL;
    }
    return x;
}

double *tw_reader_list(struct tw_reader *in, const char *name, size_t n)
{
    return tw_reader_reals(in, name, 1, &n);
}

void tw_reader_copy(struct tw_reader *in, const char *name, size_t n, double *to)
{
    double *x = tw_reader_list(in, name, n);

    if (x)
        memcpy(to, x, n * sizeof *x);
    free(x);
}

double tw_reader_real(struct tw_reader *in, const char *name)
{
    double x = NAN;

    if (in->rc == TW_OK)
        in->rc = tw_result_get_real(in->r, name, &x, in->err);
    return x;
}

size_t tw_reader_size(struct tw_reader *in, const char *name)
{
    size_t x = 0;

    if (in->rc == TW_OK)
        in->rc = tw_result_get_size(in->r, name, &x, in->err);
    return x;
}

char *tw_reader_text(struct tw_reader *in, const char *name)
{
    char *s = NULL;

    if (in->rc == TW_OK)
        in->rc = tw_result_get_text(in->r, name, &s, in->err);
    return s;
}

void tw_reader_free_texts(char **texts, size_t n)
{
    for (size_t i = 0; texts && i < n; i++)
        free(texts[i]);
    free(texts);
}

char **tw_reader_texts(struct tw_reader *in, const char *name, size_t *n)
{
    size_t found = 0;
    char **s = NULL;

    if (in->rc == TW_OK)
        in->rc = tw_result_get_texts(in->r, name, &found, &s, in->err);
    if (in->rc == TW_OK && *n != SIZE_MAX && found != *n)
        tw_reader_refuse(in, "%s has %zu text%s, expected %zu", name, found, tw_plural(found), *n);
    if (*n == SIZE_MAX)
        *n = found;
    if (in->rc != TW_OK) {
        tw_reader_free_texts(s, found);
        s = NULL;
    }
    return s;
}
