"""One artifact in every runtime against the original, over a table of any size.

The table is read once, in batches; nothing but counts is kept, and the state of these can be saved
and gone on from: an interrupted comparison ends with the same records as one that was not.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from lading.base import storage
from lading.errors import InputError, LadingError
from lading.formats import Artifact, Runtime
from lading.interface import Interface
from lading.interface.original import TorchSide
from lading.interface.side import Side
from lading.proof import verdict
from lading.proof.table.rows import Place, Row, Table
from lading.proof.table.tally import EDGES, GATES, Keep, Tally, measured, triples
from lading.record import ArtifactRecord, Bill, Comparison, DatasetRecord, Port, Task, to_json
from lading.record.wording import missed
from lading.task import prepare, require_classifier
from lading.task.finish import of_samples
from lading.task.text import Vocabulary, vocabulary

Array = npt.NDArray[Any]
#: Told how far it is: bytes read, bytes in all, samples compared.
Advance = Callable[[int, int, int], None]

BATCH = 256
#: Of the changed samples, as many are named in the bill.
SHOWN = 20
#: Seconds between two savings.
SAVED_EVERY = 10.0


@dataclass(frozen=True)
class Over:
    """What was asked: a table, where an unfinished comparison's state lies, and what shows it."""

    table: Path
    state: Path | None = None
    advance: Advance | None = None


@dataclass(frozen=True)
class Opened:
    """An artifact in a runtime. `batched`: it takes any number of samples at once."""

    runtime: Runtime
    side: Side
    batched: bool


def require(over: Over, task: Task, subject: str) -> None:
    """Passes only where the network is a classifier and the table can be read at all.

    Raises:
        InputError: it is none, or it cannot.
    """
    require_classifier(task, subject, f"a {task.kind} network")
    _opened(over.table, task, None)[0].__exit__()


def added(
    bill: Bill,
    over: Over,
    artifact: Artifact,
    record: ArtifactRecord,
    scores: Interface,
    batched: bool,
) -> Bill:
    """A bill with the comparison over a table in it, for every runtime of the artifact's format.

    Args:
        bill: of the same artifact.
        over: what was asked.
        artifact: opened.
        record: of it, ports with their meanings.
        scores: the untouched original behind the artifact's input, giving logits.
        batched: the artifact takes any number of samples at once.

    Raises:
        LadingError: see `compare`.
    """
    sides, comparisons = [], []
    for runtime in artifact.format.runtimes:
        reason = runtime.unavailable()
        if reason:
            comparisons.append(
                Comparison(
                    record.path,
                    runtime.name,
                    "torch",
                    0,
                    (),
                    (),
                    "not run",
                    reason,
                    over.table.name,
                )
            )
        else:
            sides.append(Opened(runtime, artifact.open(runtime), batched))
    made = []
    if sides:
        keep = Keep(over.state, _whose(bill, record)) if over.state else None
        made = compare(over.table, record, sides, scores, keep, over.advance)
    records = tuple(record for _, record in made)
    judged = (*bill.comparisons, *(one for one, _ in made), *comparisons)
    return replace(
        bill,
        verdict=verdict.overall(judged, bill.provenance, bill.trajectories),
        comparisons=judged,
        datasets=(*bill.datasets, *records),
    )


def _whose(bill: Bill, artifact: ArtifactRecord) -> dict[str, str]:
    """What the counts depend on besides the table's rows."""
    values = json.dumps(to_json(bill.hyperparameters), ensure_ascii=False)
    return {
        "artifact": artifact.sha256,
        "checkpoint": bill.checkpoint.sha256,
        "hyperparameters": hashlib.sha256(values.encode()).hexdigest(),
        "lading": bill.lading,
    }


