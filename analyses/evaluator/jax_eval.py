# SPDX-License-Identifier: GPL-3.0-or-later
"""An evaluator for a network in JAX. Not run by its authors: check it before you trust it.

    thalweg evaluator check 'python3 jax_eval.py'
"""
import jax
import jax.numpy as jnp

import thalweg_eval

kx, k1, k2 = jax.random.split(jax.random.PRNGKey(0), 3)
x = jax.random.normal(kx, (500, 64))
y = x[:, :10].argmax(1)
params = {"fc1": {"kernel": 0.1 * jax.random.normal(k1, (64, 32)), "bias": jnp.zeros(32)},
          "fc2": {"kernel": 0.1 * jax.random.normal(k2, (32, 10)), "bias": jnp.zeros(10)}}


def samples(p):
    h = jax.nn.relu(x @ p["fc1"]["kernel"] + p["fc1"]["bias"])
    z = jax.nn.log_softmax(h @ p["fc2"]["kernel"] + p["fc2"]["bias"])
    return -jnp.take_along_axis(z, y[:, None], 1)[:, 0]


thalweg_eval.jax([params], loss=None, samples=samples, data="noise, seed 0")
