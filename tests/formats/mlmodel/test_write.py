"""Neural-network files: what the ports say, equal numbers in both readings, the same bytes."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from lading.conversion.capture import capture
from lading.coreml import neuralnetwork
from lading.errors import ConversionError, ProgramError
from lading.formats.mlmodel import FORMAT
from lading.interface import Interface, Options, Sizes
from lading.interface.original import TorchSide
from lading.interface.settings import Settings
from lading.record import ArtifactRecord
from tests.formats.onnx.test_write import CHANCE, FOREIGN
from tests.toys import interface, noise

ROUTES = ["export", "trace"]
FACTS = {"lading.version": "0.1", "lading.labels": '["a", "é"]'}
FP16 = Settings(
    precision="fp16", author="A. Author", license="CC0-1.0", description="a toy", facts=FACTS
)
FP32 = dataclasses.replace(FP16, precision="fp32")


def convert(
    one: Interface, path: Path, route: Any = "trace", settings: Settings = FP32
) -> ArtifactRecord:
    return FORMAT.convert(capture(one, route, FORMAT.axes(one.options)), settings, path)


def assert_equal(one: Interface, path: Path, x: Any, weights: str = "fp32") -> None:
    expected = TorchSide(one).run({"image": x})
    # fp32: sums in another order. fp16, of the weights alone or of every layer: 2^-11 each time.
    artifact = FORMAT.open(path)
    for reading, slack in (("float32", 1e-5 if weights == "fp32" else 5e-3), ("float16", 5e-3)):
        got = artifact.side(reading).run({"image": x})
        assert set(got) == set(expected)
        for port in one.outputs:
            value, wanted = got[port.name], expected[port.name]
            assert (value.dtype, value.shape) == (np.dtype(port.dtype), wanted.shape)
            if port.dtype == "int32":
                assert (value == wanted).mean() > (0.999 if slack == 1e-5 else 0.98)  # ties aside
            else:
                assert np.abs(value - wanted).max() < slack * np.abs(wanted).max()


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize(("precision", "output"), [("fp16", "probabilities"), ("fp32", "labels")])
def test_the_file_is_what_the_ports_say(
    tmp_path: Path, route: Any, precision: Any, output: Any
) -> None:
    one = interface(Options(output))
    path = tmp_path / "net.mlmodel"
    record = convert(one, path, route, dataclasses.replace(FP32, precision=precision))
    assert (record.format, record.path, record.precision) == ("mlmodel", "net.mlmodel", precision)
    assert (record.route, record.details["deployment"]) == (route, "iOS13")
    assert (record.inputs, record.outputs) == (one.inputs, one.outputs)
    said = FORMAT.open(path).record
    assert (said.sha256, said.bytes, said.precision) == (record.sha256, record.bytes, precision)
    for mine, theirs in zip(
        (*one.inputs, *one.outputs), (*said.inputs, *said.outputs), strict=True
    ):
        told = (theirs.name, theirs.kind, theirs.dtype, theirs.shape)
        assert told == (mine.name, mine.kind, mine.dtype, mine.shape)
    assert_equal(one, path, noise((1, 1, 16, 16), 5), precision)


def test_what_it_says_of_itself(tmp_path: Path) -> None:
    path = tmp_path / "net.mlmodel"
    convert(interface(), path, settings=FP16)
    said = FORMAT.open(path).record.details
    assert {k: said[k] for k in FACTS} == FACTS
    assert (said["com.apple.author"], said["com.apple.license"]) == ("A. Author", "CC0-1.0")
    assert (said["type"], said["deployment"]) == ("neuralNetwork", "iOS13")
    assert "convolution 4" in said["operations"]
    # Four kernels with their biases, and the norm's four numbers per channel.
    count = sum(p.numel() for p in interface().module.parameters())
    numbers = int(said["weights"].removesuffix(" in fp16").replace(",", ""))
    assert count <= numbers <= count + 8


def test_fp16_weights_halve_the_file(tmp_path: Path) -> None:
    wide, thin = tmp_path / "wide.mlmodel", tmp_path / "thin.mlmodel"
    convert(interface(), wide)
    convert(interface(), thin, settings=FP16)
    fp32 = neuralnetwork.load(wide).network.layers[0].parameters["weights"]
    fp16 = neuralnetwork.load(thin).network.layers[0].parameters["weights"]
    assert (fp32.bits, fp16.bits) == (32, 16)
    shape = [4, 1, 3, 3]
    assert torch.equal(fp32.tensor(shape), interface().module.network.stem.weight)  # type: ignore[union-attr]
    assert torch.equal(fp16.tensor(shape), fp32.tensor(shape).half().float())


def test_weights_beyond_fp16_stay_in_fp32(tmp_path: Path) -> None:
    one = interface()
    with torch.no_grad():
        one.module.network.stem.weight[0, 0, 0, 0] = 1e6  # type: ignore[union-attr,index]
    path = tmp_path / "net.mlmodel"
    convert(one, path, settings=FP16)
    layers = neuralnetwork.load(path).network.layers
    kernels = [one.parameters["weights"].bits for one in layers if one.kind.name == "convolution"]
    assert sorted(kernels) == [16, 16, 16, 32]


@pytest.mark.parametrize(("color", "channels"), [("grayscale", 1), ("rgb", 3)])
def test_pictures(tmp_path: Path, color: Any, channels: int) -> None:
    one = interface(Options(image=color, scale=1 / 255, bias=(-0.5,)), channels)
    path = tmp_path / "net.mlmodel"
    convert(one, path)
    port = neuralnetwork.load(path).inputs[0]
    assert (port.kind, port.color, port.shape) == ("image", color, (1, channels, 16, 16))
    shape = (1, channels, 16, 16)
    assert_equal(one, path, np.random.default_rng(0).integers(0, 256, shape).astype(np.float32))


@pytest.mark.parametrize(
    ("sizes", "shapes"),
    [
        (Sizes(listed=((8, 24), (32, 8))), [(16, 16), (8, 24), (32, 8)]),
        (Sizes(ranges=((8, 32), (16, 16))), [(8, 16), (16, 16), (32, 16)]),
    ],
)
def test_other_sizes(tmp_path: Path, sizes: Sizes, shapes: Any) -> None:
    one = interface(Options(sizes=sizes))
    path = tmp_path / "net.mlmodel"
    convert(one, path)
    for shape in shapes:
        assert_equal(one, path, noise((1, 1, *shape)))


def test_the_same_bytes_here_and_in_another_process(tmp_path: Path) -> None:
    for name, route in (("a", "export"), ("a", "trace"), ("b", "trace")):
        convert(interface(), tmp_path / f"{name}-{route}.mlmodel", route)
    code = (
        "from pathlib import Path; from tests.formats.mlmodel.test_write import *\n"
        "for route in ROUTES: convert(interface(), Path(f'c-{route}.mlmodel'), route)"
    )
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONHASHSEED": "7"}
    subprocess.run(
        [sys.executable, "-c", code], check=True, env=env, cwd=tmp_path, capture_output=True
    )
    for route in ROUTES:
        here, *others = (path.read_bytes() for path in sorted(tmp_path.glob(f"?-{route}.mlmodel")))
        assert others == [here] * (2 if route == "trace" else 1)
        assert [word for word in FOREIGN if word in here] == []
        assert CHANCE.findall(here) == []


class Odd(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.special.bessel_j0(x)


def test_an_operation_that_is_no_layer(tmp_path: Path) -> None:
    one = dataclasses.replace(interface(), module=Odd())
    with pytest.raises(ConversionError) as caught:
        convert(one, tmp_path / "net.mlmodel")
    assert caught.value.subject == "a Core ML neural network from the traced graph"
    assert "bessel_j0" in caught.value.found
    assert caught.value.remedy == "use an ML Program (--to coreml), or the other route (--route)"
    assert not (tmp_path / "net.mlmodel").exists()


def test_what_is_no_neural_network(tmp_path: Path) -> None:
    (tmp_path / "a.mlmodel").write_bytes(b"")
    opened = FORMAT.open(tmp_path / "a.mlmodel")
    assert opened.record.title == "Core ML (nothing)"
    with pytest.raises(ProgramError, match="a model of type None"):
        opened.side()
