/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "expr.h"

static bool binary(enum tw_expr_op op)
{
    return (op >= TW_EXPR_ADD && op <= TW_EXPR_POW) || op == TW_EXPR_MIN || op == TW_EXPR_MAX;
}

static bool leaf(enum tw_expr_op op)
{
    return op == TW_EXPR_NUMBER || op == TW_EXPR_NAME;
}

/* ---- values --------------------------------------------------------------------------------- */

static double apply(const struct tw_expr_node *q, const double *x, double a, double b)
{
    switch (q->op) {
    case TW_EXPR_NUMBER:
        return q->number;
    case TW_EXPR_NAME:
        return x[q->name];
    case TW_EXPR_NEG:
        return -a;
    case TW_EXPR_ADD:
        return a + b;
    case TW_EXPR_SUB:
        return a - b;
    case TW_EXPR_MUL:
        return a * b;
    case TW_EXPR_DIV:
        return a / b;
    case TW_EXPR_POW:
        return pow(a, b);
    case TW_EXPR_EXP:
        return exp(a);
    case TW_EXPR_LOG:
        return log(a);
    case TW_EXPR_SQRT:
        return sqrt(a);
    case TW_EXPR_ABS:
        return fabs(a);
    case TW_EXPR_MIN:
        return b < a ? b : a;
    case TW_EXPR_MAX:
        return b > a ? b : a;
    }
    return NAN;
}

double tw_expr_value(const struct tw_expr *e, const double *x, double *work)
{
    for (size_t k = 0; k < e->n; k++)
        work[k] = apply(&e->node[k], x, work[e->node[k].a], work[e->node[k].b]);
    return work[e->n - 1];
}

/* ---- derivatives ------------------------------------------------------------------------------
 */

/* The derivatives of a node by its operands. A zero power of zero, and a power of zero by its
 * exponent, do not change. */
static void slopes(const struct tw_expr_node *q, double a, double b, double v, double *da,
                   double *db)
{
    *da = 1.0;
    *db = 0.0;
    switch (q->op) {
    case TW_EXPR_NUMBER:
    case TW_EXPR_NAME:
        break;
    case TW_EXPR_NEG:
        *da = -1.0;
        break;
    case TW_EXPR_ADD:
        *db = 1.0;
        break;
    case TW_EXPR_SUB:
        *db = -1.0;
        break;
    case TW_EXPR_MUL:
        *da = b;
        *db = a;
        break;
    case TW_EXPR_DIV:
        *da = 1.0 / b;
        *db = -v / b;
        break;
    case TW_EXPR_POW:
        *da = b != 0.0 ? b * pow(a, b - 1.0) : 0.0;
        *db = v != 0.0 ? v * log(a) : 0.0;
        break;
    case TW_EXPR_EXP:
        *da = v;
        break;
    case TW_EXPR_LOG:
        *da = 1.0 / a;
        break;
    case TW_EXPR_SQRT:
        *da = 0.5 / v;
        break;
    case TW_EXPR_ABS:
        *da = a > 0.0 ? 1.0 : a < 0.0 ? -1.0 : 0.0;
        break;
    case TW_EXPR_MIN:
        *db = b < a ? 1.0 : 0.0;
        *da = 1.0 - *db;
        break;
    case TW_EXPR_MAX:
        *db = b > a ? 1.0 : 0.0;
        *da = 1.0 - *db;
        break;
    }
}

/* A derivative of zero stays zero, whatever it is multiplied with: an operand that no parameter
 * moves may have an infinite slope. */
static double times(double slope, double d)
{
    return d != 0.0 ? slope * d : 0.0;
}

double tw_expr_gradient(const struct tw_expr *e, const double *x, const size_t *of, size_t np,
                        double *work, double *grad)
{
    double *all = work + e->n;

    for (size_t k = 0; k < e->n; k++) {
        const struct tw_expr_node *q = &e->node[k];
        const double a = work[q->a], b = work[q->b];
        const double *ga = all + q->a * np, *gb = all + q->b * np;
        double *g = all + k * np, da, db;

        work[k] = apply(q, x, a, b);
        if (leaf(q->op)) {
            memset(g, 0, np * sizeof *g);
            if (q->op == TW_EXPR_NAME && of[q->name] < np)
                g[of[q->name]] = 1.0;
            continue;
        }
        slopes(q, a, b, work[k], &da, &db);
        for (size_t j = 0; j < np; j++)
            g[j] = times(da, ga[j]) + (binary(q->op) ? times(db, gb[j]) : 0.0);
    }
    memcpy(grad, all + (e->n - 1) * np, np * sizeof *grad);
    return work[e->n - 1];
}

