# SPDX-License-Identifier: GPL-3.0-or-later
"""Answer Thalweg's questions about a model of yours: the loss at any parameters, gradients,
Hessian-vector products. Put this file beside your script; it needs NumPy.

    import thalweg_eval                                              # my_eval.py
    thalweg_eval.torch(model, batches, checkpoints=sys.argv[1:])     # the last line

    thalweg evaluator check 'python3 my_eval.py a.pt'
    thalweg scan --evaluator 'python3 my_eval.py a.pt' --plot

torch() serves a PyTorch module, jax() a tree of arrays and a function, serve() anything else. What
they print goes to a log, not between the messages. The protocol is in thalweg-evaluator(7).
"""
import json
import mmap
import os
import select
import threading
import time

import numpy as np


class Tensor:
    """A parameter or buffer: its kind is weight, bias, norm, embedding or buffer; filter is the
    axis that counts neurons (-1: none)."""

    def __init__(self, name, shape, kind, filter=None, layer=None):
        self.name, self.shape, self.kind = name, tuple(int(k) for k in shape), kind
        self.filter, self.layer = filter, layer
        self.size = int(np.prod(self.shape, dtype=np.int64))

    def describe(self):
        d = {"name": self.name, "shape": self.shape, "kind": self.kind}
        d.update({k: v for k, v in (("filter", self.filter), ("layer", self.layer))
                  if v is not None})
        return d


