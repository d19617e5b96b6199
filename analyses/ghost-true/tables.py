# SPDX-License-Identifier: GPL-3.0-or-later
"""Trains small networks on the digits and prints true radii over linearised ones."""
import json
import statistics
import subprocess
import sys

THALWEG, OUT, DATA = sys.argv[1:4]
WIDTHS = "64,32,32,10"
NETS = {
    "tanh": f"mlp({WIDTHS},act=tanh)",
    "softplus": f"mlp({WIDTHS},act=softplus)",
    "silu": f"mlp({WIDTHS},act=silu)",
    "gelu": f"mlp({WIDTHS},act=gelu)",
    "relu": f"mlp({WIDTHS},act=relu)",
    "ln+gelu": f"mlp({WIDTHS},act=gelu,norm=layer)",
    "conv+bn": "conv1d(8,8,classes=10,in=1x64,kernel=5,stride=2,act=gelu,norm=batch)",
    "vit": "vit(layers=1,d=16,heads=2,patch=4,in=1x8x8,classes=10,mlp=32)",
}
STAGES = (0, 30, 150, 400)
SEEDS = (0, 1, 2)
SAMPLES = 8


def run(*args):
    return subprocess.run([THALWEG, *args], check=True, capture_output=True, text=True).stdout


def train(name, seed):
    path = f"{OUT}/{name}-{seed}.h5"
    run("train", "-q", NETS[name], "-d", DATA, "--scale", "0.0625", "--steps", "400", "--lr", "0.005",
        "--optimizer", "adam", "--batch", "64", "--checkpoint", "every=10", "--seed", str(seed), "-o",
        path, "--force")
    return path


def ghost(checkpoint):
    return json.loads(run("ghost", "-q", checkpoint, "--direction", "gradient", "-d", DATA, "--scale",
                          "0.0625", "--split", "train", "--true", str(SAMPLES), "--json"))["result"]


def main():
    print("network   updates   acc %  R/rho_a least, median   R/rho* least to largest   limited by"
          "   first kink/R  not resolved")
    for name in sys.argv[4:] or NETS:
        runs = [train(name, seed) for seed in SEEDS]
        for stage in STAGES:
            found, acc = [], []
            for path in runs:
                r = ghost(f"{path}:{stage}")
                found += r["true"]
                acc.append(100.0 * (1.0 - r["error"]))
            known = [t for t in found if t["state"] == "counted"]
            a = [t["radius"] / t["rho_a"] for t in known]
            star = [t["radius"] / t["rho_star"] for t in known]
            kink = [t["kink"] / t["radius"] for t in known if t["kink"] is not None]
            where = sorted({t["what"] for t in known})
            print(f"{name:9} {stage:7} {statistics.median(acc):7.1f}  {min(a):5.2f}, {statistics.median(a):.2f}"
                  f"   {min(star):.2f} to {max(star):.2f}   {', '.join(where)}"
                  f"   {min(kink) if kink else float('nan'):.3f} ({len(kink)} of {len(known)})"
                  f"   {len(found) - len(known)}", flush=True)


if __name__ == "__main__":
    main()
