"""Core ML packages: what the ports say, equal numbers, the same bytes, nothing of this computer."""

from __future__ import annotations

import dataclasses
import json
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
from lading.coreml import mil
from lading.errors import ConversionError, ProgramError
from lading.formats.coreml import FORMAT
from lading.interface import Interface, Options, Sizes, wrap
from lading.interface.original import TorchSide
from lading.interface.settings import MACOS_TWIN, Settings
from lading.record import ArtifactRecord
from tests.formats.onnx.test_write import CHANCE, FOREIGN
from tests.toys import interface, net, noise, task

ROUTES = ["export", "trace"]
BAKED = Options("labels", ("zscore",))
PICTURE = Options(image="grayscale", bake=("zscore",))
FACTS = {"lading.version": "0.1", "lading.labels": '["a", "é"]'}
SETTINGS = Settings(
    precision="fp16", author="A. Author", license="CC0-1.0", description="a toy", facts=FACTS
)
FP32 = dataclasses.replace(SETTINGS, precision="fp32")


def convert(
    one: Interface, path: Path, route: Any = "trace", settings: Settings = SETTINGS
) -> ArtifactRecord:
    return FORMAT.convert(capture(one, route, FORMAT.axes(one.options)), settings, path)


def assert_equal(one: Interface, path: Path, x: Any, precision: str) -> None:
    got = FORMAT.open(path).side().run({"image": x})
    expected = TorchSide(one).run({"image": x})
    for port in one.outputs:
        value, wanted = got[port.name], expected[port.name]
        assert (value.dtype, value.shape) == (np.dtype(port.dtype), wanted.shape)
        if port.dtype == "int32":
            assert (value == wanted).mean() > (0.999 if precision == "fp32" else 0.98)  # ties aside
        else:  # fp32: sums in another order; fp16: five layers of rounding at 2^-11
            scale = np.abs(wanted).max()
            error = np.abs(value - wanted).max() / scale
            assert error < (1e-5 if precision == "fp32" else 5e-3)


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize(("precision", "output"), [("fp16", "probabilities"), ("fp32", "labels")])
def test_the_package_is_what_the_ports_say(
    tmp_path: Path, route: Any, precision: Any, output: Any
) -> None:
    one = interface(Options(output, ("zscore",)))
    path = tmp_path / "net.mlpackage"
    record = convert(one, path, route, dataclasses.replace(SETTINGS, precision=precision))
    assert (record.format, record.path, record.precision) == ("coreml", "net.mlpackage", precision)
    assert (record.route, record.details["deployment"]) == (route, "iOS16")
    assert (record.inputs, record.outputs) == (one.inputs, one.outputs)
    said = FORMAT.open(path).record
    assert (said.sha256, said.bytes, said.precision) == (record.sha256, record.bytes, precision)
    for mine, theirs in zip(
        (*one.inputs, *one.outputs), (*said.inputs, *said.outputs), strict=True
    ):
        assert (theirs.name, theirs.kind, theirs.dtype) == (mine.name, mine.kind, mine.dtype)
    assert said.inputs[0].shape == (1, 1, 16, 16)
    assert_equal(one, path, 255 * np.abs(noise((1, 1, 16, 16), 5)), precision)


@pytest.mark.parametrize("deployment", [*MACOS_TWIN.values(), "macOS13"])
def test_every_deployment(tmp_path: Path, deployment: str) -> None:
    one = interface()
    path = tmp_path / "net.mlpackage"
    record = convert(one, path, settings=Settings(deployment=deployment))
    assert record.details["deployment"] == deployment
    opsets = {"iOS15": "CoreML5", "iOS16": "CoreML6", "iOS17": "CoreML7", "iOS18": "CoreML8"}
    function = mil.load(path).program.functions["main"]
    assert function.opset == opsets[MACOS_TWIN.get(deployment, deployment)]
    assert_equal(one, path, noise((1, 1, 16, 16)), "fp16")


