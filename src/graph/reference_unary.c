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

#define ONE .least = 1, .most = 1

const struct tw_ref_op tw_ref_unary[] = {
    { .op = "Neg", ONE, .run = run, .real1 = neg, .int1 = int_neg },
    { .op = "Abs", ONE, .run = run, .real1 = magnitude, .int1 = int_abs },
    { .op = "Sign", ONE, .run = run, .real1 = sign, .int1 = int_sign },
    { .op = "Relu", ONE, .run = run, .real1 = relu, .int1 = int_relu },
    { .op = "Floor", ONE, .run = run, .real1 = lib_floor },
    { .op = "Ceil", ONE, .run = run, .real1 = lib_ceil },
    { .op = "Round", ONE, .run = run, .real1 = lib_rint },
    { .op = "Exp", ONE, .run = run, .real1 = lib_exp },
    { .op = "Log", ONE, .run = run, .real1 = lib_log },
    { .op = "Sqrt", ONE, .run = run, .real1 = lib_sqrt },
    { .op = "Reciprocal", ONE, .run = run, .real1 = reciprocal },
    { .op = "Sin", ONE, .run = run, .real1 = lib_sin },
    { .op = "Cos", ONE, .run = run, .real1 = lib_cos },
    { .op = "Tan", ONE, .run = run, .real1 = lib_tan },
    { .op = "Asin", ONE, .run = run, .real1 = lib_asin },
    { .op = "Acos", ONE, .run = run, .real1 = lib_acos },
    { .op = "Atan", ONE, .run = run, .real1 = lib_atan },
    { .op = "Sinh", ONE, .run = run, .real1 = lib_sinh },
    { .op = "Cosh", ONE, .run = run, .real1 = lib_cosh },
    { .op = "Asinh", ONE, .run = run, .real1 = lib_asinh },
    { .op = "Acosh", ONE, .run = run, .real1 = lib_acosh },
    { .op = "Atanh", ONE, .run = run, .real1 = lib_atanh },
    { .op = "Tanh", ONE, .run = run, .real1 = lib_tanh },
    { .op = "Sigmoid", ONE, .run = run, .real1 = sigmoid },
    { .op = "Erf", ONE, .run = run, .real1 = lib_erf },
    { .op = "Softplus", ONE, .run = run, .real1 = softplus },
    { .op = "Softsign", ONE, .run = run, .real1 = softsign },
    { .op = "HardSwish", ONE, .run = run, .real1 = hard_swish },
    { .op = "Mish", ONE, .run = run, .real1 = mish },
    { .op = "LeakyRelu",
      ONE,
      .run = run,
      .real1 = leaky,
      .param = { "alpha" },
      .absent = { 0.01 } },
    { .op = "Elu", ONE, .run = run, .real1 = elu, .param = { "alpha" }, .absent = { 1.0 } },
    { .op = "Celu", ONE, .run = run, .real1 = celu, .param = { "alpha" }, .absent = { 1.0 } },
    { .op = "ThresholdedRelu",
      ONE,
      .run = run,
      .real1 = threshold,
      .param = { "alpha" },
      .absent = { 1.0 } },
    { .op = "Selu",
      ONE,
      .run = run,
      .real1 = selu,
      .param = { "alpha", "gamma" },
      .absent = { 1.67326319217681884765625, 1.05070102214813232421875 } },
    { .op = "HardSigmoid",
      ONE,
      .run = run,
      .real1 = hard_sigmoid,
      .param = { "alpha", "beta" },
      .absent = { 0.2, 0.5 } },
    { .op = "Shrink",
      ONE,
      .run = run,
      .real1 = shrink,
      .param = { "lambd", "bias" },
      .absent = { 0.5, 0.0 } },
    { .op = "Gelu", ONE, .run = run_gelu },
    { .op = "IsNaN", ONE, .run = run_is },
    { .op = "IsInf", ONE, .run = run_is, .which = 1 },
    { .op = "Not", ONE, .run = run_not },
    { .op = NULL },
};
