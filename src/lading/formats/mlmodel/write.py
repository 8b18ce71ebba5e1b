"""Writing an `.mlmodel`: coremltools' NeuralNetwork, ports typed, weights halved if asked."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from lading.base.digests import of_path, size_of
from lading.conversion import apple
from lading.conversion.capture import Captured
from lading.conversion.compatibility import forms
from lading.conversion.described import system_of
from lading.interface.settings import Settings
from lading.record import ArtifactRecord

#: Layers whose weights coremltools stores in fp16 when asked for; the others keep fp32.
_HALVES = {
    *("batchedMatmul", "batchnorm", "bias", "convolution", "embedding", "embeddingND"),
    *("innerProduct", "loadConstant", "loadConstantND", "scale"),
}
_LARGEST_HALF = float(np.finfo(np.float16).max)


def convert(captured: Captured, settings: Settings, path: Path) -> ArtifactRecord:
    """See `lading.formats.Format.convert`."""
    import coremltools as ct  # here: its import takes seconds and half a gigabyte

    interface = captured.interface
    with forms.in_force(forms.EVERYWHERE):
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
        format="mlmodel",
        path=path.name,
        bytes=size_of(path),
        sha256=of_path(path),
        precision=settings.precision,
        inputs=interface.inputs,
        outputs=apple.outputs(interface),
        route=captured.route,
        details={
            "deployment": system_of(spec.specificationVersion),
            "converter": f"coremltools {ct.__version__}",
        },
    )


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
