#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""An evaluator around PyTorch's module of a built-in network, for tests/unit/test_evaluator_torch.c,
which knows its data by the same formula.

    evaluator.py NAME     with thalweg_eval.py and this folder in PYTHONPATH
"""
import sys

import numpy as np
import torch

import families
import thalweg_eval

NETS = {  # module, shape of a sample, classes, samples
    "mlp": (lambda: families.Mlp(20, 30, 5, act="gelu", norm="batch"), (20,), 5, 64),
    "lenet": (families.LeNet, (1, 28, 28), 10, 12),
    "resnet20": (lambda: families.ResNet(20), (3, 32, 32), 10, 6),
}

make, shape, classes, n = NETS[sys.argv[1]]
torch.manual_seed(1)
net = make()
families.randomise(net, 1)
x = torch.from_numpy(np.sin(0.37 * np.arange(n * int(np.prod(shape)))).astype("f4"))
x, y = x.reshape(n, *shape), torch.arange(n) * 7 % classes
if sys.argv[1] == "resnet20":
    net, x = net.double(), x.double()
half = n // 2 + 1  # batches of unequal length
thalweg_eval.torch(net, [(x[:half], y[:half]), (x[half:], y[half:])], device="cpu")
