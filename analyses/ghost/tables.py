# SPDX-License-Identifier: GPL-3.0-or-later
"""The tables of README.md: every number is thalweg's; here are medians and deviations alone (and, for
the perceptron, the perceptron)."""
import math
import os
import sys
from statistics import stdev

import perceptron
from tool import (DIGITS, OUT, accuracy, call, figure, ghost, line_figure, median, ratios, recalibrated,
                  series, spread, train)


def random_directions():
    """figure 8: where the loss doubles along random directions"""
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
    line_figure("random-directions", f"{path}:700", "--direction", "random:20", "--onset", "loss*2")


def phase_transition():
    """phasetransition: where a tenth more loss begins, early to late"""
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
    line_figure("phase-transition", at, "--direction", "random:20", "--onset", "loss*1.1")
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
    """figure 6: the rate times 1000 from step 50 on"""
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
            row.append(max(r for x in runs for _, r in series(path, "r", x["name"])))
        print(f"{lr}  {row[0]:12.1f}  {row[1]:9.3g}  {row[2]:19.1f}  {row[3]:9.3g}")


    path, _ = train("trajectory", "mlp(64,128,10)", "--optimizer", "adam", "--lr", "1e-3", "--steps",
                    "80", "--spike", "50+:1000", "--checkpoint", "every=1", "--on-nan", "record")
    line_figure("trajectory", path, "--trajectory", "--exact", "nearest")


def architectures():
    """table 1: one update at 10000 times the rate"""
    print("\n== One update at 10000 times the rate: full batches, Adam 0.015 (table 1)")
    print("                  plain  clipped  controlled   (median accuracy, %)")
    for short, title, net, seeds in (
            ("transformer", "transformer", "vit(layers=1,d=32,heads=1,patch=8,in=1x8x8,classes=10,mlp=128,"
             "pool=mean)", "0..4"),
            ("mlp", "MLP with LN", "mlp(64,64,64,64,10,act=gelu,norm=layer)", "0..4"),
            ("conv", "convolutions, BN", "conv1d(32,32,classes=10,in=1x64,norm=batch)", "0..2")):
        kept, fresh, files = [], [], []
        for name, extra in ("plain", []), ("clip", ["--clip", "1"]), ("cap", ["--ghost-cap", "1"]):
            batch = "norm=batch" in net
            path, runs = train(f"grid-{short}-{name}", net, "--optimizer", "adam", "--lr",
                               "0.015", "--batch", "full", "--steps", "200", "--spike", "50:10000",
                               "--sweep", f"seed={seeds}", "--validation",
                               "split" if batch else "first:0.2", "--log", "val_acc", "--log-every",
                               "1", "--on-nan", "record", *extra)
            files.append(path)
            kept.append(100 * median([x["val_acc"] for x in runs]))
            if batch:
                fresh.append(median([recalibrated(f"{path}:{x['name']}:last") for x in runs]))
        print(f"{title:16}  {kept[0]:5.1f}  {kept[1]:7.1f}  {kept[2]:10.1f}")
        if fresh:
            print(f"  its statistics taken anew {fresh[0]:.1f}, {fresh[1]:.1f}, {fresh[2]:.1f}")
        figure(f"grid-{short}", "plot", *files, "-y", "val_acc", "--group")


def temperature():
    """figure 9: what temperature does to the onset"""
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
        if t == "1":
            line_figure("envelope", f"{path}:{runs[0]['name']}:last")
    print("standard deviation of the logarithm over T: length "
          f"{stdev(map(math.log, length)):.3f}, r {stdev(map(math.log, r)):.3f}")


def which_scale():
    """which length predicts measured damage"""
    print("\n== Which length predicts damage: sd of log10(onset / scale), median (onsets at r < 1)")
    onsets = "loss*1.1", "loss*2", "acc-5", "acc-20"
    scales = ("rho_a", "b1", "b2", "b3", "rho_star", "quadratic", "curvature", "flip_5",
              "median_rho_a")
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
    line_figure("scales", at, "--direction", "random:20", "--onset", "loss*2")
    line = os.path.join(OUT, "line.h5")
    ends = [f"{path}:{run['name']}:{step}" for step in (120, 400)]
    call("scan", *ends, *DIGITS, "--split", "train", "--force", "-q", "-o", line)
    line_figure("horizon", ends[0], "--on", line)
    print(f"{len(lines)} lines; no scale: " + ", ".join(
        f"{o} {spread([l['onset'][o] for l in lines]):.3f}" for o in onsets))
    print("damage    " + "".join(f"{s:>14}" for s in scales) + "   median r  at r < 1")
    for o in onsets:
        r = ratios(lines, o, "rho_a")
        print(f"{o:10}" + "".join(f"{spread(ratios(lines, o, s)):14.3f}" for s in scales) +
              f"   {median(r):8.2f}  {sum(x < 1 for x in r)} of {len(lines)}")


