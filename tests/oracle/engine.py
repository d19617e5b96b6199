#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long PyTorch takes for the work of tests/bench/bench_engine.c: the losses of a data set, their
forward-mode derivative along a direction, the gradient, and the loss and gradient of a training
step on 128 samples (16 of GPT). Prints JSON: seconds (processor seconds after --cpu), the least of several runs,
with the batch size that is fastest here. Arguments: threads, then names.
"""
import json
import sys
import time

import torch
from torch.autograd import forward_ad
from torch.nn import functional as F
from torch.nn.utils import stateless

from families import Gpt, LeNet, Mlp, ResNet

NETS = {
    "mlp": (lambda: Mlp(784, 512, 512, 512, 10), (784,), 10000, 10, (128, 512)),
    "lenet": (LeNet, (1, 28, 28), 10000, 10, (100, 500)),
    "resnet20": (lambda: ResNet(20), (3, 32, 32), 1000, 10, (50, 125)),
    "gpt": (lambda: Gpt(4, 256, 4, 128, 4096), (128,), 64, 4096, (4, 8)),
}


def each_loss(net, params, x, y):
    z = stateless.functional_call(net, params, x)
    return F.cross_entropy(z.reshape(-1, z.shape[-1]), y.reshape(-1), reduction="none")


def batches(x, y, size):
    return zip(x.split(size), y.split(size))


def loss(net, params, x, y, size):
    with torch.no_grad():
        return sum(each_loss(net, params, *b).sum().item() for b in batches(x, y, size))


def jvp(net, params, x, y, size):
    total = 0.0
    with torch.no_grad(), forward_ad.dual_level():
        dual = {k: forward_ad.make_dual(p, torch.full_like(p, 0.1)) for k, p in params.items()}
        for b in batches(x, y, size):
            total += forward_ad.unpack_dual(each_loss(net, dual, *b)).tangent.sum().item()
    return total


def gradient(net, params, x, y, size):
    leaves = {k: p.clone().requires_grad_() for k, p in params.items()}
    for b in batches(x, y, size):
        each_loss(net, leaves, *b).sum().backward()
    return sum(p.grad.sum().item() for p in leaves.values())


def step(net, x, y):
    net.zero_grad(set_to_none=True)
    z = net(x)
    loss = F.cross_entropy(z.reshape(-1, z.shape[-1]), y.reshape(-1))
    loss.backward()
    return loss.item()


clock = time.process_time if "--cpu" in sys.argv else time.perf_counter


def least(work, times, *args):
    best = float("inf")
    for _ in range(times):
        start = clock()
        work(*args)
        best = min(best, clock() - start)
    return best


def random(name, shape, n, classes):
    if name == "gpt":
        return torch.randint(classes, (n, *shape)), torch.randint(classes, (n, *shape))
    return torch.randn(n, *shape), torch.randint(classes, (n,))


def main():
    torch.set_num_threads(int(sys.argv[1]))
    out = {"torch": torch.__version__}
    for name in [a for a in sys.argv[2:] if a != "--cpu"] or NETS:
        make, shape, n, classes, sizes = NETS[name]
        torch.manual_seed(1)
        net = make().eval()
        params = {k: p.detach() for k, p in net.named_parameters()}
        x, y = random(name, shape, n, classes)
        quick = {s: least(loss, 2, net, params, x, y, s) for s in sizes}
        size = min(quick, key=quick.get)
        out[name] = {"loss": min(quick[size], least(loss, 3, net, params, x, y, size)),
                     "jvp": least(jvp, 2, net, params, x, y, size),
                     "gradient": least(gradient, 2, net, params, x, y, size), "batch": size}
        net = LeNet(norm=True) if name == "lenet" else make()
        out[name]["step"] = least(step, 2 if name == "gpt" else 20, net.train(),
                                  *random(name, shape, 16 if name == "gpt" else 128, classes))
    json.dump(out, sys.stdout)


main()
