#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Networks too large to store samples of: PyTorch and thalweg eval agree.
# shellcheck source=tests/support/tap.sh
. "$(dirname "$0")/../support/tap.sh"

# shellcheck disable=SC2154  # tap.sh sets it
cd "$tmp" || exit 1
python=$(command -v /usr/bin/python3 || command -v python3)
if ! "$python" -c 'import torch, h5py, numpy' 2>/dev/null; then
    skip 'PyTorch computes the same' 'no python3 with torch and h5py'
    done_testing
    exit
fi
expect 'PyTorch writes networks' 0 - env PYTHONDONTWRITEBYTECODE=1 \
    "$python" "$root/tests/oracle/families.py" --large .
cat >split.py <<'PY'
import sys
import h5py
import numpy as np
f = h5py.File(sys.argv[1], "r")
np.savez("w.npz", **{k: v[()] for k, v in f["weights"].items()})
np.savez("d.npz", x=f["input"][()], y=f["target"][()].astype("i8"))
print(f["spec"][()].decode(), float(f["mean_loss"][()]))
PY
for file in *.h5; do
    "$python" split.py "$file" >said && read -r spec loss <said
    expect "$spec" 0 - thalweg eval -q -m "$spec" -w w.npz -d d.npz --expect-loss "$loss" --tol 1e-5
done
done_testing
