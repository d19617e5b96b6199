# SPDX-License-Identifier: GPL-3.0-or-later
"""Make the models beside this file as Keras 2 and 3 write them: make.py [FOLDER].

Keras is not needed: files are laid out as its source says (legacy_h5_format.py, saving_lib.py),
and each model's loss on its data is computed here in double precision by definitions written
with NumPy and PyTorch. expected.txt: a line for each model, "MODEL DATA LOSS". Made with Debian
12's torch 1.13, numpy 1.24, h5py 3.7.
"""
import io
import json
import os
import re
import sys
import zipfile

import h5py
import numpy as np
import torch
import torch.nn.functional as F

folder = sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(os.path.abspath(__file__))
rng = np.random.default_rng(20)


# ---- definitions: batches first, channels last, as in Keras's documentation -------------------


def same_pad(x, kernel, stride, dilation, fill):
    """Pad the spatial axes as padding="same" says: ceil(n / stride) windows."""
    widths = [(0, 0)]
    for n, k, s, d in zip(x.shape[1:-1], kernel, stride, dilation):
        reach = (k - 1) * d + 1
        count = -(-n // s)
        total = max((count - 1) * s + reach - n, 0)
        widths.append((total // 2, total - total // 2))
    return np.pad(x, widths + [(0, 0)], constant_values=fill)


def windows(x, kernel, stride, dilation):
    """(batch, places ..., taps ..., channels) by plain indexing."""
    counts = [(n - (k - 1) * d - 1) // s + 1
              for n, k, s, d in zip(x.shape[1:-1], kernel, stride, dilation)]
    y = np.empty((x.shape[0], *counts, *kernel, x.shape[-1]))
    for place in np.ndindex(*counts):
        for tap in np.ndindex(*kernel):
            at = tuple(p * s + t * d for p, s, t, d in zip(place, stride, tap, dilation))
            y[(slice(None), *place, *tap)] = x[(slice(None), *at)]
    return y


def conv(x, w, stride, padding="valid", dilation=None, groups=1):
    n = w.ndim - 2
    kernel, dilation = w.shape[:n], dilation or (1,) * n
    if padding == "same":
        x = same_pad(x, kernel, stride, dilation, 0.0)
    elif padding == "causal":
        x = np.pad(x, [(0, 0), ((kernel[0] - 1) * dilation[0], 0), (0, 0)])
    v = windows(x, kernel, stride, dilation)
    parts = []
    for g in range(groups):
        i, o = w.shape[n], w.shape[n + 1] // groups
        parts.append(np.tensordot(v[..., g * i:(g + 1) * i], w[..., g * o:(g + 1) * o], n + 1))
    return np.concatenate(parts, -1)


def depthwise(x, w, stride, padding):
    n = w.ndim - 2
    if padding == "same":
        x = same_pad(x, w.shape[:n], stride, (1,) * n, 0.0)
    v = windows(x, w.shape[:n], stride, (1,) * n)
    y = np.einsum("nabhwc,hwcm->nabcm", v, w)
    return y.reshape(*y.shape[:-2], -1)


def conv_transpose(x, w, stride, padding):
    """Every input adds its kernel times itself to the output; "same" cuts the border."""
    kernel, size = w.shape[:2], x.shape[1:3]
    whole = [(n - 1) * s + k for n, s, k in zip(size, stride, kernel)]
    full = [max(a, n * s) for a, n, s in zip(whole, size, stride)]
    y = np.zeros((x.shape[0], *full, w.shape[2]))
    for i, j in np.ndindex(*size):
        a, b = i * stride[0], j * stride[1]
        y[:, a:a + kernel[0], b:b + kernel[1]] += np.einsum("nc,hwoc->nhwo", x[:, i, j], w)
    if padding == "same":
        lo = [max(k - s, 0) // 2 for k, s in zip(kernel, stride)]
        y = y[:, lo[0]:lo[0] + size[0] * stride[0], lo[1]:lo[1] + size[1] * stride[1]]
    return y


def pool(x, how, kernel, stride, padding):
    n = len(kernel)
    if padding == "same":
        x = same_pad(x, kernel, stride, (1,) * n, np.nan)
    v = windows(x, kernel, stride, (1,) * n)
    return how(v, axis=tuple(range(n + 1, 2 * n + 1)))


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def by_torch(f):
    return lambda x: f(torch.tensor(x)).numpy()


ACTS = {
    "linear": lambda x: x, "relu": lambda x: np.maximum(x, 0), "tanh": np.tanh,
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)), "softmax": softmax, "exponential": np.exp,
    "elu": by_torch(F.elu), "selu": by_torch(F.selu), "gelu": by_torch(F.gelu),
    "silu": by_torch(F.silu), "swish": by_torch(F.silu), "softplus": by_torch(F.softplus),
    "softsign": by_torch(F.softsign), "mish": by_torch(F.mish),
    "relu6": by_torch(F.relu6), "log_softmax": lambda x: np.log(softmax(x)),
    "leaky_relu": lambda x: np.where(x > 0, x, 0.2 * x),
    "hard_sigmoid": lambda x: np.clip(x / 6 + 0.5, 0, 1),
    "hard_silu": lambda x: x * np.clip(x / 6 + 0.5, 0, 1),
}


def norm(x, gamma, beta, mean, var, eps):
    return (x - mean) / np.sqrt(var + eps) * gamma + beta


def attention(q, v, w, heads, causal):
    def split(x, what):
        return np.einsum("ntd,dhk->nhtk", x, w[what + "/kernel"]) + w[what + "/bias"][:, None]
    a, k, u = split(q, "query"), split(v, "key"), split(v, "value")
    s = np.einsum("nhik,nhjk->nhij", a, k) / np.sqrt(a.shape[-1])
    if causal:
        s = np.where(np.tril(np.ones(s.shape[-2:])) > 0, s, -1e30)
    y = np.einsum("nhij,nhjk->nihk", softmax(s), u)
    return np.einsum("nihk,hkd->nid", y, w["attention_output/kernel"]) + w["attention_output/bias"]


# ---- models: layers in order, each with its class, config, weights and definition --------------


def snake(name):
    name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", re.sub(r"\W+", "", name))
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()


class Layer:
    def __init__(self, cls, name, config, weights, f, inputs=(), kwargs=None):
        self.cls, self.name, self.f, self.kwargs = cls, name, f, kwargs or {}
        self.config = {"name": name, "trainable": True, **config}
        self.weights = {k: np.asarray(v, np.float32) for k, v in weights.items()}
        self.inputs = list(inputs)


class Model:
    """Layers are added with the names of those they read; the last one is the output."""

    def __init__(self, name, shape, dtype="float32"):
        self.name, self.shape, self.dtype, self.layers = name, shape, dtype, []
        self.add("InputLayer", "in0", {"batch_shape": [None, *shape], "dtype": dtype}, {}, None)

    def add(self, cls, name, config, weights, f, *inputs, **kwargs):
        if not inputs and self.layers:
            inputs = (self.layers[-1].name,)
        self.layers.append(Layer(cls, name, config, weights, f, inputs, kwargs))
        return name

    def run(self, x):
        out = {}
        for layer in self.layers:
            w = {k: v.astype(np.float64) for k, v in layer.weights.items()}
            out[layer.name] = (x if layer.f is None else
                               layer.f(w, *[out[i] for i in layer.inputs]))
        return out[self.layers[-1].name]

    # Layers by their usual arguments.

    def dense(self, name, n_in, units, act="linear", bias=True, src=()):
        w = {"kernel": weight(n_in, units)}
        if bias:
            w["bias"] = weight(units) * 0.3
        self.add("Dense", name, {"units": units, "activation": act, "use_bias": bias}, w,
                 lambda w, x: ACTS[act](x @ w["kernel"] + w.get("bias", 0.0)), *src)

    def bn(self, name, n, src=(), **config):
        w = {"gamma": 1 + 0.2 * weight(n), "beta": 0.2 * weight(n)}
        w = {k: v for k, v in w.items() if config.get({"gamma": "scale", "beta": "center"}[k], True)}
        w.update(moving_mean=0.3 * weight(n), moving_variance=0.5 + rng.random(n))
        config = {"axis": -1, "epsilon": 0.001, "momentum": 0.99, "scale": True, "center": True,
                  **config}
        self.add("BatchNormalization", name, config, w,
                 lambda w, x: norm(x, w.get("gamma", 1), w.get("beta", 0), w["moving_mean"],
                                   w["moving_variance"], config["epsilon"]), *src)

    def conv(self, name, kernel, n_in, filters, stride=None, padding="valid", act="linear",
             bias=True, groups=1, dilation=None, src=()):
        n = len(kernel)
        stride, dilation = stride or (1,) * n, dilation or (1,) * n
        w = {"kernel": weight(*kernel, n_in // groups, filters, fan=np.prod(kernel) * n_in)}
        if bias:
            w["bias"] = weight(filters) * 0.3
        self.add(f"Conv{n}D", name,
                 {"filters": filters, "kernel_size": list(kernel), "strides": list(stride),
                  "padding": padding, "data_format": "channels_last", "groups": groups,
                  "dilation_rate": list(dilation), "activation": act, "use_bias": bias}, w,
                 lambda w, x: ACTS[act](conv(x, w["kernel"], stride, padding, dilation, groups)
                                        + w.get("bias", 0.0)), *src)

    def pool(self, cls, name, kernel, stride=None, padding="valid", src=()):
        how = np.nanmax if cls.startswith("Max") else np.nanmean
        self.add(cls, name, {"pool_size": list(kernel), "strides": stride and list(stride),
                             "padding": padding, "data_format": "channels_last"}, {},
                 lambda w, x: pool(x, how, kernel, stride or kernel, padding), *src)

    def plain(self, cls, name, f, *src, **config):
        self.add(cls, name, config, {}, lambda w, *x: f(*x), *src)


def weight(*dims, fan=None):
    fan = fan or (dims[0] if len(dims) > 1 else 1)
    return rng.standard_normal(dims) / np.sqrt(fan)


# ---- files -------------------------------------------------------------------------------------


def inbound(layer, version):
    if not layer.inputs:
        return []
    if version == 2:
        kwargs = dict(layer.kwargs)
        return [[[layer.inputs[0], 0, 0, kwargs]] + [[i, 0, 0, {}] for i in layer.inputs[1:]]] \
            if layer.cls != "MultiHeadAttention" else \
            [[[layer.inputs[0], 0, 0, {**kwargs, "value": [layer.inputs[1], 0, 0]}]]]
    ref = [{"class_name": "__keras_tensor__",
            "config": {"shape": [None, 1], "dtype": "float32", "keras_history": [i, 0, 0]}}
           for i in layer.inputs]
    merges = ("Add", "Subtract", "Multiply", "Average", "Concatenate", "Maximum", "Minimum")
    return [{"args": [ref] if layer.cls in merges else ref,
             "kwargs": {"training": None, **layer.kwargs}}]


def config_of(model, sequential, version):
    layers = []
    for layer in model.layers:
        config = dict(layer.config)
        if version == 2 and layer.cls == "InputLayer":
            config["batch_input_shape"] = config.pop("batch_shape")
            config["sparse"] = False
        entry = {"class_name": layer.cls, "config": config}
        if version == 3:
            entry.update(module="keras.layers", registered_name=None)
            config["dtype"] = {"module": "keras", "class_name": "DTypePolicy",
                               "config": {"name": "float32"}, "registered_name": None}
            if layer.cls == "InputLayer":
                config["dtype"] = model.dtype
        if not sequential:
            entry.update(name=layer.name, inbound_nodes=inbound(layer, version))
        layers.append(entry)
    config = {"name": model.name, "layers": layers}
    if not sequential:
        first, last = [model.layers[0].name, 0, 0], [model.layers[-1].name, 0, 0]
        config.update(input_layers=[first] if version == 2 else first,
                      output_layers=[last] if version == 2 else last)
    return {"class_name": "Sequential" if sequential else "Functional", "config": config}


def put_names(group, key, names, limit=None, variable=False):
    """As keras does it, with a limit of its own instead of 64512 bytes."""
    data = np.array(names, dtype="S") if names else np.zeros(0)
    if variable:
        data = np.array(names, dtype=object)
    if not limit or len(names) <= limit:
        group.attrs.create(key, data, dtype=h5py.string_dtype() if variable else None)
        return
    for k in range(0, len(names), limit):
        group.attrs.create(f"{key}{k // limit}", data[k:k + limit],
                           dtype=h5py.string_dtype() if variable else None)


def write_h5(path, model, loss, version, sequential=False, limit=None, variable=False,
             optimizer=False):
    with h5py.File(path, "w") as f:
        text = json.dumps(config_of(model, sequential, version))
        training = json.dumps({"loss": loss, "metrics": None, "optimizer_config": {}})
        for key, value in (("keras_version", "2.4.0" if version == 2 else "3.4.1"),
                           ("backend", "tensorflow"), ("model_config", text),
                           ("training_config", training if loss else None)):
            if value:
                f.attrs[key] = value if variable else np.bytes_(value)
        g = f.create_group("model_weights")
        g.attrs["backend"] = np.bytes_("tensorflow")
        layers = model.layers[1:] if sequential and version == 2 else model.layers
        put_names(g, "layer_names", [layer.name for layer in layers], limit, variable)
        for layer in layers:
            sub = g.create_group(layer.name)
            names = {(f"{layer.name}/{k}:0" if version == 2 else f"{model.name}/{layer.name}/{k}"): v
                     for k, v in layer.weights.items()}
            put_names(sub, "weight_names", list(names), 2 if limit else None, variable)
            for k, v in names.items():
                sub.create_dataset(k, data=v)
        if optimizer:
            o = f.create_group("optimizer_weights")
            put_names(o, "weight_names", ["Adam/iter:0"])
            o.create_dataset("Adam/iter:0", data=np.int64(5))


SUBS = {"query": "query_dense", "key": "key_dense", "value": "value_dense",
        "attention_output": "output_dense"}


def weights_v3(f, model):
    count = {}
    for layer in model.layers:
        s = snake(layer.cls)
        k = count.get(s, 0)
        count[s] = k + 1
        path, at = f"layers/{s}_{k}" if k else f"layers/{s}", {}
        if not layer.weights:
            f.create_group(path + "/vars")
        if layer.cls == "Dropout":
            f.create_dataset(path + "/seed_generator/vars/0", data=np.array([1, 2], np.uint32))
        for name, v in layer.weights.items():
            sub = SUBS.get(name.split("/")[0], "") if "/" in name else ""
            where = f"{path}/{sub}/vars" if sub else path + "/vars"
            i = at.get(where, 0)
            at[where] = i + 1
            f.create_dataset(f"{where}/{i}", data=v)
            f[where].attrs["name"] = layer.name
    f.create_dataset("optimizer/vars/0", data=np.int64(7))


def write_weights(path, model):
    with h5py.File(path, "w") as f:
        weights_v3(f, model)


def write_keras(path, model, loss, sequential=False):
    image = io.BytesIO()
    with h5py.File(image, "w") as f:
        weights_v3(f, model)
    config = config_of(model, sequential, 3)
    config.update(module="keras", registered_name=None)
    if loss:
        config["compile_config"] = {"optimizer": "adam", "loss": loss, "metrics": ["accuracy"]}
    with zipfile.ZipFile(path, "w") as z:
        for name, text in (("metadata.json", json.dumps({"keras_version": "3.4.1",
                                                         "date_saved": "2024-01-01@00:00:00"})),
                           ("config.json", json.dumps(config)),
                           ("model.weights.h5", image.getvalue())):
            z.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), text)


# ---- losses ------------------------------------------------------------------------------------


def cross_entropy(p, y, smoothing=0.0):
    if y.ndim == 1:
        y = np.eye(p.shape[-1])[y]
    y = y * (1 - smoothing) + smoothing / p.shape[-1]
    return -(y * np.log(p)).sum(-1).mean()


def bce(p, y):
    y = y.reshape(p.shape)
    return -(y * np.log(p) + (1 - y) * np.log(1 - p)).mean()


def huber(p, y, delta):
    d = np.abs(p - y)
    return np.where(d <= delta, d * d / 2, delta * (d - delta / 2)).mean()


lines = []


def sample(name, data, x, y, loss):
    lines.append(f"{name} {data} {loss:.12g}")
    path = os.path.join(folder, data)
    np.savez(path, x=x, y=y)


def images(n, *shape):
    return rng.standard_normal((n, *shape)).astype(np.float32)


# ---- the models --------------------------------------------------------------------------------


def mlp():
    m = Model("sequential", [6])
    m.dense("dense_3", 6, 5, "relu")
    m.bn("batch_normalization", 5, axis=[1])
    m.plain("Dropout", "dropout", lambda x: x, rate=0.4)
    m.dense("dense_4", 5, 3, "softmax")
    return m


def cnn():
    m = Model("functional", [9, 7, 3])
    m.plain("Rescaling", "rescaling", lambda x: x * np.array([0.5, 1.0, 2.0]) - 0.25,
            scale=[0.5, 1.0, 2.0], offset=-0.25)
    m.conv("c1", (3, 2), 3, 4, (2, 2), "same", bias=False)
    m.bn("bn1", 4)
    m.plain("ReLU", "r1", lambda x: np.minimum(np.maximum(x, 0), 1.5), max_value=1.5)
    m.conv("c2", (3, 3), 4, 4, padding="same", groups=2)
    m.plain("Add", "a1", lambda a, b: a + b, "r1", "c2")
    w = {"kernel": weight(3, 3, 4, 2, fan=9), "bias": weight(8)}
    m.add("DepthwiseConv2D", "dw", {"kernel_size": [3, 3], "strides": [2, 2], "padding": "same",
                                    "depth_multiplier": 2, "activation": "swish"}, w,
          lambda w, x: ACTS["swish"](depthwise(x, w["kernel"], (2, 2), "same") + w["bias"]))
    m.plain("Concatenate", "cc", lambda a, b: np.concatenate((a, b), 3), "r1", "a1", axis=-1)
    w = {"depthwise_kernel": weight(2, 2, 8, 1, fan=4), "pointwise_kernel": weight(1, 1, 8, 5),
         "bias": weight(5)}
    m.add("SeparableConv2D", "sc", {"filters": 5, "kernel_size": [2, 2], "strides": [1, 1],
                                    "padding": "valid", "activation": "tanh"}, w,
          lambda w, x: np.tanh(conv(depthwise(x, w["depthwise_kernel"], (1, 1), "valid"),
                                    w["pointwise_kernel"], (1, 1)) + w["bias"]))
    m.pool("MaxPooling2D", "mp", (2, 2), (2, 2), "same")
    m.plain("ZeroPadding2D", "zp", lambda x: np.pad(x, [(0, 0), (1, 0), (0, 1), (0, 0)]),
            padding=[[1, 0], [0, 1]])
    m.pool("AveragePooling2D", "ap", (2, 2), (1, 1), "same")
    m.plain("Flatten", "fl", lambda x: x.reshape(len(x), -1))
    m.plain("GlobalAveragePooling2D", "gp", lambda x: x.mean((1, 2)), "dw")
    m.plain("GlobalMaxPooling2D", "gm", lambda x: x.max((1, 2)), "dw")
    m.plain("Concatenate", "cat", lambda *x: np.concatenate(x, -1), "fl", "gp", "gm", axis=-1)
    n = m.run(np.zeros((1, 9, 7, 3))).shape[1]
    m.dense("logits", n, 4)
    m.plain("Softmax", "out", softmax, axis=-1)
    return m


def resnet():
    """30 layers with weights, sums around pairs of them."""
    m = Model("res", [6, 6, 2])
    m.conv("stem", (3, 3), 2, 3, padding="same")
    last = "stem"
    for i in range(14):
        m.bn(f"block{i}_bn", 3, src=(last,), epsilon=1e-5)
        m.plain("Activation", f"block{i}_act", ACTS["relu"], activation="relu")
        m.conv(f"block{i}_conv", (3, 3), 3, 3, padding="same", bias=False)
        m.plain("Add", f"block{i}_add", lambda a, b: a + b, last, f"block{i}_conv")
        last = f"block{i}_add"
    m.plain("GlobalAveragePooling2D", "pool", lambda x: x.mean((1, 2)))
    m.dense("head", 3, 4)
    return m


def transformer(causal, head):
    m = Model("functional_1", [5], "int32")
    m.add("Embedding", "embedding", {"input_dim": 11, "output_dim": 6, "mask_zero": False},
          {"embeddings": weight(11, 6, fan=1)}, lambda w, x: w["embeddings"][x.astype(int)])
    norm_w = {"gamma": 1 + 0.2 * weight(6), "beta": 0.2 * weight(6)}

    def layer_norm(w, x):
        return norm(x, w["gamma"], w["beta"], x.mean(-1, keepdims=True),
                    x.var(-1, keepdims=True), 1e-3)
    m.add("LayerNormalization", "ln", {"axis": [2], "epsilon": 0.001, "scale": True,
                                       "center": True}, norm_w, layer_norm)
    w = {}
    for what, size in (("query", 4), ("key", 4), ("value", 3)):
        w[what + "/kernel"] = weight(6, 2, size)
        w[what + "/bias"] = 0.3 * weight(2, size, fan=1)
    w["attention_output/kernel"] = weight(2, 3, 6, fan=6)
    w["attention_output/bias"] = 0.3 * weight(6)
    m.add("MultiHeadAttention", "mha", {"num_heads": 2, "key_dim": 4, "value_dim": 3,
                                        "dropout": 0.1, "use_bias": True}, w,
          lambda w, q, v: attention(q, v, w, 2, causal), "ln", "ln",
          use_causal_mask=causal)
    m.plain("Add", "a1", lambda a, b: a + b, "embedding", "mha")
    m.dense("fc", 6, 8, "gelu")
    m.dense("proj", 8, 6)
    m.plain("Add", "a2", lambda a, b: a + b, "a1", "proj")
    if head == "tokens":
        m.dense("logits", 6, 11, bias=False)
    else:
        m.plain("GlobalAveragePooling1D", "pool", lambda x: x.mean(1))
        m.dense("out", 6, 1, "sigmoid")
    return m


def conv1d():
    m = Model("functional", [12, 2])
    m.conv("conv1d", (3,), 2, 4, padding="causal", dilation=(2,))
    m.plain("LeakyReLU", "leaky", lambda x: np.where(x > 0, x, 0.1 * x), alpha=0.1)
    m.plain("Permute", "permute", lambda x: x.transpose(0, 2, 1), dims=[2, 1])
    m.plain("Reshape", "reshape", lambda x: x.reshape(len(x), 6, 8), target_shape=[-1, 8])
    m.conv("conv1d_1", (2,), 8, 4, (2,), "same")
    m.add("PReLU", "prelu", {"shared_axes": [1]}, {"alpha": 0.3 * weight(1, 4, fan=1)},
          lambda w, x: np.where(x > 0, x, w["alpha"] * x))
    m.plain("ZeroPadding1D", "zp", lambda x: np.pad(x, [(0, 0), (2, 1), (0, 0)]), padding=[2, 1])
    m.pool("MaxPooling1D", "mp", (2,), padding="same")
    m.pool("AveragePooling1D", "ap", (2,), (1,), "same")
    m.plain("ELU", "elu", lambda x: np.where(x > 0, x, 0.7 * np.expm1(x)), alpha=0.7)
    m.plain("GlobalMaxPooling1D", "gm", lambda x: x.max(1))
    m.plain("Average", "avg", lambda a, b: (a + b) / 2, "gm", "gm")
    return m


def autoencoder():
    m = Model("ae", [5, 6, 1])
    m.conv("enc", (3, 3), 1, 3, (2, 2), "same", "elu")
    w = {"kernel": weight(3, 4, 2, 3, fan=9), "bias": weight(2)}
    m.add("Conv2DTranspose", "dec", {"filters": 2, "kernel_size": [3, 4], "strides": [2, 2],
                                     "padding": "same", "activation": "softplus"}, w,
          lambda w, x: ACTS["softplus"](conv_transpose(x, w["kernel"], (2, 2), "same")
                                        + w["bias"]))
    w = {"kernel": weight(2, 1, 2, 2, fan=4), "bias": weight(2)}
    m.add("Conv2DTranspose", "dec2", {"filters": 2, "kernel_size": [2, 1], "strides": [1, 2],
                                      "padding": "valid"}, w,
          lambda w, x: conv_transpose(x, w["kernel"], (1, 2), "valid") + w["bias"])
    m.plain("Concatenate", "tall", lambda a, b: np.concatenate((a, b), 1), "dec2", "dec2", axis=1)
    m.plain("UpSampling2D", "up", lambda x: x.repeat(2, 1), size=[2, 1])
    m.plain("Cropping2D", "crop", lambda x: x[:, 2:-3, 1:-2], cropping=[[2, 3], [1, 2]])
    m.conv("out", (1, 1), 2, 1)
    return m


def activations():
    m = Model("acts", [4])
    names = [a for a in ACTS if a != "softmax"]
    for a in names:
        m.dense("d_" + a, 4, 3, a, src=("in0",))
    m.plain("Concatenate", "cat", lambda *x: np.concatenate(x, -1), *["d_" + a for a in names],
            axis=1)
    w = {"gamma": 1 + 0.1 * weight(54), "beta": 0.1 * weight(54)}
    assert 3 * len(names) == 54
    m.bn("norm", 54, scale=False)
    return m


def main():
    x, y = images(7, 6), np.arange(7) % 3
    m = mlp()
    p = m.run(x.astype(np.float64))
    loss = cross_entropy(p, y)
    for name in ("mlp.h5", "mlp3.h5", "mlp.keras", "mlp-nocompile.h5", "mlp-logits.h5"):
        sample(name, "mlp.npz", x, y, loss if name != "mlp-logits.h5" else
               cross_entropy(softmax(p), y))
    at = os.path.join(folder, "")
    write_h5(at + "mlp.h5", m, "sparse_categorical_crossentropy", 2, True, optimizer=True)
    write_h5(at + "mlp3.h5", m, {"module": "builtins", "class_name": "function",
                                 "config": "sparse_categorical_crossentropy"}, 3, True,
             variable=True)
    write_h5(at + "mlp-nocompile.h5", m, None, 2, True)
    write_h5(at + "mlp-logits.h5", m, {"class_name": "SparseCategoricalCrossentropy", "config": {
        "from_logits": True, "ignore_class": None, "reduction": "auto"}}, 2, True)
    write_keras(at + "mlp.keras", m, "sparse_categorical_crossentropy", True)
    write_weights(at + "mlp.weights.h5", m)
    m.layers[1].name, m.layers[4].name = "dense_4", "dense_5"  # as in a later session
    for layer in m.layers:
        layer.config["name"] = layer.name
        layer.weights = {k: v + 0 if "moving" in k else v * 2 for k, v in layer.weights.items()}
    for i, layer in enumerate(m.layers):
        layer.inputs = [m.layers[i - 1].name] if i else []
    write_h5(at + "mlp-later.h5", m, "sparse_categorical_crossentropy", 2, True)
    lines.append(f"mlp-later.h5 mlp.npz {cross_entropy(m.run(x.astype(np.float64)), y):.12g}")

    m, x = cnn(), images(4, 9, 7, 3)
    y = np.eye(4, dtype=np.float32)[[0, 2, 3, 1]]
    sample("cnn.keras", "cnn.npz", x, y, cross_entropy(m.run(x.astype(np.float64)), y, 0.1))
    write_keras(at + "cnn.keras", m, {
        "module": "keras.losses", "class_name": "CategoricalCrossentropy", "registered_name": None,
        "config": {"from_logits": False, "label_smoothing": 0.1, "axis": -1}})
    lines.append(lines[-1].replace("cnn.keras", "cnn3.h5"))
    write_h5(at + "cnn3.h5", m, {"out": {"class_name": "CategoricalCrossentropy", "config": {
        "label_smoothing": 0.1}}}, 3)

    m, x, y = resnet(), images(3, 6, 6, 2), np.array([0, 3, 1])
    sample("resnet.h5", "resnet.npz", x, y, cross_entropy(softmax(m.run(x.astype(np.float64))), y))
    write_h5(at + "resnet.h5", m, {"class_name": "SparseCategoricalCrossentropy", "config": {
        "from_logits": True}}, 2, limit=20, variable=True)

    x = rng.integers(0, 11, (4, 5))
    m, y = transformer(True, "tokens"), rng.integers(0, 11, (4, 5))
    p = softmax(m.run(x))
    sample("gpt.h5", "gpt.npz", x, y, cross_entropy(p.reshape(-1, 11), y.ravel()))
    write_h5(at + "gpt.h5", m, {"class_name": "SparseCategoricalCrossentropy", "config": {
        "from_logits": True}}, 3)
    m, y = transformer(False, "class"), np.array([0, 1, 1, 0])
    sample("text.h5", "text.npz", x, y, bce(m.run(x), y))
    write_h5(at + "text.h5", m, "binary_crossentropy", 2)
    lines.append(lines[-1].replace("text.h5", "text.keras"))
    write_keras(at + "text.keras", m, "binary_crossentropy")

    m, x, y = conv1d(), images(3, 12, 2), images(3, 4)
    sample("conv1d.h5", "conv1d.npz", x, y, ((m.run(x.astype(np.float64)) - y) ** 2).mean())
    write_h5(at + "conv1d.h5", m, "mse", 2)

    m, x = autoencoder(), images(2, 5, 6, 1)
    y = images(2, *m.run(x.astype(np.float64)).shape[1:])
    sample("ae.keras", "ae.npz", x, y, np.abs(m.run(x.astype(np.float64)) - y).mean())
    write_keras(at + "ae.keras", m, ["mae"])

    m, x, y = activations(), images(5, 4), images(5, 54)
    sample("acts.h5", "acts.npz", x, y, huber(m.run(x.astype(np.float64)), y, 0.5))
    write_h5(at + "acts.h5", m, {"class_name": "Huber", "config": {"delta": 0.5}}, 3)

    with open(at + "expected.txt", "w") as f:
        f.write("\n".join(lines) + "\n")


main()
