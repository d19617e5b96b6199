/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "thalweg/store_table.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "file.h"

enum { MAX_BYTES = 16 << 20, MAX_COLUMNS = 1024 };

struct reader {
    const char *p, *end, *name;
    char sep;
    size_t line;
    char **cell; /* all cells in order, owned */
    size_t n, cap;
};

static bool add_cell(struct reader *r, const struct tw_str *text)
{
    const char *s = text->s ? text->s : "";
    size_t n = text->n;

    while (n && (s[n - 1] == ' ' || s[n - 1] == '\r'))
        n--;
    while (n && *s == ' ') {
        s++;
        n--;
    }
    if (text->failed || !tw_grow(&r->cell, r->n, &r->cap, sizeof *r->cell))
        return false;
    r->cell[r->n] = tw_strndup(s, n);
    return r->cell[r->n++] != NULL;
}

/* One cell into text; quotes taken off. False if a quote is not closed. */
static bool take_cell(struct reader *r, struct tw_str *text)
{
    bool open = false;

    tw_str_clear(text);
    while (r->p < r->end && *r->p == ' ')
        r->p++;
    if (r->p < r->end && *r->p == '"') {
        open = true;
        for (r->p++; open && r->p < r->end; r->p++) {
            if (*r->p == '"' && (r->p + 1 == r->end || r->p[1] != '"')) {
                open = false;
                continue;
            }
            r->p += *r->p == '"';
            r->line += *r->p == '\n';
            tw_str_addn(text, r->p, 1);
        }
    }
    while (r->p < r->end && *r->p != r->sep && *r->p != '\n')
        tw_str_addn(text, r->p++, 1);
    return !open;
}

/* The cells of the next record, *count of them: TW_ENOMEM, or TW_EFORMAT for a quote that is
 * not closed or more than MAX_COLUMNS cells. */
static enum tw_status take_record(struct reader *r, size_t *count, struct tw_err *err)
{
    const size_t line = r->line;
    struct tw_str text = { 0 };
    enum tw_status rc = TW_OK;
    bool more = true;

    for (*count = 0; rc == TW_OK && more; (*count)++) {
        if (!take_cell(r, &text))
            rc = tw_err_set(err, TW_EFORMAT, "%s: line %zu: a quote (\") is not closed", r->name,
                            line);
        else if (*count == MAX_COLUMNS)
            rc = tw_err_set(err, TW_EFORMAT, "%s: line %zu has more than %d cells", r->name, line,
                            MAX_COLUMNS);
        else if (!add_cell(r, &text))
            rc = tw_err_set(err, TW_ENOMEM, "%s: out of memory", r->name);
        more = r->p < r->end && *r->p == r->sep;
        r->p += r->p < r->end;
    }
    r->line++;
    tw_str_release(&text);
    return rc;
}

static bool skip_to_record(struct reader *r)
{
    while (r->p < r->end) {
        const char *q = r->p;

        while (q < r->end && (*q == ' ' || *q == '\r'))
            q++;
        if (q < r->end && *q != '#' && *q != '\n')
            return true;
        while (q < r->end && *q != '\n')
            q++;
        r->line++;
        r->p = q < r->end ? q + 1 : q;
    }
    return false;
}

static enum tw_status add_row(struct reader *r, struct tw_text_table *t, size_t *cap,
                              struct tw_err *err)
{
    const size_t line = r->line;
    struct tw_str none = { 0 };
    enum tw_status rc;
    size_t n;

    if (!tw_grow(&t->line, t->nrow, cap, sizeof *t->line))
        return tw_err_set(err, TW_ENOMEM, "%s: out of memory", r->name);
    rc = take_record(r, &n, err);
    if (rc != TW_OK)
        return rc;
    if (n > t->ncol)
        return tw_err_set(err, TW_EFORMAT,
                          "%s: line %zu has %zu cell%s, the header %zu: a cell that holds '%c' "
                          "needs quotes (\")",
                          r->name, line, n, tw_plural(n), t->ncol, r->sep);
    for (; n < t->ncol; n++)
        if (!add_cell(r, &none))
            return tw_err_set(err, TW_ENOMEM, "%s: out of memory", r->name);
    t->line[t->nrow++] = line;
    return TW_OK;
}

enum tw_status tw_text_table_parse(const char *text, size_t n, const char *name,
                                   struct tw_text_table *t, struct tw_err *err)
{
    struct reader r = { .p = text, .end = text + n, .name = name, .line = 1 };
    size_t cap = 0;
    enum tw_status rc = TW_OK;

    if (n >= 3 && !memcmp(text, "\xEF\xBB\xBF", 3))
        r.p += 3;
    if (!skip_to_record(&r))
        return tw_err_set(err, TW_EFORMAT, "%s: expected a header line with column names, found %s",
                          name, n ? "only comments" : "an empty file");
    r.sep = text_separator(r.p, r.end);
    rc = take_record(&r, &t->ncol, err);
    t->names = r.cell;
    if (rc != TW_OK)
        t->ncol = r.n;
    r.cell = NULL;
    r.n = r.cap = 0;
    while (rc == TW_OK && skip_to_record(&r))
        rc = add_row(&r, t, &cap, err);
    t->cells = r.cell;
    if (rc != TW_OK) { /* a last row may be incomplete */
        for (size_t i = t->nrow * t->ncol; i < r.n; i++)
            free(r.cell[i]);
    }
    return rc;
}

enum tw_status tw_text_table_read(const char *path, struct tw_text_table *t, struct tw_err *err)
{
    FILE *fp = fopen(path, "rb");
    enum tw_status rc;
    struct stat st;
    char *buf;
    size_t n;

    if (!fp)
        return tw_err_set(err, TW_EIO, "%s: %s", path, strerror(errno));
    if (fstat(fileno(fp), &st) == 0 && S_ISDIR(st.st_mode)) {
        (void)fclose(fp);
        return tw_err_set(err, TW_EIO, "%s: is a folder", path);
    }
    buf = tw_alloc(MAX_BYTES, 1);
    n = buf ? fread(buf, 1, MAX_BYTES, fp) : 0;
    if (!buf)
        rc = tw_err_set(err, TW_ENOMEM, "%s: out of memory", path);
    else if (ferror(fp))
        rc = tw_err_set(err, TW_EIO, "%s: %s", path, strerror(errno));
    else if (n == MAX_BYTES)
        rc = tw_err_set(err, TW_EFORMAT, "%s: larger than 16 MiB: not a table of schedules", path);
    else
        rc = tw_text_table_parse(buf, n, path, t, err);
    free(buf);
    (void)fclose(fp);
    return rc;
}

void tw_text_table_release(struct tw_text_table *t)
{
    for (size_t i = 0; t->names && i < t->ncol; i++)
        free(t->names[i]);
    for (size_t i = 0; t->cells && i < t->nrow * t->ncol; i++)
        free(t->cells[i]);
    free(t->names);
    free(t->cells);
    free(t->line);
    *t = (struct tw_text_table){ 0 };
}

size_t tw_text_table_column(const struct tw_text_table *t, const char *name)
{
    for (size_t i = 0; i < t->ncol; i++)
        if (!strcmp(t->names[i], name))
            return i;
    return t->ncol;
}
