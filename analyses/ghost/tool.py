# SPDX-License-Identifier: GPL-3.0-or-later
"""Calling thalweg and reading what it says."""
import json
import math
import os
import statistics
import subprocess
import sys

THALWEG, OUT, DATA = sys.argv[1:4]
DIGITS = ["--data", DATA, "--scale", "0.0625"]
median = statistics.median


def call(*args):
    done = subprocess.run([THALWEG, *args], capture_output=True, text=True)
    if done.returncode not in (0, 4):
        sys.exit(done.stderr)
    return done.stdout


def asked(*args):
    return json.loads(call(*args, "-q", "--json"))["result"]


def train(name, net, *args, data=DIGITS):
    path = os.path.join(OUT, name + ".h5")
    return path, asked("train", net, *data, "--force", "-o", path, *args)["runs"]


def ghost(*args, limit=True):
    r = asked("ghost", *args, *DIGITS, "--split", "train", *(["--limit", "500"] if limit else []))
    return r["lines"] if "lines" in r else [r]


def accuracy(checkpoint, split):
    return 100 * (1 - asked("eval", checkpoint, *DIGITS, "--split", split)[0]["error"])


def recalibrated(checkpoint):
    """Test accuracy with the statistics of batch normalisation taken anew: the middle of a scan."""
    scan, table = os.path.join(OUT, "anew.h5"), os.path.join(OUT, "anew.csv")
    call("scan", checkpoint, *DIGITS, "--split", "test", "--bn", "recalibrate", "--mesh", "3",
         "--radius", "1e-6", "--force", "-q", "-o", scan)
    call("export", scan, "--csv", table, "--force", "-q")
    with open(table, encoding="utf-8") as f:
        names, _, middle, *_ = [line.split(",") for line in f.read().split()]
    return 100 * (1 - float(middle[names.index("error")]))


def series(path, name, run=None):
    """(step, value) of a series of a training run."""
    which = ["-y", name] + (["--run", run] if run else [])
    said = asked("log", path, *which)["files"][0]["runs"][0]["series"]
    one = next(s for s in said if s["name"] == name)
    if one["y_min"] == one["y_max"] or one["n"] < 3:  # no curve to draw
        return [(one["x_min"] + k * one["spacing"], one["y_min"]) for k in range(one["n"])]
    # The figure's numbers; gnuplot may find nothing to draw in a series that is nearly constant.
    dat = os.path.join(OUT, "series.dat")
    if os.path.exists(dat):
        os.remove(dat)
    subprocess.run([THALWEG, "plot", path, *which, "-q", "-o", os.path.join(OUT, "series.svg")],
                   capture_output=True, check=False)
    with open(dat, encoding="utf-8") as f:
        rows = [line.split() for line in f.read().split("# measured 1:")[1].split("\n\n")[0]
                .splitlines()[2:] if line]
    return [(float(x), float(y)) for x, y, *_ in rows]


def figure(name, *args):
    path = os.path.join(OUT, name + ".pdf")
    call(*args, "-q", *(["-o", path] if args[0] == "plot" else ["--plot", path]))
    print("figure", path)


def line_figure(name, *args):
    figure(name, "ghost", *args, *DIGITS, "--split", "train", "--limit", "500")


def ratios(lines, onset, scale):
    return [l["onset"][onset] / l[scale] for l in lines
            if l["onset"][onset] is not None and l[scale]]


def spread(x):
    return statistics.stdev(math.log10(v) for v in x if v)
