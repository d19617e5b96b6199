/* SPDX-License-Identifier: GPL-3.0-or-later */
/* twep.h - what an evaluator says, in memory: lines of JSON and the greeting, thalweg-evaluator(7).
 */
#ifndef TW_PROBLEM_TWEP_H
#define TW_PROBLEM_TWEP_H

#include "thalweg/graph.h"

/* ---- one line ----------------------------------------------------------------------------- */

enum tw_twep_type {
    TW_TWEP_NULL,
    TW_TWEP_BOOL,
    TW_TWEP_NUMBER,
    TW_TWEP_TEXT,
    TW_TWEP_ARRAY,
    TW_TWEP_OBJECT
};
struct tw_twep_value {
    enum tw_twep_type type;
    double number;    /* of booleans 0 or 1 */
    const char *key;  /* of members of an object, else NULL */
    const char *text; /* of strings */
    size_t next;      /* index of the value after this one and all that is in it */
};
/* Starts as {0}, may be used again. v[0] is the object; what is in v[i] begins at v[i + 1] and ends
 * before v[i].next. */
struct tw_twep_line {
    struct tw_twep_value *v;
    size_t n, cap;
};
/* One JSON object (RFC 8259) in n bytes with text[n] = 0, which are changed and hold the strings
 * afterwards. NaN, nan, Infinity and inf (with a minus too) are numbers; \u0000 is refused.
 * TW_EFORMAT: something else, with the column; TW_ENOMEM. */
enum tw_status tw_twep_parse(struct tw_twep_line *l, char *text, size_t n,
                             struct tw_err *err) TW_CHECKED;
void tw_twep_line_release(struct tw_twep_line *l);

/* The first member of v[object] with this key; NULL: there is none, or it is null. */
const struct tw_twep_value *tw_twep_find(const struct tw_twep_line *l, size_t object,
                                         const char *key);
/* Members of v[0] where they are numbers, strings, whole numbers from 0 to 2^53; else what was
 * there before is left, and false returned. */
bool tw_twep_real(const struct tw_twep_line *l, const char *key, double *x);
bool tw_twep_text(const struct tw_twep_line *l, const char *key, const char **s);
bool tw_twep_size(const struct tw_twep_line *l, const char *key, size_t *n);
bool tw_twep_is_size(const struct tw_twep_value *v, size_t *n);

/* ---- the greeting --------------------------------------------------------------------------- */

enum {
    TW_TWEP_LOSS = 1,
    TW_TWEP_GRAD = 2,
    TW_TWEP_JVP = 4,
    TW_TWEP_HVP = 8,
    TW_TWEP_SAMPLES = 16,
    TW_TWEP_WEIGHTS = 32,
    TW_TWEP_CORRECT = 64,
    TW_TWEP_ERROR = 128,
    TW_TWEP_LOGITS = 256,
    TW_TWEP_LOGIT_JVP = 512,
    TW_TWEP_LABELS = 1024
};
struct tw_twep_greeting {
    unsigned can;      /* TW_TWEP_... */
    bool real64;       /* parameters are doubles */
    size_t n, all;     /* samples; 0: not said */
    size_t width;      /* logits of a sample */
    size_t classes;    /* of them in one softmax */
    char *name, *data; /* NULL: not said */
    size_t ncheckpoint;
    char **checkpoint; /* names */
    struct tw_layout layout;
};
/* *g is overwritten. TW_EFORMAT with what is wrong in it. */
enum tw_status tw_twep_greet(const struct tw_twep_line *l, struct tw_twep_greeting *g,
                             struct tw_err *err) TW_CHECKED;
void tw_twep_greeting_release(struct tw_twep_greeting *g);
/* The same network on as many samples, with the same abilities. */
bool tw_twep_same(const struct tw_twep_greeting *a, const struct tw_twep_greeting *b);

#endif
