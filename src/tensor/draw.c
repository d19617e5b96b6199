/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Initial values by a law: made when they are wanted, which is never where a checkpoint has them.
 */
#include "thalweg/tensor.h"

enum { CHUNK = 1 << 16 };

static void draw_chunk(const struct tw_draw *d, size_t chunk, size_t n, float *x)
{
    struct tw_rng rng = tw_rng_stream(d->seed, TW_RNG_INIT, (uint64_t)d->stream << 32 | chunk);

    for (size_t i = 0; i < n; i++)
        x[i] = (float)(d->law == TW_DRAW_CONST     ? d->a
                       : d->law == TW_DRAW_UNIFORM ? d->a * (2.0 * tw_rng_real(&rng) - 1.0)
                                                   : d->a * tw_rng_normal(&rng));
}

void tw_draw(const struct tw_draw *d, size_t n, float *x)
{
    if (d->law == TW_DRAW_NONE)
        return;
#pragma omp parallel for schedule(dynamic, 1) if (n > CHUNK)
    for (size_t chunk = 0; chunk < (n + CHUNK - 1) / CHUNK; chunk++) {
        const size_t from = chunk * CHUNK;

        draw_chunk(d, chunk, n - from < CHUNK ? n - from : CHUNK, x + from);
    }
}

enum tw_status tw_value_initial(const struct tw_value *v, struct tw_array *out, struct tw_err *err)
{
    enum tw_status rc;

    if (v->draw.law == TW_DRAW_NONE)
        return tw_array_copy(out, &v->init, err);
    rc = tw_array_make(out, TW_F32, v->init.rank, v->init.dims, err);
    if (rc == TW_OK)
        tw_draw(&v->draw, out->n, out->data);
    return rc;
}
