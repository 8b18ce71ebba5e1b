"""A module carried to Core ML and run there, for tests of single operations."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from lading.conversion.capture import capture
from lading.conversion.repairs import repaired
from lading.coreml import mil
from lading.formats import format_named
from lading.interface import Interface, Options, Sizes
from lading.interface.settings import Precision, Settings
from lading.record import Port, Route, Task


def carried(
    module: nn.Module,
    inputs: tuple[torch.Tensor, ...],
    path: Path,
    *,
    precision: Precision = "fp32",
    route: Route = "export",
    ranges: tuple[tuple[int, int], ...] = (),
    deployment: str = "iOS16",
) -> mil.Model:
    """`module` as a Core ML package; its inputs are called a, b, ..., its output ``out``."""
    kinds = [str(value.dtype).removeprefix("torch.") for value in inputs]
    ports = tuple(
        Port(name, "tensor", kind, tuple(value.shape), ranges=ranges, value_range=(0.0, 1.0))
        for name, kind, value in zip("abc", kinds, inputs, strict=False)
    )
    with torch.no_grad():
        shape = tuple(module(*inputs).shape)
    out = Port("out", "tensor", "float32", shape, ranges=ranges)
    options = Options(sizes=Sizes(ranges=ranges[2:]))
    interface = Interface(module, ports, (out,), options, Task("module", ports, (out,)))
    kind = format_named("coreml")
    axes = kind.axes(options)
    with repaired(interface, route, fixed=not axes) as (mended, _):
        graph = capture(mended, route, axes)
    kind.convert(graph, Settings(precision=precision, deployment=deployment), path)
    return mil.load(path)


def answer(model: mil.Model, *inputs: torch.Tensor) -> Any:
    """The output for inputs a, b, ..."""
    fed = {name: value.numpy() for name, value in zip("abc", inputs, strict=False)}
    return model.predict(fed)["out"]


def operations(model: mil.Model) -> Counter[str]:
    """How often each operation occurs, constants included."""
    blocks = [function.block for function in model.program.functions.values()]
    return Counter(op.type for block in blocks for op in block.walk())


def relative(got: Any, want: torch.Tensor) -> float:
    """The largest difference over the largest value."""
    wide = want.double().numpy()
    return float(np.abs(got.astype(np.float64) - wide).max() / np.abs(wide).max())
