"""Running one artifact on what a user gives it: what `lading run` does."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from lading.base import storage
from lading.errors import RequestError
from lading.formats import artifact_target, noted
from lading.interface import Options
from lading.job.feeding import feed
from lading.record import Port, Task
from lading.runtimes import Array, runtime_of
from lading.task import pictures


@dataclass(frozen=True)
class Applied:
    """What came out, and what was done to the input on the way in.

    Attributes:
        output: the first output's values.
        port: its port.
        outputs: all of them, by name.
        labels: class names, where the artifact carries them.
        label_map: [H, W] where the output can be read as one, else None.
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


def apply(artifact: Path, given: Sequence[str], runtime_name: str | None = None) -> Applied:
    """Feeds an artifact once; a stateful one from a fresh state.

    Args:
        artifact: an `.mlpackage`, `.mlmodel` or `.onnx`.
        given: see `lading.job.feeding.feed`.
        runtime_name: by default the first that runs the format here.

    Raises:
        LadingError: the artifact, an input or the runtime is not fit.
    """
    record = artifact_target(artifact).describe(artifact)
    chosen = runtime_of(record.format, record.path, runtime_name)
    task, told = noted(record)
    fed = feed(record.inputs, given, task, told or Options())
    outputs = chosen.load(artifact).run({name: one.value for name, one in fed.items()})
    first = next((port for port in record.outputs if port.name in outputs), record.outputs[0])
    output = outputs[first.name]
    label_map = _label_map(output, first.name, task)
    labels = task.labels if task else ()
    several = len(fed) > 1
    notes = tuple(
        f"{name}: {note}" if several else note for name, one in fed.items() for note in one.notes
    )
    return Applied(output, first, labels, label_map, notes, chosen.title, outputs)


def save(applied: Applied, out: Path) -> None:
    """Writes the raw output as `.npy`, all of them as `.npz`, or the label map as a coloured
    picture.

    Raises:
        RequestError: a picture was asked for and the output is none.
        StorageError: it cannot be written.
    """
    buffer = io.BytesIO()
    if out.suffix.lower() == ".npy":
        np.save(buffer, applied.output)
    elif out.suffix.lower() == ".npz":
        arrays: dict[str, Any] = {_entry(n): value for n, value in applied.outputs.items()}
        np.savez(buffer, **arrays)
    elif applied.label_map is not None:
        pictures.colour(applied.label_map).save(buffer, format=_format(out))
    else:
        raise RequestError(
            f"-o {out}",
            found=f"output {applied.port.name} of shape {list(applied.output.shape)}",
            expected="class scores or labels of a picture",
            remedy="write the raw values: -o out.npy",
        )
    storage.write_file(out, buffer.getvalue())


def shares(applied: Applied) -> dict[str, float]:
    """The share of each class in the label map, by name; empty where there is none."""
    if applied.label_map is None:
        return {}
    count = max(len(applied.labels), int(applied.label_map.max()) + 1)
    names = [applied.labels[i] if i < len(applied.labels) else f"class {i}" for i in range(count)]
    return {name: float((applied.label_map == i).mean()) for i, name in enumerate(names)}


def _entry(name: str) -> str:
    """An output's name as a file's inside an archive."""
    return "".join(c if c.isalnum() or c in "-_." else "_" for c in name)


def _format(out: Path) -> str:
    known = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".bmp": "BMP"}
    if out.suffix.lower() not in known:
        raise RequestError(
            f"-o {out}",
            found=f"suffix {out.suffix!r}",
            expected=".npy, .npz, .png, .jpg or .bmp",
            remedy="use -o out.png",
        )
    return known[out.suffix.lower()]


def _label_map(output: Array, name: str, task: Task | None) -> Array | None:
    if name == "labels" and output.ndim == 3:
        plane: Array = output[0]
        return plane
    if task is None or output.ndim != 4 or task.outputs[0].class_axis != 1:
        return None
    if task.region_order:
        cut = 0.5 if name == "probabilities" else 0.0
        painted = np.zeros(output.shape[2:], dtype=np.int32)
        for region, label in enumerate(task.region_order):
            painted[output[0, region] > cut] = label
        return painted
    labels: Any = output[0].argmax(axis=0)
    return np.asarray(labels)
