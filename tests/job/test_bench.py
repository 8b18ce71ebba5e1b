"""Runtimes beside each other: what is a row, in which order, what the figures are of.

No test says how fast anything is.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import torch

import lading
from lading.conversion.capture import capture
from lading.errors import ProgramError, RequestError, StorageError
from lading.formats import format_named, formats
from lading.interface import Options
from lading.interface.settings import Settings
from lading.job.bench import bench, cores, planned
from lading.job.request import Bench
from lading.job.timing import measuring
from lading.job.timing.opening import Timed
from lading.record import from_json, to_json
from lading.record.bench import Bench as Result
from tests.toys import interface, net, task

EXAMPLE = [torch.zeros(1, 1, 16, 16)]


def written(folder: Path, kind: str, options: Options | None = None, **facts: str) -> Path:
    form, one = format_named(kind), interface(options)
    path = folder / f"net{form.suffix}"
    captured = capture(one, "trace", axes=form.axes(one.options))
    form.convert(captured, Settings(precision="fp32", facts=facts), path)
    return path


class Fakes:
    """In place of processes: every call takes as long as the row's place says."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, str]] = []
        self.rows: list[Timed] = []
        self.ended: list[int] = []
        self.fails: Mapping[tuple[int, str], str] = {}

    def __enter__(self) -> Fakes:
        return self

    def __exit__(self, *reason: object) -> None:
        self.ended += range(len(self.rows))

    def start(self, timed: Timed) -> Any:
        self.rows.append(timed)
        return Fake(self, len(self.rows) - 1)


class Fake:
    def __init__(self, fakes: Fakes, place: int) -> None:
        self.fakes, self.place = fakes, place

    def ask(self, name: str, **arguments: Any) -> dict[str, Any]:
        self.fakes.asked.append((self.place, name))
        reason = self.fakes.fails.get((self.place, name))
        if reason:
            raise ProgramError("a", found=reason, expected="b", remedy="c")
        took = 0.001 * 2**self.place
        return {
            "open": {"threads": 5},
            "warm": {},
            "turn": {"seconds": [took, took], "cpu": 4 * took},
            "memory": {"memory": 1000 + self.place, "before": 900},
        }[name]

    def end(self) -> None:
        self.fakes.ended.append(self.place)


@pytest.fixture
def fakes(monkeypatch: pytest.MonkeyPatch) -> Fakes:
    made = Fakes()
    monkeypatch.setattr(measuring, "Processes", lambda: made)
    monkeypatch.setattr(platform, "system", lambda: "Linux")
    return made


# ------------------------------------------------------------------------------------ the figures
def test_every_file_in_every_runtime_the_original_first(
    files: dict[str, Path], fakes: Fakes
) -> None:
    request = Bench([*files.values()], checkpoint=net(), input=EXAMPLE, threads=5, rounds=2)
    done = bench(request)
    rows = [(Path(one.artifact).suffix, one.runtime) for one in done.timings]
    expected = [(form.suffix, r.name) for form in formats().values() for r in form.runtimes]
    assert rows == [("", "torch"), *expected]
    absent = [one for one in done.timings if one.reason]
    assert {one.runtime for one in absent} == {"coreml"}
    assert {one.reason for one in absent} == {"Core ML exists on macOS only; this is Linux"}
    assert [row.threads for row in fakes.rows] == [5] * len(fakes.rows)


def test_the_order_alternates_from_round_to_round(files: dict[str, Path], fakes: Fakes) -> None:
    bench(Bench([files["mlmodel"], files["onnx"]], rounds=3, threads=1))
    turns = [place for place, name in fakes.asked if name == "turn"]
    assert turns == [0, 1, 2, 2, 1, 0, 0, 1, 2]
    assert sorted(set(fakes.ended)) == [0, 1, 2]


