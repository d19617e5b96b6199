/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tablerows.h"

#include <math.h>
#include <string.h>

const char *tw_rows_assigned(const struct tw_opt_list *list, const char *name)
{
    const size_t n = strlen(name);

    for (size_t i = list->n; i-- > 0;)
        if (!strncmp(list->v[i], name, n) && list->v[i][n] == '=')
            return list->v[i] + n + 1;
    return NULL;
}

size_t tw_rows_column(const struct tw_text_table *t, const char *name, const char *others)
{
    size_t col = tw_text_table_column(t, name);

    while (col == t->ncol && *others) {
        const size_t n = strcspn(others, " ");

        for (size_t j = 0; j < t->ncol; j++)
            if (strlen(t->names[j]) == n && !strncmp(t->names[j], others, n))
                return j;
        others += n;
        others += *others == ' ';
    }
    return col;
}

static void list_columns(const struct tw_text_table *t, struct tw_str *out)
{
    for (size_t j = 0; j < t->ncol; j++)
        tw_str_addf(out, "%s%s", j ? ", " : "", t->names[j]);
}

enum tw_status tw_rows_no_column(const struct tw_text_table *t, const char *path, const char *what,
                                 const char *option, struct tw_err *err)
{
    struct tw_str list = { 0 };

    list_columns(t, &list);
    (void)tw_err_set(err, TW_EFORMAT, "%s: no column for %s; name it with %s; there are: %.300s",
                     path, what, option, list.s ? list.s : "");
    tw_str_release(&list);
    return TW_EFORMAT;
}

bool tw_rows_wanted(const struct tw_text_table *t, size_t row, const struct tw_opt_list *where)
{
    for (size_t i = 0; i < where->n; i++) {
        const size_t n = strcspn(where->v[i], "=");

        for (size_t j = 0; j < t->ncol; j++)
            if (strlen(t->names[j]) == n && !strncmp(t->names[j], where->v[i], n) &&
                strcmp(t->cells[row * t->ncol + j], where->v[i] + n + 1) != 0)
                return false;
    }
    return true;
}

enum tw_status tw_rows_check_where(const struct tw_text_table *t, const char *path,
                                   const struct tw_opt_list *where, struct tw_err *err)
{
    for (size_t i = 0; i < where->n; i++) {
        const size_t n = strcspn(where->v[i], "=");
        bool found = false;

        for (size_t j = 0; j < t->ncol; j++)
            found = found || (strlen(t->names[j]) == n && !strncmp(t->names[j], where->v[i], n));
        if (!found || where->v[i][n] != '=')
            return tw_err_set(err, TW_EINVAL, "--where=%s: expected COLUMN=VALUE, a column of %s",
                              where->v[i], path);
    }
    return TW_OK;
}

bool tw_rows_number(const struct tw_text_table *t, size_t row, size_t col, double *x)
{
    static const char *const missing[] = { "", "NA", "N/A", "None", "null", "-" };
    const char *s = t->cells[row * t->ncol + col];

    for (size_t i = 0; i < sizeof missing / sizeof missing[0]; i++)
        if (!strcmp(s, missing[i])) {
            *x = NAN;
            return true;
        }
    return tw_str_to_real(s, x);
}
