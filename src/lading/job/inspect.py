"""What `lading inspect` does: what a checkpoint, a model folder or an artifact is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lading.checkpoint import Checkpoint
from lading.errors import LadingError, RecognitionError
from lading.formats import Artifact, is_artifact, open_artifact
from lading.interface.work import Work
from lading.job.costs import cost, parts
from lading.job.request import Inspect
from lading.job.source import source
from lading.network.source import recognised, tensors
from lading.record import (  # fmt: skip
    ArtifactRecord,
    CheckpointRecord,
    Hazard,
    LedgerLine,
    LedgerSummary,
    Recognition,
    to_json,
)
from lading.record.bench import Cost
from lading.record.brief import Brief


@dataclass(frozen=True, repr=False)
class Inspection(Brief):
    """A checkpoint, looked at.

    `ledger` is empty and `summary` None where the ledger cannot be closed; `refused` says why. Of
    a checkpoint that no family claims, `advice` says what would be needed.
    """

    checkpoint: CheckpointRecord
    recognition: Recognition
    shapes: Mapping[str, tuple[int, ...]]
    aliases: Mapping[str, str]
    summary: LedgerSummary | None
    ledger: tuple[LedgerLine, ...]
    refused: str = ""
    advice: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {
            "checkpoint": to_json(self.checkpoint),
            **to_json(self.recognition),
            "ledger_summary": to_json(self.summary),
            "ledger": to_json(self.ledger),
            "refused": self.refused,
            "advice": self.advice,
            "tensors": to_json(self.shapes),
            "aliases": to_json(self.aliases),
        }


@dataclass(frozen=True, repr=False)
class ArtifactInspection(Brief):
    """A converted file, looked at.

    Attributes:
        artifact: as it describes itself.
        hazards: what goes wrong with it on devices.
        obstacle: why it cannot be run on this computer; empty where nothing is known of that.
        cost: what it computes and holds; None where that cannot be read.
        parts: the same by module path.
    """

    artifact: ArtifactRecord
    hazards: tuple[Hazard, ...] = ()
    obstacle: str = ""
    cost: Cost | None = None
    parts: tuple[Cost, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {
            "artifact": to_json(self.artifact),
            "hazards": to_json(self.hazards),
            "cannot_be_run_here": self.obstacle,
            "cost": to_json(self.cost),
            "parts": to_json(self.parts),
        }


def inspect(request: Inspect) -> Inspection | ArtifactInspection:
    """Looks at it.

    Raises:
        LadingError: it cannot be read.
    """
    path = Path(request.path)
    if is_artifact(path) and path.exists():
        request.require_unread(f"the artifact {path.name}")
        artifact = open_artifact(path)
        obstacle = artifact.obstacle()
        work = _work(artifact)
        return ArtifactInspection(
            artifact.record, () if obstacle else artifact.hazards(), obstacle,
            cost(str(path), work) if work else None, parts(work),
        )  # fmt: skip
    had = source(request, path)
    held = tensors(had, request.progress)
    try:
        looked = recognised(had, held, request.progress)
    except RecognitionError as nobody:
        return _unknown(held, nobody)
    checkpoint = looked.checkpoint
    summary: LedgerSummary | None = None
    lines: tuple[LedgerLine, ...] = ()
    refused = ""
    try:
        closed = looked.load().ledger
        summary, lines = closed.summary, closed.lines
    except LadingError as error:
        refused = str(error)
    return Inspection(
        checkpoint.record, looked.recognition, _shapes(checkpoint), dict(checkpoint.aliases),
        summary, lines, refused,
    )  # fmt: skip


def _work(artifact: Artifact) -> Sequence[Work]:
    """By what the file says alone; nothing where that cannot be read."""
    try:
        return artifact.work()
    except LadingError:
        return ()


def _unknown(checkpoint: Checkpoint, nobody: RecognitionError) -> Inspection:
    """A checkpoint that no family claims: what it is is known all the same."""
    return Inspection(
        checkpoint.record, Recognition("", "no known family", (), ()), _shapes(checkpoint),
        dict(checkpoint.aliases), None, (), advice=f"{nobody.found}; {nobody.remedy}",
    )  # fmt: skip


def _shapes(checkpoint: Checkpoint) -> dict[str, tuple[int, ...]]:
    return {name: tuple(tensor.shape) for name, tensor in checkpoint.tensors.items()}
