/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Functions of one number. */
#include "reference.h"

#include <math.h>
#include <string.h>

#define PI 3.14159265358979323846

static double neg(double x, const double *p)
{
    (void)p;
    return -x;
}
static double magnitude(double x, const double *p)
{
    (void)p;
    return fabs(x);
}
static double sign(double x, const double *p)
{
    (void)p;
    return x > 0.0 ? 1.0 : x < 0.0 ? -1.0 : x;
}
static double reciprocal(double x, const double *p)
{
    (void)p;
    return 1.0 / x;
}
static double sigmoid(double x, const double *p)
{
    (void)p;
    return 1.0 / (1.0 + exp(-x));
}
static double relu(double x, const double *p)
{
    (void)p;
    return x < 0.0 ? 0.0 : x;
}
static double leaky(double x, const double *p)
{
    return x < 0.0 ? p[0] * x : x;
}
static double elu(double x, const double *p)
{
    return x < 0.0 ? p[0] * expm1(x) : x;
}
static double selu(double x, const double *p)
{
    return p[1] * elu(x, p);
}
static double celu(double x, const double *p)
{
    return x < 0.0 ? p[0] * expm1(x / p[0]) : x;
}
static double softplus(double x, const double *p)
{
    (void)p;
    return x > 0.0 ? x + log1p(exp(-x)) : log1p(exp(x));
}
static double softsign(double x, const double *p)
{
    (void)p;
    return x / (1.0 + fabs(x));
}
static double hard_sigmoid(double x, const double *p)
{
    const double y = p[0] * x + p[1];

    return y < 0.0 ? 0.0 : y > 1.0 ? 1.0 : y;
}
static double hard_swish(double x, const double *p)
{
    static const double sixth[] = { 1.0 / 6.0, 0.5 };

    (void)p;
    return x * hard_sigmoid(x, sixth);
}
static double mish(double x, const double *p)
{
    return x * tanh(softplus(x, p));
}
static double threshold(double x, const double *p)
{
    return isnan(x) || x > p[0] ? x : 0.0;
}
static double shrink(double x, const double *p)
{
    return x < -p[0] ? x + p[1] : x > p[0] ? x - p[1] : isnan(x) ? x : 0.0;
}
static double gelu(double x, const double *p)
{
    (void)p;
    return 0.5 * x * erfc(-x / sqrt(2.0));
}
static double gelu_tanh(double x, const double *p)
{
    (void)p;
    return 0.5 * x * (1.0 + tanh(sqrt(2.0 / PI) * (x + 0.044715 * x * x * x)));
}

/* The C library's functions, with the signature of the others. */
#define OF_LIBRARY(name)                                                                           \
    static double lib_##name(double x, const double *p)                                            \
    {                                                                                              \
        (void)p;                                                                                   \
        return name(x);                                                                            \
    }
OF_LIBRARY(floor)
OF_LIBRARY(ceil)
OF_LIBRARY(rint) /* half to even */
OF_LIBRARY(exp)
OF_LIBRARY(log)
OF_LIBRARY(sqrt)
OF_LIBRARY(sin)
OF_LIBRARY(cos)
OF_LIBRARY(tan)
OF_LIBRARY(asin)
OF_LIBRARY(acos)
OF_LIBRARY(atan)
OF_LIBRARY(sinh)
OF_LIBRARY(cosh)
OF_LIBRARY(asinh)
OF_LIBRARY(acosh)
OF_LIBRARY(atanh)
OF_LIBRARY(tanh)
OF_LIBRARY(erf)

/* Integers wrap, as they do in two's complement. */
static int64_t int_neg(int64_t x)
{
    return (int64_t)(0U - (uint64_t)x);
}
static int64_t int_abs(int64_t x)
{
    return x < 0 ? int_neg(x) : x;
}
static int64_t int_sign(int64_t x)
{
    return (x > 0) - (x < 0);
}
static int64_t int_relu(int64_t x)
{
    return x < 0 ? 0 : x;
}

static enum tw_status run_real(struct tw_ref *r, double (*f)(double, const double *))
{
    const struct tw_array *x = r->in[0];
    double p[2] = { 0.0, 0.0 };
    enum tw_status rc = tw_ref_need_real(r, x);

    if (rc == TW_OK)
        rc = tw_ref_out_like(r, 0, x);
    if (rc != TW_OK)
        return rc;
    for (int i = 0; i < 2 && r->row->param[i]; i++)
        p[i] = tw_node_real(r->node, r->row->param[i], r->row->absent[i]);
    for (size_t i = 0; i < x->n; i++)
        tw_array_set_real(&r->out[0], i, f(tw_array_real(x, i), p));
    return TW_OK;
}

static enum tw_status run(struct tw_ref *r)
{
    const struct tw_array *x = r->in[0];
    enum tw_status rc;

