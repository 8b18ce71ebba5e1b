"""coremltools' own calls, answered here: what they give, and what they refuse."""

from __future__ import annotations

import asyncio
import gc
import shutil
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from lading.coreml import standin
from lading.coreml.standin import compiled, native

ct: Any = pytest.importorskip("coremltools")
mb: Any = pytest.importorskip("coremltools.converters.mil").Builder

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def on() -> Iterator[None]:
    with standin.stand_in():
        yield


def relu(shape: tuple[int, ...] = (2,), target: Any = None, **options: Any) -> Any:
    target = target or ct.target.iOS17

    @mb.program(input_specs=[mb.TensorSpec(shape=shape)], opset_version=target)
    def program(x: Any) -> Any:
        return mb.relu(x=x, name="y")

    return ct.convert(program, minimum_deployment_target=target, **options)


@pytest.fixture(scope="module")
def model(on: None) -> Any:
    return relu()


# ---------------------------------------------------------------------------------------- values
@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
def test_numbers_come_as_float32(model: Any, dtype: str) -> None:
    y = model.predict({"x": np.array([-1, 2], dtype)})["y"]
    assert y.dtype == np.float32
    assert y.tolist() == [0, 2]


@pytest.mark.parametrize("given", [[-1.0, 2.0], torch.tensor([-1.0, 2.0])])
def test_lists_and_tensors_are_taken(model: Any, given: Any) -> None:
    assert model.predict({"x": given})["y"].tolist() == [0, 2]


@pytest.mark.parametrize("given", [np.array([1, 2]), [1, 2], np.array([True, False]), "text"])
def test_what_the_binding_cannot_convert(model: Any, given: Any) -> None:
    """apple/coremltools #194 and #1689: on a Mac int64 is refused; a test that passes here and
    fails there would be worth nothing."""
    with pytest.raises(RuntimeError, match="value type not convertible"):
        model.predict({"x": given})


def test_half_precision_outputs_come_as_float32(on: None) -> None:
    @mb.program(
        input_specs=[mb.TensorSpec(shape=(2,), dtype=ct.converters.mil.mil.types.fp16)],
        opset_version=ct.target.iOS16,
    )
    def program(x: Any) -> Any:
        return mb.relu(x=x, name="y")

    half = ct.convert(
        program,
        minimum_deployment_target=ct.target.iOS16,
        outputs=[ct.TensorType("y", dtype=np.float16)],
    )
    y = half.predict({"x": np.float16([0.1, 1])})["y"]
    assert y.dtype == np.float32
    assert y.tolist() == np.float16([0.1, 1]).tolist()


def test_pictures_in_and_out(on: None) -> None:
    traced = torch.jit.trace(torch.nn.ReLU().eval(), torch.rand(1, 3, 4, 6))
    model = ct.convert(
        traced,
        inputs=[ct.ImageType("x", (1, 3, 4, 6))],
        outputs=[ct.ImageType("y", color_layout=ct.colorlayout.BGR)],
        minimum_deployment_target=ct.target.iOS16,
    )
    picture = Image.new("RGB", (6, 4), (1, 2, 3))
    answer = model.predict({"x": picture})["y"]
    assert (answer.mode, answer.size, answer.getpixel((0, 0))) == ("RGBA", (6, 4), (3, 2, 1, 255))
    with pytest.raises(TypeError, match=r"PIL\.Image"):
        model.predict({"x": np.zeros((1, 3, 4, 6), np.float32)})


def test_a_neural_network_runs_too(on: None) -> None:
    traced = torch.jit.trace(torch.nn.ReLU().eval(), torch.rand(1, 2))
    model = ct.convert(
        traced, inputs=[ct.TensorType("x", (1, 2))], outputs=[ct.TensorType("y")],
        convert_to="neuralnetwork",
    )  # fmt: skip
    assert model.predict({"x": np.float32([[-1, 2]])})["y"].tolist() == [[0, 2]]
    assert model.predict({"x": np.float32([[-1, 2]])}, model.make_state())["y"].tolist() == [[0, 2]]
    # coremltools has taken the file away that it was opened from.
    opened = ct.models.CompiledMLModel(model.get_compiled_model_path())
    assert opened.predict({"x": np.float32([[-1, 2]])})["y"].tolist() == [[0, 2]]


# ---------------------------------------------------------------------------------------- errors
@pytest.mark.parametrize(
    ("data", "kind", "words"),
    [
        ({"z": np.zeros(2)}, KeyError, 'Provided key "z"'),
        ({}, RuntimeError, "give 'x' a value"),
        (
            {"x": np.zeros(3)},
            RuntimeError,
            r"MultiArray shape \(3\) does not match the shape \(2\)",
        ),
        ([{"x": np.zeros(3)}], RuntimeError, "MultiArray shape"),
        ("x", TypeError, "must be either a dict or list"),
    ],
)
def test_errors_are_of_coremltools_kinds(model: Any, data: Any, kind: Any, words: str) -> None:
    with pytest.raises(kind, match=words):
        model.predict(data)


def test_enumerated_shapes_in_core_mls_words(on: None) -> None:
    traced = torch.jit.trace(torch.nn.ReLU().eval(), torch.rand(1, 4))
    shapes = ct.EnumeratedShapes([(1, 4), (1, 8)])
    model = ct.convert(traced, inputs=[ct.TensorType("x", shapes)])
    with pytest.raises(RuntimeError, match=r"Shape \(1 x 5\) was not in enumerated set"):
        model.predict({"x": np.zeros((1, 5), np.float32)})


