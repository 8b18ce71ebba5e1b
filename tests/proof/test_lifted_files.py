"""What the lifted reading of an fp16 file is for, and what the bill says where there is none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lading.errors import ProgramError
from lading.formats import artifact_target
from lading.interface.matching import matched
from lading.proof import lifted_files, probes
from lading.proof.judge import compared
from lading.proof.lifted_files import UNJUDGED, notices
from lading.proof.original import Original
from lading.record import Comparison
from tests.mutants import networks
from tests.mutants.court import carry


@pytest.fixture(scope="module")
def half(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Path]:
    """An fp16 program, and the original beside it."""
    subject = networks.module(11)
    path = carry(subject, "fp16", tmp_path_factory.mktemp("half") / "a")
    return subject, path


def of_mil(subject: Any, path: Path) -> Comparison:
    record, interface = matched(artifact_target(path).describe(path), subject.interface())
    original = Original(interface, probes.make(interface))
    many = compared(record, path, original, lambda *_: None)
    return next(one for one in many if one.runtime == "mil")


def test_the_graph_is_judged_beside_the_rounded_file(half: tuple[Any, Path]) -> None:
    one = of_mil(*half)
    assert one.verdict == "pass"
    assert any(m.name.endswith("graph psnr") for m in one.metrics)
    assert notices([one]) == []


def test_a_file_that_cannot_be_lifted_is_judged_as_it_is_and_that_is_said(
    half: tuple[Any, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: Any) -> Any:
        raise ProgramError("a", found="no kernel for it in float32", expected="b", remedy="c")

    monkeypatch.setattr(lifted_files, "graph_of", refused)
    one = of_mil(*half)
    assert one.verdict == "pass"
    assert not any(m.name.endswith("graph psnr") for m in one.metrics)
    ratios = [m for m in one.metrics if m.name.endswith(" psnr")]
    assert ratios
    assert all(f"{UNJUDGED}: no kernel for it in float32" in m.reason for m in ratios)
    (told,) = notices([one])
    assert told.endswith(f"in mil: {UNJUDGED}: no kernel for it in float32")
