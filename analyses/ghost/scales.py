# SPDX-License-Identifier: GPL-3.0-or-later
"""The experiment which-scale by PyTorch alone, in double precision: other initial values, other orders
of the data, slopes and curvatures by differences."""
import math
import statistics
import sys

import h5py
import torch
from torch import nn

FOLLOWED, H, STEPS = 500, 1e-4, (30, 120, 400)
ONSETS = ("loss*1.1", "loss*2", "acc-5", "acc-20")
SCALES = ("no scale", "rho_a", "curvature", "flip_5", "median_rho_a")


def mlp(act=nn.ReLU, norm=False):
    layers = []
    for _ in range(2):
        layers += [nn.Linear(64, 64)] + [nn.LayerNorm(64)] * norm + [act()]
    return nn.Sequential(*layers, nn.Linear(64, 10))


NETS = (lambda: nn.Linear(64, 10), mlp, lambda: mlp(nn.Tanh), lambda: mlp(norm=True))


class Line:
    """A network's logits on x along a unit direction."""

    def __init__(self, net, way, x, y):
        self.net, self.way, self.x, self.y = net, way, x, y
        self.start = nn.utils.parameters_to_vector(net.parameters()).detach()

    def logits(self, tau):
        nn.utils.vector_to_parameters(self.start + tau * self.way, self.net.parameters())
        z = self.net(self.x).detach()
        nn.utils.vector_to_parameters(self.start, self.net.parameters())
        return z

    def measure(self, tau):
        """Loss, and accuracy in %."""
        z = self.logits(tau)
        return (nn.functional.cross_entropy(z, self.y).item(),
                100 * (z.argmax(1) == self.y).double().mean().item())

    def scales(self):
        z = self.logits(0)
        slope = (self.logits(H) - self.logits(-H)) / (2 * H)
        spread = slope.max(1).values - slope.min(1).values
        up, at, down = (self.measure(t)[0] for t in (H, 0, -H))
        bend = (up - 2 * at + down) / H ** 2
        best = z.argmax(1, keepdim=True)
        closing = slope - slope.gather(1, best)
        flip = torch.where(closing > 0, (z.gather(1, best) - z) / closing, math.inf).min(1).values
        return {"no scale": 1.0, "rho_a": math.pi / spread.max().item(),
                "curvature": 2 / bend if bend > 0 else None, "flip_5": flip.quantile(0.05).item(),
                "median_rho_a": math.pi / spread.median().item()}

    def onsets(self, rho):
        """Where each damage begins, to the third of a percent; looked for in steps of 4 %."""
        loss, acc = self.measure(0)
        reached = {"loss*1.1": lambda m: not m[0] < 1.1 * loss, "loss*2": lambda m: not m[0] < 2 * loss,
                   "acc-5": lambda m: m[1] <= acc - 5, "acc-20": lambda m: m[1] <= acc - 20}
        found, tau = {}, 1e-2 * rho
        while len(found) < len(reached) and tau < 1e3 * rho:
            tau *= 1.04
            now = self.measure(tau)
            for name in [n for n in reached if n not in found and reached[n](now)]:
                low, high = tau / 1.04, tau
                while high > low * 1.003:
                    middle = math.sqrt(low * high)
                    low, high = (low, middle) if reached[name](self.measure(middle)) else (middle, high)
                found[name] = high
        return found


def train(net, x, y):
    """Yields the step at each of STEPS."""
    optimizer, step = torch.optim.Adam(net.parameters(), 3e-3), 0
    while True:
        for rows in torch.randperm(len(y)).split(64):
            optimizer.zero_grad()
            nn.functional.cross_entropy(net(x[rows]), y[rows]).backward()
            optimizer.step()
            step += 1
            if step in STEPS:
                yield step
            if step == STEPS[-1]:
                return


def ways(net, x, y):
    net.zero_grad()
    nn.functional.cross_entropy(net(x), y).backward()
    first = -nn.utils.parameters_to_vector([p.grad for p in net.parameters()])
    for way in [first] + [torch.randn_like(first) for _ in range(4)]:
        yield way / way.norm()


def main():
    torch.set_default_dtype(torch.float64)
    with h5py.File(sys.argv[1]) as f:
        some = f["split"][:] == 0
        x = torch.tensor(f["x"][:][some].reshape(-1, 64) * 0.0625)
        y = torch.tensor(f["y"][:][some].astype(int))
    lines = []
    for make in NETS:
        for seed in 0, 1:
            torch.manual_seed(seed)
            net, rows = make(), torch.randperm(len(y))[:FOLLOWED]
            for _ in train(net, x, y):
                for way in ways(net, x[rows], y[rows]):
                    line = Line(net, way, x[rows], y[rows])
                    scales = line.scales()
                    lines.append((scales, line.onsets(scales["rho_a"])))
    print("damage    " + "".join(f"{s:>14}" for s in SCALES) + "   median r  at r < 1")
    for o in ONSETS:
        def logs(scale):
            return [math.log10(on[o] / s[scale]) for s, on in lines if o in on and s[scale]]
        r = [10 ** v for v in logs("rho_a")]
        print(f"{o:10}" + "".join(f"{statistics.stdev(logs(s)):14.3f}" for s in SCALES) +
              f"   {statistics.median(r):8.2f}  {sum(v < 1 for v in r)} of {len(lines)}")


main()
