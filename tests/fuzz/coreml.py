"""Small Core ML files of every kind: programs with their weights, networks, and what nobody runs
here. The same bytes every time."""

from __future__ import annotations

import json
import logging
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from tests.fuzz.kind import Case

_SPEC = "Data/com.apple.CoreML/model.mlmodel"
_MANIFEST = {
    "fileFormatVersion": "1.0.0",
    "itemInfoEntries": {
        "1": {"author": "com.apple.CoreML", "description": "Core ML Model Specification",
              "name": "model.mlmodel", "path": "com.apple.CoreML/model.mlmodel"},
        "2": {"author": "com.apple.CoreML", "description": "Core ML Model Weights",
              "name": "weights", "path": "com.apple.CoreML/weights"},
    },
    "rootModelIdentifier": "1",
}  # fmt: skip


def package(spec: Any, weights: bytes = b"") -> dict[str, bytes]:
    """A package's files."""
    files = {"Manifest.json": json.dumps(_MANIFEST).encode(), _SPEC: raw(spec)}
    if weights:
        files["Data/com.apple.CoreML/weights/weight.bin"] = weights
    return files


def raw(spec: Any) -> bytes:
    """A specification's bytes."""
    made: bytes = spec.SerializeToString(deterministic=True)
    return made


def model(kind: str, classes: bool = False) -> Any:
    """An empty model of a type, with an input and an output."""
    from coremltools.proto import Model_pb2

    spec = Model_pb2.Model(specificationVersion=8)
    getattr(spec, kind).SetInParent()
    for side, name in ((spec.description.input, "x"), (spec.description.output, "y")):
        port = side.add(name=name)
        port.type.multiArrayType.shape.append(3)
        port.type.multiArrayType.dataType = 65568
    if classes:
        getattr(spec, kind).stringClassLabels.vector.extend(["a", "b"])
        spec.description.predictedFeatureName = "label"
    spec.description.metadata.author = "somebody"
    spec.description.metadata.userDefined["lading.labels"] = '["a", "b"]'
    return spec


def programs() -> list[dict[str, bytes]]:
    """ML Programs: weights in a file, two widths of packed weights, a branch, a classifier."""
    import coremltools as ct
    from coremltools.converters.mil import Builder as mb  # noqa: N813
    from coremltools.converters.mil.mil import types

    logging.getLogger("coremltools").setLevel(logging.CRITICAL)
    numbers = np.random.default_rng(0).standard_normal((8, 3, 3, 3)).astype(np.float32)
    made = []
    for half in (False, True):

        @mb.program(input_specs=[mb.TensorSpec((1, 3, 8, 8))], opset_version=ct.target.iOS16)
        def conv(x: Any) -> Any:
            x = mb.conv(x=x, weight=numbers, pad_type="same")
            packed = mb.constexpr_affine_dequantize(
                quantized_data=(numbers[:, 0] * 40).astype(np.int8), zero_point=np.int8(1),
                scale=np.float32(0.5), axis=0,
            )  # fmt: skip
            table = mb.constexpr_lut_to_dense(
                indices=np.arange(9, dtype=np.uint8), lut=np.arange(4, dtype=np.float32),
                shape=np.array([4, 9], np.uint32),
            )  # fmt: skip
            x = mb.add(x=mb.relu(x=x), y=mb.reduce_sum(x=packed))
            x = mb.add(x=x, y=mb.reduce_mean(x=table))
            total = mb.greater(x=mb.reduce_sum(x=x, axes=[0, 1, 2, 3]), y=0.0)
            return mb.cond(pred=total, _true_fn=lambda: mb.tanh(x=x), _false_fn=lambda: mb.exp(x=x))

        made.append(_saved(conv, half))

    @mb.program(input_specs=[mb.TensorSpec((1, 3), types.fp32)], opset_version=ct.target.iOS15)
    def small(x: Any) -> Any:
        return mb.softmax(x=mb.linear(x=x, weight=numbers[:2, 0, 0]), name="shares")

    made.append(_saved(small, False, classifier_config=ct.ClassifierConfig(["a", "b"])))
    spec = model("pipeline")
    spec.pipeline.names.append("first")
    spec.pipeline.models.add().ParseFromString(made[-1][_SPEC])
    return [*made, package(spec), package(model("neuralNetwork"))]


