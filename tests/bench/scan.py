#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""A 51-point line between two networks: thalweg scan from start to end, and PyTorch.

PyTorch gets what it needs to run well: no gradients, batches that stay in its caches, weights mixed
in place, its own threads; imports, loading and a first pass do not count. Wall and processor seconds,
their ratio (PyTorch / thalweg), and the largest difference of losses.
"""
import os
import resource
import subprocess
import sys
import time

import h5py
import numpy as np
import torch
from torch.nn import functional as F

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "oracle"))
import families  # noqa: E402

THREADS = int(os.environ.get("OMP_NUM_THREADS", "2"))
POINTS = 51
NETS = [
    ("mlp(784,512,512,10)", lambda: families.Mlp(784, 512, 512, 10), (784,), 1000, 1000),
    ("lenet", lambda: families.LeNet(), (1, 28, 28), 400, 200),
    ("resnet20(classes=10)", lambda: families.ResNet(20, classes=10), (3, 32, 32), 100, 50),
]


def save(path, model, spec):
    with h5py.File(path, "w") as f:
        f.attrs["model"] = spec
        for k, v in model.state_dict().items():
            if v.ndim:
                f[k] = v.numpy()


def torch_line(model, ends, x, y, batch):
    target = model.state_dict()
    out = []
    with torch.no_grad():
        for t in np.linspace(0.0, 1.0, POINTS):
            for k, v in target.items():
                if v.ndim:
                    torch.lerp(ends[0][k], ends[1][k], float(t), out=v)
            loss = sum(F.cross_entropy(model(x[i:i + batch]), y[i:i + batch], reduction="sum")
                       for i in range(0, len(x), batch))
            out.append(loss.item() / len(x))
    return np.array(out)


def main():
    torch.set_num_threads(THREADS)
    rng = np.random.default_rng(0)
    print(f"51-point line, {THREADS} threads     seconds: thalweg   torch  ratio   "
          "processor: thalweg   torch  ratio   difference")
    for spec, make, shape, n, batch in NETS:
        x = rng.standard_normal((n, *shape)).astype("f4")
        y = rng.integers(0, 10, n)
        np.savez("d.npz", x=x, y=y)
        models = []
        for k in range(2):
            torch.manual_seed(k)
            models.append(make().eval())
            save(f"{k}.h5", models[k], spec)
        if os.path.exists("line.h5"):
            os.unlink("line.h5")
        before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        subprocess.run(["thalweg", "scan", "-q", "0.h5", "1.h5", "--data", "d.npz", "--mesh", "51",
                        "-o", "line.h5", "--threads", str(THREADS)], check=True,
                       stdout=subprocess.DEVNULL)
        wall = [time.perf_counter() - start]
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu = [after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime]
        ends = [{k: v.clone() for k, v in m.state_dict().items()} for m in models]
        tx, ty = torch.tensor(x), torch.tensor(y)
        torch_line(models[0], ends, tx[:batch], ty[:batch], batch)
        start, used = time.perf_counter(), time.process_time()
        losses = torch_line(models[0], ends, tx, ty, batch)
        wall.append(time.perf_counter() - start)
        cpu.append(time.process_time() - used)
        off = np.abs(h5py.File("line.h5")["loss"][()] - losses).max()
        print(f"  {spec:22s} n {n:5d}           {wall[0]:9.2f} {wall[1]:7.2f} {wall[1] / wall[0]:6.2f}"
              f"              {cpu[0]:9.2f} {cpu[1]:7.2f} {cpu[1] / cpu[0]:6.2f}   {off:.1e}")


main()
