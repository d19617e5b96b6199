/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "thalweg/train.h"

size_t tw_order_epoch(const struct tw_order *o)
{
    return o->drop_last ? o->n / o->batch : (o->n - 1) / o->batch + 1;
}

struct tw_order_place tw_order_place(const struct tw_order *o, size_t step)
{
    const bool spawned = step >= o->spawn;
    const size_t at = spawned ? step - o->spawn : step, epoch = tw_order_epoch(o);

    return (struct tw_order_place){ at / epoch, spawned ? 1u + (uint64_t)o->branch : 0u,
                                    at % epoch };
}

void tw_order_shuffle(const struct tw_order *o, struct tw_order_place at, size_t *shuffled)
{
    struct tw_rng rng = tw_rng_stream(o->seed, TW_RNG_BATCH, at.branch << 40 | at.epoch);

    for (size_t i = 0; i < o->n; i++)
        shuffled[i] = o->rows ? o->rows[i] : i;
    for (size_t i = 0; i + 1 < o->n; i++) {
        const size_t k = i + tw_rng_below(&rng, o->n - i), swap = shuffled[i];

        shuffled[i] = shuffled[k];
        shuffled[k] = swap;
    }
}
