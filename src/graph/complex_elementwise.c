/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Functions of one and of two complex numbers, and choice between two. */
#include <math.h>

#include "complex.h"

#define GELU_C 0.79788456080286535588 /* sqrt(2 / pi) */

/* ---- pieces -------------------------------------------------------------------------------- */

/* The edges between pieces, in ascending order. */
static int edges_of(const struct tw_unary_data *d, double edge[2])
{
    edge[0] = edge[1] = 0.0;
    switch (d->f) {
    case TW_U_RELU:
    case TW_U_LEAKY:
    case TW_U_ELU:
    case TW_U_SELU:
    case TW_U_CELU:
    case TW_U_ABS:
    case TW_U_SOFTSIGN:
        return 1;
    case TW_U_THRESHOLD:
        edge[0] = d->p0;
        return 1;
    case TW_U_HSIGMOID:
        edge[0] = fmin(-d->p1 / d->p0, (1.0 - d->p1) / d->p0);
        edge[1] = fmax(-d->p1 / d->p0, (1.0 - d->p1) / d->p0);
        return 2;
    case TW_U_HSWISH:
        edge[0] = -3.0;
        edge[1] = 3.0;
        return 2;
    case TW_U_CLIP:
        edge[0] = d->p0;
        edge[1] = d->p1;
        return 2;
    case TW_U_HUBER:
        edge[0] = -d->p0;
        edge[1] = d->p0;
        return 2;
    default:
        return 0;
    }
}

/* Of which side of 0 it is, that a denominator is written for. */
static bool is_two_sided(enum tw_unary f)
{
    return f == TW_U_TANH || f == TW_U_SIGMOID || f == TW_U_SILU || f == TW_U_SOFTPLUS ||
           f == TW_U_GELU_TANH || f == TW_U_MISH;
}

static bool is_stepwise(enum tw_unary f)
{
    return f == TW_U_SIGN || f == TW_U_FLOOR || f == TW_U_CEIL || f == TW_U_ROUND ||
           f == TW_U_NOT || f == TW_U_ISNAN;
}

static size_t piece_of(const struct tw_unary_data *d, double x)
{
    double edge[2];
    const int n = edges_of(d, edge);

    if (is_two_sided(d->f))
        return x > 0.0;
    return (size_t)(n > 0 && x > edge[0]) + (size_t)(n > 1 && x > edge[1]);
}

static void note_margins(struct tw_complex *c, const struct tw_unary_data *d, size_t piece,
                         struct tw_cx x)
{
    double edge[2];
    const size_t n = (size_t)edges_of(d, edge);

    if (n && piece > 0)
        cx_margin(c, cx(x.re - edge[piece - 1], x.im));
    if (piece < n)
        cx_margin(c, cx(edge[piece] - x.re, -x.im));
}

static double stepwise(enum tw_unary f, double x)
{
    switch (f) {
    case TW_U_SIGN:
        return x > 0.0 ? 1.0 : x < 0.0 ? -1.0 : x;
    case TW_U_FLOOR:
        return floor(x);
    case TW_U_CEIL:
        return ceil(x);
    case TW_U_ROUND:
        return nearbyint(x);
    case TW_U_NOT:
        return x == 0.0 ? 1.0 : 0.0;
    default:
        return isnan(x) ? 1.0 : 0.0;
    }
}

static struct tw_cx piecewise(const struct tw_unary_data *d, size_t piece, struct tw_cx x)
{
    const struct tw_cx e = d->f == TW_U_CELU ? cx_scale(1.0 / d->p0, x) : x;
    const double s = piece ? 1.0 : -1.0;

    switch (d->f) {
    case TW_U_RELU:
    case TW_U_THRESHOLD:
        return piece ? x : cx(0.0, 0.0);
    case TW_U_LEAKY:
        return piece ? x : cx_scale(d->p0, x);
    case TW_U_ELU:
    case TW_U_CELU:
        return piece ? x : cx_scale(d->p0, cx_sub(tw_cx_exp(e), cx(1.0, 0.0)));
    case TW_U_SELU:
        return cx_scale(d->p1, piece ? x : cx_scale(d->p0, cx_sub(tw_cx_exp(x), cx(1.0, 0.0))));
    case TW_U_ABS:
        return cx_scale(s, x);
    case TW_U_HSIGMOID:
        if (piece != 1)
            return cx((piece == 2) == (d->p0 > 0.0) ? 1.0 : 0.0, 0.0);
        return cx_add(cx_scale(d->p0, x), cx(d->p1, 0.0));
    case TW_U_HSWISH:
        if (piece != 1)
            return piece ? x : cx(0.0, 0.0);
        return cx_mul(x, cx_add(cx_scale(1.0 / 6.0, x), cx(0.5, 0.0)));
    case TW_U_CLIP:
        return piece == 1 ? x : cx(piece ? d->p1 : d->p0, 0.0);
    default: /* Huber's */
        if (piece == 1)
            return cx_scale(0.5, cx_mul(x, x));
        return cx_scale(d->p0, cx_sub(cx_scale(s, x), cx(0.5 * d->p0, 0.0)));
    }
}

