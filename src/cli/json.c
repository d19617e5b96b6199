/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "json.h"

#include <math.h>

/* Bytes of the UTF-8 character at s, 0 if it is none: overlong forms, surrogates and numbers
 * past U+10FFFF show in the second byte (Unicode 15, table 3-7). */
static size_t utf8_length(const unsigned char *s)
{
    unsigned char lo = 0x80, hi = 0xBF;
    size_t n;

    if (s[0] < 0x80)
        return 1;
    if (s[0] < 0xC2 || s[0] > 0xF4)
        return 0;
    n = s[0] < 0xE0 ? 2 : s[0] < 0xF0 ? 3 : 4;
    if (s[0] == 0xE0)
        lo = 0xA0;
    else if (s[0] == 0xED)
        hi = 0x9F;
    else if (s[0] == 0xF0)
        lo = 0x90;
    else if (s[0] == 0xF4)
        hi = 0x8F;
    if (s[1] < lo || s[1] > hi)
        return 0;
    for (size_t i = 2; i < n; i++)
        if ((s[i] & 0xC0) != 0x80)
            return 0;
    return n;
}

void tw_json_quote(struct tw_str *out, const char *s)
{
    const unsigned char *p = (const unsigned char *)s;

    tw_str_add(out, "\"");
    while (*p) {
        size_t n = utf8_length(p);

        if (n == 0) {
            tw_str_add(out, "\xEF\xBF\xBD");
            n = 1;
        } else if (*p == '"' || *p == '\\') {
            tw_str_addf(out, "\\%c", *p);
        } else if (*p < 0x20) {
            tw_str_addf(out, "\\u%04x", *p);
        } else {
            tw_str_addn(out, (const char *)p, n);
        }
        p += n;
    }
    tw_str_add(out, "\"");
}

static void item(struct tw_json *j, const char *key)
{
    if (j->comma)
        tw_str_add(&j->text, ",");
    if (key) {
        tw_json_quote(&j->text, key);
        tw_str_add(&j->text, ":");
    }
    j->comma = true;
}

void tw_json_open(struct tw_json *j, const char *key, char open)
{
    item(j, key);
    tw_str_addn(&j->text, &open, 1);
    j->comma = false;
}

void tw_json_close(struct tw_json *j, char close)
{
    tw_str_addn(&j->text, &close, 1);
    j->comma = true;
}

static void number(struct tw_json *j, double x)
{
    if (isfinite(x))
        tw_str_addf(&j->text, "%.17g", x);
    else
        tw_str_add(&j->text, "null");
}

void tw_json_real(struct tw_json *j, const char *key, double x)
{
    item(j, key);
    number(j, x);
}

void tw_json_size(struct tw_json *j, const char *key, size_t n)
{
    item(j, key);
    tw_str_addf(&j->text, "%zu", n);
}

void tw_json_bool(struct tw_json *j, const char *key, bool b)
{
    item(j, key);
    tw_str_add(&j->text, b ? "true" : "false");
}

void tw_json_text(struct tw_json *j, const char *key, const char *s)
{
    item(j, key);
    if (s)
        tw_json_quote(&j->text, s);
    else
        tw_str_add(&j->text, "null");
}

void tw_json_reals(struct tw_json *j, const char *key, const double *x, size_t n)
{
    tw_json_open(j, key, '[');
    for (size_t i = 0; i < n; i++)
        tw_json_real(j, NULL, x[i]);
    tw_json_close(j, ']');
}

void tw_json_release(struct tw_json *j)
{
    tw_str_release(&j->text);
    j->comma = false;
}
