"""An ONNX file as a side: ONNX Runtime on the CPU."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lading.base.memory import give_back
from lading.errors import InputError, LadingError, ProgramError, in_short, refused
from lading.formats.onnx import memory
from lading.formats.onnx.apart import Apart
from lading.formats.onnx.graph import MODULE_KEY
from lading.formats.onnx.work import work
from lading.formats.onnx.worker import Here, Session
from lading.interface.side import Array, Everything, Made
from lading.record import State
from lading.record.bench import Spent


def unavailable() -> str | None:
    """Why ONNX Runtime cannot run here, or None when it can."""
    if importlib.util.find_spec("onnxruntime") is None:
        return "the package onnxruntime is not installed"
    return None


class OnnxSide:
    """A graph in ONNX Runtime. What is looked at is no longer fused.

    Args:
        model: the graph, its weights loaded; or without them and with `whole`, which loads them.
        path: of the file, for errors, and to load it from where nothing was changed.
        engine: what runs it.
        changed: the graph is not the file's own.
        states: what it remembers: then `run` takes one call or several, from its beginning.

    Raises:
        ProgramError: it was changed to what is no graph.
    """

    runtime = "onnxruntime"
    in_torch = False

    def __init__(
        self, model: Any, path: Path, engine: Here | Apart, reading: str = "declared", *,
        changed: bool = False, states: Sequence[State] = (),
        whole: Callable[[], Any] | None = None,
    ) -> None:  # fmt: skip
        self.title, self.reading, self._engine = str(path), reading, engine
        self.model, self._path, self._changed = model, path, changed
        self._whole = whole or (lambda: model)
        self.outputs = memory.answers([value.name for value in model.graph.output], states)
        self._states = tuple(states)
        self.graph = [
            Made(name, node.op_type, _path(node), reads=tuple(node.input))
            for node in model.graph.node
            if node.op_type != "Constant"
            for name in node.output
            if name
        ]
        self._plain: Session | None = None
        self._open: tuple[frozenset[str], Session] | None = None
        if changed:  # whether it is a graph at all shows now, not at the first probe
            self._session()

    def run(self, inputs: Mapping[str, Array], look_at: Collection[str] = ()) -> dict[str, Array]:
        """See `lading.interface.side.Side.run`; half precision is widened for a graph in fp32."""
        if not self._states:
            return self._run(inputs, look_at)
        ranks = {one.name: len(one.shape) for one in self._session().inputs}
        return memory.carried(
            self._states, ranks, inputs, lambda fed, last: self._run(fed, look_at if last else ())
        )

    def _run(self, inputs: Mapping[str, Array], look_at: Collection[str]) -> dict[str, Array]:
        session = self._looking(look_at) if look_at else self._session()
        fed = self._fed(session, inputs)
        try:
            values = session.run(fed)
        except LadingError:
            raise
        except Exception as error:  # onnxruntime's own kinds live in a private module
            takes = ", ".join(f"{i.name} {i.type} {i.shape}" for i in session.inputs)
            given = ", ".join(f"{n} {v.dtype} {list(v.shape)}" for n, v in inputs.items())
            raise InputError(
                f"{self._path.name} in ONNX Runtime",
                found=f"{given or 'nothing'}: {in_short(error)[:200]}",
                expected=takes or "no input",
                remedy="feed what the model takes",
            ) from error
        made = dict(zip((one.name for one in session.outputs), values, strict=True))
        return {n: np.asarray(v, order="C") for n, v in made.items() if isinstance(v, np.ndarray)}

    def spent(self, inputs: Mapping[str, Array], calls: int) -> tuple[float, list[Spent]]:
        """See `lading.interface.side.Watched`; by ONNX Runtime's own profile, of the nodes that it
        makes of the file's."""
        with refused(ProgramError, str(self._path), "a model that ONNX Runtime profiles"):
            fed = self._fed(self._session(), inputs)
            whole, rows = self._engine.profiled(self._source(), fed, calls)
        modules = {key: one.module for one in work(self.model, {}) for key in (one.name, one.node)}
        return whole, [
            Spent(name, op, modules.get(name) or modules.get(_own(name), ""), seconds, times)
            for name, op, seconds, times in rows
        ]

    def _fed(self, session: Session, inputs: Mapping[str, Array]) -> dict[str, Array]:
        wanted = {value.name: _dtype(value.type) for value in session.inputs}
        return {
            name: value.astype(wanted[name])
            if wanted.get(name) and (self._changed or value.dtype.kind != "f")
            else value
            for name, value in inputs.items()
        }

    def _source(self) -> str | bytes:
        return self.model.SerializeToString() if self._changed else str(self._path)

    def _session(self) -> Session:
        if self._plain is None:
            self._plain = self._opened(self._source(), fused=True)
        return self._plain

    def _looking(self, look_at: Collection[str]) -> Session:
        """The session in which every value that is looked at is an output; the last one is kept."""
        import onnx

        every = isinstance(look_at, Everything)
        names = frozenset(m.name for m in self.graph if every or m.name in look_at)
        if self._open is None or self._open[0] != names:
            known = {value.name for value in self.model.graph.output}
            model = onnx.ModelProto()
            model.CopyFrom(self._whole())
            for name in (m.name for m in self.graph if m.name in names - known):
                model.graph.output.append(onnx.ValueInfoProto(name=name))
            self._open = names, self._opened(model.SerializeToString(), fused=False)
        return self._open[1]

    def _opened(self, source: str | bytes, *, fused: bool) -> Session:
        expected = "a graph that is also one in float32" if self._changed else "an ONNX model"
        remedy = "check the file with onnx.checker, or convert again"
        with refused(ProgramError, str(self._path), expected, remedy):
            session = self._engine.open(source, fused=fused)
        give_back()  # ONNX Runtime keeps one copy of the weights, and has made three
        return session


def _own(name: str) -> str:
    """The file's name of a node or value that ONNX Runtime made another one of.

    >>> _own("conv2d_1_nchwc"), _own("fused node_conv2d")
    ('conv2d_1', 'node_conv2d')
    """
    return name.removeprefix("fused ").removesuffix("_nchwc")


def _path(node: Any) -> str:
    return next((p.value for p in node.metadata_props if p.key == MODULE_KEY), "")


def _dtype(spelt: str) -> str:
    """numpy's name of what ONNX Runtime calls ``tensor(float16)``; empty of other types."""
    names = {"float": "float32", "double": "float64", "float16": "float16"}
    return names.get(spelt.removeprefix("tensor(").removesuffix(")"), "")
