"""Layers of a NeuralNetwork file, changed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

#: Changes a convolution's parameters in place.
Change = Callable[[Any], None]


def edited(path: Path, folder: Path, layer: str, change: Change) -> Path:
    """A copy of a NeuralNetwork file; the convolution that gives the value `layer` is changed."""
    from coremltools.proto import Model_pb2

    spec = Model_pb2.Model()
    spec.ParseFromString(path.read_bytes())
    change(next(one for one in spec.neuralNetwork.layers if layer in one.output).convolution)
    (folder / path.name).write_bytes(spec.SerializeToString())
    return folder / path.name


def heavier(one: Any) -> None:
    """All weights of the layer, 1 % more."""
    if one.weights.float16Value:
        values = np.frombuffer(one.weights.float16Value, np.float16)
        one.weights.float16Value = (values * np.float16(1.01)).tobytes()
    else:
        values = np.asarray(one.weights.floatValue, np.float32) * np.float32(1.01)
        del one.weights.floatValue[:]
        one.weights.floatValue.extend(values)
