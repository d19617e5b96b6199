/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Residual networks: He, Zhang, Ren, Sun, "Deep residual learning for image recognition", CVPR
 * 2016, arXiv:1512.03385: those for small pictures (section 4.2, 6 n + 2 layers, table 6) and
 * ResNet-18 (table 1). Names of the small ones are those of the usual PyTorch code for them
 * (shortcut, linear), of ResNet-18 those of torchvision (downsample, fc). */
#include "family.h"

enum { CLASSES, NORM, SHORTCUT, IN, WIDTH };
static const struct family_arg args[] = {
    [CLASSES] = { "classes", FAMILY_WHOLE, "10", 1, 1 << 20, NULL },
    [NORM] = { "norm", FAMILY_CHOICE, "batch", 0, 0, "none|batch" },
    [SHORTCUT] = { "shortcut", FAMILY_CHOICE, "A", 0, 0, "A|B" },
    [IN] = { "in", FAMILY_SHAPE, "3x32x32", 3, 4096, NULL },
    [WIDTH] = { "width", FAMILY_WHOLE, "16", 1, 4096, NULL },
};
enum { STEM = NORM + 1, IN18 }; /* of ResNet-18 */
static const struct family_arg args18[] = {
    [CLASSES] = { "classes", FAMILY_WHOLE, "1000", 1, 1 << 20, NULL },
    [NORM] = { "norm", FAMILY_CHOICE, "batch", 0, 0, "none|batch" },
    [STEM] = { "stem", FAMILY_WHOLE, "7", 3, 7, NULL },
    [IN18] = { "in", FAMILY_SHAPE, "3x224x224", 3, 4096, NULL },
};

/* What the blocks of a network share. Without normalisation the convolutions have biases. */
struct style {
    bool norm, pad; /* pad: shortcuts of option A */
    const char *shortcut;
};

static int conv_norm(struct tw_net_build *b, int x, const struct style *style,
                     const struct family_name *conv, const struct family_name *norm,
                     struct family_conv c)
{
    c.bias = !style->norm;
    x = family_conv(b, x, conv->s, &c);
    return style->norm ? family_batchnorm(b, x, norm->s, c.out) : x;
}

/* Option A: every second pixel, and zeros for the channels that are new. */
static int subsample_and_pad(struct tw_net_build *b, int x, int64_t in, int64_t out)
{
    const int64_t more = out - in, before = more / 2;
    int slice[5] = { x, -1, -1, -1, -1 };
    int pad[2] = { -1, -1 };

    slice[1] = tw_build_const_ints(b, 2, (const int64_t[]){ 0, 0 });
    slice[2] = tw_build_const_ints(b, 2, (const int64_t[]){ INT64_MAX, INT64_MAX });
    slice[3] = tw_build_const_ints(b, 2, (const int64_t[]){ 2, 3 });
    slice[4] = tw_build_const_ints(b, 2, (const int64_t[]){ 2, 2 });
    pad[0] = tw_build_op(b, "Slice", NULL, 5, slice);
    pad[1] =
        tw_build_const_ints(b, 8, (const int64_t[]){ 0, before, 0, 0, 0, more - before, 0, 0 });
    return tw_build_op(b, "Pad", NULL, 2, pad);
}

static int block(struct tw_net_build *b, int x, const struct style *style, const char *prefix,
                 int64_t in, int64_t out, int64_t stride)
{
    const struct family_name conv1 = family_name("%s.conv1", prefix),
                             bn1 = family_name("%s.bn1", prefix),
                             conv2 = family_name("%s.conv2", prefix),
                             bn2 = family_name("%s.bn2", prefix),
                             down = family_name("%s.%s.0", prefix, style->shortcut),
                             down_bn = family_name("%s.%s.1", prefix, style->shortcut);
    int y =
        conv_norm(b, x, style, &conv1, &bn1, (struct family_conv){ 2, in, out, 3, stride, 1, 0 });

    y = tw_build_op1(b, "Relu", y);
    y = conv_norm(b, y, style, &conv2, &bn2, (struct family_conv){ 2, out, out, 3, 1, 1, 0 });
    if (stride != 1 && style->pad)
        x = subsample_and_pad(b, x, in, out);
    else if (stride != 1)
        x = conv_norm(b, x, style, &down, &down_bn,
                      (struct family_conv){ 2, in, out, 1, stride, 0, 0 });
    return tw_build_op1(b, "Relu", tw_build_op2(b, "Add", y, x));
}

/* Stages of `blocks` blocks, each but the first halving the picture and doubling the width. */
static int stages(struct tw_net_build *b, int x, const struct style *style, int nstages,
                  int64_t width, int blocks)
{
    int64_t in = width;

    for (int stage = 0; stage < nstages; stage++, width *= 2)
        for (int i = 0; i < blocks; i++, in = width)
            x = block(b, x, style, family_name("layer%d.%d", stage + 1, i).s, in, width,
                      stage && !i ? 2 : 1);
    return family_flatten(b, tw_build_op1(b, "GlobalAveragePool", x));
}

static void build(struct tw_net_build *b, const struct family_spec *s)
{
    const struct style style = { s->value[NORM].whole, !s->value[SHORTCUT].whole, "shortcut" };
    const int64_t *in = s->value[IN].list, width = s->value[WIDTH].whole;
    const struct family_name conv1 = family_name("conv1"), bn1 = family_name("bn1");
    int x = tw_build_input(b, "input", TW_F32, 3, in);

    x = conv_norm(b, x, &style, &conv1, &bn1, (struct family_conv){ 2, in[0], width, 3, 1, 1, 0 });
    x = stages(b, tw_build_op1(b, "Relu", x), &style, 3, width, (s->family->def->depth - 2) / 6);
    tw_build_output(b, family_linear(b, x, "linear", 4 * width, s->value[CLASSES].whole, true));
}

/* stem=7: the paper's, convolution by 7 with stride 2 and pooling by 3 with stride 2; less than
 * that: a convolution of stride 1 alone, for small pictures. */
static void build18(struct tw_net_build *b, const struct family_spec *s)
{
    const struct style style = { s->value[NORM].whole, false, "downsample" };
    const struct family_name conv1 = family_name("conv1"), bn1 = family_name("bn1");
    const int64_t *in = s->value[IN18].list, stem = s->value[STEM].whole;
    int x = tw_build_input(b, "input", TW_F32, 3, in);

    if (stem % 2 == 0)
        tw_build_fail(b, "resnet18: stem=%d is not 3, 5 or 7", (int)stem);
    x = conv_norm(b, x, &style, &conv1, &bn1,
                  (struct family_conv){ 2, in[0], 64, stem, stem == 7 ? 2 : 1, stem / 2, 0 });
    x = tw_build_op1(b, "Relu", x);
    if (stem == 7)
        x = family_pool(b, x, "MaxPool", 2, 3, 2, 1);
    x = stages(b, x, &style, 4, 64, 2);
    tw_build_output(b, family_linear(b, x, "fc", 512, s->value[CLASSES].whole, true));
}

#define ROW(n)                                                                                     \
    const struct family_def family_resnet##n = { sizeof args / sizeof *args, args, n, build }
ROW(20);
ROW(32);
ROW(44);
ROW(56);
ROW(110);
const struct family_def family_resnet18 = { sizeof args18 / sizeof *args18, args18, 18, build18 };
