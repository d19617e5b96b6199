# SPDX-License-Identifier: GPL-3.0-or-later
"""The tables of README.md: every number is thalweg's; here are medians and deviations alone."""
import json
import math
import os
import statistics
import subprocess
import sys

THALWEG, OUT, DATA = sys.argv[1:4]
DIGITS = ["--data", DATA, "--scale", "0.0625"]


def call(*args):
    done = subprocess.run([THALWEG, *args], capture_output=True, text=True)
    if done.returncode not in (0, 4):
        sys.exit(done.stderr)
    return done.stdout


def train(name, net, *args):
    path = os.path.join(OUT, name + ".h5")
    return path, json.loads(
        call("train", net, *DIGITS, "-q", "--json", "--force", "-o", path, *args))["result"]["runs"]


def ghost(checkpoint, *args):
    r = json.loads(call("ghost", checkpoint, *DIGITS, "--split", "train", "--limit", "500", "-q",
                        "--json", *args))["result"]
    return r["lines"] if "lines" in r else [r]


def accuracy(checkpoint, split):
    r = json.loads(call("eval", checkpoint, *DIGITS, "--split", split, "-q", "--json"))["result"]
    return 100 * (1 - r[0]["error"])


def median(x):
    return statistics.median(x)


def ratios(lines, onset, scale):
    return [l["onset"][onset] / l[scale] for l in lines
            if l["onset"][onset] is not None and l[scale]]


def random_directions():
    print("\n== Random directions: a linear network, SGD 0.1 (the paper's figure 8)")
    print("steps  acc %  2/curvature over rho_a   loss*2 at r: median  least  largest")
    path, _ = train("linear", "mlp(64,10)", "--optimizer", "sgd", "--lr", "0.1", "--steps", "700",
                    "--checkpoint", "30,180")
    for step in 30, 180, 700:
        lines = ghost(f"{path}:{step}", "--direction", "random:20", "--onset", "loss*2", "--exact",
                      "none")
        r = ratios(lines, "loss*2", "rho_a")
        print(f"{step:5}  {accuracy(f'{path}:{step}', 'test'):5.1f}  "
              f"{median([l['curvature'] / l['rho_a'] for l in lines]):22.0f}   "
              f"{median(r):19.2f}  {min(r):5.2f}  {max(r):7.2f}")


def phase_transition():
    print("\n== Phase transition: layer normalisation and GELU, AdamW (phasetransition)")
    print("stage  acc %  loss*1.1 at r: random median (range)   down the gradient   2/curvature over "
          "rho_a   quadratic over rho_a")
    found = {"early": [], "mid": [], "late": []}
    for seed in 7, 11, 19, 23:
        path, _ = train(f"phase{seed}", "mlp(64,128,128,10,act=gelu,norm=layer)", "--optimizer",
                        "adamw(wd=1e-4)", "--lr", "2.5e-3", "--batch", "128", "--steps", "300",
                        "--checkpoint", "every=10", "--seed", str(seed))
        marks = [("early", 84), ("mid", 95), ("late", 97)]
        for step in range(10, 301, 10):
            if not marks:
                break
            acc = accuracy(f"{path}:{step}", "test")
            if acc >= marks[0][1]:
                at = f"{path}:{step}"
                found[marks.pop(0)[0]].append(
                    (acc, ghost(at, "--direction", "random:20", "--onset", "loss*1.1", "--exact",
                           "none"), ghost(at, "--onset", "loss*1.1", "--exact", "none")))
    for stage, rows in found.items():
        if not rows:
            continue
        lines = [l for row in rows for l in row[1]]
        down = [l for row in rows for l in row[2]]
        r = ratios(lines, "loss*1.1", "rho_a")
        print(f"{stage:5}  {median([row[0] for row in rows]):5.1f}  {median(r):27.3f} "
              f"({min(r):.3f}-{max(r):.3f})   {median(ratios(down, 'loss*1.1', 'rho_a')):17.3f}   "
              f"{median([l['curvature'] / l['rho_a'] for l in lines if l['curvature']]):22.1f}   "
              f"{median([l['quadratic'] / l['rho_a'] for l in lines]):20.2f}")


