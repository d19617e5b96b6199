/* SPDX-License-Identifier: GPL-3.0-or-later */
/* JSON: one object a line, a list of objects, an object that holds such a list (Hugging
 * Face's trainer_state.json), or an object of lists (Keras' History). json-c also takes NaN
 * and Infinity, which Python writes, and single quotes, which Python prints. */
#include <json-c/json.h>
#include <math.h>
#include <string.h>

#include "log_names.h"
#include "log_reader.h"

static bool space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static size_t skip_space(const struct log_text *text, size_t at)
{
    while (at < text->n && space(text->s[at]))
        at++;
    return at;
}

/* '{' or '[' could begin OLMo's "[step=10]": what follows tells. */
static bool sniff(const struct log_text *text)
{
    size_t at = skip_space(text, 0), next = skip_space(text, at + 1);
    const char *s = text->s;

    if (at >= text->n || (s[at] != '{' && s[at] != '['))
        return false;
    if (next >= text->n)
        return true;
    return s[at] == '{' ? strchr("\"'}", s[next]) != NULL : strchr("{[]\"", s[next]) != NULL;
}

/* ---- one row --------------------------------------------------------------------------------- */

static bool to_real(struct json_object *v, double *y)
{
    switch (json_object_get_type(v)) {
    case json_type_double:
    case json_type_int:
        *y = json_object_get_double(v);
        return true;
    case json_type_string:
        return tw_strn_to_real(json_object_get_string(v), (size_t)json_object_get_string_len(v), y);
    case json_type_null:
    case json_type_boolean:
    case json_type_object:
    case json_type_array:
        break;
    }
    return false;
}

/* The numbers of an object, those of objects in it as "outer/inner". The parser's own limit
 * on depth bounds the recursion. */
static enum tw_status put_object(struct log_table *t, struct json_object *row, struct tw_str *path,
                                 struct tw_err *err)
{
    enum tw_status rc = TW_OK;

    json_object_object_foreach(row, key, v)
    {
        size_t n = path->n;
        double y;

        if (rc != TW_OK)
            break;
        if (json_object_is_type(v, json_type_object)) {
            tw_str_addf(path, "%s/", key);
            rc = path->failed ? log_out_of_memory(err) : put_object(t, v, path, err);
        } else if (to_real(v, &y)) {
            tw_str_add(path, key);
            rc = path->failed ? log_out_of_memory(err) : log_table_put(t, path->s, path->n, y, err);
        }
        if (path->s) {
            path->n = n;
            path->s[n] = '\0';
        }
    }
    return rc;
}

static enum tw_status put_row(struct log_table *t, struct json_object *row, struct tw_err *err)
{
    static const char *const run_keys[] = { "run", "run_id", "run_name" };
    struct tw_str path = { 0 };
    enum tw_status rc = TW_OK;

    if (!json_object_is_type(row, json_type_object))
        return TW_OK;
    log_table_row(t);
    for (size_t i = 0; i < sizeof run_keys / sizeof run_keys[0]; i++) {
        struct json_object *v;

        if (json_object_object_get_ex(row, run_keys[i], &v) &&
            json_object_is_type(v, json_type_string)) {
            rc = log_table_run(t, json_object_get_string(v), (size_t)json_object_get_string_len(v),
                               err);
            break;
        }
    }
    if (rc == TW_OK)
        rc = put_object(t, row, &path, err);
    tw_str_release(&path);
    return rc;
}

/* ---- one document ---------------------------------------------------------------------------- */

static enum tw_status put_rows(struct log_table *t, struct json_object *rows, struct tw_err *err)
{
    size_t n = json_object_array_length(rows);
    enum tw_status rc = TW_OK;

    for (size_t i = 0; i < n && rc == TW_OK; i++) {
        rc = put_row(t, json_object_array_get_idx(rows, i), err);
        if (rc != TW_OK)
            return tw_err_ctx(err, rc, "record %zu", i + 1);
    }
    return rc;
}

static bool holds(struct json_object *v, enum json_type of)
{
    struct json_object *first;

    if (!json_object_is_type(v, json_type_array) || json_object_array_length(v) == 0)
        return false;
    first = json_object_array_get_idx(v, 0);
    return json_object_is_type(first, of) ||
           (of == json_type_double && json_object_is_type(first, json_type_int));
}

/* {"loss": [..], "val_loss": [..]}: the i-th numbers are row i. */
static enum tw_status put_columns(struct log_table *t, struct json_object *doc, struct tw_err *err)
{
    json_object_object_foreach(doc, key, v)
    {
        size_t n = holds(v, json_type_double) ? json_object_array_length(v) : 0;

        t->row = 0.0;
        for (size_t i = 0; i < n; i++) {
            double y;
            enum tw_status rc;

            log_table_row(t);
            if (!to_real(json_object_array_get_idx(v, i), &y))
                continue;
            rc = log_table_put(t, key, strlen(key), y, err);
            if (rc != TW_OK)
                return rc;
        }
    }
    t->x_count = "epoch";
    return TW_OK;
}