def serve(tensors, loss, get=None, grad=None, jvp=None, hvp=None, checkpoints=(), n=0,
          correct=False, weights=False, dtype="f32", name=None, data=None, logits=None,
          logit_jvp=None, labels=None, width=0, classes=0):
    """Answer until Thalweg says goodbye.

    tensors       a list of Tensor
    loss(p, b)    p, b: parameters and buffers, each a list of arrays (views of shared memory, to
                  be read only) in the order of `tensors`; b is None: your own. Returns the mean
                  loss, or a dictionary with "loss" and any of "samples" (the loss of each of the
                  n samples), "weights" (positions that count in each, if not 1), "correct" (how
                  many of these are right), "error_rate".
    grad(p, b)    the same, and "grad": a list of arrays
    jvp(p, b, v)  the derivative of the loss along v
    hvp(p, b, v)  the Hessian times v: a list of arrays
    get(i)        parameters and buffers of checkpoint i: two lists of arrays
    checkpoints   their names;  n: samples;  correct, weights: whether loss() gives them
    name, data    what the model and the data are called, in reports

    For `thalweg ghost`, with n (the loss is then cross-entropy):
    logits(p, b)  n times width reals: of each sample, softmax after softmax of `classes` [width]
    logit_jvp(p, b, v)  their derivatives along v
    labels()      the class of each softmax; below 0: it counts nowhere
    """
    can = ["loss"] + [k for k, f in (("grad", grad), ("jvp", jvp), ("hvp", hvp)) if f]
    can += [k for k, yes in (("samples", n), ("correct", n and correct), ("weights", n and weights),
                             ("logits", logits), ("logit_jvp", logits and logit_jvp),
                             ("labels", logits and labels)) if yes]
    greeting = {"twep": 1, "can": can, "dtype": dtype, "checkpoints": list(checkpoints),
                "tensors": [t.describe() for t in tensors]}
    greeting.update({k: v for k, v in (("n", n), ("name", name), ("data", data), ("width", width),
                                           ("classes", classes)) if v})
    calls = {"loss": loss, "grad": grad, "jvp": jvp, "hvp": hvp, "logits": logits,
             "logit_jvp": logit_jvp, "labels": labels}
    _Server(tensors, calls, get, n, n * width, n * (width // (classes or width or 1)), dtype).run(greeting)


def _leave_with_thalweg(fd):
    """Ends this process, whatever it computes, a while after the other side has gone."""
    gone = select.poll()
    gone.register(fd, 0)
    gone.poll()
    time.sleep(5)
    os._exit(1)


class _Server:
    def __init__(self, tensors, calls, get, n, logits, softmaxes, dtype):
        self.params = [t for t in tensors if t.kind != "buffer"]
        self.buffers = [t for t in tensors if t.kind == "buffer"]
        self.calls, self.checkpoint, self.memory = calls, get, None
        self.n, self.logits, self.softmaxes = n, logits, softmaxes
        self.dtype = np.float64 if dtype == "f64" else np.float32

    def run(self, greeting):
        if "TWEP_IN_FD" not in os.environ:
            raise SystemExit("this is an evaluator: run it by  thalweg evaluator check '...'")
        threading.Thread(target=_leave_with_thalweg, args=(int(os.environ["TWEP_IN_FD"]),),
                         daemon=True).start()
        with os.fdopen(int(os.environ["TWEP_OUT_FD"]), "w", buffering=1) as out, \
                os.fdopen(int(os.environ["TWEP_IN_FD"])) as requests:
            out.write(json.dumps(greeting) + "\n")
            for line in requests:
                q = json.loads(line)
                if q["op"] == "bye":
                    break
                try:
                    answer = self.answer(q)
                except Exception as e:  # a failure is an answer; the whole story is in the log
                    import traceback
                    traceback.print_exc()
                    answer = {"error": f"{type(e).__name__}: {e}"[:400]}
                answer["id"] = q["id"]
                out.write(json.dumps(answer) + "\n")

    def views(self, tensors, offset):
        """Arrays over a vector in shared memory."""
        x = np.frombuffer(self.memory, self.dtype, sum(t.size for t in tensors), offset)
        ends = np.cumsum([t.size for t in tensors])
        return [x[e - t.size:e].reshape(t.shape) for t, e in zip(tensors, ends)]

    def put(self, tensors, offset, arrays):
        arrays = list(arrays)
        if len(arrays) != len(tensors):
            raise ValueError(f"{len(arrays)} arrays where there are {len(tensors)} tensors")
        for t, to, a in zip(tensors, self.views(tensors, offset), arrays):
            a = np.asarray(a)
            if a.shape != t.shape:
                raise ValueError(f"{t.name}: an array of shape {a.shape}, expected {t.shape}")
            to[...] = a

    def put_reals(self, offset, values, n):
        values = np.asarray(values, np.float64).reshape(-1)
        if len(values) != n:
            raise ValueError(f"{len(values)} numbers of samples where there should be {n}")
        np.frombuffer(self.memory, np.float64, n, offset)[:] = values

    def answer(self, q):
        op = q["op"]
        if op == "map":
            self.memory = mmap.mmap(int(os.environ["TWEP_MEM_FD"]), q["size"])
            return {}
        if op == "get" and self.checkpoint:
            params, buffers = self.checkpoint(q["index"])
            self.put(self.params, q["out"], params)
            self.put(self.buffers, q["buffers"], buffers)
            return {}
        if not self.calls.get(op):
            return {"error": "unsupported"}
        if op == "labels":
            self.put_reals(q["labels"], self.calls[op](), self.softmaxes)
            return {}
        point = [self.views(self.params, q["at"]),
                 self.views(self.buffers, q["buffers"]) if "buffers" in q else None]
        if "vec" in q:
            point.append(self.views(self.params, q["vec"]))
        result = self.calls[op](*point)
        if op == "jvp":
            return {"slope": float(result)}
        if op == "logit_jvp":
            self.put_reals(q["slopes"], result, self.logits)
            return {}
        if op == "hvp":
            self.put(self.params, q["out"], result)
            return {}
        result = result if isinstance(result, dict) else {"loss": result}
        if op == "grad":
            self.put(self.params, q["out"], result["grad"])
        for key in ("samples", "weights", "correct"):
            if key in q:
                self.put_reals(q[key], result[key], self.n)
        if "logits" in q:
            self.put_reals(q["logits"], self.calls["logits"](*point), self.logits)
        answer = {"loss": float(result["loss"])}
        if "error_rate" in result:
            answer["error_rate"] = float(result["error_rate"])
        return answer


# ---- PyTorch ------------------------------------------------------------------------------------


def class_logits(model, batch):
    """Logits [samples, ..., classes] and class numbers [samples, ...] of a batch (x, y)."""
    x, y = batch
    z = model(x)
    z = getattr(z, "logits", z)
    return (z if z.dim() < 4 else z.movedim(1, -1)), y  # language models have classes last


def cross_entropy(model, batch):
    """Loss and hits of each sample of a batch (x, y), y class numbers; -100 counts nowhere."""
    import torch
    z, y = class_logits(model, batch)
    z = z.movedim(-1, 1)
    losses = torch.nn.functional.cross_entropy(z, y, reduction="none")
    counts = y != -100
    hits = (z.argmax(1) == y) & counts
    rows = [t.reshape(len(y), -1).sum(1) for t in (losses, hits, counts)]
    return tuple(rows)


def torch(model, batches, loss=cross_entropy, checkpoints=(), load=None, device=None, name=None,
          data=None, hvp=True, logits=None):
    """Serve a PyTorch module (in evaluation mode).

    batches      a list of batches, or anything else that gives the same ones whenever it is gone
                 through: no shuffling, no random augmentation
    loss         loss(model, batch): the loss of each sample; or a tuple of these, of how many are
                 right, and of positions in each sample (if a sample has several)
    checkpoints  names;  load(name): a state_dict [torch.load, and its "state_dict" or "model"]
    device       [cuda if there is one]
    logits       logits(model, batch): what class_logits returns, for `thalweg ghost`; a class below
                 0 counts nowhere [class_logits, with loss=cross_entropy]
    """
    import torch as t
    device = device or ("cuda" if t.cuda.is_available() else "cpu")
    model = model.to(device).eval()
    move = _mover(t, device)
    params = dict(model.named_parameters())
    buffers = {k: b for k, b in model.named_buffers() if b.is_floating_point()}
    dtype = "f64" if any(p.dtype == t.float64 for p in params.values()) else "f32"
    load = load or _state_dict
    if checkpoints:
        _restore(model, load(checkpoints[0]))

    def array(x):
        x = x.detach().cpu()
        return x.numpy() if x.dtype == t.float64 else x.float().numpy()  # NumPy has no bfloat16

    as_it_is = [] if checkpoints else [array(q).copy() for q in params.values()]
    own_buffers = [b.clone() for b in buffers.values()]

    def place(p, b):
        with t.no_grad():
            for to, a in zip(params.values(), p):
                to.copy_(t.from_numpy(a))
            for i, to in enumerate(buffers.values()):
                to.copy_(own_buffers[i] if b is None else t.from_numpy(b[i]))

    def parts(batch):
        parts = loss(model, move(batch))
        parts = parts if isinstance(parts, (tuple, list)) else (parts,)
        return parts + (None,) * (3 - len(parts))

    def through(backward):
        """All batches; the gradient of the sum of the losses is left in .grad."""
        model.zero_grad(set_to_none=True)
        rows = [], [], []
        with t.set_grad_enabled(backward):
            for batch in batches:
                these = parts(batch)
                if backward:
                    these[0].sum().backward()
                for to, part in zip(rows, these):
                    if part is not None:
                        to.append(part.detach().double().cpu().numpy().reshape(-1))
        rows = [np.concatenate(r) if r else None for r in rows]
        total = len(rows[0]) if rows[2] is None else rows[2].sum()
        result = {"loss": rows[0].sum() / total, "samples": rows[0]}
        result.update({k: r for k, r in (("correct", rows[1]), ("weights", rows[2]))
                       if r is not None})
        return result, total

    def value(p, b):
        place(p, b)
        return through(False)[0]

    def grad(p, b):
        place(p, b)
        result, total = through(True)
        result["grad"] = [np.zeros(q.shape) if q.grad is None else array(q.grad) / total
                          for q in params.values()]
        return result

    def product(p, b, v):
        place(p, b)
        v = [t.from_numpy(x).to(device, q.dtype) for x, q in zip(v, params.values())]
        total, sums = 0.0, [t.zeros_like(q) for q in params.values()]
        for batch in batches:
            losses, _, counts = parts(batch)
            total += len(losses) if counts is None else float(counts.sum())
            first = t.autograd.grad(losses.sum(), list(params.values()), create_graph=True,
                                    allow_unused=True)
            along = sum((g * x).sum() for g, x in zip(first, v) if g is not None)
            second = t.autograd.grad(along, list(params.values()), allow_unused=True) \
                if along.requires_grad else []
            for s, h in zip(sums, second):
                if h is not None:
                    s += h
        return [array(s) / total for s in sums]

    logits = logits or (class_logits if loss is cross_entropy else None)

    def together(parts):
        return np.concatenate([z.detach().double().cpu().numpy().reshape(-1) for z in parts])

    def labels():
        with t.no_grad():
            return together(logits(model, move(batch))[1] for batch in batches)

    def all_logits(p, b):
        place(p, b)
        with t.no_grad():
            return together(logits(model, move(batch))[0] for batch in batches)

    def logit_jvp(p, b, v):
        """J v is the derivative of (J'u).v by u: exact, and any module that has a Hessian-vector
        product has it."""
        place(p, b)
        v = [t.from_numpy(x).to(device, q.dtype) for x, q in zip(v, params.values())]
        slopes = []
        for batch in batches:
            z = logits(model, move(batch))[0]
            u = t.zeros_like(z, requires_grad=True)
            first = t.autograd.grad(z, list(params.values()), u, create_graph=True,
                                    allow_unused=True)
            along = sum((g * x).sum() for g, x in zip(first, v) if g is not None)
            slopes.append(t.autograd.grad(along, u)[0])
        return together(slopes)

    def get(i):
        if not checkpoints:
            return as_it_is, [array(q) for q in own_buffers]
        _restore(model, load(checkpoints[i]))
        return [array(q) for q in params.values()], [array(q) for q in buffers.values()]

    def tensors():
        modules = dict(model.named_modules())
        for k, p in params.items():
            layer, _, leaf = k.rpartition(".")
            yield Tensor(k, p.shape, _torch_kind(modules.get(layer), leaf, p), layer=layer or k)
        for k, b in buffers.items():
            yield Tensor(k, b.shape, "buffer")

    first = through(False)[0]
    n = len(first["samples"])
    if logits:
        with t.no_grad():
            z = logits(model, move(next(iter(batches))))[0]
        width, classes = z[0].numel(), z.shape[-1]
        if n * width > 1 << 28:  # 2 GiB
            logits = None
    serve(list(tensors()), value, get, grad, None,
          product if hvp else None, checkpoints or ["the model as it is"],
          n=n, correct="correct" in first, weights="weights" in first, dtype=dtype,
          name=name or type(model).__name__, data=data,
          **(dict(logits=all_logits, logit_jvp=logit_jvp, labels=labels, width=width,
                  classes=classes) if logits else {}))


def _mover(t, device):
    def move(x):
        if isinstance(x, t.Tensor):
            return x.to(device, non_blocking=True)
        if isinstance(x, dict):
            return {k: move(v) for k, v in x.items()}
        return type(x)(move(v) for v in x) if isinstance(x, (list, tuple)) else x
    return move


def _state_dict(name):
    import torch as t
    state = t.load(name, map_location="cpu")
    for key in ("state_dict", "model_state_dict", "model"):
        if isinstance(state, dict) and key in state:
            state = state[key]
    return state.state_dict() if hasattr(state, "state_dict") else state


def _restore(model, state):
    for prefix in ("_orig_mod.", "module."):
        if all(k.startswith(prefix) for k in state):
            state = {k[len(prefix):]: v for k, v in state.items()}
    model.load_state_dict(state)


def _torch_kind(module, leaf, p):
    kind = type(module).__name__
    if "Norm" in kind:
        return "norm"
    if "Embedding" in kind:
        return "embedding"
    return "bias" if p.dim() < 2 or leaf.endswith("bias") else "weight"


# ---- JAX ----------------------------------------------------------------------------------------


def jax(checkpoints, loss, samples=None, names=None, kinds=None, name=None, data=None, hvp=True):
    """Serve a loss in JAX. This adapter has not been run by its authors: check it with
    `thalweg evaluator check`, which finds mistakes.

    checkpoints  trees of arrays of one structure (what Flax calls params)
    loss         loss(params): the mean loss over your data, jittable
    samples      samples(params): the loss of each sample, if you have it; loss is then their mean
    kinds        kinds(name, array): weight, bias, norm, embedding [by name and shape]
    """
    import jax as j
    import jax.numpy as jnp
    leaves, tree = j.tree_util.tree_flatten_with_path(checkpoints[0])
    keys = ["/".join(str(getattr(k, "key", getattr(k, "idx", getattr(k, "name", k)))) for k in path)
            for path, _ in leaves]
    wide = any(a.dtype == jnp.float64 for _, a in leaves)
    if samples is not None:
        def loss(params, each=samples):
            return each(params).mean()

    def pack(p):
        return j.tree_util.tree_unflatten(
            tree, [jnp.asarray(a, q.dtype) for a, (_, q) in zip(p, leaves)])

    def unpack(x):
        return [np.asarray(a) for a in j.tree_util.tree_leaves(x)]

    each = j.jit(samples) if samples is not None else None
    value, both = j.jit(loss), j.jit(j.value_and_grad(loss))
    slope = j.jit(lambda p, v: j.jvp(loss, (p,), (v,))[1])
    product = j.jit(lambda p, v: j.jvp(j.grad(loss), (p,), (v,))[1])

    def values(p, b):
        if each is None:
            return float(value(pack(p)))
        rows = np.asarray(each(pack(p)), np.float64)
        return {"loss": rows.mean(), "samples": rows}

    def grad(p, b):
        x, g = both(pack(p))
        rows = {} if each is None else {"samples": np.asarray(each(pack(p)))}
        return dict(rows, loss=float(x), grad=unpack(g))

    def kind(key, a):
        leaf = key.rsplit("/", 1)[-1]
        if leaf == "embedding":
            return "embedding"
        if leaf == "scale" or "Norm" in key:
            return "norm"
        return "bias" if leaf == "bias" or a.ndim < 2 else "weight"

    kinds = kinds or kind
    n = 0 if each is None else len(np.asarray(each(checkpoints[0])))
    # The last axis counts neurons in JAX, of embeddings the first.
    serve([Tensor(k, a.shape, kinds(k, a),
                  filter=a.ndim - 1 if a.ndim > 1 and kinds(k, a) == "weight" else None)
           for k, (_, a) in zip(keys, leaves)], values, lambda i: (unpack(checkpoints[i]), []), grad,
          lambda p, b, v: float(slope(pack(p), pack(v))),
          (lambda p, b, v: unpack(product(pack(p), pack(v)))) if hvp else None,
          names or [f"checkpoint {i}" for i in range(len(checkpoints))], n=n,
          dtype="f64" if wide else "f32", name=name, data=data)
