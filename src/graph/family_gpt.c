/* SPDX-License-Identifier: GPL-3.0-or-later */
/* GPT-2: Radford, Wu, Child, Luan, Amodei, Sutskever, "Language models are unsupervised
 * multitask learners" (2019), section 2.3: blocks normalised before attention and MLP, learned
 * positions, output weights tied to the token table. Names as in nanoGPT, whose weights are
 * nn.Linear's [out, in]; dropout where nanoGPT has it: on the embedded tokens, the shares of
 * attention, and what a block adds to the stream. */
#include <math.h>

#include "family.h"

enum { LAYERS, D, HEADS, CTX, VOCAB, TIED, ACT, BIAS, DROPOUT };
static const struct family_arg args[] = {
    [LAYERS] = { "layers", FAMILY_WHOLE, "12", 1, 1000, NULL },
    [D] = { "d", FAMILY_WHOLE, "768", 1, 1 << 16, NULL },
    [HEADS] = { "heads", FAMILY_WHOLE, "12", 1, 1 << 10, NULL },
    [CTX] = { "ctx", FAMILY_WHOLE, "1024", 1, 1 << 13, NULL },
    [VOCAB] = { "vocab", FAMILY_WHOLE, "50257", 1, 1 << 22, NULL },
    [TIED] = { "tied", FAMILY_CHOICE, "yes", 0, 0, "no|yes" },
    [ACT] = { "act", FAMILY_CHOICE, "gelu_tanh", 0, 0, FAMILY_ACTS },
    [BIAS] = { "bias", FAMILY_CHOICE, "yes", 0, 0, "no|yes" },
    [DROPOUT] = { "dropout", FAMILY_PART, "0", 0, 0, NULL },
};

/* Initial values of GPT-2: normal with 0.02, and 0.02 / sqrt(2 layers) where a block's results
 * are added to the stream. */
static const struct family_init normal = { TW_DRAW_NORMAL, 0.02 }, zero = { TW_DRAW_CONST, 0.0 };

/* Zero where position i may look at j <= i, minus infinity elsewhere. */
static int causal_mask(struct tw_net_build *b, int64_t t)
{
    const size_t n = (size_t)t, dims[2] = { n, n };
    struct tw_array a = { 0 };
    float *x;

    if (b->failed || tw_array_make(&a, TW_F32, 2, dims, b->err) != TW_OK) {
        b->failed = true;
        return -1;
    }
    x = a.data;
    for (size_t i = 0; i < n; i++)
        for (size_t j = i + 1; j < n; j++)
            x[i * n + j] = -HUGE_VALF;
    return tw_build_const_array(b, &a);
}

static int block(struct tw_net_build *b, int x, const struct family_spec *s, int mask,
                 const char *prefix)
{
    const int64_t d = s->value[D].whole, t = s->value[CTX].whole;
    const bool bias = s->value[BIAS].whole;
    const double dropout = s->value[DROPOUT].part;
    const struct family_init joined = { TW_DRAW_NORMAL,
                                        0.02 / sqrt(2.0 * (double)s->value[LAYERS].whole) };
    int y = family_layernorm(b, x, family_name("%s.ln_1", prefix).s, d, bias, 1e-5);

    y = family_dense(b, y, family_name("%s.attn.c_attn", prefix).s, d, 3 * d, bias, normal, zero);
    y = family_attention(b, y, t, d, s->value[HEADS].whole, mask, dropout);
    y = family_dense(b, y, family_name("%s.attn.c_proj", prefix).s, d, d, bias, joined, zero);
    x = tw_build_op2(b, "Add", x, family_dropout(b, y, dropout));
    y = family_layernorm(b, x, family_name("%s.ln_2", prefix).s, d, bias, 1e-5);
    y = family_dense(b, y, family_name("%s.mlp.c_fc", prefix).s, d, 4 * d, bias, normal, zero);
    y = family_act(b, y, s->value[ACT].whole);
    y = family_dense(b, y, family_name("%s.mlp.c_proj", prefix).s, 4 * d, d, bias, joined, zero);
    return tw_build_op2(b, "Add", x, family_dropout(b, y, dropout));
}

static void build(struct tw_net_build *b, const struct family_spec *s)
{
    const int64_t d = s->value[D].whole, t = s->value[CTX].whole, vocab = s->value[VOCAB].whole;
    int tokens, table, x, mask;

    if (d % s->value[HEADS].whole)
        tw_build_fail(b, "gpt: d=%d is not a multiple of heads=%d", (int)d,
                      (int)s->value[HEADS].whole);
    tokens = tw_build_input(b, "input", TW_I64, 1, &t);
    table = family_param(b, "transformer.wte", "weight", normal, 2, (const int64_t[]){ vocab, d });
    x = tw_build_op2(b, "Gather", table, tokens);
    tw_build_int(b, "axis", 0);
    x = tw_build_op2(
        b, "Add", x,
        family_param(b, "transformer.wpe", "weight", normal, 2, (const int64_t[]){ t, d }));
    x = family_dropout(b, x, s->value[DROPOUT].part);
    mask = causal_mask(b, t);
    for (int i = 0; i < (int)s->value[LAYERS].whole; i++)
        x = block(b, x, s, mask, family_name("transformer.h.%d", i).s);
    x = family_layernorm(b, x, "transformer.ln_f", d, s->value[BIAS].whole, 1e-5);
    if (s->value[TIED].whole) {
        table = tw_build_op1(b, "Transpose", table);
        tw_build_ints(b, "perm", 2, (const int64_t[]){ 1, 0 });
        x = tw_build_op2(b, "MatMul", x, table);
    } else {
        x = family_dense(b, x, "lm_head", d, vocab, false, normal, zero);
    }
    tw_build_output(b, x);
}

const struct family_def family_gpt = { sizeof args / sizeof *args, args, 0, build };
