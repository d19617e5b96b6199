# SPDX-License-Identifier: GPL-3.0-or-later
"""Make the checkpoints beside this file, and seeds for the fuzz targets: make.py [FOLDER].

One network's state in every format that PyTorch writes or wrote, with views, shared storages and
all element types; and by hand in safetensors, GGUF and msgpack. `values.npz` has the same as plain
arrays (bfloat16 as float32). Made with Debian 12's torch 1.13 and numpy 1.24.
"""
import collections
import io
import json
import os
import struct
import sys
import warnings
import zipfile

import numpy as np
import torch
from torch import nn

here = os.path.dirname(os.path.abspath(__file__))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1, self.bn, self.fc2 = nn.Linear(6, 5), nn.BatchNorm1d(5), nn.Linear(5, 3)
        self.register_buffer("scratch", torch.zeros(2), persistent=False)


def types():
    """Every element type, views and shared storages, odd names and shapes."""
    base, shared = torch.arange(12.0).reshape(3, 4) / 7, torch.arange(10.0) - 3.5
    return collections.OrderedDict([
        ("fc.weight", base), ("turned", base.t()), ("slice", base[1:, 1:3]),
        ("steps", base[::2, ::2]), ("spread", torch.tensor([[1.5], [-2.0]]).expand(2, 3)),
        ("shared.a", shared), ("shared.b", shared[3:7]), ("empty", torch.empty(0, 3)),
        ("scalar", torch.tensor(3.5)), ("a/b.c", torch.tensor([1.0, float("nan")])),
        ("f64", torch.tensor([0.1, -1e300], dtype=torch.float64)),
        ("f16", torch.tensor([0.1, 65504.0], dtype=torch.float16)),
        ("bf16", torch.tensor([0.1, 3e38], dtype=torch.bfloat16)),
        ("i64", torch.tensor([-2**63, 7])), ("i32", torch.tensor([-70000, 1], dtype=torch.int32)),
        ("i16", torch.tensor([-500, 1], dtype=torch.int16)),
        ("i8", torch.tensor([-5, 1], dtype=torch.int8)),
        ("u8", torch.tensor([255, 1], dtype=torch.uint8)), ("bool", torch.tensor([True, False])),
        ("param", nn.Parameter(torch.tensor([[1.0, 2.0]]))),
    ])


def no_source(*_):
    raise OSError


def raw(t):
    t = t.detach().contiguous()
    return (t.view(torch.int16) if t.dtype == torch.bfloat16 else t).numpy().tobytes()


NAMES = {torch.float32: "F32", torch.float64: "F64", torch.float16: "F16", torch.bfloat16: "BF16",
         torch.int64: "I64", torch.int32: "I32", torch.int16: "I16", torch.int8: "I8",
         torch.uint8: "U8", torch.bool: "BOOL"}


def safetensors(path, state, notes):
    header, data = {"__metadata__": notes} if notes else {}, b""
    for name, t in state.items():
        header[name] = {"dtype": NAMES[t.dtype], "shape": list(t.shape),
                        "data_offsets": [len(data), len(data) + len(raw(t))]}
        data += raw(t)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + data)


def gguf(path, state):
    def text(s):
        return struct.pack("<Q", len(s)) + s.encode()
    kinds = {torch.float32: 0, torch.float16: 1, torch.bfloat16: 30, torch.float64: 28,
             torch.int64: 27}
    pairs = [text("general.architecture") + struct.pack("<I", 8) + text("test"),
             text("general.alignment") + struct.pack("<II", 4, 32),
             text("test.epsilon") + struct.pack("<If", 6, 1e-5),
             text("test.words") + struct.pack("<IIQ", 9, 8, 2) + text("a") + text("bc")]
    infos, data = b"", b""
    for name, t in state.items():
        data += b"\0" * (-len(data) % 32)
        infos += text(name) + struct.pack("<I", t.dim())
        infos += b"".join(struct.pack("<Q", n) for n in reversed(t.shape))
        infos += struct.pack("<IQ", kinds[t.dtype], len(data))
        data += raw(t)
    head = b"GGUF" + struct.pack("<IQQ", 3, len(state), len(pairs)) + b"".join(pairs) + infos
    with open(path, "wb") as f:
        f.write(head + b"\0" * (-len(head) % 32) + data)


