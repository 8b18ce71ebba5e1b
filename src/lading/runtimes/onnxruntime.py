"""ONNX Runtime on the CPU: runs `.onnx` files."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lading.errors import InputError, ProgramError
from lading.runtimes import Arithmetic, Array, as_numpy, require


class _Session:
    def __init__(self, session: Any, path: Path) -> None:
        self.session = session
        self.path = path
        self.outputs = [output.name for output in session.get_outputs()]

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        try:
            values = self.session.run(self.outputs, dict(inputs))
        except Exception as error:  # onnxruntime's own kinds live in a private module
            wanted = ", ".join(f"{i.name} {i.type} {i.shape}" for i in self.session.get_inputs())
            given = ", ".join(f"{n} {v.dtype} {list(v.shape)}" for n, v in inputs.items())
            raise InputError(
                f"{self.path.name} in ONNX Runtime",
                found=f"{given}: {str(error).splitlines()[0][:200]}",
                expected=wanted,
                remedy="feed what the model takes",
            ) from error
        return {name: as_numpy(v) for name, v in zip(self.outputs, values, strict=True)}


class OnnxRuntime:
    """See `lading.runtimes.Runtime`."""

    name = "onnxruntime"
    title = "ONNX Runtime (CPU)"
    formats: tuple[str, ...] = ("onnx",)
    precision: Arithmetic = None

    def unavailable(self) -> str | None:
        if importlib.util.find_spec("onnxruntime") is None:
            return "the package onnxruntime is not installed"
        return None

    def load(self, path: Path) -> _Session:
        require(self)
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3  # errors only: they come back as exceptions anyway
        try:
            session = onnxruntime.InferenceSession(
                str(path), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # as above
            raise ProgramError(
                str(path),
                found=str(error).splitlines()[0][:300],
                expected="an ONNX model",
                remedy="check the file with onnx.checker, or convert again",
            ) from error
        return _Session(session, path)


RUNTIME = OnnxRuntime()