def test_ratios_are_to_the_first_row_and_to_the_fastest(
    files: dict[str, Path], fakes: Fakes
) -> None:
    done = bench(Bench([files["onnx"], files["mlmodel"]], rounds=2, threads=1))
    assert [one.ratio for one in done.ran] == [1.0, 2.0, 4.0]
    assert [one.to_fastest for one in done.ran] == [1.0, 2.0, 4.0]
    assert [one.rounds for one in done.ran] == [(1.0, 1.0), (2.0, 2.0), (4.0, 4.0)]
    first = done.ran[0]
    assert (first.median, first.p95, first.calls) == (0.001, 0.001, 4)
    assert (first.cpu, first.per_second) == (0.002, pytest.approx(1000))
    assert (first.memory, first.before, first.threads) == (1000, 900, 5)


@pytest.mark.parametrize("when", ["open", "warm", "turn", "memory"])
def test_what_cannot_go_on_says_why_and_the_others_go_on(
    when: str, files: dict[str, Path], fakes: Fakes
) -> None:
    fakes.fails = {(0, when): "it died"}
    done = bench(Bench([files["onnx"], files["mlmodel"]], rounds=2, threads=1))
    assert [one.reason for one in done.timings if one.runtime != "coreml"] == ["it died", "", ""]
    assert [one.ratio for one in done.ran] == [1.0, 2.0]
    assert 0 in fakes.ended


