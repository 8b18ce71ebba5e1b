"""Two sides of a comparison from the inside: what computes named values, in order.

The original is watched through torch's own dispatch, so that every value has its operation, the
path of the module and the line of code that made it. An artifact is asked for its intermediate
values by the runtime that computes it.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from lading.errors import ProgramError, RequestError
from lading.interface import Interface
from lading.runtime import Array, as_numpy, as_picture

#: Frames of these are not the original's own code.
_MACHINERY = ("/torch/", "/lading/verification/", "<")


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

    def __init__(self, interface: Interface, title: str = "original") -> None:
        self.interface, self.title = interface, title
        self.outputs = tuple(port.name for port in interface.outputs)

    def run(self, inputs: Mapping[str, Array]) -> tuple[list[Made], dict[str, Array]]:
        watch = _Watch()
        arguments = [torch.tensor(inputs[port.name]) for port in self.interface.inputs]
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


# ------------------------------------------------------------------------------------------ ONNX
class Onnx:
    """An ONNX file in ONNX Runtime, nothing in it fused, every value an output."""

    runtime = "onnxruntime"

    def __init__(self, path: Path) -> None:
        import onnx
        import onnxruntime

        self.title = str(path)
        try:
            model = onnx.load(str(path))
        except Exception as error:  # protobuf's own kinds
            raise _unreadable(path, error) from error
        self.outputs = tuple(value.name for value in model.graph.output)
        known = set(self.outputs)
        self.nodes = [node for node in model.graph.node if node.op_type != "Constant"]
        for node in self.nodes:
            for name in node.output:
                if name and name not in known:
                    model.graph.output.append(onnx.ValueInfoProto(name=name))
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        try:
            self.session = onnxruntime.InferenceSession(
                model.SerializeToString(), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # onnxruntime's own kinds live in a private module
            raise _unreadable(path, error) from error
        self.takes = tuple(one.name for one in self.session.get_inputs())

    def run(self, inputs: Mapping[str, Array]) -> tuple[list[Made], dict[str, Array]]:
        names = [one.name for one in self.session.get_outputs()]
        values = dict(zip(names, self.session.run(names, dict(inputs)), strict=True))
        made = []
        for node in self.nodes:
            path = next((p.value for p in node.metadata_props if p.key == "lading.module"), "")
            for name in node.output:
                if name in values and _is_real(values[name]):
                    made.append(Made(name, node.op_type, path, reads=tuple(node.input)))
        return made, {name: as_numpy(v) for name, v in values.items() if v is not None}


# ---------------------------------------------------------------------------------------- Core ML
class Mil:
    """An ML Program in `lading.mil`, in one of its readings."""

    runtime = "mil"

    def __init__(self, path: Path, precision: str = "declared") -> None:
        from lading import mil

        self.title, self.precision = str(path), precision
        self.model = mil.load(path)
        if self.model.parts:
            raise RequestError(
                str(path),
                found="a pipeline",
                expected="one program",
                remedy="look at its parts one by one: lading.mil.load(path).parts",
            )
        self.outputs = tuple(port.name for port in self.model.outputs)
        self.takes = tuple(port.name for port in self.model.inputs)
        self.images = {port.name for port in self.model.inputs if port.kind == "image"}
        function = next(iter(self.model.program.functions.values()))
        self.made = [
            Made(value.name, op.type, reads=_reads(op))
            for op in function.block.operations
            if op.type != "const" and not op.type.startswith("constexpr_")
            for value in op.outputs
            if value.type.kind == "tensor" and value.type.dtype in ("float16", "float32")
        ]

    def run(self, inputs: Mapping[str, Array]) -> tuple[list[Made], dict[str, Array]]:
        from lading.mil import Taps

        fed = {n: as_picture(v) if n in self.images else v for n, v in inputs.items()}
        taps = Taps(take=[one.name for one in self.made])
        precision: Any = self.precision
        results = self.model.predict(fed, precision=precision, taps=taps)
        values = {name: as_numpy(value) for name, value in taps.values.items()}
        values.update({name: as_numpy(value) for name, value in results.items()})
        made = [one for one in self.made if one.name in values and values[one.name].size > 1]
        return made, values


def _reads(op: Any) -> tuple[str, ...]:
    return tuple(one for many in op.inputs.values() for one in many if isinstance(one, str))


def _is_real(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.dtype.kind == "f" and value.size > 1


def _unreadable(path: Path, error: Exception) -> ProgramError:
    return ProgramError(
        str(path),
        found=str(error).splitlines()[0][:200],
        expected="an ONNX model that runs",
        remedy="check the file with onnx.checker, or convert again",
    )


def artifact(path: Path, precision: str = "declared") -> Side:
    """The side of an artifact.

    Raises:
        ProgramError: it cannot be read.
        RequestError: its inner values cannot be asked for.
    """
    if path.suffix.lower() == ".onnx":
        return Onnx(path)
    if path.suffix.lower() in (".mlpackage", ".mlmodel"):
        return Mil(path, precision)
    raise RequestError(
        str(path),
        found=f"suffix {path.suffix!r}",
        expected="an artifact: .mlpackage, .mlmodel or .onnx",
        remedy="give an artifact",
    )
