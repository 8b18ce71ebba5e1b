"""PyTorch, eager, on the CPU: runs the untouched original. It is the reference of every comparison.

It loads no artifact; a session is made from the module itself with `session`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch

from lading.errors import RequestError
from lading.interface import Interface
from lading.runtimes import Arithmetic, Array


class Eager:
    """The module behind the names of its ports. Inputs and outputs as `lading.runtimes.Session`."""

    def __init__(self, interface: Interface) -> None:
        self.interface = interface

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        arguments = self.interface.arguments(inputs)
        with torch.inference_mode():
            values = self.interface.module(*arguments)
        values = values if isinstance(values, tuple) else (values,)
        ports = self.interface.outputs
        return {p.name: v.numpy() for p, v in zip(ports, values, strict=True)}


class Torch:
    """See `lading.runtimes.Runtime`."""

    name = "torch"
    title = "PyTorch (the untouched original)"
    formats: tuple[str, ...] = ()
    precision: Arithmetic = None

    def unavailable(self) -> str | None:
        return None

    def load(self, path: Path) -> Eager:
        raise RequestError(
            f"--runtime torch for {path}",
            found="an artifact",
            expected="an artifact runs in onnxruntime, mil or coreml",
            remedy="leave --runtime out",
        )


RUNTIME = Torch()