@pytest.mark.parametrize(("color", "channels"), [("grayscale", 1), ("rgb", 3)])
def test_pictures(tmp_path: Path, color: Any, channels: int) -> None:
    scaled = Options(image=color, scale=1 / 255, bias=(-0.5,))
    for number, options in enumerate((Options(image=color, bake=("zscore",)), scaled)):
        one = interface(options, channels)
        path = tmp_path / f"{number}.mlpackage"
        convert(one, path)
        port = mil.load(path).inputs[0]
        assert (port.kind, port.color, port.shape) == ("image", color, (1, channels, 16, 16))
        # Scale and bias are in the graph; the image itself arrives as it is.
        assert (port.scale, any(port.bias)) == (1.0, False)
        shape = (1, channels, 16, 16)
        x = np.random.default_rng(0).integers(0, 256, shape).astype(np.float32)
        assert_equal(one, path, x, "fp16")


@pytest.mark.parametrize("route", ROUTES)
def test_listed_sizes(tmp_path: Path, route: Any) -> None:
    one = interface(Options(bake=("zscore",), sizes=Sizes(listed=((8, 24), (32, 8)))))
    path = tmp_path / "net.mlpackage"
    record = convert(one, path, route, FP32)
    port = mil.load(path).inputs[0]
    assert port.shape == (1, 1, 16, 16)
    assert set(port.enumerated) == set(record.inputs[0].enumerated)
    assert len(port.enumerated) == 3
    for shape in port.enumerated:
        assert_equal(one, path, 9 * noise(shape), "fp32")


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("options", [Options(), PICTURE])
def test_ranges_of_sizes(tmp_path: Path, route: Any, options: Options) -> None:
    one = interface(dataclasses.replace(options, sizes=Sizes(ranges=((8, 32), (16, 16)))))
    path = tmp_path / "net.mlpackage"
    convert(one, path, route, FP32)
    port = mil.load(path).inputs[0]
    assert not port.ranges
    assert set(port.enumerated) == {(1, 1, height, 16) for height in range(8, 33, 2)}
    for height in (8, 16, 32):
        x = np.random.default_rng(0).integers(0, 256, (1, 1, height, 16)).astype(np.float32)
        assert_equal(one, path, x, "fp32")


def module_dtypes(path: Path, kinds: set[str]) -> dict[str, set[str]]:
    """Per operation type, the float dtypes that it gives."""
    found: dict[str, set[str]] = {kind: set() for kind in kinds}
    for op in mil.load(path).program.functions["main"].block.walk():
        if op.type in kinds:
            found[op.type] |= {value.type.dtype for value in op.outputs}
    return found


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("options", [Options(bake=("zscore",)), PICTURE])
def test_the_zscore_stays_in_fp32_inside_an_fp16_model(
    tmp_path: Path, route: Any, options: Options
) -> None:
    """Grey levels of a 12-bit scanner: their squares are far beyond fp16."""
    one = interface(options)
    path = tmp_path / "net.mlpackage"
    convert(one, path, route)
    dtypes = module_dtypes(path, {"reduce_mean", "sqrt", "sub", "conv", "conv_transpose"})
    assert dtypes["reduce_mean"] == dtypes["sqrt"] == dtypes["sub"] == {"float32"}
    assert dtypes["conv"] == dtypes["conv_transpose"] == {"float16"}
    if options.image:
        return
    assert_equal(one, path, np.abs(1000 * noise((1, 1, 16, 16))) + 2000, "fp16")
    faint = 1e-5 * noise((1, 1, 16, 16))  # fp16 ends at 6e-8, its squares at 2e-4
    assert_equal(one, path, faint, "fp16")


def test_an_fp32_model_holds_no_fp16(tmp_path: Path) -> None:
    path = tmp_path / "net.mlpackage"
    convert(interface(), path, settings=FP32)
    walk = mil.load(path).program.functions["main"].block.walk()
    assert not any(value.type.dtype == "float16" for op in walk for value in op.outputs)


def spec_of(path: Path) -> Any:
    from coremltools.proto import Model_pb2

    spec = Model_pb2.Model()
    spec.ParseFromString((path / "Data" / "com.apple.CoreML" / "model.mlmodel").read_bytes())
    return spec


