/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Lines, numbers and quotations that the readers of text share. */
#include <math.h>
#include <string.h>
#include <strings.h>

#include "log_reader.h"

bool log_line_next(const struct log_text *text, size_t *at, struct log_text *line)
{
    const char *end;

    if (*at >= text->n)
        return false;
    line->s = text->s + *at;
    end = memchr(line->s, '\n', text->n - *at);
    line->n = end ? (size_t)(end - line->s) : text->n - *at;
    *at += line->n + 1;
    if (line->n && line->s[line->n - 1] == '\r')
        line->n--;
    return true;
}

size_t log_line_number(const struct log_text *text, size_t at)
{
    size_t n = 1;

    for (const char *p = text->s; (p = memchr(p, '\n', text->n - (size_t)(p - text->s))); p++) {
        if ((size_t)(p - text->s) >= at)
            break;
        n++;
    }
    return n;
}

const char *log_find(const char *s, const char *end, const char *what)
{
    size_t n = strlen(what);

    while (s < end && (size_t)(end - s) >= n) {
        s = memchr(s, what[0], (size_t)(end - s) - n + 1);
        if (!s)
            return NULL;
        if (!memcmp(s, what, n))
            return s;
        s++;
    }
    return NULL;
}

const char *log_quote(const struct log_text *line, char buf[LOG_QUOTE])
{
    size_t n = line->n;
    bool cut = n > LOG_QUOTE - 4;

    if (cut)
        n = LOG_QUOTE - 4;
    for (size_t i = 0; i < n; i++)
        buf[i] = (char)(line->s[i] >= 0x20 && line->s[i] < 0x7f ? line->s[i] : '?');
    memcpy(buf + n, cut ? "..." : "", cut ? 4 : 1);
    return buf;
}

bool log_missing(const char *s, size_t n)
{
    static const char *const words[] = { "none", "null", "na", "n/a", "-", NULL };

    if (n == 0)
        return true;
    if (n > 4)
        return false;
    for (size_t i = 0; words[i]; i++)
        if (strlen(words[i]) == n && !strncasecmp(words[i], s, n))
            return true;
    return false;
}

static bool digit(char c)
{
    return c >= '0' && c <= '9';
}

static const char *digits(const char *p, const char *end)
{
    while (p < end && digit(*p))
        p++;
    return p;
}

static bool word_at(const char *p, const char *end, const char *word, size_t n)
{
    return (size_t)(end - p) >= n && !strncasecmp(p, word, n);
}

/* "12,345.6": the groups of three digits that follow, joined in buf. */
static const char *grouped(const char *s, const char *p, const char *end, double *x)
{
    char buf[64];
    size_t n = 0;

    while (end - p >= 4 && *p == ',' && digit(p[1]) && digit(p[2]) && digit(p[3]) &&
           (end - p == 4 || !digit(p[4])))
        p += 4;
    if (p < end && *p == '.')
        p = digits(p + 1, end);
    for (const char *q = s; q < p && n < sizeof buf; q++)
        if (*q != ',')
            buf[n++] = *q;
    return tw_strn_to_real(buf, n, x) ? p : s;
}

const char *log_number(const char *s, const char *end, bool commas, double *x)
{
    const char *p = s, *first, *e;

    if (p < end && (*p == '-' || *p == '+'))
        p++;
    if (word_at(p, end, "nan", 3) || word_at(p, end, "inf", 3)) {
        *x = (*p | 0x20) == 'n' ? (double)NAN : *s == '-' ? -(double)INFINITY : (double)INFINITY;
        return word_at(p, end, "infinity", 8) ? p + 8 : p + 3;
    }
    first = p;
    p = digits(p, end);
    if (commas && p > first && p < end && *p == ',')
        return grouped(s, p, end, x);
    if (p < end && *p == '.')
        p = digits(p + 1, end);
    if (p == first || (p == first + 1 && *first == '.'))
        return s;
    if (p < end && (*p == 'e' || *p == 'E')) {
        e = p + 1;
        if (e < end && (*e == '-' || *e == '+'))
            e++;
        if (e < end && digit(*e))
            p = digits(e, end);
    }
    return tw_strn_to_real(s, (size_t)(p - s), x) ? p : s;
}
