/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Columns separated by commas, semicolons, tabs or blanks; quotes as in RFC 4180, so that a
 * cell may hold separators and line ends. '#' begins a comment line. */
#include <stdlib.h>
#include <string.h>

#include "log_names.h"
#include "log_reader.h"
#include "log_wandb.h"

struct cell {
    const char *s;
    size_t n;
};

struct cursor {
    const char *p, *end;
    char sep; /* ' ': any number of blanks and tabs */
};

/* ---- cells ------------------------------------------------------------------------------- */

static bool blank(char c)
{
    return c == ' ' || c == '\t';
}

/* The inside of a quoted cell, doubled quotes left as they are. */
static struct cell quoted_cell(struct cursor *c)
{
    struct cell cell = { c->p + 1, 0 };
    const char *p = c->p + 1;

    while ((p = memchr(p, '"', (size_t)(c->end - p)))) {
        if (p + 1 == c->end || p[1] != '"')
            break;
        p += 2;
    }
    if (!p)
        p = c->end;
    cell.n = (size_t)(p - cell.s);
    c->p = p < c->end ? p + 1 : p;
    while (c->p < c->end && *c->p != c->sep && *c->p != '\n')
        c->p++;
    return cell;
}

/* One cell of the record at c->p; false when that was its last: c->p is past the line's end. */
static bool next_cell(struct cursor *c, struct cell *cell)
{
    const char *p, *last;

    while (c->p < c->end && blank(*c->p) && *c->p != c->sep)
        c->p++;
    while (c->sep == ' ' && c->p < c->end && blank(*c->p))
        c->p++;
    if (c->p < c->end && *c->p == '"') {
        *cell = quoted_cell(c);
        p = c->p;
    } else {
        p = c->p;
        if (c->sep == ' ')
            while (p < c->end && !blank(*p) && *p != '\n')
                p++;
        else
            while (p < c->end && *p != c->sep && *p != '\n')
                p++;
        last = p;
        while (last > c->p && (blank(last[-1]) || last[-1] == '\r'))
            last--;
        *cell = (struct cell){ c->p, (size_t)(last - c->p) };
    }
    while (c->sep == ' ' && p < c->end && (blank(*p) || *p == '\r'))
        p++;
    if (c->sep == ' ') {
        c->p = p < c->end && *p == '\n' ? p + 1 : p;
        return p < c->end && *p != '\n';
    }
    c->p = p < c->end ? p + 1 : p;
    return p < c->end && *p == c->sep;
}

/* A number, in files with semicolons also one with a decimal comma. */
static bool number(const struct cursor *c, const struct cell *cell, double *x)
{
    char buf[64];
    const char *comma;

    if (tw_strn_to_real(cell->s, cell->n, x))
        return true;
    if (c->sep != ';' || cell->n >= sizeof buf || !(comma = memchr(cell->s, ',', cell->n)))
        return false;
    memcpy(buf, cell->s, cell->n);
    buf[comma - cell->s] = '.';
    return tw_strn_to_real(buf, cell->n, x);
}

/* To the next line that is neither blank nor a comment; the last comment's text goes to
 * *comment, unless it is NULL: NumPy writes its header that way. */
static void skip_to_record(struct cursor *c, struct cell *comment)
{
    while (c->p < c->end) {
        const char *nl = memchr(c->p, '\n', (size_t)(c->end - c->p));
        const char *end = nl ? nl : c->end, *p = c->p;

        while (p < end && (*p == ' ' || *p == '\r'))
            p++;
        if (p < end && *p != '#' && !(end - p >= 5 && end - p <= 6 && !memcmp(p, "sep=", 4)))
            return;
        if (comment && p < end && *p == '#')
            *comment = (struct cell){ p + 1, (size_t)(end - p - 1) };
        c->p = nl ? nl + 1 : c->end;
    }
}

/* ---- telling the separator ------------------------------------------------------------------ */

struct shape {
    size_t n, numbers, texts;
};

static struct shape measure(struct cursor *c)
{
    struct shape s = { 0 };
    struct cell cell;
    bool more;
    double x;

    do {
        more = next_cell(c, &cell);
        s.n++;
        if (number(c, &cell, &x))
            s.numbers++;
        else if (!log_missing(cell.s, cell.n))
            s.texts++;
    } while (more && s.n < LOG_MAX_SERIES);
    return s;
}

