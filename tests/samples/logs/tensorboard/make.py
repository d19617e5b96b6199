# SPDX-License-Identifier: GPL-3.0-or-later
"""Make the event files below this folder, byte by byte: make.py [FOLDER].

As PyTorch's writer (simple_value, in train/) and as TensorFlow 2 (tensors of one number, in
validation/) lay them out; the numbers are of no real run.
"""
import os
import struct
import sys

folder = sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(os.path.abspath(__file__))


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ 0x82F63B78 * (crc & 1)
    return crc ^ 0xFFFFFFFF


assert crc32c(b"123456789") == 0xE3069283  # RFC 3720's polynomial; the usual check value


def masked(data):
    crc = crc32c(data)
    return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)


def record(data):
    length = struct.pack("<Q", len(data))
    return length + masked(length) + data + masked(data)


def varint(n):
    out = b""
    while n > 127:
        out, n = out + bytes([n & 127 | 128]), n >> 7
    return out + bytes([n])


def field(number, wire, payload):
    head = varint(number << 3 | wire)
    return head + (varint(len(payload)) + payload if wire == 2 else payload)


def event(step=None, values=(), **extra):
    data = field(1, 1, struct.pack("<d", 1.7e9 + (step or 0)))
    if step is not None:
        data += field(2, 0, varint(step))
    if "version" in extra:
        data += field(3, 2, extra["version"])
    if values:
        data += field(5, 2, b"".join(field(1, 2, v) for v in values))
    return record(data)


def simple(tag, y):
    return field(1, 2, tag) + field(2, 5, struct.pack("<f", y))


def tensor(tag, dtype, content=None, float_val=None, plugin=b"scalars"):
    shape = field(2, 2, b"")
    body = field(1, 0, varint(dtype)) + shape
    if content is not None:
        body += field(4, 2, content)
    if float_val is not None:
        body += field(5, 2, struct.pack("<f", float_val))
    meta = field(9, 2, field(1, 2, field(1, 2, plugin)))
    return field(1, 2, tag) + meta + field(8, 2, body)


version = event(version=b"brain.Event:2")
train = version
for step in range(0, 50, 10):
    train += event(step, [simple(b"loss", 4.0 / (1 + step))])
    train += event(step, [simple(b"lr", 0.001 * (50 - step) / 50), simple(b"grad/norm", 1.5)])
valid = version + event(0, [tensor(b"keras", 7, b"text", plugin=b"text")])
for step in range(0, 50, 20):
    valid += event(step, [tensor(b"loss", 1, struct.pack("<f", 5.0 / (1 + step))),
                          tensor(b"accuracy", 2, struct.pack("<d", step / 64)),
                          tensor(b"f1", 1, float_val=0.25)])
for name, data in (("train/events.out.tfevents.1700000000.host.1.0", train),
                   ("validation/events.out.tfevents.1700000000.host.1.1.v2", valid)):
    os.makedirs(os.path.join(folder, os.path.dirname(name)), exist_ok=True)
    with open(os.path.join(folder, name), "wb") as f:
        f.write(data)