def compare(
    table: Path,
    artifact: ArtifactRecord,
    sides: Sequence[Opened],
    interface: Interface,
    keep: Keep | None = None,
    advance: Advance | None = None,
    batch: int = BATCH,
) -> list[tuple[Comparison, DatasetRecord]]:
    """Runs every row of a table in the original and in each side, and judges.

    Args:
        table: see `table`.
        artifact: ports with their meanings, declared precision.
        sides: the artifact in the runtimes that are here; at least one.
        interface: the untouched original, a classifier.
        keep: where to save the state; None for nowhere.
        advance: called how far it is.
        batch: samples that the original takes at once, and each side that can.

    Raises:
        InputError: the table, or a file that it names, cannot be read; it is empty; or the
            outputs are no classes.
        StorageError: the state cannot be saved.
    """
    words = vocabulary(interface.task)
    original = TorchSide(interface)
    together = _takes_batches(original, interface)
    names = [side.runtime.name for side in sides]
    if keep:
        keep = replace(keep, of={**keep.of, "batch": str(batch)})
    saved = keep.read(names) if keep else None
    rows, resumed = _opened(table, interface.task, saved[0] if saved else None)
    with rows:
        tallies = saved[1] if saved and resumed else {name: Tally() for name in names}
        unknown = saved[2] if saved and resumed else 0
        place, clock = rows.place, time.monotonic()
        try:
            for some in _batches(rows, batch):
                inputs = _inputs(some, interface.inputs[0], words, table.parent)
                wanted = _run(original, inputs, interface.inputs[0], together)
                said = of_samples(wanted, interface.outputs, interface.task)
                fresh = []
                for side in sides:
                    values = _run(side.side, inputs, artifact.inputs[0], side.batched)
                    fresh.append(of_samples(values, artifact.outputs, interface.task))
                # All at once, after all that can fail: what is saved is whole batches.
                for name, got in zip(names, fresh, strict=True):
                    tallies[name].add(some, place.rows + 1, said, got, interface.task.labels)
                if words:
                    unknown += int((~inputs.any(axis=1)).sum())
                place = rows.place
                if advance:
                    advance(place.offset, rows.bytes, place.rows)
                if keep and time.monotonic() - clock > SAVED_EVERY:
                    keep.write(place, tallies, unknown)
                    clock = time.monotonic()
        except BaseException:
            if keep and place.rows:
                keep.write(place, tallies, unknown)
            raise
    if not place.rows:
        raise InputError(
            str(table),
            found="no row below the first line",
            expected="a row for each sample",
            remedy="check the file",
        )
    if keep:
        storage.remove(keep.path)
    notes = [] if together else ["the original ran one sample at a time"]
    if unknown:
        notes.append(f"{unknown:,} texts hold no character that the network knows")
    labels, told = interface.task.labels, tuple(notes)
    return [
        _judged(table, artifact, side.runtime, tallies[side.runtime.name], place, labels, told)
        for side in sides
    ]


# ------------------------------------------------------------------------------------------ running
def _opened(path: Path, task: Task, start: Place | None) -> tuple[Table, bool]:
    """The table, and whether it goes on from `start`: not where it has changed since."""
    samples = "text" if vocabulary(task) else "path"
    if start is not None:
        try:
            return Table(path, task.labels, samples, start), True
        except InputError:  # said again below where the table itself is wrong
            pass
    return Table(path, task.labels, samples), False


def _batches(rows: Table, size: int) -> Iterator[list[Row]]:
    stream = iter(rows)
    while some := list(islice(stream, size)):
        yield some


def _inputs(rows: Sequence[Row], port: Port, words: Vocabulary | None, folder: Path) -> Array:
    """The samples as one array [N, ...]."""
    if words:
        return prepare.texts([row.sample for row in rows], port, words)
    parts = []
    for row in rows:
        try:
            parts.append(prepare.file(folder / row.sample, port).value)
        except LadingError as error:
            raise InputError(
                f"line {row.line}: {error.subject}",
                found=error.found,
                expected=error.expected,
                remedy=error.remedy,
            ) from error
    return np.concatenate(parts)


def _takes_batches(side: Side, interface: Interface) -> bool:
    """Whether two samples at once give what they give one by one, to 1e-4 of the largest output:
    other sums in other orders, and nothing else."""
    port = interface.inputs[0]
    pair = {name: value.numpy() for name, value in interface.example(batch=2).items()}
    singles = [side.run({port.name: pair[port.name][i : i + 1]}) for i in range(2)]
    try:
        both = side.run(pair)
    except Exception:  # whatever a module raises that was written for one sample
        return False
    for name, values in both.items():
        alone = np.concatenate([one[name] for one in singles])
        if values.shape != alone.shape:
            return False
        if not np.abs(values - alone).max() <= 1e-4 * max(float(np.abs(alone).max()), 1e-30):
            return False
    return True


def _run(side: Side, inputs: Array, port: Port, batched: bool) -> dict[str, Array]:
    if batched:
        return side.run({port.name: inputs})
    each = [side.run({port.name: inputs[i : i + 1]}) for i in range(len(inputs))]
    return {name: np.concatenate([one[name] for one in each]) for name in each[0]}


# ------------------------------------------------------------------------------------------ judging
def _judged(
    table: Path,
    artifact: ArtifactRecord,
    runtime: Runtime,
    tally: Tally,
    place: Place,
    labels: tuple[str, ...],
    notes: tuple[str, ...],
) -> tuple[Comparison, DatasetRecord]:
    precision = runtime.precision or artifact.precision
    numbers = measured(tally, place.rows, precision)
    why = "; ".join(missed(one) for one in numbers if not one.passed)
    comparison = Comparison(
        artifact.path, runtime.name, "torch", place.rows, tuple(numbers), (),
        "fail" if why else "pass", why, table.name,
    )  # fmt: skip
    record = DatasetRecord(
        data=table.name,
        sha256=place.sha256,
        artifact=artifact.path,
        runtime=runtime.name,
        samples=place.rows,
        labels=labels,
        right_original=tally.right_original,
        right_artifact=tally.right,
        confusion=triples(tally.confusion),
        confusion_original=triples(tally.confusion_original),
        edges=EDGES,
        errors=tuple(tally.errors),
        gate=GATES[precision][0],
        changed=tally.changed,
        examples=tuple(tally.kept[:SHOWN]),
        notes=notes,
    )
    return comparison, record
