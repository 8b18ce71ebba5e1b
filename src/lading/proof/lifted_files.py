"""The graph alone of fp16 files in the other two formats; see `lifted`, which does ML Programs.

A NeuralNetwork file in fp16 rounds its weights; they are put back. An ONNX file may also compute in
float16: there every type is turned to float32, and the constants are put back likewise.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from lading.errors import ProgramError
from lading.proof.lifted import Lifted, Sources
from lading.proof.weights.origins import Origins
from lading.record import Comparison
from lading.runtimes import Array, Predicting, as_numpy, noted_labels

#: ONNX's numbers of float32 and float16.
_FULL, _HALF = 1, 10


#: How a bill says that the rounded artifact alone was judged; the reason follows.
UNJUDGED = "the graph alone, without its rounding, could not be judged"


class Graph(Protocol):
    """A session of the lifted reading.

    Attributes:
        rounded: constants that stay as the file has them: their rounding is still in the result.
        model: what is run, as the format's library knows it.
    """

    rounded: int
    model: Any

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """See `lading.runtimes.Session`."""
        ...


def graph_of(path: Path, runtime: str, state: Origins) -> Graph | None:
    """The lifted reading of an fp16 artifact beside what a runtime makes of it; None where the
    runtime's own arithmetic is the matter, or nobody can look inside.

    Raises:
        ProgramError: it cannot be read.
    """
    kinds: dict[str, Callable[[Path, Origins], Graph]] = {
        "mil": Lifted,
        "neuralnetwork": LiftedNetwork,
        "onnxruntime": LiftedOnnx,
    }
    return kinds[runtime](path, state) if runtime in kinds else None


def unjudged(comparison: Comparison, why: str) -> Comparison:
    """The comparison, its ratios saying that what rounding hides was not looked for."""
    said = tuple(
        replace(m, reason=f"{m.reason}; {UNJUDGED}: {why}") if m.name.endswith(" psnr") else m
        for m in comparison.metrics
    )
    return replace(comparison, metrics=said)


def notices(comparisons: Sequence[Comparison]) -> list[str]:
    """What a bill says of comparisons in which the graph was not judged."""
    return sorted(
        {
            f"{one.artifact} in {one.runtime}: {UNJUDGED}{metric.reason.partition(UNJUDGED)[2]}"
            for one in comparisons
            for metric in one.metrics
            if UNJUDGED in metric.reason
        }
    )


class LiftedNetwork(Predicting):
    """A NeuralNetwork file with its weights as they were before they were rounded."""

    def __init__(self, path: Path, state: Origins) -> None:
        from lading.coreml import neuralnetwork

        sources, read = Sources(state), neuralnetwork.load(path)
        layers = tuple(
            replace(layer, parameters=_unrounded(layer.parameters, sources))
            for layer in read.network.layers
        )
        self.model = model = neuralnetwork.Model(replace(read.network, layers=layers))
        self.rounded = sources.unknown
        images = {port.name for port in model.inputs if port.kind == "image"}
        super().__init__(model.predict, images, noted_labels(model.metadata))


def _unrounded(value: Any, sources: Sources) -> Any:
    from lading.coreml.neuralnetwork.weights import Weights

    if isinstance(value, Mapping):
        return {name: _unrounded(one, sources) for name, one in value.items()}
    if not isinstance(value, Weights) or value.bits == 32:
        return value
    if value.bits != 16:  # packed: nothing puts it back
        sources.unknown += 1
        return value
    wide = sources.origin(np.frombuffer(value.raw, "<f2").astype(np.float16))
    return Weights(np.ascontiguousarray(wide).astype("<f4").tobytes(), place=value.place)


class LiftedOnnx:
    """An ONNX file with float32 for float16 throughout, and its constants as they were."""

    def __init__(self, path: Path, state: Origins) -> None:
        import onnx
        import onnxruntime

        sources = Sources(state)
        try:
            self.model = onnx.load(str(path))
            _widen(self.model.graph, sources)
            options = onnxruntime.SessionOptions()
            options.log_severity_level = 3
            self._session = onnxruntime.InferenceSession(
                self.model.SerializeToString(), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # protobuf's and onnxruntime's own kinds
            raise _not_wide(path, error) from error
        self.rounded, self._path = sources.unknown, path

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """See `lading.runtimes.Session`; half-precision inputs are widened."""
        fed = {n: v.astype(np.float32) if v.dtype == np.float16 else v for n, v in inputs.items()}
        names = [one.name for one in self._session.get_outputs()]
        try:
            values = self._session.run(names, fed)
        except Exception as error:  # onnxruntime's own kinds
            raise _not_wide(self._path, error) from error
        return {name: as_numpy(value) for name, value in zip(names, values, strict=True)}


def _not_wide(path: Path, error: Exception) -> ProgramError:
    return ProgramError(
        str(path),
        found=str(error).splitlines()[0][:200],
        expected="a graph that is also one in float32",
        remedy="check the file with onnx.checker, or convert again",
    )


def _widen(graph: Any, sources: Sources) -> None:
    """Turns float16 to float32 in a graph and in those inside it."""
    from onnx import numpy_helper

    for value in (*graph.input, *graph.output, *graph.value_info):
        if value.type.tensor_type.elem_type == _HALF:
            value.type.tensor_type.elem_type = _FULL
    for tensor in _tensors(graph):
        if tensor.data_type == _HALF:
            data = numpy_helper.to_array(tensor)
            wide = sources.origin(data) if data.size else data
            array = np.asarray(wide, np.float32).reshape(data.shape)
            tensor.CopyFrom(numpy_helper.from_array(np.ascontiguousarray(array), tensor.name))
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.name in ("to", "dtype") and attribute.i == _HALF:
                attribute.i = _FULL
            for inner in (*([attribute.g] if attribute.HasField("g") else ()), *attribute.graphs):
                _widen(inner, sources)


def _tensors(graph: Any) -> Iterator[Any]:
    yield from graph.initializer
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t
