/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What training programs print. A rule takes one line; lines that it does not know pass by,
 * counted. A new program is one rule, one log_reader below and one row in log_read.c. */
#include <string.h>

#include "log_reader.h"

/* How far into a file a rule looks for a line it knows: what precedes the first step is
 * compiler warnings and configuration, not megabytes. */
enum { SNIFF_BYTES = 1 << 22, MAX_KEY = 64 };

/* A rule's place in its file. Without a table a rule only says whether it knows the line. */
struct rule_state {
    struct log_table *t;
    struct tw_err *err;
    enum tw_status rc;
    double step; /* of the last line that had one */
    bool in_block;
};

/* True if the line is of the rule's format. */
typedef bool rule_fn(struct rule_state *r, const char *s, const char *end);

/* ---- what rules share -------------------------------------------------------------------------
 */

static const char *skip_blanks(const char *s, const char *end)
{
    while (s < end && (*s == ' ' || *s == '\t'))
        s++;
    return s;
}

static bool accept(const char **s, const char *end, const char *word)
{
    size_t n = strlen(word);

    if ((size_t)(end - *s) < n || memcmp(*s, word, n) != 0)
        return false;
    *s += n;
    return true;
}

/* Digits, after blanks; s moves past them. */
static bool accept_step(const char **s, const char *end, double *step)
{
    const char *p = skip_blanks(*s, end), *q = p;

    while (q < end && *q >= '0' && *q <= '9')
        q++;
    if (q == p || !tw_strn_to_real(p, (size_t)(q - p), step))
        return false;
    *s = q;
    return true;
}

static void begin_row(struct rule_state *r, const char *axis, double step)
{
    r->step = step;
    if (!r->t)
        return;
    log_table_row(r->t);
    r->rc = log_table_put(r->t, axis, strlen(axis), step, r->err);
}

static void put(struct rule_state *r, const char *key, size_t n, double y)
{
    if (r->t && r->rc == TW_OK && n > 0 && n <= MAX_KEY)
        r->rc = log_table_put(r->t, key, n, y, r->err);
}

/* ---- nanoGPT ----------------------------------------------------------------------------------
 */

/* "loss 3.1234" or "time 12.34ms": the number is the last word. */
static void put_words(struct rule_state *r, const char *s, const char *end)
{
    const char *last = end;
    double y;

    s = skip_blanks(s, end);
    while (last > s && last[-1] != ' ')
        last--;
    if (last > s && log_number(last, end, false, &y) > last)
        put(r, s, (size_t)(last - 1 - s), y);
}

/* "iter 10: loss 3.1234, time 12.34ms, mfu 1.23%"
 * "step 250: train loss 2.1, val loss 2.3" */
static bool nanogpt(struct rule_state *r, const char *s, const char *end)
{
    bool iter = accept(&s, end, "iter ");
    double step;

    if ((!iter && !accept(&s, end, "step ")) || !accept_step(&s, end, &step) ||
        !accept(&s, end, ": ") || !log_find(s, end, "loss "))
        return false;
    begin_row(r, "step", step);
    while (s < end) {
        const char *comma = memchr(s, ',', (size_t)(end - s));

        put_words(r, s, comma ? comma : end);
        s = comma ? comma + 1 : end;
    }
    return true;
}

/* ---- llm.c ------------------------------------------------------------------------------------
 */

/* "s:12 trl:3.1234 lr:0.000600 norm:0.52", also "step:12/100 val_loss:3.1 train_time:5ms" */
static bool llmc(struct rule_state *r, const char *s, const char *end)
{
    double step, y;

    if ((!accept(&s, end, "s:") && !accept(&s, end, "step:")) || !accept_step(&s, end, &step))
        return false;
    while (s < end && *s != ' ')
        s++;
    if (!memchr(s, ':', (size_t)(end - s)))
        return false;
    begin_row(r, "step", step);
    while (s < end) {
        const char *key = skip_blanks(s, end), *colon;

        for (s = key; s < end && *s != ' ';)
            s++;
        colon = memchr(key, ':', (size_t)(s - key));
        if (colon && log_number(colon + 1, s, false, &y) > colon + 1)
            put(r, key, (size_t)(colon - key), y);
    }
    return true;
}

/* ---- Megatron-LM ------------------------------------------------------------------------------
 */

/* " key: value |": blanks around the key are not part of it; a validation line's keys get
 * "validation " before them. */
