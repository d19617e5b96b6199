/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What every command gets: messages, warnings, tables. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cmd.h"

static bool results_as_json;

void tw_cmd_begin(const struct tw_call *call)
{
    results_as_json = call->common.json;
}

/* ---- messages ------------------------------------------------------------------------- */

static double seconds_between(const struct timespec *a, const struct timespec *b)
{
    return (double)(b->tv_sec - a->tv_sec) + 1e-9 * (double)(b->tv_nsec - a->tv_nsec);
}

double tw_cmd_seconds(const struct tw_call *call)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return seconds_between(&call->started, &now);
}

/* On a terminal, what was printed before comes before. */
static void before_message(void)
{
    fflush(stdout);
    tw_progress_hide();
}

char *tw_cmd_clean(char *s)
{
    for (unsigned char *p = (unsigned char *)s; *p; p++)
        if (*p < 0x20 || *p == 0x7f)
            *p = *p == '\n' || *p == '\t' ? ' ' : '?';
        else if (p[0] == 0xC2 && p[1] >= 0x80 && p[1] < 0xA0)
            p[0] = p[1] = '?';
    return s;
}

static void say(const struct tw_call *call, const char *kind, const char *fmt, va_list ap)
    TW_PRINTF(3, 0);
static void say(const struct tw_call *call, const char *kind, const char *fmt, va_list ap)
{
    struct tw_str text = { 0 };

    tw_str_vaddf(&text, fmt, ap);
    before_message();
    fprintf(stderr, "thalweg %s: %s%s\n", call->cmd->name, kind,
            text.s ? tw_cmd_clean(text.s) : "out of memory");
    tw_str_release(&text);
}

int tw_cmd_fail(struct tw_call *call)
{
    before_message();
    fprintf(stderr, "thalweg %s: %s\n", call->cmd->name, tw_cmd_clean(call->err.msg));
    switch (call->err.code) {
    case TW_EDOMAIN:
    case TW_ENOCONV:
        return TW_EXIT_NUMERIC;
    case TW_EINVAL:
        return TW_EXIT_USAGE;
    case TW_ESTOP:
        return TW_EXIT_STOPPED;
    case TW_OK:
    case TW_ENOMEM:
    case TW_EIO:
    case TW_EFORMAT:
        break;
    }
    return TW_EXIT_FILE;
}

int tw_cmd_fail_late(struct tw_call *call)
{
    const int rc = tw_cmd_fail(call);

    if (call->nwarnings++)
        tw_str_add(&call->warnings, ",");
    tw_json_quote(&call->warnings, call->err.msg);
    call->err = (struct tw_err){ 0 };
    return rc;
}

int tw_cmd_usage(struct tw_call *call, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    say(call, "", fmt, ap);
    va_end(ap);
    fprintf(stderr, "usage: thalweg %s [options]%s%s   (see 'thalweg help %s')\n", call->cmd->name,
            *call->cmd->operands ? " " : "", call->cmd->operands, call->cmd->name);
    return TW_EXIT_USAGE;
}

void tw_cmd_warn(struct tw_call *call, const char *fmt, ...)
{
    struct tw_str text = { 0 };
    va_list ap;

    va_start(ap, fmt);
    tw_str_vaddf(&text, fmt, ap);
    va_end(ap);
    if (text.s && !text.failed) {
        if (call->nwarnings++)
            tw_str_add(&call->warnings, ",");
        tw_json_quote(&call->warnings, text.s);
        before_message();
        fprintf(stderr, "thalweg %s: warning: %s\n", call->cmd->name, tw_cmd_clean(text.s));
    }
    tw_str_release(&text);
}

void tw_cmd_note(struct tw_call *call, const char *fmt, ...)
{
    va_list ap;

    if (call->common.quiet)
        return;
    va_start(ap, fmt);
    say(call, "", fmt, ap);
    va_end(ap);
}

void tw_cmd_debug(struct tw_call *call, const char *fmt, ...)
{
    va_list ap;

    if (!call->common.verbose)
        return;
    va_start(ap, fmt);
    say(call, "", fmt, ap);
    va_end(ap);
}

/* ---- tables --------------------------------------------------------------------------- */

void tw_table_head(struct tw_table *t, const char *const *names, size_t ncol)
{
    t->ncol = ncol;
    for (size_t i = 0; i < ncol; i++)
        tw_table_text(t, names[i]);
}

void tw_table_text(struct tw_table *t, const char *s)
{
    size_t at = t->cells.n;

    tw_str_addn(&t->cells, s, strlen(s) + 1);
    if (!t->cells.failed)
        (void)tw_cmd_clean(t->cells.s + at);
    t->ncell++;
}

void tw_table_real(struct tw_table *t, const char *fmt, double x)
{
    char buf[64];

    if (isnan(x)) {
        tw_table_text(t, "-");
        return;
    }
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    (void)snprintf(buf, sizeof buf, fmt, x);
#pragma GCC diagnostic pop
    tw_table_text(t, buf);
}

void tw_table_size(struct tw_table *t, size_t n)
{
    char buf[32];

    (void)snprintf(buf, sizeof buf, "%zu", n);
    tw_table_text(t, buf);
}

static bool numeric(const char *s)
{
    double x;

    return !strcmp(s, "-") || tw_str_to_real(s, &x);
}

/* Columns on a terminal: a UTF-8 continuation byte takes none. */
static size_t shown_width(const char *s)
{
    size_t n = 0;

    for (; *s; s++)
        n += ((unsigned char)*s & 0xC0) != 0x80;
    return n;
}

void tw_table_print(struct tw_table *t)
{
    enum { MAXCOL = 32 };
    size_t width[MAXCOL] = { 0 };
    bool right[MAXCOL];
    const char *c;

    if (results_as_json || t->ncell == 0 || t->ncol == 0 || t->ncol > MAXCOL)
        goto out;
    if (t->cells.failed) {
        fputs("thalweg: out of memory: a table is not shown\n", stderr);
        goto out;
    }
    for (size_t j = 0; j < t->ncol; j++)
        right[j] = t->ncell > t->ncol;
    c = t->cells.s;
    for (size_t i = 0; i < t->ncell; i++, c += strlen(c) + 1) {
        size_t n = shown_width(c), j = i % t->ncol;

        width[j] = n > width[j] ? n : width[j];
        if (i >= t->ncol && !numeric(c))
            right[j] = false;
    }
    c = t->cells.s;
    for (size_t i = 0; i < t->ncell; i++, c += strlen(c) + 1) {
        size_t j = i % t->ncol;
        int pad = (int)(width[j] - shown_width(c));

        if (right[j])
            printf("%*s%s", pad, "", c);
        else if (j + 1 < t->ncol)
            printf("%s%*s", c, pad, "");
        else
            fputs(c, stdout);
        fputs(j + 1 < t->ncol ? "  " : "\n", stdout);
    }
out:
    tw_str_release(&t->cells);
    *t = (struct tw_table){ 0 };
}
