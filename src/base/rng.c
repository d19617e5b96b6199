/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Philox4x32-10: Salmon, Moraes, Dror, Shaw, SC 2011, section 3.3 and table 2 (constants). */
#include "thalweg/base.h"

#include <math.h>

void tw_philox4x32(const uint32_t ctr[4], const uint32_t key[2], uint32_t out[4])
{
    uint32_t c0 = ctr[0], c1 = ctr[1], c2 = ctr[2], c3 = ctr[3];
    uint32_t k0 = key[0], k1 = key[1];

    for (int round = 0; round < 10; round++) {
        uint64_t p0 = (uint64_t)0xD2511F53u * c0;
        uint64_t p1 = (uint64_t)0xCD9E8D57u * c2;

        c0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
        c1 = (uint32_t)p1;
        c2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c3 = (uint32_t)p0;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    out[0] = c0;
    out[1] = c1;
    out[2] = c2;
    out[3] = c3;
}

struct tw_rng tw_rng_stream(uint64_t seed, enum tw_purpose purpose, uint64_t item)
{
    /* Counter words: draw number, purpose, item (two words). 2^32 draws of four words each. */
    struct tw_rng r = {
        .key = { (uint32_t)seed, (uint32_t)(seed >> 32) },
        .ctr = { 0, (uint32_t)purpose, (uint32_t)item, (uint32_t)(item >> 32) },
        .used = 4,
    };
    return r;
}

uint32_t tw_rng_u32(struct tw_rng *r)
{
    if (r->used == 4) {
        tw_philox4x32(r->ctr, r->key, r->out);
        r->ctr[0]++;
        r->used = 0;
    }
    return r->out[r->used++];
}

uint64_t tw_rng_u64(struct tw_rng *r)
{
    uint64_t hi = tw_rng_u32(r);

    return hi << 32 | tw_rng_u32(r);
}

double tw_rng_real(struct tw_rng *r)
{
    return (double)(tw_rng_u64(r) >> 11) * 0x1p-53;
}

uint64_t tw_rng_below(struct tw_rng *r, uint64_t n)
{
    uint64_t reject = -n % n; /* 2^64 mod n: draws below it would favour small values */
    uint64_t x;

    do
        x = tw_rng_u64(r);
    while (x < reject);
    return x % n;
}

double tw_rng_normal(struct tw_rng *r)
{
    double u, v, q;

    if (r->have_spare) {
        r->have_spare = false;
        return r->spare;
    }
    do { /* Marsaglia's polar method, SIAM Review 6 (1964) */
        u = 2.0 * tw_rng_real(r) - 1.0;
        v = 2.0 * tw_rng_real(r) - 1.0;
        q = u * u + v * v;
    } while (q >= 1.0 || q == 0.0);
    q = sqrt(-2.0 * log(q) / q);
    r->spare = v * q;
    r->have_spare = true;
    return u * q;
}
