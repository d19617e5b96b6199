#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The annealing law fitted by scipy, as people do it: for each lambda of a grid L-BFGS-B from
108 starts (L0 {1,2,4} x A {1,2,4} x alpha {.2,...,1.2} x C {.5,1}), Huber's loss on log loss,
analytic gradient; then lambda is refined by a bounded scalar search.

check DATA MINE.json   compare with our fits of the published curves; TAP on stdout
time DATA SIZE         time one such fit; JSON on stdout
"""
import csv
import json
import os
import sys
import time

import numpy as np
from scipy.optimize import minimize, minimize_scalar
from scipy.signal import lfilter

TRAIN = ["cosine_24000", "constant_24000", "wsdcon_9"]
DELTA = 1e-3
BOUNDS = [(0, 10), (0, 20), (0, 10), (0, 20)]
STARTS = [(a, b, c, d) for a in (1, 2, 4) for b in (1, 2, 4)
          for c in (0.2, 0.4, 0.6, 0.8, 1.0, 1.2) for d in (0.5, 1)]


def schedule(row):
    """Rates of every step, from the description of schedules.csv (not from our grammar)."""
    warmup, total = int(row["warmup"]), int(row["total"])
    peak, end = float(row["peak"]), float(row["end"])
    stage = int(row["stage"]) if row["stage"] else total
    lr = np.full(total, peak)
    lr[:warmup] = np.linspace(0, peak, warmup)
    if row["kind"] == "cosine":
        f = np.arange(total - warmup) / (total - warmup)
        lr[warmup:] = end + 0.5 * (peak - end) * (1 + np.cos(np.pi * f))
    elif row["kind"] == "wsdcon":
        lr[stage:] = end
    return lr, warmup


class Problem:
    def __init__(self, folder, keep):
        with open(f"{folder}/schedules.csv", encoding="utf-8") as f:
            rows = {r["curve"]: r for r in csv.DictReader(f)}
        self.curves, self.keep = [], keep
        for name in TRAIN:
            table = np.loadtxt(f"{folder}/{name}.csv", delimiter=",", skiprows=1)
            lr, warmup = schedule(rows[name])
            fall = np.concatenate([[0.0], lr[:-1] - lr[1:]])
            if not keep:
                fall[:warmup] = 0.0
            self.curves.append((table[:, 0].astype(int), np.cumsum(lr), fall))
        self.log_y = np.log(np.concatenate(
            [np.loadtxt(f"{folder}/{n}.csv", delimiter=",", skiprows=1)[:, 2] for n in TRAIN]))
        self.log_s1 = np.log(np.concatenate([s1[at] for at, s1, _ in self.curves]))

    def area(self, lam):
        return np.concatenate([np.cumsum(lfilter([1.0], [1.0, -lam], fall))[at]
                               for at, _, fall in self.curves])

    def objective(self, p, s2):
        """F / DELTA^2 and its gradient: of order the number of points."""
        power = np.exp(-p[2] * self.log_s1)
        raw = p[0] + p[1] * power - p[3] * s2
        y = np.maximum(raw, 1e-3)
        r = (self.log_y - np.log(y)) / DELTA
        a = np.abs(r)
        inside = a <= 1.0
        value = np.where(inside, 0.5 * r * r, a - 0.5).sum()
        w = np.where(inside, r, np.sign(r)) / (-DELTA * y) * (raw > 1e-3)
        return value, np.array([w.sum(), w @ power, -p[1] * (w @ (power * self.log_s1)), -(w @ s2)])

    def fit_at(self, lam, starts, **options):
        s2 = self.area(lam)
        best = None
        for p in starts:
            got = minimize(self.objective, p, args=(s2,), jac=True, method="L-BFGS-B",
                           bounds=BOUNDS, options=options)
            if best is None or got.fun < best.fun:
                best = got
        return best

    def polish(self, lam, p):
        """Restart from the result until nothing is gained."""
        for _ in range(30):
            got = self.fit_at(lam, [p], ftol=1e-15, gtol=1e-10, maxiter=2000, maxfun=4000)
            if not got.fun < self.objective(p, self.area(lam))[0] * (1 - 1e-12):
                break
            p = got.x
        return p, self.objective(p, self.area(lam))[0]

    def fit(self, lambdas, starts):
        rows = [(self.fit_at(lam, starts, ftol=1e-9, gtol=1e-6), lam) for lam in lambdas]
        got, lam = min(rows, key=lambda row: row[0].fun)
        return got.x, lam, got.fun * DELTA**2

    def refine(self, lam, p):
        """lambda by a scalar search over log(1 - lambda), each point polished."""
        u = np.log(1 - lam)
        got = minimize_scalar(lambda v: self.polish(1 - np.exp(v), p)[1],
                              bounds=(u - 0.6, u + 0.6), method="bounded",
                              options={"xatol": 1e-6})
        lam = 1 - np.exp(got.x)
        p, value = self.polish(lam, p)
        return np.append(p, lam), value * DELTA**2


def check(data, mine):
    with open(mine, encoding="utf-8") as f:
        fits = json.load(f)
    count = 0
    for fit in fits:
        name = f"{fit['size']}, warm-up {'kept' if fit['keep'] else 'left out'}"
        problem = Problem(f"{data}/mpl_{fit['size']}", fit["keep"])
        theta = np.array(fit["theta"])
        at_ours = problem.objective(theta[:4], problem.area(theta[4]))[0] * DELTA**2
        # a dozen of the starts for each lambda find the valley; the rest is for `time`
        p, lam, _ = problem.fit(1 - np.logspace(-4, -1, 10), STARTS[::9])
        best, value = problem.refine(lam, p)
        for what, ok in [
                ("scipy computes our objective", abs(at_ours / fit["objective"] - 1) < 1e-9),
                ("scipy finds nothing better", value > fit["objective"] * (1 - 1e-7)),
                ("scipy finds the same objective", abs(value / fit["objective"] - 1) < 1e-5),
                ("scipy finds the same parameters",
                 np.all(np.abs(best / theta - 1) < [1e-3, 1e-3, 3e-3, 1e-2, 1e-4]))]:
            count += 1
            print(f"{'ok' if ok else 'not ok'} {count} - {name}: {what}")
            if not ok:
                print(f"# ours {fit['objective']} {theta}, at ours {at_ours}, scipy {value} {best}",
                      file=sys.stderr)
    print(f"1..{count}")


def timed(data, size):
    problem = Problem(f"{data}/mpl_{size}", 0)
    start, cpu = time.perf_counter(), time.process_time()
    _, lam, value = problem.fit(1 - np.logspace(-4, -2, 9), STARTS)
    print(json.dumps({"wall_s": time.perf_counter() - start, "cpu_s": time.process_time() - cpu,
                      "lambdas": 9, "starts": len(STARTS), "objective": value, "lambda": lam}))


if __name__ == "__main__":
    # L-BFGS-B's Fortran prints remarks of its own: what we print goes out beside it.
    sys.stdout = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    {"check": check, "time": timed}[sys.argv[1]](*sys.argv[2:])
