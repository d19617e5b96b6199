# SPDX-License-Identifier: GPL-3.0-or-later
"""The same radii by NumPy alone: how often F(t), the sum of exp of the logits at complex t, winds
round 0 as t goes round circles a thousandth within and beyond R. Within, it must not; beyond, it
must: F is analytic there, so that windings are zeros (the argument principle)."""
import json
import subprocess
import sys

import h5py
import numpy as np
from scipy.special import erf

from tables import NETS, SEEDS, STAGES, ghost

THALWEG, OUT, DATA = sys.argv[1:4]
POINTS = 1000
ACT = {
    "tanh": np.tanh,
    "softplus": lambda z: np.log1p(np.exp(z)),
    "silu": lambda z: z / (1.0 + np.exp(-z)),
    "gelu": lambda z: 0.5 * z * (1.0 + erf(z / np.sqrt(2.0))),
}