/* ---- faults ---------------------------------------------------------------------------------- */

bool tw_expr_fault(const struct tw_expr *e, const double *work, char *out, size_t size)
{
    for (size_t k = 0; k < e->n; k++) {
        const struct tw_expr_node *q = &e->node[k];
        const double a = work[q->a], b = work[q->b];

        if (isfinite(work[k]) || leaf(q->op) || !isfinite(a) || (binary(q->op) && !isfinite(b)))
            continue;
        if (q->op == TW_EXPR_DIV && b == 0.0)
            (void)snprintf(out, size, "division by zero at column %zu", q->at);
        else if (q->op == TW_EXPR_LOG || q->op == TW_EXPR_SQRT)
            (void)snprintf(out, size, "%s of %.6g at column %zu",
                           q->op == TW_EXPR_LOG ? "log" : "sqrt", a, q->at);
        else if (q->op == TW_EXPR_POW && a <= 0.0)
            (void)snprintf(out, size, "%.6g to the power %.6g at column %zu", a, b, q->at);
        else
            (void)snprintf(out, size, "a number too large at column %zu", q->at);
        return true;
    }
    return false;
}

/* ---- structure ------------------------------------------------------------------------------- */

bool tw_expr_linear(const struct tw_expr *e, unsigned set)
{
    unsigned char degree[TW_EXPR_MAX_NODES] = { 0 }; /* 2: more than one, or no polynomial */

    for (size_t k = 0; k < e->n; k++) {
        const struct tw_expr_node *q = &e->node[k];
        const unsigned a = degree[q->a], b = degree[q->b];
        unsigned d;

        if (leaf(q->op))
            d = q->op == TW_EXPR_NAME && set >> q->name & 1u;
        else if (q->op == TW_EXPR_NEG)
            d = a;
        else if (q->op == TW_EXPR_ADD || q->op == TW_EXPR_SUB)
            d = a > b ? a : b;
        else if (q->op == TW_EXPR_MUL)
            d = a + b;
        else if (q->op == TW_EXPR_DIV)
            d = b ? 2 : a;
        else
            d = a || (binary(q->op) && b) ? 2 : 0;
        degree[k] = (unsigned char)(d < 2 ? d : 2);
    }
    return degree[e->n - 1] < 2;
}

/* Where each node stands: of a whole, or an operand. Nodes come after their operands, so one
 * pass from the last to the first is enough. */
unsigned tw_expr_place(const struct tw_expr *e, size_t name)
{
    unsigned char place[TW_EXPR_MAX_NODES] = { 0 };
    unsigned found = 0;

    for (size_t k = e->n; k-- > 0;) {
        const struct tw_expr_node *q = &e->node[k];
        const unsigned here = place[k];

        if (q->op == TW_EXPR_NAME && q->name == name)
            found |= here;
        if (leaf(q->op))
            continue;
        if (q->op == TW_EXPR_ADD || q->op == TW_EXPR_SUB || q->op == TW_EXPR_NEG) {
            place[q->a] = (unsigned char)here;
            if (binary(q->op))
                place[q->b] = (unsigned char)here;
        } else if (q->op == TW_EXPR_POW) {
            place[q->a] = here & TW_EXPR_EXPONENT;
            place[q->b] = TW_EXPR_EXPONENT;
        } else if (binary(q->op) && q->op != TW_EXPR_MIN && q->op != TW_EXPR_MAX) {
            place[q->a] = place[q->b] = here & TW_EXPR_EXPONENT;
        } else if (q->op == TW_EXPR_MIN || q->op == TW_EXPR_MAX) {
            place[q->a] = place[q->b] = (unsigned char)here;
        } else {
            place[q->a] = TW_EXPR_INSIDE;
        }
    }
    return found;
}
