# SPDX-License-Identifier: GPL-3.0-or-later
"""Round trips of checkpoints: checkpoints.py THALWEG FOLDER.

Writes state dictionaries with torch in every way that it has, converts them with `thalweg convert`
to safetensors and HDF5, and compares every tensor with torch's to the bit; the safetensors are read
here from their definition, HDF5 with h5py. Prints a line for each file.
"""
import collections
import json
import os
import struct
import subprocess
import sys
import zipfile

import h5py
import numpy as np
import torch
from torch import nn

THALWEG, FOLDER = sys.argv[1:3]
NAMES = {torch.float32: "F32", torch.float64: "F64", torch.float16: "F16", torch.bfloat16: "BF16",
         torch.int64: "I64", torch.int32: "I32", torch.int16: "I16", torch.int8: "I8",
         torch.uint8: "U8", torch.bool: "BOOL"}


def raw(t):
    t = t.detach().contiguous()
    return (t.view(torch.int16) if t.dtype == torch.bfloat16 else t).numpy().tobytes()


def some_state(seed):
    """Tensors of random types, shapes and views."""
    g = torch.Generator().manual_seed(seed)

    def pick(n):
        return int(torch.randint(n, (1,), generator=g))
    state, bases = collections.OrderedDict(), []
    for i in range(40):
        shape = [pick(5) for _ in range(pick(5))]
        bits = torch.randint(0, 256, (int(np.prod(shape)) * 8,), generator=g, dtype=torch.uint8)
        dtype = list(NAMES)[pick(len(NAMES))]
        if dtype == torch.bool:
            t = (bits[::8] > 127).reshape(shape)
        else:
            n = int(np.prod(shape))
            whole = torch.frombuffer(bytearray(bits.numpy().tobytes()) or bytearray(8),
                                     dtype=dtype)
            t = whole[:n].reshape(shape)
        if bases and pick(3) == 0:
            t = bases[pick(len(bases))]
        bases.append(t)
        for _ in range(pick(3)):
            how = pick(4)
            if how == 0 and t.dim() > 1:
                t = t.transpose(pick(t.dim()), pick(t.dim()))
            elif how == 1 and t.dim() and t.shape[0] > 1:
                t = t[1::2]
            elif how == 2 and t.dim() and t.shape[-1] > 1:
                t = t[..., 1:]
            elif how == 3:
                t = t.unsqueeze(0).expand(2, *t.shape)
        state["%s%d.%s" % ("a/b"[:pick(4)], i, ["weight", "bias", "x y", "\u00e9"][pick(4)])] = t
    return state


def read_safetensors(path):
    with open(path, "rb") as f:
        data = f.read()
    n = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:8 + n])
    header.pop("__metadata__")
    return {k: (v["dtype"], tuple(v["shape"]), data[8 + n + v["data_offsets"][0]:
                                                    8 + n + v["data_offsets"][1]])
            for k, v in header.items()}


def check(path, state, *options):
    a, b = path + ".safetensors", path + ".h5"
    for source, to in ((path, a), (path, b), (b, b + ".safetensors")):
        subprocess.run([THALWEG, "convert", "-q", "--force", *(options if source == path else ()),
                        source, to], check=True, stdout=subprocess.DEVNULL)
    want = {k: (NAMES[t.dtype], tuple(t.shape), raw(t)) for k, t in state.items()}
    assert read_safetensors(a) == want, path
    assert read_safetensors(b + ".safetensors") == want, path
    with h5py.File(b) as f:
        names = {}

        def visit(p, o):
            if isinstance(o, h5py.Dataset):
                names[o.attrs.get("tensor_name", p)] = o
        f.visititems(visit)
        assert set(names) == set(state), path
        for k, t in state.items():
            x = names[k][()]
            y = t.detach().float().numpy() if t.dtype == torch.bfloat16 else t.detach().numpy()
            assert np.asarray(x).dtype == y.dtype and np.asarray(x).shape == y.shape, (path, k)
            assert np.asarray(x).tobytes() == y.tobytes(), (path, k)
    print("%s: %d tensors" % (os.path.basename(path), len(state)))


class Own(dict):
    """A mapping of one's own, as many trainers have."""


def main():
    path = os.path.join(FOLDER, "x")
    ways = [{}, {"_use_new_zipfile_serialization": False}, {"pickle_protocol": 4},
            {"pickle_protocol": 5}, {"pickle_protocol": 3},
            {"_use_new_zipfile_serialization": False, "pickle_protocol": 4}]
    for i, way in enumerate(ways):
        state = some_state(i)
        torch.save(state, path + "%d.pt" % i, **way)
        check(path + "%d.pt" % i, state)
    net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.TransformerEncoderLayer(8, 2))
    for name, saved in (("module", net), ("parallel", nn.DataParallel(net)), ("script", None)):
        for old in (False, True) if saved else (False,):
            p = "%s-%s%d.pt" % (path, name, old)
            if saved:
                torch.save(saved, p, _use_new_zipfile_serialization=not old)
            else:
                torch.jit.save(torch.jit.script(net), p)
            check(p, (saved or net).state_dict())
    optimizer = torch.optim.Adam(net.parameters())
    net[2](torch.randn(2, 3, 8)).sum().backward()
    optimizer.step()
    state = net.state_dict()
    nested = {"epoch": 1, "losses": [0.5] * 100, "state_dict": state, "optimizer": optimizer.state_dict(),
              "rng": torch.get_rng_state(), "args": Own(lr=0.1)}
    torch.save(nested, path + "-nested.pt")
    check(path + "-nested.pt", state)
    moments = {"%d.%s" % (i, k): v for i, s in optimizer.state_dict()["state"].items()
               for k, v in s.items()}
    check(path + "-nested.pt", moments, "--state-key", "optimizer.state")
    torch.save({"step": 3, "generator": Own(state)}, path + "-own.pt")
    check(path + "-own.pt", state)
    # Archives that were packed again: compressed, with 64-bit sizes, on a big-endian machine.
    for how in ("packed", "zip64", "big"):
        method = zipfile.ZIP_DEFLATED if how == "packed" else zipfile.ZIP_STORED
        floats = {k: v for k, v in state.items() if v.dtype == torch.float32}
        torch.save(floats, path + "-again.pt")
        with zipfile.ZipFile(path + "-again.pt") as z, \
                zipfile.ZipFile("%s-%s.pt" % (path, how), "w", method) as out:
            for entry in z.namelist():
                data = z.read(entry)
                if how == "big" and "/data/" in entry:
                    data = np.frombuffer(data, "<f4").astype(">f4").tobytes()
                info = zipfile.ZipInfo(entry)
                info.compress_type = method
                with out.open(info, "w", force_zip64=how == "zip64") as f:
                    f.write(data)
            if how == "big":
                out.writestr(z.namelist()[0].split("/")[0] + "/byteorder", "big")
        check("%s-%s.pt" % (path, how), floats)


main()
