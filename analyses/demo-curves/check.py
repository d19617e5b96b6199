#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check the demo curves: their learning rates, steps and losses.

usage: check.py DIRECTORY   (the one that holds schedules.csv)

The learning rates are worked out here a second time, from README.md's
formulas and apart from schedules.py, and must agree to 1e-15.
"""
import csv
import math
import os
import sys

EVERY = 20


def rate(spec, s):
    name, _, rest = spec.partition(":")
    v = dict(item.split("=") for item in rest.split(","))
    shape = v.pop("shape", "exp")
    if v.pop("ramp") != "(s+1)/w":
        raise ValueError(spec)
    v = {k: float(x) for k, x in v.items()}
    p, w, t, e = v["peak"], v["warmup"], v["total"], v.get("end")
    if s < w:
        return p * (s + 1) / w
    if name == "cosine":
        return e + (p - e) / 2 * (1 + math.cos(math.pi * (s - w) / (t - w)))
    if name == "wsdcon":
        return e if s >= v["stage"] else p
    if name == "wsd" and s >= t - v["decay"]:
        f = (s - (t - v["decay"])) / v["decay"]
        if shape == "exp":
            return p * (e / p) ** f
        return e + (p - e) * (1 - (f if shape == "linear" else f**0.5))
    return p


def rows(path):
    with open(path, encoding="ascii") as f:
        return list(csv.DictReader(line for line in f if line[0] != "#"))


def main():
    where = sys.argv[1]
    listed = rows(os.path.join(where, "schedules.csv"))
    names = {r["file"] for r in listed} | {"schedules.csv"}
    if len(names) != len(listed) + 1 or names != set(os.listdir(where)):
        sys.exit("check.py: schedules.csv does not list the directory's files")
    worst, start = 0.0, {}
    for r in listed:
        curve = rows(os.path.join(where, r["file"]))
        total = int(r["spec"].split("total=")[1].split(",")[0])
        steps = [int(c["step"]) for c in curve]
        if steps != list(range(EVERY - 1, total, EVERY)):
            sys.exit(f"check.py: {r['file']}: steps")
        for c in curve:
            off = abs(float(c["lr"]) - rate(r["spec"], int(c["step"])))
            worst = max(worst, off)
            if not off <= 1e-15:
                sys.exit(f"check.py: {r['file']}: step {c['step']}: lr")
            if not all(0 < float(c[k]) < 8 for k in ("train_loss", "val_loss")):
                sys.exit(f"check.py: {r['file']}: step {c['step']}: loss")
        # One seed's runs are one run while the warm-up lasts.
        warm = [c for c in curve if int(c["step"]) < 100]
        if start.setdefault(r["seed"], warm) != warm:
            sys.exit(f"check.py: {r['file']}: differs in the warm-up")
    print(f"{len(listed)} curves; learning rates agree to {worst:.1e}")


if __name__ == "__main__":
    main()
