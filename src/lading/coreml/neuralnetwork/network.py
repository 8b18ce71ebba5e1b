"""Reading `.mlmodel` files that hold a neural network into plain records.

coremltools' protobuf classes are read field by field, by their own description: a parameter keeps
its name (in Python's spelling) and becomes a number, text, tuple or dictionary, and weights stay as
they are stored until a layer asks for them in a shape.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from lading.coreml.mil import description
from lading.coreml.mil.features import Interface
from lading.coreml.neuralnetwork.registry import Kind, find, functions, spelling
from lading.coreml.neuralnetwork.weights import Weights
from lading.errors import ProgramError

#: Of the file's types, those that are a list of layers.
TYPES = ("neuralNetwork", "neuralNetworkClassifier", "neuralNetworkRegressor")


@dataclass(frozen=True)
class Layer:
    """One layer.

    Attributes:
        name: of the layer, for people.
        kind: what it computes.
        inputs: names of values.
        outputs: likewise.
        parameters: by the names that the kind's function takes.
    """

    name: str
    kind: Kind
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    parameters: Mapping[str, Any]

    @property
    def place(self) -> str:
        """For errors: the name and the kind."""
        return f"layer {self.name} ({self.kind.name})"

    def weights(self) -> Iterator[tuple[str, Weights]]:
        """Every weight parameter, however deep it lies, under the layer's name and its own."""
        yield from _weights(self.parameters, self.name)

    def half(self) -> Layer:
        """The same layer with its weights rounded to float16."""
        return replace(self, parameters=_halved(self.parameters))


@dataclass(frozen=True)
class Scaling:
    """What a picture goes through first: ``scale · value + offset`` per channel, less a mean."""

    scale: float
    offset: tuple[float, ...]
    mean: tuple[float, ...] = ()


@dataclass(frozen=True)
class Network:
    """One file.

    Attributes:
        path: the file.
        specification: Core ML's specification version.
        type: one of `TYPES`.
        layers: in the order of computation.
        interface: what goes in and comes out.
        scalings: of the inputs that are pictures, by name.
        labels: of a classifier, in the order of its probabilities.
        probabilities: of a classifier, the value that holds them.
        metadata: see `description.metadata`.
        five: which inputs have five axes inside, see `five`: ``"arrays"``, ``"pictures"``.
    """

    path: Path
    specification: int
    type: str
    layers: tuple[Layer, ...]
    interface: Interface
    scalings: Mapping[str, Scaling]
    labels: tuple[str, ...] | tuple[int, ...]
    probabilities: str
    metadata: Mapping[str, str]
    five: frozenset[str] = frozenset()


def read(path: str | Path, spec: Any = None) -> Network:
    """The network in the `.mlmodel` file at `path`; `spec` is its message, if that is parsed.

    Raises:
        ProgramError: missing, damaged, no neural network, or with a layer that cannot be run here.
    """
    path = Path(path)
    if not path.is_file():
        raise ProgramError(
            str(path),
            found="a folder" if path.is_dir() else "no such file",
            expected="a .mlmodel file",
            remedy="a .mlpackage runs with lading.coreml.load(path)"
            if path.is_dir()
            else "check the path",
        )
    spec = spec or description.specification(path)
    kind = spec.WhichOneof("Type")
    if kind not in TYPES:
        raise ProgramError(
            str(path),
            found=f"a model of type {kind}",
            expected="a neural network",
            remedy="an ML Program runs with lading.coreml.load(path)"
            if kind == "mlProgram"
            else "run it with Core ML on a Mac",
        )
    network = getattr(spec, kind)
    interface = description.interface(spec.description)
    labels, probabilities = _classes(network, kind)
    return Network(
        path=path,
        specification=spec.specificationVersion,
        type=kind,
        layers=tuple(_layer(path, layer) for layer in network.layers),
        interface=interface,
        scalings=dict(_scaling(one, interface) for one in network.preprocessing),
        labels=labels,
        probabilities=probabilities,
        metadata=description.metadata(spec.description),
        five=_five(network, interface),
    )


def _five(network: Any, interface: Interface) -> frozenset[str]:
    """The kinds of inputs that are seen as [Seq, Batch, C, H, W]."""
    kinds = {"pictures" if feature.color else "arrays" for feature in interface.inputs}
    mapping = {"arrays": network.arrayInputShapeMapping, "pictures": network.imageInputShapeMapping}
    return frozenset(kind for kind in kinds if mapping[kind] == 0)


def _classes(network: Any, kind: str) -> tuple[tuple[Any, ...], str]:
    if kind != "neuralNetworkClassifier":
        return (), ""
    which = network.WhichOneof("ClassLabels")
    labels = tuple(getattr(network, which).vector) if which else ()
    last = network.layers[-1].output[0] if network.layers and network.layers[-1].output else ""
    return labels, network.labelProbabilityLayerName or last


