#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Train pairs of small networks on data/digits.h5: make.py [FOLDER [all]].

Without `all` only what is stored here is made. Names: KIND-1.h5 and KIND-2.h5 are trained from two
seeds; KIND-0.h5, where it is there, is the trunk that both continue, in another order of the data.
Debian's python3-torch and python3-h5py; one thread. CC0-1.0.
"""
import copy
import os
import sys

import h5py
import torch
from torch.nn import functional as F

here = os.path.dirname(os.path.abspath(__file__))
root = os.path.join(here, "..", "..", "..")
sys.path.insert(0, os.path.join(root, "tests", "oracle"))
import families  # noqa: E402

with h5py.File(os.path.join(root, "data", "digits.h5")) as f:
    part = f["split"][:] == 0
    x = torch.tensor(f["x"][:][part] / 16, dtype=torch.float32)
    y = torch.tensor(f["y"][:][part].astype("int64"))


def train(net, order, epochs, rate=3e-3, flat=True):
    torch.manual_seed(order)
    optimiser = torch.optim.AdamW(net.parameters(), lr=rate, weight_decay=1e-2)
    net.train()
    for _ in range(epochs):
        for batch in torch.randperm(len(x)).split(50):
            loss = F.cross_entropy(net(x[batch].flatten(1) if flat else x[batch]), y[batch])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    return net


def store(folder, name, spec, net):
    with h5py.File(os.path.join(folder, name + ".h5"), "w") as out:
        out.attrs["model"] = spec
        out.attrs["origin"] = "tests/samples/pairs/make.py"
        for key, value in net.state_dict().items():
            if not key.endswith("num_batches_tracked"):
                out.create_dataset(key, data=value.numpy(), track_times=False)


def made(seed, make):
    torch.manual_seed(seed)
    return make()


KINDS = {  # name: (spec, module, epochs, epochs of the trunk, flat, is stored here)
    "deep": ("mlp(64,20,20,20,10)", lambda: families.Mlp(64, 20, 20, 20, 10), 40, 0, True, True),
    "tanh": ("mlp(64,12,10,act=tanh)", lambda: families.Mlp(64, 12, 10, act="tanh"), 40, 0, True,
             True),
    "norm": ("mlp(64,12,12,10,norm=batch)", lambda: families.Mlp(64, 12, 12, 10, norm="batch"), 20,
             0, True, True),
    "spawned": ("mlp(64,20,20,10)", lambda: families.Mlp(64, 20, 20, 10), 40, 5, True, True),
    "wide": ("mlp(64,256,256,10)", lambda: families.Mlp(64, 256, 256, 10), 40, 0, True, False),
    "resnet": ("resnet20(in=1x8x8,width=8)",
               lambda: families.ResNet(20, 1, 10, True, "A", 8), 20, 0, False, False),
}

if __name__ == "__main__":
    torch.set_num_threads(1)
    folder = sys.argv[1] if len(sys.argv) > 1 else here
    for kind, (spec, make, epochs, shared, flat, stored) in KINDS.items():
        if not stored and sys.argv[2:] != ["all"]:
            continue
        trunk = made(1, make)
        if shared:
            store(folder, f"{kind}-0", spec, train(trunk, 1, shared, flat=flat))
        for seed in (1, 2):
            net = copy.deepcopy(trunk) if shared else made(seed, make)
            store(folder, f"{kind}-{seed}", spec, train(net, 10 + seed, epochs - shared, flat=flat))
