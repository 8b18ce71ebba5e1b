"""Pictures from the work itself, for the bill: what the original and each artifact see.

Segmentation: the image, the label map of each, and where they differ. Other tasks bring their own
pictures; whatever the bill holds is shown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from lading.base.drawing import gallery, palette
from lading.errors import LadingError
from lading.formats import Artifact, Runtime
from lading.proof.metrics import dice
from lading.proof.original import Original
from lading.proof.probes import Probe, pictured
from lading.record import ArtifactRecord, Picture, Task
from lading.record.wording import RUNTIMES
from lading.task import kind_of, pictures
from lading.task.finish import class_name, finish

Array = npt.NDArray[Any]


def segmentation(
    original: Original, artifacts: Sequence[tuple[ArtifactRecord, Artifact]]
) -> tuple[Picture, ...]:
    """Image, label maps, and differences of a segmentation; nothing for other tasks.

    Args:
        original: the untouched original with its outputs.
        artifacts: what was made of it, and each opened.
    """
    interface = original.interface
    if not kind_of(interface.task).maps:
        return ()
    drawn: list[Picture] = []
    sides = [
        (record, runtime, artifact)
        for record, artifact in artifacts
        for runtime in [r for r in artifact.format.runtimes if not r.unavailable()][:1]
    ]
    for place in pictured(original.drawn, interface.inputs[0]):
        probe = original.drawn[place]
        truth = _labels(original.outputs[place], original)
        if truth is None:
            continue
        maps = []
        for one, runtime, artifact in sides:
            try:
                gave = artifact.gave.get((runtime.name, probe.name))
                labels = _labels(gave or artifact.open(runtime).run(probe.inputs), original)
            except LadingError:  # the comparison tells it
                continue
            if labels is not None and labels.shape == truth.shape:
                maps.append((one, runtime, labels))
        drawn += _row(probe, interface.task, truth, maps)
    return tuple(drawn)


def _labels(outputs: Mapping[str, Array], original: Original) -> Array | None:
    """[H, W], the middle slice of a volume; None where the outputs are no labels."""
    interface = original.interface
    found = finish(outputs, interface.outputs, interface.task).labels
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
        gallery.picture(
            f"{probe.name}/input", f"Input, {size}", f"Input {name} of {probe.name}", plane
        ),
        gallery.picture(
            f"{probe.name}/original",
            f"The original in PyTorch: {_legend(truth, task)}",
            f"Label map of the original: {_shares(truth, task)}",
            pictures.colour(truth),
        ),
    ]
    differs = np.zeros(truth.shape, dtype=bool)
    for one, runtime, labels in maps:
        differs |= labels != truth
        title = f"{one.format_title} in {RUNTIMES.get(runtime.name, runtime.name)}"
        row.append(
            gallery.picture(
                f"{probe.name}/{one.format}-{runtime.name}",
                f"{title}: {_overlaps(truth, labels, task)}",
                f"Label map of {title}: {_shares(labels, task)}",
                pictures.colour(labels),
            )
        )
    if maps:
        name = f"{probe.name}/difference"
        count = f"{int(differs.sum()):,} of {differs.size:,} pixels differ in any"
        if differs.any():
            title, alt = f"Where they differ, red: {count}", f"Where label maps differ: {count}"
            row.append(gallery.picture(name, title, alt, gallery.marked(plane, differs)))
        else:
            text = f"No pixel differs: all label maps have the same class at all {differs.size:,}"
            row.append(Picture(name, text, text, ""))
    return row


def _legend(labels: Array, task: Task) -> str:
    """The colours of the classes that are there."""
    there = [int(label) for label in np.unique(labels)]
    return ", ".join(f"{class_name(one, task.labels)} {_colour(one)}" for one in there)


def _colour(label: int) -> str:
    return "white" if label < 0 else palette.NAMES[palette.place(label)]


def _shares(labels: Array, task: Task) -> str:
    there, counts = np.unique(labels, return_counts=True)
    return ", ".join(
        f"{class_name(int(one), task.labels)} {100 * count / labels.size:.1f} %"
        for one, count in zip(there, counts, strict=True)
    )


def _overlaps(truth: Array, labels: Array, task: Task) -> str:
    """Dice per class with the original's map, background left out where there is another class."""
    classes = sorted({int(one) for one in np.union1d(truth, labels)})
    shown = [one for one in classes if one] or classes
    scores = [(class_name(one, task.labels), dice(truth, labels, one)) for one in shown]
    return "Dice " + ", ".join(f"{name} {score:.4f}" for name, score in scores if score is not None)
