"""The user's own tolerances: they decide, and the measured gates stay in sight."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from lading import cli, page
from lading.errors import RequestError
from lading.job.request import Convert
from lading.proof import own_gates
from lading.proof.original import Original
from lading.proof.verdict import GATES
from lading.record import Measurement
from tests.page.test_page import text_of

PROBES = ("a", "b")
VALUES = (90.0, 70.0)


def ratio(limits: Sequence[float]) -> Measurement:
    """The worst of two probes by how far each is from its gate."""
    at = min((0, 1), key=lambda i: VALUES[i] - limits[i])
    return Measurement("y", "psnr", VALUES[at], limits[at], "why", PROBES[at])


def test_under_one_gate_for_all_another_probe_is_the_worst() -> None:
    measured = own_gates.worst(ratio, (85.0, 60.0), PROBES, {})
    assert (measured.value, measured.gate, measured.own) == (90.0, 85.0, False)
    mine = own_gates.worst(ratio, (85.0, 60.0), PROBES, {"psnr": 80.0})
    assert (mine.value, mine.gate, mine.measured_gate, mine.passed) == (70.0, 80.0, 60.0, False)


def test_the_graph_the_scores_and_the_unsteady_keep_what_they_have() -> None:
    kept = [
        Measurement("y", "psnr", 50.0, 90.0, "why", reading="graph"),
        Measurement("y", "psnr", 50.0, 90.0, "why", of="scores"),
        Measurement("y", "psnr", 50.0, None, "why", steady=False),
        Measurement("y", "dice", 0.9, 0.5, "why"),
    ]
    assert own_gates.held(kept, {"psnr": 1.0}) == kept
    assert own_gates.unmet(kept, {"psnr": 1.0}) == ["no psnr was measured, for which --gate asks"]


def test_what_only_informed_can_be_gated() -> None:
    (one,) = own_gates.held([Measurement("y", "max_abs", 0.2, None, "informs")], {"max_abs": 0.1})
    assert (one.passed, one.gate, one.measured_gate, one.own) == (False, 0.1, None, True)


@pytest.mark.parametrize("text", ["psn=3", "psnr", "psnr=x", "psnr=-1", "accuracy=1", "psnr=nan"])
def test_what_is_no_gate(text: str) -> None:
    with pytest.raises(RequestError) as caught:
        Convert("a.pth", gate=[text])
    assert caught.value.expected.startswith("KIND=NUMBER")


def test_a_request_spells_them_again() -> None:
    asked = Convert("a.pth", gate={"psnr": 30, "agreement": 0.99})
    assert asked.gate == {"psnr": 30.0, "label_agreement": 0.99}
    assert asked.recorded()["options"]["gate"] == ["psnr=30.0", "label_agreement=0.99"]


def test_a_verdict_by_own_gates_says_so_everywhere(
    small_checkpoint: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setitem(GATES, "fp16", replace(GATES["fp16"], agreement=1.5))
    monkeypatch.setattr(Original, "agreement", lambda *_: (1.5, "more than all of them"))
    made = ["convert", str(small_checkpoint), "--to", "coreml", "-o", str(tmp_path / "out")]
    assert cli.main([*made, "--gate", "agreement=0.9"]) == 0
    said = "by your own gates alone: logits label_agreement "
    shown = capsys.readouterr().out
    assert said in shown.splitlines()[0]
    assert "≥ 90.000 %, own; measured 150.000 %" in " ".join(shown.split())
    bill = page.read(tmp_path / "out")
    drawn = text_of(page.render(bill))
    assert said in drawn
    assert "≥ 90.000 %, own; measured 150.000 %" in " ".join(drawn.split())
    assert "--gate label_agreement=0.9" in drawn  # "Repeat it"
    written = json.loads((tmp_path / "out" / "lading.json").read_text())
    (own,) = (m for c in written["comparisons"] for m in c["measurements"] if m.get("own"))
    assert (own["gate"], own["measured_gate"]) == (0.9, 1.5)
    artifact = str(next((tmp_path / "out").glob("*.mlpackage")))
    again = ["verify", artifact, "--against", str(small_checkpoint), "-o", "-", "--quiet"]
    assert cli.main(again) == 1
    assert cli.main([*again, "--gate", "agreement=0.9"]) == 0
    assert cli.main([*again, "--gate", "agreement=0.9", "--gate", "max_abs=0"]) == 1
