#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Networks as people write them with PyTorch, exported as thalweg_export.py does.

    exports.py FOLDER [NAME...]

For each network FOLDER/NAME.onnx, and FOLDER/NAME.h5 with samples and what PyTorch makes of them
in double precision: logits, the loss of each sample, the gradient of the sum of the losses, the
derivative of the logits along a direction, and (but for the largest) the Hessian-vector product.
"""
import math
import pathlib
import sys

import h5py
import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1] / "src" / "share")]
import families  # noqa: E402
import thalweg_export  # noqa: E402


def vgg_gelu():
    layers, n = [], 3
    for m in (16, 32, 64):
        layers += [nn.Conv2d(n, m, 3, padding=1), nn.BatchNorm2d(m), nn.GELU(),
                   nn.Conv2d(m, m, 3, padding=1), nn.GELU(), nn.MaxPool2d(2), nn.Dropout2d(0.2)]
        n = m
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(4 * n, 32),
                         nn.GELU(), nn.Dropout(0.5), nn.Linear(32, 10))


class EncoderVit(nn.Module):
    def __init__(self, d=32, heads=4, patch=8, size=32, classes=10):
        super().__init__()
        self.embed = nn.Conv2d(3, d, patch, patch)
        self.cls = nn.Parameter(torch.zeros(1, 1, d))
        self.pos = nn.Parameter(torch.zeros(1, (size // patch) ** 2 + 1, d))
        layer = nn.TransformerEncoderLayer(d, heads, 2 * d, 0.1, "gelu", batch_first=True,
                                           norm_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2, nn.LayerNorm(d))
        self.head = nn.Linear(d, classes)

    def forward(self, x):
        x = self.embed(x).flatten(2).transpose(1, 2)
        x = torch.cat((self.cls.expand(x.shape[0], -1, -1), x), 1) + self.pos
        return self.head(self.encoder(x)[:, 0])


class TurnedLinear(nn.Module):
    """Weights [in, out], as GPT-2's checkpoints have them."""

    def __init__(self, n, m):
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.zeros(n, m)), nn.Parameter(torch.zeros(m))

    def forward(self, x):
        flat = torch.addmm(self.bias, x.view(-1, x.size(-1)), self.weight)
        return flat.view(x.size()[:-1] + (self.bias.numel(),))


class Gpt2(nn.Module):
    """One block, causal by a buffer, the head tied to the embedding."""

    def __init__(self, d=32, heads=4, ctx=12, vocab=50):
        super().__init__()
        self.heads, self.wte, self.wpe = heads, nn.Embedding(vocab, d), nn.Embedding(ctx, d)
        self.ln_1, self.ln_2, self.ln_f = nn.LayerNorm(d), nn.LayerNorm(d), nn.LayerNorm(d)
        self.c_attn, self.c_proj = TurnedLinear(d, 3 * d), TurnedLinear(d, d)
        self.c_fc, self.c_out = TurnedLinear(d, 4 * d), TurnedLinear(4 * d, d)
        self.drop = nn.Dropout(0.1)
        self.lm_head = nn.Linear(d, vocab, bias=False)
        self.lm_head.weight = self.wte.weight
        self.register_buffer("causal", torch.ones(ctx, ctx).tril().bool().view(1, 1, ctx, ctx))

    def part(self, x):
        return x.view(*x.size()[:-1], self.heads, -1).permute(0, 2, 1, 3)

    def attend(self, x):
        q, k, v = (self.part(y) for y in self.c_attn(x).split(x.size(-1), dim=2))
        score = torch.matmul(q, k.transpose(-1, -2)) / (v.size(-1) ** 0.5)
        mask = self.causal[:, :, :q.size(-2), :k.size(-2)]
        lowest = torch.full([], torch.finfo(score.dtype).min, dtype=score.dtype)
        score = torch.where(mask, score, lowest)
        y = torch.matmul(self.drop(F.softmax(score, dim=-1)), v).permute(0, 2, 1, 3).contiguous()
        return self.c_proj(y.view(*x.size()))

    def forward(self, x):
        y = self.drop(self.wte(x) + self.wpe(torch.arange(x.size(-1)).unsqueeze(0)))
        y = y + self.attend(self.ln_1(y))
        z = self.c_fc(self.ln_2(y))
        z = 0.5 * z * (1.0 + torch.tanh(math.sqrt(2.0 / math.pi) * (z + 0.044715 * z.pow(3.0))))
        return self.lm_head(self.ln_f(y + self.c_out(z)))


