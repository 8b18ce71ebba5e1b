"""A Core ML runtime for any computer: load an ML Program and run it with torch underneath.

The call has the signature of coremltools' `MLModel.predict`, which runs only on a Mac::

    model = lading.coreml.load("net.mlpackage")
    outputs = model.predict({"image": array})

Importing this package is light: torch and coremltools are imported when a model is loaded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lading.coreml.mil.model import Model, State, load
    from lading.coreml.mil.taps import Statistics, Taps

__all__ = ["Model", "State", "Statistics", "Taps", "load"]


def __getattr__(name: str) -> Any:
    import importlib

    if name in __all__:
        home = (
            "lading.coreml.mil.taps"
            if name in ("Statistics", "Taps")
            else "lading.coreml.mil.model"
        )
        return getattr(importlib.import_module(home), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
