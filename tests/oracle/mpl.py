#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The multi-power law fitted by scipy: L-BFGS-B with the analytic gradient from one start, in
logarithms of the parameters, restarted from its result until nothing is gained. Huber's loss on
log loss. The double sum is written out over the steps in which the rate moves, in numpy.

time DATA SIZE         time one such fit and one evaluation; JSON on stdout
"""
import csv
import json
import os
import sys
import time

import numpy as np
from scipy.optimize import minimize

TRAIN = ["cosine_24000", "constant_24000", "wsdcon_9"]
DELTA = 1e-3
START = [3.0, 0.5, 0.5, 400.0, 1.0, 0.5, 0.5]


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
    return lr


class Problem:
    def __init__(self, folder):
        with open(f"{folder}/schedules.csv", encoding="utf-8") as f:
            rows = {r["curve"]: r for r in csv.DictReader(f)}
        self.points, s1s, ys = [], [], []
        for name in TRAIN:
            table = np.loadtxt(f"{folder}/{name}.csv", delimiter=",", skiprows=1)
            lr = schedule(rows[name])
            s1 = np.cumsum(lr)
            k = np.flatnonzero(lr[1:] != lr[:-1]) + 1
            for t in table[:, 0].astype(int):
                use = k[k <= t]
                self.points.append((lr[use - 1] - lr[use], s1[t] - s1[use - 1], np.log(lr[use])))
                s1s.append(s1[t])
            ys.append(table[:, 2])
        self.log_y, self.log_s1 = np.log(np.concatenate(ys)), np.log(s1s)

    def decay(self, c, beta, gamma):
        """LD / B of every point and its derivatives by log C, beta and gamma."""
        out = np.empty((4, len(self.points)))
        for i, (fall, s, log_rate) in enumerate(self.points):
            x = c * np.exp(-gamma * log_rate) * s
            u = np.log1p(x)
            g = np.exp(-beta * u)
            slope = fall * beta * g * x / (1 + x)
            out[:, i] = (fall @ (1 - g), slope.sum(), fall @ (u * g), -(slope @ log_rate))
        return out

    def objective(self, log_p):
        """F / DELTA^2 and its gradient by the logarithms: of order the number of points."""
        l0, a, alpha, b, c, beta, gamma = np.exp(log_p)
        ld, by_c, by_beta, by_gamma = self.decay(c, beta, gamma)
        power = a * np.exp(-alpha * self.log_s1)
        raw = l0 + power - b * ld
        y = np.maximum(raw, 1e-3)
        r = (self.log_y - np.log(y)) / DELTA
        size = np.abs(r)
        inside = size <= 1.0
        w = np.where(inside, r, np.sign(r)) / (-DELTA * y) * (raw > 1e-3)
        gradient = [l0 * w.sum(), w @ power, -alpha * (w @ (power * self.log_s1)), -b * (w @ ld),
                    -b * (w @ by_c), -b * beta * (w @ by_beta), -b * gamma * (w @ by_gamma)]
        return np.where(inside, 0.5 * r * r, size - 0.5).sum(), np.array(gradient)

    def fit(self, start):
        p, best = np.log(start), np.inf
        while True:
            got = minimize(self.objective, p, jac=True, method="L-BFGS-B",
                           options={"ftol": 1e-13, "gtol": 1e-8, "maxiter": 2000, "maxfun": 4000})
            if got.fun >= best * (1 - 1e-8):
                return np.exp(p), best * DELTA**2
            p, best = got.x, got.fun


def timed(data, size):
    problem = Problem(f"{data}/mpl_{size}")
    start = time.process_time()
    for _ in range(5):
        problem.objective(np.log(START))
    each = (time.process_time() - start) / 5
    start, cpu = time.perf_counter(), time.process_time()
    _, value = problem.fit(START)
    print(json.dumps({"wall_s": time.perf_counter() - start, "cpu_s": time.process_time() - cpu,
                      "objective": value, "evaluation_cpu_s": each}))


if __name__ == "__main__":
    # L-BFGS-B's Fortran prints remarks of its own: what we print goes out beside it.
    sys.stdout = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    {"time": timed}[sys.argv[1]](*sys.argv[2:])
