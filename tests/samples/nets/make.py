# SPDX-License-Identifier: GPL-3.0-or-later
"""Make the networks and checkpoints beside this file: make.py [FOLDER].

Small networks with random weights, exported by src/share/thalweg_export.py (cnn-folded.onnx: by
torch's default), their state_dicts as npz and HDF5, and names.txt: a line for each tensor of a
state_dict, "FILE NAME EXTENT ...". Made with Debian 12's torch 1.13, numpy 1.24, h5py 3.7.
"""
import os
import sys
import warnings

import h5py
import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

here = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(here, "..", "..", "..", "src", "share"))
import thalweg_export  # noqa: E402


class Mlp(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(6, 5), nn.Linear(5, 3)

    def forward(self, x):
        return self.fc2(torch.tanh(self.fc1(x)))


class Cnn(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(1, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4)
        self.conv2, self.bn2 = nn.Conv2d(4, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4)
        self.fc = nn.Linear(4 * 4 * 4, 3)

    def forward(self, x):
        x = F.relu(self.bn1(self.conv1(x)))
        x = F.relu(self.bn2(self.conv2(x)) + x)
        return self.fc(torch.flatten(F.max_pool2d(x, 2), 1))


class Gpt(nn.Module):
    """One block; the head is the embedding."""

    def __init__(self, vocab=11, d=8, context=6):
        super().__init__()
        self.wte, self.wpe = nn.Embedding(vocab, d), nn.Embedding(context, d)
        self.ln, self.qkv, self.proj = nn.LayerNorm(d), nn.Linear(d, 3 * d), nn.Linear(d, d)
        self.fc, self.out = nn.Linear(d, 4 * d), nn.Linear(4 * d, d)
        self.lm_head = nn.Linear(d, vocab, bias=False)
        self.lm_head.weight = self.wte.weight
        self.register_buffer("mask", torch.tril(torch.ones(context, context)).bool())

    def forward(self, tokens):
        t = tokens.shape[1]
        x = self.wte(tokens) + self.wpe(torch.arange(t))
        q, k, v = self.qkv(self.ln(x)).split(x.shape[-1], 2)
        score = q @ k.transpose(1, 2) / x.shape[-1] ** 0.5
        score = score.masked_fill(~self.mask[:t, :t], float("-inf"))
        x = x + self.proj(score.softmax(-1) @ v)
        return self.lm_head(x + self.out(F.gelu(self.fc(x))))


def trained(model):
    """Values as training leaves them: no two tensors equal, statistics not 0 and 1."""
    for p in model.parameters():
        p.data += 0.1 * torch.randn_like(p)
    for m in model.modules():
        if isinstance(m, nn.BatchNorm2d):
            m.running_mean.normal_()
            m.running_var.uniform_(0.5, 2.0)
    return model.eval()


def main(folder):
    warnings.filterwarnings("ignore")
    torch.manual_seed(1)
    models = {
        "mlp": (trained(Mlp()), torch.randn(2, 6)),
        "cnn": (trained(Cnn()), torch.randn(2, 1, 8, 8)),
        "gpt": (trained(Gpt()), torch.randint(0, 11, (2, 6))),
    }
    lines = []
    for name, (model, x) in models.items():
        thalweg_export.export(model, x, os.path.join(folder, name + ".onnx"))
        state = {k: v.numpy() for k, v in model.state_dict().items()}
        lines += [" ".join([name, k] + [str(n) for n in v.shape]) for k, v in state.items()]
        np.savez(os.path.join(folder, name + ".npz"), **state)
        with h5py.File(os.path.join(folder, name + ".h5"), "w") as f:
            for k, v in state.items():  # the CNN's in groups, the others flat
                f[k.replace(".", "/") if name == "cnn" else k] = v
    with open(os.path.join(folder, "names.txt"), "w") as f:
        f.write("\n".join(lines) + "\n")
    # A network that was never trained: torch stores equal tensors once, the others are Identity.
    fresh = Cnn()
    thalweg_export.export(fresh, models["cnn"][1], os.path.join(folder, "cnn-fresh.onnx"))
    torch.onnx.export(models["cnn"][0], models["cnn"][1], os.path.join(folder, "cnn-folded.onnx"),
                      opset_version=13)


main(sys.argv[1] if len(sys.argv) > 1 else here)
