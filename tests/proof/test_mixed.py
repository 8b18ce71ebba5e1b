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
from lading.formats import artifact_target, target
from lading.interface import Interface
from lading.interface.settings import Settings
from lading.job.voyage import Voyage
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
    voyage = Voyage(original.interface, settings, original, silent, Notices())
    return voyage.carry(target("coreml"), "net", folder, "trace")


@pytest.fixture(scope="module")
def broken(original: Original, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("broken")
    one = carried(original, Settings(), folder)
    assert not one.passed
    return folder / str(one.artifact.path)


@pytest.fixture(scope="module")
def record(broken: Path, large: Interface) -> ArtifactRecord:
    found = artifact_target(broken).describe(broken)
    return replace(found, inputs=large.inputs, outputs=large.outputs)


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
    half = mixed.operations(tmp_path / one.artifact.path)
    assert len(half) > len(kept)


def test_auto_changes_nothing_where_fp16_passes(tmp_path: Path) -> None:
    interface = toys.interface()
    one = carried(Original(interface, probes.make(interface)), Settings(auto=True), tmp_path)
    assert one.passed
    assert "search" not in one.artifact.details
    assert "fp32 operations" not in one.artifact.details


def test_the_search_is_minimal_and_says_when_fp32_does_not_help(broken: Path) -> None:
    names = mixed.operations(broken)
    needed = {names[2], names[-2]}

    def passes(session: Any) -> bool:
        return needed <= asked[-1]

    asked: list[frozenset[str]] = []
    genuine = mixed.Mixed

    class Noted(genuine):  # type: ignore[misc, valid-type]
        def __init__(self, path: Path, kept: frozenset[str]) -> None:
            asked.append(kept)

    mixed.Mixed = Noted  # type: ignore[misc]
    try:
        found = mixed.search(broken, passes)
        hopeless = mixed.search(broken, lambda session: False)
    finally:
        mixed.Mixed = genuine  # type: ignore[misc]
    assert {name.removesuffix(mixed.SUFFIX) for name in needed} == set(found.kept)
    assert found.passes
    assert (hopeless.passes, hopeless.kept, len(hopeless.trials)) == (False, (), 2)


def test_all_in_fp32_is_the_float32_reading(broken: Path, original: Original) -> None:
    from lading.coreml import mil

    probe = original.drawn[0]
    every = mixed.Mixed(broken, frozenset(mixed.operations(broken))).run(probe.inputs)
    wide = mil.load(broken).predict(dict(probe.inputs), precision="float32")
    # the input's own cast to fp16 is an operation too, and stays one: half a rounding of 2^-11
    np.testing.assert_allclose(every["logits"], wide["logits"], atol=0.02)


def test_readings_name_what_overflows(
    broken: Path, record: ArtifactRecord, original: Original
) -> None:
    found = readings.read(broken, record, original.drawn, original.outputs)
    by_name = {one.name: one for one in found}
    assert set(by_name) == {"float32", "declared", "half-accumulate"}
    assert by_name["float32"].metrics[0].value > 60
    assert not by_name["declared"].metrics[0].value > 40  # NaN, or far below
    assert sum(by_name["declared"].overflows.values()) > 0
    assert max(by_name["float32"].near_limit.values()) > 65504
    assert all(metric.gate is None for one in found for metric in one.metrics)


def test_no_reading_of_what_does_not_round(original: Original, tmp_path: Path) -> None:
    one = carried(original, Settings("fp32"), tmp_path)
    path = tmp_path / one.artifact.path
    assert one.passed
    assert readings.read(path, one.artifact, original.drawn, original.outputs) == ()