static void put_field(struct rule_state *r, const char *s, const char *end, const char *prefix)
{
    const char *colon = memchr(s, ':', (size_t)(end - s)), *value;
    char key[MAX_KEY];
    size_t n = strlen(prefix), m;
    double y;

    if (!colon)
        return;
    s = skip_blanks(s, colon);
    m = (size_t)(colon - s);
    value = skip_blanks(colon + 1, end);
    if (n + m > sizeof key || log_number(value, end, false, &y) == value)
        return;
    memcpy(key, prefix, n);
    memcpy(key + n, s, m);
    put(r, key, n + m, y);
}

/* " [date] iteration  10/ 500 | consumed samples: 10 | lm loss: 1.1E+01 | ..."
 * " validation loss at iteration 10 | lm loss value: 3.2E+00 | lm loss PPL: 2.5E+01 |" */
static bool megatron(struct rule_state *r, const char *s, const char *end)
{
    const char *bar = memchr(s, '|', (size_t)(end - s)), *at;
    const char *prefix = "";
    double step;

    if (!bar)
        return false;
    at = log_find(s, bar, "validation loss at ");
    if (at) {
        prefix = "validation ";
        at = log_find(at, bar, "iteration");
        if (!at)
            step = r->step; /* "at the end of training" */
        else if (at += strlen("iteration"), !accept_step(&at, bar, &step))
            return false;
    } else {
        at = log_find(s, bar, "iteration ");
        if (!at)
            return false;
        at += strlen("iteration");
        if (!accept_step(&at, bar, &step) || (at = skip_blanks(at, bar), !accept(&at, bar, "/")))
            return false;
    }
    begin_row(r, "iteration", step);
    for (s = bar + 1; s < end; s = bar + 1) {
        bar = memchr(s, '|', (size_t)(end - s));
        bar = bar ? bar : end;
        put_field(r, s, bar, prefix);
    }
    return true;
}

/* ---- OLMo -------------------------------------------------------------------------------------
 */

/* "2024-02-01 12:00:00 INFO [step=10/739328,epoch=0]", then indented "key=value" lines with
 * values over a thousand as "12,345". */
static bool olmo(struct rule_state *r, const char *s, const char *end)
{
    const char *at = log_find(s, end, "[step="), *equals, *value;
    double step, y;

    if (at) {
        at += strlen("[step=");
        if (!accept_step(&at, end, &step) || at == end || (*at != '/' && *at != ',' && *at != ']'))
            return false;
        begin_row(r, "step", step);
        r->in_block = true;
        return true;
    }
    at = skip_blanks(s, end);
    if (!r->in_block || at == s)
        return false;
    equals = memchr(at, '=', (size_t)(end - at));
    value = equals ? equals + 1 : end;
    if (!equals || log_number(value, end, true, &y) == value)
        return false;
    put(r, at, (size_t)(equals - at), y);
    return true;
}

/* ---- the loop over lines ----------------------------------------------------------------------
 */

static bool sniff(rule_fn *rule, const struct log_text *text)
{
    struct log_text head = { text->s, text->n < SNIFF_BYTES ? text->n : SNIFF_BYTES }, line;
    struct rule_state r = { 0 };
    size_t at = 0;

    while (log_line_next(&head, &at, &line))
        if (rule(&r, line.s, line.s + line.n))
            return true;
    return false;
}

static enum tw_status read_lines(rule_fn *rule, struct log_table *t, const struct log_text *text,
                                 struct tw_err *err)
{
    struct rule_state r = { .t = t, .err = err };
    struct log_text line;
    size_t at = 0;

    while (log_line_next(text, &at, &line)) {
        if (!rule(&r, line.s, line.s + line.n) && line.n)
            t->log->lines_ignored++;
        if (r.rc != TW_OK)
            return tw_err_ctx(err, r.rc, "line %zu", log_line_number(text, at - 1));
    }
    return TW_OK;
}

#define TEXT_READER(rule)                                                                          \
    static bool rule##_sniff(const struct log_text *text)                                          \
    {                                                                                              \
        return sniff(rule, text);                                                                  \
    }                                                                                              \
    static enum tw_status rule##_read(struct log_table *t, const struct log_text *text,            \
                                      struct tw_err *err)                                          \
    {                                                                                              \
        return read_lines(rule, t, text, err);                                                     \
    }                                                                                              \
    const struct log_reader log_reader_##rule = { rule##_sniff, rule##_read }

TEXT_READER(nanogpt);
TEXT_READER(llmc);
TEXT_READER(megatron);
TEXT_READER(olmo);
