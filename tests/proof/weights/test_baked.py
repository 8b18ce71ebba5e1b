"""Provenance of preprocessing that is put into the artifact: known, on every target."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper

from lading.checkpoint import Checkpoint, read
from lading.conversion.capture import capture
from lading.formats import open_artifact
from lading.formats.coreml import FORMAT as COREML
from lading.formats.mlmodel import FORMAT as MLMODEL
from lading.formats.onnx import FORMAT as ONNX
from lading.interface import Interface, Options, wrap
from lading.interface.settings import Settings
from lading.proof.weights.provenance import baked, trace
from lading.record import Provenance
from tests import toys

CHANNELS = Options(image="rgb", scale=0.0173, bias=(-2.1179, -2.0357, -1.8044))
ONE = Options(image="rgb", scale=1 / 127.5, bias=(-1.0,))
BOTH = Options(image="rgb", scale=0.0173, bias=CHANNELS.bias, bake=("zscore",))
ZSCORE = Options(image="rgb", bake=("zscore",))


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    path = tmp_path_factory.mktemp("baked") / "net.pt"
    torch.save(toys.net(3).state_dict(), path)
    return read(path)


def interface(options: Options) -> Interface:
    return wrap(toys.net(3), toys.task(3), options)


def traced(path: Path, checkpoint: Checkpoint, options: Options) -> Provenance:
    return trace(
        open_artifact(path), checkpoint, list(checkpoint.tensors), baked(interface(options))
    )


@pytest.mark.parametrize(
    ("options", "route"),
    [(CHANNELS, "export"), (BOTH, "trace"), (ONE, "export"), (ZSCORE, "export")],
)
def test_every_constant_is_known(
    checkpoint: Checkpoint, tmp_path: Path, options: Options, route: Any
) -> None:
    graph = capture(interface(options), route)
    for number, (kind, settings) in enumerate(
        [(ONNX, Settings()), (COREML, Settings("fp16")), (COREML, Settings("fp32")),
         (MLMODEL, Settings("fp16")), (MLMODEL, Settings("fp32"))]
    ):  # fmt: skip
        path = tmp_path / f"{number}{kind.suffix}"
        kind.convert(graph, settings, path)
        found = traced(path, checkpoint, options)
        assert found.finding == "made from this checkpoint", path
        assert not [c for c in found.constants if c.fate == "unknown"], path
        asked = [c for c in found.constants if c.evidence == "--bias, as it was asked for"]
        assert len(asked) == any(options.bias), path


def test_what_an_interface_bakes() -> None:
    assert list(baked(interface(CHANNELS))) == ["--bias"]
    assert baked(interface(CHANNELS))["--bias"].tolist() == pytest.approx(CHANNELS.bias)
    assert baked(interface(ZSCORE)) == {}
    assert baked(toys.interface()) == {}


@pytest.mark.parametrize("factor", [1.01, 0.9])
def test_a_bias_that_was_changed_is_not_the_one_asked_for(
    checkpoint: Checkpoint, tmp_path: Path, factor: float
) -> None:
    path = tmp_path / "net.onnx"
    ONNX.convert(capture(interface(CHANNELS), "export"), Settings(), path)
    model = onnx.load(str(path))
    one = next(i for i in model.graph.initializer if "prepare" in i.name)
    one.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(one) * np.float32(factor), one.name))
    onnx.save(model, str(path))
    found = traced(path, checkpoint, CHANNELS)
    assert found.finding == "same architecture, other weights"
    assert "in the place of --bias, which is another" in found.evidence
