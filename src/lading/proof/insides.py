"""Artifacts from the inside: each format's `Side`, its values asked of what computes it.

Every side also has its `graph`: all operations with what they read and give, whole numbers
included, so that what an output is computed from can be followed backwards.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from lading.coreml import is_network
from lading.errors import ProgramError, RequestError
from lading.proof.lifted import widened
from lading.proof.sides import Made, Side
from lading.proof.weights.constants import constants
from lading.runtimes import Array, Predicting, as_numpy, noted_labels

#: Layers of a NeuralNetwork file that give whole numbers or truth, or copy what is stored: there is
#: nothing to compare in them.
_NO_ARITHMETIC = {
    *("argMax", "argMin", "argSort", "getShape", "oneHot", "whereNonZero", "loadConstant"),
    *("loadConstantND", "fillLike", "fillStatic", "fillDynamic", "rangeStatic", "rangeDynamic"),
    *("equal", "notEqual", "lessThan", "lessEqual", "greaterThan", "greaterEqual"),
    *("logicalAnd", "logicalOr", "logicalXor", "logicalNot"),
}


class Inside(Side, Protocol):
    """An artifact as a side.

    Attributes:
        graph: every operation, in order.
        take: names of the values to look at; None for all. Set it before the first run.
    """

    graph: list[Made]
    take: frozenset[str] | None


class Onnx:
    """An ONNX file in ONNX Runtime, nothing in it fused, every value an output."""

    runtime = "onnxruntime"
    precision = "declared"

    def __init__(self, path: Path, model: Any = None) -> None:
        import onnx

        self.title = str(path)
        try:
            model = onnx.load(str(path)) if model is None else model
        except Exception as error:  # protobuf's own kinds
            raise _unreadable(path, error) from error
        self.outputs = tuple(value.name for value in model.graph.output)
        nodes = [node for node in model.graph.node if node.op_type != "Constant"]
        self.graph = [
            Made(name, node.op_type, _path(node), reads=tuple(node.input))
            for node in nodes
            for name in node.output
            if name
        ]
        self._dtypes = {
            value.name: onnx.helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type)
            for value in model.graph.input
        }
        self.take: frozenset[str] | None = None
        self._path, self._model, self._session = path, model, None

    def run(self, inputs: Mapping[str, Array]) -> tuple[list[Made], dict[str, Array]]:
        session = self._opened()
        names = [one.name for one in session.get_outputs()]
        fed = {name: value.astype(self._dtypes[name]) for name, value in inputs.items()}
        try:
            arrays = dict(zip(names, session.run(names, fed), strict=True))
        except Exception as error:  # onnxruntime's own kinds live in a private module
            raise _unreadable(self._path, error) from error
        values = {n: as_numpy(v) for n, v in arrays.items() if isinstance(v, np.ndarray)}
        return _compared(self.graph, values), values

    def _opened(self) -> Any:
        """The session in which every value that is wanted is an output; made once."""
        import onnx
        import onnxruntime

        if self._session is None:
            known = set(self.outputs)
            for one in self.graph:
                if one.name not in known and (self.take is None or one.name in self.take):
                    self._model.graph.output.append(onnx.ValueInfoProto(name=one.name))
            options = onnxruntime.SessionOptions()
            options.log_severity_level = 3
            options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
            try:
                self._session = onnxruntime.InferenceSession(
                    self._model.SerializeToString(), options, providers=["CPUExecutionProvider"]
                )
            except Exception as error:  # onnxruntime's own kinds live in a private module
                raise _unreadable(self._path, error) from error
        return self._session


class Mil:
    """An ML Program in `lading.mil`, in one of its readings.

    Args:
        path: of the package.
        precision: the reading, see `lading.coreml.mil.precision`.
        model: the program with something changed, in the place of the file's own.
    """

    runtime = "mil"

    def __init__(self, path: Path, precision: str = "declared", model: Any = None) -> None:
        from lading.coreml.mil import package
        from lading.coreml.mil.model import Model

        self.title, self.precision = str(path), precision
        self.take: frozenset[str] | None = None
        if model is None:
            source = package.read(path)
            model = Model(widened(source) if precision == "float32" else source)
        self.model: Model = model
        if self.model.parts:
            raise RequestError(
                str(path),
                found="a pipeline",
                expected="one program",
                remedy="look at its parts one by one: lading.coreml.load(path).parts",
            )
        self.outputs = tuple(port.name for port in self.model.outputs if port.kind != "string")
        self._images = {port.name for port in self.model.inputs if port.kind == "image"}
        function = next(iter(self.model.program.functions.values()))
        values = [
            (value, Made(value.name, op.type, reads=_reads(op)))
            for op in function.block.operations
            if op.type != "const" and not op.type.startswith("constexpr_")
            for value in op.outputs
        ]
        self.graph = [made for _, made in values]
        self._real = [
            made
            for value, made in values
            if value.type.kind == "tensor" and value.type.dtype in ("float16", "float32")
        ]

    def run(self, inputs: Mapping[str, Array]) -> tuple[list[Made], dict[str, Array]]:
        from lading.coreml.mil import Taps

        taps = Taps(take=_wanted(self._real, self.take))
        precision: Any = self.precision
        predict = partial(self.model.predict, precision=precision, taps=taps)
        results = Predicting(predict, self._images, noted_labels(self.model.metadata)).run(inputs)
        values = {name: as_numpy(value) for name, value in taps.values.items()}
        values.update(results)
        return _compared(self._real, values), values


class Network:
    """A NeuralNetwork `.mlmodel` in `lading.neuralnetwork`, in one of its two readings."""

    runtime = "neuralnetwork"

    def __init__(self, path: Path, precision: str = "float32", model: Any = None) -> None:
        from lading.coreml import neuralnetwork

        self.title, self.precision = str(path), precision
        self.take: frozenset[str] | None = None
        if precision == "float16":
            self.runtime = "neuralnetwork_fp16"
        self.model: neuralnetwork.Model = neuralnetwork.load(path) if model is None else model
        self.outputs = tuple(port.name for port in self.model.outputs if port.kind != "string")
        self._images = {port.name for port in self.model.inputs if port.kind == "image"}
        layers = self.model.network.layers
        held = _weights_of(path, {layer.name for layer in layers})
        # what a layer reads from one that only loads a constant is that constant
        loaded = {
            name: held.get(layer.name, ())
            for layer in layers
            if layer.kind.name in ("loadConstant", "loadConstantND")
            for name in layer.outputs
        }
        self.graph = []
        for layer in layers:
            stored = [
                *held.get(layer.name, ()),
                *(n for i in layer.inputs for n in loaded.get(i, ())),
            ]
            reads = (*layer.inputs, *stored)
            self.graph += [Made(name, layer.kind.name, reads=reads) for name in layer.outputs]
        self._real = [one for one in self.graph if one.op not in _NO_ARITHMETIC]

    def run(self, inputs: Mapping[str, Array]) -> tuple[list[Made], dict[str, Array]]:
        from lading.coreml.neuralnetwork import Taps

        taps = Taps(take=_wanted(self._real, self.take))
        precision: Any = self.precision
        predict = partial(self.model.predict, precision=precision, taps=taps)
        results = Predicting(predict, self._images, noted_labels(self.model.metadata)).run(inputs)
        values = {**taps.values, **results}
        return _compared(self._real, values), values


def artifact(path: Path, precision: str = "declared") -> Inside:
    """The side of an artifact.

    Args:
        path: of the artifact.
        precision: of a Core ML file's reading: ``"declared"``, ``"float32"``, and of a
            NeuralNetwork ``"float16"`` (there ``"declared"`` is ``"float32"``).

    Raises:
        ProgramError: it cannot be read.
        RequestError: its inner values cannot be asked for.
    """
    if path.suffix.lower() == ".onnx":
        return Onnx(path)
    if path.suffix.lower() == ".mlmodel" and is_network(path):
        return Network(path, "float32" if precision == "declared" else precision)
    if path.suffix.lower() in (".mlpackage", ".mlmodel"):
        return Mil(path, precision)
    raise RequestError(
        str(path),
        found=f"suffix {path.suffix!r}",
        expected="an artifact: .mlpackage, .mlmodel or .onnx",
        remedy="give an artifact",
    )


def of_runtime(path: Path, runtime: str) -> Inside | None:
    """The artifact as a runtime computes it; None where that one shows no inner values.

    Raises:
        ProgramError: it cannot be read.
        RequestError: its inner values cannot be asked for.
    """
    readings = {"neuralnetwork_fp16": "float16", "neuralnetwork": "float32"}
    if runtime not in ("mil", "onnxruntime", *readings):
        return None
    return artifact(path, readings.get(runtime, "declared"))


def of_graph(path: Path, runtime: str, model: Any) -> Inside:
    """A lifted reading from the inside: `model` as `lifted_files` changed it."""
    if runtime == "onnxruntime":
        return Onnx(path, model)
    if runtime == "neuralnetwork":
        return Network(path, model=model)
    return Mil(path, "float32", model)


def wide(side: Side) -> Side | None:
    """The same artifact computed in fp32 where the format has such a reading of half precision."""
    if isinstance(side, Mil) and side.precision != "float32":
        return Mil(Path(side.title), "float32")
    if isinstance(side, Network) and side.precision == "float16":
        return Network(Path(side.title))
    return None


def _compared(made: list[Made], values: Mapping[str, Array]) -> list[Made]:
    """What there is to compare: floating-point values of more than one element."""
    real = {n for n, v in values.items() if v.dtype.kind == "f" and v.size > 1}
    return [one for one in made if one.name in real]


def _wanted(made: Sequence[Made], take: frozenset[str] | None) -> set[str]:
    return {one.name for one in made if take is None or one.name in take}


def _path(node: Any) -> str:
    return next((p.value for p in node.metadata_props if p.key == "lading.module"), "")


def _reads(op: Any) -> tuple[str, ...]:
    return tuple(one for many in op.inputs.values() for one in many if isinstance(one, str))


def _weights_of(path: Path, layers: set[str]) -> dict[str, list[str]]:
    """The weights of each layer, by the names that `constants` gives: the layer, then a field."""
    found: dict[str, list[str]] = {}
    for one in constants(path):
        layer = one.name
        while layer and layer not in layers:
            layer = layer.rpartition(".")[0]
        found.setdefault(layer, []).append(one.name)
    return found


def _unreadable(path: Path, error: Exception) -> ProgramError:
    return ProgramError(
        str(path),
        found=str(error).splitlines()[0][:200],
        expected="an ONNX model that runs",
        remedy="check the file with onnx.checker, or convert again",
    )
