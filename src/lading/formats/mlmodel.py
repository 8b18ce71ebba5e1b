"""Core ML as it was before ML Programs: an `.mlmodel` file of the NeuralNetwork format.

One file, read by iOS 13 and macOS 10.15 where its layers allow, and by everything later; apps that
keep a model as one file want it. The format has no types: what a value is rounded to is the compute
unit's choice, and `Settings.precision` says how the weights are stored. coremltools knows it for
systems before iOS 15 only, so `Settings.deployment` does not apply: the file needs the oldest
system that has all of its layers, which the record tells.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from lading.base.digests import of_path, size_of
from lading.conversion import apple
from lading.conversion.capture import Axes, Captured
from lading.coreml import neuralnetwork
from lading.interface import Options
from lading.interface.settings import Precision, Settings
from lading.record import ArtifactRecord

#: What first read a specification version.
_SYSTEMS = {4: "iOS13", 5: "iOS14", 6: "iOS15"}
#: Layers whose weights coremltools stores in fp16 when asked for; the others keep fp32.
_HALVES = {
    *("batchedMatmul", "batchnorm", "bias", "convolution", "embedding", "embeddingND"),
    *("innerProduct", "loadConstant", "loadConstantND", "scale"),
}
_LARGEST_HALF = float(np.finfo(np.float16).max)


class MLModel:
    """See `lading.formats.Target`."""

    name = "mlmodel"
    suffix = ".mlmodel"

    def precision(self, settings: Settings) -> Precision:
        return settings.precision

    def axes(self, options: Options) -> Axes:
        return apple.axes(options)

    def convert(self, captured: Captured, settings: Settings, path: Path) -> ArtifactRecord:
        import coremltools as ct  # here: its import takes seconds and half a gigabyte

        interface = captured.interface
        model = apple.converted(
            captured,
            "a Core ML neural network",
            expected="a graph whose every operation is a layer of this format",
            remedy="use an ML Program (--to coreml), or the other route (--route)",
            convert_to="neuralnetwork",
            outputs=[ct.TensorType(port.name) for port in interface.outputs],
        )
        spec = model.get_spec()
        apple.describe(spec, interface.inputs, interface.outputs, settings)
        _type(spec, {port.name: port for port in (*interface.inputs, *interface.outputs)})
        if settings.precision == "fp16":
            _halve(getattr(spec, spec.WhichOneof("Type")))
        path.write_bytes(spec.SerializeToString(deterministic=True))
        return ArtifactRecord(
            format=self.name,
            path=path.name,
            bytes=size_of(path),
            sha256=of_path(path),
            precision=settings.precision,
            inputs=interface.inputs,
            outputs=apple.outputs(interface),
            route=captured.route,
            details={
                "deployment": _system(spec.specificationVersion),
                "converter": f"coremltools {ct.__version__}",
            },
        )

    def describe(self, path: Path) -> ArtifactRecord:
        model = neuralnetwork.load(path)
        network = model.network
        counts = Counter(layer.kind.name for layer in network.layers)
        stored: Counter[str] = Counter()
        for layer in network.layers:
            for weights in layer.weights():
                stored[_width(weights.bits)] += weights.size
        details = {
            "type": network.type,
            "deployment": _system(network.specification),
            "operations": ", ".join(f"{name} {n}" for name, n in counts.most_common()),
            "weights": ", ".join(f"{n:,} in {kind}" for kind, n in stored.most_common()),
        }
        return ArtifactRecord(
            format=self.name,
            path=str(path),
            bytes=size_of(path),
            sha256=of_path(path),
            precision="fp32" if set(stored) <= {"fp32"} else "fp16",
            inputs=model.inputs,
            outputs=apple.read_outputs(model.outputs, len(network.labels)),
            route="export",
            details={**details, **model.metadata},
        )


TARGET = MLModel()


def _system(version: int) -> str:
    return _SYSTEMS.get(version, f"specification {version}")


def _width(bits: int) -> str:
    return f"fp{bits}" if bits >= 16 else f"{bits} bits"


def _type(spec: Any, ports: dict[str, Any]) -> None:
    """The declared dtypes and shapes, which the converter leaves at float and at nothing."""
    for feature in (*spec.description.input, *spec.description.output):
        if feature.type.WhichOneof("Type") != "multiArrayType":
            continue
        port, array = ports[feature.name], feature.type.multiArrayType
        array.dataType = array.INT32 if port.dtype == "int32" else array.FLOAT32
        if not array.shape and not port.ranges and not port.enumerated:
            array.shape.extend(port.shape)


def _halve(network: Any) -> None:
    """fp32 weights to fp16, rounded to the nearest, except where one would become infinite."""
    for layer in network.layers:
        kind = layer.WhichOneof("layer")
        if kind not in _HALVES:
            continue
        for weights in _weights(getattr(layer, kind)):
            values = np.asarray(weights.floatValue, np.float32)
            if values.size and np.abs(values).max() <= _LARGEST_HALF:
                weights.float16Value = values.astype("<f2").tobytes()
                del weights.floatValue[:]


def _weights(message: Any) -> Iterator[Any]:
    """The `WeightParams` of one layer."""
    for field, value in message.ListFields():
        if field.message_type is not None and field.message_type.name == "WeightParams":
            yield value