/* ---- functions with a denominator ---------------------------------------------------------- */

static bool is_power(double p)
{
    return p >= 0.0 && p <= 16.0 && p == floor(p);
}

static bool has_watch(const struct tw_unary_data *d)
{
    switch (d->f) {
    case TW_U_LOG:
    case TW_U_LOG1P:
    case TW_U_SQRT:
    case TW_U_RSQRT:
    case TW_U_RECIP:
    case TW_U_SOFTSIGN:
        return true;
    case TW_U_POWC:
        return !is_power(d->p0);
    default:
        return is_two_sided(d->f);
    }
}

static const char *name_of(enum tw_unary f)
{
    switch (f) {
    case TW_U_TANH:
        return "tanh";
    case TW_U_SIGMOID:
        return "sigmoid";
    case TW_U_SILU:
        return "SiLU";
    case TW_U_SOFTPLUS:
        return "softplus";
    case TW_U_GELU_TANH:
        return "GELU by tanh";
    case TW_U_MISH:
        return "Mish";
    case TW_U_SOFTSIGN:
        return "softsign";
    case TW_U_LOG:
    case TW_U_LOG1P:
        return "logarithm";
    case TW_U_RECIP:
        return "quotient";
    default:
        return "root";
    }
}

static struct tw_cx inner_gelu(struct tw_cx x)
{
    const struct tw_cx cube = cx_mul(cx_mul(x, x), x);

    return cx_scale(2.0 * GELU_C, cx_add(x, cx_scale(0.044715, cube)));
}

/* 1 / (1 + e^-x) and e^x / (1 + e^x), whichever does not overflow. */
static struct tw_cx sigmoid(struct tw_cx x)
{
    const struct tw_cx e = tw_cx_exp(x.re > 0.0 ? cx(-x.re, -x.im) : x);
    const struct tw_cx q = cx_inverse(cx(1.0 + e.re, e.im));

    return x.re > 0.0 ? q : cx_mul(e, q);
}

/* x tanh(softplus x) = x q / (q + 2) with n = e^x, q = n (n + 2); both sides over n^2 where x was
 * positive: the zeros are those of (n + 1)^2 + 1. */
static struct tw_cx mish(struct tw_cx x, bool positive, struct tw_cx *log)
{
    const struct tw_cx n = tw_cx_exp(positive ? cx(-x.re, -x.im) : x), one = cx(1.0, 0.0);
    const struct tw_cx n2 = cx_mul(n, n);
    const struct tw_cx q = positive ? cx_add(one, cx_scale(2.0, n)) : cx_add(n2, cx_scale(2.0, n));
    const struct tw_cx w = cx_add(q, positive ? cx_scale(2.0, n2) : cx(2.0, 0.0));

    *log = tw_cx_log(w);
    return cx_mul(x, cx_mul(q, cx_inverse(w)));
}

/* The logarithm of what must not be zero. Factors that have no zero are left out of it, so that it
 * changes little. */
static struct tw_cx denominator(const struct tw_unary_data *d, size_t piece, struct tw_cx x)
{
    const double s = piece ? -1.0 : 1.0;

    switch (d->f) {
    case TW_U_TANH:
        return cx_log1pexp(cx_scale(2.0 * s, x));
    case TW_U_SIGMOID:
    case TW_U_SILU:
    case TW_U_SOFTPLUS:
        return cx_log1pexp(cx_scale(s, x));
    case TW_U_GELU_TANH:
        return cx_log1pexp(cx_scale(s, inner_gelu(x)));
    case TW_U_SOFTSIGN:
        return tw_cx_log(cx(1.0 - s * x.re, -s * x.im));
    case TW_U_LOG1P:
        return tw_cx_log(cx(1.0 + x.re, x.im));
    default:
        return tw_cx_log(x);
    }
}

