"""The conversion part of `make bench`: what capture, conversion and proof cost beside the plain
converters, which verify nothing.

Plain is `torch.jit.trace(check_trace=False)` with `coremltools.convert`, and
`torch.onnx.export(dynamo=True)`. All run in turn in one process, round after round, on the same
threads; a ratio is of the medians of one run. What is lading's own asks for memory as its command
does, everything else as any process does. Peak memory is that of a process of its own for each.

Usage: python -m tests.bench_proof [--rounds 5] [--document docs/benchmarks.md] [--keep Growth ...]
"""

from __future__ import annotations

import argparse
import logging
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import onnxruntime
import torch

from lading.base import memory
from lading.base.drawing.chart import Drawing
from lading.conversion.graphs import Graphs
from lading.formats import format_named, open_artifact
from lading.formats.coreml.side import MilSide
from lading.interface import Interface, Options, wrap
from lading.interface.settings import Precision, Settings
from lading.interface.side import Array, Side
from lading.job.convert import convert
from lading.job.request import Convert, Verify
from lading.job.verify import verify
from lading.network.source import Source, load
from lading.record import Bill
from tests import bench_beginnings, bench_growth, bench_onnx, bench_rows
from tests.bench_beginnings import PEAK
from tests.conftest import CAMUS, genuine_unet, nnunet_file
from tests.test_full_size_diffusion import full_network

#: Calls of a runtime that are held against as many of another.
CALLS = 5
#: Sections of the page; the first stands below its head, without its title.
TITLES = ("Segmentation", "Beginnings", "Growth", "Tables of samples", "ONNX", "Diffusion")
Work = Callable[[], object]


@dataclass(frozen=True)
class Own:
    """Work of lading's own, as its command does it; behind `first`, which is not counted, where the
    command has done the like before."""

    work: Work
    first: Work | None = None

    def __call__(self) -> None:
        self.work()


@dataclass
class Spent:
    """Seconds of one kind of work, round after round: by the clock, and of the processor."""

    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)

    def time(self, work: Work | Own) -> None:
        """Once more."""
        with memory.kept() if isinstance(work, Own) else nullcontext():
            if isinstance(work, Own) and work.first:
                work.first()
            clock, processor = time.perf_counter(), time.process_time()
            work()
            self.wall.append(time.perf_counter() - clock)
            self.cpu.append(time.process_time() - processor)


@dataclass(frozen=True)
class Subject:
    """A network that is carried, as a checkpoint with random weights.

    Attributes:
        title: with its size.
        save: into a file.
        given: hyper-parameters that the file leaves open.
        warm: rounds that are not counted.
    """

    title: str
    save: Callable[[Path], None]
    given: Mapping[str, str] = field(default_factory=dict)
    warm: int = 1

    def checkpoint(self, folder: Path) -> Path:
        self.save(path := folder / "checkpoint_best.pth")
        return path

    def network(self, path: Path) -> Interface:
        loaded = load(Source(path, given=self.given))
        return wrap(loaded.network, loaded.task, Options())

    def verified(self, path: Path, artifact: Path) -> Bill:
        """As `lading verify` does it, of a diffusion network one call and no walk."""
        words = {"set": self.given, "trajectory": 0} if self.given else {}
        found = verify(Verify(artifact, path, **words))
        assert found.verdict == "pass", found.verdict
        return found

    def proved(self, path: Path, folder: Path, to: tuple[str, ...]) -> None:
        """The whole of `lading convert`, in the same way."""
        words = {"set": self.given, "trajectory": 0} if self.given else {}
        bill = convert(Convert(path, folder / "out", to=to, name="m", force=True, **words))
        assert bill.verdict == "pass", bill.verdict


SEGMENTATION = Subject(
    "CAMUS segmentation at full size, 256 x 256",
    lambda path: torch.save(nnunet_file(genuine_unet(CAMUS), CAMUS, 256), path),
)
DIFFUSION = Subject(
    "The diffusion UNet at full size, 256 x 256, one call and no walk",
    lambda path: torch.save(full_network().state_dict(), path),
    {"image_size": "256x256", "num_heads": "4"},
    warm=0,
)


