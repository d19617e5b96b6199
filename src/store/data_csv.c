/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Data sets in tables: a row a sample, a column a feature, one of them the target. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "data.h"
#include "file.h"

enum { MAX_COLUMNS = 1 << 16, MAX_CLASSES = 10000 };

struct table {
    const char *p, *end;
    char sep;
    size_t line, ncol, nrow, label; /* label: SIZE_MAX: none */
    char **name;
    char **class; /* the words of the target's column, sorted; NULL: they are numbers */
    size_t nclass, cap;
    bool words; /* some targets are no numbers */
};
struct out {
    float *x;
    double *y;
};

static void release(struct table *t)
{
    for (size_t i = 0; i < t->ncol; i++)
        free(t->name[i]);
    for (size_t i = 0; i < t->nclass; i++)
        free(t->class[i]);
    free(t->name);
    free(t->class);
}

/* The next cell of the line without blanks and quotes; *last: it ends the line. NULL: a quote is
 * not closed. */
static const char *cell(struct table *t, size_t *n, bool *last)
{
    const char *s, *e;

    while (t->p < t->end && *t->p == ' ')
        t->p++;
    if (t->p < t->end && *t->p == '"') {
        s = ++t->p;
        e = memchr(s, '"', (size_t)(t->end - s));
        if (!e)
            return NULL;
        t->p = e + 1;
        while (t->p < t->end && *t->p != t->sep && *t->p != '\n')
            t->p++;
    } else {
        s = t->p;
        while (t->p < t->end && *t->p != t->sep && *t->p != '\n')
            t->p++;
        for (e = t->p; e > s && (e[-1] == ' ' || e[-1] == '\r');)
            e--;
    }
    *last = t->p == t->end || *t->p == '\n';
    t->p += t->p < t->end;
    *n = (size_t)(e - s);
    return s;
}

static enum tw_status read_names(struct table *t, struct tw_err *err)
{
    bool last = false;
    size_t cap = 0;

    t->sep = text_separator(t->p, t->end);
    t->line = 1;
    while (!last) {
        size_t n;
        const char *s = cell(t, &n, &last);

        if (!s)
            return tw_err_set(err, TW_EFORMAT, "line 1: a quote is not closed");
        if (t->ncol == MAX_COLUMNS)
            return tw_err_set(err, TW_EFORMAT, "more than %d columns", (int)MAX_COLUMNS);
        if (!tw_grow(&t->name, t->ncol, &cap, sizeof *t->name) ||
            !(t->name[t->ncol] = tw_strndup(s, n)))
            return tw_err_set(err, TW_ENOMEM, "out of memory");
        t->ncol++;
    }
    return TW_OK;
}

/* The column of the targets: the one that is named, else one with a usual name. */
static enum tw_status choose_label(struct table *t, const struct data_table *o, struct tw_err *err)
{
    static const char *const usual[] = { "label", "labels", "class", "target", "y" };
    const char *given = o->label;
    struct tw_str has = { 0 };

    t->label = SIZE_MAX;
    if (o->labels && t->ncol == 1)
        t->label = 0;
    if (o->labels_apart || t->label == 0)
        return TW_OK;
    for (size_t k = 0; k < (given ? 1 : sizeof usual / sizeof usual[0]); k++)
        for (size_t i = 0; i < t->ncol && t->label == SIZE_MAX; i++)
            if (!strcmp(t->name[i], given ? given : usual[k]))
                t->label = i;
    if (t->label != SIZE_MAX)
        return TW_OK;
    for (size_t i = 0; i < t->ncol && i < 8; i++)
        tw_str_addf(&has, "%s'%.30s'", i ? ", " : "", t->name[i]);
    (void)tw_err_set(err, TW_EFORMAT,
                     "%s%.60s%s; the table has %s%s: --label-column says which one holds the "
                     "targets",
                     given ? "no column '" : "no column called label, class, target or y",
                     given ? given : "", given ? "'" : "", has.s ? has.s : "none",
                     t->ncol > 8 ? " and more" : "");
    tw_str_release(&has);
    return TW_EFORMAT;
}

static bool blank(struct table *t)
{
    const char *p = t->p;

    while (p < t->end && (*p == ' ' || *p == '\r'))
        p++;
    if (p < t->end && *p != '\n')
        return false;
    t->p = p < t->end ? p + 1 : p;
    t->line++;
    return true;
}

