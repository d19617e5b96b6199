/* SPDX-License-Identifier: GPL-3.0-or-later */
/* store/jscan.h - JSON (RFC 8259) value by value, without a tree: for headers that may have 100 MB,
 * and where a key that comes twice must be seen. */
#ifndef TW_STORE_JSCAN_H
#define TW_STORE_JSCAN_H

#include "thalweg/base.h"

struct jscan {
    const char *start, *p, *end;
    struct tw_str text; /* of the last string */
    struct tw_err *err;
};

/* Blanks, then this character: taken if it is there. */
bool jscan_take(struct jscan *j, char c);
/* The same, or TW_EFORMAT "expected ..., found ... at byte ...". */
enum tw_status jscan_want(struct jscan *j, char c) TW_CHECKED;
/* A string into j->text, UTF-8; NUL within it is refused. */
enum tw_status jscan_string(struct jscan *j) TW_CHECKED;
/* A whole number, at least 0. */
enum tw_status jscan_whole(struct jscan *j, uint64_t *x) TW_CHECKED;
/* Any value, of which nothing is kept. */
enum tw_status jscan_skip(struct jscan *j) TW_CHECKED;
enum tw_status jscan_expected(const struct jscan *j, const char *what);

/* s in quotes, escaped; false if it is not UTF-8. */
bool jscan_quote(struct tw_str *out, const char *s);

#endif
