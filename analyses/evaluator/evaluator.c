/* SPDX-License-Identifier: GPL-3.0-or-later */
/* An evaluator in C without a library: logistic regression on data made by a formula, by the
 * protocol of thalweg-evaluator(7).
 *
 *     cc -O2 -o evaluator evaluator.c -lm
 *     thalweg evaluator check './evaluator 5 40'
 *
 * Arguments: inputs (5), samples (40). The network is z = gain (w.x + b), with parameters w and b
 * and a buffer `gain`; the loss of a sample with label y = -1 or 1 is log(1 + exp(-y z)), a softmax
 * with logits 0 of class 0 and z of class 1. */
#define _POSIX_C_SOURCE 200809L
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

struct model {
    size_t inputs, samples;
    unsigned char *memory; /* shared with thalweg */
    const double *at;      /* w, then b */
    double gain;
};

static double feature(size_t i, size_t j)
{
    return sin(1.0 + 7.1 * (double)i + 3.3 * (double)j);
}

static double label(size_t i)
{
    return sin(2.7 * (double)i) > 0.3 ? 1.0 : -1.0;
}

/* v is w, then b. */
static double along(const struct model *m, size_t i, const double *v)
{
    double z = v[m->inputs];

    for (size_t j = 0; j < m->inputs; j++)
        z += v[j] * feature(i, j);
    return m->gain * z;
}

/* ---- the numbers: means over samples -----------------------------------------------------------
 */

static double loss(const struct model *m, double *samples, double *correct)
{
    double sum = 0.0;

    for (size_t i = 0; i < m->samples; i++) {
        const double yz = label(i) * along(m, i, m->at);
        const double l = yz > 0.0 ? log1p(exp(-yz)) : log1p(exp(yz)) - yz;

        sum += l;
        if (samples)
            samples[i] = l;
        if (correct)
            correct[i] = yz > 0.0 ? 1.0 : 0.0;
    }
    return sum / (double)m->samples;
}

/* out = the gradient (v NULL) or the Hessian times v. */
static void derivative(const struct model *m, const double *v, double *out)
{
    memset(out, 0, (m->inputs + 1) * sizeof *out);
    for (size_t i = 0; i < m->samples; i++) {
        const double y = label(i), p = 1.0 / (1.0 + exp(y * along(m, i, m->at)));
        double c = v ? p * (1.0 - p) * along(m, i, v) : -y * p;

        c *= m->gain / (double)m->samples;
        for (size_t j = 0; j < m->inputs; j++)
            out[j] += c * feature(i, j);
        out[m->inputs] += c;
    }
}

static double slope(const struct model *m, const double *v)
{
    double sum = 0.0;

    for (size_t i = 0; i < m->samples; i++) {
        const double y = label(i), p = 1.0 / (1.0 + exp(y * along(m, i, m->at)));

        sum -= y * p * along(m, i, v);
    }
    return sum / (double)m->samples;
}

/* Two of each sample: of the point (v NULL), or their derivatives along v. */
static void logits(const struct model *m, const double *v, double *out)
{
    for (size_t i = 0; i < m->samples; i++) {
        out[2 * i] = 0.0;
        out[2 * i + 1] = along(m, i, v ? v : m->at);
    }
}

/* ---- the protocol -------------------------------------------------------------------------------
 */

/* The value of a key that holds a whole number; thalweg writes no blanks. */
static long number(const char *line, const char *key, long otherwise)
{
    char quoted[40];
    const char *p;

    snprintf(quoted, sizeof quoted, "\"%s\":", key);
    p = strstr(line, quoted);
    return p ? strtol(p + strlen(quoted), NULL, 10) : otherwise;
}

static double *place(const struct model *m, const char *line, const char *key)
{
    const long offset = number(line, key, -1);

    return offset < 0 ? NULL : (double *)(void *)(m->memory + offset);
}

static int asks(const char *line, const char *op)
{
    char quoted[40];

    snprintf(quoted, sizeof quoted, "\"op\":\"%s\"", op);
    return strstr(line, quoted) != NULL;
}

