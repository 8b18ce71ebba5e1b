"""What `lading verify` does: an artifact that exists beside the checkpoint it came from."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lading import page as report
from lading.base import storage
from lading.checkpoint import ledger
from lading.errors import StorageError
from lading.formats import Artifact, open_artifact
from lading.interface import wrap
from lading.job import junit
from lading.job.bill import FACTS_PREFIX, drawn_up, dumps, findings
from lading.job.conversion import walked
from lading.job.described import beside, described
from lading.job.request import Proved, Verify
from lading.job.source import probed, source, title
from lading.network.source import Loaded, Source
from lading.page import tables
from lading.proof import compare, golden, probes
from lading.proof import trajectory as trajectories
from lading.proof.original import Original
from lading.proof.table import dataset
from lading.proof.weights import provenance
from lading.record import ArtifactRecord, Bill, Comparison, Provenance, schema


def verify(request: Verify, bar: dataset.Advance | None = None) -> Bill | golden.Replay:
    """Compares an artifact that already exists with the checkpoint, in every runtime for it; or
    runs it on golden vectors. The bill and its page go to `request.out`, where that is named.

    Args:
        request: what was asked. The artifact's inputs and outputs are as it says, else as lading
            noted them in it when it made it, else the bare network's.
        bar: called how far a table is.

    Raises:
        LadingError: the artifact or the checkpoint cannot be read, or their ports do not fit.
    """
    artifact = Path(request.artifact)
    where = Path(request.junit) if request.junit else None
    with junit.reported(where, "verify", artifact.name) as suite:
        if request.golden:
            done = golden.replay(Path(request.golden), artifact, request.progress)
            suite.cases += junit.of_replay(done)
            return done
        bill = _written(request, artifact, bar)
        suite.cases += junit.of_bill(bill)
    return bill


def _written(request: Verify, artifact: Path, bar: dataset.Advance | None) -> Bill:
    """The bill of one artifact; it lies in the folder `out` afterwards, where one is named."""
    if not request.out:
        return _verified(request, artifact, bar)
    out = Path(request.out)
    _require_free(out)
    with storage.aside(out) as folder:
        bill = _verified(request, artifact, bar)
        with storage.errors_about(out):
            for name, content in _files(bill).items():
                (folder / name).write_bytes(content)
        storage.publish(folder, out)
    return bill


def unfinished(request: Verify) -> Path | None:
    """Where what is counted of a table lies while it is being counted; None without a table."""
    if request.table is None:
        return None
    artifact = Path(request.artifact)
    beside = Path(request.out) if request.out else artifact.parent
    return beside / f"{artifact.name}.{request.table.stem}.unfinished.json"


@dataclass(frozen=True)
class Judged:
    """An artifact beside a checkpoint, judged.

    Attributes:
        loaded: the checkpoint.
        original: its network on the probes.
        artifact: opened.
        record: of it, with the network's port meanings.
        comparisons: one per runtime.
        source: where its constants come from.
        course: of a diffusion network, the original's walk.
        taken: the artifact's.
        notices: what else there is to say.
    """

    loaded: Loaded
    original: Original
    artifact: Artifact
    record: ArtifactRecord
    comparisons: tuple[Comparison, ...]
    source: Provenance
    course: trajectories.Course | None
    taken: tuple[trajectories.Taken, ...]
    notices: tuple[str, ...]


def judged(
    asked: Proved,
    artifact: Artifact,
    had: Source,
    data: Sequence[Path | probes.Given],
    steps: int | None,
    check: Callable[[Loaded], None] = lambda _: None,
    own: Mapping[str, float] | None = None,
) -> Judged:
    """Everything that a verdict is made of.

    Args:
        asked: what is said of the artifact's inputs and outputs, over what lading noted in it.
        artifact: opened.
        had: the checkpoint.
        data: the user's own files, as further probes.
        steps: moves of a diffusion network's walk; see `Verify.trajectory`.
        check: called with the checkpoint's network before anything is run.
        own: the user's own gates, by kind of measurement.

    Raises:
        LadingError: the checkpoint cannot be read, or the ports do not fit.
    """
    progress = asked.progress
    loaded, record, interface = beside(asked, artifact, had, progress, check)
    trajectories.require_walkable(interface, steps)
    progress("reference", "the untouched original")
    original = Original(
        interface,
        probes.make(interface, data),
        tuple(asked.accept_frozen),
        own=own,
        precision=record.precision,
    )
    progress("trace", f"the weights of {artifact.path}")
    source = provenance.trace(
        artifact,
        loaded.checkpoint,
        ledger.loaded(loaded.ledger),
        provenance.baked(interface),
        original.followed,
        original.again,
    )
    comparisons = tuple(compare.every_runtime(original, artifact, record, progress))
    notices = [*original.aside, *([artifact.remark] if artifact.remark else [])]
    course = trajectories.course(
        interface, steps, original.drawn[0].inputs, notices.append, progress
    )
    taken = walked(course, artifact, record, comparisons)
    digest = record.details.get(FACTS_PREFIX + "checkpoint.sha256")
    if digest and digest != loaded.checkpoint.record.sha256:
        notices.append(f"the artifact says that it was made from another file: sha256 {digest}")
    return Judged(
        loaded, original, artifact, record, comparisons, source, course, taken, tuple(notices)
    )


def _verified(request: Verify, artifact: Path, bar: dataset.Advance | None) -> Bill:
    progress, table = request.progress, request.table
    over = dataset.Over(table, unfinished(request), bar) if table else None
    data = () if table else probed(request.data)
    progress("read", str(artifact))
    opened = open_artifact(artifact)
    opened.begin()

    def check(loaded: Loaded) -> None:
        if over:
            dataset.require(over, loaded.task, title(request.against))

    had = source(request, request.against or "")
    own: Any = request.gate  # checked, and so by kind
    made = judged(request, opened, had, data, request.trajectory, check, own)
    loaded = made.loaded
    bill = drawn_up(
        loaded,
        made.original,
        capture=None,
        artifacts=(made.record,),
        comparisons=made.comparisons,
        sources=(made.source,),
        course=made.course,
        taken=made.taken,
        found=findings(made.original, [(made.record, opened, made.comparisons)]),
        request=request.recorded(),
        notices=made.notices,
    )
    if over is None:
        return bill
    progress("compare", f"every row of {over.table}")
    own = described(request, opened.noted()[1])
    chosen = replace(own, output="logits", classifier=False)
    bare = wrap(loaded.network, loaded.task, chosen)
    batched = opened.record.inputs[0].shape[:1] == (-1,)
    return dataset.added(bill, over, opened, made.record, bare, batched)


def _require_free(out: Path) -> None:
    """Passes only if no bill of a conversion lies there.

    Raises:
        StorageError: one does, or the place cannot be written.
    """
    storage.require_free(out, force=True)
    try:
        earlier = json.loads((out / storage.BILL).read_bytes())["request"].get("command")
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return
    if earlier != "verify":
        raise StorageError(
            str(out),
            found=f"the {storage.BILL} of a conversion",
            expected="an empty folder, or one of an earlier `lading verify`",
            remedy="choose another -o; the bill there would be lost",
        )


def _files(bill: Bill) -> dict[str, bytes]:
    """The page, the charts of a table, the schema and the bill, by name."""
    files = {f"{chart.name}.svg": chart.file() for chart in tables.charts(bill.datasets)}
    files[storage.PAGE] = report.render(bill).encode()
    files[storage.SCHEMA] = schema.dumps().encode()
    files[storage.BILL] = dumps(bill).encode()
    return files
