"""An ONNX file, opened."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from lading.base.digests import of_path, size_of
from lading.errors import ProgramError, refused
from lading.formats import Artifact, Format, Held, Restore
from lading.formats.onnx import memory
from lading.formats.onnx.apart import Apart
from lading.formats.onnx.constants import constants, place, readers, stored
from lading.formats.onnx.described import described, port
from lading.formats.onnx.exact import ExactSide
from lading.formats.onnx.graph import graphs, light, nodes, tensors, unrolled
from lading.formats.onnx.side import OnnxSide
from lading.formats.onnx.work import shaped, work
from lading.formats.onnx.worker import Here
from lading.interface.settings import Settings
from lading.interface.side import Array, Side
from lading.interface.work import Work
from lading.record import ArtifactRecord, State
from lading.record.text import LFS_POINTER

_FULL, _HALF = 1, 10
#: Below this ONNX Runtime lacks operations, as its own warning says, and above it none.
_OLDEST = _RAISED = 7
#: Nodes of which sizes are inferred.
_MOST = 1_000_000
_REMEDY = "check the file with onnx.checker, or convert again"


class OnnxFile(Artifact):
    """See `lading.formats.Artifact`.

    Args:
        path: of the file.
        form: its format.
        own: this process wrote it, and ONNX Runtime may run it in here; a stranger's file runs in a
            process of its own, see `apart`.
    """

    _heavy = ("_proto", "_whole", "model")

    def __init__(self, path: Path, form: Format, *, own: bool = False) -> None:
        super().__init__(path, form)
        self._engine = Here() if own else Apart(path)
        _ = self._proto  # what cannot be read is refused when it is opened

    def begin(self) -> None:
        if isinstance(self._engine, Apart) and not self.remark:
            self._engine.begin(str(self.path))

    @cached_property
    def _proto(self) -> Any:
        """The file's message, weights outside the file left there."""
        return self._loaded(weights=False)

    @cached_property
    def _whole(self) -> Any:
        """The file's message, weights outside the file loaded."""
        outside = any(one.data_location for one in tensors(self._proto.graph))
        return self._loaded(weights=True) if outside else self._proto

    @cached_property
    def model(self) -> Any:
        """The graph as onnx's protobuf has it, weights outside the file loaded; of an opset that
        ONNX Runtime no longer takes, raised to one that it does.

        Raises:
            ProgramError: weights are missing, or it cannot be raised.
        """
        return self._raised(self._whole) if self.remark else self._whole

    def _loaded(self, *, weights: bool) -> Any:
        import onnx

        with refused(ProgramError, str(self.path), "an ONNX model", _REMEDY):
            with self.path.open("rb") as file:
                if file.read(len(LFS_POINTER)) == LFS_POINTER:
                    raise ProgramError(
                        str(self.path),
                        found="a Git LFS pointer, not the file it points to",
                        expected="an ONNX model",
                        remedy="fetch the file itself: git lfs pull",
                    )
            model = onnx.load(str(self.path), load_external_data=weights)
            if not model.HasField("graph"):
                raise ValueError("a file that holds no graph")
            return model

    def _raised(self, model: Any) -> Any:
        with refused(ProgramError, f"{self.path}: {self.remark}", "a graph that can be", _REMEDY):
            return _parsed(self._engine.raised(model.SerializeToString(), _RAISED))

    @cached_property
    def remark(self) -> str:
        """That it is raised to a newer opset before it runs, where it is."""
        opset = min((o.version for o in self._proto.opset_import if not o.domain), default=_OLDEST)
        if opset >= _OLDEST:
            return ""
        return f"opset {opset}, raised to {_RAISED} by onnx.version_converter"

    @cached_property
    def record(self) -> ArtifactRecord:
        with refused(ProgramError, str(self.path), "an ONNX model", _REMEDY):
            graph = self._proto.graph
            precision, told = described(self._proto, self.path.parent)
            initial = {one.name for one in graph.initializer}
            remembered = {f"{state.port.name}_out" for state in self.states}
            return ArtifactRecord(
                format=self.format.name,
                path=str(self.path),
                bytes=size_of(self.path),
                sha256=of_path(self.path),
                precision=precision,
                inputs=tuple(port(v) for v in graph.input if v.name not in initial),
                outputs=tuple(port(v) for v in graph.output if v.name not in remembered),
                route="export",
                details={
                    **told,
                    **({"runs as": self.remark} if self.remark else {}),
                    **{prop.key: prop.value for prop in self._proto.metadata_props},
                },
                title=self.format.title,
                states=self.states,
            )

    @cached_property
    def states(self) -> tuple[State, ...]:
        """What it remembers between calls, where lading noted it."""
        return memory.noted(self._proto, str(self.path))

    def obstacle(self) -> str:
        """Of what is missing, and of values that are no arrays; the graph itself is not tried."""
        graph, missing = self._proto.graph, self.record.details.get("missing", "")
        kinds = {one.name: one.type.WhichOneof("value") for one in (*graph.input, *graph.output)}
        odd = [f"{name} is a {kind.removesuffix('_type')}" for name, kind in kinds.items()
               if kind not in (None, "tensor_type")]  # fmt: skip
        return "; ".join(filter(None, (f"weights are missing, {missing}" if missing else "", *odd)))

    def constants(self) -> list[Held]:
        with refused(ProgramError, str(self.path), "a graph whose constants are there", _REMEDY):
            return list(constants(self._whole.graph, self.path.parent))

    @property
    def settings(self) -> Settings:
        opset = next((o.version for o in self._proto.opset_import if not o.domain), 0)
        return Settings("fp32", opset=max(opset, Settings.opset))

    def work(self, fed: Mapping[str, Array] | None = None) -> list[Work]:
        """By the sizes that the file states, else by ONNX's own inference of them."""
        with refused(ProgramError, str(self.path), "an ONNX model", _REMEDY):
            sizes = {name: tuple(value.shape) for name, value in (fed or {}).items()}
            found = work(self._proto, sizes)
            if all(one.macs is not None for one in found) or unrolled(self._proto) > _MOST:
                return found
            return work(_parsed(self._engine.inferred(shaped(self._proto, sizes))), sizes)

    def limit(self, threads: int) -> None:
        self._engine.threads = threads

    def side(self, reading: str = "declared") -> OnnxSide:
        if reading == "float32" and self.record.precision == "fp16":
            return self._wide(lambda rounded, *names: rounded)
        changed, states = bool(self.remark), self.states
        if changed or isinstance(self._engine, Apart):
            return OnnxSide(self.model, self.path, self._engine, changed=changed, states=states)
        # one's own file is there to be read again: its weights need not lie beside the runtime's
        side = OnnxSide(light(self.model), self.path, self._engine, whole=lambda: self.model,
                        states=states)  # fmt: skip
        self.rest()
        return side

    def widened(self, restore: Restore) -> OnnxSide:
        """Where the file computes in float16 too, every type is turned to float32."""
        return self._wide(restore.constant)

    def _wide(self, constant: Callable[..., Array]) -> OnnxSide:
        import onnx

        model = onnx.ModelProto()
        model.CopyFrom(self.model)
        for graph in graphs(model.graph):
            _widen(graph)
        _part(model.graph, constant)
        for tensor in tensors(model.graph):
            if tensor.data_type == _HALF:
                data = onnx.numpy_helper.to_array(tensor)
                wide = constant(data, tensor.name) if data.size else data
                array = np.ascontiguousarray(np.asarray(wide, np.float32).reshape(data.shape))
                tensor.CopyFrom(onnx.numpy_helper.from_array(array, tensor.name))
        return OnnxSide(model, self.path, self._engine, "float32", changed=True, states=self.states)

    def exact(self) -> Side:
        return ExactSide(self.model, self.path, self.states)

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
        return OnnxSide(model, self.path, self._engine, changed=True, states=self.states)

    def randomness(self) -> str:
        """A dropout in training mode does nothing in one runtime and drops in another: no
        comparison in one of them can pass it."""
        with refused(ProgramError, str(self.path), "an ONNX model", _REMEDY):
            return self._randomness()

    def _randomness(self) -> str:
        for node, known in nodes(self._proto):
            if node.op_type.startswith(("Random", "Multinomial", "Bernoulli")):
                return f"{node.op_type} {node.output[0]} draws random numbers"
            if "Dropout" in node.op_type and _drops(node, known):
                return f"{node.op_type} {node.output[0]} is in training mode"
        return ""