static void greet(const struct model *m, FILE *out)
{
    fprintf(out,
            "{\"twep\":1,\"name\":\"logistic regression\",\"dtype\":\"f64\",\"n\":%zu,"
            "\"data\":\"a formula\",\"checkpoints\":2,\"width\":2,\"classes\":2,"
            "\"can\":[\"loss\",\"grad\",\"jvp\",\"hvp\",\"samples\",\"correct\",\"logits\",\"logit_"
            "jvp\","
            "\"labels\"],\"tensors\":["
            "{\"name\":\"fc1.weight\",\"shape\":[1,%zu],\"kind\":\"weight\"},"
            "{\"name\":\"fc1.bias\",\"shape\":[1],\"kind\":\"bias\"},"
            "{\"name\":\"gain\",\"shape\":[],\"kind\":\"buffer\"}]}\n",
            m->samples, m->inputs);
    fflush(out);
}

/* Checkpoint k of two. */
static void get(const struct model *m, const char *line)
{
    const long k = number(line, "index", 0);
    double *out = place(m, line, "out");

    for (size_t j = 0; j <= m->inputs; j++)
        out[j] = 0.5 * cos((double)(k + 1) * (double)(j + 1));
    *place(m, line, "buffers") = 1.0 + 0.25 * (double)k;
}

/* Answers one line; false: goodbye. */
static int answer(struct model *m, const char *line, FILE *out)
{
    const long id = number(line, "id", 0);
    const double *buffers;

    if (asks(line, "bye"))
        return 0;
    if (asks(line, "map")) {
        const char *fd = getenv("TWEP_MEM_FD");
        void *p = mmap(NULL, (size_t)number(line, "size", 0), PROT_READ | PROT_WRITE, MAP_SHARED,
                       fd ? atoi(fd) : 5, 0);

        m->memory = p;
        fprintf(out, p == MAP_FAILED ? "{\"id\":%ld,\"error\":\"mmap\"}\n" : "{\"id\":%ld}\n", id);
        return fflush(out) == 0;
    }
    m->at = place(m, line, "at");
    buffers = place(m, line, "buffers");
    m->gain = buffers ? *buffers : 1.0;
    if (asks(line, "get")) {
        get(m, line);
        fprintf(out, "{\"id\":%ld}\n", id);
    } else if (asks(line, "loss") || asks(line, "grad")) {
        if (asks(line, "grad"))
            derivative(m, NULL, place(m, line, "out"));
        if (place(m, line, "logits"))
            logits(m, NULL, place(m, line, "logits"));
        fprintf(out, "{\"id\":%ld,\"loss\":%.17g}\n", id,
                loss(m, place(m, line, "samples"), place(m, line, "correct")));
    } else if (asks(line, "labels")) {
        for (size_t i = 0; i < m->samples; i++)
            place(m, line, "labels")[i] = label(i) > 0.0 ? 1.0 : 0.0;
        fprintf(out, "{\"id\":%ld}\n", id);
    } else if (asks(line, "logit_jvp")) {
        logits(m, place(m, line, "vec"), place(m, line, "slopes"));
        fprintf(out, "{\"id\":%ld}\n", id);
    } else if (asks(line, "jvp")) {
        fprintf(out, "{\"id\":%ld,\"slope\":%.17g}\n", id, slope(m, place(m, line, "vec")));
    } else if (asks(line, "hvp")) {
        derivative(m, place(m, line, "vec"), place(m, line, "out"));
        fprintf(out, "{\"id\":%ld}\n", id);
    } else {
        fprintf(out, "{\"id\":%ld,\"error\":\"unsupported\"}\n", id);
    }
    return fflush(out) == 0;
}

int main(int argc, char **argv)
{
    struct model m = { argc > 1 ? strtoul(argv[1], NULL, 10) : 5,
                       argc > 2 ? strtoul(argv[2], NULL, 10) : 40, NULL, NULL, 1.0 };
    const char *in_fd = getenv("TWEP_IN_FD"), *out_fd = getenv("TWEP_OUT_FD");
    FILE *in = in_fd ? fdopen(atoi(in_fd), "r") : NULL;
    FILE *out = out_fd ? fdopen(atoi(out_fd), "w") : NULL;
    char *line = NULL;
    size_t size = 0;

    if (!in || !out) {
        fputs("this is an evaluator: thalweg evaluator check './evaluator'\n", stderr);
        return 2;
    }
    greet(&m, out);
    while (getline(&line, &size, in) > 0 && answer(&m, line, out))
        ;
    free(line);
    return 0;
}
