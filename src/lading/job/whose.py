"""What `lading whose` does: which checkpoint an artifact was made from, if any of those given."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lading.checkpoint import ledger
from lading.formats import Artifact, open_artifact
from lading.job import junit
from lading.job.options import StrPath, options
from lading.job.request import Reading, Whose
from lading.job.source import source
from lading.network.source import load, tensors
from lading.proof.weights import provenance
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


def _traced(request: Whose, artifact: Artifact, path: StrPath) -> Provenance:
    had = source(request, path)
    if not request.said().keys() & (options(Reading).keys() - {"which", "fold"}):
        return provenance.trace(artifact, tensors(had))
    loaded = load(had, request.progress)
    required = ledger.loaded(loaded.ledger)
    return provenance.trace(artifact, loaded.checkpoint, required)
