#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""A 51-point line between two networks: thalweg scan from start to end, and PyTorch.

The networks and numbers of samples are those of bench_engine.c. PyTorch gets what it needs to run
well: no gradients, batches that stay in its caches (the fastest of several sizes, tried here),
weights mixed in place, its own threads; imports, loading and a first pass do not count. Thalweg counts
from the start of its process to the end. Medians of three where a line takes less than four seconds.
Arguments: names of networks; threads from OMP_NUM_THREADS or --threads.
"""
import argparse
import os
import resource
import statistics
import subprocess
import sys
import time

import h5py
import numpy as np
import torch
from torch.nn import functional as F

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "oracle"))
import families  # noqa: E402

POINTS = 51
FEW_SECONDS = 4.0
NETS = {
    "mlp": ("mlp(784,512,512,512,10)", lambda: families.Mlp(784, 512, 512, 512, 10), (784,), 10000,
            (128, 500, 1000, 2000)),
    "lenet": ("lenet(classes=10)", families.LeNet, (1, 28, 28), 10000, (100, 250, 500, 1000, 2000)),
    "resnet20": ("resnet20(classes=10)", lambda: families.ResNet(20, classes=10), (3, 32, 32), 1000,
                 (25, 50, 125)),
}


def save(path, model, spec):
    with h5py.File(path, "w") as f:
        f.attrs["model"] = spec
        for k, v in model.state_dict().items():
            if v.ndim:
                f[k] = v.numpy()


def torch_line(model, ends, x, y, batch, points=POINTS):
    target = model.state_dict()
    out = []
    with torch.inference_mode():
        for t in np.linspace(0.0, 1.0, points):
            for k, v in target.items():
                if v.ndim:
                    torch.lerp(ends[0][k], ends[1][k], float(t), out=v)
            loss = sum(F.cross_entropy(model(x[i:i + batch]), y[i:i + batch], reduction="sum")
                       for i in range(0, len(x), batch))
            out.append(loss.item() / len(x))
    return np.array(out)


def timed(work):
    """Wall and processor seconds, children's included."""
    def used():
        return sum(r.ru_utime + r.ru_stime for r in map(
            resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)))
    cpu, wall = used(), time.perf_counter()
    result = work()
    return time.perf_counter() - wall, used() - cpu, result


def median(work):
    runs = [timed(work)]
    while runs[0][0] < FEW_SECONDS and len(runs) < 3:
        runs.append(timed(work))
    return [statistics.median(r[i] for r in runs) for i in (0, 1)], runs[0][2]


def compare(name, threads):
    spec, make, shape, n, sizes = NETS[name]
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((n, *shape)).astype("f4"), rng.integers(0, 10, n)
    np.savez("d.npz", x=x, y=y)
    models = []
    for k in range(2):
        torch.manual_seed(k)
        models.append(make().eval())
        save(f"{k}.h5", models[k], spec)
    ours, _ = median(lambda: subprocess.run(
        ["thalweg", "scan", "-q", "0.h5", "1.h5", "--data", "d.npz", "--mesh", str(POINTS), "-o",
         "line.h5", "--force", "--threads", str(threads)], check=True, stdout=subprocess.DEVNULL))
    ends = [{k: v.clone() for k, v in m.state_dict().items()} for m in models]
    tx, ty = torch.tensor(x), torch.tensor(y)
    tries = {b: min(timed(lambda: torch_line(models[0], ends, tx, ty, b, 1))[1] for _ in range(4))
             for b in sizes}
    batch = min(tries, key=tries.get)
    peer, losses = median(lambda: torch_line(models[0], ends, tx, ty, batch))
    with h5py.File("line.h5") as f:
        off = np.abs(f["loss"][()] / losses - 1.0).max()
    print(f"  {name:9} n {n:5d}  torch's batch {batch:4d}" + "".join(
        f"   {clock}: thalweg {a:6.2f} s, torch {b:6.2f}: {b / a:.2f}x"
        for clock, a, b in zip(("wall", "processor"), ours, peer))
        + f"   losses differ by {off:.1e}", flush=True)


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("nets", nargs="*", metavar="NET", help=", ".join(NETS))
    p.add_argument("--threads", type=int, default=int(os.environ.get("OMP_NUM_THREADS", "2")))
    a = p.parse_args()
    if set(a.nets) - set(NETS):
        p.error("networks are " + ", ".join(NETS))
    torch.set_num_threads(a.threads)
    print(f"51-point line, {a.threads} threads, load {os.getloadavg()[0]:.1f}", flush=True)
    for name in a.nets or NETS:
        compare(name, a.threads)


main()
