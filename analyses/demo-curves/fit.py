#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fit L0 + A*S1^-alpha - C*S2 to some demo curves; forecast the others.

usage: fit.py [--skip STEPS] [--warmup-area] DIRECTORY

A plain check, with scipy, that the curves suit the law. For every seed the
cosine and constant runs' val_loss is fitted and the seed's other runs are
forecast. `own` is the mean error over the rows that the run does not share
with the constant run.
"""
import argparse
import csv
import os

import numpy as np
from scipy.optimize import minimize
from scipy.signal import lfilter

import schedules

FITTED = ("cosine", "constant")


def areas(lrs, warm, lam, warmup_area):
    drop = -np.diff(lrs, prepend=lrs[0])
    if not warmup_area:
        drop[:warm] = 0.0
    return np.cumsum(lrs), np.cumsum(lfilter([1.0], [1.0, -lam], drop))


class Curve:
    def __init__(self, path, spec, skip):
        with open(path, encoding="ascii") as f:
            rows = list(csv.DictReader(x for x in f if x[0] != "#"))
        self.lrs = np.array(schedules.lr(spec))
        self.warm = schedules.parse(spec)[1]["warmup"]
        step = np.array([int(r["step"]) for r in rows])
        loss = np.array([float(r["val_loss"]) for r in rows])
        keep = step >= skip
        self.step, self.loss = step[keep], loss[keep]

    def model(self, x, warmup_area):
        l0, a, alpha, c, lam = (*np.exp(x[:4]), 1 / (1 + np.exp(-x[4])))
        s1, s2 = areas(self.lrs, self.warm, lam, warmup_area)
        return l0 + a * s1[self.step] ** -alpha - c * s2[self.step]


def huber(r, d=1e-3):
    r = np.abs(r)
    return np.where(r <= d, r * r / 2, d * (r - d / 2)).sum()


def fit(curves, warmup_area):
    def goal(x):
        total = 0.0
        for c in curves:
            y = c.model(x, warmup_area)
            if not np.all(y > 0):
                return 1e9
            total += huber(np.log(y) - np.log(c.loss))
        return total * 1e3

    best = None
    for lam in (0.9, 0.98, 0.99, 0.995, 0.999):
        for alpha in (0.3, 0.6, 1.0):
            x = np.array(
                [np.log(1.2), np.log(0.8), np.log(alpha), np.log(0.1), 0.0]
            )
            x[3] = np.log(50 * (1 - lam))
            x[4] = np.log(lam / (1 - lam))
            for _ in range(3):
                r = minimize(
                    goal,
                    x,
                    method="Nelder-Mead",
                    options={"maxiter": 1500, "xatol": 1e-7, "fatol": 1e-9},
                )
                x = r.x
            if best is None or r.fun < best.fun:
                best = r
    return best.x


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--skip", type=int, default=100)
    p.add_argument("--warmup-area", action="store_true")
    p.add_argument("directory")
    a = p.parse_args()
    with open(os.path.join(a.directory, "schedules.csv"), encoding="ascii") as f:
        listed = list(csv.DictReader(f))
    for seed in sorted({r["seed"] for r in listed}):
        curves = {
            r["file"].rpartition("-seed")[0]: Curve(
                os.path.join(a.directory, r["file"]), r["spec"], a.skip
            )
            for r in listed
            if r["seed"] == seed
        }
        x = fit([curves[n] for n in FITTED], a.warmup_area)
        print(
            "seed %s: L0 %.4f A %.4f alpha %.4f C %.4f lambda %.5f"
            % (seed, *np.exp(x[:4]), 1 / (1 + np.exp(-x[4])))
        )
        for n, c in curves.items():
            e = c.model(x, a.warmup_area) - c.loss
            flat = curves["constant"].loss
            n0 = min(len(flat), len(c.loss))
            turn = np.append(np.flatnonzero(flat[:n0] != c.loss[:n0]), 0)[0]
            print(
                "  %-12s %s mean %.3f %%  own %.3f %%  max %.3f %%  last %+.3f %%  R2 %.4f"
                % (
                    n,
                    "fitted  " if n in FITTED else "forecast",
                    100 * np.mean(np.abs(e / c.loss)),
                    100 * np.mean(np.abs(e / c.loss)[turn:]),
                    100 * np.max(np.abs(e / c.loss)),
                    100 * e[-1] / c.loss[-1],
                    1 - np.sum(e**2) / np.sum((c.loss - c.loss.mean()) ** 2),
                )
            )


if __name__ == "__main__":
    main()
