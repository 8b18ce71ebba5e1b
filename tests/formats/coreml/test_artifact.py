"""An ML Program, opened: which files are one, and what in it draws random numbers."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from coremltools.converters.mil import Builder
from torch import nn

from lading.conversion.capture import capture
from lading.formats import open_artifact
from lading.formats.coreml import FORMAT
from lading.formats.coreml.artifact import MLProgram
from lading.formats.coreml.side import MilSide
from lading.interface.settings import Settings
from lading.proof import compare, probes, readings
from lading.proof.original import Original
from tests.coreml.mil.conftest import save_built
from tests.toys import interface


def test_a_program_in_one_file(tmp_path: Path) -> None:
    """A ``.mlmodel`` may hold a program too, where its weights are not in a file of their own."""
    FORMAT.convert(
        capture(interface(), "trace"), Settings(precision="fp32"), tmp_path / "a.mlpackage"
    )
    inside = tmp_path / "a.mlpackage" / "Data" / "com.apple.CoreML"
    shutil.copytree(inside, tmp_path / "alone")
    artifact = open_artifact(tmp_path / "alone" / "model.mlmodel")
    assert isinstance(artifact, MLProgram)
    assert artifact.record.format == "coreml"


def test_statistics_change_no_bit_and_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The judge may look while it runs, and whoever asks for the same again is told."""
    one = interface()
    FORMAT.convert(capture(one, "trace"), Settings(precision="fp16"), tmp_path / "a.mlpackage")
    artifact, probe = FORMAT.open(tmp_path / "a.mlpackage"), probes.make(one)[0]
    for reading in artifact.readings:
        assert artifact.seen(probe.inputs, reading) is None
        outputs, _ = artifact.statistics(probe.inputs, reading)
        plain = artifact.side(reading).run(probe.inputs)
        assert {n: (a.dtype, a.tobytes()) for n, a in outputs.items()} == {
            n: (a.dtype, a.tobytes()) for n, a in plain.items()
        }
    other = probes.make(one)[1]
    outputs, _ = artifact.statistics(other.inputs, "declared")
    plain = artifact.side().run(other.inputs)
    assert {n: a.tobytes() for n, a in outputs.items()} == {
        n: a.tobytes() for n, a in plain.items()
    }
    assert artifact.seen(probe.inputs, "declared") is None
    artifact.statistics(probe.inputs, "declared")
    monkeypatch.setattr(MilSide, "_run", lambda *_: pytest.fail("it was run again"))
    for reading in artifact.readings:
        assert artifact.statistics(probe.inputs, reading)[0] is artifact.seen(probe.inputs, reading)
    assert artifact.seen(dict(probe.inputs), "declared") is None


@pytest.mark.parametrize(("alone", "times"), [(True, 0), (False, 1)])
def test_what_is_told_of_the_declared_reading_is_measured_in_the_run_that_is_judged(
    alone: bool, times: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the file itself; not of what runs in its place."""
    one = interface()
    original = Original(one, probes.make(one))
    FORMAT.convert(capture(one, "trace"), Settings(precision="fp16"), tmp_path / "a.mlpackage")
    artifact = FORMAT.open(tmp_path / "a.mlpackage")
    original.widen(artifact)
    side, runtime = artifact.side(), artifact.runtime("mil")
    found = compare.compare(original, artifact, artifact.record, runtime, side, alone=alone)
    assert found.verdict == "pass"
    ran: list[str] = []
    run = MilSide._run
    monkeypatch.setattr(
        MilSide, "_run", lambda self, *given: (ran.append(self.reading), run(self, *given))[1]
    )
    told = readings.read(artifact, artifact.record, original.drawn, original.outputs)
    assert [one.name for one in told] == ["float32", "declared", "half-accumulate"]
    assert ran.count("declared") == times


def test_what_draws_random_numbers_is_never_passed(tmp_path: Path) -> None:
    """However small they are: what is drawn in one run says nothing of the next."""

    def program(image):  # type: ignore[no-untyped-def]
        drawn = Builder.random_normal(shape=(1, 1, 16, 16), stddev=1e-9, seed=1, name="drawn")
        return Builder.add(x=image, y=drawn, name="logits")

    path = save_built(program, {"image": ((1, 1, 16, 16), "fp32")}, "iOS16", tmp_path)
    artifact = FORMAT.open(path)
    assert artifact.randomness() == "random_normal drawn draws random numbers"
    one = interface(classes=1)
    one.module.network = nn.Identity()
    original = Original(one, probes.make(one))
    verdicts = {
        comparison.runtime: (comparison.verdict, comparison.reason)
        for comparison in compare.every_runtime(
            original, artifact, artifact.record, lambda *_: None
        )
    }
    assert verdicts["mil"] == ("fail", "random_normal drawn draws random numbers")
