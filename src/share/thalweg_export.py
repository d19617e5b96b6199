# SPDX-License-Identifier: GPL-3.0-or-later
"""Write a PyTorch network as ONNX so that every parameter keeps its name and shape.

    import thalweg_export
    thalweg_export.export(model, x, "net.onnx")

x is an example input, or a tuple of them, with the batch as its first dimension. By default
torch's exporter folds batch normalization into the convolutions before it, transposes and renames
the weights of linear layers, and unties tied ones; filter norms and checkpoints then no longer
fit. The file holds the architecture: weights of any checkpoint of the same network go in by name.
"""
import inspect

import torch


def export(model, x, path, opset=17):
    inputs = x if isinstance(x, tuple) else (x,)
    names = ["x"] + [f"x{i}" for i in range(1, len(inputs))]
    keep = {"dynamo": False} if "dynamo" in inspect.signature(torch.onnx.export).parameters else {}
    was_training = model.training
    model.eval()
    torch.onnx.export(
        model, inputs, path, opset_version=opset, input_names=names, output_names=["out"],
        dynamic_axes={name: {0: "batch"} for name in names + ["out"]},
        training=torch.onnx.TrainingMode.PRESERVE,  # as it is: batch normalization stays a layer
        do_constant_folding=False, **keep)  # names and shapes stay those of the state_dict
    model.train(was_training)
