"""The contract of a target: a file format that a captured graph is converted to.

Each lives in one file of `targets/`, found by being there: the module holds one object ``TARGET``.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Protocol

from lading.base import shelf
from lading.conversion.capture import Axes, Captured
from lading.errors import ProgramError, RequestError
from lading.interface import Options
from lading.interface.settings import Precision, Settings
from lading.record import ArtifactRecord, Task, from_json


class Target(Protocol):
    """A format."""

    #: the file's name in `targets/`, and what ``--to`` takes
    name: str
    #: of the artifact's path, with the dot
    suffix: str

    def precision(self, settings: Settings) -> Precision:
        """The precision that the artifact will have under `settings`."""
        ...

    def axes(self, options: Options) -> Axes:
        """Which axes of the graph have to stay open for this format under `options`."""
        ...

    def convert(self, captured: Captured, settings: Settings, path: Path) -> ArtifactRecord:
        """Writes the artifact at `path`, which must not exist; same input, same bytes.

        Raises:
            ConversionError: the format or its converter cannot say this graph.
        """
        ...

    def describe(self, path: Path) -> ArtifactRecord:
        """What the artifact at `path` says of itself: ports, precision, metadata in `details`.

        Open axes have the size -1.

        Raises:
            ProgramError: the file cannot be read.
        """
        ...


def targets() -> dict[str, Target]:
    """Every target, by name."""
    return shelf.read("lading.formats", "TARGET")


def target(name: str) -> Target:
    """The target called `name`.

    Raises:
        RequestError: there is none of that name.
    """
    known = targets()
    if name not in known:
        raise RequestError(
            f"--to {name}",
            found=repr(name),
            expected=" or ".join(known),
            remedy=f"use --to {next(iter(known))}",
        )
    return known[name]


def artifact_target(path: Path) -> Target:
    """The target whose artifact a path is, by its suffix.

    Raises:
        RequestError: there is no such path, or it is no artifact.
    """
    known = targets().values()
    suffixes = " or ".join(one.suffix for one in known)
    if not path.exists():
        raise RequestError(
            str(path),
            found="no such file",
            expected=f"an artifact: {suffixes}",
            remedy="check the path",
        )
    for one in known:
        if path.suffix.lower() == one.suffix:
            return one
    raise RequestError(
        str(path),
        found=f"suffix {path.suffix!r}",
        expected=f"an artifact: {suffixes}",
        remedy="convert the checkpoint first: lading convert PATH",
    )


def noted(record: ArtifactRecord) -> tuple[Task | None, Options | None]:
    """What lading wrote into an artifact when it made it: the task and the options, if it did.

    Raises:
        ProgramError: the notes are there and cannot be read.
    """
    task, options = record.details.get("lading.task"), record.details.get("lading.options")
    try:
        return (
            from_json(Task, json.loads(task)) if task else None,
            from_json(Options, json.loads(options)) if options else None,
        )
    except (TypeError, KeyError, ValueError) as error:
        raise ProgramError(
            record.path,
            found=f"notes of lading's that cannot be read: {error}"[:200],
            expected="what lading wrote into the artifact when it made it",
            remedy="convert again, or feed it from Python: lading.coreml.load(path).predict({...})",
        ) from error
