#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Built-in networks written again with PyTorch's modules, with the same names.

    families.py FOLDER        write tests/samples/families/*.h5
    families.py --large FOLDER    write networks too large to be stored, without derivatives
    families.py --count       print the number of parameters of the published sizes

Each file holds weights, inputs, targets, and what PyTorch makes of them in double precision:
logits, the loss of each sample, the gradient of the sum of the losses and its product with a
direction (Hessian-vector product). The layout is that of result files, kind "oracle".
"""
import math
import sys

import h5py
import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

ACTS = {
    "relu": nn.ReLU, "tanh": nn.Tanh, "sigmoid": nn.Sigmoid, "gelu": nn.GELU,
    "gelu_tanh": lambda: nn.GELU(approximate="tanh"), "silu": nn.SiLU, "elu": nn.ELU,
    "selu": nn.SELU, "leaky_relu": nn.LeakyReLU, "softplus": nn.Softplus,
    "hardswish": nn.Hardswish, "identity": nn.Identity,
}


class Mlp(nn.Module):
    def __init__(self, *widths, act="relu", norm="none", bias=True):
        super().__init__()
        self.depth, self.act = len(widths) - 1, ACTS[act]()
        for i in range(1, len(widths)):
            setattr(self, f"fc{i}", nn.Linear(widths[i - 1], widths[i], bias=bias))
            if i < self.depth and norm != "none":
                kind = nn.LayerNorm if norm == "layer" else nn.BatchNorm1d
                setattr(self, f"norm{i}", kind(widths[i]))

    def forward(self, x):
        for i in range(1, self.depth + 1):
            x = getattr(self, f"fc{i}")(x)
            if i < self.depth:
                x = self.act(getattr(self, f"norm{i}", nn.Identity())(x))
        return x


class LeNet(nn.Module):
    def __init__(self, shape=(1, 28, 28), classes=10, act="relu", pool="max", pad=2, norm=False):
        super().__init__()
        self.act = ACTS[act]()
        self.pool = nn.MaxPool2d(2) if pool == "max" else nn.AvgPool2d(2)
        self.conv1 = nn.Conv2d(shape[0], 6, 5, padding=pad)
        self.bn1 = nn.BatchNorm2d(6) if norm else nn.Identity()
        self.conv2 = nn.Conv2d(6, 16, 5)
        self.bn2 = nn.BatchNorm2d(16) if norm else nn.Identity()
        h, w = (((n + 2 * pad - 4) // 2 - 4) // 2 for n in shape[1:])
        self.fc1 = nn.Linear(16 * h * w, 120)
        self.fc2 = nn.Linear(120, 84)
        self.fc3 = nn.Linear(84, classes)

    def forward(self, x):
        x = self.pool(self.act(self.bn1(self.conv1(x))))
        x = self.pool(self.act(self.bn2(self.conv2(x)))).flatten(1)
        return self.fc3(self.act(self.fc2(self.act(self.fc1(x)))))


class PadShortcut(nn.Module):
    def __init__(self, more):
        super().__init__()
        self.pads = (0, 0, 0, 0, more // 2, more - more // 2)

    def forward(self, x):
        return F.pad(x[:, :, ::2, ::2], self.pads)


class Block(nn.Module):
    def __init__(self, n, m, stride, norm, shortcut, name):
        super().__init__()
        bn = nn.BatchNorm2d if norm else lambda m: nn.Identity()
        self.conv1 = nn.Conv2d(n, m, 3, stride, 1, bias=not norm)
        self.bn1 = bn(m)
        self.conv2 = nn.Conv2d(m, m, 3, 1, 1, bias=not norm)
        self.bn2 = bn(m)
        self.name = name
        if stride == 1:
            way = nn.Identity()
        elif shortcut == "A":
            way = PadShortcut(m - n)
        else:
            way = nn.Sequential(nn.Conv2d(n, m, 1, stride, bias=not norm), bn(m))
        setattr(self, name, way)

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(y + getattr(self, self.name)(x))


class ResNet(nn.Module):
    def __init__(self, depth, channels=3, classes=10, norm=True, shortcut="A", width=16):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, width, 3, 1, 1, bias=not norm)
        self.bn1 = nn.BatchNorm2d(width) if norm else nn.Identity()
        n = width
        for s in range(3):
            blocks = []
            for i in range((depth - 2) // 6):
                m = width << s
                blocks.append(Block(n, m, 2 if s and not i else 1, norm, shortcut, "shortcut"))
                n = m
            setattr(self, f"layer{s + 1}", nn.Sequential(*blocks))
        self.linear = nn.Linear(n, classes)

    def forward(self, x):
        x = F.relu(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        return self.linear(x.mean((2, 3)))


class ResNet18(nn.Module):
    def __init__(self, channels=3, classes=1000, norm=True, stem=7):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, 64, stem, 2 if stem == 7 else 1, stem // 2, bias=not norm)
        self.bn1 = nn.BatchNorm2d(64) if norm else nn.Identity()
        self.pool = nn.MaxPool2d(3, 2, 1) if stem == 7 else nn.Identity()
        n = 64
        for s in range(4):
            m = 64 << s
            setattr(self, f"layer{s + 1}", nn.Sequential(
                Block(n, m, 2 if s else 1, norm, "B", "downsample"),
                Block(m, m, 1, norm, "B", "downsample")))
            n = m
        self.fc = nn.Linear(n, classes)

    def forward(self, x):
        x = self.pool(F.relu(self.bn1(self.conv1(x))))
        return self.fc(self.layer4(self.layer3(self.layer2(self.layer1(x)))).mean((2, 3)))


class Vgg(nn.Module):
    STAGES = {11: (1, 1, 2, 2, 2), 13: (2, 2, 2, 2, 2), 16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}

    def __init__(self, depth, shape=(3, 224, 224), classes=1000, norm=False, hidden=4096):
        super().__init__()
        layers, n = [], shape[0]
        for s, count in enumerate(self.STAGES[depth]):
            for _ in range(count):
                m = min(64 << s, 512)
                layers.append(nn.Conv2d(n, m, 3, padding=1))
                if norm:
                    layers.append(nn.BatchNorm2d(m))
                layers.append(nn.ReLU())
                n = m
            layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)
        n *= (shape[1] // 32) * (shape[2] // 32)
        if hidden:
            self.classifier = nn.Sequential(
                nn.Linear(n, hidden), nn.ReLU(), nn.Dropout(),
                nn.Linear(hidden, hidden), nn.ReLU(), nn.Dropout(), nn.Linear(hidden, classes))
        else:
            self.classifier = nn.Linear(n, classes)

    def forward(self, x):
        return self.classifier(self.features(x).flatten(1))


def attention(qkv, heads, causal):
    b, t, d = qkv.shape[0], qkv.shape[1], qkv.shape[2] // 3
    q, k, v = (p.view(b, t, heads, d // heads).transpose(1, 2) for p in qkv.split(d, 2))
    score = q @ k.transpose(-2, -1) / math.sqrt(d // heads)
    if causal:
        score = score.masked_fill(torch.ones(t, t).tril() == 0, -math.inf)
    return (score.softmax(-1) @ v).transpose(1, 2).reshape(b, t, d)


class NoBiasNorm(nn.Module):
    def __init__(self, d):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(d))

    def forward(self, x):
        return F.layer_norm(x, self.weight.shape, self.weight, None, 1e-5)


class GptBlock(nn.Module):
    def __init__(self, d, heads, act, bias):
        super().__init__()
        norm = nn.LayerNorm if bias else NoBiasNorm
        self.heads, self.act = heads, ACTS[act]()
        self.ln_1, self.ln_2 = norm(d), norm(d)
        self.attn = nn.ModuleDict({"c_attn": nn.Linear(d, 3 * d, bias=bias),
                                   "c_proj": nn.Linear(d, d, bias=bias)})
        self.mlp = nn.ModuleDict({"c_fc": nn.Linear(d, 4 * d, bias=bias),
                                  "c_proj": nn.Linear(4 * d, d, bias=bias)})

    def forward(self, x):
        y = attention(self.attn["c_attn"](self.ln_1(x)), self.heads, True)
        x = x + self.attn["c_proj"](y)
        return x + self.mlp["c_proj"](self.act(self.mlp["c_fc"](self.ln_2(x))))


class Gpt(nn.Module):
    def __init__(self, layers, d, heads, ctx, vocab, tied=True, act="gelu_tanh", bias=True):
        super().__init__()
        self.transformer = nn.ModuleDict({
            "wte": nn.Embedding(vocab, d), "wpe": nn.Embedding(ctx, d),
            "h": nn.ModuleList(GptBlock(d, heads, act, bias) for _ in range(layers)),
            "ln_f": nn.LayerNorm(d) if bias else NoBiasNorm(d)})
        if not tied:
            self.lm_head = nn.Linear(d, vocab, bias=False)
        self.tied = tied

    def forward(self, x):
        t = self.transformer
        y = t["wte"](x) + t["wpe"].weight
        for block in t["h"]:
            y = block(y)
        y = t["ln_f"](y)
        return y @ t["wte"].weight.T if self.tied else self.lm_head(y)


class VitBlock(nn.Module):
    def __init__(self, d, heads, mlp, act):
        super().__init__()
        self.heads, self.act = heads, ACTS[act]()
        self.norm1, self.norm2 = nn.LayerNorm(d, 1e-6), nn.LayerNorm(d, 1e-6)
        self.attn = nn.ModuleDict({"qkv": nn.Linear(d, 3 * d), "proj": nn.Linear(d, d)})
        self.mlp = nn.ModuleDict({"fc1": nn.Linear(d, mlp), "fc2": nn.Linear(mlp, d)})

    def forward(self, x):
        y = attention(self.attn["qkv"](self.norm1(x)), self.heads, False)
        x = x + self.attn["proj"](y)
        return x + self.mlp["fc2"](self.act(self.mlp["fc1"](self.norm2(x))))


class Vit(nn.Module):
    def __init__(self, layers, d, heads, patch, shape, classes, mlp, act="gelu", mean=False):
        super().__init__()
        self.mean = mean
        n = (shape[1] // patch) * (shape[2] // patch)
        self.patch_embed = nn.ModuleDict({"proj": nn.Conv2d(shape[0], d, patch, patch)})
        if not mean:
            self.cls_token = nn.Parameter(torch.zeros(1, 1, d))
        self.pos_embed = nn.Parameter(torch.zeros(1, n if mean else n + 1, d))
        self.blocks = nn.Sequential(*(VitBlock(d, heads, mlp, act) for _ in range(layers)))
        self.norm, self.head = nn.LayerNorm(d, 1e-6), nn.Linear(d, classes)

    def forward(self, x):
        x = self.patch_embed["proj"](x).flatten(2).transpose(1, 2)
        if not self.mean:
            x = torch.cat((self.cls_token.expand(x.shape[0], -1, -1), x), 1)
        x = self.norm(self.blocks(x + self.pos_embed))
        return self.head(x.mean(1) if self.mean else x[:, 0])


class Conv1d(nn.Module):
    def __init__(self, *widths, shape, classes=10, kernel=3, stride=1, act="relu", norm=False):
        super().__init__()
        n, self.depth, self.act = shape[0], len(widths), ACTS[act]()
        for i, m in enumerate(widths, 1):
            setattr(self, f"conv{i}", nn.Conv1d(n, m, kernel, stride, kernel // 2))
            setattr(self, f"norm{i}", nn.BatchNorm1d(m) if norm else nn.Identity())
            n = m
        self.fc = nn.Linear(n, classes)

    def forward(self, x):
        for i in range(1, self.depth + 1):
            x = self.act(getattr(self, f"norm{i}")(getattr(self, f"conv{i}")(x)))
        return self.fc(x.mean(2))


# file, spec, module, shape of a sample, classes (tokens if the sample is tokens)
CASES = [
    ("mlp", "mlp(7,9,6,5,act=gelu,norm=layer)", lambda: Mlp(7, 9, 6, 5, act="gelu", norm="layer"),
     (7,), 5),
    ("mlp-batch", "mlp(7,9,5,act=silu,norm=batch,bias=no)",
     lambda: Mlp(7, 9, 5, act="silu", norm="batch", bias=False), (7,), 5),
    ("lenet", "lenet(4,in=1x12x13,act=tanh,pool=average)",
     lambda: LeNet((1, 12, 13), 4, "tanh", "average"), (1, 12, 13), 4),
    ("resnet20-a", "resnet20(4,in=3x8x8,width=2)", lambda: ResNet(20, 3, 4, True, "A", 2),
     (3, 8, 8), 4),
    ("resnet20-b", "resnet20(4,in=2x7x9,width=3,shortcut=B)",
     lambda: ResNet(20, 2, 4, True, "B", 3), (2, 7, 9), 4),
    ("resnet20-plain", "resnet20(4,in=3x8x8,width=2,norm=none)",
     lambda: ResNet(20, 3, 4, False, "A", 2), (3, 8, 8), 4),
    ("gpt", "gpt(2,8,2,6,11)", lambda: Gpt(2, 8, 2, 6, 11), (6,), 11),
    ("gpt-untied", "gpt(1,12,3,5,7,tied=no,act=relu,bias=no)",
     lambda: Gpt(1, 12, 3, 5, 7, False, "relu", False), (5,), 7),
    ("vit", "vit(2,8,2,patch=4,in=3x8x12,classes=5,mlp=20)",
     lambda: Vit(2, 8, 2, 4, (3, 8, 12), 5, 20), (3, 8, 12), 5),
    ("vit-mean", "vit(1,8,2,patch=2,in=1x4x6,classes=3,mlp=5,pool=mean)",
     lambda: Vit(1, 8, 2, 2, (1, 4, 6), 3, 5, mean=True), (1, 4, 6), 3),
    ("conv1d", "conv1d(4,6,in=2x19,classes=3,kernel=5,stride=2,act=elu,norm=batch)",
     lambda: Conv1d(4, 6, shape=(2, 19), classes=3, kernel=5, stride=2, act="elu", norm=True),
     (2, 19), 3),
]
CASES += [(f"act-{a}", f"mlp(5,6,3,act={a})", lambda a=a: Mlp(5, 6, 3, act=a), (5,), 3)
          for a in ACTS]
CASES += [(f"loss-{i}", "mlp(5,4,3,act=tanh)", lambda: Mlp(5, 4, 3, act="tanh"), (5,), 3, loss)
          for i, loss in enumerate((
              "cross-entropy(label_smoothing=0.3)", "cross-entropy(ignore_index=2)", "nll", "mse",
              "l1", "huber(delta=0.5)", "bce"))]
CASES.append(("loss-gpt", "gpt(1,4,1,3,5)", lambda: Gpt(1, 4, 1, 3, 5), (3,), 5,
              "cross-entropy(ignore_index=2,label_smoothing=0.3)"))
# In training mode, all samples one batch; running statistics are those of the batch.
TRAINING = [
    ("train-mlp", "mlp(7,9,5,act=silu,norm=batch,bias=no)",
     lambda: Mlp(7, 9, 5, act="silu", norm="batch", bias=False), (7,), 5),
    ("train-resnet20", "resnet20(4,in=3x8x8,width=2,shortcut=B)",
     lambda: ResNet(20, 3, 4, True, "B", 2), (3, 8, 8), 4),
    ("train-conv1d", "conv1d(4,6,in=2x19,classes=3,kernel=5,stride=2,act=elu,norm=batch)",
     lambda: Conv1d(4, 6, shape=(2, 19), classes=3, kernel=5, stride=2, act="elu", norm=True),
     (2, 19), 3),
]
# Too large to be stored: made when the tests run.
LARGE = [
    ("resnet18", "resnet18(4,stem=3,in=3x16x16)", lambda: ResNet18(3, 4, True, 3), (3, 16, 16), 4),
    ("resnet18-large", "resnet18(4,in=3x40x48)", lambda: ResNet18(3, 4), (3, 40, 48), 4),
    ("vgg", "vgg(11,classes=4,norm=batch,in=3x32x64,hidden=10)",
     lambda: Vgg(11, (3, 32, 64), 4, True, 10), (3, 32, 64), 4),
    ("vgg-plain", "vgg(13,classes=4,in=1x32x32,hidden=0)",
     lambda: Vgg(13, (1, 32, 32), 4, False, 0), (1, 32, 32), 4),
]
PUBLISHED = [
    ("lenet", LeNet), ("resnet20", lambda: ResNet(20)),
    ("resnet20(shortcut=B)", lambda: ResNet(20, shortcut="B")),
    ("resnet56", lambda: ResNet(56)), ("resnet110", lambda: ResNet(110)),
    ("resnet18", ResNet18), ("vgg(16)", lambda: Vgg(16)),
    ("vgg(16,norm=batch)", lambda: Vgg(16, norm=True)),
    ("gpt", lambda: Gpt(12, 768, 12, 1024, 50257)),
    ("vit", lambda: Vit(12, 768, 12, 16, (3, 224, 224), 1000, 3072)),
]


def randomise(net, seed):
    """Everything away from its initial value, at sizes that keep activations near one."""
    gen = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, p in list(net.named_parameters()) + list(net.named_buffers()):
            if not p.dtype.is_floating_point:
                continue
            noise = torch.randn(p.shape, generator=gen)
            if name.endswith("running_var"):
                p.copy_((1.0 + 0.5 * torch.rand(p.shape, generator=gen)).float())
            elif p.dim() > 1:
                p.copy_(noise / math.sqrt(p[0].numel()))
            elif name.endswith("weight"):
                p.copy_(1.0 + 0.2 * noise)
            else:
                p.copy_(0.2 * noise)


def put(file, path, x, meaning, unit=""):
    x = np.asarray(x)
    d = file.create_dataset(path, data=x, **({"compression": 9} if 4096 < x.nbytes < 1e5 else {}))
    d.attrs["meaning"], d.attrs["unit"] = meaning, unit


def each_loss(loss, x, y):
    """The loss of every position (or element), by PyTorch."""
    if loss == "nll":
        return F.nll_loss(x, y, reduction="none")
    if loss == "mse":
        return F.mse_loss(x, y, reduction="none")
    if loss == "l1":
        return F.l1_loss(x, y, reduction="none")
    if loss == "huber(delta=0.5)":
        return F.huber_loss(x, y, reduction="none", delta=0.5)
    if loss == "bce":
        return F.binary_cross_entropy_with_logits(x, y, reduction="none")
    smoothing = 0.3 if "label_smoothing=0.3" in loss else 0.0
    ignore = 2 if "ignore_index=2" in loss else -100
    classes = x.shape[-1]
    return F.cross_entropy(x.reshape(-1, classes), y.reshape(-1), reduction="none",
                           ignore_index=ignore, label_smoothing=smoothing)


def mean_loss(loss, x, y):
    """What training minimises: PyTorch's reduction="mean"."""
    smoothing = 0.3 if "label_smoothing=0.3" in loss else 0.0
    if not loss.startswith("cross-entropy"):
        return each_loss(loss, x, y).mean()
    return F.cross_entropy(x.reshape(-1, x.shape[-1]), y.reshape(-1), label_smoothing=smoothing,
                           ignore_index=2 if "ignore_index=2" in loss else -100)


def second_order(loss, params):
    """Gradient, a direction, and the Hessian's product with it."""
    params = [p for _, p in params]
    grad = torch.autograd.grad(loss, params, create_graph=True)
    direction = [torch.randn(p.shape).double() for p in params]
    hvp = torch.autograd.grad(sum((g * d).sum() for g, d in zip(grad, direction)), params,
                              allow_unused=True)
    return grad, direction, [torch.zeros_like(p) if h is None else h for p, h in zip(params, hvp)]


def write(folder, name, spec, make, shape, classes, objective="cross-entropy", derivatives=True,
          training=False):
    seed = sum(map(ord, name))
    torch.manual_seed(seed)
    net = make().eval()
    randomise(net, seed)
    tokens = spec.startswith("gpt")
    n = 37 if training else 5
    if tokens:
        x = torch.randint(classes, (n, *shape))
        y = torch.randint(classes, (n, *shape))
        y[1, 2] = y[3, 0] = 2 if "ignore_index=2" in objective else -100
    else:
        x, y = torch.randn(n, *shape), torch.randint(classes, (n,))
    if objective in ("mse", "l1", "huber(delta=0.5)"):
        y = torch.randn(n, classes).double()
    elif objective == "bce":
        y = torch.rand(n, classes).round().double()
        y[0, 0] = 0.25
    net = net.double()
    weights = {k: v.numpy().astype(np.float32) for k, v in net.state_dict().items()
               if v.dtype.is_floating_point}
    if training:
        net.train()
        for module in net.modules():
            module.momentum = 1.0
    params = list(net.named_parameters())
    logits = net(x if tokens else x.double())
    loss = each_loss(objective, logits, y).reshape(n, -1).sum(1)
    grad, direction, hvp = second_order(loss.sum(), params) if derivatives else ([], [], [])
    with h5py.File(f"{folder}/{name}.h5", "w") as f:
        f.attrs["format"], f.attrs["format_version"], f.attrs["kind"] = "thalweg", 1, "oracle"
        put(f, "spec", np.bytes_(spec), "network")
        for key, value in weights.items():
            put(f, f"weights/{key}", value, "parameter or buffer")
        for key, value in net.named_buffers():
            if training and value.dtype.is_floating_point:
                put(f, f"statistics/{key}", value.numpy(), "of the batch, variances from n - 1")
        put(f, "input", x.numpy().astype(np.float64 if tokens else np.float32), "samples")
        put(f, "target", y.numpy().astype(np.float64), "class numbers or reals")
        put(f, "logits", logits.detach().numpy(), "output")
        put(f, "objective", np.bytes_(objective), "loss")
        put(f, "mean_loss", mean_loss(objective, logits, y).detach().numpy(), "mean of them all")
        put(f, "loss", loss.detach().numpy(), "sum over a sample's positions")
        put(f, "parameters", np.array([key for key, _ in params], dtype=np.bytes_),
            "order of the parts of what follows")
        if not derivatives:
            return
        for key, parts, meaning in (
                ("gradient", grad, "of the sum of all losses"), ("direction", direction, "any"),
                ("hvp", hvp, "Hessian of the sum of all losses times the direction")):
            put(f, key, torch.cat([t.detach().reshape(-1) for t in parts]).numpy(), meaning)


def main():
    if sys.argv[1:] == ["--count"]:
        for spec, make in PUBLISHED:
            print(spec, sum(p.numel() for p in make().parameters()))
        return
    if "--large" in sys.argv:
        for case in LARGE:
            write(sys.argv[-1], *case, derivatives=False)
        return
    for case in CASES:
        write(sys.argv[-1], *case)
    for case in TRAINING:
        write(sys.argv[-1], *case, training=True)


if __name__ == "__main__":
    main()
