#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Train a small byte-level GPT on Python's standard library; log its losses.

One run is one --seed and one --spec (see schedules.py). The seed alone sets
the initial weights and the order of the training windows, so that runs of one
seed under different schedules see the same batches from the same start.

--save STEP:FILE (may be given more than once) keeps the state before update
STEP; --resume FILE goes on from it, and refuses a spec whose earlier learning
rates differ from those the state was made with.
"""
import os

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"

import argparse
import ctypes
import hashlib
import platform
import subprocess
import sys
import time

import numpy as np
import torch
import torch.nn.functional as F

import schedules

PACKAGES = ("libpython3.11-minimal", "libpython3.11-stdlib")
LAYERS, WIDTH, HEADS, CONTEXT, VOCAB = 2, 64, 4, 64, 256
BATCH = 32  # windows in one update
BLOCK = 65536  # bytes; every HELD_OUT-th block is never trained on
HELD_OUT = 16
VAL_WINDOWS = 512  # 32768 predicted bytes
BETA1, BETA2, EPS, DECAY, CLIP = 0.9, 0.95, 1e-8, 0.1, 1.0
EVERY = 20  # updates between rows


def read_text():
    """The .py files of the two packages, in byte order of their paths."""
    listed = subprocess.run(
        ["dpkg-query", "-L", *PACKAGES], check=True, capture_output=True
    ).stdout.split(b"\n")
    paths = sorted(
        {
            p
            for p in listed
            if p.startswith(b"/usr/lib/python3")
            and p.endswith(b".py")
            and os.path.isfile(p)
            and not os.path.islink(p)
        }
    )
    text = b"".join(open(p, "rb").read() for p in paths)
    versions = subprocess.run(
        ["dpkg-query", "-W", "-f", "${Package} ${Version}; ", *PACKAGES],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip("; ")
    return text, len(paths), versions


def windows(text):
    """Starts of the training windows and of the held-out windows.

    A window is CONTEXT + 1 bytes, and lies inside one block; the windows of
    one kind share at most their end bytes.
    """
    per_block = (BLOCK - 1) // CONTEXT
    train, held = [], []
    for block in range(len(text) // BLOCK):
        starts = block * BLOCK + CONTEXT * np.arange(per_block)
        (held if block % HELD_OUT == HELD_OUT - 1 else train).append(starts)
    train, held = np.concatenate(train), np.concatenate(held)
    pick = np.arange(VAL_WINDOWS) * len(held) // VAL_WINDOWS
    return train, held[pick]


def blas_name():
    """Which BLAS is behind libblas.so.3; it sets the speed and last bits."""
    try:
        blas = ctypes.CDLL("libblas.so.3")
        config, core = blas.openblas_get_config, blas.openblas_get_corename
    except (OSError, AttributeError):
        return "not OpenBLAS"
    config.restype = core.restype = ctypes.c_char_p
    version = " ".join(config().decode("ascii").split()[:2])
    return f"{version} {core().decode('ascii')}"


class Model:
    """Pre-LayerNorm GPT; all weights are views of one flat vector."""

    def __init__(self, seed):
        shapes = [("tok", (VOCAB, WIDTH)), ("pos", (CONTEXT, WIDTH))]
        for i in range(LAYERS):
            shapes += [
                (f"qkv{i}", (3 * WIDTH, WIDTH)),
                (f"out{i}", (WIDTH, WIDTH)),
                (f"up{i}", (4 * WIDTH, WIDTH)),
                (f"down{i}", (WIDTH, 4 * WIDTH)),
            ]
        shapes += [("head", (VOCAB, WIDTH))]
        gains = [f"{n}_{i}_" for i in range(LAYERS) for n in ("ln1", "ln2")]
        gains += ["lnf_"]
        for g in gains:
            shapes += [(g + "g", (WIDTH,)), (g + "b", (WIDTH,))]

        # RandomState's streams are frozen, whatever numpy's version.
        rng = np.random.RandomState(seed)
        parts = []
        for name, shape in shapes:
            if name.endswith("_g"):
                parts.append(np.ones(shape))
            elif name.endswith("_b"):
                parts.append(np.zeros(shape))
            else:
                std = 0.02 if name in ("tok", "pos", "head") else shape[1] ** -0.5
                if name[:3] == "out" or name[:4] == "down":
                    std /= (2 * LAYERS) ** 0.5
                parts.append(rng.normal(0.0, std, shape))
        self.flat = torch.from_numpy(
            np.concatenate([p.ravel() for p in parts]).astype(np.float32)
        )
        self.grad = torch.zeros_like(self.flat)
        self.w, at, self.matrices = {}, 0, 0
        for name, shape in shapes:
            n = int(np.prod(shape))
            view = self.flat[at : at + n].view(shape)
            view.requires_grad_(True)
            view.grad = self.grad[at : at + n].view(shape)
            self.w[name] = view
            at += n
            if len(shape) == 2:
                self.matrices = at  # weight decay is for these only
        self.mask = torch.full((CONTEXT, CONTEXT), float("-inf")).triu(1)

    def loss(self, batch):
        """Mean cross-entropy, in nats a byte, of (windows, CONTEXT+1) bytes."""
        w = self.w
        n = batch.shape[0]
        x = F.embedding(batch[:, :-1], w["tok"]) + w["pos"]
        for i in range(LAYERS):
            y = F.layer_norm(x, (WIDTH,), w[f"ln1_{i}_g"], w[f"ln1_{i}_b"])
            q, k, v = (
                F.linear(y, w[f"qkv{i}"])
                .view(n, CONTEXT, 3, HEADS, WIDTH // HEADS)
                .permute(2, 0, 3, 1, 4)
            )
            a = q @ k.transpose(-1, -2) * (WIDTH // HEADS) ** -0.5 + self.mask
            y = (a.softmax(-1) @ v).transpose(1, 2).reshape(n, CONTEXT, WIDTH)
            x = x + F.linear(y, w[f"out{i}"])
            y = F.layer_norm(x, (WIDTH,), w[f"ln2_{i}_g"], w[f"ln2_{i}_b"])
            x = x + F.linear(F.gelu(F.linear(y, w[f"up{i}"])), w[f"down{i}"])
        x = F.layer_norm(x, (WIDTH,), w["lnf_g"], w["lnf_b"])
        logits = F.linear(x, w["head"]).view(-1, VOCAB)
        return F.cross_entropy(logits, batch[:, 1:].reshape(-1))


class AdamW:
    def __init__(self, model):
        self.model = model
        self.m = torch.zeros_like(model.flat)
        self.v = torch.zeros_like(model.flat)

    @torch.no_grad()
    def update(self, step, lr):
        g, flat = self.model.grad, self.model.flat
        norm = float(g.norm())
        if norm > CLIP:
            g.mul_(CLIP / norm)
        self.m.mul_(BETA1).add_(g, alpha=1 - BETA1)
        self.v.mul_(BETA2).addcmul_(g, g, value=1 - BETA2)
        flat[: self.model.matrices].mul_(1 - lr * DECAY)
        scale = (1 - BETA2 ** (step + 1)) ** 0.5
        flat.addcdiv_(
            self.m,
            (self.v.sqrt() / scale).add_(EPS),
            value=-lr / (1 - BETA1 ** (step + 1)),
        )


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--seed", type=int, required=True)
    p.add_argument("--spec", required=True)
    p.add_argument("--out", required=True)
    p.add_argument("--save", action="append", default=[], metavar="STEP:FILE")
    p.add_argument("--resume", metavar="FILE")
    a = p.parse_args()

    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    lrs = schedules.lr(a.spec)
    saves = dict((int(s.partition(":")[0]), s.partition(":")[2]) for s in a.save)

    text, files, versions = read_text()
    digest = hashlib.sha256(text).hexdigest()
    data = torch.from_numpy(np.frombuffer(text, dtype=np.uint8).astype(np.int64))
    train, held = windows(text)
    order = np.random.RandomState(1000003 + a.seed).permutation(train)
    if len(lrs) * BATCH > len(order):
        sys.exit(f"train.py: {len(lrs)} updates want more than one epoch")
    span = torch.arange(CONTEXT + 1)
    fixed = data[torch.from_numpy(held)[:, None] + span]

    model = Model(a.seed)
    adam = AdamW(model)
    rows, first, pending, count = [], 0, 0.0, 0
    if a.resume:
        c = torch.load(a.resume)
        if c["seed"] != a.seed or c["digest"] != digest:
            sys.exit("train.py: the state is of another seed or text")
        first = c["step"]
        if c["lrs"] != lrs[:first]:
            sys.exit("train.py: the state was made with other learning rates")
        model.flat.copy_(c["flat"])
        adam.m.copy_(c["m"])
        adam.v.copy_(c["v"])
        rows, pending, count = c["rows"], c["pending"], c["count"]

    began = time.monotonic()
    for s in range(first, len(lrs)):
        if s in saves:
            torch.save(
                {
                    "seed": a.seed,
                    "digest": digest,
                    "step": s,
                    "lrs": lrs[:s],
                    "flat": model.flat,
                    "m": adam.m,
                    "v": adam.v,
                    "rows": rows,
                    "pending": pending,
                    "count": count,
                },
                saves[s],
            )
        batch = order[s * BATCH : (s + 1) * BATCH]
        model.grad.zero_()
        loss = model.loss(data[torch.from_numpy(batch)[:, None] + span])
        loss.backward()
        adam.update(s, lrs[s])
        pending += loss.item()
        count += 1
        if (s + 1) % EVERY == 0 or s + 1 == len(lrs):
            with torch.no_grad():
                val = np.mean([model.loss(b).item() for b in fixed.split(64)])
            rows.append((s, lrs[s], pending / count, float(val)))
            pending, count = 0.0, 0
    took = time.monotonic() - began

    with open(a.out, "w", encoding="ascii") as f:
        f.write(f"# made by: analyses/demo-curves/train.py --seed {a.seed}")
        f.write(f" --spec {a.spec}\n")
        f.write(f"# model: byte-level GPT, pre-LayerNorm, {LAYERS} layers,")
        f.write(f" width {WIDTH}, {HEADS} heads, context {CONTEXT},")
        f.write(f" {model.flat.numel()} weights;")
        f.write(f" {BATCH * CONTEXT} bytes an update\n")
        f.write(f"# optimizer: AdamW {BETA1} {BETA2}, weight decay {DECAY},")
        f.write(f" gradient norm clipped at {CLIP}\n")
        f.write(f"# text: {versions}; {files} files, {len(text)} bytes,")
        f.write(f" SHA-256 {digest}\n")
        f.write(f"# torch {torch.__version__}, numpy {np.__version__},")
        f.write(f" BLAS {blas_name()}, {platform.machine()},")
        f.write(" float32, 1 thread\n")
        f.write("# step counts from 0; losses in nats a byte;")
        f.write(" val_loss is after update `step`\n")
        f.write("step,lr,train_loss,val_loss\n")
        for s, r, t, v in rows:
            f.write(f"{s},{r:.17g},{t:.6f},{v:.6f}\n")
    made = len(lrs) - first
    print(
        f"{os.path.basename(a.out)}: {made} updates, {took:.1f} s,"
        f" {1000 * took / max(made, 1):.1f} ms each; last val_loss {rows[-1][3]:.6f}",
        flush=True,
    )


if __name__ == "__main__":
    main()