def _saved(program: Any, half: bool, **how: Any) -> dict[str, bytes]:
    import coremltools as ct

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        converted = ct.convert(
            program, convert_to="mlprogram", skip_model_load=True,
            compute_precision=ct.precision.FLOAT16 if half else ct.precision.FLOAT32,
            minimum_deployment_target=ct.target.iOS16, **how,
        )  # fmt: skip
    spec = converted.get_spec()
    spec.description.metadata.userDefined.clear()
    weights = Path(converted.weights_dir) / "weight.bin"
    return package(spec, weights.read_bytes() if weights.is_file() else b"")


def networks() -> list[bytes]:
    """`.mlmodel` files: networks of many layers, and one model of every other type."""
    from coremltools.models import datatypes
    from coremltools.models.neural_network import NeuralNetworkBuilder
    from coremltools.proto import Model_pb2

    rng = np.random.default_rng(0)
    array = datatypes.Array(3, 8, 8)
    builder = NeuralNetworkBuilder([("x", array)], [("y", None)], disable_rank5_shape_mapping=True)
    weights = rng.standard_normal((3, 3, 3, 4)).astype(np.float32)
    builder.add_convolution(
        "conv", 3, 4, 3, 3, 1, 1, "same", 1, weights, np.zeros(4), True, input_name="x",
        output_name="a",
    )  # fmt: skip
    builder.add_activation("relu", "LEAKYRELU", "a", "b", [0.1])
    builder.add_batchnorm("norm", 4, *np.ones((4, 4)), input_name="b", output_name="c")
    builder.add_pooling("pool", 2, 2, 2, 2, "AVERAGE", "VALID", "c", "d")
    builder.add_inner_product(
        "dense", bytes(range(128)), None, 64, 2, False, "d", "y",
        is_quantized_weight=True, quant_bias=np.array([0.0]), quant_scale=np.array([0.5]),
        quantization_type="linear", nbits=8,
    )  # fmt: skip
    custom = model("neuralNetwork")
    layer = custom.neuralNetwork.layers.add(name="own", input=["x"], output=["y"])
    layer.custom.className = "MyLayer"
    layer.custom.weights.add().float16Value = b"\0\1\2\3"
    branch = model("neuralNetworkClassifier", classes=True)
    layer = branch.neuralNetworkClassifier.layers.add(name="if", input=["x"], output=["y"])
    inner = layer.branch.ifBranch.layers.add(name="in", input=["x"], output=["y"])
    inner.activation.ReLU.SetInParent()
    tree = model("treeEnsembleRegressor")
    for number in range(3):
        node = tree.treeEnsembleRegressor.treeEnsemble.nodes.add(nodeId=number, nodeBehavior=6)
        node.evaluationInfo.add(evaluationValue=1.0)
    glm = model("glmClassifier", classes=True)
    glm.glmClassifier.weights.add().value.extend([1.0, 2.0, 3.0])
    kinds = [field.name for field in Model_pb2.Model.DESCRIPTOR.oneofs_by_name["Type"].fields]
    return [raw(one) for one in (builder.spec, custom, branch, tree, glm, *map(model, kinds))]


def compiled() -> list[Case]:
    """`.mlmodelc` folders, as Core ML's compiler leaves them."""
    notes = [{
        "metadataOutputVersion": "3.0", "shortDescription": "", "author": "somebody",
        "specificationVersion": 7, "computePrecision": "Mixed (Float16, Int32)", "isUpdatable": "0",
        "outputSchema": [{"name": "y", "formattedType": "MultiArray (Float16 1 × 2)"}],
        "inputSchema": [{"name": "x", "formattedType": "Image (Grayscale 8 × 8)"}],
        "mlProgramOperationTypeHistogram": {"Ios16.conv": 3, "Ios16.relu": 2},
        "modelType": {"name": "MLModelType_mlProgram"}, "userDefinedMetadata": {"a": "b"},
    }]  # fmt: skip
    beside = {"coremldata.bin": b"\0" * 64, "weights/weight.bin": b"\0" * 128}
    return [{"metadata.json": json.dumps(notes).encode(), **beside}, beside]
