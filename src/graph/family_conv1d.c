/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Convolutions along a line: conv1, conv2, ... of one kernel and stride, each with a
 * normalisation and an activation; the mean over positions; a linear layer fc (the "fully
 * convolutional network" of Wang, Yan, Oates 2017, arXiv:1611.06455, section II.B, where norm
 * is batch and the kernels are 8, 5, 3). */
#include "family.h"

enum { WIDTHS, CLASSES, IN, KERNEL, STRIDE, ACT, NORM };
static const struct family_arg args[] = {
    [WIDTHS] = { "widths", FAMILY_WIDTHS, NULL, 1, 1 << 16, NULL },
    [CLASSES] = { "classes", FAMILY_WHOLE, "10", 1, 1 << 20, NULL },
    [IN] = { "in", FAMILY_SHAPE, NULL, 2, 1 << 20, NULL },
    [KERNEL] = { "kernel", FAMILY_WHOLE, "3", 1, 1023, NULL },
    [STRIDE] = { "stride", FAMILY_WHOLE, "1", 1, 1024, NULL },
    [ACT] = { "act", FAMILY_CHOICE, "relu", 0, 0, FAMILY_ACTS },
    [NORM] = { "norm", FAMILY_CHOICE, "none", 0, 0, "none|batch" },
};

static void build(struct tw_net_build *b, const struct family_spec *s)
{
    const struct family_value *widths = &s->value[WIDTHS];
    const int64_t kernel = s->value[KERNEL].whole, *in = s->value[IN].list;
    int64_t channels = in[0];
    int x = tw_build_input(b, "input", TW_F32, 2, in);

    if (kernel % 2 == 0)
        tw_build_fail(b, "conv1d: kernel=%d is even; only odd ones have a middle", (int)kernel);
    for (size_t i = 0; i < widths->n; i++) {
        const int64_t width = widths->list[i];

        x = family_conv(b, x, family_name("conv%zu", i + 1).s,
                        &(struct family_conv){ 1, channels, width, kernel, s->value[STRIDE].whole,
                                               kernel / 2, true });
        if (s->value[NORM].whole)
            x = family_batchnorm(b, x, family_name("norm%zu", i + 1).s, width);
        x = family_act(b, x, s->value[ACT].whole);
        channels = width;
    }
    x = family_flatten(b, tw_build_op1(b, "GlobalAveragePool", x));
    tw_build_output(b, family_linear(b, x, "fc", channels, s->value[CLASSES].whole, true));
}

const struct family_def family_conv1d = { sizeof args / sizeof *args, args, 0, build };
