"""``lading bench`` as a user meets it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lading import cli
from lading.cli.commands import console
from lading.cli.terminal import timing
from lading.conversion.capture import capture
from lading.formats import format_named
from lading.interface.settings import Settings
from lading.record.bench import Bench, Cost, Placed, Profile, Sized, Spent, Timing
from tests.toys import interface

NOWHERE = "Core ML exists on macOS only; this is Linux"
DONE = Bench(
    (
        Timing("out/a.pth", "torch", median=0.002, p95=0.003, mean=0.002, fastest=0.001, calls=4,
               per_second=500, cpu=0.004, ratio=1, to_fastest=2, rounds=(1,), threads=2,
               memory=300_000_000, before=200_000_000),
        Timing("out/a.onnx", "onnxruntime", median=0.001, p95=0.0015, mean=0.001, fastest=0.001,
               calls=4, per_second=1000, cpu=0.002, ratio=0.5, to_fastest=1, rounds=(0.5,),
               threads=2, memory=250_000_000, before=210_000_000),
        Timing("out/a.mlpackage", "coreml", reason=NOWHERE),
    ),
    (
        Sized("out/a.pth", 150_000, {"x": (1, 3, 8, 8)}, Cost("out/a.pth", 2_500_000, 0, 9, 36, 2)),
        Sized("out/a.onnx", 90_000, {"x": (1, 3, 8, 8)}, Cost("a.onnx", 1_000, 1, 9, 36, 2)),
    ),
    2, 1, 0.5, 3, {"cores": "4"}, ("something else",),
)  # fmt: skip


@pytest.fixture(scope="module")
def onnx(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bench") / "net.onnx"
    format_named("onnx").convert(capture(interface(), "trace"), Settings(), path)
    return path


def shown(done: Bench, capsys: pytest.CaptureFixture[str]) -> str:
    timing.bench(console(), done, 10)
    return capsys.readouterr().out


def test_the_answer_first_then_a_row_a_runtime(capsys: pytest.CaptureFixture[str]) -> None:
    lines = shown(DONE, capsys).splitlines()
    first = "a.onnx in ONNX Runtime is the fastest: 1.00 ms a call, 1,000 calls/s"
    assert lines[0] == f"{first}, 2.00 times as fast as a.pth in PyTorch"
    (row,) = [line for line in lines if line.startswith(" ONNX Runtime")]
    assert row.split()[2:] == ["1.00", "1.50", "2.00", "1,000", "0.50", "1.00", "250.0", "MB"]
    assert f"   Core ML: not run: {NOWHERE}" in lines
    assert any("2 threads on 4 cores; input x 1×3×8×8; 1 round" in line for line in lines)
    assert any("at least 1.00 k" in line for line in lines)
    assert lines[-1] == "  something else"


def test_nothing_that_ran(capsys: pytest.CaptureFixture[str]) -> None:
    done = Bench(DONE.timings[2:], DONE.sizes, 2, 1, 0.5, 3, {"cores": "4"})
    assert shown(done, capsys).startswith(f"nothing was run: {NOWHERE}")


def test_a_profile_is_shown_as_far_as_was_asked(capsys: pytest.CaptureFixture[str]) -> None:
    rows = tuple(Spent(f"kind{n}", "op", "", 0.001, 1) for n in range(4))
    watched = Profile(0.004, rows, (Spent("", "", "", 0.001, 1),), calls=3)
    planned = Profile(
        0.0, plan=(Placed("conv", "Neural Engine", 2, 0.8), Placed("add", "", 1, None))
    )
    absent = Profile(0.0, reason="it shows none")
    timings = [
        replace(one, reason="", median=0.004, ratio=2.0, to_fastest=4.0, profile=made)
        for one, made in zip(DONE.timings, (watched, planned, absent), strict=True)
    ]
    timing.bench(console(), replace(DONE, timings=tuple(timings)), 2)
    told = capsys.readouterr().out
    assert "a.pth in PyTorch: 4.00 ms a call while it is watched" in told
    assert "kind1" in told
    assert "kind2" not in told
    assert "and 2 more: --top or --json" in told
    assert "(between operations)" in told
    assert any(line.split() == ["conv", "Neural", "Engine", "2", "80", "%"]
               for line in told.splitlines())  # fmt: skip
    assert "a.mlpackage in Core ML: not profiled: it shows none" in told


def test_the_table_fits_the_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    table = [line for line in shown(DONE, capsys).splitlines() if line.startswith(" ")][:10]
    assert max(map(len, table)) <= 80
    monkeypatch.setenv("COLUMNS", "120")
    assert "ONNX Runtime" in shown(DONE, capsys)


def test_json_is_the_record_and_the_chart_is_written(
    onnx: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["bench", str(onnx), "--threads", "1", "--rounds", "1", "--seconds", "0", "--json"]
    assert cli.main([*words, "-o", str(tmp_path / "b.svg")]) == 0
    told = capsys.readouterr()
    assert told.err == ""
    done: dict[str, Any] = json.loads(told.out)
    (row,) = done["timings"]
    assert (row["runtime"], row["reason"], row["threads"], row["calls"]) == (
        "onnxruntime", "", 1, 1,
    )  # fmt: skip
    assert done["threads"] == 1
    assert done["sizes"][0]["cost"]["macs"] > 0
    assert (tmp_path / "b.svg").read_text().startswith("<svg")


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["nowhere.onnx"], "no such file"),
        (["NET", "--threads", "0"], "'0'"),
        (["NET", "--rounds", "many"], "'many'"),
        (["NET", "--runtime", "mil"], "nothing here that lading.coreml.mil runs"),
        (["NET", "-o", "b.png"], "suffix '.png'"),
        (["NET", "--checkpoint", "NET"], "an artifact"),
        (["NET", "--which", "best"], "no checkpoint"),
    ],
)
def test_wrong_words_are_one_error(
    words: list[str], found: str, onnx: Path, tmp_path: Path,
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    words = [str(onnx) if word == "NET" else word for word in words]
    assert cli.main(["bench", *words, "--json"]) == 2
    told = json.loads(capsys.readouterr().out)
    assert told["found"] == found
    assert told["remedy"]
    assert [*tmp_path.iterdir()] == []
