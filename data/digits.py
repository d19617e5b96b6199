# SPDX-License-Identifier: GPL-3.0-or-later
"""Make data/digits.h5 from the digits that scikit-learn carries: digits.py [FILE]."""
import gzip
import hashlib
import os
import sys

import h5py
import numpy as np
import sklearn.datasets

SOURCE = os.path.join(os.path.dirname(sklearn.datasets.__file__), "data", "digits.csv.gz")
# Of the unpacked text: every version of scikit-learn has the same.
SHA256 = "6ebb3d2fee246a4e99363262ddf8a00a3c41bee6014c373ed9d9216ba7f651b8"

with gzip.open(SOURCE) as f:
    text = f.read()
if hashlib.sha256(text).hexdigest() != SHA256:
    sys.exit(f"{SOURCE}: not the file this was written for")
table = np.array([[float(s) for s in line.split(b",")] for line in text.split()], dtype=np.uint8)
assert table.shape == (1797, 65) and table[:, :64].max() == 16 and table[:, 64].max() == 9
split = (np.arange(1797) % 6 == 5).astype(np.uint8)

here = os.path.dirname(os.path.abspath(__file__))
with h5py.File(sys.argv[1] if len(sys.argv) > 1 else os.path.join(here, "digits.h5"), "w") as f:
    f.attrs["name"] = "digits"
    f.attrs["origin"] = ("E. Alpaydin, C. Kaynak: Optical Recognition of Handwritten Digits, UCI "
                         "Machine Learning Repository, 1998, doi:10.24432/C50P49; its test set")
    f.attrs["licence"] = "CC-BY-4.0"
    f.attrs["normalisation"] = "divide x by 16 (--scale 0.0625)"
    packed = {"compression": "gzip", "compression_opts": 9, "track_times": False}
    x = f.create_dataset("x", data=table[:, :64].reshape(-1, 1, 8, 8), **packed)
    x.attrs["meaning"] = "images, 0 white to 16 black: sample, channel, row, column"
    y = f.create_dataset("y", data=table[:, 64], **packed)
    y.attrs["meaning"] = "the digit"
    s = f.create_dataset("split", data=split, **packed)
    s.attrs["meaning"] = "0 train, 1 test"
