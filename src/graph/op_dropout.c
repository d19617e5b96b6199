/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What multiplies a value in training: 0 with probability p, else 1 / (1 - p) (Srivastava et al.
 * 2014, "Dropout", section 10, as frameworks scale it). The stream of a sample depends on (seed,
 * node, row) alone, so that the same row is treated the same in whatever batch and on any thread.
 */
#include "ir.h"

static void dropout_forward(const struct tw_run *r, const struct tw_instr *in, size_t number)
{
    const struct tw_dropout_data *d = in->data;
    const size_t n = tw_val_of(r, in->out[0])->n;
    const double keep = d->p < 1.0 ? 1.0 / (1.0 - d->p) : 0.0;
    void *y = tw_plane(r, in->out[0], 0);

    (void)number;
    for (size_t s = r->me; s < r->lanes; s += r->team) {
        const size_t i = r->first + s;
        const uint64_t row = s >= r->samples ? 0 : r->rows ? r->rows[i] : i;
        struct tw_rng rng = tw_rng_stream(r->dropout_seed, TW_RNG_DROPOUT, d->node << 40 ^ row);

        for (size_t e = 0; e < n; e++)
            tw_put_real(r->k, y, e * r->lanes + s,
                        (double)tw_rng_u32(&rng) < d->p * 0x1p32 ? 0.0 : keep);
    }
    tw_run_wait(r);
}

const struct tw_op tw_op_dropout = { .name = "dropout", .forward = dropout_forward };