# ------------------------------------------------------------------------------------ what is timed
def plain_coreml(one: Interface, folder: Path) -> None:
    """Plain: traced, converted to fp16, saved."""
    import coremltools as ct

    with torch.no_grad():
        traced = torch.jit.trace(one.module, fed(one), check_trace=False)  # type: ignore[no-untyped-call]
    ct.convert(
        traced,
        inputs=[ct.TensorType(p.name, p.shape, np.dtype(p.dtype)) for p in one.inputs],
        compute_precision=ct.precision.FLOAT16,
        minimum_deployment_target=ct.target.iOS16,
        skip_model_load=True,
    ).save(str(folder / "plain.mlpackage"))


def plain_onnx(one: Interface, folder: Path) -> None:
    """Plain: exported and saved."""
    with torch.no_grad():
        program = torch.onnx.export(one.module, fed(one), dynamo=True, verbose=False)
    assert program is not None
    program.save(str(folder / "plain.onnx"))


def unproved(one: Interface, folder: Path, name: str, precision: Precision = "fp16") -> Path:
    """Captured and written by lading, nothing compared."""
    form = format_named(name)
    graph, _ = Graphs(one).take("export", form.axes(one.options))
    path = folder / f"unproved{form.suffix}"
    form.convert(graph, Settings(precision), path)
    return path


def fed(one: Interface) -> tuple[torch.Tensor, ...]:
    """An example of every input."""
    return tuple(one.example().values())


def passes(one: Interface, count: int) -> None:
    given = fed(one)
    with torch.no_grad():
        for _ in range(count):
            one.module(*given)


def called(side: Side, given: Mapping[str, Array]) -> None:
    """A file in lading's own runtime, called again and again."""
    for _ in range(CALLS):
        side.run(given)


def called_there(path: Path, given: Mapping[str, Array]) -> Work:
    """The same of a file in ONNX Runtime, opened by itself."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [one.name for one in session.get_inputs()]
    named = dict(zip(names, given.values(), strict=True))
    return lambda: [session.run(None, named) for _ in range(CALLS)]


def runtimes(one: Interface, out: Path, folder: Path) -> dict[str, Work | Own]:
    """Calls of each file in its runtime, of the plain exporter's too, and of PyTorch."""
    given = {name: value.numpy() for name, value in one.example().items()}
    plain_onnx(one, folder)
    files = {"fp32": unproved(one, folder, "coreml", "fp32"), "fp16": out / "m.mlpackage"}
    sides = {f"mil, {precision}": open_artifact(file).side() for precision, file in files.items()}
    return {
        "calls of PyTorch": lambda: passes(one, CALLS),
        **{
            f"calls of {title}": Own(partial(called, side, given), partial(side.run, given))
            for title, side in sides.items()
        },
        "calls of ONNX Runtime": called_there(out / "m.onnx", given),
        "calls of ONNX Runtime, plain": called_there(folder / "plain.onnx", given),
    }


# --------------------------------------------------------------------------------------- measuring
@dataclass(frozen=True)
class Measured:
    """What every kind of work took, at how many probes a verification runs the original, and how
    much of a call in fp32 is convolutions, which are PyTorch's own."""

    spent: Mapping[str, Spent]
    probes: Mapping[str, int]
    convolutions: float


def measured(subject: Subject, rounds: int) -> Measured:
    """Every kind of work in turn."""
    spent: dict[str, Spent] = {}
    with tempfile.TemporaryDirectory() as name:
        number = 0

        def empty() -> Path:
            nonlocal number
            number += 1
            (place := Path(name) / str(number)).mkdir()
            return place

        path = subject.checkpoint(empty())
        one = subject.network(path)
        subject.proved(path, kept := empty(), ("coreml", "onnx"))
        files = {"Core ML": kept / "out" / "m.mlpackage", "ONNX": kept / "out" / "m.onnx"}
        probes = {key: len(subject.verified(path, file).probes) for key, file in files.items()}
        works: dict[str, Work | Own] = {
            "plain Core ML": lambda: plain_coreml(one, empty()),
            "plain ONNX": lambda: plain_onnx(one, empty()),
            "capture and convert, Core ML": Own(lambda: unproved(one, empty(), "coreml")),
            "capture and convert, ONNX": Own(lambda: unproved(one, empty(), "onnx")),
            "convert with proof, both": Own(
                lambda: subject.proved(path, empty(), ("coreml", "onnx"))
            ),
            **{f"passes, {key}": partial(passes, one, count) for key, count in probes.items()},
            **{
                f"verify, {key}": Own(partial(subject.verified, path, file))
                for key, file in files.items()
            },
            **runtimes(one, kept / "out", empty()),
        }
        for turn in range(rounds + subject.warm):
            for title, work in works.items():
                warming = turn < subject.warm
                one_turn = Spent() if warming else spent.setdefault(title, Spent())
                one_turn.time(work)
        return Measured(spent, probes, convolutions(one, unproved(one, empty(), "coreml", "fp32")))


