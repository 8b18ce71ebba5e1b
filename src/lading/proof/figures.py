"""Pictures from the work itself, for the bill: what the original and each artifact see.

Segmentation: the image, the label map of each, and where they differ. Other tasks bring their own
pictures; whatever the bill holds is shown.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from lading.errors import LadingError
from lading.proof.golden import steps
from lading.proof.metrics import dice
from lading.proof.original import Original
from lading.proof.probes import Probe
from lading.record import ArtifactRecord, Picture, Task
from lading.record.wording import FORMATS, RUNTIMES
from lading.runtimes import Runtime, runtimes_for
from lading.task import pictures

Array = npt.NDArray[Any]

#: How many probes are drawn: the user's own first.
MOST = 2
ORDER = ("data", "shapes", "stripes")
#: The names of `pictures.PALETTE`, for who cannot see it.
NAMES = ("black", "orange", "sky blue", "green", "yellow", "blue", "vermilion", "purple")
AGREE, DIFFER = (244, 244, 244), (200, 20, 40)


def segmentation(
    original: Original, artifacts: Sequence[tuple[ArtifactRecord, Path]]
) -> tuple[Picture, ...]:
    """Image, label maps, and differences of a segmentation; nothing for other tasks.

    Args:
        original: the untouched original with its outputs.
        artifacts: what was made of it, and where each lies.
    """
    interface = original.interface
    if interface.task.kind != "segmentation":
        return ()
    drawn: list[Picture] = []
    sessions = [(one, runtime, runtime.load(path)) for one, runtime, path in _able(artifacts)]
    for place in _chosen(original):
        probe = original.drawn[place]
        truth = _labels(original.outputs[place], original)
        if truth is None:
            continue
        maps = []
        for one, runtime, session in sessions:
            try:
                labels = _labels(session.run(probe.inputs), original)
            except LadingError:  # the comparison tells it
                continue
            if labels is not None and labels.shape == truth.shape:
                maps.append((one, runtime, labels))
        drawn += _row(probe, interface.task, truth, maps)
    return tuple(drawn)


def _able(
    artifacts: Sequence[tuple[ArtifactRecord, Path]],
) -> list[tuple[ArtifactRecord, Runtime, Path]]:
    """Each artifact with the first runtime that this computer has for it."""
    found = []
    for one, path in artifacts:
        runtime = next((r for r in runtimes_for(one.format) if not r.unavailable()), None)
        if runtime:
            found.append((one, runtime, path))
    return found


def _chosen(original: Original) -> list[int]:
    port = original.interface.inputs[0]
    able = [
        place
        for place, probe in enumerate(original.drawn)
        if probe.kind in ORDER and probe.inputs[port.name].shape == port.shape
    ]
    return sorted(able, key=lambda place: ORDER.index(original.drawn[place].kind))[:MOST]


def _labels(outputs: Mapping[str, Array], original: Original) -> Array | None:
    """[H, W], the middle slice of a volume; None where the outputs are no labels."""
    interface = original.interface
    port = interface.outputs[0]
    if port.name not in outputs:
        return None
    found = outputs[port.name] if port.meaning == "labels" else None
    if found is None:
        found = steps.finish(outputs, interface.outputs, interface.task).get("labels")
    return None if found is None else _slice(found[0])


def _slice(values: Array) -> Array:
    while values.ndim > 2:
        values = values[values.shape[0] // 2]
    return values


def _row(
    probe: Probe,
    task: Task,
    truth: Array,
    maps: Sequence[tuple[ArtifactRecord, Runtime, Array]],
) -> list[Picture]:
    name, levels = next(iter({**probe.inputs, **probe.raw}.items()))
    plane = pictures.grey(_slice(levels[0]))
    size = "×".join(map(str, truth.shape))
    row = [
        Picture(
            f"{probe.name}/input", f"Input, {size}", f"Input {name} of {probe.name}", _png(plane)
        ),
        Picture(
            f"{probe.name}/original",
            f"The original in PyTorch: {_legend(truth, task)}",
            f"Label map of the original: {_shares(truth, task)}",
            _png(_coloured(truth)),
        ),
    ]
    differs = np.zeros(truth.shape, dtype=bool)
    for one, runtime, labels in maps:
        differs |= labels != truth
        title = (
            f"{FORMATS.get(one.format, one.format)} in {RUNTIMES.get(runtime.name, runtime.name)}"
        )
        row.append(
            Picture(
                f"{probe.name}/{one.format}-{runtime.name}",
                f"{title}: {_overlaps(truth, labels, task)}",
                f"Label map of {title}: {_shares(labels, task)}",
                _png(_coloured(labels)),
            )
        )
    if maps:
        count = f"{int(differs.sum()):,} of {differs.size:,} pixels differ in any"
        row.append(
            Picture(
                f"{probe.name}/difference",
                f"Difference: {count}",
                f"Where label maps differ, red: {count}",
                _png(_two(differs)),
            )
        )
    return row


def _name(label: int, task: Task) -> str:
    return task.labels[label] if label < len(task.labels) else f"class {label}"


def _legend(labels: Array, task: Task) -> str:
    """The colours of the classes that are there."""
    there = [int(label) for label in np.unique(labels)]
    return ", ".join(f"{_name(one, task)} {NAMES[_place(one)]}" for one in there)


def _shares(labels: Array, task: Task) -> str:
    there, counts = np.unique(labels, return_counts=True)
    return ", ".join(
        f"{_name(int(one), task)} {100 * count / labels.size:.1f} %"
        for one, count in zip(there, counts, strict=True)
    )


def _overlaps(truth: Array, labels: Array, task: Task) -> str:
    """Dice per class with the original's map, background left out where there is another class."""
    classes = sorted({int(one) for one in np.union1d(truth, labels)})
    shown = [one for one in classes if one] or classes
    scores = [(one, dice(truth, labels, one)) for one in shown]
    return "Dice " + ", ".join(f"{_name(one, task)} {score:.4f}" for one, score in scores
                               if score is not None)  # fmt: skip


def _place(label: int) -> int:
    """A label's colour; labels past the palette's end begin again at 1."""
    last = len(pictures.PALETTE)
    return label if label < last else (label - 1) % (last - 1) + 1


def _coloured(labels: Array) -> Image.Image:
    """Indexed, as a label map is: a few kilobytes."""
    places = np.vectorize(_place, otypes=[np.uint8])(labels)
    plane = Image.fromarray(places)
    plane.putpalette([value for colour in pictures.PALETTE for value in colour])
    return plane


def _two(differs: Array) -> Image.Image:
    plane = Image.fromarray(differs.astype(np.uint8))
    plane.putpalette([*AGREE, *DIFFER])
    return plane


def _png(picture: Image.Image) -> str:
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG", optimize=True)
    return base64.b64encode(buffer.getvalue()).decode()
