"""Two bills side by side: what changed is told, what did not is counted."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lading import cli
from lading.cli import terminal
from lading.page import diff
from lading.record import Bill, Measurement, Trajectory, to_json
from lading.record.measurement import KINDS
from tests import bills
from tests.cli.test_terminal import drawn
from tests.page.test_page import parsed, text_of

GOLD = Path(__file__).parent / "gold"


def retrained() -> Bill:
    """The same network with one tensor trained on, a smaller file and a newer torch."""
    one = bills.full()
    ledger = (replace(one.ledger[0], sha256="99" * 32), *one.ledger[1:])
    better = replace(one.comparisons[0].measurements[0], value=60.0)
    rest = one.comparisons[0].measurements[1:]
    compared = replace(one.comparisons[0], measurements=(better, *rest))
    return replace(
        one,
        ledger=ledger,
        artifacts=(replace(one.artifacts[0], bytes=40_000_000, sha256="77" * 32,
                           precision="fp32"), one.artifacts[1]),
        comparisons=(compared, *one.comparisons[1:]),
        environment={**one.environment, "torch": "2.14.0"},
        capture=replace(one.capture, route="trace") if one.capture else None,
        hyperparameters=one.hyperparameters[:-1],
    )  # fmt: skip


def sections(found: diff.Difference) -> dict[str, list[diff.Change]]:
    return {section.title: list(section.changes) for section in found.sections}


def test_a_bill_does_not_differ_from_itself() -> None:
    for make in (bills.full, bills.failed, bills.bare, bills.hostile):
        found = diff.compare(make(), make())
        assert found.equal
        assert not any(sections(found).values())


def test_each_change_stands_in_its_section() -> None:
    changes = sections(diff.compare(bills.full(), retrained()))
    (weight,) = changes["Weights"]
    assert weight.what == "encoder.stages.0.0.convs.0.conv.weight"
    assert weight.note == "other values"
    assert [c.what for c in changes["Graph"]] == ["route", "Core ML precision"]
    (parameter,) = changes["Hyper-parameters"]
    assert (parameter.what, parameter.kind) == ("norm_eps", "only in A")
    (error,) = changes["Error"]
    assert error.what == "mlpackage in lading.coreml.mil: logits psnr"
    assert (error.a, error.b, error.note) == ("57.3 dB", "60.0 dB", "better")
    (size,) = changes["Size"]
    assert (size.a, size.b, size.note) == ("67.1 MB", "40.0 MB", "-27,100,000 bytes")
    assert [(c.what, c.a, c.b) for c in changes["Environment"]] == [("torch", "2.13.0", "2.14.0")]
    assert changes["Verdict"] == []


def test_turned_round_better_is_worse() -> None:
    (error,) = sections(diff.compare(retrained(), bills.full()))["Error"]
    assert error.note == "worse"
    (parameter,) = sections(diff.compare(retrained(), bills.full()))["Hyper-parameters"]
    assert parameter.kind == "only in B"


@given(st.floats(), st.floats(), st.sampled_from(list(KINDS)))
def test_a_number_changed_unless_it_is_the_same(a: float, b: float, kind: str) -> None:
    def told(value: float) -> Bill:
        measured = Measurement("logits", kind, value, None, "")
        one = bills.full()
        return replace(one, comparisons=(replace(one.comparisons[0], measurements=(measured,)),))

    changes = sections(diff.compare(told(a), told(b)))["Error"]
    same = a == b or (math.isnan(a) and math.isnan(b))
    assert bool(changes) is not same
    if changes:
        word = "better" if (b > a) == (KINDS[kind].better == "higher") else "worse"
        word = "" if KINDS[kind].better == "none" else word
        assert changes[0].note == ("no number" if math.isnan(a) or math.isnan(b) else word)


def test_in_the_terminal_as_it_was() -> None:
    found = diff.compare(bills.full(), retrained(), ("before", "after"))
    text = drawn(terminal.difference, found, Path("diff.html"))
    assert text == (GOLD / "diff.txt").read_text(encoding="utf-8")
    assert max(map(len, text.splitlines())) <= 80
    assert "\x1b" not in text


def test_the_page_says_the_same() -> None:
    found = diff.compare(bills.full(), retrained(), ("before", "after"))
    page = diff.render(found)
    assert text_of(page) == (GOLD / "diff-page.txt").read_text(encoding="utf-8")


def test_a_strangers_text_makes_no_element() -> None:
    page = diff.render(diff.compare(bills.full(), bills.hostile()))
    page.encode("utf-8")
    kinds = [tag for tag, _ in parsed(page).elements]
    assert kinds.count("script") == 1
    assert "img" not in kinds


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, bill in (("a", bills.full()), ("b", retrained())):
        (tmp_path / name).mkdir()
        (tmp_path / name / "lading.json").write_text(json.dumps(to_json(bill)), encoding="utf-8")
    a, b, page = tmp_path / "a", tmp_path / "b" / "lading.json", tmp_path / "diff.html"
    assert cli.main(["diff", str(a), str(a), "--quiet"]) == 0
    assert cli.main(["diff", str(a), str(b), "-o", str(page)]) == 1
    assert capsys.readouterr().out.startswith("CHANGED\n")
    assert "What changed" in page.read_text(encoding="utf-8")
    assert cli.main(["diff", str(a), str(b), "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["equal"] is False
    assert cli.main(["diff", str(a), "nowhere"]) == 2


def test_a_trajectory_that_ends_elsewhere_is_a_change_of_error() -> None:
    def walked(end: float) -> Bill:
        one = Trajectory("CAMUS.onnx", "onnxruntime", "ddim", 2, 0, (9.0, 0.0), (140.0, end), 2,
                         60.0, "", "pass")  # fmt: skip
        return replace(bills.full(), trajectories=(one,))

    (change,) = sections(diff.compare(walked(130.0), walked(59.0)))["Error"]
    assert change.what == "onnx in ONNX Runtime: 2 moves of ddim, psnr"
    assert (change.a, change.b, change.note) == ("130.0 dB", "59.0 dB, missed", "worse")
    (alone,) = sections(diff.compare(walked(130.0), bills.full()))["Error"]
    assert alone.kind == "only in A"
    assert diff.compare(walked(130.0), walked(130.0)).equal


def test_markdown_for_a_pull_request(tmp_path: Path) -> None:
    text = diff.markdown(diff.compare(bills.full(), retrained(), ("before", "after")))
    assert text.startswith("**CHANGED**: `before` pass → `after` pass\n")
    assert "<summary>Weights: 1 changed</summary>" in text
    assert "| `encoder.stages.0.0.convs.0.conv.weight` |" in text
    assert diff.markdown(diff.compare(bills.full(), bills.full())).startswith("**SAME**")
    for name, one in (("before", bills.full()), ("after", retrained())):
        (tmp_path / name).write_text(json.dumps(to_json(one)))
    words = ["diff", str(tmp_path / "before"), str(tmp_path / "after"), "--quiet"]
    assert cli.main([*words, "-o", str(tmp_path / "a.md")]) == 1
    assert (tmp_path / "a.md").read_text().startswith("**CHANGED**")


@given(st.text())
def test_a_strangers_name_stays_in_its_cell(name: str) -> None:
    """No end of the cell, of the code span or of the line is in what stands between its marks."""
    span = diff.code(name)
    fence = span[: len(span) - len(span.lstrip("`"))]
    inside = span[len(fence) : len(span) - len(fence)]
    assert "\n" not in span
    assert not fence or fence not in inside
    assert "|" not in inside