/* The number of a word among the classes, where it is or belongs. */
static size_t place_of(const struct table *t, const char *s, size_t n, bool *found)
{
    size_t lo = 0, hi = t->nclass;

    while (lo < hi) {
        const size_t mid = lo + (hi - lo) / 2, m = strlen(t->class[mid]);
        int c = strncmp(t->class[mid], s, n);

        c = c ? c : m > n;
        if (c == 0) {
            *found = true;
            return mid;
        }
        if (c < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    *found = false;
    return lo;
}

static enum tw_status add_class(struct table *t, const char *s, size_t n, struct tw_err *err)
{
    bool found;
    const size_t at = place_of(t, s, n, &found);
    char *copy;

    if (found)
        return TW_OK;
    if (t->nclass == MAX_CLASSES)
        return tw_err_set(err, TW_EFORMAT, "line %zu: more than %d words in column '%.60s'",
                          t->line, (int)MAX_CLASSES, t->name[t->label]);
    copy = tw_strndup(s, n);
    if (!copy || !tw_grow(&t->class, t->nclass, &t->cap, sizeof *t->class)) {
        free(copy);
        return tw_err_set(err, TW_ENOMEM, "out of memory");
    }
    memmove(t->class + at + 1, t->class + at, (t->nclass - at) * sizeof *t->class);
    t->class[at] = copy;
    t->nclass++;
    return TW_OK;
}

/* What is done in a pass over the rows. */
enum pass {
    COUNT,   /* rows; and are all targets numbers? */
    COLLECT, /* the words of the targets */
    FILL
};

static enum tw_status take_cell(struct table *t, size_t column, const char *s, size_t n,
                                enum pass pass, struct out *out, struct tw_err *err)
{
    const bool label = column == t->label;
    double v = 0.0;
    const bool number = tw_strn_to_real(s, n, &v);
    bool found;

    if (!number && (!label || n == 0))
        return tw_err_set(err, TW_EFORMAT, "line %zu, column '%.60s': '%.*s' is no number", t->line,
                          t->name[column], (int)(n < 40 ? n : 40), s);
    t->words = t->words || !number;
    if (pass == COLLECT && label)
        return add_class(t, s, n, err);
    if (pass == FILL && label)
        out->y[t->nrow] = t->words ? (double)place_of(t, s, n, &found) : v;
    else if (pass == FILL)
        *out->x++ = (float)v;
    return TW_OK;
}

static enum tw_status each_row(struct table *t, const char *first, enum pass pass, struct out *out,
                               struct tw_err *err)
{
    enum tw_status rc = TW_OK;

    t->p = first;
    t->line = 1;
    for (t->nrow = 0; t->p < t->end;) {
        bool last = false;

        if (blank(t))
            continue;
        t->line++;
        for (size_t i = 0; i < t->ncol && rc == TW_OK; i++) {
            size_t n = 0;
            const char *s = last ? NULL : cell(t, &n, &last);

            rc = s ? take_cell(t, i, s, n, pass, out, err)
                   : tw_err_set(err, TW_EFORMAT, "line %zu: %zu cells where there are %zu names",
                                t->line, i, t->ncol);
        }
        if (rc == TW_OK && !last)
            rc = tw_err_set(err, TW_EFORMAT, "line %zu: more cells than the %zu names of line 1",
                            t->line, t->ncol);
        if (rc != TW_OK)
            return rc;
        t->nrow++;
    }
    return TW_OK;
}

/* Whole numbers are classes. */
static enum tw_status make_targets(const double *v, size_t n, struct tw_array *y,
                                   struct tw_err *err)
{
    bool whole = true;
    enum tw_status rc;

    for (size_t i = 0; i < n && whole; i++)
        whole = v[i] == floor(v[i]) && fabs(v[i]) < 1e15;
    rc = tw_array_make(y, whole ? TW_I64 : TW_F32, 1, &n, err);
    for (size_t i = 0; i < n && rc == TW_OK; i++)
        if (whole)
            tw_array_set_int(y, i, (int64_t)v[i]);
        else
            tw_array_set_real(y, i, v[i]);
    return rc;
}

static enum tw_status fill(struct table *t, const char *first, struct data_parts *p,
                           struct tw_err *err)
{
    const size_t dims[2] = { t->nrow, t->ncol - (t->label != SIZE_MAX) };
    double *y = tw_alloc(t->nrow, sizeof *y);
    enum tw_status rc = y ? tw_array_make(&p->x, TW_F32, 2, dims, err)
                          : tw_err_set(err, TW_ENOMEM, "out of memory");

    if (rc == TW_OK)
        rc = each_row(t, first, FILL, &(struct out){ p->x.data, y }, err);
    if (rc == TW_OK && t->label != SIZE_MAX)
        rc = make_targets(y, t->nrow, &p->y, err);
    free(y);
    return rc;
}

enum tw_status data_read_csv(const char *path, const struct data_table *o, struct data_parts *p,
                             struct tw_str *remarks, struct tw_err *err)
{
    struct table t = { 0 };
    struct tw_bytes b = { 0 };
    const char *first = NULL;
    enum tw_status rc = tw_file_bytes(path, &b, err);

    if (rc == TW_OK && b.n >= 3 && !memcmp(b.p, "\xEF\xBB\xBF", 3))
        memset(b.p, ' ', 3); /* a byte-order mark */
    t.p = (const char *)b.p;
    t.end = t.p ? t.p + b.n : NULL;
    if (rc == TW_OK)
        rc = read_names(&t, err);
    first = t.p;
    if (rc == TW_OK)
        rc = choose_label(&t, o, err);
    if (rc == TW_OK)
        rc = each_row(&t, first, COUNT, NULL, err);
    if (rc == TW_OK && t.words)
        rc = each_row(&t, first, COLLECT, NULL, err);
    if (rc == TW_OK && (t.nrow == 0 || (!o->labels && t.ncol == (t.label != SIZE_MAX))))
        rc = tw_err_set(err, TW_EFORMAT, "a table without rows, or without columns of numbers");
    if (rc == TW_OK)
        rc = fill(&t, first, p, err);
    if (rc == TW_OK && t.words && remarks) {
        tw_str_addf(remarks, "the classes of column '%.60s' are", t.name[t.label]);
        for (size_t i = 0; i < t.nclass && i < 10; i++)
            tw_str_addf(remarks, "%s %zu %.30s", i ? "," : "", i, t.class[i]);
        tw_str_add(remarks, t.nclass > 10 ? " ...\n" : ".\n");
    }
    release(&t);
    free(b.p);
    return rc;
}
