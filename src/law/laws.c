/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The table of laws: one row each. */
#include <string.h>

#include "thalweg/law.h"

extern const struct tw_law tw_law_annealing;
extern const struct tw_law tw_law_mpl;
extern const struct tw_law tw_law_steps;
extern const struct tw_law tw_law_chinchilla;

const struct tw_law *const tw_laws[] = {
    &tw_law_annealing, &tw_law_mpl, &tw_law_steps, &tw_law_chinchilla, NULL,
};

const struct tw_law *tw_law_find(const char *name)
{
    for (size_t i = 0; tw_laws[i]; i++)
        if (!strcmp(tw_laws[i]->name, name))
            return tw_laws[i];
    return NULL;
}
