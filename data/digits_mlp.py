# SPDX-License-Identifier: GPL-3.0-or-later
"""Train data/digits-mlp-1.h5 and -2.h5, two small networks on data/digits.h5: digits_mlp.py."""
import os

import h5py
import torch
from torch.nn import functional as F

here = os.path.dirname(os.path.abspath(__file__))
with h5py.File(os.path.join(here, "digits.h5")) as f:
    train = f["split"][:] == 0
    x = torch.tensor(f["x"][:][train].reshape(-1, 64) / 16, dtype=torch.float32)
    y = torch.tensor(f["y"][:][train].astype("int64"))

torch.set_num_threads(1)
for seed in (1, 2):
    torch.manual_seed(seed)
    net = torch.nn.ModuleDict({"fc1": torch.nn.Linear(64, 32), "fc2": torch.nn.Linear(32, 10)})
    optimiser = torch.optim.AdamW(net.parameters(), lr=3e-3, weight_decay=1e-2)
    for _ in range(40):
        for batch in torch.randperm(len(x)).split(50):
            loss = F.cross_entropy(net["fc2"](F.relu(net["fc1"](x[batch]))), y[batch])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    with h5py.File(os.path.join(here, f"digits-mlp-{seed}.h5"), "w") as f:
        f.attrs["model"] = "mlp(64,32,10)"
        f.attrs["origin"] = "data/digits_mlp.py"
        for name, value in net.state_dict().items():
            f.create_dataset(name, data=value.numpy(), track_times=False)
