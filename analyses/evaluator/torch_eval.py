# SPDX-License-Identifier: GPL-3.0-or-later
"""An evaluator for a PyTorch network: put your own network, data and checkpoints in place of these.

    thalweg evaluator adapter > thalweg_eval.py
    thalweg evaluator check 'python3 torch_eval.py a.pt'
    thalweg eval --evaluator 'python3 torch_eval.py a.pt b.pt'
"""
import sys

import torch

import thalweg_eval

net = torch.nn.Sequential(torch.nn.Linear(64, 32), torch.nn.ReLU(), torch.nn.Linear(32, 10))
x = torch.randn(500, 64, generator=torch.Generator().manual_seed(0))
y = x[:, :10].argmax(1)
batches = list(zip(x.split(128), y.split(128)))  # the same ones each time: no shuffling

thalweg_eval.torch(net, batches, checkpoints=sys.argv[1:], data="noise, seed 0")
