"""Running one artifact on what a user gives it: what `lading run` does."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from lading.base.drawing import palette
from lading.formats import open_artifact
from lading.interface.matching import meant
from lading.interface.side import Array
from lading.job.feeding import Feeding, feedings
from lading.job.request import Run
from lading.record import ArtifactRecord, Port, Task
from lading.record.brief import Brief
from lading.task import finish, overlay
from lading.task.finish import NO_CLASS, class_name
from lading.task.text import vocabulary


@dataclass(frozen=True)
class Class:
    """A class of an answer.

    Attributes:
        number: in the label map; `NO_CLASS` for what belongs to none.
        name: of the class.
        share: of the map's positions, 0 to 1; of a whole sample, its probability, NaN where the
            artifact gives none.
        colour: in drawings, ``"#e69f00"``.
    """

    number: int
    name: str
    share: float
    colour: str


@dataclass(frozen=True, repr=False)
class Applied(Brief):
    """What came out, and what was done to the input on the way in.

    Attributes:
        output: the first output's values.
        port: its port.
        labels: class names, where the artifact has them.
        label_map: [H, W] or [Z, Y, X] at the size of what the user gave, where the outputs can be
            read as one, else None.
        notes: what was done to the input, and to the label map on the way back.
        runtime: where it ran.
        outputs: all of them, by name.
        name: of the sample, e.g. ``"echo.png"``.
        own: of a picture or volume, its values at its own size [C, H, W] or [C, Z, Y, X].
        affine: of a volume, from voxels to millimetres [4, 4], where its file says so.
        label: of a whole sample, the place of its class; None where it has none.
        probabilities: of a whole sample, [C]; None where there are none.
        rest: of several samples the others, in order.
    """

    output: Array
    port: Port
    labels: tuple[str, ...]
    label_map: Array | None
    notes: tuple[str, ...]
    runtime: str
    outputs: Mapping[str, Array] = field(default_factory=dict)
    name: str = ""
    own: Array | None = None
    affine: Array | None = None
    label: int | None = None
    probabilities: Array | None = None
    rest: tuple[Applied, ...] = ()
    remark: str = ""

    def _repr_html_(self) -> str | None:
        """The labels over the picture, with their legend."""
        if self.own is None or self.label_map is None or self.own.shape[1:] != self.label_map.shape:
            return None
        buffer = io.BytesIO()
        overlay.draw(self.own, self.label_map, self.labels).save(buffer, format="PNG")
        data = base64.b64encode(buffer.getvalue()).decode()
        return f'<img src="data:image/png;base64,{data}" alt="labels over {escape(self.name)}">'

    @property
    def samples(self) -> tuple[Applied, ...]:
        """All samples, this one first."""
        return (self, *self.rest)

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

    @property
    def classes(self) -> tuple[Class, ...]:
        """The legend: of a label map every class and its share, and of a whole sample its classes,
        the likeliest first; empty where there is neither.
        """
        if self.label_map is not None:
            count = max(len(self.labels), int(self.label_map.max(initial=0)) + 1)
            known = range(int(min(0, self.label_map.min(initial=0))), count)
            return tuple(self._class(i, float((self.label_map == i).mean())) for i in known)
        if self.label is None:
            return ()
        if self.probabilities is None:
            return (self._class(self.label, float("nan")),)
        order = np.argsort(-self.probabilities, kind="stable")
        return tuple(self._class(int(i), float(self.probabilities[i])) for i in order)

    def _class(self, number: int, share: float) -> Class:
        return Class(number, class_name(number, self.labels), share, palette.spelled(number))


def run(request: Run) -> Applied:
    """Feeds an artifact, once for each sample, one with a memory from its beginning each time; what
    came out goes to `out`, where that is named.

    Raises:
        LadingError: the artifact, an input or the runtime is not fit, or what is to be written
            cannot be made of what came out; then nothing is written.
    """
    from lading.job import saved

    saved.require(request)
    first, *rest = _samples(request)
    made = replace(first, rest=tuple(rest))
    saved.save(made, request)
    return made


def _samples(request: Run) -> Iterator[Applied]:
    opened = open_artifact(Path(request.artifact))
    record = opened.record
    chosen = opened.runtime(request.runtime)
    task, options = opened.noted()
    takes, gives = meant(record, task, options)
    given: Any = request.input  # checked, and so texts
    words = vocabulary(task, record.details) if task else None
    known = task or Task("module", takes, gives)
    side = opened.open(chosen)
    several = bool(record.states)
    for index, fed in enumerate(feedings(takes, given, words, several=several)):
        if index or fed.name:
            request.progress("run", fed.name)
        outputs = side.run({name: one.value for name, one in fed.values.items()})
        for state in record.states:
            outputs.pop(state.port.name, None)
        first = next((port for port in record.outputs if port.name in outputs), record.outputs[0])
        made = _applied(fed, outputs, first, gives, known, chosen.title, opened.remark)
        yield replace(made, notes=(*made.notes, *_remembered(record)))


def _remembered(record: ArtifactRecord) -> tuple[str, ...]:
    """What is to be said of a memory; nothing where there is none."""
    names = ", ".join(state.port.name for state in record.states)
    if not names:
        return ()
    values = any(state.begins == "values" for state in record.states)
    begins = "the checkpoint's values" if values else "zeros"
    return (f"it remembers {names}, and began with {begins}",)


def _applied(
    fed: Feeding,
    outputs: Mapping[str, Array],
    first: Port,
    gives: tuple[Port, ...],
    task: Task,
    runtime: str,
    remark: str,
) -> Applied:
    notes = []
    for name, one in fed.values.items():
        notes += [f"{name}: {note}" if len(fed.values) > 1 else note for note in one.notes]
    prepared = next((one for one in fed.values.values() if one.own is not None), None)
    own = prepared.own if prepared else None
    size = () if own is None else own.shape[1:]
    mapped = finish.label_map(outputs, gives, task, size)
    answer = finish.answering(outputs, gives)
    if mapped is not None and answer is not None:
        spatial = outputs[answer.name].shape[-mapped.ndim :]
        if spatial != mapped.shape:
            back, what = "x".join(map(str, mapped.shape)), "scores"
            if answer.meaning == "labels":
                what = "the nearest label"
            notes.append(f"labels put back to {back}: {what} resampled")
    seen = finish.Finished() if mapped is not None else finish.finish(outputs, gives, task)
    whole = seen.labels is not None and seen.labels.shape == (1,)
    return Applied(
        outputs[first.name], first, task.labels, mapped, tuple(notes), runtime, outputs,
        Path(fed.name).name if own is not None else fed.name,
        own, prepared.affine if prepared else None,
        int(seen.labels[0]) if whole and seen.labels is not None else None,
        seen.probabilities[0] if whole and seen.probabilities is not None else None,
        remark=remark,
    )  # fmt: skip