class RmsNorm(nn.Module):
    def __init__(self, d):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(d))

    def forward(self, x):
        return self.weight * x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6)


class Llama(nn.Module):
    """One block: rotary embedding, fewer heads for keys than for queries, SwiGLU."""

    def __init__(self, d=32, heads=4, kv=2, ctx=12, vocab=50, hidden=48):
        super().__init__()
        self.size, self.groups = d // heads, heads // kv
        self.embed = nn.Embedding(vocab, d)
        self.norm_1, self.norm_2, self.norm = RmsNorm(d), RmsNorm(d), RmsNorm(d)
        self.q, self.o = nn.Linear(d, d, bias=False), nn.Linear(d, d, bias=False)
        self.k = nn.Linear(d, kv * self.size, bias=False)
        self.v = nn.Linear(d, kv * self.size, bias=False)
        self.gate, self.up = (nn.Linear(d, hidden, bias=False) for _ in range(2))
        self.down = nn.Linear(hidden, d, bias=False)
        self.lm_head = nn.Linear(d, vocab, bias=False)
        self.register_buffer(
            "inv_freq", 1.0 / 10000.0 ** (torch.arange(0, self.size, 2).float() / self.size))

    def turn(self, x, cos, sin):
        half = x.shape[-1] // 2
        return x * cos + torch.cat((-x[..., half:], x[..., :half]), -1) * sin

    def attend(self, x):
        b, t, _ = x.shape
        q, k, v = (y.view(b, t, -1, self.size).transpose(1, 2)
                   for y in (self.q(x), self.k(x), self.v(x)))
        angle = torch.arange(t).to(self.inv_freq.dtype)[:, None] * self.inv_freq[None]
        angle = torch.cat((angle, angle), -1)
        q, k = (self.turn(y, angle.cos(), angle.sin()) for y in (q, k))
        k, v = (y[:, :, None].expand(b, y.shape[1], self.groups, t, self.size)
                .reshape(b, -1, t, self.size) for y in (k, v))
        score = q @ k.transpose(2, 3) / math.sqrt(self.size)
        score = score + torch.full((t, t), -1e9).triu(1)
        return self.o((score.softmax(-1) @ v).transpose(1, 2).reshape(b, t, -1))

    def forward(self, x):
        y = self.embed(x)
        y = y + self.attend(self.norm_1(y))
        z = self.norm_2(y)
        return self.lm_head(self.norm(y + self.down(F.silu(self.gate(z)) * self.up(z))))


class Unet(nn.Module):
    """Down and up again: transposed convolution, resizing, groups; a class for each pixel."""

    def __init__(self, m=8, classes=4):
        super().__init__()
        self.into = nn.Sequential(nn.Conv2d(3, m, 3, padding=1), nn.GroupNorm(4, m), nn.SiLU())
        self.down = nn.Sequential(nn.Conv2d(m, 2 * m, 3, 2, 1), nn.InstanceNorm2d(2 * m, affine=True),
                                  nn.LeakyReLU(0.1))
        self.deep = nn.Sequential(nn.AvgPool2d(2), nn.Conv2d(2 * m, 2 * m, 3, padding=1), nn.ELU())
        self.turn = nn.ConvTranspose2d(2 * m, 2 * m, 2, 2)
        self.up = nn.ConvTranspose2d(2 * m, m, 3, 2, 1, output_padding=1)
        self.out = nn.Conv2d(3 * m, classes, 1)

    def forward(self, x):
        x = self.into(x)
        y = self.down(x)
        z = self.deep(y)
        wide = F.interpolate(z, scale_factor=4, mode="bilinear", align_corners=False)
        y = self.up(y * torch.sigmoid(self.turn(z)))
        near = F.interpolate(z, scale_factor=4, mode="nearest")
        return self.out(torch.cat((x * y, wide[:, ::2] + near[:, 1::2], y), 1))


