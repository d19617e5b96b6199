/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which table of kernels this processor gets; teams of threads. */
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

/* ---- teams ------------------------------------------------------------------------------------
 */

static _Thread_local struct {
    struct tw_team *team;
    size_t me;
} here;

void tw_team_join(struct tw_team *t, size_t me)
{
    here.team = t;
    here.me = me;
}

size_t tw_team_me(void)
{
    return here.me;
}

size_t tw_team_of(void)
{
    return here.team ? here.team->of : 1;
}

static inline void pause_a_little(void)
{
#ifdef __x86_64__
    __builtin_ia32_pause();
#endif
}

void tw_team_begin(struct tw_team *t)
{
    *t = (struct tw_team){ .of = 1 };
    (void)pthread_mutex_init(&t->lock, NULL); /* cannot fail with these attributes */
    (void)pthread_cond_init(&t->moved, NULL);
}

void tw_team_end(struct tw_team *t)
{
    (void)pthread_cond_destroy(&t->moved);
    (void)pthread_mutex_destroy(&t->lock);
}

/* The last to arrive begins a new round. */
void tw_team_wait(void)
{
    enum { SPINS = 2000 }; /* some ten microseconds */
    struct tw_team *t = here.team;
    size_t round;

    if (!t || t->of < 2)
        return;
    round = atomic_load(&t->round);
    if (atomic_fetch_add(&t->arrived, 1) + 1 == t->of) {
        atomic_store(&t->arrived, 0);
        (void)pthread_mutex_lock(&t->lock);
        atomic_store(&t->round, round + 1);
        (void)pthread_mutex_unlock(&t->lock);
        (void)pthread_cond_broadcast(&t->moved);
        return;
    }
    for (size_t i = 0; i < SPINS; i++) {
        if (atomic_load(&t->round) != round)
            return;
        pause_a_little();
    }
    (void)pthread_mutex_lock(&t->lock);
    while (atomic_load(&t->round) == round)
        (void)pthread_cond_wait(&t->moved, &t->lock);
    (void)pthread_mutex_unlock(&t->lock);
}
