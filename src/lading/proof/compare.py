"""The one judge: an artifact in a runtime beside a reference, over all probes.

`convert`, `verify`, `compare`, golden vectors and the search for what must stay in fp32 all come
here. What it refuses nobody passes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from lading.base.progress import Progress
from lading.coreml.arrays import noted_labels
from lading.formats import Artifact, Runtime
from lading.interface.side import Side
from lading.proof.beyond import meant
from lading.proof.judge import StoppedError
from lading.proof.reference import Reference
from lading.proof.scored import ScoreJudge
from lading.record import ArtifactRecord, Comparison, Unproved


def every_runtime(
    reference: Reference, artifact: Artifact, record: ArtifactRecord, progress: Progress
) -> Iterator[Comparison]:
    """One comparison per runtime of the artifact's format, those that are absent included.

    Args:
        reference: what it is held against.
        artifact: opened.
        record: of it, its ports named and meant as the reference's.
        progress: called when a comparison begins.
    """
    for runtime in artifact.format.runtimes:
        if not runtime.unavailable():
            progress("compare", f"{record.format_title} in {runtime.title}")
        yield in_runtime(reference, artifact, record, runtime)


def in_runtime(
    reference: Reference, artifact: Artifact, record: ArtifactRecord, runtime: Runtime
) -> Comparison:
    """The artifact in one runtime, with its graph alone where the runtime rounds."""
    wrong = artifact.randomness() or artifact.unloadable()
    if wrong:
        return _ended(reference, record, runtime, "fail", wrong)
    absent = runtime.unavailable()
    if absent:
        return _ended(reference, record, runtime, "not run", absent)
    left = reference.widen(artifact)
    return compare(reference, artifact, record, runtime, artifact.open(runtime), left=left)


def compare(
    reference: Reference,
    artifact: Artifact,
    record: ArtifactRecord,
    runtime: Runtime,
    side: Side,
    *,
    alone: bool = True,
    left: Sequence[Unproved] = (),
) -> Comparison:
    """Runs every probe that fits the artifact and judges the outputs.

    Args:
        reference: what it is held against.
        artifact: opened.
        record: of it: ports and declared precision.
        runtime: what runs it.
        side: the artifact there; or in another's place, changed.
        alone: judge an fp16 artifact's graph alone too.
        left: what the artifact claims and nobody ran.
    """
    told = noted_labels(record.details)
    if told and reference.task.labels and told != reference.task.labels:
        both = f"{', '.join(told)}; the original's are {', '.join(reference.task.labels)}"
        reason = f"the artifact's class names are {both}"
        return _ended(reference, record, runtime, "fail", reason)
    places = [i for i, probe in enumerate(reference.drawn) if meant(probe, record)]
    if not places:
        return _ended(reference, record, runtime, "not run", "no probe fits the artifact's inputs")
    judge = ScoreJudge(reference, record, runtime, places)
    judge.unproved += left
    try:
        if alone:
            judge.watch(artifact)
        judge.run(side)
        if alone:
            artifact.gave |= judge.shown()
            judge.exactly(artifact)
            judge.graph(artifact)
    except StoppedError as stopped:
        return _ended(reference, record, runtime, "fail", stopped.reason, stopped.probes)
    judge.scores(side)
    return judge.comparison()


def _ended(
    reference: Reference,
    record: ArtifactRecord,
    runtime: Runtime,
    verdict: Any,
    reason: str,
    probes: int = 0,
) -> Comparison:
    """A comparison that came to no numbers, and why."""
    return Comparison(record.path, runtime.name, reference.name, probes, (), (), verdict, reason)