def test_metadata(tmp_path: Path) -> None:
    path = tmp_path / "net.mlpackage"
    convert(interface(BAKED), path)
    description = spec_of(path).description
    metadata = description.metadata
    assert (metadata.author, metadata.license) == ("A. Author", "CC0-1.0")
    assert (metadata.shortDescription, metadata.versionString) == ("a toy", "0.1")
    assert {k: v for k, v in metadata.userDefined.items() if k.startswith("lading.")} == FACTS
    assert description.input[0].shortDescription == "grey levels, 0 to 255; 1 x 1 x 16 x 16"
    assert description.output[0].shortDescription == "labels, 0 to 2; 1 x 16 x 16"
    said = FORMAT.open(path).record.details
    assert "conv_transpose 1" in said["operations"]
    assert said["opset"].startswith("CoreML")
    assert "weight.bin" in said["weights"]
    assert {k: said[k] for k in FACTS} == FACTS


def files(package: Path) -> dict[str, bytes]:
    found = sorted(p for p in package.rglob("*") if p.is_file())
    return {p.relative_to(package).as_posix(): p.read_bytes() for p in found}


def test_the_same_bytes_here_and_in_another_process(tmp_path: Path) -> None:
    for name in "ab":
        for route in ROUTES:
            convert(interface(BAKED), tmp_path / f"{name}-{route}.mlpackage", route)
    code = (
        "from pathlib import Path; from tests.formats.coreml.test_write import *\n"
        "for route in ROUTES: convert(interface(BAKED), Path(f'c-{route}.mlpackage'), route)"
    )
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONHASHSEED": "7"}
    subprocess.run(
        [sys.executable, "-c", code], check=True, env=env, cwd=tmp_path, capture_output=True
    )
    for route in ROUTES:
        here, *others = (files(tmp_path / f"{name}-{route}.mlpackage") for name in "abc")
        assert list(here) == [
            "Data/com.apple.CoreML/model.mlmodel",
            "Data/com.apple.CoreML/weights/weight.bin",
            "Manifest.json",
        ]
        assert others == [here, here]
        told = here["Data/com.apple.CoreML/model.mlmodel"] + here["Manifest.json"]
        assert [word for word in FOREIGN if word in told] == []
        assert CHANCE.findall(told) == []


def test_the_manifest_points_at_what_is_there(tmp_path: Path) -> None:
    path = tmp_path / "net.mlpackage"
    convert(interface(), path)
    manifest = json.loads((path / "Manifest.json").read_text())
    entries = manifest["itemInfoEntries"]
    assert manifest["rootModelIdentifier"] in entries
    assert all((path / "Data" / entry["path"]).exists() for entry in entries.values())
    import coremltools as ct

    assert ct.models.MLModel(str(path), skip_model_load=True).get_spec() == spec_of(path)


class Odd(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.special.bessel_j0(x)


@pytest.mark.parametrize(
    ("route", "dialect"), [("export", "exported program"), ("trace", "traced graph")]
)
def test_an_operation_that_core_ml_cannot_say(tmp_path: Path, route: Any, dialect: str) -> None:
    one = dataclasses.replace(interface(), module=Odd())
    with pytest.raises(ConversionError) as caught:
        convert(one, tmp_path / "net.mlpackage", route)
    assert caught.value.subject == f"Core ML from the {dialect}"
    assert "bessel_j0" in caught.value.found
    assert "\n" not in caught.value.found
    assert caught.value.remedy == "try the other route (--route), or report the operation"
    assert not (tmp_path / "net.mlpackage").exists()


def test_what_is_no_package(tmp_path: Path) -> None:
    (tmp_path / "a.mlpackage").mkdir()
    with pytest.raises(ProgramError):
        FORMAT.open(tmp_path / "a.mlpackage")


class Sliced(nn.Module):
    """Ends in a slice over whole axes, which torch.export turns into an alias."""

    def __init__(self) -> None:
        super().__init__()
        self.net = net()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        scores: torch.Tensor = self.net(x)[:, :, : x.shape[2]]
        return scores * 2


def test_an_alias_converts_by_export(tmp_path: Path) -> None:
    """Fails without `_sayable` for as long as apple/coremltools issue 2517 stands."""
    one = wrap(Sliced().eval(), task(), Options())
    graph = capture(one, "export").exported
    assert graph is not None
    used = [node.target for node in graph.run_decompositions({}).graph.nodes]
    assert torch.ops.aten.alias.default in used
    convert(one, tmp_path / "net.mlpackage", "export", FP32)
    assert_equal(one, tmp_path / "net.mlpackage", noise((1, 1, 16, 16)), "fp32")
