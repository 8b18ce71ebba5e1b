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


def numbers(text: str) -> tuple[int, ...]:
    """The leading numbers of a version.

    >>> numbers("2.13.0+cpu")
    (2, 13, 0)
    """
    parts: list[int] = []
    for part in text.split("+")[0].split("."):
        if not part.isdigit():
            break
        parts.append(int(part))
    return tuple(parts)


def describe() -> dict[str, str]:
    """Operating system, processor, Python and packages, by name."""
    return {
        "system": f"{platform.system()} {platform.release()}",
        "machine": platform.machine(),
        "python": platform.python_version(),
        **{name: version(name) for name in PACKAGES},
    }
