"""Which readings of an fp16 file a bill holds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from lading.conversion.capture import capture
from lading.formats.coreml import FORMAT, artifact
from lading.formats.coreml.side import MilSide
from lading.interface.settings import Settings
from lading.proof import probes, readings
from lading.proof.original import Original
from lading.record import Reading
from tests.toys import interface

Read = Callable[[], tuple[tuple[Reading, ...], list[str]]]


@pytest.fixture
def read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Read:
    """The readings of a small segmentation, and what was run for them."""
    one = interface()
    original = Original(one, probes.make(one))
    FORMAT.convert(capture(one, "trace"), Settings(precision="fp16"), tmp_path / "a.mlpackage")
    run = MilSide._run
    ran: list[str] = []
    monkeypatch.setattr(
        MilSide, "_run", lambda self, *given: (ran.append(self.reading), run(self, *given))[1]
    )

    def told() -> tuple[tuple[Reading, ...], list[str]]:
        ran.clear()
        opened = FORMAT.open(tmp_path / "a.mlpackage")
        found = readings.read(opened, opened.record, original.drawn, original.outputs)
        return found, [*ran]

    return told


def test_all_three_of_a_small_file(read: Read) -> None:
    found, ran = read()
    assert [one.name for one in found] == ["float32", "declared", "half-accumulate"]
    assert sorted(ran) == ["declared", "float32", "half-accumulate"]
    best, likely, worst = (one.measurements[0] for one in found)
    assert best.value > likely.value > worst.value
    assert not any(readings.LEFT_OUT in one.why for one in (best, likely, worst))


def test_of_a_large_one_that_is_clear_of_its_gate_what_it_declares(
    read: Read, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(artifact, "_LONGEST", 0)
    (found,), ran = read()
    assert (found.name, ran) == ("declared", ["declared"])
    assert all(one.why.endswith(readings.LEFT_OUT) for one in found.measurements)


@pytest.mark.parametrize("at_least", [1000.0, float("nan")])
def test_of_a_large_one_near_its_gate_what_a_device_could_avoid(
    at_least: float, read: Read, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(artifact, "_LONGEST", 0)
    monkeypatch.setattr(readings, "CLEAR", at_least)
    found, ran = read()
    assert [one.name for one in found] == ["float32", "declared"]
    assert sorted(ran) == ["declared", "float32"]
    assert not any(readings.LEFT_OUT in one.why for two in found for one in two.measurements)
