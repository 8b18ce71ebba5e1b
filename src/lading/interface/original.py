"""The untouched network in PyTorch, eager, on the CPU: the reference of every comparison."""

from __future__ import annotations

import sys
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from lading.interface import Interface
from lading.interface.side import Array, Made
from lading.interface.work.spent import spent
from lading.record.bench import Spent

#: What it is called where runtimes are named.
TITLE = "PyTorch (the untouched original)"
#: Frames of these are not the original's own code.
_MACHINERY = ("/torch/", "/lading/interface/", "/lading/proof/", "<")


class TorchSide:
    """The module behind the names of its ports; see `lading.interface.side.Side`."""

    runtime = "torch"
    in_torch = True
    reading = "float32"

    def __init__(self, interface: Interface, title: str = "original") -> None:
        self.interface, self.title = interface, title
        self.outputs = tuple(port.name for port in interface.answers)
        #: what the last look at everything saw
        self.graph: list[Made] = []

    def run(self, inputs: Mapping[str, Array], look_at: Collection[str] = ()) -> dict[str, Array]:
        """See `lading.interface.side.Side.run`; a look at anything is a look at everything."""
        if look_at:
            return self._watched(inputs)
        arguments = self.interface.arguments(inputs)
        with torch.inference_mode():
            return self._named(self.interface.module(*arguments))

    def spent(self, inputs: Mapping[str, Array], calls: int) -> tuple[float, list[Spent]]:
        """See `lading.interface.side.Watched`; by operation of torch's and the module it is in."""
        return spent(self.interface, inputs, calls)

    def _named(self, values: Any) -> dict[str, Array]:
        values = values if isinstance(values, tuple) else (values,)
        return {n: v.numpy() for n, v in zip(self.outputs, values, strict=True)}

    def _watched(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        watch = _Watch()
        arguments = self.interface.arguments(inputs)
        handles = []
        for path, module in self.interface.module.named_modules(remove_duplicate=False):
            handles.append(module.register_forward_pre_hook(watch.entered(path)))
            handles.append(module.register_forward_hook(watch.left(path)))
        fast = torch.backends.mha.get_fastpath_enabled()
        torch.backends.mha.set_fastpath_enabled(False)  # one fused kernel shows nothing inside
        whole: Any = self.interface.module
        whole.before = watch.begin  # of several calls the last is seen
        try:
            with torch.no_grad(), watch:
                results = whole(*arguments)
        finally:
            del whole.before
            torch.backends.mha.set_fastpath_enabled(fast)
            for handle in handles:
                handle.remove()
        self.graph = watch.made
        return {**watch.values, **self._named(results)}


@dataclass
class _Watch(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Notes every floating-point result, where it was made, and what each module returned."""

    made: list[Made] = field(default_factory=list)
    values: dict[str, Array] = field(default_factory=dict)
    stack: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]

    def begin(self) -> None:
        """Forgets what it saw."""
        self.made, self.values = [], {}

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
