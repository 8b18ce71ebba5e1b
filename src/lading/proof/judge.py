"""An artifact beside the original in every runtime of its format: one comparison each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from lading.base.progress import Progress
from lading.errors import LadingError
from lading.proof import compare, hazards, insides, lifted_files, scores
from lading.proof.original import Original
from lading.record import ArtifactRecord, Comparison
from lading.runtimes import runtimes_for


def compared(
    artifact: ArtifactRecord,
    path: Path,
    original: Original,
    progress: Progress,
) -> Iterator[Comparison]:
    """One comparison per runtime of the artifact's format, those that are absent included."""
    random = hazards.chance(path)
    for one in runtimes_for(artifact.format):
        absent = one.unavailable()
        if random:
            yield compare.failed(artifact, one, 0, random)
            continue
        if absent:
            yield compare.not_run(artifact, one, absent)
            continue
        progress("compare", f"{artifact.format} in {one.title}")
        precision = one.precision or artifact.precision
        graph, lost = _graph(original, artifact, path, one.name)
        judged = compare.compare(
            artifact,
            one,
            one.load(path),
            original.drawn,
            original.outputs,
            original.interface.task,
            original.steady(precision),
            # on a Mac the system decides how it sums
            None if one.name.startswith("coreml") else original.floors(),
            graph,
            original.rounded() if precision == "fp16" else None,
        )
        if lost:
            judged = lifted_files.unjudged(judged, lost)
        if not any(port.meaning == "labels" for port in artifact.outputs):
            yield judged
            continue
        try:
            inside, unseen = (
                insides.of_runtime(path, one.name),
                "this runtime shows no inner values",
            )
        except LadingError as error:
            inside, unseen = None, f"its inner values cannot be asked for: {error.found}"
        wide = insides.of_graph(path, one.name, graph.model) if graph and inside else None
        rounded = graph.rounded if graph else 0
        yield scored(judged, artifact, original, precision, inside, wide, rounded, unseen)


def _graph(
    original: Original, artifact: ArtifactRecord, path: Path, runtime: str
) -> tuple[lifted_files.Graph | None, str]:
    """The lifted reading of an fp16 artifact, or why there is none although there should be."""
    if artifact.precision != "fp16":
        return None, ""
    try:
        return original.graph(path, runtime), ""
    except LadingError as error:  # what runs as it is may not run in float32
        return None, error.found


def scored(
    judged: Comparison,
    artifact: ArtifactRecord,
    original: Original,
    precision: str,
    inside: insides.Inside | None,
    graph: insides.Inside | None = None,
    rounded: int = 0,
    unseen: str = "",
) -> Comparison:
    """The comparison of labels with that of the scores behind them; of other outputs as it is."""
    if not any(port.meaning == "labels" for port in artifact.outputs):
        return judged
    expected = original.scores(precision)
    return scores.added(
        judged, artifact, original.drawn, expected, inside, graph, precision, rounded, unseen
    )
