/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Vision transformers: Dosovitskiy et al., "An image is worth 16x16 words", ICLR 2021,
 * arXiv:2010.11929, equations 1 to 4: patches, a class token, learned positions, blocks
 * normalised before attention and MLP; dropout as in its appendix B.1. Names as in timm, also those
 * of pool=mean: there class_token=False, global_pool='avg', fc_norm=False. */
#include "family.h"

enum { LAYERS, D, HEADS, PATCH, IN, CLASSES, MLP, ACT, DROPOUT, POOL };
enum { POOL_TOKEN, POOL_MEAN };
static const struct family_arg args[] = {
    [LAYERS] = { "layers", FAMILY_WHOLE, "12", 1, 1000, NULL },
    [D] = { "d", FAMILY_WHOLE, "768", 1, 1 << 16, NULL },
    [HEADS] = { "heads", FAMILY_WHOLE, "12", 1, 1 << 10, NULL },
    [PATCH] = { "patch", FAMILY_WHOLE, "16", 1, 4096, NULL },
    [IN] = { "in", FAMILY_SHAPE, "3x224x224", 3, 4096, NULL },
    [CLASSES] = { "classes", FAMILY_WHOLE, "1000", 1, 1 << 20, NULL },
    [MLP] = { "mlp", FAMILY_WHOLE, "3072", 1, 1 << 18, NULL },
    [ACT] = { "act", FAMILY_CHOICE, "gelu", 0, 0, FAMILY_ACTS },
    [DROPOUT] = { "dropout", FAMILY_PART, "0", 0, 0, NULL },
    [POOL] = { "pool", FAMILY_CHOICE, "token", 0, 0, "token|mean" },
};
static const struct family_init normal = { TW_DRAW_NORMAL, 0.02 }, zero = { TW_DRAW_CONST, 0.0 };

static int block(struct tw_net_build *b, int x, const struct family_spec *s, int64_t t,
                 const char *prefix)
{
    const int64_t d = s->value[D].whole, mlp = s->value[MLP].whole;
    const double dropout = s->value[DROPOUT].part;
    int y = family_layernorm(b, x, family_name("%s.norm1", prefix).s, d, true, 1e-6);

    y = family_dense(b, y, family_name("%s.attn.qkv", prefix).s, d, 3 * d, true, normal, zero);
    y = family_attention(b, y, t, d, s->value[HEADS].whole, -1, 0.0);
    y = family_dense(b, y, family_name("%s.attn.proj", prefix).s, d, d, true, normal, zero);
    x = tw_build_op2(b, "Add", x, family_dropout(b, y, dropout));
    y = family_layernorm(b, x, family_name("%s.norm2", prefix).s, d, true, 1e-6);
    y = family_dense(b, y, family_name("%s.mlp.fc1", prefix).s, d, mlp, true, normal, zero);
    y = family_dropout(b, family_act(b, y, s->value[ACT].whole), dropout);
    y = family_dense(b, y, family_name("%s.mlp.fc2", prefix).s, mlp, d, true, normal, zero);
    return tw_build_op2(b, "Add", x, family_dropout(b, y, dropout));
}

/* The class token once for each picture of the batch, before the patches. */
static int with_class_token(struct tw_net_build *b, int x, int64_t d)
{
    int token = family_param(b, "cls_token", NULL, normal, 3, (const int64_t[]){ 1, 1, d });
    int shape = tw_build_op1(b, "Shape", x);

    tw_build_int(b, "start", 0);
    tw_build_int(b, "end", 1);
    shape = tw_build_op2(b, "Concat", shape, tw_build_const_ints(b, 2, (const int64_t[]){ 1, d }));
    tw_build_int(b, "axis", 0);
    x = tw_build_op2(b, "Concat", tw_build_op2(b, "Expand", token, shape), x);
    tw_build_int(b, "axis", 1);
    return x;
}

static void build(struct tw_net_build *b, const struct family_spec *s)
{
    const int64_t d = s->value[D].whole, patch = s->value[PATCH].whole, *in = s->value[IN].list;
    const int64_t n = (in[1] / patch) * (in[2] / patch);
    const bool mean = s->value[POOL].whole == POOL_MEAN;
    const int64_t t = mean ? n : n + 1;
    int x;

    if (in[1] % patch || in[2] % patch || d % s->value[HEADS].whole) {
        tw_build_fail(b,
                      "vit: the picture's sides must be multiples of patch=%d, and d=%d of "
                      "heads=%d",
                      (int)patch, (int)d, (int)s->value[HEADS].whole);
        return;
    }
    x = tw_build_input(b, "input", TW_F32, 3, in);
    x = family_conv(b, x, "patch_embed.proj",
                    &(struct family_conv){ 2, in[0], d, patch, patch, 0, true });
    x = tw_build_op2(b, "Reshape", x, tw_build_const_ints(b, 3, (const int64_t[]){ 0, d, n }));
    x = tw_build_op1(b, "Transpose", x);
    tw_build_ints(b, "perm", 3, (const int64_t[]){ 0, 2, 1 });
    if (!mean)
        x = with_class_token(b, x, d);
    x = tw_build_op2(b, "Add", x,
                     family_param(b, "pos_embed", NULL, normal, 3, (const int64_t[]){ 1, t, d }));
    x = family_dropout(b, x, s->value[DROPOUT].part);
    for (int i = 0; i < (int)s->value[LAYERS].whole; i++)
        x = block(b, x, s, t, family_name("blocks.%d", i).s);
    x = family_layernorm(b, x, "norm", d, true, 1e-6);
    if (mean) {
        x = tw_build_op1(b, "ReduceMean", x);
        tw_build_ints(b, "axes", 1, (const int64_t[]){ 1 });
        tw_build_int(b, "keepdims", 0);
    } else {
        x = tw_build_op2(b, "Gather", x, tw_build_const_ints(b, 1, (const int64_t[]){ 0 }));
        tw_build_int(b, "axis", 1);
        x = family_flatten(b, x);
    }
    tw_build_output(b, family_dense(b, x, "head", d, s->value[CLASSES].whole, true, normal, zero));
}

const struct family_def family_vit = { sizeof args / sizeof *args, args, 0, build };
