"""Which line of somebody's own code an error comes from."""

from __future__ import annotations

import linecache
import traceback
from collections.abc import Iterator
from pathlib import Path

#: Frames of these are not the network's own code.
MACHINERY = (
    "/torch/", "/coremltools/", "/onnx", "/numpy/", "/lading/conversion/", "/lading/interface/",
    "/lading/network/calling", "/lading/network/own_module", "/lading/network/code",
    "/lading/task/", "/lading/proof/", "/lading/job/", "/lading/cli/", "<",
)  # fmt: skip


def _own(path: str) -> bool:
    standard = "/lib/python" in path and "/site-packages/" not in path
    return not standard and not any(part in path for part in MACHINERY)


def line(frames: Iterator[tuple[str, int]]) -> tuple[str, str]:
    """File and line of the network's own code, and that line; empty where there is none.

    Args:
        frames: of the innermost call first.
    """
    for path, number in frames:
        if _own(path):
            code = linecache.getline(path, number).strip()
            return f"{'/'.join(Path(path).parts[-2:])}:{number}", code
    return "", ""


def raised(error: BaseException) -> Iterator[tuple[str, int]]:
    """The frames of an error and of what led to it, innermost first."""
    while error.__cause__ is not None:
        error = error.__cause__
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        yield frame.filename, frame.lineno or 0


def told(error: Exception) -> str:
    """What somebody's own code raised, in a line, and at which line of it."""
    text = " ".join(str(error).split())
    said = f"{type(error).__name__}: {text or 'no message'}"[:300]
    where, code = line(raised(error))
    return f"{said} ({where}: {code})" if where else said
