"""The data set part of `make bench`: a table of many rows through `lading verify`, against the same
rows through PyTorch alone.

The repository's keyboard-layout ensemble. Every row runs in the original and in the artifact; an
ONNX file with an open batch takes as many at once as PyTorch does; a Core ML file of one text takes
one, and is held against PyTorch with one at a time, while `verify` runs the original with as many
at once as ever. PyTorch alone reads and encodes the same texts.

Usage: python -m tests.bench_rows [--count 20000] [--rounds 3]
"""

from __future__ import annotations

import argparse
import csv
import random
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

from lading.cli.demos import checkpoint
from lading.formats import open_artifact
from lading.interface import Options, wrap
from lading.interface.matching import matched
from lading.interface.original import TorchSide
from lading.job.convert import convert
from lading.job.request import Convert
from lading.network.source import Loaded, Source, load
from lading.proof.table import dataset
from lading.task import prepare
from lading.task.text import vocabulary

LAYOUT = checkpoint("keyboard_layout")
LETTERS = "abcdefghijklmnopqrstuvwxyz абвгдежзийклмнопрстуфхцчшщъыьэюяאבגדהוזחטיכלמנסעפצקרשת"


def written(path: Path, count: int, labels: tuple[str, ...]) -> None:
    """A table of random texts, each with a class that need not be right."""
    chance = random.Random(0)
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["text", "label"])
        for _ in range(count):
            length = chance.randrange(3, 20)
            rows.writerow(["x" + "".join(chance.choices(LETTERS, k=length)), chance.choice(labels)])


def alone(loaded: Loaded, path: Path, batch: int) -> None:
    """The rows through PyTorch and nothing else, so many at once."""
    interface = wrap(loaded.network, loaded.task, Options())
    side, words = TorchSide(interface), vocabulary(loaded.task)
    assert words is not None
    port = interface.inputs[0]
    with path.open(encoding="utf-8", newline="") as file:
        texts = [row["text"] for row in csv.DictReader(file)]
    for start in range(0, len(texts), batch):
        some = texts[start : start + batch]
        side.run({port.name: prepare.texts(some, port, words)})


def over(loaded: Loaded, artifact: Path, path: Path, *, batched: bool) -> None:
    """The rows through the original and the artifact, judged, as `lading verify` does."""
    opened = open_artifact(artifact)
    record, interface = matched(opened.record, wrap(loaded.network, loaded.task, Options()))
    runtime = opened.runtime()
    sides = [dataset.Opened(runtime, opened.open(runtime), batched=batched)]
    ((comparison, counts),) = dataset.compare(path, record, sides, interface)
    assert comparison.verdict == "pass", comparison.reason
    assert counts.samples


@dataclass(frozen=True)
class Rows:
    """One line of the table: what runs, how many rows, how many at once."""

    title: str
    count: int
    batch: int
    artifact: str = ""


def asked_for(count: int) -> list[Rows]:
    """Each PyTorch, then what is held against it; of single rows a fifth."""
    few = count // 5
    return [
        Rows("PyTorch", count, dataset.BATCH),
        Rows("ONNX", count, dataset.BATCH, "fp32/m.onnx"),
        Rows("PyTorch", few, 1),
        Rows("Core ML fp32", few, 1, "fp32/m.mlpackage"),
        Rows("Core ML fp16", few, 1, "fp16/m.mlpackage"),
    ]


def measured(count: int, rounds: int) -> dict[Rows, list[float]]:
    """Seconds by the clock of each, in turn; thousands of rows need no warming up."""
    seconds: dict[Rows, list[float]] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        loaded = load(Source(LAYOUT))
        both = Convert(LAYOUT, folder / "fp32", to=("coreml", "onnx"), name="m", precision="fp32",
                       dynamic=("batch",))  # fmt: skip
        half = replace(both, out=folder / "fp16", to=("coreml",), precision="fp16")
        assert all(convert(one).verdict == "pass" for one in (both, half))
        for _ in range(rounds):
            for one in asked_for(count):
                table = folder / f"{one.count}.csv"
                if not table.is_file():
                    written(table, one.count, tuple(loaded.task.labels))
                began = time.perf_counter()
                if one.artifact:
                    over(loaded, folder / one.artifact, table, batched=one.batch > 1)
                else:
                    alone(loaded, table, one.batch)
                seconds.setdefault(one, []).append(time.perf_counter() - began)
    return seconds


def table(seconds: dict[Rows, list[float]], rounds: int) -> list[str]:
    """The section of the page."""
    lines = [
        "A table through `lading verify`, the keyboard-layout ensemble: each row in the original "
        "and in the artifact, against PyTorch alone on the same rows, as many at once as the "
        f"artifact takes; the original itself runs {dataset.BATCH} at once in any case; "
        f"medians of {rounds} round{'s' * (rounds > 1)} in turn.",
        "",
        "| rows through | rows | at once | seconds | ratio | of it the artifact |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    base = a_row = 0.0
    for one, many in seconds.items():
        middle = statistics.median(many)
        if not one.artifact:
            base = middle
            a_row = a_row or middle / one.count  # what the original of `verify` takes
        own = (middle - a_row * one.count) / base
        ratios = f"**{middle / base:.2f}** | {own:.2f}" if one.artifact else " | "
        lines.append(f"| {one.title} | {one.count:,} | {one.batch} | {middle:.1f} | {ratios} |")
    return lines


def grown(count: int) -> list[str]:
    """Whether memory grows with the rows, in a process that has done nothing else."""
    command = [sys.executable, "-W", "ignore", "-m", "tests.bench_rows", "--grown", str(count)]
    run = subprocess.run(command, check=True, capture_output=True, text=True)
    return run.stdout.splitlines()[-1:]


def growing(count: int) -> str:
    """The peak after a tenth of the rows, and after all."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        loaded = load(Source(LAYOUT))
        convert(Convert(LAYOUT, folder / "out", to=("onnx",), name="m", dynamic=("batch",)))
        peaks = []
        for part in (count // 10, count):
            path = folder / f"{part}.csv"
            written(path, part, tuple(loaded.task.labels))
            over(loaded, folder / "out" / "m.onnx", path, batched=True)
            told = Path("/proc/self/status").read_text()  # getrusage begins with the parent's
            peaks.append(int(told.split("VmHWM:")[1].split()[0]) / 1000)
    return (
        f"Peak memory of a process after {count // 10:,} rows {peaks[0]:,.0f} MB, after "
        f"{count:,} rows {peaks[1]:,.0f} MB."
    )


def section(count: int = 20_000, rounds: int = 3) -> list[str]:
    """Measured, as lines of Markdown."""
    return [*table(measured(count, rounds), rounds), "", *grown(count)]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--grown", type=int, help="of so many rows the memory alone")
    asked = parser.parse_args()
    if asked.grown:
        print(growing(asked.grown))
    else:
        print("\n".join(section(asked.count, asked.rounds)))
