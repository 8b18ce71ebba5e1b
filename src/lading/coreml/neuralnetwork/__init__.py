"""Runs `.mlmodel` files of the NeuralNetwork format on any computer, with torch underneath.

Before ML Programs (iOS 15) a Core ML model was a list of layers without types: every value is an
array of floats, and the compute unit decides what they are rounded to. The call is the one of
`lading.coreml.mil` and of coremltools' `MLModel.predict`::

    model = lading.coreml.load("net.mlmodel")
    outputs = model.predict({"image": array})                        # as the CPU computes: float32
    outputs = model.predict({"image": array}, precision="float16")   # as GPU and Neural Engine do
    taps = neuralnetwork.Taps(take=["conv_out"])                     # keeps intermediate values
    outputs = model.predict({"image": array}, taps=taps)

Importing this package is light: torch and coremltools are imported when a model is loaded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lading.coreml.mil.taps import Taps
    from lading.coreml.neuralnetwork.model import Model, load

#: What is public, and the module that has it.
_HOMES = {"Model": "neuralnetwork.model", "Taps": "mil.taps", "load": "neuralnetwork.model"}
__all__ = ["Model", "Taps", "load"]


def __getattr__(name: str) -> Any:
    import importlib

    if name in _HOMES:
        return getattr(importlib.import_module(f"lading.coreml.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
