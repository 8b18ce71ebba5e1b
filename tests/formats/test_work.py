"""What an artifact computes is what its network computes, by torch's own counter."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from lading.conversion.capture import capture
from lading.formats import Artifact, format_named
from lading.interface.settings import Settings
from lading.interface.work.counted import counted
from tests.networks import networks, plain

NETWORKS = networks()
#: By the other route; the trace of a recurrent layer is one operation in Core ML too.
EXPORTED = ("attention", "transformer")
Written = Callable[[str, str], Artifact]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Written:
    @cache
    def write(name: str, kind: str) -> Artifact:
        form, one = format_named(kind), plain(*NETWORKS[name])
        path = tmp_path_factory.mktemp(kind) / f"net{form.suffix}"
        route = "export" if name in EXPORTED else "trace"
        form.convert(capture(one, route), Settings(precision="fp32"), path)
        return form.open(path, own=True)

    return write


def fed(name: str) -> dict[str, np.ndarray]:
    return {"x": np.zeros(NETWORKS[name][1], np.float32)}


@pytest.mark.parametrize("kind", ["coreml", "onnx"])
@pytest.mark.parametrize("name", NETWORKS)
def test_macs_are_those_of_the_network(name: str, kind: str, written: Written) -> None:
    original = counted(plain(*NETWORKS[name]), fed(name))
    assert original is not None
    expected = sum(one.macs or 0 for one in original)
    assert expected > 0
    found = written(name, kind).work(fed(name))
    assert [one for one in found if one.macs is None] == []
    assert sum(one.macs or 0 for one in found) == expected


@pytest.mark.parametrize("name", ["conv2d", "linear", "attention"])
def test_a_format_without_sizes_has_them_from_a_run(name: str, written: Written) -> None:
    artifact = written(name, "mlmodel")
    original = counted(plain(*NETWORKS[name]), fed(name))
    assert original is not None
    assert any(one.macs is None for one in artifact.work())
    found = artifact.work(fed(name))
    assert sum(one.macs or 0 for one in found) == sum(one.macs or 0 for one in original)


@pytest.mark.parametrize("kind", ["coreml", "mlmodel", "onnx"])
def test_parameters_and_bytes(kind: str, written: Written) -> None:
    network, _ = NETWORKS["conv2d"]
    numbers = sum(one.numel() for one in network.parameters())
    found = written("conv2d", kind).work(fed("conv2d"))
    assert sum(one.parameters for one in found) == numbers
    assert 4 * numbers <= sum(one.bytes for one in found) < 4 * numbers + 200


def test_open_sizes_are_not_guessed(tmp_path: Path) -> None:
    one = plain(nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU()), (1, 1, 8, 8))
    one = replace(one, options=replace(one.options, dynamic=("batch",)))
    form = format_named("onnx")
    captured = capture(one, "export", axes=form.axes(one.options))
    form.convert(captured, Settings(), tmp_path / "net.onnx")
    artifact = form.open(tmp_path / "net.onnx")
    (conv, _) = artifact.work()
    assert conv.macs is None
    (conv, relu) = artifact.work({"x": np.zeros((3, 1, 8, 8), np.float32)})
    assert (conv.macs, relu.macs) == (3 * 2 * 6 * 6 * 9, 0)
    assert conv.module == "network.0"


def test_a_network_that_is_called_twice_is_counted_twice() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(4, 4, bias=False)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            out: torch.Tensor = self.layer(self.layer(x))
            return out

    found = counted(plain(Twice(), (1, 4)), {"x": np.zeros((1, 4), np.float32)})
    assert found is not None
    assert [(one.module, one.macs, one.parameters) for one in found] == [("network.layer", 32, 16)]