def msgpack(path, state):
    """{"params": {layer: {name: array}}}, as flax.serialization.to_bytes writes it."""
    def text(s):
        return bytes([0xa0 + len(s)]) + s.encode()

    def array(t):
        name = str(t.dtype)[6:]
        body = b"\x93" + bytes([0x90 + t.dim()]) + bytes(t.shape) + text(name)
        body += b"\xc4" + bytes([len(raw(t))]) + raw(t)
        return b"\xc8" + struct.pack(">H", len(body)) + b"\x01" + body
    layers = collections.OrderedDict()
    for name, t in state.items():
        layer, last = name.split(".")
        layers.setdefault(layer, []).append(text(last) + array(t))
    out = b"\x82" + text("step") + b"\x07" + text("params") + bytes([0x80 + len(layers)])
    for layer, items in layers.items():
        out += text(layer) + bytes([0x80 + len(items)]) + b"".join(items)
    with open(path, "wb") as f:
        f.write(out)


def seed(folder, name, data):
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, name), "wb") as f:
        f.write(data)


def seeds(folder):
    corpus = os.path.join(here, "..", "..", "fuzz", "corpus")
    for name in sorted(os.listdir(folder)):
        path = os.path.join(folder, name)
        with open(path, "rb") as f:
            data = f.read()
        if name.endswith(".pt"):
            if data[:2] == b"PK":
                with zipfile.ZipFile(path) as z:
                    pickle = next(n for n in z.namelist() if n.endswith("data.pkl"))
                    data = b"Z" + z.read(pickle)
            seed(os.path.join(corpus, "fuzz_torch"), name, data)
        for kind in ("safetensors", "gguf", "msgpack"):
            if name.endswith("." + kind):
                seed(os.path.join(corpus, "fuzz_" + kind), name, data)
    small = io.BytesIO()
    torch.save({"w": torch.ones(2)}, small)
    seed(os.path.join(corpus, "fuzz_torch"), "small.zip", small.getvalue())


def main(folder):
    torch.manual_seed(1)
    state = types()
    old = {"_use_new_zipfile_serialization": False}
    torch.save(state, os.path.join(folder, "types.pt"))
    torch.save(state, os.path.join(folder, "types-old.pt"), **old)
    torch.save(state, os.path.join(folder, "types-protocol4.pt"), pickle_protocol=4)
    np.savez(os.path.join(folder, "values.npz"), **{
        k.replace("/", "|"): (v.float() if v.dtype == torch.bfloat16 else v).detach().numpy()
        for k, v in state.items()})
    safetensors(os.path.join(folder, "types.safetensors"), state,
                {"format": "pt", "who": "a \"test\""})

    net = Net()
    optimizer = torch.optim.Adam(net.parameters())
    net.fc2(net.bn(net.fc1(torch.randn(4, 6)))).sum().backward()
    optimizer.step()
    weights = net.state_dict()
    torch.save({"epoch": 3, "state_dict": weights, "optimizer": optimizer.state_dict()},
               os.path.join(folder, "nested.pt"))
    # Old streams hold the text of the classes' modules, which is not ours to copy.
    warnings.filterwarnings("ignore")
    torch.serialization.get_source_lines_and_file = no_source
    sys.modules["net"] = type(sys)("net")
    Net.__module__, sys.modules["net"].Net = "net", Net
    torch.save(net, os.path.join(folder, "module.pt"))
    torch.save(net, os.path.join(folder, "module-old.pt"), **old)
    safetensors(os.path.join(folder, "net.safetensors"), weights, None)
    first = [k for k in weights if k.startswith("fc1")]
    for part, keys in (("1", first), ("2", [k for k in weights if k not in first])):
        safetensors(os.path.join(folder, "net-0000%s-of-00002.safetensors" % part),
                    {k: weights[k] for k in keys}, {"format": "pt"})
    with open(os.path.join(folder, "net.safetensors.index.json"), "w") as f:
        json.dump({"metadata": {"total_size": 0}, "weight_map": {
            k: "net-0000%d-of-00002.safetensors" % (1 if k in first else 2) for k in weights}},
            f, indent=1)
        f.write("\n")
    gguf(os.path.join(folder, "net.gguf"), weights)
    msgpack(os.path.join(folder, "net.msgpack"), weights)
    if folder == here:
        seeds(folder)


main(sys.argv[1] if len(sys.argv) > 1 else here)
