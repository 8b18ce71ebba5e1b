"""lading carries a trained PyTorch checkpoint to Core ML and ONNX, and signs for it.

Importing it is light: neither torch nor coremltools is imported until a name is used.

>>> import lading
>>> bill = lading.convert("checkpoint_best.pth", "out")  # doctest: +SKIP
>>> bill.verdict  # doctest: +SKIP
'pass'
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from lading.base.version import __version__

if TYPE_CHECKING:
    from lading.api import convert, inspect, verify
    from lading.errors import LadingError


_WHERE = {
    "convert": "lading.api",
    "inspect": "lading.api",
    "verify": "lading.api",
    "LadingError": "lading.errors",
}

__all__ = ["LadingError", "__version__", "convert", "inspect", "verify"]


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'lading' has no attribute {name!r}")
    return getattr(importlib.import_module(_WHERE[name]), name)
