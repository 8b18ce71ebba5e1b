"""The bill of lading."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lading.record.artifact import ArtifactRecord, CaptureRecord, Refusal, Task
from lading.record.brief import Brief
from lading.record.comparison import Comparison, DatasetRecord, ProbeRecord, Verdict
from lading.record.inquiry import Hazard, Picture, Provenance, Reading, Trajectory, Walk
from lading.record.network import (
    CheckpointRecord,
    Conflict,
    HyperParameter,
    LedgerLine,
    LedgerSummary,
    Settling,
    Sign,
)
from lading.record.snippet import Snippet

SCHEMA = 2


@dataclass(frozen=True, repr=False)
class Bill(Brief):
    """The bill of lading: the whole evidence, `lading.json` on disk."""

    schema: int
    lading: str
    verdict: Verdict
    checkpoint: CheckpointRecord
    family: str
    signs: tuple[Sign, ...]
    hyperparameters: tuple[HyperParameter, ...]
    conflicts: tuple[Conflict, ...]
    task: Task
    ledger: tuple[LedgerLine, ...]
    ledger_summary: LedgerSummary
    capture: CaptureRecord | None
    artifacts: tuple[ArtifactRecord, ...]
    probes: tuple[ProbeRecord, ...]
    comparisons: tuple[Comparison, ...]
    request: Mapping[str, Any]
    notices: tuple[str, ...]
    environment: Mapping[str, str]
    walks: tuple[Walk, ...] = ()
    provenance: tuple[Provenance, ...] = ()
    readings: tuple[Reading, ...] = ()
    hazards: tuple[Hazard, ...] = ()
    pictures: tuple[Picture, ...] = ()
    datasets: tuple[DatasetRecord, ...] = ()
    settlings: tuple[Settling, ...] = ()
    trajectories: tuple[Trajectory, ...] = ()
    snippets: tuple[Snippet, ...] = ()
    refused: tuple[Refusal, ...] = ()
