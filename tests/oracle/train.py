#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Training again with PyTorch, from the first checkpoint of a run and with its learning rates.

    train.py data FOLDER              write samples.npz, pictures.npz, tokens.npz
    train.py check < CASES            compare runs (full batches, a row for every update); a case is
                                      a line "RUN|DATA|TORCH|[--double] [--weights=T] [--loss=T]
                                      [--clip=X] [--smoothing=X]"
    train.py time RUN DATA TORCH BATCH STEPS
                                      seconds (processor, wall) of a step, as JSON

TORCH is "optimizer;module": two expressions, for example
"torch.optim.SGD(p, lr=1, momentum=0.9);Mlp(64, 16, 10)". Both sides see the same samples in the
same order. Tolerances: largest difference of any parameter in any checkpoint, of any loss.
"""
import json
import sys
import time

import numpy as np

if sys.argv[1] != "data":
    import h5py
    import torch
    from torch import nn
    from torch.nn import functional as F

    from families import Conv1d, Gpt, LeNet, Mlp, ResNet  # noqa: F401 (used by the expressions)


def write_data(folder):
    rng = np.random.default_rng(5)
    centres = rng.normal(size=(10, 64))
    y = rng.integers(0, 10, 97)
    np.savez(f"{folder}/samples.npz", x=(centres[y] + rng.normal(size=(97, 64))).astype("f4"), y=y)
    centres = rng.normal(size=(10, 1, 12, 12))
    y = rng.integers(0, 10, 61)
    np.savez(f"{folder}/pictures.npz", x=(centres[y] + rng.normal(size=(61, 1, 12, 12))).astype("f4"),
             y=y)
    text = rng.integers(0, 4, 1000)
    text = np.cumsum(text) % 32
    x = np.stack([text[i:i + 16] for i in range(0, 640, 16)])
    y = np.stack([text[i + 1:i + 17] for i in range(0, 640, 16)])
    np.savez(f"{folder}/tokens.npz", x=x, y=y)


def load(path, data, torch_text, double):
    optimizer, module = torch_text.split(";")
    net = eval(module)  # pylint: disable=eval-used
    file = h5py.File(path, "r")
    run = file["runs/run"]
    state = {k: torch.tensor(v[()]) for k, v in run["checkpoints/0"].items()}
    missing, extra = net.load_state_dict(state, strict=False)
    assert not extra and all("num_batches" in k or "mask" in k for k in missing), (missing, extra)
    net = net.double() if double else net
    net.train()
    d = np.load(data)
    x = torch.tensor(d["x"])
    if x.ndim == 2 and any(isinstance(m, nn.Conv2d) for m in net.modules()):
        x = x.reshape(len(x), 1, 8, -1)
    x = x if not x.is_floating_point() else x.double() if double else x.float()
    p = list(net.parameters())  # noqa: F841
    return run, net, x, torch.tensor(d["y"]), eval(optimizer)  # pylint: disable=eval-used


def loss_of(net, x, y, smoothing=0.0):
    out = net(x)
    return F.cross_entropy(out.reshape(-1, out.shape[-1]), y.reshape(-1),
                           label_smoothing=smoothing)


def check(path, data, torch_text, options):
    limits = dict(o[2:].split("=") for o in options if "=" in o)
    run, net, x, y, optimizer = load(path, data, torch_text, "--double" in options)
    rate, loss = run["log/lr"][()], run["log/loss"][()]
    worst_loss = worst_weight = 0.0
    for step, lr in enumerate(rate):
        for group in optimizer.param_groups:
            group["lr"] = lr
        optimizer.zero_grad()
        value = loss_of(net, x, y, float(limits.get("smoothing", 0)))
        value.backward()
        if "clip" in limits:
            nn.utils.clip_grad_norm_(net.parameters(), float(limits["clip"]))
        optimizer.step()
        worst_loss = max(worst_loss, abs(value.item() - loss[step]))
        kept = run["checkpoints"].get(str(step + 1))
        for key, tensor in net.state_dict().items() if kept else ():
            if key in kept:
                worst_weight = max(worst_weight, np.abs(tensor.numpy() - kept[key][()]).max())
    good = worst_loss <= float(limits["loss"]) and worst_weight <= float(limits["weights"])
    print(f"{'same' if good else 'different'} {torch_text}: {len(rate)} updates, losses differ by "
          f"up to {worst_loss:.2g}, weights by up to {worst_weight:.2g}; the last loss is "
          f"{loss[-1]:.4g}")


def measure(path, data, torch_text, batch, steps):
    torch.set_num_threads(1)
    _, net, x, y, optimizer = load(path, data, torch_text, False)
    order = torch.randperm(len(x))
    for step in range(steps + 10):
        if step == 10:
            wall, user = time.perf_counter(), time.process_time()
        first = step * batch % (len(x) - batch + 1)
        rows = order[first:first + batch]
        optimizer.zero_grad()
        loss_of(net, x[rows], y[rows]).backward()
        optimizer.step()
    print(json.dumps({"user": (time.process_time() - user) / steps,
                      "wall": (time.perf_counter() - wall) / steps}))


def main():
    what, *rest = sys.argv[1:]
    if what == "data":
        write_data(*rest)
    elif what == "check":
        for line in sys.stdin:
            path, data, torch_text, options = line.rstrip("\n").split("|")
            check(path, data, torch_text, options.split())
    else:
        measure(*rest[:3], int(rest[3]), int(rest[4]))


if __name__ == "__main__":
    main()
