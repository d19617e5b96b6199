/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "thalweg/base.h"

#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- growing strings ---------------------------------------------------------------- */

static bool reserve(struct tw_str *t, size_t more)
{
    if (t->failed || more > SIZE_MAX / 2 - t->n - 1) {
        t->failed = true;
        return false;
    }
    if (t->n + more + 1 > t->cap) {
        size_t cap = (t->n + more + 1) * 3 / 2 + 32;
        char *p = realloc(t->s, cap);

        if (!p) {
            t->failed = true;
            return false;
        }
        t->s = p;
        t->cap = cap;
    }
    return true;
}

void tw_str_addn(struct tw_str *t, const char *s, size_t n)
{
    if (!reserve(t, n))
        return;
    if (n)
        memcpy(t->s + t->n, s, n);
    t->n += n;
    t->s[t->n] = '\0';
}

void tw_str_add(struct tw_str *t, const char *s)
{
    tw_str_addn(t, s, strlen(s));
}

void tw_str_vaddf(struct tw_str *t, const char *fmt, va_list ap)
{
    va_list again;
    int n;

    va_copy(again, ap);
    n = vsnprintf(NULL, 0, fmt, ap);
    if (n < 0)
        t->failed = true;
    else if (reserve(t, (size_t)n)) {
        (void)vsnprintf(t->s + t->n, (size_t)n + 1, fmt, again);
        t->n += (size_t)n;
    }
    va_end(again);
}

void tw_str_addf(struct tw_str *t, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    tw_str_vaddf(t, fmt, ap);
    va_end(ap);
}

void tw_str_clear(struct tw_str *t)
{
    t->n = 0;
    t->failed = false;
    if (t->s)
        t->s[0] = '\0';
}

void tw_str_release(struct tw_str *t)
{
    free(t->s);
    *t = (struct tw_str){ 0 };
}

/* ---- nearest name ------------------------------------------------------------------- */

static size_t min2(size_t a, size_t b)
{
    return a < b ? a : b;
}

bool tw_str_ends(const char *s, const char *end)
{
    const size_t n = strlen(s), m = strlen(end);

    return n >= m && !strcmp(s + n - m, end);
}

/* Damerau's distance in its restricted form: a swap of neighbours costs one. */
size_t tw_str_distance(const char *a, const char *b)
{
    enum { MAX = 64 };
    size_t row[3][MAX + 1];
    size_t na = strnlen(a, MAX), nb = strnlen(b, MAX);

    for (size_t j = 0; j <= nb; j++)
        row[0][j] = j;
    for (size_t i = 1; i <= na; i++) {
        size_t *now = row[i % 3], *up = row[(i + 2) % 3], *up2 = row[(i + 1) % 3];

        now[0] = i;
        for (size_t j = 1; j <= nb; j++) {
            now[j] = min2(min2(up[j], now[j - 1]) + 1, up[j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                now[j] = min2(now[j], up2[j - 2] + 1);
        }
    }
    return row[na % 3][nb];
}

size_t tw_str_nearest(const char *s, const char *const *names, size_t n)
{
    size_t best = n, least = SIZE_MAX, len = strlen(s);

    for (size_t i = 0; i < n; i++) {
        size_t d = tw_str_distance(s, names[i]);

        if (len >= 3 && !strncmp(s, names[i], len))
            d = 0; /* an abbreviation */
        if (d < least) {
            least = d;
            best = i;
        }
    }
    return least <= 1 + len / 4 ? best : n;
}

/* ---- numbers ------------------------------------------------------------------------ */

/* strtod follows the locale's decimal comma; files and options never do. The "C" locale
 * object is made once and lives as long as the program. */
static locale_t c_locale(void)
{
    static locale_t made;
    locale_t loc = __atomic_load_n(&made, __ATOMIC_ACQUIRE);

    if (loc == (locale_t)0) {
        locale_t none = (locale_t)0;

        loc = newlocale(LC_ALL_MASK, "C", (locale_t)0);
        if (!__atomic_compare_exchange_n(&made, &none, loc, false, __ATOMIC_ACQ_REL,
                                         __ATOMIC_ACQUIRE)) {
            freelocale(loc);
            loc = none;
        }
    }
    return loc;
}

bool tw_str_to_real(const char *s, double *x)
{
    locale_t old;
    char *end;

    if (strchr(" \t\n\v\f\r", *s)) /* blanks, which strtod would skip, or nothing at all */
        return false;
    old = uselocale(c_locale());
    *x = strtod(s, &end);
    (void)uselocale(old);
    return end != s && *end == '\0';
}

/* Most numbers in logs have at most 19 digits and a small exponent: they are exact in
 * integer arithmetic and need one multiplication or division by a power of ten that is
 * itself exact (Clinger 1990, the fast path). The rest go to strtod. */
static bool fast_real(const char *s, size_t n, double *x)
{
    static const double ten[] = { 1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                  1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                  1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22 };
    uint64_t digits = 0;
    size_t i = 0, nd = 0;
    int exp10 = 0;
    bool neg = n > 0 && s[0] == '-';

    i = neg ? 1 : 0;
    for (; i < n && s[i] >= '0' && s[i] <= '9'; i++, nd++)
        digits = 10 * digits + (uint64_t)(s[i] - '0');
    if (i < n && s[i] == '.')
        for (i++; i < n && s[i] >= '0' && s[i] <= '9'; i++, nd++, exp10--)
            digits = 10 * digits + (uint64_t)(s[i] - '0');
    if (nd == 0 || nd > 18)
        return false;
    if (i < n && (s[i] == 'e' || s[i] == 'E')) {
        bool eneg;
        int e = 0;
        size_t first;

        if (++i >= n)
            return false;
        eneg = s[i] == '-';
        if (s[i] == '-' || s[i] == '+')
            i++;
        first = i;
        for (; i < n && s[i] >= '0' && s[i] <= '9' && i < first + 4; i++)
            e = 10 * e + (s[i] - '0');
        if (i == first)
            return false;
        exp10 += eneg ? -e : e;
    }
    if (i != n || digits > (UINT64_C(1) << 53) || exp10 < -22 || exp10 > 22)
        return false;
    *x = exp10 < 0 ? (double)digits / ten[-exp10] : (double)digits * ten[exp10];
    if (neg)
        *x = -*x;
    return true;
}

bool tw_strn_to_real(const char *s, size_t n, double *x)
{
    char buf[128];

    if (fast_real(s, n, x))
        return true;
    if (n == 0 || n >= sizeof buf || memchr(s, '\0', n))
        return false;
    memcpy(buf, s, n);
    buf[n] = '\0';
    return tw_str_to_real(buf, x);
}

const char *tw_plural(size_t n)
{
    return n == 1 ? "" : "s";
}