/* The separator, or '\0' if this is no table; c is left at the first record. */
static char tell_separator(const struct log_text *text, struct cursor *c, struct cell *comment)
{
    static const char seps[] = { '\t', ';', ',', ' ' };

    for (size_t i = 0; i < sizeof seps; i++) {
        struct cursor at = { text->s, text->s + text->n, seps[i] };
        struct shape first, second = { 0 };
        bool rows, one_column, columns;

        *comment = (struct cell){ "", 0 };
        skip_to_record(&at, comment);
        if (at.p == at.end)
            return '\0';
        *c = at;
        first = measure(&at);
        skip_to_record(&at, NULL);
        rows = at.p < at.end;
        if (rows)
            second = measure(&at);
        /* Rows may stop short of trailing blank cells; prose with commas has no numbers. */
        columns = first.n > 1 && (rows ? second.n > 1 && second.n <= first.n && second.numbers > 0
                                       : seps[i] != ' ' || first.texts == 0);
        if (seps[i] == ' ')
            columns = columns && second.n == first.n && second.texts == 0;
        one_column = seps[i] == ' ' && first.n == 1 && second.n == 1 && second.numbers == 1;
        if (columns || one_column)
            return seps[i];
    }
    return '\0';
}

static bool sniff(const struct log_text *text)
{
    struct cursor c;
    struct cell comment;

    return tell_separator(text, &c, &comment) != '\0';
}

/* ---- columns --------------------------------------------------------------------------------- */

struct column {
    char *name;
    bool skip;       /* an interval's extreme, or the run's name */
    size_t bad;      /* cells that are neither number nor missing */
    const char *at;  /* the first of them */
    size_t bad_size; /* its length */
};

struct csv {
    struct cursor c;
    const struct log_text *text;
    struct column *col;
    struct cell *cell;
    size_t ncol, cap, irun; /* irun == ncol: no column names the run */
    size_t ragged;          /* rows with more cells than columns */
    const char *ragged_at;
};

static void csv_release(struct csv *f)
{
    for (size_t j = 0; j < f->ncol; j++)
        free(f->col[j].name);
    free(f->col);
    free(f->cell);
}

static char *unquoted(const struct cell *cell)
{
    char *s = tw_strndup(cell->s, cell->n), *to = s;

    for (const char *p = s; s && *p; p++) {
        *to++ = *p;
        if (p[0] == '"' && p[1] == '"')
            p++;
    }
    if (s)
        *to = '\0';
    return s;
}

static enum tw_status add_column(struct csv *f, const struct cell *cell, bool named,
                                 struct tw_err *err)
{
    struct tw_str made = { 0 };
    char *name = named && cell->n ? unquoted(cell) : NULL;
    bool again = false;

    if (f->ncol >= LOG_MAX_SERIES) {
        free(name);
        return tw_err_set(err, TW_EFORMAT, "more than %d columns", LOG_MAX_SERIES);
    }
    for (size_t j = 0; j < f->ncol && name && !again; j++)
        again = !strcmp(f->col[j].name, name);
    if (!name || again) {
        /* Without a name, or with another's: the place tells it. */
        if (name)
            tw_str_addf(&made, "%s (column %zu)", name, f->ncol + 1);
        else if (!named || cell->n == 0)
            tw_str_addf(&made, "column %zu", f->ncol + 1);
        free(name);
        name = made.failed ? NULL : made.s;
    }
    if (!name || !tw_grow(&f->col, f->ncol, &f->cap, sizeof *f->col)) {
        free(name);
        return log_out_of_memory(err);
    }
    f->col[f->ncol++] = (struct column){ .name = name };
    return TW_OK;
}

static enum tw_status read_header(struct csv *f, struct log_table *t, const struct cell *comment,
                                  struct tw_err *err)
{
    struct cursor c = f->c, note = { comment->s, comment->s + comment->n, f->c.sep };
    struct shape first = measure(&c), noted = { 0 };
    bool header = first.texts > 0, more;
    struct cell cell;

    if (!header && comment->n) {
        noted = measure(&note);
        note.p = comment->s;
    }
    /* "# step loss" above rows of as many numbers is their header. */
    if (noted.n == first.n && noted.texts == noted.n)
        c = note;
    else
        c = f->c;
    do {
        enum tw_status rc;

        more = next_cell(&c, &cell);
        rc = add_column(f, &cell, header || noted.texts == first.n, err);
        if (rc != TW_OK)
            return rc;
    } while (more);
    if (header)
        f->c = c;
    t->x_first = !header && !noted.texts && f->ncol > 1;
    return TW_OK;
}

/* Mark the columns with a meaning of their own; the names go to the log's first run. */
static enum tw_status set_columns(struct csv *f, struct log_table *t, struct tw_err *err)
{
    char **names = tw_alloc(f->ncol, sizeof *names);

