"""Runs `.mlmodel` files of the NeuralNetwork format on any computer, with torch underneath.

Before ML Programs (iOS 15) a Core ML model was a list of layers without types: every value is an
array of floats, and the compute unit decides what they are rounded to. The call is the one of
`lading.mil` and of coremltools' `MLModel.predict`::

    model = lading.neuralnetwork.load("net.mlmodel")
    outputs = model.predict({"image": array})                        # as the CPU computes: float32
    outputs = model.predict({"image": array}, precision="float16")   # as GPU and Neural Engine do

Importing this package is light: torch and coremltools are imported when a model is loaded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lading.neuralnetwork.model import Model, load

__all__ = ["Model", "load"]


def __getattr__(name: str) -> Any:
    import importlib

    if name in __all__:
        return getattr(importlib.import_module("lading.neuralnetwork.model"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
