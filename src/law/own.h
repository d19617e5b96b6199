/* SPDX-License-Identifier: GPL-3.0-or-later */
/* law/own.h - what a user's own law is made of, and its starts. */
#ifndef TW_LAW_OWN_PARTS_H
#define TW_LAW_OWN_PARTS_H

#include "expr.h"

struct tw_own_law {
    struct tw_law law; /* first: a pointer to it is one to the whole */
    char *text, *name;
    struct tw_expr expr;
    struct tw_law_input input[TW_LAW_MAX_INPUTS];
    struct tw_fit_param param[TW_FIT_MAX_PARAMS];
    const char *meaning[TW_FIT_MAX_PARAMS];
    size_t input_name[TW_LAW_MAX_INPUTS]; /* its name's number in the expression */
    size_t param_name[TW_FIT_MAX_PARAMS];
    size_t param_of[TW_OWN_MAX_NAMES]; /* by name; SIZE_MAX: an input */
    bool linear[TW_FIT_MAX_PARAMS];    /* the law is linear in all of these taken together */
    bool exponent[TW_FIT_MAX_PARAMS];
    bool started[TW_FIT_MAX_PARAMS];
    double start[TW_FIT_MAX_PARAMS];
};

struct tw_own_model {
    const struct tw_own_law *own;
    size_t n;
    double *value[TW_LAW_MAX_INPUTS]; /* (n) each */
};

/* Point k of a sequence of starts: a parameter in which the law is linear is 1 or, if that is
 * outside its range, its middle. */
void tw_own_draw(const struct tw_own_model *m, size_t k, double *theta);
/* For tw_law. */
size_t tw_own_starts(const void *model, const double *y, double *theta, size_t max);
bool tw_own_project(const void *model, const double *y, double *theta);

/* What stands for the names at run i. */
void tw_own_names(const struct tw_own_model *m, size_t i, const double *theta, double *x);

#endif