class Squeeze(nn.Module):
    def __init__(self, m):
        super().__init__()
        self.fc1, self.fc2 = nn.Conv2d(m, m // 2, 1), nn.Conv2d(m // 2, m, 1)

    def forward(self, x):
        y = self.fc2(F.relu(self.fc1(F.adaptive_avg_pool2d(x, 1))))
        return x * F.relu6(y + 3.0) / 6.0  # PyTorch knows no second derivative of hardsigmoid


def mobile():
    """Depthwise convolutions, hard functions, squeeze and excitation."""
    layers, n = [nn.Conv2d(3, 8, 3, 2, 1, bias=False), nn.BatchNorm2d(8), nn.Hardswish()], 8
    for m, stride in ((12, 1), (16, 2)):
        layers += [nn.Conv2d(n, 2 * n, 1, bias=False), nn.BatchNorm2d(2 * n), nn.ReLU6(),
                   nn.ReflectionPad2d(1), nn.Conv2d(2 * n, 2 * n, 3, stride, groups=2 * n),
                   Squeeze(2 * n), nn.Conv2d(2 * n, m, 1), nn.BatchNorm2d(m), nn.PReLU(m)]
        n = m
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(n, 10),
                         nn.LogSoftmax(1))


# name, module, shape of a sample, classes, tokens, whether to take second derivatives
CASES = [
    ("mlp", lambda: families.Mlp(784, 64, 32, 10), (784,), 10, False, True),
    ("lenet", families.LeNet, (1, 28, 28), 10, False, True),
    ("vgg-gelu", vgg_gelu, (3, 32, 32), 10, False, True),
    ("resnet20-a", lambda: families.ResNet(20), (3, 32, 32), 10, False, True),
    ("resnet20-b", lambda: families.ResNet(20, shortcut="B"), (3, 32, 32), 10, False, True),
    ("resnet18", lambda: families.ResNet18(3, 10, True, 3), (3, 32, 32), 10, False, False),
    ("vit", EncoderVit, (3, 32, 32), 10, False, True),
    ("gpt2", Gpt2, (12,), 50, True, True),
    ("llama", Llama, (12,), 50, True, True),
    ("unet", Unet, (3, 8, 16), 4, False, True),
    ("mobile", mobile, (3, 32, 32), 10, False, True),
]


def along(out, params, direction):
    """The derivative of `out` along a direction of the parameters, by two passes back."""
    u = torch.zeros_like(out, requires_grad=True)
    back = torch.autograd.grad(out, params, u, create_graph=True)
    return torch.autograd.grad(sum((g * d).sum() for g, d in zip(back, direction)), u)[0]


def flat(parts):
    return torch.cat([p.detach().reshape(-1) for p in parts]).numpy().astype(np.float32)


def write(folder, name, make, shape, classes, tokens, second):
    seed = sum(map(ord, name))
    torch.manual_seed(seed)
    net = make().eval()
    families.randomise(net, seed)
    n = 2 if name == "resnet18" else 4
    x = torch.randint(classes, (n, *shape)) if tokens else torch.randn(n, *shape)
    y = torch.randint(classes, (n, *(shape if tokens else shape[1:] if name == "unet" else ())))
    thalweg_export.export(net, x, f"{folder}/{name}.onnx")
    net = net.double()
    names, params = zip(*net.named_parameters())
    direction = [torch.randn(p.shape).double() for p in params]
    logits = net(x if tokens else x.double())
    loss = F.cross_entropy(logits.transpose(1, 2) if tokens else logits, y, reduction="none")
    grad = torch.autograd.grad(loss.sum(), params, create_graph=second, retain_graph=True)
    with h5py.File(f"{folder}/{name}.h5", "w") as f:
        f.attrs["format"], f.attrs["format_version"], f.attrs["kind"] = "thalweg", 1, "oracle"
        put = families.put
        put(f, "input", x.numpy().astype(np.float64 if tokens else np.float32), "samples")
        put(f, "target", y.numpy().astype(np.float64), "class numbers")
        put(f, "logits", logits.detach().numpy(), "output")
        put(f, "loss", loss.detach().reshape(n, -1).sum(1).numpy(), "sum over positions")
        put(f, "parameters", np.array(names, dtype=np.bytes_), "order of the parts of what follows")
        put(f, "gradient", flat(grad), "of the sum of all losses")
        put(f, "direction", flat(direction), "any")
        direction = [d.float().double() for d in direction]
        put(f, "jvp", along(logits, params, direction).numpy(), "logits along the direction")
        if second:
            hvp = torch.autograd.grad(sum((g * d).sum() for g, d in zip(grad, direction)), params,
                                      allow_unused=True)
            hvp = [torch.zeros_like(p) if h is None else h for p, h in zip(params, hvp)]
            put(f, "hvp", flat(hvp), "Hessian of the sum of all losses times the direction")


def main():
    torch.set_num_threads(1)
    for case in CASES:
        if len(sys.argv) == 2 or case[0] in sys.argv[2:]:
            write(sys.argv[1], *case)


if __name__ == "__main__":
    main()