def test_a_model_that_cannot_run_says_so_when_it_is_asked(on: None, tmp_path: Path) -> None:
    spec = ct.proto.Model_pb2.Model(specificationVersion=1)
    spec.description.input.add(name="x").type.doubleType.SetInParent()
    spec.description.output.add(name="y").type.doubleType.SetInParent()
    spec.glmRegressor.offset.append(0.1)
    with pytest.warns(RuntimeWarning, match="will not be able to run predict"):
        model = ct.models.MLModel(spec)
    with pytest.raises(RuntimeError, match="glmRegressor"):
        model.predict({"x": 1.0})


def test_a_newer_specification_is_refused_by_coremltools(model: Any) -> None:
    spec = model.get_spec()
    spec.specificationVersion = 99
    newer = ct.models.MLModel(spec, weights_dir=model.weights_dir)
    with pytest.raises(Exception, match="The specification has version 99"):
        newer.predict({"x": np.zeros(2)})


# -------------------------------------------------------------------------- compiled, and in memory
def test_compiled_models(model: Any, tmp_path: Path) -> None:
    path = Path(model.get_compiled_model_path())
    assert path.suffix == ".mlmodelc"
    kept = shutil.copytree(path, tmp_path / "kept.mlmodelc")
    opened = ct.models.CompiledMLModel(str(kept))
    assert opened.predict({"x": np.float32([-1, 2])})["y"].tolist() == [0, 2]
    copy = relu()
    gone = Path(copy.get_compiled_model_path())
    del copy
    gc.collect()
    assert not gone.exists()


def test_a_folder_that_a_mac_compiled_is_refused(on: None, tmp_path: Path) -> None:
    folder = tmp_path / "a.mlmodelc"
    folder.mkdir()
    (folder / "coremldata.bin").write_bytes(b"x")
    with pytest.raises(RuntimeError, match="was not made here"):
        ct.models.CompiledMLModel(str(folder))
    with pytest.raises(RuntimeError, match="no such folder"):
        ct.models.CompiledMLModel(str(tmp_path / "b.mlmodelc"))


def test_compiling_what_cannot_be_read_fails(on: None, tmp_path: Path) -> None:
    (tmp_path / "a.mlmodel").write_bytes(b"no model")
    with pytest.raises(RuntimeError, match=r"not a Core ML spec"):
        ct.models.utils.compile_model(str(tmp_path / "a.mlmodel"))


def test_an_asset_in_memory(on: None) -> None:
    @mb.program(input_specs=[mb.TensorSpec(shape=(1, 64))])
    def program(x: Any) -> Any:
        return mb.linear(x=x, weight=np.ones((32, 64), np.float32), name="y")

    model = ct.convert(program)
    weights = Path(model.weights_dir, "weight.bin").read_bytes()
    spec = model.get_spec().SerializeToString()
    asset = ct.models.model.MLModelAsset.from_memory(spec, {"weights/weight.bin": weights})
    opened = ct.models.CompiledMLModel.from_asset(asset)
    assert (opened.predict({"x": np.ones((1, 64), np.float32)})["y"] == 64).all()
    with pytest.raises(RuntimeError, match="leads out of the model"):
        ct.models.model.MLModelAsset.from_memory(spec, {"../weight.bin": weights})


def test_a_path_of_weights_never_leaves_its_folder(tmp_path: Path) -> None:
    from lading.errors import ProgramError

    for name in ("/etc/x", "..", "a/../../b", ""):
        with pytest.raises(ProgramError):
            compiled.from_memory(b"", {name: b""}, tmp_path)
    assert not list(tmp_path.iterdir())


def test_coremltools_own_comparator_finds_what_differs(on: None) -> None:
    """Off a Mac it finds nothing and says nothing; see coremltools' `debugging_utils`."""
    from coremltools.models.ml_program.experimental.debugging_utils import MLModelComparator

    def sums(last: float) -> Any:
        @mb.program(input_specs=[mb.TensorSpec(shape=(2,))])
        def program(x: Any) -> Any:
            for number, value in enumerate((1.0, 2.0, last)):
                x = mb.add(x=x, y=np.float32(value), name=f"sum_{number}")
            return x

        return ct.convert(program, compute_precision=ct.precision.FLOAT32)

    async def differing() -> list[str]:
        comparator = MLModelComparator(sums(3.0), sums(4.0))
        inputs = {"x": np.float32([1, 2])}
        failing = await comparator.find_failing_ops(inputs, lambda op, a, b: np.allclose(a, b))
        return [op.outputs[0].name for op in failing]

    # in a thread of its own: where a test of the pages ran before, this one has a loop already
    with ThreadPoolExecutor(1) as thread:
        assert thread.submit(asyncio.run, differing()).result() == ["sum_2"]


# ------------------------------------------------------------------------- what there is not here
def test_hardware_is_refused_by_name(model: Any) -> None:
    compute_plan = ct.models.compute_plan
    asked = {
        "MLComputePlan": lambda: compute_plan.MLComputePlan.load_from_path("a.mlmodelc"),
        "MLModelStructure": lambda: compute_plan.MLModelStructure.load_from_path("a.mlmodelc"),
        "compute devices": ct.models.MLModel.get_available_compute_devices,
        "the compute": ct.models.compute_device.MLComputeDevice.get_all_compute_devices,
    }
    for name, ask in asked.items():
        with pytest.raises(RuntimeError, match=f"{name}(.|\n)*not on this machine"):
            ask()
    assert model.load_duration_in_nano_seconds is None
    assert model.last_predict_duration_in_nano_seconds is None


def test_compute_units_of_other_hardware_are_remarked_on(on: None) -> None:
    with pytest.warns(native.StandInWarning, match="CPU_AND_NE: not on this machine"):
        relu(compute_units=ct.ComputeUnit.CPU_AND_NE)
    with warnings.catch_warnings():
        warnings.simplefilter("error", native.StandInWarning)
        relu(compute_units=ct.ComputeUnit.CPU_ONLY)
