"""The call's contract: what is taken, what is given, what is refused and in which words."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lading.coreml import mil, neuralnetwork
from lading.coreml.neuralnetwork.registry import functions
from lading.errors import InputError, ProgramError, RequestError

Built = Callable[..., Path]
X = np.array([[1.0, -2.0, 3.0]], np.float32)


def negated(builder: Any) -> None:
    builder.add_elementwise("minus", ["x"], "y", "MULTIPLY", alpha=-1.0)


def seven_thirds(builder: Any) -> None:
    builder.add_elementwise("third", ["x"], "a", "MULTIPLY", alpha=1 / 3)
    builder.add_elementwise("again", ["a"], "y", "MULTIPLY", alpha=7.0)


def test_both_readings(built: Built) -> None:
    model = neuralnetwork.load(built(seven_thirds, (1, 3)))
    assert [port.name for port in (*model.inputs, *model.outputs)] == ["x", "y"]
    x = np.array([[0.1, -0.7, 1000.3]], np.float32)
    np.testing.assert_allclose(model.predict({"x": x})["y"], x * 7 / 3, rtol=1e-6)
    # One rounding of the input and one after each layer, in this order.
    third = (x.astype(np.float16) * np.float32(1 / 3)).astype(np.float16)
    wanted = (third * np.float32(7)).astype(np.float16).astype(np.float32)
    got = model.predict({"x": x}, precision="float16")["y"]
    assert got.dtype == np.float32
    assert np.array_equal(got, wanted)
    unrounded = x.astype(np.float16) * np.float32(1 / 3) * np.float32(7)
    assert not np.array_equal(got, unrounded)


def test_float16_overflows(built: Built) -> None:
    def squared(builder: Any) -> None:
        builder.add_unary("square", "x", "y", "power", alpha=2.0)

    model = neuralnetwork.load(built(squared, (1, 1)))
    assert model.predict({"x": [[300.0]]})["y"] == 90000.0
    assert np.isposinf(model.predict({"x": [[300.0]]}, precision="float16")["y"])


def test_indices_are_not_rounded(built: Built) -> None:
    def row(builder: Any) -> None:
        table = np.arange(5000, dtype=np.float32) % 97
        builder.add_load_constant_nd("table", "t", table, [5000])
        builder.add_gather("row", ["t", "x"], "y", 0)

    def whole(spec: Any) -> None:
        spec.description.input[0].type.multiArrayType.dataType = 0x20000 | 32  # INT32

    model = neuralnetwork.load(built(row, (1,), whole))
    assert model.inputs[0].dtype == "int32"
    assert model.predict({"x": [4097]}, precision="float16")["y"] == 4097 % 97


@pytest.mark.parametrize("precision", ["float32", "float16"])
def test_whole_outputs_are_rounded_to_the_nearest(built: Built, precision: Any) -> None:
    def whole(spec: Any) -> None:
        spec.description.output[0].type.multiArrayType.dataType = 0x20000 | 32  # INT32

    model = neuralnetwork.load(built(seven_thirds, (1, 3), whole))
    got = model.predict({"x": [[1.2, -2.1, 3.0]]}, precision=precision)["y"]
    assert (got.dtype, got.tolist()) == (np.int32, [[3, -5, 7]])


@pytest.mark.parametrize(
    ("data", "found", "expected"),
    [
        ({"x": np.zeros((2, 3))}, "shape (2, 3)", "float32 of shape (1, 3)"),
        ({"z": X}, "no input of that name; the model takes x", "one of x"),
        ({}, "nothing", "float32 of shape (1, 3)"),
        ({"x": np.array([["a", "b", "c"]])}, "an array of <U1", "float32 of shape (1, 3)"),
    ],
)
def test_wrong_inputs(built: Built, data: Any, found: str, expected: str) -> None:
    model = neuralnetwork.load(built(negated, (1, 3)))
    with pytest.raises(InputError) as caught:
        model.predict(data)
    assert (caught.value.found, caught.value.expected) == (found, expected)


def test_an_unknown_precision(built: Built) -> None:
    model = neuralnetwork.load(built(negated, (1, 3)))
    with pytest.raises(RequestError, match="precision 'bfloat16'"):
        model.predict({"x": X}, precision="bfloat16")  # type: ignore[arg-type]


def test_a_kind_that_is_not_here(built: Built) -> None:
    def chance(builder: Any) -> None:
        builder.add_random_normal_like("dice", "x", "y", mean=0.0, stddev=1.0, seed=1)

    path = built(chance, (1, 3))
    with pytest.raises(ProgramError) as caught:
        neuralnetwork.load(path)
    assert str(caught.value) == (
        f"{path}: layer dice\n"
        "  found     a layer of the kind randomNormalLike, which is not run here\n"
        f"  expected  one of the {len(functions())} kinds that are\n"
        "  remedy    convert without it, or run the model with Core ML on a Mac"
    )


def test_arithmetic_in_int8_is_refused(built: Built) -> None:
    def product(builder: Any) -> None:
        builder.add_inner_product("ip", np.ones((2, 3)), None, 3, 2, False, "x", "y")

    def dynamic(spec: Any) -> None:
        spec.neuralNetwork.layers[0].innerProduct.int8DynamicQuantize = True

    with pytest.raises(ProgramError, match="layer ip") as caught:
        neuralnetwork.load(built(product, (1, 3), dynamic))
    assert caught.value.expected == "one without int8dynamic_quantize"


def test_a_layer_that_does_not_fit(built: Built) -> None:
    def product(builder: Any) -> None:
        builder.add_inner_product("ip", np.ones((2, 4)), None, 4, 2, False, "x", "y")

    model = neuralnetwork.load(built(product, (1, 3)))
    with pytest.raises(ProgramError) as caught:
        model.predict({"x": X})
    assert caught.value.subject == "inner_product -> y (layer ip (innerProduct))"
    assert "(1x3 and 4x2)" in caught.value.found


@pytest.mark.parametrize("inputs", [["x", "x"], ["x", "x", "x"]])
def test_a_layer_with_too_many_inputs(built: Built, inputs: list[str]) -> None:
    def more(spec: Any) -> None:
        spec.neuralNetwork.layers[0].input[:] = inputs

    def rooted(builder: Any) -> None:
        builder.add_sin("sine", "x", "y")

    path = built(rooted, (1, 3), more)
    with pytest.raises(ProgramError) as caught:
        neuralnetwork.load(path)
    assert caught.value.subject == "layer sine (sin)"
    assert caught.value.found == f"{len(inputs)} arguments for sin, which takes 1"


def test_one_part_of_one(built: Built) -> None:
    def whole(builder: Any) -> None:
        builder.add_split_nd("all", "x", ["y"], axis=1, num_splits=1)

    assert np.array_equal(neuralnetwork.load(built(whole, (1, 3))).predict({"x": X})["y"], X)


def test_a_value_that_nobody_computes(built: Built) -> None:
    def loose(spec: Any) -> None:
        spec.neuralNetwork.layers[0].input[0] = "nobody"

    with pytest.raises(ProgramError, match="layer minus \\(multiply\\)") as caught:
        neuralnetwork.load(built(negated, (1, 3), loose))
    assert caught.value.found == "no value 'nobody'"


def test_an_output_that_nobody_computes(built: Built) -> None:
    def loose(spec: Any) -> None:
        spec.neuralNetwork.layers[0].output[0] = "z"

    with pytest.raises(ProgramError) as caught:
        neuralnetwork.load(built(negated, (1, 3), loose))
    assert caught.value.found == "no layer that gives 'y'"


@pytest.mark.parametrize(
    ("content", "found"),
    [(None, "no such file"), (b"", "a model of type None"), (b"\xff" * 40, "not a Core ML")],
)
def test_files_that_are_none(tmp_path: Path, content: bytes | None, found: str) -> None:
    path = tmp_path / "a.mlmodel"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ProgramError) as caught:
        neuralnetwork.load(path)
    assert caught.value.found.startswith(found)


def test_a_package_is_for_the_other_library(tmp_path: Path, built: Built) -> None:
    (tmp_path / "a.mlpackage").mkdir()
    with pytest.raises(ProgramError) as caught:
        neuralnetwork.load(tmp_path / "a.mlpackage")
    assert caught.value.remedy == "a .mlpackage runs with lading.coreml.load(path)"
    with pytest.raises(ProgramError) as caught:
        mil.load(built(negated, (1, 3)))
    assert caught.value.remedy == "a neural network runs with lading.coreml.load(path)"


# ------------------------------------------------------------------------------------ classifiers
@pytest.mark.parametrize("labels", [["cat", "dog", "cow"], [7, 8, 9]])
def test_a_classifier(built: Built, labels: list[Any]) -> None:
    def classes(builder: Any) -> None:
        builder.add_softmax_nd("shares", "x", "y", 1)
        builder.set_class_labels(labels, "kind", "y")

    def typed(spec: Any) -> None:
        network = spec.neuralNetworkClassifier
        network.arrayInputShapeMapping = 1

    from coremltools.models import datatypes
    from coremltools.models.neural_network import NeuralNetworkBuilder

    builder = NeuralNetworkBuilder(
        [("x", datatypes.Array(1, 3))], [("y", None)], mode="classifier",
        disable_rank5_shape_mapping=True,
    )  # fmt: skip
    classes(builder)
    typed(builder.spec)
    path = built(negated, (1, 3)).with_name("classes.mlmodel")
    path.write_bytes(builder.spec.SerializeToString())
    model = neuralnetwork.load(path)
    assert {port.name: port.kind for port in model.outputs} == {"y": "dictionary", "kind": "string"}
    outputs = model.predict({"x": X})
    shares = np.exp(X[0]) / np.exp(X[0]).sum()
    assert outputs["kind"] == labels[2]
    assert list(outputs["y"]) == labels
    np.testing.assert_allclose(list(outputs["y"].values()), shares, rtol=1e-6)
    getattr(builder.nn_spec, builder.nn_spec.WhichOneof("ClassLabels")).vector.append(labels[0])
    path.write_bytes(builder.spec.SerializeToString())
    with pytest.raises(ProgramError, match=r"classes\.mlmodel") as caught:
        neuralnetwork.load(path).predict({"x": X})
    assert caught.value.found == "ValueError: 3 probabilities for 4 classes"


# --------------------------------------------------------------------------------------- pictures
def test_pictures_are_scaled(tmp_path: Path) -> None:
    import coremltools as ct
    import torch

    module = torch.jit.trace(torch.nn.ReLU(), torch.zeros(1, 3, 2, 2))
    image = ct.ImageType("x", (1, 3, 2, 2), scale=0.5, bias=[1.0, 2.0, 3.0])
    model = ct.convert(
        module, convert_to="neuralnetwork", inputs=[image], outputs=[ct.TensorType("y")],
        skip_model_load=True,
    )  # fmt: skip
    path = tmp_path / "picture.mlmodel"
    path.write_bytes(model.get_spec().SerializeToString())
    pixels = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    got = neuralnetwork.load(path).predict({"x": Image.fromarray(pixels)})["y"]
    wanted = pixels.transpose(2, 0, 1)[None] * 0.5 + np.array([1, 2, 3]).reshape(1, 3, 1, 1)
    np.testing.assert_allclose(got, wanted)


def test_several_threads(built: Built) -> None:
    model = neuralnetwork.load(built(seven_thirds, (1, 3)))
    results: list[Any] = [None] * 8

    def work(place: int) -> None:
        data = {"x": X * place}
        half = model.predict(data, precision="float16")["y"]
        results[place] = (model.predict(data)["y"], half)

    threads = [threading.Thread(target=work, args=(place,)) for place in range(8)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    for place, (full, half) in enumerate(results):
        np.testing.assert_allclose(full, X * place * 7 / 3, rtol=1e-6)
        np.testing.assert_allclose(half, X * place * 7 / 3, rtol=2e-3)
