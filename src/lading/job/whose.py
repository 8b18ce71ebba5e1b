"""What `lading whose` does: which checkpoint an artifact was made from, if any of those given."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lading.checkpoint import ledger
from lading.conversion.graphs import Graphs
from lading.errors import LadingError
from lading.formats import Artifact, open_artifact
from lading.interface import Options, wrap
from lading.job import junit
from lading.job.options import options
from lading.job.request import Reading, Whose, is_module
from lading.job.source import source
from lading.network.source import load, tensors
from lading.proof.weights import provenance
from lading.proof.weights.again import Again
from lading.proof.weights.followed import Followed
from lading.record import Provenance
from lading.record.brief import Brief


@dataclass(frozen=True, repr=False)
class Owner(Brief):
    """What was found of each checkpoint; `owner` is the one that the artifact was made from."""

    found: tuple[Provenance, ...]
    owner: Provenance | None


def whose(request: Whose) -> Owner:
    """Traces the artifact's constants to each checkpoint's tensors.

    Raises:
        LadingError: a file cannot be read.
    """
    checkpoints: Any = request.checkpoints
    where = Path(request.junit) if request.junit else None
    with junit.reported(where, "whose", Path(request.artifact).name) as suite:
        artifact = open_artifact(Path(request.artifact))
        found = tuple(_traced(request, artifact, path) for path in checkpoints)
        done = Owner(found, provenance.owner(found))
        suite.cases += junit.of_owner(found, done.owner)
    return done


def _traced(request: Whose, artifact: Artifact, path: Any) -> Provenance:
    """By the tensors, and by the network where something is said of it, or where they do not say
    enough and a family knows it."""
    had = source(request, path)
    said = request.said().keys() & (options(Reading).keys() - {"which", "fold"})
    asked = bool(said) and not is_module(path)
    if not asked:
        found = provenance.trace(artifact, tensors(had))
        if found.made or not any(one.tensors for one in found.constants):
            return found
    try:
        loaded = load(had, request.progress)
        interface = wrap(loaded.network, loaded.task, artifact.noted()[1] or Options())
    except LadingError:
        if asked:
            raise
        return found  # no family knows it: the tensors have to do
    return provenance.trace(
        artifact,
        loaded.checkpoint,
        ledger.loaded(loaded.ledger) if asked else None,
        provenance.baked(interface),
        Followed(interface),
        Again(Graphs(interface)),
    )
