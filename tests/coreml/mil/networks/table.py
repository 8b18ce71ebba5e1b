"""One line of the table of networks: how to make one, what it eats, how it is converted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Network:
    """A whole network of torch, and how plain coremltools converts it.

    Attributes:
        name: its line in the table.
        make: the module, with the weights of the seed that stands.
        inputs: example inputs, of the seed that stands.
        export: by `torch.export`; else traced.
        target: the minimum deployment target.
        half: float16; the default of coremltools. Else float32.
        convert: more options of `coremltools.convert`.
    """

    name: str
    make: Callable[[], nn.Module]
    inputs: Callable[[], Sequence[Tensor]]
    export: bool = False
    target: str = "iOS16"
    half: bool = False
    convert: Callable[[], dict[str, Any]] = field(default=dict)


def noise(*shapes: tuple[int, ...]) -> Callable[[], list[Tensor]]:
    """Inputs of normal noise."""
    return lambda: [torch.randn(shape) for shape in shapes]


def tokens(count: int, *shapes: tuple[int, ...]) -> Callable[[], list[Tensor]]:
    """Inputs of whole numbers below `count`, int32 as Core ML has them."""
    return lambda: [torch.randint(0, count, shape, dtype=torch.int32) for shape in shapes]


class Call(nn.Module):
    """Modules put together by a function: ``Call(function, a=..., b=...)`` calls it with itself."""

    def __init__(self, function: Callable[..., Any], **modules: nn.Module) -> None:
        super().__init__()
        self.function = function
        for name, module in modules.items():
            setattr(self, name, module)

    def forward(self, *inputs: Tensor) -> Any:
        return self.function(self, *inputs)


class Residual(nn.Sequential):
    """``x + f(x)``."""

    def forward(self, x: Tensor) -> Any:
        return x + super().forward(x)  # type: ignore[no-untyped-call]


class Lambda(nn.Module):
    """A function as a module."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)