static enum tw_status put_document(struct log_table *t, struct json_object *doc, struct tw_err *err)
{
    struct json_object *list = NULL, *history;
    bool columns = false;

    t->log->format = "json";
    if (json_object_is_type(doc, json_type_array))
        return put_rows(t, doc, err);
    if (!json_object_is_type(doc, json_type_object))
        return TW_OK;
    if (json_object_object_get_ex(doc, "log_history", &list) &&
        json_object_is_type(list, json_type_array)) {
        t->log->format = "trainer-state";
        return put_rows(t, list, err);
    }
    if (json_object_object_get_ex(doc, "history", &history) &&
        json_object_is_type(history, json_type_object))
        doc = history;
    list = NULL;
    json_object_object_foreach(doc, key, v)
    {
        (void)key;
        columns |= holds(v, json_type_double);
        if (holds(v, json_type_object) &&
            (!list || json_object_array_length(v) > json_object_array_length(list)))
            list = v;
    }
    if (list)
        return put_rows(t, list, err);
    return columns ? put_columns(t, doc, err) : put_row(t, doc, err);
}

/* ---- values one after another -----------------------------------------------------------------
 */

/* The value at *at, which moves past it. NULL and *why == json_tokener_success: a null;
 * json_tokener_continue: the text ends inside the value. */
static struct json_object *next_value(struct json_tokener *tok, const struct log_text *text,
                                      size_t *at, enum json_tokener_error *why)
{
    enum { PIECE = 1 << 26 }; /* the tokener takes an int */
    struct json_object *v = NULL;

    json_tokener_reset(tok);
    do {
        size_t n = text->n - *at < PIECE ? text->n - *at : PIECE;

        v = json_tokener_parse_ex(tok, text->s + *at, (int)n);
        *why = json_tokener_get_error(tok);
        *at += *why == json_tokener_continue ? n : json_tokener_get_parse_end(tok);
    } while (*why == json_tokener_continue && *at < text->n);
    return v;
}

static enum tw_status not_json(const struct log_text *text, size_t at, enum json_tokener_error why,
                               struct tw_err *err)
{
    if (why == json_tokener_continue)
        return tw_err_set(err, TW_EFORMAT,
                          "the JSON ends inside a value (after line %zu): the file was cut short",
                          log_line_number(text, text->n));
    return tw_err_set(err, TW_EFORMAT, "line %zu: not JSON: %s", log_line_number(text, at),
                      json_tokener_error_desc(why));
}

/* A line that is no JSON among lines that are (a warning printed between records) is counted
 * and passed over; a last one cut short by a crash, too. */
static enum tw_status read_values(struct log_table *t, struct json_tokener *tok,
                                  const struct log_text *text, struct tw_err *err)
{
    size_t at = skip_space(text, 0), values = 0, first_bad = 0;
    enum tw_status rc = TW_OK;

    for (; at < text->n && rc == TW_OK; at = skip_space(text, at)) {
        enum json_tokener_error why;
        struct json_object *v = next_value(tok, text, &at, &why);
        bool alone = values == 0 && skip_space(text, at) >= text->n;

        if (why != json_tokener_success) {
            const char *nl = at < text->n ? memchr(text->s + at, '\n', text->n - at) : NULL;

            if (values == 0)
                return not_json(text, at, why, err);
            if (t->log->lines_ignored++ == 0)
                first_bad = log_line_number(text, at);
            at = nl ? (size_t)(nl - text->s) + 1 : text->n;
            continue;
        }
        rc = alone ? put_document(t, v, err) : put_row(t, v, err);
        if (rc != TW_OK)
            (void)tw_err_ctx(err, rc, "line %zu", log_line_number(text, at));
        json_object_put(v);
        values++;
    }
    if (rc == TW_OK && first_bad)
        log_table_note(t, "line %zu: not JSON; %zu such line%s left out", first_bad,
                       t->log->lines_ignored, tw_plural(t->log->lines_ignored));
    return rc;
}

static enum tw_status read_json(struct log_table *t, const struct log_text *text,
                                struct tw_err *err)
{
    struct json_tokener *tok = json_tokener_new();
    enum tw_status rc;

    if (!tok)
        return log_out_of_memory(err);
    rc = read_values(t, tok, text, err);
    json_tokener_free(tok);
    return rc;
}

const struct log_reader log_reader_json = { sniff, read_json };
