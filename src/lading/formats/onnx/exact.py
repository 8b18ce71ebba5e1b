"""An ONNX file in float64: onnx's own reference evaluator on the graph with double for float.

What a runtime's sums and its approximations of functions leave is gone there: what differs then is
the file.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lading.errors import ProgramError
from lading.formats.onnx import memory
from lading.formats.onnx.graph import graphs, tensors
from lading.interface.side import Array, Made
from lading.record import State

_FLOAT, _DOUBLE = 1, 11


class ExactSide:
    """A graph in float64; see `lading.interface.side.Side`. It shows no inner values.

    Args:
        model: the graph, its weights loaded.
        path: of the file.
        states: what it remembers.

    Raises:
        ProgramError: the evaluator cannot say it.
    """

    runtime, reading = "onnx.reference", "float64"
    in_torch = False
    graph: tuple[Made, ...] = ()

    def __init__(self, model: Any, path: Path, states: Sequence[State] = ()) -> None:
        import onnx
        from onnx.reference import ReferenceEvaluator

        self.title = str(path)
        double = onnx.ModelProto()
        double.CopyFrom(model)
        for graph in graphs(double.graph):
            _double(graph)
        for tensor in tensors(double.graph):
            if tensor.data_type == _FLOAT:
                wide = onnx.numpy_helper.to_array(tensor).astype(np.float64)
                tensor.CopyFrom(onnx.numpy_helper.from_array(wide, tensor.name))
        self._given = [value.name for value in model.graph.output]
        self.outputs, self._states = memory.answers(self._given, states), tuple(states)
        self._ranks = {
            value.name: len(value.type.tensor_type.shape.dim) for value in model.graph.input
        }
        try:
            self._evaluator = ReferenceEvaluator(double)
        except Exception as error:  # of every kind
            raise _unable(self.title, error) from error

    def run(self, inputs: Mapping[str, Array], look_at: Collection[str] = ()) -> dict[str, Array]:
        """See `lading.interface.side.Side.run`."""
        if not self._states:
            return self._run(inputs)
        return memory.carried(self._states, self._ranks, inputs, lambda fed, _: self._run(fed))

    def _run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        fed = {n: v.astype(np.float64) if v.dtype.kind == "f" else v for n, v in inputs.items()}
        try:
            with np.errstate(all="ignore"):
                values = self._evaluator.run(None, fed)
        except Exception as error:  # of every kind
            raise _unable(self.title, error) from error
        return dict(zip(self._given, map(np.asarray, values), strict=True))


def _double(graph: Any) -> None:
    for value in (*graph.input, *graph.output, *graph.value_info):
        if value.type.tensor_type.elem_type == _FLOAT:
            value.type.tensor_type.elem_type = _DOUBLE
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.name in ("to", "dtype") and attribute.i == _FLOAT:
                attribute.i = _DOUBLE


def _unable(title: str, error: Exception) -> ProgramError:
    return ProgramError(
        title,
        found=f"{type(error).__name__}: {error}".splitlines()[0][:200],
        expected="a graph that onnx's reference evaluator can run in float64",
        remedy="compare it in another runtime",
    )
