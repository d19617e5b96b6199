/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "jscan.h"

#include <string.h>

enum tw_status jscan_expected(const struct jscan *j, const char *what)
{
    const size_t left = (size_t)(j->end - j->p), n = left < 20 ? left : 20;

    if (left == 0)
        return tw_err_set(j->err, TW_EFORMAT, "expected %s, but the JSON ends (byte %zu)", what,
                          (size_t)(j->p - j->start));
    return tw_err_set(j->err, TW_EFORMAT, "expected %s at byte %zu of the JSON, found '%.*s'", what,
                      (size_t)(j->p - j->start), (int)n, j->p);
}

static void blanks(struct jscan *j)
{
    while (j->p < j->end && (*j->p == ' ' || *j->p == '\t' || *j->p == '\n' || *j->p == '\r'))
        j->p++;
}

bool jscan_take(struct jscan *j, char c)
{
    blanks(j);
    if (j->p == j->end || *j->p != c)
        return false;
    j->p++;
    return true;
}

enum tw_status jscan_want(struct jscan *j, char c)
{
    const char what[] = { '\'', c, '\'', '\0' };

    return jscan_take(j, c) ? TW_OK : jscan_expected(j, what);
}

/* ---- strings -----------------------------------------------------------------------------------
 */

static bool hex4(struct jscan *j, unsigned *u)
{
    *u = 0;
    if (j->end - j->p < 4)
        return false;
    for (int i = 0; i < 4; i++, j->p++) {
        const char c = *j->p;
        const unsigned digit = c >= '0' && c <= '9'   ? (unsigned)(c - '0')
                               : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10
                               : c >= 'A' && c <= 'F' ? (unsigned)(c - 'A') + 10
                                                      : 16U;

        if (digit > 15)
            return false;
        *u = *u << 4 | digit;
    }
    return true;
}

static void add_utf8(struct tw_str *t, unsigned u)
{
    char c[4];
    size_t n = 0;

    if (u < 0x80) {
        c[n++] = (char)u;
    } else if (u < 0x800) {
        c[n++] = (char)(0xc0 | u >> 6);
        c[n++] = (char)(0x80 | (u & 0x3f));
    } else if (u < 0x10000) {
        c[n++] = (char)(0xe0 | u >> 12);
        c[n++] = (char)(0x80 | (u >> 6 & 0x3f));
        c[n++] = (char)(0x80 | (u & 0x3f));
    } else {
        c[n++] = (char)(0xf0 | u >> 18);
        c[n++] = (char)(0x80 | (u >> 12 & 0x3f));
        c[n++] = (char)(0x80 | (u >> 6 & 0x3f));
        c[n++] = (char)(0x80 | (u & 0x3f));
    }
    tw_str_addn(t, c, n);
}

/* Behind a backslash. */
static bool escape(struct jscan *j)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    const char *at;
    unsigned u, low;

    if (j->p == j->end)
        return false;
    if (*j->p != 'u') {
        at = *j->p ? strchr(from, *j->p) : NULL;
        if (!at)
            return false;
        tw_str_addn(&j->text, to + (at - from), 1);
        j->p++;
        return true;
    }
    j->p++;
    if (!hex4(j, &u) || u == 0 || (u >= 0xdc00 && u < 0xe000))
        return false;
    if (u >= 0xd800 && u < 0xdc00) {
        if (j->end - j->p < 6 || j->p[0] != '\\' || j->p[1] != 'u')
            return false;
        j->p += 2;
        if (!hex4(j, &low) || low < 0xdc00 || low >= 0xe000)
            return false;
        u = 0x10000 + ((u - 0xd800) << 10) + (low - 0xdc00);
    }
    add_utf8(&j->text, u);
    return true;
}

