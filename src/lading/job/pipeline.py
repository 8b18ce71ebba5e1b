"""The way of the data, from the file to the bill: the only module that calls every stage.

`load` reads, recognises, rebuilds and accounts; `convert` goes on to capture, convert, run and
compare, and writes the bill; `verify` compares an artifact that already exists.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from lading import checkpoint as checkpoints
from lading import page as report
from lading.base import storage
from lading.base.environment import describe as environment
from lading.base.notices import Notices, gathered
from lading.base.progress import Progress, silent
from lading.base.version import __version__
from lading.checkpoint import Checkpoint, ledger
from lading.errors import RequestError
from lading.formats import artifact_target, noted, target
from lading.interface import Options, wrap
from lading.interface.matching import matched
from lading.job.request import Request, recorded, recorded_verification
from lading.job.voyage import Carried, Voyage, walked
from lading.network import families as family_module
from lading.network import own_module, settling
from lading.network.own_module import OwnModule
from lading.proof import (
    between,
    divergence,
    figures,
    golden,
    hazards,
    lifted_files,
    probes,
    readings,
    scores,
    verdict,
)
from lading.proof import trajectory as trajectories
from lading.proof.judge import compared
from lading.proof.original import Original
from lading.proof.table import dataset
from lading.proof.weights import provenance
from lading.record import (
    SCHEMA,
    ArtifactRecord,
    Bill,
    CaptureRecord,
    Comparison,
    Provenance,
    Recognition,
    Route,
    Task,
    schema,
    to_json,
)

FACTS_PREFIX = "lading."


@dataclass(frozen=True)
class Loaded:
    """A checkpoint, recognised, rebuilt, and accounted for."""

    checkpoint: Checkpoint
    recognition: Recognition
    task: Task
    network: Any
    ledger: ledger.Ledger


def read(
    path: Path,
    *,
    given: Mapping[str, str],
    fold: str | None,
    config: Path | None = None,
    settle: Sequence[Path] = (),
    progress: Progress = silent,
) -> tuple[Checkpoint, Any]:
    """The checkpoint and the recognition with its family: what `inspect` shows.

    Raises:
        LadingError: it cannot be read, or no family claims it.
    """
    progress("read", str(path))
    checkpoint = checkpoints.read(path, fold=fold)
    if config is not None:
        checkpoint = checkpoints.with_config(checkpoint, config)
    progress("recognise", f"{len(checkpoint.tensors)} tensor names")
    family, recognition = family_module.recognise(checkpoint, given)
    if settle:
        family_module.require_settled(recognition)
        recognition = settling.settled(checkpoint, family, recognition, settle, progress)
    return checkpoint, (family, recognition)


def load(
    path: Path,
    *,
    given: Mapping[str, str] | None = None,
    fold: str | None = None,
    model: OwnModule | None = None,
    config: Path | None = None,
    settle: Sequence[Path] = (),
    progress: Progress = silent,
) -> Loaded:
    """Reads, recognises, rebuilds and accounts; `model` takes the place of what is recognised.

    Raises:
        LadingError: any of it refused; see `lading.errors`.
    """
    if model is not None:
        own_module.require_alone(config, settle)
        progress("read", str(path))
        checkpoint = checkpoints.read(path, fold=fold)
        recognition = own_module.recognised(model, checkpoint, given or {})
        progress("build", model.told)
        network = model.build()
        progress("account", f"{len(checkpoint.tensors)} names")
        closed = ledger.close(network, checkpoint, {})
        return Loaded(checkpoint, recognition, model.task(network), network, closed)
    checkpoint, (family, recognition) = read(
        path, given=given or {}, fold=fold, config=config, settle=settle, progress=progress
    )
    family_module.require_settled(recognition)
    progress("rebuild", recognition.title)
    rebuilt = family.build(recognition)
    progress("account", f"{len(checkpoint.tensors)} names")
    closed = ledger.close(rebuilt.module, checkpoint, rebuilt.unused, rebuilt.spellings)
    return Loaded(checkpoint, recognition, rebuilt.task, rebuilt.module, closed)


def convert(request: Request, progress: Progress = silent) -> Bill:
    """The whole voyage; the folder `request.out` holds artifacts and bill afterwards.

    Artifacts that are not equal to the original lie in ``rejected/``; the bill's verdict says so.

    Raises:
        LadingError: it could not be carried out; nothing is written.
    """
    storage.require_free(request.out, force=request.force)
    wanted = [target(name) for name in dict.fromkeys(request.to)]
    notices = Notices()
    loaded = load(
        request.path,
        given=request.given,
        fold=request.fold,
        model=request.model,
        config=request.config,
        settle=request.settle,
        progress=progress,
    )
    interface = wrap(loaded.network, loaded.task, request.options)
    trajectories.require_walkable(interface, request.trajectory)
    settings = replace(request.settings, facts=_facts(loaded, request))
    name = request.name or _name(loaded)
    storage.require_own(
        request.out, [name + one.suffix for one in wanted], page=report.PAGE, golden=golden.FOLDER
    )
    progress("reference", "the untouched original")
    original = Original(interface, probes.make(interface, request.data))
    with gathered(notices):
        course = trajectories.course(
            interface, request.trajectory, original.drawn[0].inputs, notices.add, progress
        )
    tracer = partial(
        provenance.trace,
        checkpoint=loaded.checkpoint,
        required=ledger.carried(loaded.ledger),
        baked=provenance.baked(interface),
    )
    voyage = Voyage(interface, settings, original, progress, notices, trace=tracer, course=course)
    with storage.aside(request.out) as folder:
        carried = [voyage.carry(one, name, folder, request.route) for one in wanted]
        comparisons = tuple(c for one in carried for c in one.comparisons)
        bill = _bill(
            loaded,
            original,
            capture=_capture_record(carried, request.route),
            artifacts=tuple(one.artifact for one in carried),
            comparisons=comparisons,
            sources=tuple(one.source for one in carried if one.source),
            course=course,
            taken=tuple(walk for one in carried for walk in one.trajectories),
            findings=_findings(
                original,
                [(one.artifact, folder / one.artifact.path, one.comparisons) for one in carried],
            ),
            request=recorded(request),
            notices=notices,
        )
        progress("sign", str(request.out / storage.BILL))
        with storage.told(request.out):
            digest = loaded.checkpoint.record.sha256
            golden.write(folder / golden.FOLDER, original, bill.artifacts, digest)
            (folder / report.PAGE).write_text(report.render(bill), encoding="utf-8")
            (folder / storage.SCHEMA).write_text(schema.dumps(), encoding="utf-8")
            (folder / storage.BILL).write_text(dumps(bill), encoding="utf-8")
        storage.publish(folder, request.out)
    return bill


def verify(
    artifact: Path,
    against: Path,
    *,
    given: Mapping[str, str] | None = None,
    fold: str | None = None,
    data: Sequence[Path] = (),
    options: Options | None = None,
    over: dataset.Over | None = None,
    model: OwnModule | None = None,
    config: Path | None = None,
    trajectory: int | None = None,
    progress: Progress = silent,
) -> Bill:
    """Compares an artifact that already exists with the checkpoint, in every runtime for it.

    Args:
        artifact: an `.mlpackage` or `.onnx`.
        against: the checkpoint or model folder.
        given: ``--set`` values by name.
        fold: of a model folder.
        data: the user's own pictures or arrays, as further probes.
        options: of the artifact's inputs and outputs; by default what lading noted in it when it
            made it, or the bare network.
        over: a table of labelled samples to compare over as well.
        model: the user's own network, in place of a family's.
        config: of the network, for a family that takes one.
        trajectory: moves of a diffusion network's walk; see `Request`.
        progress: told when a stage begins.

    Raises:
        LadingError: the artifact or the checkpoint cannot be read, or their ports do not fit.
    """
    progress("read", str(artifact))
    kind = artifact_target(artifact)
    record = kind.describe(artifact)
    loaded = load(against, given=given, fold=fold, model=model, config=config, progress=progress)
    if over:
        dataset.require(over, loaded.task, str(against))
    chosen = options or noted(record)[1] or Options()
    interface = wrap(loaded.network, loaded.task, chosen)
    trajectories.require_walkable(interface, trajectory)
    batched = record.inputs[0].shape[:1] == (-1,)
    record, interface = matched(record, interface)
    progress("trace", f"the weights of {artifact}")
    source = provenance.trace(
        artifact, loaded.checkpoint, ledger.carried(loaded.ledger), provenance.baked(interface)
    )
    progress("reference", "the untouched original")
    original = Original(interface, probes.make(interface, data))
    comparisons = tuple(compared(record, artifact, original, progress))
    notices: list[str] = []
    course = trajectories.course(
        interface, trajectory, original.drawn[0].inputs, notices.append, progress
    )
    digest = record.details.get(FACTS_PREFIX + "checkpoint.sha256")
    if digest and digest != loaded.checkpoint.record.sha256:
        notices.append(f"the artifact says that it was made from another file: sha256 {digest}")
    bill = _bill(
        loaded,
        original,
        capture=None,
        artifacts=(record,),
        comparisons=comparisons,
        sources=(source,),
        course=course,
        taken=walked(course, record, artifact, comparisons),
        findings=_findings(original, [(record, artifact, comparisons)]),
        request=recorded_verification(
            artifact,
            against,
            given=given or {},
            fold=fold,
            data=data,
            table=over.table if over else None,
            model=model,
            config=config,
            trajectory=trajectory,
        ),
        notices=notices,
    )
    if over is None:
        return bill
    progress("compare", f"every row of {over.table}")
    bare = wrap(loaded.network, loaded.task, replace(chosen, output="logits", classifier=False))
    return dataset.added(bill, over, record, artifact, bare, batched)


def compare(
    first: Path,
    second: Path,
    *,
    given: Mapping[str, str] | None = None,
    fold: str | None = None,
    stop_at: str = "",
    progress: Progress = silent,
) -> between.Between:
    """Any two of a checkpoint and artifacts beside each other; a checkpoint is the reference.

    Raises:
        LadingError: a side cannot be read, both are checkpoints, or they do not take the same.
    """
    sides = sorted((first, second), key=between.is_artifact)
    if not between.is_artifact(sides[1]):
        raise RequestError(
            f"{first} beside {second}",
            found="two checkpoints",
            expected="at least one artifact",
            remedy="convert one of them: lading convert PATH --to onnx",
        )
    interface = None
    if not between.is_artifact(sides[0]):
        loaded = load(sides[0], given=given, fold=fold, progress=progress)
        record = artifact_target(sides[1]).describe(sides[1])
        chosen = noted(record)[1] or Options()
        _, interface = matched(record, wrap(loaded.network, loaded.task, chosen))
    progress("compare", f"{sides[0]} and {sides[1]}")
    return between.compare(sides[0], sides[1], interface, stop_at)


def dumps(bill: Bill) -> str:
    """The bill as the text of `lading.json`."""
    return json.dumps(to_json(bill), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _bill(
    loaded: Loaded,
    original: Original,
    *,
    capture: CaptureRecord | None,
    artifacts: tuple[ArtifactRecord, ...],
    comparisons: tuple[Comparison, ...],
    sources: tuple[Provenance, ...] = (),
    course: trajectories.Course | None = None,
    taken: tuple[trajectories.Taken, ...] = (),
    findings: Mapping[str, Any],
    request: Mapping[str, Any],
    notices: Sequence[str],
) -> Bill:
    """Everything that is known at the end of a voyage, in one record."""
    walks = tuple(one.record for one in taken)
    drawn = trajectories.pictures(course, taken) if course else ()
    return Bill(
        schema=SCHEMA,
        lading=__version__,
        verdict=verdict.overall(comparisons, sources, walks),
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
        notices=(*notices, *scores.notices(comparisons), *lifted_files.notices(comparisons)),
        environment=environment(),
        provenance=sources,
        trajectories=walks,
        **{**findings, "pictures": (*findings["pictures"], *drawn)},
    )


def _findings(
    original: Original,
    artifacts: Sequence[tuple[ArtifactRecord, Path, Sequence[Comparison]]],
) -> dict[str, tuple[Any, ...]]:
    """What else the bill tells of the artifacts: where they depart, how they round, what may go
    wrong on a device, and pictures; by the bill's own names.
    """
    found: dict[str, list[Any]] = {"walks": [], "hazards": [], "readings": []}
    for record, path, comparisons in artifacts:
        found["walks"] += divergence.explain(
            record, path, original.interface, original.drawn, comparisons
        )
        found["hazards"] += hazards.find(path, record)
        found["readings"] += readings.read(
            path, record, original.drawn, original.outputs, original.steady(record.precision)
        )
    drawn = figures.segmentation(original, [(record, path) for record, path, _ in artifacts])
    return {**{name: tuple(many) for name, many in found.items()}, "pictures": drawn}


def _capture_record(carried: Sequence[Carried], forced: Route | None) -> CaptureRecord:
    attempts = tuple(text for one in carried for text in one.attempts)
    if forced:
        reason = f"asked for with --route {forced}"
    elif attempts:
        reason = "a route failed, or its result was not equal; see the attempts"
    else:
        reason = "torch.export took the module and the result is equal"
    repairs = tuple(dict.fromkeys(record for one in carried for record in one.repairs))
    return CaptureRecord(carried[0].artifact.route, reason, repairs, attempts)


def _facts(loaded: Loaded, request: Request) -> dict[str, str]:
    """What travels in the artifact's own metadata: the task's notes, and where it comes from."""
    return {
        **{FACTS_PREFIX + name: text for name, text in loaded.task.notes.items()},
        FACTS_PREFIX + "version": __version__,
        FACTS_PREFIX + "checkpoint.sha256": loaded.checkpoint.record.sha256,
        FACTS_PREFIX + "family": loaded.recognition.family,
        FACTS_PREFIX + "labels": json.dumps(loaded.task.labels, ensure_ascii=False),
        FACTS_PREFIX + "options": json.dumps(to_json(request.options)),
        FACTS_PREFIX + "task": json.dumps(to_json(loaded.task), ensure_ascii=False),
    }


def _name(loaded: Loaded) -> str:
    """What the family calls it, e.g. ``"LayoutClassifier"``; the dataset's name, e.g. ``"CAMUS"``;
    the checkpoint's own name otherwise.
    """
    notes = loaded.task.notes
    raw = notes.get("name") or notes.get("dataset") or Path(loaded.checkpoint.record.path).stem
    return "".join(c if c.isalnum() or c in "-_" else "_" for c in raw) or "model"
