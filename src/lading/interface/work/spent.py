"""Where the time of a network in torch goes: every operation timed, with the module it is in."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from lading.interface import Interface
from lading.interface.side import Array
from lading.record.bench import Spent


def spent(
    interface: Interface, inputs: Mapping[str, Array], calls: int
) -> tuple[float, list[Spent]]:
    """See `lading.interface.side.Watched`: an operation is one of ATen's within one module.

    Whole kernels (a fused transformer layer, an LSTM) stay whole, as in a call that nobody watches.
    """
    module, arguments = interface.module, interface.arguments(inputs)
    clock = _Clock()
    handles = []
    for path, one in module.named_modules():
        handles.append(one.register_forward_pre_hook(clock.entered(path)))
        handles.append(one.register_forward_hook(clock.left))
    try:
        with torch.no_grad(), clock:
            module(*arguments)
            clock.clear()
            begun = time.perf_counter()
            for _ in range(calls):
                module(*arguments)
            whole = (time.perf_counter() - begun) / calls
    finally:
        for handle in handles:
            handle.remove()
    return whole, [
        Spent(f"{path}/{op}" if path else op, op, path, seconds / calls, clock.calls[key] / calls)
        for key, seconds in clock.seconds.items()
        for path, op in (key,)
    ]


@dataclass
class _Clock(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Seconds and calls by module and operation."""

    seconds: dict[tuple[str, str], float] = field(default_factory=dict)
    calls: dict[tuple[str, str], int] = field(default_factory=dict)
    stack: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]

    def clear(self) -> None:
        """Begins anew."""
        self.seconds.clear()
        self.calls.clear()
        self.stack.clear()

    def entered(self, path: str) -> Any:
        def hook(module: Any, arguments: Any) -> None:
            self.stack.append(path)

        return hook

    def left(self, module: Any, arguments: Any, result: Any) -> None:
        self.stack.pop()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        begun = time.perf_counter()
        result = func(*args, **(kwargs or {}))
        took = time.perf_counter() - begun
        op = str(func).removeprefix("aten.").split(".")[0]
        key = self.stack[-1] if self.stack else "", op
        self.seconds[key] = self.seconds.get(key, 0.0) + took
        self.calls[key] = self.calls.get(key, 0) + 1
        return result
