/* SPDX-License-Identifier: GPL-3.0-or-later */
/* noise.h - a data set of normal features and drawn labels. */
#ifndef TESTS_NOISE_H
#define TESTS_NOISE_H

#include "num.h"
#include "thalweg/problem.h"

static inline struct tw_dataset noise_set(uint64_t seed, size_t rows, size_t features,
                                          size_t classes)
{
    struct tw_rng rng = tw_rng_stream(seed, TW_RNG_TEST, 0);
    const size_t dims[2] = { rows, features };
    struct tw_dataset d = { .name = NULL };

    assert_int_equal(tw_array_make(&d.x, TW_F32, 2, dims, NULL), TW_OK);
    assert_int_equal(tw_array_make(&d.y, TW_U8, 1, dims, NULL), TW_OK);
    for (size_t i = 0; i < d.x.n; i++)
        tw_array_set_real(&d.x, i, tw_rng_normal(&rng));
    for (size_t i = 0; i < rows; i++)
        tw_array_set_int(&d.y, i, (int64_t)tw_rng_below(&rng, classes));
    return d;
}

#endif
