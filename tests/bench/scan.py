#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""A 51-point line between two networks: thalweg scan from start to end, and PyTorch.

The networks and numbers of samples are those of bench_engine.c. PyTorch gets what it needs to run
well: no gradients, batches that stay in its caches (the fastest of several sizes, tried here),
weights mixed in place, its own threads; imports, loading and a first pass do not count. Thalweg counts
from the start of its process to the end. Medians of five where a line takes less than four seconds, each
from a process of its own, in turns: PyTorch's times differ between processes by a quarter.
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


def samples(name):
    shape, n = NETS[name][2:4]
    rng = np.random.default_rng(0)
    return rng.standard_normal((n, *shape)).astype("f4"), rng.integers(0, 10, n)


def ends_of(name):
    models = []
    for k in range(2):
        torch.manual_seed(k)
        models.append(NETS[name][1]().eval())
    return models


def peer(name, threads):
    """PyTorch's line in this process: prints batch, wall and processor seconds, and the losses."""
    torch.set_num_threads(threads)
    x, y = map(torch.tensor, samples(name))
    models = ends_of(name)
    ends = [{k: v.clone() for k, v in m.state_dict().items()} for m in models]
    tries = {b: min(timed(lambda: torch_line(models[0], ends, x, y, b, 3))[0] for _ in range(3))
             for b in NETS[name][4]}
    batch = min(tries, key=tries.get)
    wall, cpu, losses = timed(lambda: torch_line(models[0], ends, x, y, batch))
    print(batch, wall, cpu, *losses)


def of_process(name, threads):
    run = subprocess.run([sys.executable, __file__, "--peer", "--threads", str(threads), name],
                         check=True, stdout=subprocess.PIPE, text=True)
    numbers = [float(w) for w in run.stdout.split()]
    return numbers[1:3], int(numbers[0]), np.array(numbers[3:])


def compare(name, threads):
    spec, n = NETS[name][0], NETS[name][3]
    x, y = samples(name)
    np.savez("d.npz", x=x, y=y)
    for k, model in enumerate(ends_of(name)):
        save(f"{k}.h5", model, spec)
    ours, theirs, batches = [], [], []
    while not ours or (ours[0][0] < FEW_SECONDS and len(ours) < 5):
        ours.append(timed(lambda: subprocess.run(
            ["thalweg", "scan", "-q", "0.h5", "1.h5", "--data", "d.npz", "--mesh", str(POINTS), "-o",
             "line.h5", "--force", "--threads", str(threads)], check=True,
            stdout=subprocess.DEVNULL))[:2])
        seconds, batch, losses = of_process(name, threads)
        theirs.append(seconds)
        batches.append(batch)
    with h5py.File("line.h5") as f:
        off = np.abs(f["loss"][()] / losses - 1.0).max()
    text = ""
    for i, clock in enumerate(("wall", "processor")):
        a, b = ([r[i] for r in runs] for runs in (ours, theirs))
        text += (f"   {clock}: thalweg {statistics.median(a):6.2f} s, torch {statistics.median(b):6.2f}"
                 f" ({min(b):.2f} to {max(b):.2f}): {statistics.median(b) / statistics.median(a):.2f}x")
    print(f"  {name:9} n {n:5d}  torch's batch {statistics.median_low(batches):4d}{text}"
          f"   losses differ by {off:.1e}", flush=True)


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("nets", nargs="*", metavar="NET", help=", ".join(NETS))
    p.add_argument("--threads", type=int, default=int(os.environ.get("OMP_NUM_THREADS", "2")))
    p.add_argument("--peer", action="store_true", help=argparse.SUPPRESS)
    a = p.parse_args()
    if set(a.nets) - set(NETS):
        p.error("networks are " + ", ".join(NETS))
    if a.peer:
        peer(a.nets[0], a.threads)
        return
    print(f"51-point line, {a.threads} threads, load {os.getloadavg()[0]:.1f}", flush=True)
    for name in a.nets or NETS:
        compare(name, a.threads)


main()
