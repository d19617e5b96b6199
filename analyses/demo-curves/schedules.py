# SPDX-License-Identifier: GPL-3.0-or-later
"""Learning-rate schedules of the demo curves, from their written form.

A spec is `name:key=value,key=value,...`; the formulas are in README.md.
lr(spec) gives the list lr[0..total-1]; lr[s] is the rate of update s.
"""
import math

KEYS = {
    "constant": {"peak", "warmup", "total"},
    "cosine": {"peak", "warmup", "total", "end"},
    "wsd": {"peak", "warmup", "total", "decay", "end"},
    "wsdcon": {"peak", "warmup", "total", "stage", "end"},
}
COUNTS = ("warmup", "total", "decay", "stage")
SHAPES = ("exp", "linear", "1-sqrt")


def parse(spec):
    """The schedule's name and a dict of its values."""
    name, _, rest = spec.partition(":")
    if name not in KEYS:
        raise ValueError(f"{spec}: no schedule is called '{name}'")
    given = {}
    for item in rest.split(","):
        key, eq, value = item.partition("=")
        if not eq or key in given:
            raise ValueError(f"{spec}: cannot read '{item}'")
        if key == "shape" and name == "wsd" and value in SHAPES:
            given[key] = value
        elif key == "ramp" and value == "(s+1)/w":
            given[key] = value
        elif key in COUNTS:
            given[key] = int(value)
        else:
            given[key] = float(value)
    if set(given) - {"shape"} != KEYS[name] | {"ramp"}:
        raise ValueError(f"{spec}: wants exactly {sorted(KEYS[name])}")
    return name, given


def lr(spec):
    """The learning rates of every update, as a list of floats."""
    name, v = parse(spec)
    peak, warm, total = v["peak"], v["warmup"], v["total"]
    out = []
    for s in range(total):
        if s < warm:
            out.append(peak * (s + 1) / warm)
        elif name == "constant":
            out.append(peak)
        elif name == "cosine":
            end = v["end"]
            x = math.cos(math.pi * (s - warm) / (total - warm))
            out.append(end + (peak - end) / 2 * (1 + x))
        elif name == "wsdcon":
            out.append(peak if s < v["stage"] else v["end"])
        else:
            end, stage = v["end"], total - v["decay"]
            shape = v.get("shape", "exp")
            f = (s - stage) / (total - stage)
            if s <= stage:
                out.append(peak)
            elif shape == "exp":
                out.append(peak ** (1 - f) * end**f)
            elif shape == "linear":
                out.append(end + (peak - end) * (1 - f))
            else:
                out.append(end + (peak - end) * (1 - math.sqrt(f)))
    return out
