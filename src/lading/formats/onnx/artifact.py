"""An ONNX file, opened."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from lading.base.digests import of_path, size_of
from lading.errors import ProgramError
from lading.formats import Artifact, Format, Held, Restore
from lading.formats.onnx.constants import constants
from lading.formats.onnx.exact import ExactSide
from lading.formats.onnx.graph import graphs, tensors
from lading.formats.onnx.side import OnnxSide
from lading.interface.settings import Precision, Settings
from lading.interface.side import Array, Side
from lading.record import ArtifactRecord, Port

#: ONNX's numbers of the floating-point types that a network is computed in.
_FLOATS = {1: "fp32", 10: "fp16", 16: "bf16", 11: "fp64"}
_FULL, _HALF = 1, 10
#: They copy, look up or change a type: nothing is rounded by them that another does not show.
_NO_ARITHMETIC = {"Constant", "Cast", "CastLike", "Identity", "Shape"}


class OnnxFile(Artifact):
    """See `lading.formats.Artifact`."""

    def __init__(self, path: Path, form: Format) -> None:
        super().__init__(path, form)
        self._proto = self._loaded(weights=False)

    @cached_property
    def model(self) -> Any:
        """The graph as onnx's protobuf has it, weights outside the file loaded."""
        outside = any(one.data_location for one in tensors(self._proto.graph))
        return self._loaded(weights=True) if outside else self._proto

    def _loaded(self, *, weights: bool) -> Any:
        import onnx

        try:
            model = onnx.load(str(self.path), load_external_data=weights)
            if not model.HasField("graph"):
                raise ValueError("a file that holds no graph")
            return model
        except Exception as error:  # protobuf's own kinds
            raise ProgramError(
                str(self.path),
                found=str(error).splitlines()[0][:200],
                expected="an ONNX model",
                remedy="check the file, or convert again",
            ) from error

    @cached_property
    def record(self) -> ArtifactRecord:
        graph = self._proto.graph
        counts = Counter(node.op_type for node in graph.node)
        precision, told = _precision(self._proto)
        initial = {one.name for one in graph.initializer}
        return ArtifactRecord(
            format=self.format.name,
            path=str(self.path),
            bytes=size_of(self.path),
            sha256=of_path(self.path),
            precision=precision,
            inputs=tuple(_port(v) for v in graph.input if v.name not in initial),
            outputs=tuple(_port(v) for v in graph.output),
            route="export",
            details={
                "opset": ", ".join(
                    f"{o.domain or 'ai.onnx'} {o.version}" for o in self._proto.opset_import
                ),
                "operations": ", ".join(f"{name} {n}" for name, n in counts.most_common()),
                **told,
                **{prop.key: prop.value for prop in self._proto.metadata_props},
            },
            title=self.format.title,
        )

    def constants(self) -> list[Held]:
        return list(constants(self.model.graph, self.path.parent))

    @property
    def settings(self) -> Settings:
        opset = next((o.version for o in self._proto.opset_import if not o.domain), 0)
        return Settings("fp32", opset=max(opset, Settings.opset))

    def side(self, reading: str = "declared") -> OnnxSide:
        if reading == "float32" and self.record.precision == "fp16":
            return self._wide(lambda rounded, name: rounded)
        return OnnxSide(self.model, self.path)

    def widened(self, restore: Restore) -> OnnxSide:
        """Where the file computes in float16 too, every type is turned to float32."""
        return self._wide(restore.constant)

    def _wide(self, constant: Callable[[Array, str], Array]) -> OnnxSide:
        import onnx

        model = onnx.ModelProto()
        model.CopyFrom(self.model)
        for graph in graphs(model.graph):
            _widen(graph)
        for tensor in tensors(model.graph):
            if tensor.data_type == _HALF:
                data = onnx.numpy_helper.to_array(tensor)
                wide = constant(data, tensor.name) if data.size else data
                array = np.ascontiguousarray(np.asarray(wide, np.float32).reshape(data.shape))
                tensor.CopyFrom(onnx.numpy_helper.from_array(array, tensor.name))
        return OnnxSide(model, self.path, "float32", changed=True)

    def exact(self) -> Side:
        return ExactSide(self.model, self.path)

    def shaken(self, size: float) -> OnnxSide:
        """One row of numbers is left: it may be a shape's."""
        from onnx import ModelProto, numpy_helper

        model, chance = ModelProto(), np.random.Generator(np.random.Philox(key=97))
        model.CopyFrom(self.model)
        for tensor in tensors(model.graph):
            if tensor.data_type in (_FULL, _HALF) and len(tensor.dims) > 1:
                data = numpy_helper.to_array(tensor)
                moved = (data * chance.uniform(1 - size, 1 + size, data.shape)).astype(data.dtype)
                tensor.CopyFrom(numpy_helper.from_array(moved, tensor.name))
        return OnnxSide(model, self.path, changed=True)

    def randomness(self) -> str:
        """A dropout in training mode does nothing in one runtime and drops in another: no
        comparison in one of them can pass it."""
        from onnx import numpy_helper

        graph = self._proto.graph
        small = {one.name: one for one in graph.initializer if len(one.dims) == 0}
        for node in graph.node:
            if node.op_type.startswith(("Random", "Multinomial", "Bernoulli")):
                return f"{node.op_type} {node.output[0]} draws random numbers"
            if node.op_type == "Dropout" and len(node.input) > 2 and node.input[2]:
                flag = small.get(node.input[2])
                if flag is None or bool(numpy_helper.to_array(flag)):
                    return f"Dropout {node.output[0]} is in training mode"
        return ""