static struct tw_cx power(struct tw_cx x, double p)
{
    struct tw_cx y = cx(1.0, 0.0);

    for (double k = 0.0; k < p; k += 1.0)
        y = cx_mul(y, x);
    return y;
}

/* log: of the denominator, in the branch wanted. */
static struct tw_cx with_watch(const struct tw_unary_data *d, size_t piece, struct tw_cx x,
                               struct tw_cx log)
{
    switch (d->f) {
    case TW_U_TANH: {
        const struct tw_cx y = sigmoid(cx_scale(2.0, x));

        return cx(2.0 * y.re - 1.0, 2.0 * y.im);
    }
    case TW_U_SIGMOID:
        return sigmoid(x);
    case TW_U_SILU:
        return cx_mul(x, sigmoid(x));
    case TW_U_GELU_TANH:
        return cx_mul(x, sigmoid(inner_gelu(x)));
    case TW_U_SOFTPLUS:
        return piece ? cx_add(x, log) : log;
    case TW_U_LOG:
    case TW_U_LOG1P:
        return log;
    case TW_U_SQRT:
        return tw_cx_exp(cx_scale(0.5, log));
    case TW_U_RSQRT:
        return tw_cx_exp(cx_scale(-0.5, log));
    case TW_U_RECIP:
        return cx_inverse(x);
    case TW_U_SOFTSIGN:
        return cx_mul(x, tw_cx_exp(cx_scale(-1.0, log)));
    default:
        return tw_cx_exp(cx_scale(d->p0, log));
    }
}

static struct tw_cx entire(const struct tw_unary_data *d, struct tw_cx x)
{
    switch (d->f) {
    case TW_U_COPY:
        return x;
    case TW_U_NEG:
        return cx(-x.re, -x.im);
    case TW_U_EXP:
        return tw_cx_exp(x);
    case TW_U_SQUARE:
        return cx_mul(x, x);
    case TW_U_POWC:
        return power(x, d->p0);
    case TW_U_SIN:
        return cx(sin(x.re) * cosh(x.im), cos(x.re) * sinh(x.im));
    case TW_U_COS:
        return cx(cos(x.re) * cosh(x.im), -sin(x.re) * sinh(x.im));
    case TW_U_ERF:
        return tw_cx_erf(x);
    default: { /* GELU: x Phi(x) */
        const struct tw_cx e = tw_cx_erf(cx_scale(0.70710678118654752440, x));

        return cx_scale(0.5, cx_mul(x, cx(1.0 + e.re, e.im)));
    }
    }
}

static struct cx_room unary_room(const struct tw_graph *g, const struct tw_instr *in)
{
    const struct tw_unary_data *d = in->data;
    const size_t n = g->val[in->out[0]].n;
    double edge[2];

    return (struct cx_room){ .watches = has_watch(d) ? n : 0,
                             .pieces = is_two_sided(d->f) || edges_of(d, edge) ? n : 0,
                             .what = name_of(d->f) };
}

static void unary_run(struct tw_complex *c, const struct tw_instr *in, size_t number)
{
    const struct tw_unary_data *d = in->data;
    const struct tw_cx *x = cx_val(c, in->in[0]);
    struct tw_cx *y = cx_val(c, in->out[0]);
    size_t *piece = cx_pieces(c, number);
    const struct cx_room *room = &c->place[number].room;

    for (size_t i = 0; i < c->g->val[in->out[0]].n; i++) {
        size_t mine = 0;

        if (is_stepwise(d->f)) {
            if (c->choosing)
                y[i] = cx(stepwise(d->f, x[i].re), 0.0);
            continue;
        }
        if (room->pieces) {
            if (c->choosing)
                piece[i] = piece_of(d, x[i].re);
            mine = piece[i];
            note_margins(c, d, mine, x[i]);
        }
        if (d->f == TW_U_MISH) {
            struct tw_cx log;

            y[i] = mish(x[i], mine, &log);
            (void)cx_watch(c, number, i, log);
        } else if (room->watches) {
            y[i] = with_watch(d, mine, x[i], cx_watch(c, number, i, denominator(d, mine, x[i])));
        } else {
            y[i] = room->pieces ? piecewise(d, mine, x[i]) : entire(d, x[i]);
        }
    }
}

