/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cli/json.h - write one JSON object: keys in the order given, 17 digits, NaN and infinities
 * as null. */
#ifndef TW_CLI_JSON_H
#define TW_CLI_JSON_H

#include "thalweg/base.h"

struct tw_json {
    struct tw_str text;
    bool comma; /* the next item needs one */
};

/* key is NULL inside an array. open: '{' or '['. */
void tw_json_open(struct tw_json *j, const char *key, char open);
void tw_json_close(struct tw_json *j, char close);
void tw_json_real(struct tw_json *j, const char *key, double x);
void tw_json_size(struct tw_json *j, const char *key, size_t n);
void tw_json_bool(struct tw_json *j, const char *key, bool b);
void tw_json_text(struct tw_json *j, const char *key, const char *s); /* NULL: null */
void tw_json_reals(struct tw_json *j, const char *key, const double *x, size_t n);
void tw_json_release(struct tw_json *j);

/* Append s as a quoted JSON string; bytes that are not UTF-8 become U+FFFD. */
void tw_json_quote(struct tw_str *out, const char *s);

#endif
