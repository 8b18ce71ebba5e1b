"""Readings of an fp16 program, and the search for what must stay in fp32."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from lading.base.notices import Notices
from lading.conversion.graphs import Graphs
from lading.coreml import mil
from lading.formats.coreml import FORMAT
from lading.formats.coreml.artifact import MLProgram
from lading.interface import Interface
from lading.interface.settings import Settings
from lading.job.conversion import Conversion
from lading.proof import mixed, probes, readings
from lading.proof.original import Original
from lading.record import ArtifactRecord
from tests import toys


class Large(nn.Module):
    """A value of 131072 on the way, which nothing is left of in fp32."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = toys.net()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out = self.inner(x)
        part = torch.tanh(out)
        large = torch.relu(part * 131_072.0)
        scores: torch.Tensor = out + (large / 131_072.0 - torch.relu(part))
        return scores


def silent(stage: str, detail: str) -> None:
    return None


@pytest.fixture(scope="module")
def large() -> Interface:
    interface = toys.interface()
    interface.module.network = Large().eval()
    return interface


@pytest.fixture(scope="module")
def original(large: Interface) -> Original:
    return Original(large, probes.make(large))


def carried(original: Original, settings: Settings, folder: Path) -> Any:
    conversion = Conversion(Graphs(original.interface), settings, original, silent, Notices())
    return conversion.convert(FORMAT, "net", folder, "trace")


@pytest.fixture(scope="module")
def broken(original: Original, tmp_path_factory: pytest.TempPathFactory) -> MLProgram:
    folder = tmp_path_factory.mktemp("broken")
    one = carried(original, Settings(), folder)
    assert not one.passed
    return FORMAT.open(folder / str(one.artifact.path))


@pytest.fixture(scope="module")
def record(broken: MLProgram, large: Interface) -> ArtifactRecord:
    return replace(broken.record, inputs=large.inputs, outputs=large.outputs)


def test_auto_keeps_the_fewest_and_passes(original: Original, tmp_path: Path) -> None:
    one = carried(original, Settings(auto=True), tmp_path)
    assert one.passed
    assert one.artifact.precision == "fp16"
    kept = one.artifact.details["fp32 operations"].split(", ")
    assert 1 <= len(kept) <= 5
    told = one.artifact.details["search"].split("; ")
    assert told[0].startswith("0 of ")
    assert told[0].endswith("fail")
    assert any(trial.endswith("pass") for trial in told)
    half = mixed.operations(FORMAT.open(tmp_path / one.artifact.path).model)
    assert len(half) > len(kept)


def test_auto_changes_nothing_where_fp16_passes(tmp_path: Path) -> None:
    interface = toys.interface()
    one = carried(Original(interface, probes.make(interface)), Settings(auto=True), tmp_path)
    assert one.passed
    assert "search" not in one.artifact.details
    assert "fp32 operations" not in one.artifact.details


def test_the_search_is_minimal_and_says_when_fp32_does_not_help(broken: MLProgram) -> None:
    names = mixed.operations(broken.model)
    needed = {names[2], names[-2]}

    def wide(model: mil.Model) -> set[str]:
        (function,) = model.program.functions.values()
        return {op.name for op in function.block.operations if op.name in names and not op.half}

    found = mixed.search(broken.model, lambda model: needed <= wide(model))
    hopeless = mixed.search(broken.model, lambda model: False)
    assert {name.removesuffix(mixed.SUFFIX) for name in needed} == set(found.kept)
    assert found.passes
    assert (hopeless.passes, hopeless.kept, len(hopeless.trials)) == (False, (), 2)


def test_all_in_fp32_is_the_float32_reading(broken: MLProgram, original: Original) -> None:
    probe = original.drawn[0]
    every = mixed.mixed(broken.model, frozenset(mixed.operations(broken.model)))
    got = broken.with_model(every).run(probe.inputs)
    wide = broken.side("float32").run(probe.inputs)
    # the input's own cast to fp16 is an operation too, and stays one: half a rounding of 2^-11
    np.testing.assert_allclose(got["logits"], wide["logits"], atol=0.02)


def test_readings_name_what_overflows(
    broken: MLProgram, record: ArtifactRecord, original: Original
) -> None:
    found = readings.read(broken, record, original.drawn, original.outputs)
    by_name = {one.name: one for one in found}
    assert set(by_name) == {"float32", "declared", "half-accumulate"}
    assert by_name["float32"].measurements[0].value > 60
    assert not by_name["declared"].measurements[0].value > 40  # NaN, or far below
    assert sum(by_name["declared"].overflows.values()) > 0
    assert max(by_name["float32"].near_limit.values()) > 65504
    assert all(m.gate is None and m.reading == one.name for one in found for m in one.measurements)


def test_no_reading_of_what_does_not_round(original: Original, tmp_path: Path) -> None:
    one = carried(original, Settings("fp32"), tmp_path)
    assert one.passed
    assert readings.read(one.opened, one.artifact, original.drawn, original.outputs) == ()
