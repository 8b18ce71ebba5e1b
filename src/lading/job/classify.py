"""Asking a text classifier: what `lading classify` does.

An artifact is fed as its own metadata says: the vocabulary and the class names travel with it. A
checkpoint is rebuilt first, and its family knows them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lading.errors import InputError, NoAnswerError, RequestError
from lading.formats import is_artifact, open_artifact
from lading.interface import Options, wrap
from lading.interface.matching import meant
from lading.interface.original import TITLE, TorchSide
from lading.interface.side import Side
from lading.job.request import Classify
from lading.job.source import source
from lading.network.source import load
from lading.record import Port, Task
from lading.task import prepare, require_classifier
from lading.task.finish import class_name, of_samples
from lading.task.text import Vocabulary, vocabulary


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
    side: Side
    inputs: Port
    outputs: tuple[Port, ...]
    task: Task

    def __call__(self, text: str) -> Answer:
        """The class of a text.

        Raises:
            InputError: the text is empty or holds no character that the network knows, or the
                artifact gives no classes.
            ProgramError: the artifact cannot be run as it says.
            NoAnswerError: it gives NaN, or a class that there is not.
        """
        self.words.require_known(text)
        ids = prepare.texts([text], self.inputs, self.words)
        outputs = self.side.run({self.inputs.name: ids})
        labels, probabilities = of_samples(outputs, self.outputs, self.task)
        place = int(labels[0])
        if not 0 <= place < len(self.labels):
            raise NoAnswerError(
                f"text {text[:40]!r} in {self.subject}",
                found="scores that are not numbers"
                if place < 0
                else class_name(place, self.labels),
                expected=f"one of {len(self.labels)} classes",
                remedy="compare the artifact with its checkpoint: lading verify",
            )
        shares: dict[str, float] = {}
        if probabilities is not None:
            shares = dict(zip(self.labels, map(float, probabilities[0]), strict=True))
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


def classify(request: Classify) -> tuple[Answer, ...]:
    """An answer for each text.

    Raises:
        LadingError: see `classifier`; or a text holds nothing that the network knows.
    """
    loaded = classifier(request)
    return tuple(loaded(text) for text in request.text)


def classifier(request: Classify) -> Classifier:
    """The text classifier in the artifact or checkpoint that the request names.

    Raises:
        LadingError: the file cannot be read, is no text classifier, or the runtime is not fit.
    """
    path, runtime_name = Path(request.path), request.runtime
    if is_artifact(path):
        request.require_unread(f"the artifact {path.name}")
        return _of_artifact(path, runtime_name)
    if runtime_name not in (None, "torch"):
        raise RequestError(
            f"--runtime {runtime_name}",
            found=f"the checkpoint {path.name}",
            expected="an artifact; a checkpoint runs in torch",
            remedy="leave --runtime out, or convert the checkpoint first: lading convert PATH",
        )
    loaded = load(source(request, path), request.progress)
    task = require_classifier(loaded.task, str(path), f"a {loaded.task.kind} network")
    words = _require_words(vocabulary(task), str(path), task)
    interface = wrap(loaded.network, task, Options())
    return Classifier(
        str(path), TITLE, words, task.labels, TorchSide(interface),
        interface.inputs[0], interface.outputs, task,
    )  # fmt: skip


def _of_artifact(path: Path, runtime_name: str | None) -> Classifier:
    artifact = open_artifact(path)
    record = artifact.record
    told, options = artifact.noted()
    ports = ", ".join(f"{p.name} {p.dtype} {list(p.shape)}" for p in record.inputs)
    found = f"a {told.kind} network" if told else f"no word of lading's; inputs: {ports}"
    task = require_classifier(told, str(path), found)
    words = _require_words(vocabulary(task, record.details), str(path), task)
    chosen = artifact.runtime(runtime_name)
    (takes, *_), gives = meant(record, task, options)
    return Classifier(
        str(path), chosen.title, words, task.labels, artifact.open(chosen),
        takes, gives, task,
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
