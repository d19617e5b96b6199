/* SPDX-License-Identifier: GPL-3.0-or-later */
/* LeNet-5 (LeCun, Bottou, Bengio, Haffner 1998, "Gradient-based learning applied to document
 * recognition", section II.B) as it is written today: full connections between the
 * convolutions, plain pooling, a linear layer at the end; if wanted, batch normalisation after each
 * convolution. */
#include "family.h"

enum { CLASSES, IN, ACT, POOL, PAD, NORM };
static const struct family_arg args[] = {
    [CLASSES] = { "classes", FAMILY_WHOLE, "10", 1, 1 << 20, NULL },
    [IN] = { "in", FAMILY_SHAPE, "1x28x28", 3, 4096, NULL },
    [ACT] = { "act", FAMILY_CHOICE, "relu", 0, 0, FAMILY_ACTS },
    [POOL] = { "pool", FAMILY_CHOICE, "max", 0, 0, "max|average" },
    [PAD] = { "pad", FAMILY_WHOLE, "2", 0, 2, NULL },
    [NORM] = { "norm", FAMILY_CHOICE, "none", 0, 0, "none|batch" },
};

static void build(struct tw_net_build *b, const struct family_spec *s)
{
    const int64_t *in = s->value[IN].list, act = s->value[ACT].whole, pad = s->value[PAD].whole;
    const char *pool = s->value[POOL].whole ? "AveragePool" : "MaxPool";
    const int64_t h = ((in[1] + 2 * pad - 4) / 2 - 4) / 2, w = ((in[2] + 2 * pad - 4) / 2 - 4) / 2;
    const bool norm = s->value[NORM].whole;
    int x;

    if (h < 1 || w < 1) {
        tw_build_fail(b,
                      "lenet: nothing is left of the picture after two convolutions by 5 x 5 and "
                      "two poolings; the input must be 12 x 12 at least (16 x 16 with pad=0)");
        return;
    }
    x = tw_build_input(b, "input", TW_F32, 3, in);
    x = family_conv(b, x, "conv1", &(struct family_conv){ 2, in[0], 6, 5, 1, pad, true });
    if (norm)
        x = family_batchnorm(b, x, "bn1", 6);
    x = family_pool(b, family_act(b, x, act), pool, 2, 2, 2, 0);
    x = family_conv(b, x, "conv2", &(struct family_conv){ 2, 6, 16, 5, 1, 0, true });
    if (norm)
        x = family_batchnorm(b, x, "bn2", 16);
    x = family_flatten(b, family_pool(b, family_act(b, x, act), pool, 2, 2, 2, 0));
    x = family_act(b, family_linear(b, x, "fc1", 16 * h * w, 120, true), act);
    x = family_act(b, family_linear(b, x, "fc2", 120, 84, true), act);
    tw_build_output(b, family_linear(b, x, "fc3", 84, s->value[CLASSES].whole, true));
}

const struct family_def family_lenet = { sizeof args / sizeof *args, args, 0, build };