def _parsed(raw: bytes) -> Any:
    import onnx

    return onnx.load_model_from_string(raw)


def _drops(node: Any, known: Mapping[str, Any]) -> bool:
    """Whether a dropout may drop: its flag is on, or is no constant of the graph's."""
    from onnx import numpy_helper

    old = [one.i for one in node.attribute if one.name == "is_test"]
    if old:
        return not old[0]
    if len(node.input) < 3 or not node.input[2]:
        return False
    flag = known.get(node.input[2])
    return flag is None or bool(numpy_helper.to_array(flag).any())


def _part(graph: Any, constant: Callable[..., Array]) -> None:
    """Numbers that are one when they are rounded, and were several before, are several again: tools
    keep one of what is the same for all who read it."""
    from onnx import numpy_helper

    read = readers(graph)
    for name, tensor in stored(graph).items():
        if tensor.data_type != _HALF or len(read.get(name, ())) < 2:
            continue
        data = numpy_helper.to_array(tensor)
        whole = np.asarray(constant(data, name), np.float32)
        for node, index in read[name]:
            here = np.asarray(constant(data, where := place(node, index), name), np.float32)
            if not np.array_equal(whole, here):
                own = numpy_helper.from_array(here.reshape(data.shape), f"{name}, {where}")
                graph.initializer.append(own)
                node.input[index] = own.name


def _widen(graph: Any) -> None:
    """float32 for float16 among the types of a graph's values and of its casts."""
    for value in (*graph.input, *graph.output, *graph.value_info):
        if value.type.tensor_type.elem_type == _HALF:
            value.type.tensor_type.elem_type = _FULL
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.name in ("to", "dtype") and attribute.i == _HALF:
                attribute.i = _FULL