    if (tw_dtype_is_real(x->dtype) || !r->row->int1)
        return run_real(r, r->row->real1);
    rc = tw_ref_out_like(r, 0, x);
    for (size_t i = 0; rc == TW_OK && i < x->n; i++) {
        const int64_t v = tw_array_int(x, i);

        /* a large uint64 looks negative, but all of these leave it alone but Neg */
        if (x->dtype == TW_U64 && r->row->int1 != int_neg)
            tw_array_set_int(&r->out[0], i, r->row->int1 == int_sign ? v != 0 : v);
        else
            tw_array_set_int(&r->out[0], i, r->row->int1(v));
    }
    return rc;
}

static enum tw_status run_gelu(struct tw_ref *r)
{
    const char *how = tw_node_text(r->node, "approximate", "none");

    if (strcmp(how, "none") != 0 && strcmp(how, "tanh") != 0)
        return tw_ref_fail(r, "unknown approximation '%s'", how);
    return run_real(r, *how == 't' ? gelu_tanh : gelu);
}

static enum tw_status run_is(struct tw_ref *r)
{
    const struct tw_array *x = r->in[0];
    const bool positive = tw_node_int(r->node, "detect_positive", 1) != 0;
    const bool negative = tw_node_int(r->node, "detect_negative", 1) != 0;
    enum tw_status rc = tw_ref_need_real(r, x);

    if (rc == TW_OK)
        rc = tw_ref_out(r, 0, TW_BOOL, x->rank, x->dims);
    for (size_t i = 0; rc == TW_OK && i < x->n; i++) {
        const double v = tw_array_real(x, i);

        tw_array_set_int(&r->out[0], i,
                         r->row->which ? isinf(v) && (v > 0.0 ? positive : negative) : isnan(v));
    }
    return rc;
}

static enum tw_status run_not(struct tw_ref *r)
{
    const struct tw_array *x = r->in[0];
    const enum tw_status rc = tw_ref_out(r, 0, TW_BOOL, x->rank, x->dims);

    for (size_t i = 0; rc == TW_OK && i < x->n; i++)
        tw_array_set_int(&r->out[0], i, tw_array_int(x, i) == 0);
    return rc;
}

#define ROW(name, f)                                                                               \
    {                                                                                              \
        .op = name, .least = 1, .most = 1, .run = run, .real1 = (f)                                \
    }
#define ROW1(name, f, a, a0)                                                                       \
    {                                                                                              \
        .op = name, .least = 1, .most = 1, .run = run, .real1 = (f), .param = { a }, .absent = {   \
            a0                                                                                     \
        }                                                                                          \
    }
#define ROW2(name, f, a, a0, b, b0)                                                                \
    {                                                                                              \
        .op = name, .least = 1, .most = 1, .run = run, .real1 = (f), .param = { a, b },            \
        .absent = {                                                                                \
            a0,                                                                                    \
            b0                                                                                     \
        }                                                                                          \
    }
#define ROWI(name, f, i)                                                                           \
    {                                                                                              \
        .op = name, .least = 1, .most = 1, .run = run, .real1 = (f), .int1 = (i)                   \
    }

const struct tw_ref_op tw_ref_unary[] = {
    ROWI("Neg", neg, int_neg),
    ROWI("Abs", magnitude, int_abs),
    ROWI("Sign", sign, int_sign),
    ROWI("Relu", relu, int_relu),
    ROW("Floor", lib_floor),
    ROW("Ceil", lib_ceil),
    ROW("Round", lib_rint),
    ROW("Exp", lib_exp),
    ROW("Log", lib_log),
    ROW("Sqrt", lib_sqrt),
    ROW("Reciprocal", reciprocal),
    ROW("Sin", lib_sin),
    ROW("Cos", lib_cos),
    ROW("Tan", lib_tan),
    ROW("Asin", lib_asin),
    ROW("Acos", lib_acos),
    ROW("Atan", lib_atan),
    ROW("Sinh", lib_sinh),
    ROW("Cosh", lib_cosh),
    ROW("Asinh", lib_asinh),
    ROW("Acosh", lib_acosh),
    ROW("Atanh", lib_atanh),
    ROW("Tanh", lib_tanh),
    ROW("Sigmoid", sigmoid),
    ROW("Erf", lib_erf),
    ROW("Softplus", softplus),
    ROW("Softsign", softsign),
    ROW("HardSwish", hard_swish),
    ROW("Mish", mish),
    ROW1("LeakyRelu", leaky, "alpha", 0.01),
    ROW1("Elu", elu, "alpha", 1.0),
    ROW1("Celu", celu, "alpha", 1.0),
    ROW1("ThresholdedRelu", threshold, "alpha", 1.0),
    ROW2("Selu", selu, "alpha", 1.67326319217681884765625, "gamma", 1.05070102214813232421875),
    ROW2("HardSigmoid", hard_sigmoid, "alpha", 0.2, "beta", 0.5),
    ROW2("Shrink", shrink, "lambd", 0.5, "bias", 0.0),
    { .op = "Gelu", .least = 1, .most = 1, .run = run_gelu },
    { .op = "IsNaN", .least = 1, .most = 1, .run = run_is },
    { .op = "IsInf", .least = 1, .most = 1, .run = run_is, .which = 1 },
    { .op = "Not", .least = 1, .most = 1, .run = run_not },
    { .op = NULL },
};
