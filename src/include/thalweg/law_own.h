/* SPDX-License-Identifier: GPL-3.0-or-later */
/* thalweg/law_own.h - a law of runs that its user wrote down: an expression such as
 * "E + A/N^a + B/D^b". Numbers, names, + - * / ^, parentheses, the functions exp log sqrt abs
 * min max, and pi. ^ binds tighter than a sign before it and groups from the right: -2^2 is -4,
 * 2^3^2 is 2^9. Names that are inputs are said to be; the others are parameters. */
#ifndef TW_LAW_OWN_H
#define TW_LAW_OWN_H

#include "thalweg/law.h"

enum { TW_OWN_MAX_NAMES = TW_LAW_MAX_INPUTS + TW_FIT_MAX_PARAMS, TW_OWN_NAME_SIZE = 32 };

struct tw_own_names {
    size_t n;
    char name[TW_OWN_MAX_NAMES][TW_OWN_NAME_SIZE];
};
/* The names in an expression in order of appearance. TW_EINVAL: it is none; one sentence, and
 * the column in *at (from 1; 0: no one place). */
enum tw_status tw_law_own_names(const char *expression, struct tw_own_names *names, size_t *at,
                                struct tw_err *err) TW_CHECKED;

/*
 * A law named `name` from an expression and those of its names that are inputs (meaning
 * and columns may be NULL, else they must outlive the law). N comes first among its inputs, then
 * they keep their order. `plain`: residuals are of the loss, not of its logarithm. A parameter is
 * positive unless it stands as a term inside a function's argument somewhere. TW_EINVAL: no
 * expression, an input that it does not have, too many inputs or parameters, or none. TW_ENOMEM.
 */
enum tw_status tw_law_own_new(const char *name, const char *expression,
                              const struct tw_law_input *inputs, size_t ninputs, bool plain,
                              struct tw_law **law, struct tw_err *err) TW_CHECKED;
void tw_law_own_free(struct tw_law *law); /* NULL is fine */

const char *tw_law_own_expression(const struct tw_law *law);
/* Another range for parameter j: FREE, POSITIVE or BETWEEN lo and hi. */
void tw_law_own_bound(struct tw_law *law, size_t j, enum tw_fit_bound bound, double lo, double hi);
/* Searches begin with parameter j there; within its range. */
void tw_law_own_start(struct tw_law *law, size_t j, double value);

/* tw_law.model_alloc of a law that is not in the table; use tw_law_model. */
void *tw_law_own_model(const struct tw_law *law, const struct tw_law_curve *runs, size_t n,
                       struct tw_err *err);

#endif
