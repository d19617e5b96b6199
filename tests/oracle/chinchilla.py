#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Chinchilla law fitted by scipy from the grid of starts of Hoffmann et al. 2022 (as in
Besiroglu et al. 2024): L-BFGS-B with the analytic gradient on the log-sum-exp form, Huber's loss of
log loss, one start after another.

time TABLE PART     time the fits from a random PART (0 to 1) of the 4,500 starts; JSON on stdout
"""
import csv
import itertools
import json
import sys
import time

import numpy as np
from scipy.optimize import minimize

DELTA = 1e-3
SCALE = 1e3  # of the objective: default tolerances stop early without


def objective(p, log_n, log_d, log_y):
    """Sum of Huber's loss and its gradient by a, b, e, alpha, beta."""
    terms = np.stack([p[0] - p[3] * log_n, p[1] - p[4] * log_d, np.full_like(log_n, p[2])])
    top = terms.max(axis=0)
    weights = np.exp(terms - top)
    total = weights.sum(axis=0)
    r = log_y - top - np.log(total)
    weights /= total
    inside = np.abs(r) <= DELTA
    value = np.where(inside, 0.5 * r * r, DELTA * (np.abs(r) - 0.5 * DELTA)).sum()
    psi = -np.where(inside, r, DELTA * np.sign(r))
    a, b, e = weights @ psi
    alpha, beta = -(weights[0] * log_n) @ psi, -(weights[1] * log_d) @ psi
    return SCALE * value, SCALE * np.array([a, b, e, alpha, beta])


def main():
    _, table, part = sys.argv[1:]
    with open(table, encoding="utf-8") as f:
        rows = [(float(r["N"]), float(r["D"]), float(r["loss"])) for r in csv.DictReader(f)]
    rows = sorted(rows, key=lambda r: r[2])[:-5]
    log_n, log_d, log_y = np.log(np.array(rows)).T
    exponents, sizes = np.arange(0, 2.5, 0.5), np.arange(0, 30, 5)
    grid = np.array(list(itertools.product(sizes, sizes, np.arange(-1, 1.5, 0.5), exponents,
                                           exponents)))
    chosen = np.random.default_rng(1).permutation(len(grid))[: round(float(part) * len(grid))]
    wall, cpu = time.perf_counter(), time.process_time()
    found = [minimize(objective, grid[i], args=(log_n, log_d, log_y), jac=True,
                      method="L-BFGS-B").fun / SCALE for i in chosen]
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    best = float(min(found))
    json.dump({"starts": len(chosen), "grid": len(grid), "wall_s": wall, "cpu_s": cpu,
               "objective": best, "arrived": int(sum(f <= best * (1 + 1e-6) for f in found))}, sys.stdout)


if __name__ == "__main__":
    main()
