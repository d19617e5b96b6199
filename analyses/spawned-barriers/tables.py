# SPDX-License-Identifier: GPL-3.0-or-later
"""Means over seeds of what 'thalweg barrier --spawned' measured: the table, and its figures."""
import glob
import json
import os
import statistics
import subprocess
import sys

OUT = sys.argv[1]
T_95 = {2: 12.706, 3: 4.303, 4: 3.182, 5: 2.776, 10: 2.262}  # Student's t, 97.5 %, n - 1 degrees of freedom
SEEDS = [json.load(open(f, encoding="utf-8"))["result"]["pairs"]
         for f in sorted(glob.glob(os.path.join(OUT, "seed*.json")))]


def column(trunk, step, key):
    return [p[key] for pairs in SEEDS for p in pairs if p["trunk"] == trunk and p["step"] == step]


def interval(x):
    half = T_95[len(x)] * statistics.stdev(x) / len(x) ** 0.5
    return statistics.mean(x), half


def write(name, lines):
    with open(os.path.join(OUT, name), "w", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")


trunks = sorted({p["trunk"] for p in SEEDS[0]})
steps = sorted({p["step"] for p in SEEDS[0]})
last = steps[-1]
print(f"{len(SEEDS)} seeds; means with 95 % intervals over seeds, at step {last:.0f}")
print("spawn      loss barrier       error barrier, %   angle  apart  from trunk  L(mid)-L(trunk)"
      "  connected undecided separated")
rows = []
for i, k in enumerate(trunks):
    loss, dloss = interval(column(k, last, "loss"))
    error, derror = interval([100 * e for e in column(k, last, "error")])
    angle, dangle = interval(column(k, last, "angle"))
    apart, trunk, middle = (statistics.mean(column(k, last, key))
                            for key in ("apart", "from_trunk_a", "middle_less_trunk"))
    verdict = column(k, last, "verdict")
    counts = [verdict.count(v) for v in ("connected", "undecided", "separated")]
    print(f"{k:5.0f}  {loss:7.4f} +- {dloss:6.4f}  {error:8.2f} +- {derror:5.2f}  {angle:6.1f}"
          f"  {apart:5.2f}  {trunk:10.2f}  {middle:15.4f}"
          f"  {counts[0]:9} {counts[1]:9} {counts[2]:9}")
    rows.append(f"{i} {k:.0f} {loss} {dloss} {error} {derror} {angle} {dangle} {apart} {trunk}")
write("spawn.dat", rows)
write("heat.dat", [f"{j} {i} {statistics.mean(column(k, s, 'loss'))}"
                   for i, k in enumerate(trunks) for j, s in enumerate(steps) if s > k])

tics = ", ".join(f"'{k:.0f}' {i}" for i, k in enumerate(trunks))
ticks = ", ".join(f"'{s:.0f}' {i}" for i, s in enumerate(steps))
for kind, terminal in (("pdf", "pdfcairo size 5in,4in font ',10'"),
                       ("png", "pngcairo size 900,720 font ',13'")):
    subprocess.run(["gnuplot"], cwd=OUT, check=True, text=True, input=f"""
set terminal {terminal}
set key top right; set grid ytics; set xrange [-0.5:{len(trunks) - 0.5}]
set xtics ({tics}); set xlabel 'steps together'
set output 'barrier.{kind}'
set multiplot layout 2,1
set ylabel 'loss barrier'; set yrange [0:*]
plot 'spawn.dat' using 1:3:4 with yerrorlines lc 1 pt 7 ps 0.6 title 'mean, 95 % over seeds'
set ylabel 'error barrier, %'
plot 'spawn.dat' using 1:5:6 with yerrorlines lc 2 pt 7 ps 0.6 notitle, 2 lc 'black' dt 2 \\
    title 'connected below'
unset multiplot
set output 'geometry.{kind}'
set multiplot layout 2,1
set ylabel 'angle at the trunk, degrees'; set yrange [0:*]
plot 'spawn.dat' using 1:7:8 with yerrorlines lc 3 pt 7 ps 0.6 notitle
set ylabel 'distance'; set key bottom left
plot 'spawn.dat' using 1:9 with linespoints lc 4 pt 7 ps 0.6 title 'between the ends', \\
    '' using 1:10 with linespoints lc 6 pt 6 ps 0.6 title 'from the trunk to an end'
unset multiplot
set output 'heat.{kind}'
set ylabel 'steps together'; set xlabel 'training step'; set cblabel 'loss barrier'
set xtics ({ticks}); set ytics ({tics}); unset grid
set object rectangle from graph 0,0 to graph 1,1 behind fillcolor '#e0e0e0'
set xrange [-0.5:{len(steps) - 0.5}]; set yrange [-0.5:{len(trunks) - 0.5}]
set palette defined (0 '#ffffff', 0.15 '#cfe0f2', 0.5 '#5c93c8', 1 '#14305c'); set cbrange [0:*]
plot 'heat.dat' using 1:2:(0.5):(0.5):3 with boxxyerror fill solid 1 noborder palette notitle
""")
print(f"figures in {OUT}: barrier, heat, geometry, plane10, plane400, and seed1, ... as thalweg draws")
