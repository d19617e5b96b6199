/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The table of laws: one row each. */
#include <string.h>

#include "thalweg/law_own.h"

extern const struct tw_law tw_law_annealing;
extern const struct tw_law tw_law_annealing_size;
extern const struct tw_law tw_law_mpl;
extern const struct tw_law tw_law_bnsl;
extern const struct tw_law tw_law_chinchilla;
extern const struct tw_law tw_law_critical_batch;
extern const struct tw_law tw_law_steps;
extern const struct tw_law tw_law_data_constrained;
extern const struct tw_law tw_law_error_exp;
extern const struct tw_law tw_law_forward_momentum;
extern const struct tw_law tw_law_forward_momentum_size;
extern const struct tw_law tw_law_kaplan;
extern const struct tw_law tw_law_m1;
extern const struct tw_law tw_law_m2;
extern const struct tw_law tw_law_m3;
extern const struct tw_law tw_law_m4;
extern const struct tw_law tw_law_overtraining;
extern const struct tw_law tw_law_power;

/* A table reads better one row a line. */
// clang-format off
const struct tw_law *const tw_laws[] = {
    &tw_law_annealing,
    &tw_law_annealing_size,
    &tw_law_mpl,
    &tw_law_forward_momentum,
    &tw_law_forward_momentum_size,
    &tw_law_steps,
    &tw_law_chinchilla,
    &tw_law_data_constrained,
    &tw_law_overtraining,
    &tw_law_kaplan,
    &tw_law_critical_batch,
    &tw_law_power,
    &tw_law_m1,
    &tw_law_m2,
    &tw_law_m3,
    &tw_law_m4,
    &tw_law_bnsl,
    &tw_law_error_exp,
    NULL,
};
// clang-format on

double tw_law_max_condition(const struct tw_law *law)
{
    return law->max_condition > 0.0 ? law->max_condition : TW_LAW_MAX_CONDITION;
}

const struct tw_law *tw_law_find(const char *name)
{
    for (size_t i = 0; tw_laws[i]; i++)
        if (!strcmp(tw_laws[i]->name, name))
            return tw_laws[i];
    return NULL;
}

void *tw_law_model(const struct tw_law *law, const struct tw_law_curve *curves, size_t n,
                   enum tw_warmup warmup, struct tw_err *err)
{
    return law->own ? tw_law_own_model(law, curves, n, err)
                    : law->model_alloc(curves, n, warmup, err);
}