def _scaling(one: Any, interface: Interface) -> tuple[str, Scaling]:
    name = one.featureName or interface.inputs[0].name
    if one.WhichOneof("preprocessor") == "meanImage":
        return name, Scaling(1.0, (0.0,), tuple(one.meanImage.meanImage))
    color = next((f.color for f in interface.inputs if f.name == name), None) or ""
    scaler = one.scaler
    offsets: tuple[float, ...] = (scaler.redBias, scaler.greenBias, scaler.blueBias)
    if color.startswith("GRAY"):
        offsets = (scaler.grayBias,)
    elif color == "BGR":
        offsets = offsets[::-1]
    return name, Scaling(scaler.channelScale, offsets)


# ---------------------------------------------------------------------------------------- layers
def _layer(path: Path, layer: Any) -> Layer:
    name = layer.WhichOneof("layer") or "nothing"
    place = f"{path}: layer {layer.name}"
    kind = find(name)
    if kind is None:
        raise ProgramError(
            place,
            found=f"a layer of the kind {name}, which is not run here",
            expected=f"one of the {len(functions())} kinds that are",
            remedy="convert without it, or run the model with Core ML on a Mac",
        )
    message = getattr(layer, name)
    parameters = _plain(message, f"{place} ({name})")
    if kind.parameters is not None:
        for parameter in sorted(set(parameters) - kind.parameters):
            if parameters[parameter]:
                raise ProgramError(
                    place,
                    found=f"a layer of the kind {name} with {parameter} set, which is not run here",
                    expected=f"one without {parameter}",
                    remedy="convert without it, or run the model with Core ML on a Mac",
                )
            del parameters[parameter]
    return Layer(layer.name, kind, tuple(layer.input), tuple(layer.output), parameters)


def _plain(message: Any, place: str) -> dict[str, Any]:
    """A message's fields by name; what is not set has the zero of its type, or is left out where
    the file tells absence from zero.
    """
    values: dict[str, Any] = {}
    for field in message.DESCRIPTOR.fields:
        name, value = spelling(field.name), getattr(message, field.name)
        message_type = field.message_type
        if description.is_repeated(field):
            items = (_plain(one, place) for one in value) if message_type else value
            values[name] = tuple(items)
        elif message_type is not None:
            if message.HasField(field.name):
                weights = message_type.name == "WeightParams"
                at = f"{place} {field.name}"
                values[name] = _stored(value, at) if weights else _plain(value, at)
        elif field.containing_oneof is None or message.HasField(field.name):
            numbers = field.enum_type and field.enum_type.values_by_number
            if numbers and value not in numbers:
                raise ProgramError(
                    place,
                    found=f"{field.name} {value}",
                    expected=f"one of {', '.join(one.name for one in numbers.values())}",
                    remedy="convert without it, or run the model with Core ML on a Mac",
                )
            values[name] = numbers[value].name if numbers else value
    return {name: value for name, value in values.items() if value is not None}


def _stored(message: Any, place: str) -> Weights | None:
    """The weights of a `WeightParams`; None where it holds none.

    Raises:
        ProgramError: it holds numbers that nothing says the meaning of.
    """
    if message.floatValue:
        return Weights(np.asarray(message.floatValue, "<f4").tobytes(), place=place)
    if message.float16Value:
        return Weights(message.float16Value, 16, place=place)
    if not message.rawValue and not message.int8RawValue:
        return None
    quantization = message.quantization
    bits = quantization.numberOfBits
    linear, table = quantization.linearQuantization, quantization.lookupTableQuantization.floatValue
    if message.int8RawValue or not 1 <= bits <= 8 or not (linear.scale or table):
        raise ProgramError(
            place,
            found="numbers for int8 arithmetic" if message.int8RawValue else f"{bits}-bit numbers",
            expected="float32, float16, or 1 to 8 bits with a scale or a table",
            remedy="convert without it, or run the model with Core ML on a Mac",
        )
    return Weights(
        message.rawValue, bits, tuple(linear.scale), tuple(linear.bias), tuple(table), place=place
    )


def _weights(value: Any, place: str) -> Iterator[tuple[str, Weights]]:
    if isinstance(value, Weights):
        yield place, value
    elif isinstance(value, Mapping):
        for name, item in value.items():
            yield from _weights(item, f"{place}.{name}")
    elif isinstance(value, tuple):
        for number, item in enumerate(value):
            yield from _weights(item, f"{place}[{number}]")


def _halved(value: Any) -> Any:
    if isinstance(value, Weights):
        return replace(value, half=True, _made={})
    if isinstance(value, Mapping):
        return {name: _halved(item) for name, item in value.items()}
    if isinstance(value, tuple):
        return tuple(map(_halved, value))
    return value