def convolutions(one: Interface, path: Path) -> float:
    """Their share of a call of `lading.coreml.mil`."""
    side = open_artifact(path).side()
    assert isinstance(side, MilSide)
    given = {name: value.numpy() for name, value in one.example().items()}
    with memory.kept():
        whole, many = side.spent(given, CALLS)
    return sum(each.seconds for each in many if each.op.startswith("conv")) / whole


MEMORY = {
    "plain, both": "[make(s.network(path), out) for make in (b.plain_coreml, b.plain_onnx)]",
    "convert with proof, both": "with b.memory.kept(): s.proved(path, out, ('coreml', 'onnx'))",
}


def peaks(subject: Subject) -> dict[str, float]:
    """Peak resident memory in MB, each in a process of its own."""
    which = "SEGMENTATION" if subject is SEGMENTATION else "DIFFUSION"
    found = {}
    with tempfile.TemporaryDirectory() as name:
        path = subject.checkpoint(Path(name))
        for number, (title, code) in enumerate(MEMORY.items()):
            (out := Path(name) / str(number)).mkdir()
            text = f"""
from pathlib import Path; from tests import bench_proof as b
s = b.{which}
path, out = Path({str(path)!r}), Path({str(out)!r})
{code}
{PEAK}
"""
            run = subprocess.run([sys.executable, "-W", "ignore", "-c", text], check=True,
                                 capture_output=True, text=True)  # fmt: skip
            found[title] = int(run.stdout.split()[-1]) / 1000
    return found


@dataclass(frozen=True)
class Row:
    """What is held against what, in seconds by the clock and of the processor."""

    title: str
    against: str
    wall: float
    base_wall: float
    cpu: float
    base_cpu: float

    @property
    def ratio(self) -> float:
        return self.wall / self.base_wall


def rows(found: Measured) -> list[Row]:
    """The ratios of the page."""
    spent, probes = found.spent, found.probes

    def middle(*titles: str) -> tuple[float, float]:
        return (
            sum(statistics.median(spent[title].wall) for title in titles),
            sum(statistics.median(spent[title].cpu) for title in titles),
        )

    made = []
    for title, ours, against, base in (
        ("capture and convert, Core ML fp16", ["capture and convert, Core ML"],
         "plain Core ML", ["plain Core ML"]),
        ("capture and convert, ONNX", ["capture and convert, ONNX"], "plain ONNX", ["plain ONNX"]),
        ("`lading convert`, both formats, whole proof", ["convert with proof, both"],
         "plain Core ML + plain ONNX", ["plain Core ML", "plain ONNX"]),
        ("`lading verify` of the Core ML file", ["verify, Core ML"],
         f"{probes['Core ML']} forward passes in PyTorch, one a probe", ["passes, Core ML"]),
        ("`lading verify` of the ONNX file", ["verify, ONNX"],
         f"{probes['ONNX']} forward passes in PyTorch, one a probe", ["passes, ONNX"]),
        (f"{CALLS} calls of `lading.coreml.mil`, fp32", ["calls of mil, fp32"],
         "PyTorch eager", ["calls of PyTorch"]),
        (f"{CALLS} calls of `lading.coreml.mil`, fp16", ["calls of mil, fp16"],
         "PyTorch eager", ["calls of PyTorch"]),
        (f"{CALLS} calls of the ONNX file in ONNX Runtime", ["calls of ONNX Runtime"],
         "the plain exporter's file there", ["calls of ONNX Runtime, plain"]),
    ):  # fmt: skip
        (wall, cpu), (base_wall, base_cpu) = middle(*ours), middle(*base)
        made.append(Row(title, against, wall, base_wall, cpu, base_cpu))
    return made


