/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One line of JSON, strictly, with what Python and C write for numbers that are not finite. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "twep.h"

enum { MAX_DEPTH = 16, MAX_VALUES = 1 << 20 };

struct parser {
    struct tw_twep_line *l;
    char *text, *p, *end; /* *end is 0 */
    struct tw_err *err;
};

static bool bad(struct parser *s, const char *what)
{
    tw_err_set(s->err, TW_EFORMAT, "%s in column %zu", what, (size_t)(s->p - s->text) + 1);
    return false;
}

static void blanks(struct parser *s)
{
    while (s->p < s->end && (*s->p == ' ' || *s->p == '\t' || *s->p == '\r' || *s->p == '\n'))
        s->p++;
}

static bool word(struct parser *s, const char *w)
{
    const size_t n = strlen(w);

    if ((size_t)(s->end - s->p) < n || memcmp(s->p, w, n) != 0)
        return false;
    s->p += n;
    return true;
}

/* ---- strings -------------------------------------------------------------------------------- */

static bool hex4(struct parser *s, unsigned *code)
{
    *code = 0;
    for (int i = 0; i < 4; i++, s->p++) {
        const char c = s->p < s->end ? *s->p : '\0';
        const unsigned digit = c >= '0' && c <= '9'   ? (unsigned)(c - '0')
                               : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10
                               : c >= 'A' && c <= 'F' ? (unsigned)(c - 'A') + 10
                                                      : 16;

        if (digit > 15)
            return bad(s, "four hexadecimal digits expected");
        *code = 16 * *code + digit;
    }
    return true;
}

static char *put_utf8(char *to, unsigned code)
{
    if (code < 0x80) {
        *to++ = (char)code;
        return to;
    }
    if (code < 0x800) {
        *to++ = (char)(0xC0 | code >> 6);
    } else {
        if (code < 0x10000) {
            *to++ = (char)(0xE0 | code >> 12);
        } else {
            *to++ = (char)(0xF0 | code >> 18);
            *to++ = (char)(0x80 | (code >> 12 & 0x3F));
        }
        *to++ = (char)(0x80 | (code >> 6 & 0x3F));
    }
    *to++ = (char)(0x80 | (code & 0x3F));
    return to;
}

/* After "\u". What it stands for is shorter than its escape. */
static bool unicode(struct parser *s, char **to)
{
    unsigned code, low;

    if (!hex4(s, &code))
        return false;
    if (code >= 0xD800 && code < 0xDC00) {
        if (!word(s, "\\u") || !hex4(s, &low) || low < 0xDC00 || low > 0xDFFF)
            return bad(s, "half a character");
        code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
    } else if (code == 0 || (code >= 0xDC00 && code < 0xE000)) {
        return bad(s, "a character that is none");
    }
    *to = put_utf8(*to, code);
    return true;
}

/* At the opening quote. The string is left where it was, without escapes, ended by 0. */
static bool string(struct parser *s, const char **text)
{
    static const char escapes[] = "\"\\/bfnrt", means[] = "\"\\/\b\f\n\r\t";
    char *to = ++s->p;

    *text = to;
    while (s->p < s->end && *s->p != '"') {
        const unsigned char c = (unsigned char)*s->p;
        const char *e;

        if (c < 0x20)
            return bad(s, "a control character");
        s->p++;
        if (c != '\\') {
            *to++ = (char)c;
            continue;
        }
        if (s->p < s->end && *s->p == 'u') {
            s->p++;
            if (!unicode(s, &to))
                return false;
            continue;
        }
        e = s->p < s->end && *s->p ? strchr(escapes, *s->p) : NULL;
        if (!e)
            return bad(s, "an unknown escape");
        *to++ = means[e - escapes];
        s->p++;
    }
    if (s->p >= s->end)
        return bad(s, "a string without an end");
    s->p++;
    *to = '\0';
    return true;
}

/* ---- numbers -------------------------------------------------------------------------------- */

static size_t digits(struct parser *s)
{
    const char *from = s->p;

    while (s->p < s->end && *s->p >= '0' && *s->p <= '9')
        s->p++;
    return (size_t)(s->p - from);
}

static bool number(struct parser *s, double *x)
{
    const char *from = s->p;
    const bool minus = word(s, "-");

    if (word(s, "Infinity") || word(s, "inf")) {
        *x = minus ? -(double)INFINITY : (double)INFINITY;
        return true;
    }
    if (s->p < s->end && *s->p == '0')
        s->p++;
    else if (!digits(s))
        return bad(s, "a value expected");
    if (word(s, ".") && !digits(s))
        return bad(s, "digits expected");
    if (s->p < s->end && (*s->p == 'e' || *s->p == 'E')) {
        s->p++;
        if (!word(s, "+"))
            (void)word(s, "-");
        if (!digits(s))
            return bad(s, "digits expected");
    }
    return tw_strn_to_real(from, (size_t)(s->p - from), x) || bad(s, "a number expected");
}