enum tw_status jscan_string(struct jscan *j)
{
    tw_str_clear(&j->text);
    if (!jscan_take(j, '"'))
        return jscan_expected(j, "a string");
    while (j->p < j->end && *j->p != '"') {
        const char *from = j->p;

        while (j->p < j->end && *j->p != '"' && *j->p != '\\' && (unsigned char)*j->p >= 0x20)
            j->p++;
        tw_str_addn(&j->text, from, (size_t)(j->p - from));
        if (j->p < j->end && *j->p == '\\') {
            j->p++;
            if (!escape(j))
                return jscan_expected(j, "the rest of an escape that JSON has");
        } else if (j->p < j->end && *j->p != '"') {
            return jscan_expected(j, "a string without control characters");
        }
    }
    if (j->p == j->end)
        return jscan_expected(j, "the end of a string");
    j->p++;
    tw_str_add(&j->text, "");
    return j->text.failed ? tw_err_set(j->err, TW_ENOMEM, "out of memory") : TW_OK;
}

/* The length of the UTF-8 sequence that s begins with (Unicode 15, table 3-7); 0: none. */
static size_t sequence(const unsigned char *s)
{
    const size_t n = s[0] < 0x80                   ? 1
                     : s[0] >= 0xc2 && s[0] < 0xe0 ? 2
                     : s[0] >= 0xe0 && s[0] < 0xf0 ? 3
                     : s[0] >= 0xf0 && s[0] < 0xf5 ? 4
                                                   : 0;

    for (size_t i = 1; i < n; i++)
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
        (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
        return 0;
    return n;
}

bool jscan_quote(struct tw_str *out, const char *s)
{
    tw_str_add(out, "\"");
    while (*s) {
        const size_t n = sequence((const unsigned char *)s);

        if (n == 0)
            return false;
        if (*s == '"' || *s == '\\')
            tw_str_addf(out, "\\%c", *s);
        else if ((unsigned char)*s < 0x20)
            tw_str_addf(out, "\\u%04x", (unsigned)(unsigned char)*s);
        else
            tw_str_addn(out, s, n);
        s += n;
    }
    tw_str_add(out, "\"");
    return true;
}

/* ---- numbers, anything -------------------------------------------------------------------- */

enum tw_status jscan_whole(struct jscan *j, uint64_t *x)
{
    struct jscan at;

    blanks(j);
    at = *j;
    *x = 0;
    while (j->p < j->end && *j->p >= '0' && *j->p <= '9') {
        const unsigned digit = (unsigned)(*j->p++ - '0');

        if (*x > (UINT64_MAX - digit) / 10)
            return jscan_expected(&at, "a number below 2^64");
        *x = *x * 10 + digit;
    }
    if (j->p == at.p || (j->p < j->end && strchr(".eE", *j->p)))
        return jscan_expected(&at, "a whole number");
    return TW_OK;
}

enum tw_status jscan_skip(struct jscan *j)
{
    enum { DEPTH = 64 };
    char open[DEPTH]; /* what closes each bracket that is open */
    size_t depth = 0;
    enum tw_status rc = TW_OK;

    do {
        if (jscan_take(j, '{') || jscan_take(j, '[')) {
            if (depth == DEPTH)
                return tw_err_set(j->err, TW_EFORMAT, "JSON nested more than %d deep", (int)DEPTH);
            open[depth++] = j->p[-1] == '{' ? '}' : ']';
        } else if (jscan_take(j, '"')) {
            j->p--;
            rc = jscan_string(j);
        } else if (depth > 0 && jscan_take(j, open[depth - 1])) {
            depth--;
        } else if (depth == 0 || (!jscan_take(j, ',') && !jscan_take(j, ':'))) {
            const char *from = j->p;

            while (j->p < j->end && *j->p &&
                   strchr("+-.0123456789abcdefghijklmnopqrstuvwxyzEIN", *j->p))
                j->p++;
            if (j->p == from)
                return jscan_expected(j, "a value");
        }
    } while (rc == TW_OK && depth > 0);
    return rc;
}