def natural():
    """table 3's question: momentum SGD at several rates, steps of r radii"""
    print("\n== Natural instability: MLP 64-128-128-10, momentum 0.9, wd 5e-4, batches of 128, 5 seeds")
    print("               acc % median (least-largest)   largest r  logged r > 1   (medians)")
    files = []
    for option, values in (("--lr", ("5e-3", "1e-2", "1e-1", "5e-1", "1")),
                           ("--ghost-rate", ("0.5", "1", "2", "4")),
                           ("--ghost-cap", ("0.5", "1", "2", "4"))):
        for value in values:
            extra = [] if option == "--lr" else ["--lr", "1"]
            path, runs = train(f"natural-{option[2:]}-{value}", "mlp(64,128,128,10)", "--optimizer",
                               "momentum(wd=5e-4)", "--batch", "128", "--steps", "300",
                               "--validation", "split", "--log", "val_acc,r", "--log-every", "10",
                               "--eval-every", "300", "--on-nan", "record", "--sweep", "seed=0..4",
                               option, value, *extra)
            acc = [100 * x["val_acc"] for x in runs]
            r = [[v for _, v in series(path, "r", x["name"])] for x in runs]
            if option == "--lr":
                files.append(path)
            # A held r is R to rounding.
            print(f"{option[2:]:10} {value:5}  {median(acc):5.1f} ({min(acc):4.1f}-{max(acc):4.1f})"
                  f"{median([max(x) for x in r]):27.3g}  "
                  f"{median([sum(v > 1.000001 for v in x) for x in r]):3.0f} of {len(r[0])}")
    figure("natural", "plot", *files, "-y", "r", "--run", "seed=0", "--log-y")


def bottlenecks():
    """table 2: which radius of a small transformer is the smallest"""
    print("\n== Bottlenecks of a transformer: 9 tokens, d = 32, 2 blocks, AdamW, steps of one output "
          "radius, 2 seeds")
    print("FFN   part    smallest of the paper's: output attention FFN   median radii: output "
          "attention FFN LN   LN below output")
    steps = [s for k in range(1, 13) for s in (20 * k - 1, 20 * k)]
    for act in "gelu", "relu":
        net = f"vit(layers=2,d=32,heads=4,patch=1,in=8x8x1,classes=10,mlp=128,act={act})"
        path, runs = train(f"bottlenecks-{act}", net, "--optimizer", "adamw(wd=1e-4)", "--lr", "2e-3",
                           "--batch", "full", "--steps", "240", "--ghost-rate", "1", "--log",
                           "val_acc,r", "--checkpoint", ",".join(map(str, steps)), "--sweep",
                           "seed=0..1")
        found = []
        for run in runs:
            lines = ghost(*[f"{path}:{run['name']}:{s}" for s in steps], "--trajectory", "--inside",
                          "--exact", "none", limit=False)
            found += [(k // 4, radii(line)) for k, line in enumerate(lines[::2])]
        for part, name in enumerate(("early", "middle", "late")):
            rows = [r for p, r in found if p == part]
            least = [min(range(3), key=row.__getitem__) for row in rows]
            print(f"{act:4}  {name:6}  " + "".join(f"{least.count(k):10}" for k in range(3)) + "   " +
                  "".join(f"{median([row[k] for row in rows]):12.4g}" for k in range(4)) +
                  f"   {sum(row[3] < row[0] for row in rows)} of {len(rows)}")
        print(f"{act}: accuracy {median([100 * x['val_acc'] for x in runs]):.1f} %")
    line_figure("layers", f"{path}:{runs[0]['name']}:119", f"{path}:{runs[0]['name']}:120", "--figure",
                "layers")


def radii(line):
    """Output, attention, 1 % of the units' kinks, layer normalisation."""
    def least(operator, key):
        return min([s[key] for s in line["inside"]
                    if s["operator"] == operator and s[key] is not None], default=math.inf)
    return (line["rho_a"], least("Softmax", "nearest"), least("Relu", "low"),
            least("LayerNormalization", "nearest"))


EXPERIMENTS = (random_directions, phase_transition, spike, architectures, temperature, which_scale,
               natural, bottlenecks, perceptron.large_steps)
names = [e.__name__.replace("_", "-") for e in EXPERIMENTS]
asked = [a.replace("_", "-") for a in sys.argv[4:]]
if "help" in asked:
    for name, experiment in zip(names, EXPERIMENTS):
        print(f"{name:18} {experiment.__doc__}")
    sys.exit()
if unknown := [a for a in asked if a not in names]:
    sys.exit(f"no experiment {unknown[0]}; there are {', '.join(names)}")
for name, experiment in zip(names, EXPERIMENTS):
    if not asked or name in asked:
        experiment()