/* ---- values --------------------------------------------------------------------------------- */

static bool value(struct parser *s, const char *key, int depth);

static bool members(struct parser *s, char close, int depth)
{
    const char *key = NULL;

    if (depth >= MAX_DEPTH)
        return bad(s, "too many brackets");
    s->p++;
    blanks(s);
    if (s->p < s->end && *s->p == close) {
        s->p++;
        return true;
    }
    for (;;) {
        blanks(s);
        if (close == '}') {
            if (s->p >= s->end || *s->p != '"')
                return bad(s, "a key expected");
            if (!string(s, &key))
                return false;
            blanks(s);
            if (!word(s, ":"))
                return bad(s, "a colon expected");
        }
        if (!value(s, key, depth + 1))
            return false;
        blanks(s);
        if (s->p < s->end && *s->p == close) {
            s->p++;
            return true;
        }
        if (!word(s, ","))
            return bad(s, "a comma expected");
    }
}

static bool value(struct parser *s, const char *key, int depth)
{
    struct tw_twep_line *l = s->l;
    struct tw_twep_value v = { .key = key };
    const size_t at = l->n;
    bool good = true;

    if (at >= MAX_VALUES)
        return bad(s, "too many values");
    if (!tw_grow(&l->v, l->n, &l->cap, sizeof *l->v)) {
        tw_err_set(s->err, TW_ENOMEM, "out of memory");
        return false;
    }
    l->v[l->n++] = v;
    blanks(s);
    if (s->p < s->end && *s->p == '{') {
        v.type = TW_TWEP_OBJECT;
        good = members(s, '}', depth);
    } else if (s->p < s->end && *s->p == '[') {
        v.type = TW_TWEP_ARRAY;
        good = members(s, ']', depth);
    } else if (s->p < s->end && *s->p == '"') {
        v.type = TW_TWEP_TEXT;
        good = string(s, &v.text);
    } else if (word(s, "true")) {
        v.type = TW_TWEP_BOOL;
        v.number = 1.0;
    } else if (word(s, "false")) {
        v.type = TW_TWEP_BOOL;
    } else if (word(s, "NaN") || word(s, "nan") || word(s, "-nan")) {
        v.type = TW_TWEP_NUMBER;
        v.number = (double)NAN;
    } else if (!word(s, "null")) {
        v.type = TW_TWEP_NUMBER;
        good = number(s, &v.number);
    }
    v.next = l->n;
    l->v[at] = v;
    return good;
}

enum tw_status tw_twep_parse(struct tw_twep_line *l, char *text, size_t n, struct tw_err *err)
{
    struct tw_err own = { 0 };
    struct parser s = { l, text, text, text + n, &own };

    l->n = 0;
    blanks(&s);
    if (s.p >= s.end || *s.p != '{')
        (void)bad(&s, "an object expected");
    else if (value(&s, NULL, 0)) {
        blanks(&s);
        if (s.p == s.end)
            return TW_OK;
        (void)bad(&s, "more than one object");
    }
    return tw_err_set(err, own.code, "%s", own.msg);
}

void tw_twep_line_release(struct tw_twep_line *l)
{
    free(l->v);
    *l = (struct tw_twep_line){ 0 };
}

/* ---- looking -------------------------------------------------------------------------------- */

const struct tw_twep_value *tw_twep_find(const struct tw_twep_line *l, size_t object,
                                         const char *key)
{
    if (object >= l->n || l->v[object].type != TW_TWEP_OBJECT)
        return NULL;
    for (size_t i = object + 1; i < l->v[object].next; i = l->v[i].next)
        if (!strcmp(l->v[i].key, key))
            return l->v[i].type == TW_TWEP_NULL ? NULL : &l->v[i];
    return NULL;
}

bool tw_twep_real(const struct tw_twep_line *l, const char *key, double *x)
{
    const struct tw_twep_value *v = tw_twep_find(l, 0, key);

    if (!v || v->type != TW_TWEP_NUMBER)
        return false;
    *x = v->number;
    return true;
}

bool tw_twep_text(const struct tw_twep_line *l, const char *key, const char **s)
{
    const struct tw_twep_value *v = tw_twep_find(l, 0, key);

    if (!v || v->type != TW_TWEP_TEXT)
        return false;
    *s = v->text;
    return true;
}

bool tw_twep_is_size(const struct tw_twep_value *v, size_t *n)
{
    const double most = 9007199254740992.0;

    if (v->type != TW_TWEP_NUMBER || !(v->number >= 0.0 && v->number <= most) ||
        v->number != floor(v->number) || v->number > (double)SIZE_MAX)
        return false;
    *n = (size_t)v->number;
    return true;
}

bool tw_twep_size(const struct tw_twep_line *l, const char *key, size_t *n)
{
    const struct tw_twep_value *v = tw_twep_find(l, 0, key);

    return v && tw_twep_is_size(v, n);
}
