"""The bill of a conversion or a verification: everything that is known at its end."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import PurePath
from typing import Any

from lading import app
from lading.base.environment import describe as environment
from lading.base.version import __version__
from lading.errors import InputError
from lading.formats import Artifact
from lading.network.source import Loaded
from lading.proof import divergence, figures, readings, verdict
from lading.proof import trajectory as trajectories
from lading.proof.original import Original
from lading.record import (
    SCHEMA,
    ArtifactRecord,
    Bill,
    CaptureRecord,
    Comparison,
    Provenance,
    Refusal,
    Snippet,
    Task,
    to_json,
)
from lading.record.wording import left_open

#: Before the names of what lading writes into an artifact.
FACTS_PREFIX = "lading."


def dumps(bill: Bill) -> str:
    """The bill as the text of `lading.json`."""
    return json.dumps(to_json(bill), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def drawn_up(
    loaded: Loaded,
    original: Original,
    *,
    capture: CaptureRecord | None,
    artifacts: tuple[ArtifactRecord, ...],
    comparisons: tuple[Comparison, ...],
    sources: tuple[Provenance, ...] = (),
    course: trajectories.Course | None = None,
    taken: tuple[trajectories.Taken, ...] = (),
    found: Mapping[str, Any],
    request: Mapping[str, Any],
    notices: Sequence[str],
    refused: tuple[Refusal, ...] = (),
) -> Bill:
    """Everything that is known at the end, in one record."""
    walks = tuple(one.record for one in taken)
    drawn = trajectories.pictures(course, taken) if course else ()
    return Bill(
        schema=SCHEMA,
        lading=__version__,
        verdict="fail" if refused else verdict.overall(comparisons, sources, walks),
        checkpoint=loaded.checkpoint.record,
        family=loaded.recognition.family,
        signs=loaded.recognition.signs,
        hyperparameters=loaded.recognition.hyperparameters,
        conflicts=loaded.recognition.conflicts,
        settlings=loaded.recognition.settlings,
        task=loaded.task,
        ledger=loaded.ledger.lines,
        ledger_summary=loaded.ledger.summary,
        capture=capture,
        artifacts=artifacts,
        probes=tuple(probe.record() for probe in original.drawn),
        comparisons=comparisons,
        request=request,
        notices=(*notices, *left_open(comparisons)),
        environment=environment(),
        provenance=sources,
        trajectories=walks,
        refused=refused,
        **{**found, "pictures": (*found["pictures"], *drawn)},
    )


def findings(
    original: Original,
    artifacts: Sequence[tuple[ArtifactRecord, Artifact, Sequence[Comparison]]],
) -> dict[str, tuple[Any, ...]]:
    """What else the bill says of the artifacts: where they depart, how they round, what may go
    wrong on a device, pictures, and how to use them; by the bill's own names.
    """
    found: dict[str, list[Any]] = {"walks": [], "hazards": [], "readings": [], "snippets": []}
    for record, artifact, comparisons in artifacts:
        found["walks"] += divergence.explain(
            artifact, record, original.interface, original.drawn, comparisons
        )
        found["hazards"] += artifact.hazards()
        found["readings"] += readings.read(
            artifact,
            record,
            original.drawn,
            original.outputs,
            partial(original.steady, precision=record.precision),
        )
        shown = artifact.format.snippets(record, original.task)
        found["snippets"] += [*shown, *packaged(record, original.task, shown)]
        artifact.rest()
    drawn = figures.segmentation(original, [(record, opened) for record, opened, _ in artifacts])
    return {**{name: tuple(many) for name, many in found.items()}, "pictures": drawn}


def packaged(record: ArtifactRecord, task: Task, shown: Sequence[Snippet]) -> tuple[Snippet, ...]:
    """Swift that uses the package of `lading swift`, where `shown` says that Swift can use it."""
    if not any(one.language == "swift" for one in shown):
        return ()
    try:
        name, code = app.usage(record, task)
    except InputError:  # no package can be made of it
        return ()
    own = name == PurePath(record.path).stem
    title = "Swift with the package that lading swift writes"
    return (Snippet(record.path, "swift", title if own else f"{title}, --name {name}", code),)