    f->cell = tw_alloc(f->ncol, sizeof *f->cell);
    if (!names || !f->cell) {
        free(names);
        return log_out_of_memory(err);
    }
    f->irun = f->ncol;
    for (size_t j = 0; j < f->ncol; j++) {
        names[j] = f->col[j].name;
        if (f->irun == f->ncol && log_name_is_run(names[j], strlen(names[j])))
            f->irun = j;
    }
    if (log_wandb_header(names, f->ncol)) {
        t->log->format = "wandb-csv";
        t->split_names = t->x_first = true;
        f->irun = f->ncol;
        for (size_t j = 1; j < f->ncol; j++)
            f->col[j].skip = log_wandb_extreme(names[j]);
    }
    if (f->irun < f->ncol)
        f->col[f->irun].skip = true;
    free(names);
    return TW_OK;
}

static enum tw_status add_series(const struct csv *f, struct log_table *t, struct tw_err *err)
{
    enum tw_status rc = TW_OK;

    for (size_t j = 0; j < f->ncol && rc == TW_OK; j++)
        rc = log_table_add(t, f->col[j].name, strlen(f->col[j].name), err);
    return rc;
}

/* ---- rows ------------------------------------------------------------------------------------ */

/* A blank run name belongs to the run before, as in tables that name it once. */
static enum tw_status select_run(const struct csv *f, struct log_table *t, struct tw_err *err)
{
    const struct cell *name = &f->cell[f->irun];
    size_t nruns = t->log->nruns;
    enum tw_status rc;

    if (name->n == 0)
        return TW_OK;
    rc = log_table_run(t, name->s, name->n, err);
    if (rc == TW_OK && t->log->nruns > nruns)
        rc = add_series(f, t, err);
    return rc;
}

static enum tw_status read_row(struct csv *f, struct log_table *t, struct tw_err *err)
{
    const char *start = f->c.p;
    enum tw_status rc = TW_OK;
    struct cell extra = { 0 };
    size_t n = 0;
    bool more;

    do {
        more = next_cell(&f->c, n < f->ncol ? &f->cell[n] : &extra);
        if (n >= f->ncol && extra.n && f->ragged++ == 0)
            f->ragged_at = start;
        n += n < f->ncol;
    } while (more);
    log_table_row(t);
    if (f->irun < n)
        rc = select_run(f, t, err);
    for (size_t j = 0; j < n && rc == TW_OK; j++) {
        const struct cell *cell = &f->cell[j];
        struct column *col = &f->col[j];
        double y;

        if (col->skip || cell->n == 0)
            continue;
        if (number(&f->c, cell, &y)) {
            rc = log_table_put_at(t, j, y, err);
        } else if (!log_missing(cell->s, cell->n) && col->bad++ == 0) {
            col->at = cell->s;
            col->bad_size = cell->n;
        }
    }
    return rc;
}

static void report(const struct csv *f, struct log_table *t)
{
    char quoted[LOG_QUOTE];

    if (f->ragged)
        log_table_note(t, "line %zu: more cells than the %zu columns; such cells were left out",
                       log_line_number(f->text, (size_t)(f->ragged_at - f->text->s)), f->ncol);
    for (size_t j = 0; j < f->ncol; j++) {
        const struct column *col = &f->col[j];
        struct log_text cell = { col->at, col->bad_size };
        size_t n = 0;

        for (size_t r = 0; r < t->log->nruns; r++)
            n += t->log->runs[r].nseries > j ? t->log->runs[r].series[j].n : 0;
        if (col->bad && n)
            log_table_note(t,
                           "line %zu: '%s' in column '%s' is not a number; %zu such cell%s "
                           "left out",
                           log_line_number(f->text, (size_t)(col->at - f->text->s)),
                           log_quote(&cell, quoted), col->name, col->bad, tw_plural(col->bad));
    }
}

static enum tw_status read_csv(struct log_table *t, const struct log_text *text, struct tw_err *err)
{
    struct csv f = { .text = text };
    struct cell comment = { "", 0 };
    enum tw_status rc;

    f.c.sep = tell_separator(text, &f.c, &comment);
    rc = read_header(&f, t, &comment, err);
    if (rc == TW_OK)
        rc = set_columns(&f, t, err);
    if (rc == TW_OK)
        rc = add_series(&f, t, err);
    for (skip_to_record(&f.c, NULL); rc == TW_OK && f.c.p < f.c.end; skip_to_record(&f.c, NULL))
        rc = read_row(&f, t, err);
    if (rc == TW_OK && !(t->row > 0.0))
        rc = tw_err_set(err, TW_EFORMAT, "line 1 is a header of %zu column%s and no row follows it",
                        f.ncol, tw_plural(f.ncol));
    if (rc == TW_OK)
        report(&f, t);
    csv_release(&f);
    return rc;
}

const struct log_reader log_reader_csv = { sniff, read_csv };
