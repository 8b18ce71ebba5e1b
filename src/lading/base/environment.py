"""What this computer has: versions that matter to a result, for the bill and for `doctor`."""

from __future__ import annotations

import importlib.metadata
import platform

#: Packages whose version may change a result.
PACKAGES = ("torch", "coremltools", "numpy", "onnx", "onnxscript", "onnxruntime", "safetensors")


def version(package: str) -> str:
    """The installed version, or ``"not installed"``."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def describe() -> dict[str, str]:
    """Operating system, processor, Python and packages, by name."""
    return {
        "system": f"{platform.system()} {platform.release()}",
        "machine": platform.machine(),
        "python": platform.python_version(),
        **{name: version(name) for name in PACKAGES},
    }