def table(
    subject: Subject, found: Measured, made: list[Row], most: dict[str, float], rounds: int
) -> list[str]:
    """The section of the page."""
    plain, proof = most.values()
    counted = f"medians of {rounds} rounds in turn" if rounds > 1 else "one round"
    return [
        f"{subject.title}; {torch.get_num_threads()} threads, {counted}. Plain is "
        "`torch.jit.trace` with `coremltools.convert`, and `torch.onnx.export(dynamo=True)`: they "
        "verify nothing. What is lading's own keeps its memory as its command does, everything "
        "else asks the system for it as any process does.",
        "",
        "| what | against | seconds | its seconds | ratio | of processor time |",
        "|---|---|---:|---:|---:|---:|",
        *(
            f"| {one.title} | {one.against} | {one.wall:.1f} | {one.base_wall:.1f} "
            f"| **{one.ratio:.2f}** | {one.cpu / one.base_cpu:.2f} |"
            for one in made
        ),
        "",
        f"Peak memory of a process that makes both formats: {proof:,.0f} MB with the whole proof, "
        f"{plain:,.0f} MB plain, **{proof / plain:.2f}** times as much. Of a call of "
        f"`lading.coreml.mil` in fp32 {found.convolutions:.0%} is convolutions, which are "
        "PyTorch's own.",
    ]


def picture(made: list[Row]) -> Drawing:
    """A bar for each ratio; the line is 1: as long as what it is held against."""
    height, left, right = 44, 380, 900
    most = max(2.0, *(one.ratio for one in made))
    told = "; ".join(f"{one.title.replace('`', '')} {one.ratio:.2f}" for one in made)
    drawing = Drawing(960, height * len(made) + 40, "What lading costs", f"Ratios: {told}")
    for number, one in enumerate(made):
        y = 20 + height * number
        long = (right - left) * one.ratio / most
        drawing.rect("bar", left, y, long, height - 18)
        drawing.text("tick", left - 10, y + 17, one.title.replace("`", ""), "end")
        drawing.text("tick", left + long + 6, y + 17, f"{one.ratio:.2f}")
    one_at = left + (right - left) / most
    drawing.line("limit", one_at, 10, one_at, 20 + height * len(made))
    return drawing


def write(document: Path, made: list[Row], parts: list[str]) -> None:
    """The page, and its picture beside it; of a first section that stays, as it stands there."""
    if not made:
        document.write_text("\n".join([*parts, ""]), encoding="utf-8")
        return
    drawn = document.parent / "pictures" / "benchmarks.svg"
    drawn.write_bytes(picture(made).file())
    head = [
        "# What lading costs",
        "",
        "Written by `make bench`. Two things are compared within one run, in turn: a time by "
        "itself is one computer's.",
        "",
        f"![{picture(made).alt}](pictures/{drawn.name})",
        "",
    ]
    document.write_text("\n".join([*head, *parts, ""]), encoding="utf-8")


def main(
    rounds: int, document: Path | None = None, long: int = 2, kept: Sequence[str] = ()
) -> None:
    """`kept`: titles of sections of the document that stay as they are."""
    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore")
    before = document.read_text(encoding="utf-8").split("\n## ") if document and kept else [""]
    found = None if "Segmentation" in kept else measured(SEGMENTATION, rounds)
    made = rows(found) if found else []

    def diffusion() -> list[str]:
        one = measured(DIFFUSION, 1)
        return table(DIFFUSION, one, rows(one), peaks(DIFFUSION), 1)

    sections: dict[str, Callable[[], list[str]]] = {
        "": lambda: (
            table(SEGMENTATION, found, made, peaks(SEGMENTATION), rounds)
            if found
            else [before[0].rstrip()]
        ),
        "## Beginnings": lambda: bench_beginnings.section(rounds),
        "## Growth": lambda: bench_growth.section(long),
        "## Tables of samples": lambda: bench_rows.section(rounds=long),
        "## ONNX": lambda: bench_onnx.section(rounds),
        "## Diffusion": diffusion,
    }
    parts: list[str] = []
    own = {title.partition("\n")[0]: title.partition("\n")[2].strip() for title in before}
    for title, section in sections.items():  # what is measured is kept, whatever comes after it
        stays = title.removeprefix("## ") in kept
        lines = own[title.removeprefix("## ")].split("\n") if stays else section()
        fresh = [*(("", title, "") if title else ()), *lines]
        print("\n".join(fresh), flush=True)
        parts += fresh
        if document:
            write(document, made, parts)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--long", type=int, default=2, help="rounds of growth and tables")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--document", type=Path)
    parser.add_argument("--keep", nargs="*", default=[], choices=TITLES,
                        help="sections of the document that are not measured again")  # fmt: skip
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    main(asked.rounds, asked.document, asked.long, asked.keep)
    sys.exit(0)
