"""A NeuralNetwork file as a side: `lading.coreml.neuralnetwork` in one of its readings."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from lading.coreml import mil, neuralnetwork
from lading.coreml.arrays import Arrays, noted_labels
from lading.coreml.neuralnetwork.model import Precision
from lading.coreml.neuralnetwork.network import Layer
from lading.interface.side import Array, Made
from lading.interface.work import Work, program
from lading.record.bench import Spent

#: Layers that give whole numbers or truth, or copy what is stored: there is nothing to compare.
_NO_ARITHMETIC = {
    *("argMax", "argMin", "argSort", "getShape", "oneHot", "whereNonZero", "loadConstant"),
    *("loadConstantND", "fillLike", "fillStatic", "fillDynamic", "rangeStatic", "rangeDynamic"),
    *("equal", "notEqual", "lessThan", "lessEqual", "greaterThan", "greaterEqual"),
    *("logicalAnd", "logicalOr", "logicalXor", "logicalNot"),
}


class NetworkSide:
    """A NeuralNetwork file in one of its two readings.

    Args:
        model: the network.
        title: for people.
        reading: ``"float32"`` or ``"float16"``.
    """

    in_torch = True

    def __init__(
        self, model: neuralnetwork.Model, title: str, reading: Precision = "float32"
    ) -> None:
        self.model, self.title = model, title
        self.reading: str = reading
        self.runtime = "neuralnetwork_fp16" if reading == "float16" else "neuralnetwork"
        self.outputs = tuple(port.name for port in model.outputs if port.kind != "string")
        images = {port.name for port in model.inputs if port.kind == "image"}
        self._call = Arrays(model.predict, images, noted_labels(model.metadata))
        self.graph = _graph(model)

    def run(self, inputs: Mapping[str, Array], look_at: Collection[str] = ()) -> dict[str, Array]:
        """See `lading.interface.side.Side.run`."""
        wanted = {
            made.name for made in self.graph if look_at and made.real and made.name in look_at
        }
        taps = neuralnetwork.Taps(take=wanted) if wanted else None
        outputs = self._call(inputs, precision=self.reading, taps=taps)
        return {**taps.values, **outputs} if taps else outputs

    def spent(self, inputs: Mapping[str, Array], calls: int) -> tuple[float, list[Spent]]:
        """See `lading.interface.side.Watched`; by operation that a layer is lowered to, with the
        layer's name for a module."""

        def call(taps: neuralnetwork.Taps) -> None:
            self._call(inputs, precision=self.reading, taps=taps)

        lowered = self.model.lowered("float16" if self.reading == "float16" else "float32")
        whole, found = program.spent(lowered, call, calls)
        layers = self._layers(lowered)
        return whole, [replace(one, module=_named(layers.get(one.name))) for one in found]

    def work(self, inputs: Mapping[str, Array] | None) -> list[Work]:
        """What each operation that its layers are lowered to computes; bytes as the file has
        them."""
        observed: dict[str, tuple[int, ...]] = {}
        taps = neuralnetwork.Taps(shapes=True)
        if inputs is not None:
            self._call(inputs, precision=self.reading, taps=taps)
            observed = {name: tuple(value.shape) for name, value in inputs.items()}
        lowered = self.model.lowered("float32")
        calls = taps.calls if inputs is not None else None
        found = program.work(lowered, {**observed, **taps.shapes_of}, calls)
        layers, told = self._layers(lowered), set[str]()
        made = []
        for one in found:  # of the operations of a layer, the first one holds its weights
            layer = layers.get(one.name)
            stored = list(layer.weights()) if layer and layer.name not in told else []
            told.add(_named(layer))
            names = tuple(name for name, _ in stored)
            size = sum(len(weights.raw) for _, weights in stored)
            made.append(replace(one, module=_named(layer), bytes=size, holds=names))
        return made

    def _layers(self, lowered: mil.Model) -> dict[str, Layer]:
        """The layer that each value of the program comes from."""
        known = {layer.place: layer for layer in self.model.network.layers}
        blocks = [function.block for function in lowered.program.functions.values()]
        return {
            value.name: known[op.origin]
            for block in blocks
            for op in block.walk()
            for value in op.outputs
            if op.origin in known
        }


def _named(layer: Layer | None) -> str:
    return layer.name if layer else ""


def _graph(model: neuralnetwork.Model) -> list[Made]:
    """What each layer gives, with what it reads: values, and its weights by their names."""
    layers = model.network.layers
    held = {layer.name: tuple(name for name, _ in layer.weights()) for layer in layers}
    # what a layer reads from one that only loads a constant is that constant
    loaded = {
        name: held[layer.name]
        for layer in layers
        if layer.kind.name in ("loadConstant", "loadConstantND")
        for name in layer.outputs
    }
    graph = []
    for layer in layers:
        constants = [*held[layer.name], *(n for i in layer.inputs for n in loaded.get(i, ()))]
        reads, kind = (*layer.inputs, *constants), layer.kind.name
        graph += [
            Made(name, kind, reads=reads, real=kind not in _NO_ARITHMETIC) for name in layer.outputs
        ]
    return graph
