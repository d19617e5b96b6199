/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Multilayer perceptrons: linear layers fc1, fc2, ..., between them a normalisation (norm1,
 * norm2, ...), an activation and dropout. */
#include "family.h"

enum { WIDTHS, ACT, NORM, BIAS, DROPOUT };
static const struct family_arg args[] = {
    [WIDTHS] = { "widths", FAMILY_WIDTHS, NULL, 2, 1 << 24, NULL },
    [ACT] = { "act", FAMILY_CHOICE, "relu", 0, 0, FAMILY_ACTS },
    [NORM] = { "norm", FAMILY_CHOICE, "none", 0, 0, "none|layer|batch" },
    [BIAS] = { "bias", FAMILY_CHOICE, "yes", 0, 0, "no|yes" },
    [DROPOUT] = { "dropout", FAMILY_PART, "0", 0, 0, NULL },
};

static void build(struct tw_net_build *b, const struct family_spec *s)
{
    const struct family_value *widths = &s->value[WIDTHS];
    int x = tw_build_input(b, "input", TW_F32, 1, widths->list);

    for (size_t i = 1; i < widths->n; i++) {
        const int64_t n = widths->list[i];
        const struct family_name norm = family_name("norm%zu", i);

        x = family_linear(b, x, family_name("fc%zu", i).s, widths->list[i - 1], n,
                          s->value[BIAS].whole);
        if (i + 1 == widths->n)
            break;
        if (s->value[NORM].whole == 1)
            x = family_layernorm(b, x, norm.s, n, true, 1e-5);
        if (s->value[NORM].whole == 2)
            x = family_batchnorm(b, x, norm.s, n);
        x = family_dropout(b, family_act(b, x, s->value[ACT].whole), s->value[DROPOUT].part);
    }
    tw_build_output(b, x);
}

const struct family_def family_mlp = { sizeof args / sizeof *args, args, 0, build };
