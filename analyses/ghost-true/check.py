# SPDX-License-Identifier: GPL-3.0-or-later
"""The radii of the MLPs with smooth activations by another program: gradients by PyTorch, logits at
complex t by NumPy. F(t), the sum of their exponentials, is analytic up to the nearest singularity of a
logit, so that its windings round 0 are its zeros within a circle (the argument principle): none within
R (1 - GAP), at least the pair within R (1 + GAP)."""
import sys

import h5py
import numpy as np
import torch
from scipy.special import erf

from tables import DATA, NETS, OUT, SEEDS, STAGES, ghost, run, train

GAP, POINTS, STEP, EPS = 1e-3, 12000, 1e-20, 1e-5


def softplus(z):
    return np.where(z.real > 0, z, 0) + np.log1p(np.exp(np.where(z.real > 0, -z, z)))


ACTS = {
    "tanh": (torch.tanh, np.tanh),
    "softplus": (torch.nn.functional.softplus, softplus),
    "silu": (torch.nn.functional.silu, lambda z: z / (1 + np.exp(-z))),
    "gelu": (torch.nn.functional.gelu, lambda z: 0.5 * z * (1 + erf(z / np.sqrt(2)))),
}


def logits(of, act, x):
    """of(name, h): what the weights of this name make of h."""
    for k in 1, 2, 3:
        x = of(f"fc{k}", x)
        if k < 3:
            x = act(of(f"norm{k}", x))
    return x


def plain(w, name, h):
    if name.startswith("fc"):
        return h @ w[name + ".weight"].T + w[name + ".bias"]
    return normalised(h) * w[name + ".weight"] + w[name + ".bias"] if name + ".bias" in w else h


def normalised(h):
    h = h - h.mean(-1)[..., None]
    return h / ((h * h).mean(-1)[..., None] + EPS) ** 0.5


def along(w, d, t):
    """The same at w + t d, for a row of h for each t."""
    def of(name, h):
        now = plain(w, name, h)
        return now if name + ".bias" not in w else now + t[:, None] * plain(d, name, h)
    return of


def down(w, act, x, y):
    """The unit vector down the gradient of the mean loss."""
    leaves = {name: torch.tensor(v, requires_grad=True) for name, v in w.items()}
    z = logits(lambda name, h: plain(leaves, name, h), act, torch.tensor(x))
    torch.nn.functional.cross_entropy(z, torch.tensor(y)).backward()
    length = np.sqrt(sum(float((v.grad ** 2).sum()) for v in leaves.values()))
    return {name: -v.grad.numpy() / length for name, v in leaves.items()}


def windings(w, d, act, x, radius):
    t = radius * np.exp(2j * np.pi * np.arange(POINTS) / POINTS)
    z = logits(along(w, d, t), act, np.repeat(x[None], POINTS, 0))
    f = np.exp(z - z[:, :1]).sum(1)
    turn = np.angle(np.roll(f, -1) / f)
    return round(turn.sum() / (2 * np.pi)) if np.abs(turn).max() < 2 else None


def main():
    with h5py.File(DATA) as f:
        some = f["split"][:] == 0
        x = f["x"][:][some].reshape(-1, 64) * 0.0625
        y = f["y"][:][some].astype(int)
    print("network   updates   R right to a thousandth   rho_a apart by at most   R/rho_a least, median")
    for name in sys.argv[4:] or [n for n in NETS if n.split("+")[-1] in ACTS and "mlp" in NETS[n]]:
        act = ACTS[name.split("+")[-1]]
        runs = [train(name, seed) for seed in SEEDS]
        for stage in STAGES:
            right, apart, ratio = [], [], []
            for path in runs:
                run("convert", "-q", f"{path}:{stage}", f"{OUT}/check.h5", "--force")
                with h5py.File(f"{OUT}/check.h5") as f:
                    w = {n: f[n][:].astype(float) for n in f}
                d = down(w, act[0], x, y)
                for s in ghost(f"{path}:{stage}")["true"]:
                    row, r = x[s["row"]], s["radius"]
                    slopes = logits(along(w, d, np.array([1j * STEP])), act[1], row[None])[0].imag
                    rho_a = np.pi / np.ptp(slopes / STEP)
                    near, far = (windings(w, d, act[1], row, r * k) for k in (1 - GAP, 1 + GAP))
                    right.append(near == 0 and far is not None and far >= 2)
                    apart.append(abs(s["rho_a"] / rho_a - 1))
                    ratio.append(r / rho_a)
            print(f"{name:9} {stage:7}   {sum(right):11} of {len(right):2}   {max(apart):23.1e}   "
                  f"{min(ratio):17.2f}, {np.median(ratio):.2f}", flush=True)


main()