def _widen(graph: Any) -> None:
    """float32 for float16 among the types of a graph's values and of its casts."""
    for value in (*graph.input, *graph.output, *graph.value_info):
        if value.type.tensor_type.elem_type == _HALF:
            value.type.tensor_type.elem_type = _FULL
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.name in ("to", "dtype") and attribute.i == _HALF:
                attribute.i = _FULL


def _precision(model: Any) -> tuple[Precision, dict[str, str]]:
    """What the file computes in and stores: fp16 where any value or weight is half precision, and
    how much of each, in words.

    The types of the values between are inferred (`onnx.shape_inference`); one that nobody can
    infer, of an operation that ONNX does not know, says nothing.
    """
    import onnx

    stored: Counter[str] = Counter()
    for tensor in tensors(model.graph):
        name = _FLOATS.get(tensor.data_type)
        if name:
            stored[name] += math.prod(tensor.dims)
    computed: Counter[str] = Counter()
    try:
        typed = onnx.shape_inference.infer_shapes(model).graph
    except Exception:  # of many kinds, for a graph that is not sound: the runtime says so better
        typed = model.graph
    types = {v.name: v.type.tensor_type.elem_type for v in (*typed.value_info, *typed.output)}
    for node in model.graph.node:
        if node.op_type not in _NO_ARITHMETIC:
            names = {_FLOATS.get(types.get(output, 0), "") for output in node.output}
            computed.update(names - {""})
    ends = {_FLOATS.get(v.type.tensor_type.elem_type, "") for v in (*typed.input, *typed.output)}
    told: dict[str, str] = {}
    if stored:
        told["weights"] = ", ".join(f"{n:,} in {name}" for name, n in stored.most_common())
    half = {"fp16", "bf16"} & {*stored, *computed, *ends}
    if half and computed:
        many = ", ".join(f"{n} operations in {name}" for name, n in computed.most_common())
        told["precision"] = f"mixed: {many}" if len(computed) > 1 else many
    return ("fp16" if half else "fp32"), told


def _port(value: Any) -> Port:
    """A graph input or output; open axes have the size -1."""
    import onnx

    tensor = value.type.tensor_type
    dtype = onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type).name
    sizes = (d.dim_value if d.HasField("dim_value") else -1 for d in tensor.shape.dim)
    return Port(value.name, "tensor", dtype, tuple(sizes))
