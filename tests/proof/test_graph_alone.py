"""An fp16 file's graph alone, judged in fp32, and what the bill says where there is none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lading.errors import ProgramError
from lading.formats import open_artifact
from lading.formats.coreml.artifact import MLProgram
from lading.interface.matching import matched
from lading.proof import compare, probes
from lading.proof.original import Original
from lading.record import Comparison, Unproved
from lading.record.wording import left_open
from tests.mutants import networks
from tests.mutants.court import carry


@pytest.fixture(scope="module")
def half(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Path]:
    """An fp16 program, and the original beside it."""
    subject = networks.module(11)
    path = carry(subject, "fp16", tmp_path_factory.mktemp("half") / "a")
    return subject, path


def of_mil(subject: Any, path: Path) -> Comparison:
    artifact = open_artifact(path)
    record, interface = matched(artifact.record, subject.interface())
    original = Original(interface, probes.make(interface))
    many = compare.every_runtime(original, artifact, record, lambda *_: None)
    return next(one for one in many if one.runtime == "mil")


def test_the_graph_is_judged_beside_the_rounded_file(half: tuple[Any, Path]) -> None:
    one = of_mil(*half)
    assert one.verdict == "pass"
    assert any(m.reading == "graph" for m in one.measurements)
    assert one.unproved == ()


def test_a_file_that_cannot_be_widened_is_judged_as_it_is_and_that_is_said(
    half: tuple[Any, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: Any) -> Any:
        raise ProgramError("a", found="no kernel for it in float32", expected="b", remedy="c")

    monkeypatch.setattr(MLProgram, "widened", refused)
    one = of_mil(*half)
    assert one.verdict == "pass"
    assert not any(m.reading == "graph" for m in one.measurements)
    assert one.unproved == (Unproved("graph", "no kernel for it in float32"),)
    (told,) = left_open([one])
    assert told == (
        f"{one.artifact} in mil: the graph alone, without its rounding, could not be judged: "
        "no kernel for it in float32"
    )
