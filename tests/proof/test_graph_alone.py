"""An fp16 file's graph alone, judged in fp32, and what the bill says where there is none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lading.errors import ProgramError
from lading.formats import open_artifact
from lading.formats.coreml.artifact import MLProgram
from lading.interface.matching import matched
from lading.proof import alone, compare, metrics, probes
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
    return beside(subject, path)[0]


def beside(subject: Any, path: Path) -> tuple[Comparison, Original]:
    artifact = open_artifact(path)
    record, interface = matched(artifact.record, subject.interface())
    original = Original(interface, probes.make(interface))
    many = compare.every_runtime(original, artifact, record, lambda *_: None)
    return next(one for one in many if one.runtime == "mil"), original


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


def counted(monkeypatch: pytest.MonkeyPatch, off: float = 0.0) -> list[int]:
    """Runs of the graph alone from now on; each output is off by so much of its largest."""
    runs: list[int] = []
    plain = MLProgram.widened

    def widened(self: MLProgram, restore: Any) -> Any:
        side = plain(self, restore)
        own, place = side.run, len(runs)
        runs.append(0)

        def run(inputs: Any, look_at: Any = ()) -> Any:
            runs[place] += 1
            return {n: v + np.float32(off * abs(v).max()) for n, v in own(inputs, look_at).items()}

        side.run = run  # type: ignore[method-assign]
        return side

    monkeypatch.setattr(MLProgram, "widened", widened)
    return runs


def test_a_right_graph_is_read_at_the_worst_probes_alone(
    half: tuple[Any, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = counted(monkeypatch)
    one, original = beside(*half)
    read = [m for m in one.measurements if m.reading == "graph" and m.kind == "psnr"]
    far = sum(probe.far for probe in original.drawn)
    assert one.verdict == "pass"
    assert runs == [alone.TELLING + far]
    assert all(f"; {runs[0]} of {one.probes + far} probes" in m.why for m in read)


def test_it_is_read_where_the_file_is_furthest_off(
    half: tuple[Any, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[bytes] = []
    plain = MLProgram.widened

    def digest(inputs: Any) -> bytes:
        return b"".join(np.asarray(inputs[name], np.float32).tobytes() for name in sorted(inputs))

    def widened(self: MLProgram, restore: Any) -> Any:
        side = plain(self, restore)
        own = side.run
        side.run = lambda inputs, *more: read.append(digest(inputs)) or own(inputs, *more)  # type: ignore[method-assign,func-returns-value]
        return side

    monkeypatch.setattr(MLProgram, "widened", widened)
    _, original = beside(*half)
    file = open_artifact(half[1]).side()
    near = [place for place, probe in enumerate(original.drawn) if not probe.far]

    def ratio(place: int) -> float:
        got, wanted = file.run(original.drawn[place].inputs), original.outputs[place]
        return min(metrics.psnr(wanted[name], got[name]) for name in wanted)

    worst = sorted(near, key=ratio)[: alone.TELLING]
    near_read = {place for place in near if digest(original.drawn[place].inputs) in read}
    assert near_read == {*worst}


def test_a_graph_that_misses_is_read_at_every_probe(
    half: tuple[Any, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = counted(monkeypatch, off=1e-3)
    one = of_mil(*half)
    read = [m for m in one.measurements if m.reading == "graph" and m.kind == "psnr"]
    assert one.verdict == "fail"
    assert min(runs) > alone.TELLING + 1
    assert not any("furthest off" in m.why for m in read)
