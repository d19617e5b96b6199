#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines and trajectories by PyTorch and NumPy, to hold thalweg scan against.

    scan.py make              write weights and data
    scan.py compare FILE...   line-W.h5, a scan from w0 to W: with PyTorch's losses at w0 + t (W - w0);
                              anew-W.h5: with running statistics taken anew at each point;
                              path.h5, a trajectory: with a singular value decomposition

w1 is w0 and a filter-normalised direction: each slice of a weight along its first axis is Gaussian,
scaled to the norm of that slice of the weights; tensors of one axis stay. With running statistics of
its own it is the line that loss-landscape draws through "states".
"""
import sys

import h5py
import numpy as np
import torch
from families import Mlp
from torch.nn import functional as F

SPEC = "mlp(12,16,5,norm=batch)"
torch.set_num_threads(1)


def net():
    return Mlp(12, 16, 5, norm="batch")


def data():
    rng = np.random.default_rng(5)
    return rng.standard_normal((400, 12)).astype("f4"), rng.integers(0, 5, 400)


def save(path, state):
    with h5py.File(path, "w") as f:
        f.attrs["model"] = SPEC
        for k, v in state.items():
            if v.ndim:
                f[k] = v.numpy()


def make():
    torch.manual_seed(1)
    model = net()
    x, y = data()
    np.savez("d.npz", x=x, y=y)
    model.train()
    opt = torch.optim.SGD(model.parameters(), lr=0.2)
    for k in range(12):
        loss = F.cross_entropy(model(torch.tensor(x)), torch.tensor(y))
        opt.zero_grad()
        loss.backward()
        opt.step()
        if k % 2:
            save(f"p{k // 2}.h5", model.state_dict())
    w = {k: v.clone() for k, v in model.state_dict().items()}
    save("w0.h5", w)
    for k, v in w.items():
        if v.ndim > 1:
            d = torch.randn_like(v)
            norm = [n.flatten(1).norm(dim=1).view(-1, *[1] * (v.ndim - 1)) for n in (d, v)]
            v += d / (norm[0] + 1e-10) * norm[1]
    save("w1.h5", w)
    w["norm1.running_mean"] += 0.1
    w["norm1.running_var"] *= 1.3
    save("s1.h5", w)


def load(path):
    with h5py.File(path, "r") as f:
        return {k: torch.tensor(f[k][()]) for k in f}


def line(path, anew=False):
    scan, end = h5py.File(path, "r"), path.split("-")[1]
    a, b = load("w0.h5"), load(end)
    x, y = data()
    model = net().eval()
    worst = 0.0
    for t, got in zip(scan["x"][()], scan["loss"][()]):
        model.load_state_dict({k: a[k] + float(t) * (b[k] - a[k]) for k in a}, strict=False)
        with torch.no_grad():
            if anew:
                model.norm1.reset_running_stats()
                model.norm1.momentum = None
                model.train()(torch.tensor(x))
                model.eval()
            want = F.cross_entropy(model(torch.tensor(x)), torch.tensor(y)).item()
        worst = max(worst, abs(want - got))
    return worst < 1e-5, worst


def path(file):
    f = h5py.File(file, "r")
    names = [k for k in load("p0.h5") if "running" not in k]
    theta = np.array([np.concatenate([load(f"p{k}.h5")[n].numpy().ravel() for n in names])
                      for k in range(6)]).astype("f8")
    m = theta - theta[-1]
    _, s, v = np.linalg.svd(m - m.mean(0), full_matrices=False)
    xy = m @ v[:2].T
    xy *= np.sign(xy[0])
    off = np.linalg.norm(m - (m @ v[:2].T) @ v[:2], axis=1)
    got = np.array([f["checkpoints/x"][()], f["checkpoints/y"][()]]).T
    worst = max(np.abs(got - xy).max(), np.abs(f["trajectory/off_plane"][()] - off).max(),
                np.abs(f["trajectory/explained_variance"][()] - (s**2 / (s**2).sum())[:2]).max())
    return worst < 1e-4, worst


if sys.argv[1] == "make":
    make()
for name in sys.argv[2:]:
    good, seen = path(name) if name == "path.h5" else line(name, name.startswith("anew-"))
    print(f"{name}: largest difference {seen:.2g}, {'good' if good else 'bad'}")
