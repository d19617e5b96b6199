/* SPDX-License-Identifier: GPL-3.0-or-later */
/* oracle_families.h - tests/samples/families/NAME.h5: networks as PyTorch computes them; made by
 * tests/oracle/families.py. The tests run in the root of the tree. */
#ifndef TESTS_ORACLE_FAMILIES_H
#define TESTS_ORACLE_FAMILIES_H

#include <stdio.h>
#include <stdlib.h>

#include "num.h"
#include "thalweg/store_result.h"

static const char *const oracle_names[] = { "mlp",
                                            "mlp-batch",
                                            "lenet",
                                            "resnet20-a",
                                            "resnet20-b",
                                            "resnet20-plain",
                                            "gpt",
                                            "gpt-untied",
                                            "vit",
                                            "vit-mean",
                                            "conv1d",
                                            "act-relu",
                                            "act-tanh",
                                            "act-gelu",
                                            "act-gelu_tanh",
                                            "act-silu",
                                            "act-elu",
                                            "act-selu",
                                            "act-leaky_relu",
                                            "act-sigmoid",
                                            "act-softplus",
                                            "act-hardswish",
                                            "act-identity",
                                            "loss-0",
                                            "loss-1",
                                            "loss-2",
                                            "loss-3",
                                            "loss-4",
                                            "loss-5",
                                            "loss-6",
                                            "loss-gpt",
                                            NULL };

struct oracle {
    struct tw_result *r;
    char *spec, *objective;
    size_t nweights;
};

static inline void oracle_count(void *ctx, const char *path, const char *type, const char *shape,
                                const char *value)
{
    size_t *n = ctx;

    (void)shape;
    (void)value;
    if (!strncmp(path, "/weights/", 9) && !strchr(path, '@') && strcmp(type, "group") != 0)
        ++*n;
}

static inline struct oracle oracle_open(const char *name)
{
    struct tw_err err = { 0 };
    struct oracle o = { 0 };
    char path[256];

    (void)snprintf(path, sizeof path, "tests/samples/families/%s.h5", name);
    o.r = tw_result_open(path, "oracle", &err);
    if (!o.r || tw_result_get_text(o.r, "/spec", &o.spec, &err) != TW_OK ||
        tw_result_get_text(o.r, "/objective", &o.objective, &err) != TW_OK ||
        tw_info_hdf5(path, oracle_count, &o.nweights, &err) != TW_OK)
        fail_msg("%s", err.msg);
    return o;
}

static inline void oracle_close(struct oracle *o)
{
    tw_result_done(o->r);
    free(o->spec);
    free(o->objective);
}

/* The data set FOLDER/NAME ("": of the root); the caller frees it. */
static inline double *oracle_get(struct oracle *o, const char *folder, const char *name, int rank,
                                 size_t *dims)
{
    struct tw_err err = { 0 };
    double *x = NULL;
    char path[256];

    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    if (tw_result_get_reals(o->r, path, rank, dims, &x, &err) != TW_OK)
        fail_msg("%s", err.msg);
    return x;
}

#endif
