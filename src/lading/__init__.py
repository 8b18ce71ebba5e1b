"""lading converts PyTorch checkpoints to Core ML and ONNX, and proves the result.

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
    from lading.api import (  # fmt: skip
        bench,
        classify,
        compare,
        convert,
        device_check,
        device_report,
        diagnose,
        diff,
        doctor,
        inspect,
        report,
        run,
        sample,
        swift,
        verify,
        whose,
    )
    from lading.cli.demos import run as demo
    from lading.errors import LadingError


__all__ = [
    "LadingError", "__version__", "bench", "classify", "compare", "convert", "demo", "device_check",
    "device_report", "diagnose", "diff", "doctor", "inspect", "report", "run", "sample", "swift",
    "verify", "whose",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'lading' has no attribute {name!r}")
    if name == "demo":
        return importlib.import_module("lading.cli.demos").run
    return getattr(importlib.import_module("lading.api"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
