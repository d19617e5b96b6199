/* SPDX-License-Identifier: GPL-3.0-or-later */
/* VGG: Simonyan, Zisserman, "Very deep convolutional networks for large-scale image
 * recognition", ICLR 2015, arXiv:1409.1556, table 1 (columns A, B, D, E). Names and positions as
 * in torchvision, dropout behind the two wide linear layers too. */
#include <string.h>

#include "family.h"

enum { DEPTH, CLASSES, NORM, IN, HIDDEN, ACT, DROPOUT };
static const struct family_arg args[] = {
    [DEPTH] = { "depth", FAMILY_CHOICE, NULL, 0, 0, "11|13|16|19" },
    [CLASSES] = { "classes", FAMILY_WHOLE, "1000", 1, 1 << 20, NULL },
    [NORM] = { "norm", FAMILY_CHOICE, "none", 0, 0, "none|batch" },
    [IN] = { "in", FAMILY_SHAPE, "3x224x224", 3, 4096, NULL },
    [HIDDEN] = { "hidden", FAMILY_WHOLE, "4096", 0, 1 << 20, NULL },
    [ACT] = { "act", FAMILY_CHOICE, "relu", 0, 0, FAMILY_ACTS },
    [DROPOUT] = { "dropout", FAMILY_PART, "0.5", 0, 0, NULL },
};
/* Convolutions in each of the five stages. */
static const int convolutions[][5] = {
    { 1, 1, 2, 2, 2 }, { 2, 2, 2, 2, 2 }, { 2, 2, 3, 3, 3 }, { 2, 2, 4, 4, 4 }
};

static void build(struct tw_net_build *b, const struct family_spec *s)
{
    const int64_t *in = s->value[IN].list, hidden = s->value[HIDDEN].whole;
    const int64_t classes = s->value[CLASSES].whole, act = s->value[ACT].whole;
    const int64_t pixels = (in[1] / 32) * (in[2] / 32);
    const bool norm = s->value[NORM].whole;
    const double dropout = s->value[DROPOUT].part;
    int64_t channels = in[0];
    int x, place = 0; /* in torch's list of modules */

    if (pixels < 1) {
        tw_build_fail(b, "vgg: five poolings leave nothing of a picture below 32 x 32");
        return;
    }
    x = tw_build_input(b, "input", TW_F32, 3, in);
    for (int stage = 0; stage < 5; stage++) {
        const int64_t width = stage < 4 ? 64 << stage : 512;

        for (int i = 0; i < convolutions[s->value[DEPTH].whole][stage]; i++) {
            x = family_conv(b, x, family_name("features.%d", place++).s,
                            &(struct family_conv){ 2, channels, width, 3, 1, 1, true });
            if (norm)
                x = family_batchnorm(b, x, family_name("features.%d", place++).s, width);
            x = family_act(b, x, act);
            place++;
            channels = width;
        }
        x = family_pool(b, x, "MaxPool", 2, 2, 2, 0);
        place++;
    }
    x = family_flatten(b, x);
    if (hidden) {
        x = family_linear(b, x, "classifier.0", 512 * pixels, hidden, true);
        x = family_dropout(b, family_act(b, x, act), dropout);
        x = family_linear(b, x, "classifier.3", hidden, hidden, true);
        x = family_dropout(b, family_act(b, x, act), dropout);
        x = family_linear(b, x, "classifier.6", hidden, classes, true);
    } else {
        x = family_linear(b, x, "classifier", 512 * pixels, classes, true);
    }
    tw_build_output(b, x);
}

const struct family_def family_vgg = { sizeof args / sizeof *args, args, 0, build };
