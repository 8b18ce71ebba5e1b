"""Asking a text classifier: what `lading classify` does.

An artifact is fed as its own metadata says: the vocabulary and the class names travel with it. A
checkpoint is rebuilt first, and its family knows them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lading.base.progress import Progress, silent
from lading.errors import InputError, ProgramError, RequestError
from lading.formats import artifact_target, noted, targets
from lading.interface import Options, wrap
from lading.job import pipeline
from lading.record import Port, Task
from lading.runtimes import Session, runtime, runtime_of
from lading.runtimes.torch import Eager
from lading.task.classification import Vocabulary, answers, require_classifier, vocabulary


@dataclass(frozen=True)
class Answer:
    """What a classifier says of one text.

    Attributes:
        text: as it was given.
        label: the class.
        probabilities: by class name, in the network's order; empty where the artifact gives the
            class only.
        notes: what the network did not see of the text.
    """

    text: str
    label: str
    probabilities: Mapping[str, float]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Classifier:
    """A text classifier, loaded.

    Attributes:
        subject: the file.
        runtime: title of what runs it.
        words: how text becomes numbers.
        labels: class names.
    """

    subject: str
    runtime: str
    words: Vocabulary
    labels: tuple[str, ...]
    session: Session
    inputs: Port
    outputs: tuple[Port, ...]
    task: Task
    meaning: str

    def __call__(self, text: str) -> Answer:
        """The class of a text.

        Raises:
            InputError: the text is empty or holds no character that the network knows.
            ProgramError: the artifact cannot be run as it says, or gives no numbers.
        """
        self.words.require_known(text)
        ids = np.array([self.words.encode(text)], dtype=self.inputs.dtype)
        values = self.session.run({self.inputs.name: ids})
        said = answers(values, self.outputs, self.task, self.meaning)
        place = int(said.classes[0])
        if not 0 <= place < len(self.labels):
            raise ProgramError(
                f"text {text[:40]!r} in {self.subject}",
                found="scores that are not numbers" if place < 0 else f"class {place}",
                expected=f"one of {len(self.labels)} classes",
                remedy="compare the artifact with its checkpoint: lading verify",
            )
        shares: dict[str, float] = {}
        if said.probabilities is not None:
            shares = dict(zip(self.labels, map(float, said.probabilities[0]), strict=True))
        return Answer(text, self.labels[place], shares, self._notes(text))

    def _notes(self, text: str) -> tuple[str, ...]:
        seen = text[: self.words.length]
        notes = []
        if len(text) > len(seen):
            notes.append(f"the first {len(seen)} of {len(text)} characters were looked at")
        strange = "".join(dict.fromkeys(c for c in seen if c not in self.words.characters))
        if strange:
            notes.append(f"characters that the network does not know: {strange!r}")
        return tuple(notes)


def classifier(
    path: Path,
    runtime_name: str | None = None,
    *,
    given: Mapping[str, str] | None = None,
    fold: str | None = None,
    progress: Progress | None = None,
) -> Classifier:
    """The text classifier in a file.

    Args:
        path: an artifact, or a checkpoint.
        runtime_name: of an artifact's runtime; by default the first that runs it here.
        given: ``--set`` values by name, of a checkpoint.
        fold: of a model folder.
        progress: told when a stage begins.

    Raises:
        LadingError: the file cannot be read, is no text classifier, or the runtime is not fit.
    """
    if path.suffix.lower() in {one.suffix for one in targets().values()}:
        if given or fold:
            raise RequestError(
                "--set" if given else "--fold",
                found=f"the artifact {path.name}",
                expected="a checkpoint: an artifact's network is what it is",
                remedy="leave it out",
            )
        return _of_artifact(path, runtime_name)
    if runtime_name not in (None, "torch"):
        raise RequestError(
            f"--runtime {runtime_name}",
            found=f"the checkpoint {path.name}",
            expected="an artifact; a checkpoint runs in torch",
            remedy="leave --runtime out, or convert the checkpoint first: lading convert PATH",
        )
    loaded = pipeline.load(path, given=given, fold=fold, progress=progress or silent)
    task = require_classifier(loaded.task, str(path), f"a {loaded.task.kind} network")
    words = _require_words(vocabulary(task), str(path), task)
    interface = wrap(loaded.network, task, Options())
    return Classifier(
        str(path), runtime("torch").title, words, task.labels, Eager(interface),
        interface.inputs[0], interface.outputs, task, "logits",
    )  # fmt: skip


def _of_artifact(path: Path, runtime_name: str | None) -> Classifier:
    record = artifact_target(path).describe(path)
    told, options = noted(record)
    ports = ", ".join(f"{p.name} {p.dtype} {list(p.shape)}" for p in record.inputs)
    found = f"a {told.kind} network" if told else f"no word of lading's; inputs: {ports}"
    task = require_classifier(told, str(path), found)
    words = _require_words(vocabulary(task, record.details), str(path), task)
    chosen = runtime_of(record.format, str(path), runtime_name)
    asked = options or Options()
    meaning = "probabilities" if asked.classifier else asked.output
    return Classifier(
        str(path), chosen.title, words, task.labels, chosen.load(path),
        record.inputs[0], record.outputs, task, meaning,
    )  # fmt: skip


def _require_words(words: Vocabulary | None, subject: str, task: Task) -> Vocabulary:
    if words is not None:
        return words
    port = task.inputs[0]
    raise InputError(
        subject,
        found=f"a classifier that takes {port.meaning or port.name} {list(port.shape)}, no text",
        expected="a text classifier: a network with a vocabulary",
        remedy="`lading run ARTIFACT --input FILE` feeds pictures and arrays",
    )
