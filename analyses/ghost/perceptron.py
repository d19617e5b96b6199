# SPDX-License-Identifier: GPL-3.0-or-later
"""Gradient descent on the logistic loss of separable samples, and the batch perceptron."""
import json
import math
import os
import random
import struct

from tool import OUT, call, figure, series, train

SAMPLES, INPUTS, MARGIN = 60, 6, 0.05


def dot(a, b):
    return sum(x * y for x, y in zip(a, b))


def samples():
    """Separated by `way` with a margin; the first input is large and says nothing."""
    rng = random.Random(0)
    way = [0.0] + [rng.gauss(0, 1) for _ in range(INPUTS - 1)]
    way = [x / math.sqrt(dot(way, way)) for x in way]
    found = []
    for _ in range(SAMPLES):
        x = [3 * rng.gauss(0.5, 1)] + [rng.gauss(0, 1) for _ in range(INPUTS - 1)]
        y = 1 if dot(way, x) > 0 else -1
        found.append(([struct.unpack("f", struct.pack("f", a + MARGIN * y * b))[0]
                       for a, b in zip(x, way)], y))
    return found, way


def batch_perceptron(data):
    """w + mean of y x over the samples on the wrong side, from 0, where a half of each counts."""
    w, iterates, mistakes = [0.0] * INPUTS, [[0.0] * INPUTS], 0.0
    while True:
        share = [0.5 if not any(w) else float(y * dot(w, x) <= 0) for x, y in data]
        if not any(share):
            return iterates, mistakes
        mistakes += sum(share) / len(data)
        w = [w[j] + sum(c * y * x[j] for c, (x, y) in zip(share, data)) / len(data)
             for j in range(INPUTS)]
        iterates.append(w)


def write(data):
    table, zero = os.path.join(OUT, "separable.csv"), os.path.join(OUT, "zero.safetensors")
    with open(table, "w", encoding="utf-8") as f:
        f.write(",".join(f"x{j}" for j in range(INPUTS)) + ",label\n")
        for x, y in data:
            f.write(",".join(f"{v:.17g}" for v in x) + f",{(y + 1) // 2}\n")
    head = json.dumps({"fc1.weight": {"dtype": "F32", "shape": [2, INPUTS],
                                      "data_offsets": [0, 8 * INPUTS]}}).encode()
    head += b" " * (-len(head) % 8)
    with open(zero, "wb") as f:
        f.write(struct.pack("<Q", len(head)) + head + bytes(8 * INPUTS))
    return table, zero


def weights(checkpoint):
    """Row 1 less row 0 of the only layer."""
    path = os.path.join(OUT, "iterate.safetensors")
    call("convert", checkpoint, path, "--force", "-q")
    with open(path, "rb") as f:
        raw = f.read()[-8 * INPUTS:]
    w = struct.unpack(f"<{2 * INPUTS}f", raw)
    return [w[INPUTS + j] - w[j] for j in range(INPUTS)]


def descend(name, files, steps, *args):
    table, zero = files
    return train(name, f"mlp({INPUTS},2,bias=no)", "--validation", "none", "--weights", zero,
                 "--optimizer", "sgd", "--batch", "full", "--steps", str(steps), "--checkpoint",
                 ",".join(map(str, range(1, 61))), "--log", "loss,acc,r", "--log-every", "1",
                 "--double", *args, data=["--data", table])[0]


def large_steps():
    """large steps of gradient descent on separable samples, and the perceptron"""
    data, way = samples()
    files = write(data)
    iterates, mistakes = batch_perceptron(data)
    margin = min(y * dot(way, x) for x, y in data)
    radius = max(math.sqrt(dot(x, x)) for x, _ in data)
    size = max(math.sqrt(dot(w, w)) for w in iterates)
    print("\n== Large steps on separable samples: logistic regression from 0, full batches")
    print(f"{SAMPLES} samples, {INPUTS} inputs; the batch perceptron separates them in "
          f"{len(iterates) - 1} steps, {mistakes:.1f} passes of mistakes (bound (R / margin)^2 = "
          f"{(radius / margin) ** 2:.0f})")
    print("step        separated after   r > 1 before that   largest r   largest loss   "
          "from the perceptron (largest, relative)")
    drawn = []
    for step, extra in (("0.1", ()), ("1", ()), ("10", ()), ("100", ()), ("1e3", ()), ("1e4", ()),
                        ("1e4, r <= 1", ("--ghost-cap", "1"))):
        eta = float(step.split(",")[0])
        path = descend("steps-" + step.replace(", r <= ", "-r"), files, 2000, "--lr", str(eta), *extra)
        right = next((s - 1 for s, a in series(path, "acc") if a == 1), None)
        r = [v for s, v in series(path, "r") if right is None or s <= right]
        loss = max(v for _, v in series(path, "loss"))
        apart = max(math.dist([x / (2 * eta) for x in weights(f"{path}:{t}")], iterates[t])
                    for t in range(1, len(iterates))) / size if not extra else None
        print(f"{step:11} {'no' if right is None else int(right):>15}   "
              f"{sum(v > 1.000001 for v in r):9} of {len(r):6}   {max(r):9.3g}   {loss:12.3g}   "
              f"{'-' if apart is None else format(apart, '.2g'):>10}")
        if eta in (1, 100, 1e4) and not extra:
            drawn.append(path)
    figure("large-steps", "plot", *drawn, "-y", "r", "--log-y", "--to",
           str(len(iterates) - 1))