def test_a_busy_computer_is_named(
    files: dict[str, Path], fakes: Fakes, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert bench(Bench(files["onnx"], threads=1)).notices == ()
    monkeypatch.setattr(measuring, "WAITED", 3.0)  # the fakes take two seconds of processor for one
    assert bench(Bench(files["onnx"], threads=1)).notices == (measuring.BUSY,)


def test_only_what_was_asked_for_is_run(files: dict[str, Path], fakes: Fakes) -> None:
    done = bench(Bench(files["mlmodel"], runtime="neuralnetwork_fp16", threads=1))
    assert [one.runtime for one in done.timings] == ["neuralnetwork_fp16"]


def test_core_ml_is_timed_on_every_choice_of_units(
    files: dict[str, Path], fakes: Fakes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(platform, "system", lambda: "Darwin")
    done = bench(Bench(files["coreml"], threads=1))
    rows = [(one.runtime, one.unit) for one in done.timings]
    units = ("cpuOnly", "cpuAndGPU", "cpuAndNeuralEngine", "all")
    assert rows == [*(("coreml", unit) for unit in units), ("mil", "")]
    assert [row.unit for row in fakes.rows] == [*units, ""]


def test_threads_are_this_computers_cores_where_nothing_is_said(
    files: dict[str, Path], fakes: Fakes
) -> None:
    done = bench(Bench(files["onnx"]))
    assert done.threads == cores() == fakes.rows[0].threads >= 1


# ------------------------------------------------------------------------------- what it weighs
def test_every_file_computes_what_the_original_computes(files: dict[str, Path]) -> None:
    plan = planned(Bench([*files.values()], checkpoint=net(), input=EXAMPLE))
    costs = [one.cost for one in plan.sizes]
    assert len(costs) == 4
    assert None not in costs
    assert {one.macs for one in costs if one} == {costs[0].macs if costs[0] else 0}
    assert {one.parameters for one in costs if one} == {sum(p.numel() for p in net().parameters())}
    assert [one.bytes > 0 for one in plan.sizes] == [False, True, True, True]
    assert plan.sizes[0].inputs == {"image": (1, 1, 16, 16)}


def test_open_sizes_are_as_lading_noted_them_or_as_is_said(
    files: dict[str, Path], tmp_path: Path
) -> None:
    options = Options(dynamic=("size",))
    noted = {"lading.task": json.dumps(to_json(task())), "lading.options": "{}"}
    (tmp_path / "noted").mkdir()
    path = written(tmp_path / "noted", "onnx", options, **noted)
    (row, _), *_ = planned(Bench(path)).rows
    assert row.inputs["image"].shape == (1, 1, 16, 16)
    (row, _), *_ = planned(Bench(path, shapes="32x64")).rows
    assert row.inputs["image"].shape == (1, 1, 32, 64)
    bare = written(tmp_path, "onnx", options)
    with pytest.raises(RequestError) as caught:
        planned(Bench(bare))
    assert caught.value.found == "open sizes, 1×1×any×any"
    both = planned(Bench([bare, files["coreml"]]))
    shapes = [row.inputs["image"].shape for row, _ in both.rows]
    assert set(shapes) == {(1, 1, 16, 16)}


# ------------------------------------------------------------------------------------ real ones
def test_files_and_a_live_module_are_timed(files: dict[str, Path], tmp_path: Path) -> None:
    done = lading.bench(
        files["onnx"], checkpoint=net(), input=EXAMPLE, threads=1, rounds=2, seconds=0, warmup=0,
        profile=True, out=tmp_path / "bench.svg",
    )  # fmt: skip
    assert [one.runtime for one in done.ran] == ["torch", "onnxruntime"]
    assert [one.calls for one in done.ran] == [2, 2]
    assert all(0 < one.fastest <= one.median <= one.p95 for one in done.ran)
    assert [one.memory is None for one in done.ran] == [True, False]
    assert [len(one.rounds) for one in done.ran] == [2, 2]
    assert from_json(Result, json.loads(json.dumps(to_json(done)))) == done
    drawn = ElementTree.fromstring((tmp_path / "bench.svg").read_text())
    assert len(drawn.findall(".//{*}rect[@class='bar']")) == 2
    for one in done.ran:
        assert one.profile is not None
        assert (one.profile.reason, one.profile.calls) == ("", 1)
        assert len(one.profile.by_kind) > 2
        modules = {row.module for row in one.profile.by_module}
        assert {"network.stem", "network.up"} <= modules
    assert len(repr(done)) < 300
    shown = done._repr_html_()
    assert shown is not None
    assert shown.startswith('<img src="data:image/svg+xml;base64,')


def test_a_checkpoint_alone_is_timed_in_a_process_of_its_own(small_checkpoint: Path) -> None:
    done = lading.bench(small_checkpoint, threads=1, rounds=1, seconds=0, warmup=0)
    (one,) = done.timings
    assert (one.runtime, one.reason, one.calls, one.threads) == ("torch", "", 1, 1)
    assert one.memory is not None
    assert one.before is not None
    assert one.memory > one.before > 0
    assert done.sizes[0].cost is not None
    assert done.sizes[0].bytes == small_checkpoint.stat().st_size


# ------------------------------------------------------------------------------------- wrong ones
def test_wrong_requests(files: dict[str, Path], tmp_path: Path) -> None:
    onnx, checkpoint = files["onnx"], tmp_path / "a.pth"
    cases: dict[str, tuple[Any, dict[str, Any]]] = {
        "2 checkpoints": ([checkpoint, tmp_path / "b.pth"], {}),
        "the same file twice": ([onnx, onnx], {}),
        "an artifact": (onnx, {"checkpoint": files["mlmodel"]}),
        "nothing here that PyTorch runs": (onnx, {"runtime": "torch"}),
        "no checkpoint": (onnx, {"which": "best"}),
        "suffix '.png'": (onnx, {"out": tmp_path / "b.png"}),
    }
    for found, (paths, more) in cases.items():
        with pytest.raises(RequestError) as caught:
            lading.bench(paths, **more)
        assert caught.value.found == found
    assert [*tmp_path.iterdir()] == []


def test_files_of_two_networks(files: dict[str, Path], tmp_path: Path) -> None:
    one = interface(channels=3)
    form = format_named("onnx")
    form.convert(capture(one, "trace"), Settings(), tmp_path / "other.onnx")
    with pytest.raises(RequestError) as caught:
        bench(Bench([files["onnx"], tmp_path / "other.onnx"]))
    assert caught.value.remedy == "compare files of one network, with the same inputs and outputs"


def test_a_folder_in_the_charts_place(files: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "b.svg").mkdir()
    with pytest.raises(StorageError):
        bench(Bench(files["onnx"], out=tmp_path / "b.svg"))


def test_nothing_that_ran_is_no_chart(files: dict[str, Path], fakes: Fakes, tmp_path: Path) -> None:
    fakes.fails = {(0, "open"): "it died"}
    with pytest.raises(RequestError) as caught:
        bench(Bench(files["onnx"], out=tmp_path / "b.svg"))
    assert "it died" in caught.value.remedy
    assert not (tmp_path / "b.svg").exists()