/* ---- two ----------------------------------------------------------------------------------- */

static bool compares(enum tw_binary f)
{
    return f >= TW_B_EQ && f <= TW_B_XOR;
}

static double compare(enum tw_binary f, double a, double b)
{
    switch (f) {
    case TW_B_EQ:
        return a == b;
    case TW_B_LT:
        return a < b;
    case TW_B_LE:
        return a <= b;
    case TW_B_GT:
        return a > b;
    case TW_B_GE:
        return a >= b;
    case TW_B_AND:
        return a != 0.0 && b != 0.0;
    case TW_B_OR:
        return a != 0.0 || b != 0.0;
    default:
        return (a != 0.0) != (b != 0.0);
    }
}

static struct cx_room binary_room(const struct tw_graph *g, const struct tw_instr *in)
{
    const struct tw_binary_data *d = in->data;
    const size_t n = g->val[in->out[0]].n;
    const bool divides = d->f == TW_B_DIV || d->f == TW_B_POW;

    return (struct cx_room){ .watches = divides ? n : 0,
                             .pieces = d->f == TW_B_MAX || d->f == TW_B_MIN ? n : 0,
                             .what = d->f == TW_B_DIV ? "quotient" : "power",
                             .bad = d->f == TW_B_MOD || d->f == TW_B_FMOD };
}

static struct tw_cx combine(struct tw_complex *c, size_t number, enum tw_binary f, size_t i,
                            struct tw_cx a, struct tw_cx b)
{
    size_t *piece = cx_pieces(c, number);

    switch (f) {
    case TW_B_ADD:
        return cx_add(a, b);
    case TW_B_SUB:
        return cx_sub(a, b);
    case TW_B_MUL:
        return cx_mul(a, b);
    case TW_B_FIRST:
        return a;
    case TW_B_DIV:
        (void)cx_watch(c, number, i, tw_cx_log(b));
        return cx_mul(a, cx_inverse(b));
    case TW_B_POW:
        return tw_cx_exp(cx_mul(b, cx_watch(c, number, i, tw_cx_log(a))));
    default: /* the larger, or the smaller */
        if (c->choosing)
            piece[i] = (a.re < b.re) == (f == TW_B_MAX);
        cx_margin(c, (f == TW_B_MAX) == (piece[i] != 0) ? cx_sub(b, a) : cx_sub(a, b));
        return piece[i] ? b : a;
    }
}

static void binary_run(struct tw_complex *c, const struct tw_instr *in, size_t number)
{
    const struct tw_binary_data *d = in->data;
    const struct tw_cx *a = cx_val(c, in->in[0]), *b = cx_val(c, in->in[1]);
    struct tw_cx *y = cx_val(c, in->out[0]);
    struct cx_walk w = { .l = &d->loop };

    if (!tw_loop_count(&d->loop) || (compares(d->f) && !c->choosing))
        return;
    do {
        y[w.y] = compares(d->f) ? cx(compare(d->f, a[w.a].re, b[w.b].re), 0.0)
                                : combine(c, number, d->f, (size_t)w.y, a[w.a], b[w.b]);
    } while (cx_next(&w));
}

/* The condition is a comparison, of t = 0 or of what does not move. */
static void select_run(struct tw_complex *c, const struct tw_instr *in, size_t number)
{
    const struct tw_binary_data *d = in->data;
    const struct tw_cx *q = cx_val(c, in->in[0]);
    const struct tw_cx *a = cx_val(c, in->in[1]), *b = cx_val(c, in->in[2]);
    struct tw_cx *y = cx_val(c, in->out[0]);
    struct cx_walk w = { .l = &d->loop };
    size_t *piece = cx_pieces(c, number);

    if (!tw_loop_count(&d->loop))
        return;
    do {
        if (c->choosing)
            piece[w.y] = q[w.c].re != 0.0;
        y[w.y] = piece[w.y] ? a[w.a] : b[w.b];
    } while (cx_next(&w));
}

static struct cx_room select_room(const struct tw_graph *g, const struct tw_instr *in)
{
    return (struct cx_room){ .pieces = g->val[in->out[0]].n };
}

const struct cx_op cx_elementwise[] = { { &tw_op_unary, unary_room, unary_run },
                                        { &tw_op_binary, binary_room, binary_run },
                                        { &tw_op_select, select_room, select_run },
                                        { NULL, NULL, NULL } };
