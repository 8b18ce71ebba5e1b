"""What `lading swift` does: the Swift package of a bill, with its golden vectors as tests."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePath

from lading import app, page
from lading.base import digests, storage
from lading.base.version import __version__
from lading.errors import InputError, RequestError, VerificationError
from lading.job.request import Swift
from lading.proof import golden, verdict
from lading.record import ArtifactRecord, Bill

#: Of a snippet: what stands beside an artifact that Swift can use.
LANGUAGE = "swift"


@dataclass(frozen=True)
class Packaged:
    """The package `name` in the folder `out`, made of `artifact` with so many golden `vectors`."""

    name: str
    out: Path
    artifact: str
    vectors: int


def swift(request: Swift) -> Packaged:
    """Writes the package.

    Raises:
        InputError: there is no bill, it has no golden vectors, or what lies beside it is not what
            it describes.
        RequestError: it holds no artifact for Swift, or the name cannot be one.
        VerificationError: the artifact is not equal to the original.
        StorageError: the folder is in use or cannot be written.
    """
    place = Path(request.bill)
    bill = page.read(place)
    folder = place if place.is_dir() else place.parent
    record = _artifact(bill, request.artifact, place)
    _require_passed(bill, record)
    model = folder / record.path
    _require_own(model, record)
    request.progress("read", str(folder / golden.FOLDER))
    index = _golden(folder / golden.FOLDER, bill, record)
    name = request.name or PurePath(record.path).stem
    out = Path(request.out or f"{name}-swift")
    contents = app.Contents(
        name=name,
        artifact=record,
        model=model,
        task=index.task,
        checkpoint=bill.checkpoint.sha256,
        golden=folder / golden.FOLDER,
        made=f"Written by lading {__version__} from {PurePath(record.path).name}.",
    )
    storage.require_free(out, force=None)
    request.progress("write", str(out))
    with storage.aside(out) as aside:
        app.write(contents, aside)
        storage.publish(aside, out)
    return Packaged(name, out, record.path, len(index.vectors))


def _artifact(bill: Bill, wanted: str, place: Path) -> ArtifactRecord:
    """The artifact that Swift can use: that which is named, or the first."""
    usable = {one.artifact for one in bill.snippets if one.language == LANGUAGE}
    found = [one for one in bill.artifacts if one.path in usable]
    if wanted:
        found = [one for one in found if wanted in (one.path, PurePath(one.path).name)]
    if found:
        return found[0]
    names = ", ".join(one.path for one in bill.artifacts) or "no artifact"
    raise RequestError(
        str(place),
        found=f"{names}; {wanted} is none that Swift can use" if wanted else names,
        expected="an artifact for Core ML",
        remedy="convert again with --to coreml"
        if not usable
        else f"name one of {', '.join(sorted(usable))}",
    )


def _require_passed(bill: Bill, record: ArtifactRecord) -> None:
    """Passes only an artifact that is equal to the original."""
    path = record.path
    state = verdict.overall(
        [one for one in bill.comparisons if one.artifact == path],
        [one for one in bill.provenance if one.artifact == path],
        [one for one in bill.trajectories if one.artifact == path],
    )
    if state != "pass":
        raise VerificationError(
            path,
            found=f"verdict {state}",
            expected="an artifact that gives what the original gives",
            remedy="no package is made of another: see the bill for what differs",
        )


def _require_own(model: Path, record: ArtifactRecord) -> None:
    """Passes only the file that the bill describes."""
    there = model.exists()
    digest = digests.of_path(model) if there else ""
    if digest != record.sha256:
        raise InputError(
            str(model),
            found=f"sha256 {digest}" if there else "no such file",
            expected=f"the artifact of the bill, sha256 {record.sha256}",
            remedy="put the artifact beside its bill again, or convert again",
        )


def _golden(folder: Path, bill: Bill, record: ArtifactRecord) -> golden.Index:
    """The golden vectors of the bill's own network.

    Raises:
        InputError: there are none, they are not whole, or they are another network's.
    """
    index = golden.load(folder)
    wrong = ""
    if not index.vectors:
        wrong = f"no vector: {index.left_out}"
    elif index.checkpoint != bill.checkpoint.sha256:
        wrong = f"vectors of another checkpoint, sha256 {index.checkpoint}"
    elif {p.name for p in index.inputs} != {p.name for p in record.inputs}:
        wrong = f"vectors for inputs {', '.join(p.name for p in index.inputs)}"
    if wrong:
        raise InputError(
            str(folder),
            found=wrong,
            expected=f"the golden vectors of {record.path}: they are the package's tests",
            remedy="convert again: lading convert writes them beside the artifacts",
        )
    return index
