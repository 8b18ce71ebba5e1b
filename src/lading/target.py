"""The contract of a target: a file format that a captured graph is converted to.

Each lives in one file of `targets/`, found by being there: the module holds one object ``TARGET``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

from lading import shelf
from lading.capture import Axes, Captured
from lading.errors import ProgramError, RequestError
from lading.evidence import ArtifactRecord, Task, from_json
from lading.interface import Options

Precision = Literal["fp16", "fp32"]
PRECISIONS: tuple[Precision, ...] = ("fp16", "fp32")

#: Core ML came to both systems together: each macOS reads what its twin reads.
MACOS_TWIN = {"macOS12": "iOS15", "macOS13": "iOS16", "macOS14": "iOS17", "macOS15": "iOS18"}
DEPLOYMENTS = ("iOS15", "iOS16", "iOS17", "iOS18", *MACOS_TWIN)
OLDEST_OPSET = 18


@dataclass(frozen=True)
class Settings:
    """What was asked of the files.

    Attributes:
        precision: of Core ML's arithmetic and weights. ONNX is always written in fp32: the
            reference form that anything else can be made from.
        deployment: the oldest system that must run it, e.g. ``"iOS16"`` or ``"macOS13"``.
        opset: of ONNX.
        author: written into the artifact's metadata when not empty, like the next two.
        license: see `author`.
        description: see `author`.
        facts: further metadata, by key: checkpoint digest, lading's version, labels, ports.
        auto: where fp16 misses its gates, look for the fewest operations that must stay in fp32.
        wide: names of operations of an fp16 program that stay in fp32, as the converter has them.
    """

    precision: Precision = "fp16"
    deployment: str = "iOS16"
    opset: int = 18
    author: str = ""
    license: str = ""
    description: str = ""
    facts: Mapping[str, str] = field(default_factory=dict)
    auto: bool = False
    wide: tuple[str, ...] = ()


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
    return shelf.read("lading.targets", "TARGET")


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


def deployment(text: str) -> str:
    """The deployment target that ``--ios 16`` or ``--macos 13`` names.

    Raises:
        RequestError: there is no such system, or no ML Program runs on it.

    >>> deployment("iOS16"), deployment("macos 13")
    ('iOS16', 'macOS13')
    """
    wanted = text.replace(" ", "").lower()
    for known in DEPLOYMENTS:
        if known.lower() == wanted:
            return known
    raise RequestError(
        f"deployment target {text}",
        found=repr(text),
        expected="--ios 15, 16, 17, 18 or --macos 12, 13, 14, 15",
        remedy="use --ios 16",
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
            remedy="convert again, or feed it from Python: lading.mil.load(path).predict({...})",
        ) from error
