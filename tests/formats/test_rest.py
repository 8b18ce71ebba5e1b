"""An artifact that rests holds no weights, and answers as before when it is asked again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnx import ModelProto

from lading.coreml import mil, neuralnetwork
from lading.formats import Artifact, Format, formats, open_artifact
from lading.formats.onnx.side import OnnxSide
from lading.job import convert
from lading.job.conversion import Converted
from lading.job.request import Convert
from tests.formats.conftest import Carried

EVERY = pytest.mark.parametrize("form", formats().values(), ids=list(formats()))


def held(artifact: Artifact) -> set[str]:
    """Names of what in an opened file holds weights, whatever its format calls heavy."""
    loaded = (ModelProto, mil.Model, neuralnetwork.Model)
    return {name for name, value in vars(artifact).items() if isinstance(value, loaded)}


@EVERY
def test_it_answers_as_before(form: Format, carried: Carried) -> None:
    artifact = open_artifact(carried.path(form.name))
    (port,) = artifact.record.inputs
    fed = {port.name: np.random.default_rng(0).random(port.shape, np.float32)}
    before = [one.values for one in artifact.constants()]
    gave = artifact.side().run(fed)
    assert held(artifact)
    artifact.rest()
    assert not held(artifact)
    again = artifact.side().run(fed)
    assert all(np.array_equal(again[name], value) for name, value in gave.items())
    for one, other in zip(artifact.constants(), before, strict=True):
        assert np.array_equal(one.values, other)


def test_a_conversion_ends_with_all_of_them_at_rest(
    carried: Carried, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """While one format is compared the other's weights are not in memory."""
    seen: list[Artifact] = []
    placed = convert.Conversion.convert

    def kept(self: convert.Conversion, *more: object) -> object:
        assert not any(map(held, seen))
        made = placed(self, *more)  # type: ignore[arg-type]
        if isinstance(made, Converted):
            seen.append(made.opened)
        return made

    monkeypatch.setattr(convert.Conversion, "convert", kept)
    convert.convert(Convert(carried.checkpoint, tmp_path / "out", to=("coreml", "onnx")))
    assert len(seen) == 2
    assert not held(seen[1])


def test_ones_own_file_lies_in_memory_once(carried: Carried) -> None:
    """What runs it has the weights; the file is read again where they are asked for."""
    artifact = formats()["onnx"].open(carried.path("onnx"), own=True)
    before = [one.values for one in artifact.constants()]
    side = artifact.side()
    assert not held(artifact)
    assert isinstance(side, OnnxSide)
    assert not any(one.raw_data for one in side.model.graph.initializer)
    (port,) = artifact.record.inputs
    fed = {port.name: np.random.default_rng(0).random(port.shape, np.float32)}
    stranger = open_artifact(artifact.path).side()
    for look_at in ((), tuple(one.name for one in side.graph)[:3]):
        for (name, got), other in zip(
            side.run(fed, look_at).items(), stranger.run(fed, look_at).values(), strict=True
        ):
            assert np.array_equal(got, other), name
    for one, other in zip(artifact.constants(), before, strict=True):
        assert np.array_equal(one.values, other)
