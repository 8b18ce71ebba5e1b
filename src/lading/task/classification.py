"""What makes a task a classifier that can be fed and read: text in, probabilities of classes out.

A task's notes (see `lading.record.Task`) may hold a ``vocabulary``: then its network takes text,
one id per character. `vocabulary` finds it, `answers` reads what came out.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from typing import Any

import numpy as np
import numpy.typing as npt

from lading.errors import InputError
from lading.record import Port, Task

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Vocabulary:
    """The characters that a network knows, in the order of their ids, from 1.

    0 stands for padding and for every other character.

    Attributes:
        characters: each once.
        length: how many ids the network takes: text is cut or padded at the end.
    """

    characters: str
    length: int

    def encode(self, text: str) -> list[int]:
        """The ids of a text.

        >>> Vocabulary("abc", 4).encode("cab!!")
        [3, 1, 2, 0]
        """
        place = _places(self.characters)
        ids = [place.get(character, 0) for character in text[: self.length]]
        return ids + [0] * (self.length - len(ids))

    def require_known(self, text: str) -> None:
        """Passes only a text that the network can see something of.

        Raises:
            InputError: it is empty, or none of the characters that are looked at is known.
        """
        if any(self.encode(text)):
            return
        seen = text[: self.length]
        found = "an empty text"
        if seen:
            found = f"no character that the network knows, in the first {len(seen)}: {seen!r}"
        raise InputError(
            f"text {text[:40]!r}",
            found=found,
            expected=f"any of the {len(self.characters)} characters {self.told()}",
            remedy='give a text of these, e.g. lading classify ARTIFACT "ghbdtn"',
        )

    def told(self) -> str:
        """The characters for people, runs of them by their ends.

        >>> Vocabulary("cab éxyz", 4).told()
        'space, a to c, x to z, é'
        """
        ordered = enumerate(sorted(set(self.characters)))
        parts = []
        for _, run in groupby(ordered, key=lambda item: ord(item[1]) - item[0]):
            members = [character for _, character in run]
            ends = [members[0], members[-1]] if len(members) > 2 else members
            spelt = ["space" if one == " " else one for one in ends]
            parts.append((" to " if len(members) > 2 else ", ").join(spelt))
        return ", ".join(parts)


def vocabulary(task: Task, details: Mapping[str, str] | None = None) -> Vocabulary | None:
    """The vocabulary of a task whose network takes text; None of any other.

    Args:
        task: as the family or the artifact's notes tell it.
        details: the artifact's own metadata, which may hold ``lading.vocabulary``.
    """
    characters = str(task.notes.get("vocabulary", ""))
    fact = (details or {}).get("lading.vocabulary", "")
    spelt = _text(fact) or _text(characters)
    if not spelt or len(task.inputs) != 1 or len(task.inputs[0].shape) != 2:
        return None
    return Vocabulary(spelt, task.inputs[0].shape[1])


def _text(fact: str) -> str:
    """A text, or a list of characters, that was written as JSON; nothing of anything else."""
    try:
        value = json.loads(fact)
    except ValueError:
        return ""
    if isinstance(value, list) and all(isinstance(one, str) and len(one) == 1 for one in value):
        value = "".join(value)
    return value if isinstance(value, str) and len(set(value)) == len(value) else ""


@cache
def _places(characters: str) -> Mapping[str, int]:
    return {character: place for place, character in enumerate(characters, 1)}


# ------------------------------------------------------------------------------------------ answers
@dataclass(frozen=True)
class Answers:
    """What a classifier said of N samples.

    Attributes:
        classes: indices of the classes, int64 [N]; -1 where a probability is NaN.
        probabilities: float64 [N, C]; None where the artifact gives classes only.
    """

    classes: Array
    probabilities: Array | None


def answers(
    outputs: Mapping[str, Array], ports: Sequence[Port], task: Task, meaning: str = ""
) -> Answers:
    """Reads a classifier's outputs, scores or probabilities or labels.

    Args:
        outputs: by name; the first axis is the samples'.
        ports: of the outputs, in order.
        task: for the class names and the activation.
        meaning: of the outputs where the ports do not say: ``"logits"``, ``"probabilities"`` or
            ``"labels"``.

    Raises:
        InputError: none of the outputs can be read as classes.
    """
    count = len(task.labels)
    for port in ports:
        values = outputs.get(port.name)
        if values is None or values.dtype.kind != "f" or values.shape[1:] != (count,):
            continue
        wide = values.astype(np.float64)
        if (port.meaning or meaning) != "probabilities":
            wide = activated(wide, task.activation)
        broken = np.isnan(wide).any(axis=1)
        return Answers(np.where(broken, -1, wide.argmax(axis=1)), wide)
    for port in ports:
        values = outputs.get(port.name)
        if values is not None and values.dtype.kind in "iu" and values.ndim == 1:
            return Answers(values.astype(np.int64), None)
    found = ", ".join(f"{name} {v.dtype} {list(v.shape)}" for name, v in outputs.items())
    raise InputError(
        "outputs of the classifier",
        found=found or "nothing",
        expected=f"scores or probabilities of {count} classes, or the class itself",
        remedy="convert the checkpoint again with --output logits or --output probabilities",
    )


def activated(scores: Array, activation: str) -> Array:
    """Probabilities of scores [N, C] in float64, NaN where a score is.

    >>> activated(np.array([[0.0, 0.0]]), "softmax").tolist()
    [[0.5, 0.5]]
    """
    with np.errstate(over="ignore", invalid="ignore"):
        if activation == "sigmoid":
            return np.asarray(1.0 / (1.0 + np.exp(-scores)))
        powers = np.exp(scores - scores.max(axis=1, keepdims=True))
        return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def require_classifier(task: Task | None, subject: str, found: str) -> Task:
    """The task, where it is a classifier of whole samples.

    Args:
        task: None where nothing is known of the artifact.
        subject: the artifact or checkpoint, for the error.
        found: what it is instead, for the error.

    Raises:
        InputError: it is none.
    """
    if task is not None and task.kind == "classification" and task.labels:
        return task
    raise InputError(
        subject,
        found=found,
        expected="a classifier: one input, and a score for each of a list of classes",
        remedy="`lading run ARTIFACT --input FILE` runs any other artifact",
    )
