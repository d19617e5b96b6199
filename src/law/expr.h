/* SPDX-License-Identifier: GPL-3.0-or-later */
/* law/expr.h - an expression of numbers and names: its tree, its value, and its derivatives by
 * forward mode (dual numbers: Wengert 1964, Communications of the ACM 7, 463). */
#ifndef TW_LAW_EXPR_H
#define TW_LAW_EXPR_H

#include "thalweg/law_own.h"

enum { TW_EXPR_MAX_LENGTH = 1000, TW_EXPR_MAX_NODES = 256, TW_EXPR_MAX_DEPTH = 40 };

enum tw_expr_op {
    TW_EXPR_NUMBER,
    TW_EXPR_NAME,
    TW_EXPR_NEG,
    TW_EXPR_ADD,
    TW_EXPR_SUB,
    TW_EXPR_MUL,
    TW_EXPR_DIV,
    TW_EXPR_POW,
    TW_EXPR_EXP,
    TW_EXPR_LOG,
    TW_EXPR_SQRT,
    TW_EXPR_ABS,
    TW_EXPR_MIN,
    TW_EXPR_MAX
};

struct tw_expr_node {
    enum tw_expr_op op;
    size_t a, b;   /* operands: nodes before this one; b only where there are two */
    size_t name;   /* of TW_EXPR_NAME */
    double number; /* of TW_EXPR_NUMBER */
    size_t at;     /* column in the text, from 1 */
};

/* The last node is the whole. */
struct tw_expr {
    size_t n, nnames;
    struct tw_expr_node node[TW_EXPR_MAX_NODES];
    char name[TW_OWN_MAX_NAMES][TW_OWN_NAME_SIZE]; /* in order of appearance */
};

/* TW_EINVAL: one sentence with the column, which also goes to *at (from 1; 0: no one place). */
enum tw_status tw_expr_parse(const char *text, struct tw_expr *e, size_t *at,
                             struct tw_err *err) TW_CHECKED;

/* The value for x (by name); work holds e->n. */
double tw_expr_value(const struct tw_expr *e, const double *x, double *work);

/* The same with derivatives: of is the number of the parameter that a name is, or SIZE_MAX for
 * none. work holds e->n * (1 + np), grad np. */
double tw_expr_gradient(const struct tw_expr *e, const double *x, const size_t *of, size_t np,
                        double *work, double *grad);

/* After tw_expr_value: the first node that is no number while its operands are, described as
 * "division by zero at column 7", into out; false if there is none. */
bool tw_expr_fault(const struct tw_expr *e, const double *work, char *out, size_t size);

/* Is the whole of degree one at most in the names of this set (bit by name) taken together? */
bool tw_expr_linear(const struct tw_expr *e, unsigned set);

/* Where a name stands, for the bounds that it has when none are given. */
enum {
    TW_EXPR_EXPONENT = 1, /* in an exponent */
    TW_EXPR_INSIDE = 2    /* a term of a function's argument */
};
unsigned tw_expr_place(const struct tw_expr *e, size_t name);

#endif