def spike():
    print("\n== Learning rate times 1000 from step 50 on: Adam (figure 6), 5 seeds")
    print("lr     plain: acc %  largest r    controlled: acc %  largest r")
    for lr in "1e-4", "1e-3", "1e-2":
        row = []
        for name, extra in ("plain", []), ("cap", ["--ghost-cap", "1", "--ghost-on", "all"]):
            path, runs = train(f"spike-{name}-{lr}", "mlp(64,128,10)", "--optimizer", "adam", "--lr",
                               lr, "--steps", "200", "--spike", "50+:1000", "--sweep", "seed=0..4",
                               "--validation", "0.2", "--log", "val_acc,r", "--log-every", "1",
                               "--on-nan", "record", "--ghost-on", "all", *extra)
            row.append(100 * median([x["val_acc"] for x in runs]))
            row.append(largest_r(path))
        print(f"{lr}  {row[0]:12.1f}  {row[1]:9.3g}  {row[2]:19.1f}  {row[3]:9.3g}")


def largest_r(path):
    files = json.loads(call("log", path, "--json", "-q", "--y", "val_acc"))["result"]["files"]
    return max(s["y_max"] for f in files for run in f["runs"] for s in run["series"]
               if s["name"] == "r" and s["y_max"] is not None)


def one_spike():
    print("\n== One update at 10000 times the rate: full batches, Adam 0.015 (table 1), 5 seeds")
    print("             plain  clipped  controlled   (validation accuracy, %)")
    row = []
    for name, extra in (("plain", []), ("clip", ["--clip", "1"]),
                        ("cap", ["--ghost-cap", "1"])):
        _, runs = train(f"one-{name}", "mlp(64,64,64,64,10,act=gelu,norm=layer)", "--optimizer",
                        "adam", "--lr", "0.015", "--batch", "full", "--steps", "200", "--spike",
                        "50:10000", "--sweep", "seed=0..4", "--validation", "first:0.2", "--log",
                        "val_acc", "--on-nan", "record", *extra)
        row.append(100 * median([x["val_acc"] for x in runs]))
    print(f"MLP with LN  {row[0]:5.1f}  {row[1]:7.1f}  {row[2]:10.1f}")


def temperature():
    print("\n== Temperatures: onset of loss*2 down the gradient (figure 9), 5 seeds")
    print("T      onset (length)  onset (r)")
    length, r = [], []
    for t in "0.25", "0.5", "1", "2", "4", "8":
        path, runs = train(f"t{t}", "mlp(64,128,128,10,act=gelu)", "--optimizer", "adam", "--lr",
                           "0.01", "--batch", "256", "--steps", "120", "--temperature", t,
                           "--sweep", "seed=0..4", "--validation", "0.2")
        lines = [ghost(f"{path}:{x['name']}:last", "--temperature", t, "--onset", "loss*2", "--exact",
                       "none")[0]
                 for x in runs]
        length.append(median([l["onset"]["loss*2"] for l in lines]))
        r.append(median(ratios(lines, "loss*2", "rho_a")))
        print(f"{t:5}  {length[-1]:14.3f}  {r[-1]:9.2f}")
    print("standard deviation of the logarithm over T: length "
          f"{statistics.stdev(map(math.log, length)):.3f}, r {statistics.stdev(map(math.log, r)):.3f}")


def which_scale():
    print("\n== Which length predicts damage: sd of log10(onset / scale), median (onsets at r < 1)")
    onsets = "loss*1.1", "loss*2", "acc-5", "acc-20"
    scales = "rho_a", "rho_star", "quadratic", "curvature", "flip_5", "median_rho_a"
    lines = []
    for net in ("mlp(64,10)", "mlp(64,64,64,10)", "mlp(64,64,64,10,act=tanh)",
                "mlp(64,64,64,10,norm=layer)"):
        path, runs = train("scale", net, "--optimizer", "adam", "--lr", "3e-3", "--steps", "400",
                           "--checkpoint", "30,120", "--sweep", "seed=0..1")
        for run in runs:
            for step in 30, 120, 400:
                at = f"{path}:{run['name']}:{step}"
                for way in "gradient", "random:4":
                    lines += ghost(at, "--direction", way, "--onset", ",".join(onsets))
    print(f"{len(lines)} lines; no scale: " + ", ".join(
        f"{o} {spread([l['onset'][o] for l in lines]):.3f}" for o in onsets))
    print("damage    " + "".join(f"{s:>14}" for s in scales) + "   median r  at r < 1")
    for o in onsets:
        r = ratios(lines, o, "rho_a")
        print(f"{o:10}" + "".join(f"{spread(ratios(lines, o, s)):14.3f}" for s in scales) +
              f"   {median(r):8.2f}  {sum(x < 1 for x in r)} of {len(lines)}")


def spread(x):
    return statistics.stdev(math.log10(v) for v in x if v)


EXPERIMENTS = (random_directions, phase_transition, spike, one_spike, temperature, which_scale)
for experiment in EXPERIMENTS:
    if len(sys.argv) == 4 or experiment.__name__ in sys.argv[4:]:
        experiment()
