"""Running one artifact on what a user gives it: what `lading run` does."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from lading.base import storage
from lading.errors import NoAnswerError, RequestError
from lading.formats import open_artifact
from lading.interface.matching import meant
from lading.interface.side import Array
from lading.job.feeding import feed
from lading.job.request import Run
from lading.record import Port, Task
from lading.task import pictures
from lading.task.finish import NO_CLASS, class_name, finish


@dataclass(frozen=True)
class Applied:
    """What came out, and what was done to the input on the way in.

    Attributes:
        output: the first output's values.
        port: its port.
        outputs: all of them, by name.
        labels: class names, where the artifact has them.
        label_map: [H, W] where the outputs can be read as one, else None.
        notes: what was done to the input.
        runtime: where it ran.
    """

    output: Array
    port: Port
    labels: tuple[str, ...]
    label_map: Array | None
    notes: tuple[str, ...]
    runtime: str
    outputs: Mapping[str, Array] = field(default_factory=dict)
    #: what was done to the artifact before it ran
    remark: str = ""

    @property
    def lost(self) -> int:
        """How many pixels of the label map belong to no class."""
        return 0 if self.label_map is None else int((self.label_map == NO_CLASS).sum())

    @property
    def unanswered(self) -> tuple[str, ...]:
        """What of the outputs is no answer, in words; empty where all of it is one."""
        found = []
        for name, values in {self.port.name: self.output, **self.outputs}.items():
            count = int(np.isnan(values).sum()) if values.dtype.kind == "f" else 0
            if count:
                found.append(f"{name}: {count:,} of {values.size:,} values are NaN")
        if self.lost and self.label_map is not None:
            found.append(f"{self.lost:,} of {self.label_map.size:,} pixels belong to no class")
        return tuple(found)


def run(request: Run) -> Applied:
    """Feeds an artifact once, a stateful one from a fresh state; what came out goes to `out`, where
    that is named.

    Raises:
        LadingError: the artifact, an input or the runtime is not fit.
    """
    artifact = Path(request.artifact)
    if request.out:
        _require_writable(Path(request.out))
    opened = open_artifact(artifact)
    record = opened.record
    chosen = opened.runtime(request.runtime)
    task, options = opened.noted()
    takes, gives = meant(record, task, options)
    given: Any = request.input  # checked, and so texts
    fed = feed(takes, given)
    outputs = opened.open(chosen).run({name: one.value for name, one in fed.items()})
    first = next((port for port in record.outputs if port.name in outputs), record.outputs[0])
    output = outputs[first.name]
    seen = finish(outputs, gives, task or Task("module", takes, gives)).labels
    label_map = seen[0] if seen is not None and seen.ndim == 3 else None
    labels = task.labels if task else ()
    several = len(fed) > 1
    notes = tuple(
        f"{name}: {note}" if several else note for name, one in fed.items() for note in one.notes
    )
    applied = Applied(output, first, labels, label_map, notes, chosen.title, outputs, opened.remark)
    if request.out:
        save(applied, Path(request.out))
    return applied


def save(applied: Applied, out: Path) -> None:
    """Writes the raw output as `.npy`, all of them as `.npz`, or the label map as a coloured
    picture.

    Raises:
        RequestError: a picture was asked for and the output is none.
        NoAnswerError: the same, and some pixel belongs to no class.
        StorageError: it cannot be written.
    """
    buffer = io.BytesIO()
    if out.suffix.lower() == ".npy":
        np.save(buffer, applied.output)
    elif out.suffix.lower() == ".npz":
        arrays: dict[str, Any] = {_entry(n): value for n, value in applied.outputs.items()}
        np.savez(buffer, **arrays)
    elif applied.label_map is not None:
        _require_answered(applied, out)
        pictures.colour(applied.label_map).convert("RGB").save(buffer, format=_format(out))
    else:
        raise RequestError(
            f"-o {out}",
            found=f"output {applied.port.name} of shape {list(applied.output.shape)}",
            expected="class scores or labels of a picture",
            remedy="write the raw values: -o out.npy",
        )
    storage.write_file(out, buffer.getvalue())


def shares(applied: Applied) -> dict[str, float]:
    """The share of each class in the label map, by name, and of no class where there is such;
    empty where there is no map.
    """
    if applied.label_map is None:
        return {}
    count = max(len(applied.labels), int(applied.label_map.max()) + 1)
    known = range(int(min(0, applied.label_map.min())), count)
    return {class_name(i, applied.labels): float((applied.label_map == i).mean()) for i in known}


def _require_answered(applied: Applied, out: Path) -> None:
    if applied.lost:
        raise NoAnswerError(
            f"-o {out}",
            found="; ".join(applied.unanswered),
            expected="a class for every pixel; no picture is written",
            remedy="compare the artifact with its checkpoint: lading verify; "
            "-o out.npy writes the raw values",
        )


def _require_writable(out: Path) -> None:
    """Passes only what can be written, before anything runs."""
    storage.require_file(out)
    if out.suffix.lower() not in (".npy", ".npz"):
        _format(out)


def _entry(name: str) -> str:
    """An output's name as a file's inside an archive."""
    return "".join(c if c.isalnum() or c in "-_." else "_" for c in name)


def _format(out: Path) -> str:
    known = {".png": "PNG", ".bmp": "BMP"}  # what loses nothing: a colour is a class
    if out.suffix.lower() not in known:
        raise RequestError(
            f"-o {out}",
            found=f"suffix {out.suffix!r}",
            expected=".npy, .npz, .png or .bmp, which keep every value as it is",
            remedy="use -o out.png",
        )
    return known[out.suffix.lower()]
