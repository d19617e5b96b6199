/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which table of kernels this processor gets. */
#include <stdlib.h>
#include <string.h>

#include "kern_tables.h"

/* Best first. */
static const struct tw_kernels *const tables[][2] = {
#ifdef __x86_64__
    { &tw_kernels_avx512_f32, &tw_kernels_avx512_f64 },
    { &tw_kernels_avx2_f32, &tw_kernels_avx2_f64 },
#endif
    { &tw_kernels_generic_f32, &tw_kernels_generic_f64 },
};

static bool supported(const char *isa)
{
#ifdef __x86_64__
    if (strcmp(isa, "avx512") == 0)
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
               __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
               __builtin_cpu_supports("fma");
    if (strcmp(isa, "avx2") == 0)
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#endif
    return strcmp(isa, "generic") == 0;
}

const struct tw_kernels *tw_kernels_find(const char *isa, enum tw_real_type type)
{
    if (!isa)
        isa = getenv("THALWEG_ISA");
    if (isa && !*isa)
        isa = NULL;
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
        const struct tw_kernels *t = tables[i][type];

        if ((!isa || strcmp(isa, t->isa) == 0) && supported(t->isa))
            return t;
    }
    return NULL;
}
