"""What a person reads: the verdict first, at most 80 columns, no colour when piped."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from lading.base.progress import Stages, counted
from lading.cli import terminal
from lading.cli.terminal import findings
from lading.errors import ConversionError
from lading.job.doctor import Check
from lading.record import (
    SCHEMA,
    ArtifactRecord,
    Bill,
    CaptureRecord,
    CheckpointRecord,
    Claim,
    Comparison,
    Conflict,
    HyperParameter,
    LedgerSummary,
    Measurement,
    Recognition,
    Settling,
    Station,
    Trajectory,
    Walk,
)
from lading.record.wording import RUNTIMES, number, summary
from tests import bills
from tests.toys import task

GOLD = Path(__file__).parent / "gold"
NASTY = "[bold]a[/bold] [/nothing] \x1b[31mred\x07"


def drawn(show: Callable[..., None], *arguments: Any, tty: bool = False, **options: Any) -> str:
    stream = io.StringIO()
    console = Console(
        file=stream, width=80, force_terminal=tty, color_system="truecolor" if tty else None
    )
    show(console, *arguments, **options)
    return stream.getvalue()


def compared(runtime: str, verdict: Any, reason: str = "", psnr: float = 71.26) -> Comparison:
    metrics = (
        Measurement("logits", "psnr", psnr, 40.0, "why", "noise-0"),
        Measurement("logits", "max_abs", 0.25, None, "why", "noise-0"),
        Measurement("logits", "label_agreement", 0.99931, 0.995, "why"),
    )
    return Comparison(
        "CAMUS.mlpackage", runtime, "torch", 0 if verdict == "not run" else 6,
        () if verdict == "not run" else metrics, (), verdict, reason,
    )  # fmt: skip


def bill(**changes: Any) -> Bill:
    one = task(size=256)
    artifact = ArtifactRecord(
        "coreml",
        "CAMUS.mlpackage",
        67_100_000,
        "ab" * 32,
        "fp16",
        one.inputs,
        one.outputs,
        "export",
    )
    plain = Bill(
        schema=SCHEMA, lading="0.1", verdict="pass",
        checkpoint=CheckpointRecord("weights.pth", "cd" * 32, 134_000_000, "torch zip"),
        family="nnunet", signs=(), hyperparameters=(), conflicts=(), task=one, ledger=(),
        ledger_summary=LedgerSummary(344, 128, 128, 216, 0, 0, 33_473_330),
        capture=CaptureRecord("export", "it took it"), artifacts=(artifact,), probes=(),
        comparisons=(
            compared("coreml", "not run", "Core ML exists on macOS only; this is Linux"),
            compared("mil", "pass"),
        ),
        request={}, notices=(), environment={},
    )  # fmt: skip
    return replace(plain, **changes)


def failed() -> Bill:
    reason = "logits psnr 12.5 misses its gate 40 (worst probe noise-0)"
    return bill(
        verdict="fail",
        comparisons=(compared("mil", "fail", reason, 12.5),),
        capture=CaptureRecord("trace", "x", (), ("coreml by export: ValueError: no such op",)),
        notices=("UserWarning: an op is experimental",),
    )


PRINTED = {"bill-pass": bill(), "bill-fail": failed(), "bill-full": bills.full()}


@pytest.mark.parametrize(("name", "one"), PRINTED.items())
def test_a_bill_as_it_is_printed(name: str, one: Bill) -> None:
    """After a change that is meant: ``python -m tests.page.gold``."""
    text = drawn(terminal.bill, one, Path("out"), Path("out"))
    assert text == (GOLD / f"{name}.txt").read_text(encoding="utf-8")
    assert text.startswith(one.verdict.upper())
    assert "\x1b" not in text


@pytest.mark.parametrize("verdict", ["pass", "fail", "not run"])
def test_the_verdict_comes_first(verdict: Any) -> None:
    one = bill(verdict=verdict, comparisons=(compared("mil", verdict, "why"),))
    lines = drawn(terminal.bill, one, None).splitlines()
    assert lines[0] == f"{verdict.upper()}  {summary(verdict, one.comparisons)}"


def test_a_terminal_gets_colour() -> None:
    text = drawn(terminal.bill, bill(), Path("out"), tty=True)
    assert "\x1b[1;32mPASS" in text


def test_what_was_not_run_comes_last_and_says_why() -> None:
    lines = drawn(terminal.comparisons, bill().comparisons).splitlines()
    assert [line.split()[0] for line in lines[1:3]] == ["mil", "logits"]
    assert lines[3].startswith(" coreml")
    assert "not run" in lines[3]


def test_numbers_have_their_gates_beside_them() -> None:
    text = drawn(terminal.comparisons, [compared("mil", "pass")])
    assert " ".join(text.split("\n")[1].split()) == "mil logits psnr 71.3 dB ≥ 40.0 dB 6 pass"
    assert "99.931 %  ≥ 99.500 %" in text
    assert "max_abs" not in text


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("psnr", math.inf, "equal"),
        ("psnr", -math.inf, "-inf dB"),
        ("psnr", math.nan, "nan dB"),
        ("label_agreement", 1.0, "100.000 %"),
        ("max_abs", 0.00012345, "0.0001234"),
    ],
)
def test_numbers(name: str, value: float, text: str) -> None:
    assert number(name, value) == text


def test_an_error_shows_its_four_parts_folded() -> None:
    error = ConversionError("ONNX", found="f" * 150, expected="e", remedy=NASTY)
    text = drawn(terminal.failure, error)
    lines = text.splitlines()
    assert lines[0] == "lading: ONNX"
    assert text.count("f") >= 150
    assert max(map(len, lines)) <= 80
    assert "[bold]a[/bold] [/nothing] ⟨U+001B⟩[31mred⟨U+0007⟩" in text


def nasty_inspection(console: Console) -> None:
    claims = (Claim("tensors", [NASTY], NASTY), Claim("embedded", NASTY, NASTY))
    recognition = Recognition(
        "f", NASTY, (), (HyperParameter(NASTY, NASTY, "assumed", NASTY, (NASTY,)),),
        (Conflict(NASTY, claims), Conflict("b", claims, NASTY)),
    )  # fmt: skip
    record = CheckpointRecord(NASTY, "00", 10, NASTY, (NASTY,))
    shapes = {f"{NASTY}.{NASTY}": (1, 2), "b": (), "c": (1,)}
    terminal.inspection(console, record, recognition, None, shapes, {"c": "b"}, NASTY)


def nasty_bill(console: Console) -> None:
    one = bill()
    port = replace(one.task.inputs[0], name=NASTY)
    worse = replace(
        compared("mil", "fail", NASTY),
        measurements=(Measurement(NASTY, "psnr", 1.0, 2.0, NASTY, NASTY),),
    )
    terminal.bill(
        console,
        replace(
            one,
            comparisons=(worse, compared("coreml", "not run", NASTY)),
            notices=(NASTY,),
            artifacts=(replace(one.artifacts[0], path=NASTY, inputs=(port,)),),
            capture=CaptureRecord("trace", NASTY, (), (NASTY,)),
        ),
        Path("out"),
    )


def nasty_artifact(console: Console) -> None:
    one = bill().artifacts[0]
    port = replace(one.inputs[0], name=NASTY)
    terminal.artifact(console, replace(one, path=NASTY, inputs=(port,), details={NASTY: NASTY}))


def nasty_doctor(console: Console) -> None:
    terminal.doctor(console, [Check(NASTY, "trouble", NASTY)])


def nasty_stages(console: Console) -> None:
    stages = Stages(console)
    stages("read", NASTY)
    stages.finish()


@pytest.mark.parametrize(
    "show", [nasty_inspection, nasty_bill, nasty_artifact, nasty_doctor, nasty_stages]
)
def test_a_strangers_text_is_shown_and_never_obeyed(show: Callable[[Console], None]) -> None:
    text = drawn(show)
    assert "\x1b" not in text
    assert "\x07" not in text
    assert "[/nothing]" in text


def test_an_inspection() -> None:
    hyper = HyperParameter("stages", [1, 2], "tensors", "encoder.*", ("3",))
    recognition = Recognition("nnunet", "nnU-Net v2", (), (hyper,))
    record = CheckpointRecord("weights.pth", "ab" * 32, 12_300, "torch zip", ("unwrapped x",))
    shown: Any = (
        record, recognition, LedgerSummary(3, 2, 2, 1, 0, 0, 9),
        {"a.w": (2, 3), "a.b": (3,), "c": (2, 3)}, {"c": "a.w"},
    )  # fmt: skip
    text = drawn(terminal.inspection, *shown, "it is odd", tensors=True)
    short = drawn(terminal.inspection, *shown)
    assert "├" not in short
    assert short.splitlines()[-1].endswith("next: lading convert weights.pth")
    claim = Claim([1, 2], "tensors", "encoder.*")
    torn = replace(recognition, conflicts=(Conflict("stages", (claim,), ""),))
    open_ = drawn(terminal.inspection, record, torn, *shown[2:])
    assert open_.splitlines()[-1] == "not settled: stages; say which: --set NAME=VALUE"
    for line in ("nnU-Net v2  weights.pth", "  torch zip, 12.3 kB", "  unwrapped x",
                 "  3 names, 2 tensors, 9 parameters; 0 unexplained",
                 "3 names over 2 tensors", "│   ├── w 2×3", "│   └── b 3",
                 "it cannot be converted as it is: it is odd"):  # fmt: skip
        assert line in text
    assert "1,2" in text
    assert "or 3; encoder.*" in text
    assert "and 1 second names of these" in text


def test_stages_say_how_long_they_took() -> None:
    def run(console: Console) -> None:
        stages = Stages(console)
        stages("read", "a.pth")
        stages("write", "x" * 200)
        stages.finish()
        stages.finish()

    lines = drawn(run).splitlines()
    assert lines[0].split(maxsplit=2)[2] == "read       a.pth"
    assert len(lines) == 2
    assert max(map(len, lines)) <= 80
    assert "\x1b" not in drawn(run)


def test_the_doctor() -> None:
    text = drawn(terminal.doctor, [Check("numpy 2.4", "trouble", "too new"), Check("a", "ok", "b")])
    assert [line.split() for line in text.splitlines()] == [
        ["trouble", "numpy", "2.4", "too", "new"],
        ["ok", "a", "b"],
    ]


# ----------------------------------------------------------------------------- what was settled
def settlings(console: Console, many: Sequence[Settling]) -> None:
    for one in many:
        terminal.settling(console, one)


def test_candidates_are_told_as_they_were() -> None:
    """After a change that is meant: ``python -m tests.page.gold``."""
    shown = drawn(settlings, bills.settlings())
    assert shown == (GOLD / "settlings.txt").read_text(encoding="utf-8")
    assert max(map(len, shown.splitlines())) <= 80


def test_inspect_and_convert_tell_the_same_of_them() -> None:
    shown = drawn(settlings, bills.settlings())
    one = bills.full()
    assert shown in drawn(terminal.bill, one, None)
    assert "settled" not in drawn(terminal.bill, replace(one, settlings=()), None)
    recognition = Recognition("f", "t", (), (), settlings=one.settlings)
    assert shown in drawn(terminal.inspection, one.checkpoint, recognition, None, {}, {})


def test_a_strangers_candidate_is_only_text() -> None:
    (one,) = bills.hostile().settlings
    assert "\x1b" not in drawn(terminal.settling, one)


def test_each_trajectory_is_a_line_with_its_gate() -> None:
    walked = Trajectory("A.onnx", "onnxruntime", "ddim", 2, 0, (9.0, 0.0), (140.0, 132.44), 2,
                        60.0, "", "pass")  # fmt: skip
    equal = replace(walked, runtime="mil", psnr=(math.inf, math.inf), parts=None, gate=35.0)
    lost = replace(walked, runtime="mil", verdict="fail", reason=f"it ends elsewhere {NASTY}")
    absent = replace(walked, runtime="coreml", psnr=(), verdict="not run", reason="no Mac")
    shown = drawn(findings.trajectories, [absent, walked, equal, lost]).splitlines()
    assert shown == [
        "  trajectory A.onnx in ONNX Runtime: 132.4 dB after 2 moves of ddim, gate ≥ 60.0 dB",
        f"  trajectory A.onnx in {RUNTIMES['mil']}: equal after 2 moves of ddim, gate ≥ 35.0 dB",
        f"  trajectory A.onnx in {RUNTIMES['mil']}: it ends elsewhere "
        "[bold]a[/bold] [/nothing] ⟨U+001B⟩[31mred⟨U+0007⟩",
        f"  trajectory A.onnx in {RUNTIMES['coreml']}: not run, no Mac",
    ]


# ---------------------------------------------------------------------------------------- tables
@given(st.lists(st.lists(st.text("ab./ ", max_size=60), min_size=3, max_size=3), max_size=5),
       st.integers(40, 120))  # fmt: skip
def test_a_table_fits_and_breaks_no_word(rows: list[list[str]], width: int) -> None:
    table = terminal.Table("first", ">second", "third")
    for row in rows:
        table.row(*row)
    stream = io.StringIO()
    table.show(Console(file=stream, width=width))
    shown = stream.getvalue().splitlines()
    assert max(map(len, shown), default=0) <= width
    known = {word for row in rows for cell in row for word in cell.split()}
    for word in " ".join(shown[1:]).split():
        head, cut, tail = word.partition("…")
        whole = word in known
        assert whole or (cut and any(w.startswith(head) and w.endswith(tail) for w in known))


def test_the_walk_s_paths_are_shortened_in_the_middle() -> None:
    """A path that was folded came in syllables: ``decoder.sta`` and ``ges.0.convs`` below it."""
    shown = drawn(findings.walk, walked_long())
    assert "…" in shown
    assert max(map(len, shown.splitlines()[2:])) <= 80
    for line in shown.splitlines()[3:]:
        assert line.split()[0] in ("→", *(word for word in line.split()[:1]))
        assert len(line.split()) >= 6


def walked_long() -> Walk:
    long = "decoder.encoder.stages.0.0.convs.0.all_modules.1.instance_normalisation"
    stations = tuple(
        Station(
            f"{long}_{i}", "instance_norm", f"{long}.{i}", "a.py:1", "value", 0.5, -1.0, 1.0, 0, 0
        )
        for i in range(3)
    )
    return Walk("out/A.mlpackage", "mil", "fp16", 3, 3, stations, stations[1].value, "why")


# ------------------------------------------------------------------------------- how far it is
def test_a_long_stage_moves_counts_and_says_what_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(0, 1000, 3))
    monkeypatch.setattr("time.monotonic", lambda: float(next(clock)))

    def work(console: Console) -> None:
        stages = Stages(console)
        stages("compare", "A.onnx")
        list(counted("abcd", "probes"))
        stages.finish()
        assert list(counted("ab", "more")) == ["a", "b"]  # nobody listens any more

    stream = io.StringIO()
    console = Console(file=stream, width=80, force_terminal=True)
    monkeypatch.setattr(console, "status", lambda line: Status(seen, line))
    seen: list[str] = []
    work(console)
    assert seen[0] == "compare    A.onnx"
    assert [line.split("A.onnx  ")[1].split(",")[0] for line in seen[1:]] == [
        f"{done} of 4 probes" for done in range(4)
    ]
    assert seen[-1].endswith("left")
    assert seen[0] in stream.getvalue()


class Status:
    """In the place of rich's, which draws from another thread."""

    def __init__(self, seen: list[str], line: Any) -> None:
        self.seen = seen
        seen.append(str(line))

    def start(self) -> None: ...

    def stop(self) -> None: ...

    def update(self, line: Any) -> None:
        self.seen.append(str(line))
