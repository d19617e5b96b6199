# SPDX-License-Identifier: GPL-3.0-or-later
"""An evaluator for a model in NumPy: a linear fit, with its gradient.

    thalweg evaluator check 'python3 numpy_eval.py'
"""
import numpy as np

import thalweg_eval
from thalweg_eval import Tensor

x = np.sin(np.arange(300.0)).reshape(100, 3)
y = x @ [0.5, -1.0, 2.0] + 0.1 * np.cos(np.arange(100.0))


def loss(params, buffers):
    off = x @ params[0] + params[1] - y
    return {"loss": np.mean(off**2), "samples": off**2}


def grad(params, buffers):
    off = x @ params[0] + params[1] - y
    return dict(loss(params, buffers), grad=[2 * off @ x / len(y), 2 * np.mean(off)])


thalweg_eval.serve(
    [Tensor("w", (3,), "weight"), Tensor("b", (), "bias")], loss, grad=grad, n=len(y),
    get=lambda i: ([[0.4, -0.9, 1.5], 0.2], []), checkpoints=["start"], dtype="f64",
    name="linear fit", data="a formula")
