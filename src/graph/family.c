/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The table of built-in networks, and node lists from their specs. */
#include "family.h"

#include <stdlib.h>
#include <string.h>

#define RESNET "classes=10, norm=batch|none, shortcut=A|B, in=3x32x32, width=16"

const struct tw_family tw_families[] = {
    { "mlp", "N, N, ..., act=relu, norm=none|layer|batch, bias=yes|no, dropout=0",
      "multilayer perceptron", &family_mlp },
    { "lenet", "classes=10, in=1x28x28, act=relu, pool=max|average, pad=2, norm=none|batch",
      "LeNet-5", &family_lenet },
    { "resnet20", RESNET, "residual network for small pictures, 20 layers", &family_resnet20 },
    { "resnet32", RESNET, "the same with 32 layers", &family_resnet32 },
    { "resnet44", RESNET, "the same with 44 layers", &family_resnet44 },
    { "resnet56", RESNET, "the same with 56 layers", &family_resnet56 },
    { "resnet110", RESNET, "the same with 110 layers", &family_resnet110 },
    { "resnet18", "classes=1000, norm=batch|none, stem=7|5|3, in=3x224x224",
      "residual network for large pictures, 18 layers", &family_resnet18 },
    { "vgg",
      "11|13|16|19, classes=1000, norm=none|batch, in=3x224x224, hidden=4096, act=relu, "
      "dropout=0.5",
      "VGG", &family_vgg },
    { "gpt",
      "layers=12, d=768, heads=12, ctx=1024, vocab=50257, tied=yes|no, act=gelu_tanh, bias=yes|no, "
      "dropout=0",
      "GPT-2", &family_gpt },
    { "vit",
      "layers=12, d=768, heads=12, patch=16, in=3x224x224, classes=1000, mlp=3072, act=gelu, "
      "dropout=0, pool=token|mean",
      "vision transformer", &family_vit },
    { "conv1d", "N, N, ..., classes=10, in=CxL, kernel=3, stride=1, act=relu, norm=none|batch",
      "convolutions along a line", &family_conv1d },
    { NULL, NULL, NULL, NULL },
};

static char *print(const struct family_spec *s, struct tw_err *err)
{
    struct tw_str out = { 0 };

    family_print(s, &out);
    if (!out.failed)
        return out.s;
    tw_str_release(&out);
    (void)tw_err_set(err, TW_ENOMEM, "out of memory");
    return NULL;
}

char *tw_family_spec(const char *spec, struct tw_err *err)
{
    struct family_spec s;

    return family_parse(spec, &s, err) == TW_OK ? print(&s, err) : NULL;
}

struct tw_net *tw_family_net(const char *spec, struct tw_err *err)
{
    struct family_build f = { .b = { .err = err, .owner = &f } };
    struct family_spec s;
    char *source;

    if (family_parse(spec, &s, err) != TW_OK)
        return NULL;
    source = print(&s, err);
    if (!source)
        return NULL;
    f.seed = s.seed;
    f.b.net = tw_net_new(source, err);
    f.b.failed = !f.b.net;
    free(source);
    s.family->def->build(&f.b, &s);
    if (!f.b.failed)
        return f.b.net;
    tw_net_free(f.b.net);
    return NULL;
}
