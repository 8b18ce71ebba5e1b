"""What `lading convert` does: every format of one checkpoint, compared, with bill and page."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from lading import page as report
from lading.base import storage
from lading.base.notices import Notices, gathered
from lading.base.version import __version__
from lading.checkpoint import ledger
from lading.conversion.diagnosis import diagnose
from lading.conversion.graphs import Graphs
from lading.errors import ConversionError
from lading.formats import format_named
from lading.interface import Interface, Options, wrap
from lading.interface.settings import KEEPS_STATES, Settings
from lading.job.bill import FACTS_PREFIX, drawn_up, dumps, findings
from lading.job.conversion import Conversion, Converted
from lading.job.described import described
from lading.job.request import Convert, is_module
from lading.job.source import probed, source
from lading.network.source import Loaded, load
from lading.proof import golden, probes
from lading.proof import trajectory as trajectories
from lading.proof.original import Original
from lading.proof.weights import provenance
from lading.record import Bill, CaptureRecord, Refusal, Route, schema, to_json


def convert(request: Convert) -> Bill:
    """The whole conversion; the folder `out` holds artifacts and bill afterwards.

    Artifacts that are not equal to the original lie in ``rejected/``; the bill's verdict says so.

    Raises:
        LadingError: it could not be done; nothing is written.
    """
    out = folder(request)
    storage.require_free(out, force=request.force)
    with storage.aside(out) as aside:
        storage.require_free(out, force=request.force)  # as it is now that nobody else writes it
        bill = _converted(request, out, aside)
        storage.publish(aside, out)
    return bill


def _converted(request: Convert, out: Path, aside: Path) -> Bill:
    """All of the result, written into the folder `aside`."""
    progress = request.progress
    wanted = [format_named(name) for name in dict.fromkeys(request.to)]
    notices = Notices()
    data, asked = probed(request.data), _options(request)
    loaded = load(source(request, request.path), progress)
    interface = wrap(loaded.network, loaded.task, asked)
    trajectories.require_walkable(interface, request.trajectory)
    settings = _settings(request, _facts(loaded, asked), interface, notices)
    name = request.name or _name(loaded)
    storage.require_own(
        out, [name + one.suffix for one in wanted], page=storage.PAGE, golden=golden.FOLDER
    )
    progress("reference", "the untouched original")
    graphs = Graphs(interface)
    own: Any = request.gate  # checked, and so by kind
    original = Original(
        interface,
        probes.make(interface, data),
        _frozen(request),
        own=own,
        graphs=graphs,
        precision=min(one.precision(settings) for one in wanted),  # "fp16" before "fp32"
    )
    for text in original.aside:
        notices.add(text)
    with gathered(notices):
        course = trajectories.course(
            interface, request.trajectory, original.drawn[0].inputs, notices.add, progress
        )
    tracer = partial(
        provenance.trace,
        checkpoint=loaded.checkpoint,
        required=ledger.loaded(loaded.ledger),
        baked=provenance.baked(interface),
        followed=original.followed,
        again=original.again,
    )
    conversion = Conversion(
        graphs, settings, original, progress, notices, trace=tracer, course=course
    )
    with storage.errors_about(out):
        made = [conversion.convert(one, name, aside, request.route) for one in wanted]
        refused = tuple(one for one in made if isinstance(one, Refusal))
        converted = [one for one in made if isinstance(one, Converted)]
        if not converted:
            raise _none(refused, loaded, interface)
        comparisons = tuple(c for one in converted for c in one.comparisons)
        bill = drawn_up(
            loaded,
            original,
            capture=_capture_record(converted, request.route),
            artifacts=tuple(one.artifact for one in converted),
            comparisons=comparisons,
            sources=tuple(one.source for one in converted if one.source),
            course=course,
            taken=tuple(walk for one in converted for walk in one.trajectories),
            found=findings(
                original,
                [(one.artifact, one.opened, one.comparisons) for one in converted],
            ),
            request=request.recorded(),
            notices=notices,
            refused=refused,
        )
        progress("write", str(out / storage.BILL))
        digest = loaded.checkpoint.record.sha256
        golden.write(
            aside / golden.FOLDER,
            original,
            [(one.artifact, one.opened if one.passed else None) for one in converted],
            digest,
            course,
        )
        (aside / storage.PAGE).write_text(report.render(bill), encoding="utf-8")
        (aside / storage.SCHEMA).write_text(schema.dumps(), encoding="utf-8")
        (aside / storage.BILL).write_text(dumps(bill), encoding="utf-8")
    return bill


def _none(refused: Sequence[Refusal], loaded: Loaded, interface: Interface) -> ConversionError:
    """Where no format could be written by any route: every reason, and every line that is known to
    stand in the way."""
    with gathered(Notices()):
        lines = [one for one in diagnose(interface) if one.stops and one.where]
    named = [f"{one.where}: {one.code or one.what}: {one.why}" for one in lines]
    reasons = list(dict.fromkeys(reason for one in refused for reason in one.reasons))
    return ConversionError(
        loaded.checkpoint.record.path,
        found="\n".join([*named, *reasons]),
        expected=f"a graph that {' or '.join(one.title for one in refused)} can say",
        remedy=f"{lines[0].where}: {lines[0].remedy}"
        if lines
        else "run `lading diagnose` with the same words: it lists all that can be found",
    )


def _frozen(request: Convert) -> Sequence[str]:
    asked: Any = request  # checked, and so in one form
    return tuple(asked.accept_frozen)


def folder(request: Convert) -> Path:
    """Where the result lies."""
    path = request.path
    name = type(path).__name__ if is_module(path) else Path(path).resolve().name.split(".")[0]
    return Path(request.out or f"{name or 'model'}-lading")


def _options(request: Convert) -> Options:
    """What is asked of the inputs and outputs."""
    asked: Any = request  # checked, and so in one form
    return replace(
        described(request),
        dynamic=asked.dynamic,
        classifier=asked.classifier,
        part=(asked.sampler or "ddpm") if asked.part == "step" else "network",
        eta=asked.eta,
        timesteps=asked.timesteps or "",
    )


def _settings(
    request: Convert, facts: Mapping[str, str], interface: Interface, notices: Notices
) -> Settings:
    """What is asked of the files; of a network with a memory the first system that keeps one,
    where none is asked for."""
    auto = request.precision == "auto"
    if interface.states:
        names = ", ".join(kept.state.buffer for kept in interface.states)
        notices.add(f"the network remembers {names} between calls: compared over several in turn")
    oldest = KEEPS_STATES if interface.states else 16
    return Settings(
        precision="fp16" if request.precision == "auto" else request.precision,
        auto=auto,
        deployment=f"macOS{request.macos}" if request.macos else f"iOS{request.ios or oldest}",
        opset=request.opset,
        author=request.author,
        license=request.license,
        description=request.description,
        facts=facts,
    )


def _capture_record(converted: Sequence[Converted], forced: Route | None) -> CaptureRecord:
    attempts = tuple(text for one in converted for text in one.attempts)
    if forced:
        reason = f"asked for with --route {forced}"
    elif attempts:
        reason = "a route failed, or its result was not equal; see the attempts"
    else:
        reason = "torch.export took the module and the result is equal"
    repairs = tuple(dict.fromkeys(record for one in converted for record in one.repairs))
    return CaptureRecord(converted[0].artifact.route, reason, repairs, attempts)


def _facts(loaded: Loaded, options: Options) -> dict[str, str]:
    """The artifact's own metadata: the task's notes, and where it comes from."""
    return {
        **{FACTS_PREFIX + name: text for name, text in loaded.task.notes.items()},
        FACTS_PREFIX + "version": __version__,
        FACTS_PREFIX + "checkpoint.sha256": loaded.checkpoint.record.sha256,
        FACTS_PREFIX + "family": loaded.recognition.family,
        FACTS_PREFIX + "labels": json.dumps(loaded.task.labels, ensure_ascii=False),
        FACTS_PREFIX + "options": json.dumps(to_json(options)),
        FACTS_PREFIX + "task": json.dumps(to_json(loaded.task), ensure_ascii=False),
    }


def _name(loaded: Loaded) -> str:
    """What the family calls it, e.g. ``"LayoutClassifier"``; the dataset's name, e.g. ``"CAMUS"``;
    the checkpoint's own name otherwise.
    """
    notes = loaded.task.notes
    raw = notes.get("name") or notes.get("dataset") or Path(loaded.checkpoint.record.path).stem
    return "".join(c if c.isalnum() or c in "-_" else "_" for c in raw) or "model"
