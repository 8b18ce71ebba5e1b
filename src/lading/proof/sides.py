"""Two sides of a comparison from the inside: what computes named values, in order.

The original is watched through torch's own dispatch, so that every value has its operation, the
path of the module and the line of code that made it. An artifact is asked for its intermediate
values by the runtime that computes it; see `insides`.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from lading.interface import Interface
from lading.runtimes import Array

#: Frames of these are not the original's own code.
_MACHINERY = ("/torch/", "/lading/proof/", "<")


@dataclass(frozen=True)
class Made:
    """One value that a side computes.

    Attributes:
        name: on that side; of the original, a module path, or module path and operation.
        op: the operation.
        module: path of the module that made it, where the side knows.
        source: file and line, where the side knows.
        reads: names of the values and constants that it is computed from.
        module_output: whether it is what a module returns.
    """

    name: str
    op: str
    module: str = ""
    source: str = ""
    reads: tuple[str, ...] = ()
    module_output: bool = False


class Side(Protocol):
    """Something whose values can be looked at."""

    title: str
    #: ``"torch"``, or the name of the runtime
    runtime: str
    #: of an artifact the reading: ``"declared"``, ``"float32"``, ``"float16"``
    precision: str
    #: names of the outputs, in order
    outputs: tuple[str, ...]

    def run(self, inputs: Mapping[str, Array]) -> tuple[list[Made], dict[str, Array]]:
        """Every floating-point value in order of computation, and the arrays by name; the outputs
        are among them."""
        ...


# ---------------------------------------------------------------------------------- the original
class Original:
    """The untouched network."""

    runtime = "torch"
    precision = "float32"

    def __init__(self, interface: Interface, title: str = "original") -> None:
        self.interface, self.title = interface, title
        self.outputs = tuple(port.name for port in interface.outputs)

    def run(self, inputs: Mapping[str, Array]) -> tuple[list[Made], dict[str, Array]]:
        watch = _Watch()
        arguments = self.interface.arguments(inputs)
        handles = []
        for path, module in self.interface.module.named_modules(remove_duplicate=False):
            handles.append(module.register_forward_pre_hook(watch.entered(path)))
            handles.append(module.register_forward_hook(watch.left(path)))
        fast = torch.backends.mha.get_fastpath_enabled()
        torch.backends.mha.set_fastpath_enabled(False)  # one fused kernel shows nothing inside
        try:
            with torch.no_grad(), watch:
                results = self.interface.module(*arguments)
        finally:
            torch.backends.mha.set_fastpath_enabled(fast)
            for handle in handles:
                handle.remove()
        results = results if isinstance(results, tuple) else (results,)
        for port, value in zip(self.interface.outputs, results, strict=True):
            watch.values[port.name] = value.numpy()
        return watch.made, watch.values


@dataclass
class _Watch(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Notes every floating-point result, where it was made, and what each module returned."""

    made: list[Made] = field(default_factory=list)
    values: dict[str, Array] = field(default_factory=dict)
    stack: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]

    def entered(self, path: str) -> Any:
        def hook(module: Any, arguments: Any) -> None:
            self.stack.append(path)

        return hook

    def left(self, path: str) -> Any:
        def hook(module: Any, arguments: Any, result: Any) -> None:
            self.stack.pop()
            if path and isinstance(result, torch.Tensor) and result.is_floating_point():
                self._note(path, type(module).__name__, path, result, module_output=True)

        return hook

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if isinstance(result, torch.Tensor) and result.is_floating_point() and result.numel() > 1:
            op = str(func).removeprefix("aten.").split(".")[0]
            module = self.stack[-1] if self.stack else ""
            self._note(f"{module}/{op}" if module else op, op, module, result)
        return result

    def _note(
        self, name: str, op: str, module: str, value: torch.Tensor, *, module_output: bool = False
    ) -> None:
        call, unique = 2, name
        while unique in self.values:
            unique, call = f"{name}#{call}", call + 1
        self.made.append(Made(unique, op, module, _source(), module_output=module_output))
        # a copy: what comes next may write into it
        with torch.utils._python_dispatch._disable_current_modes():
            self.values[unique] = value.detach().clone().numpy()


def _source() -> str:
    """The line of the original's own code that is being run."""
    frame: Any = sys._getframe(2)
    while frame is not None:
        path = frame.f_code.co_filename
        if not any(part in path for part in _MACHINERY):
            return f"{'/'.join(Path(path).parts[-2:])}:{frame.f_lineno}"
        frame = frame.f_back
    return ""
