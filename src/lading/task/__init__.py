"""The kinds of work a network does: how each is probed, and what its proof and its bill show.

Each lives in one file of `kinds/`, found by being there and called as `record.Task.kind` says: the
module holds one object ``KIND``. What its inputs are made of is in `prepare`, what its outputs mean
in `finish`: both follow the ports, whatever the kind.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from lading.base import shelf
from lading.errors import InputError
from lading.record import Port, Task
from lading.task.further import Price, further, own
from lading.task.probes import Probe


@dataclass(frozen=True)
class Kind:
    """A kind of work.

    Attributes:
        further: of these inputs, those beyond; see `lading.task.further`.
        own: of these inputs, those drawn for the artifact of a digest.
        probes: of these inputs, of which these axes are open (any of ``"batch"``, ``"size"``), with
            the user's files among them.
        classifies: a whole sample has one class, by name.
        maps: every position has a class: the bill draws maps of them.
        walks: it is called again and again, from noise to a picture: so is its proof.
    """

    probes: Callable[[Sequence[Port], Sequence[str], Sequence[Path]], list[Probe]]
    further: Callable[[Sequence[Port], Price], list[Probe]] = further
    own: Callable[[Sequence[Port], str, Price], list[Probe]] = own
    classifies: bool = False
    maps: bool = False
    walks: bool = False


def kind_of(task: Task) -> Kind:
    """The kind of a task.

    Raises:
        InputError: there is none of that name.

    >>> kind_of(Task("diffusion", (), ())).walks
    True
    """
    known: dict[str, Kind] = shelf.read("lading.task.kinds", "KIND")
    if task.kind not in known:
        raise InputError(
            f"a task of the kind {task.kind!r}",
            found=task.kind,
            expected=" or ".join(known),
            remedy="convert the checkpoint again",
        )
    return known[task.kind]


def require_classifier(task: Task | None, subject: str, found: str) -> Task:
    """The task, where it is a classifier of whole samples.

    Args:
        task: None where nothing is known of the artifact.
        subject: the artifact or checkpoint, for the error.
        found: what it is instead, for the error.

    Raises:
        InputError: it is none.
    """
    if task is not None and task.labels and kind_of(task).classifies:
        return task
    raise InputError(
        subject,
        found=found,
        expected="a classifier: one input, and a score for each of a list of classes",
        remedy="`lading run ARTIFACT --input FILE` runs any other artifact",
    )
