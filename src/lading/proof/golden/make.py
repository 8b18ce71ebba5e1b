"""Choosing the vectors and writing them. The probes are those of the bill: nothing is run again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from lading.base.version import __version__
from lading.errors import LadingError
from lading.formats import Artifact
from lading.interface.side import Side
from lading.proof import degenerate, scores
from lading.proof.channels import Channels
from lading.proof.golden.index import (
    FORMAT,
    INDEX,
    SCHEMA,
    Axis,
    Index,
    Stored,
    Tolerance,
    Vector,
    Walked,
    dumps,
    store,
)
from lading.proof.original import Original
from lading.proof.probes import ORDER, Probe, fits
from lading.proof.reference import Scores
from lading.proof.trajectory import Course
from lading.proof.verdict import GATES
from lading.record import ArtifactRecord, Port, Task
from lading.task import finish, prepare
from lading.task.text import Vocabulary, vocabulary

Array = npt.NDArray[Any]

#: Of a folder of golden vectors, all files together.
LIMIT = 5_000_000
#: Enough to tell a wrong axis, a wrong channel order and a wrong normalisation apart.
MOST = 4
#: Besides, of the kinds that say what those leave out. Values that fp16 need not bear are no
#: example for an app that has an fp16 artifact.
FURTHER = 3
BEYOND = ("rows", "spike", "magnitude")
#: Bytes of a vector of ids that is kept besides, so that every row of a table occurs.
SMALL = 20_000
#: Room for the index.
_INDEX_BYTES = 100_000


def write(
    folder: Path,
    original: Original,
    artifacts: Sequence[tuple[ArtifactRecord, Artifact | None]],
    checkpoint: str,
    course: Course | None = None,
) -> Index:
    """Writes the vectors of a conversion into `folder`, which must not exist.

    Args:
        folder: to make.
        original: the untouched original with its probes and its outputs.
        artifacts: that the vectors are for, each opened where it passed: others are held to its
            graph; every one takes the same inputs.
        checkpoint: SHA-256 of the file.
        course: of a diffusion network, the original's walk, kept where there is room for it.

    Raises:
        OSError: it cannot be written.
    """
    interface = original.interface
    precisions = sorted({record.precision for record, _ in artifacts})
    graphs = _graphs(artifacts)
    fitting = _fitting(original, precisions, len(graphs))
    axes, files = _channels(original, precisions, [*fitting.plain, *fitting.beyond])
    room = LIMIT - _INDEX_BYTES - sum(map(len, files.values()))
    chosen, left_out = _choose(original, fitting, precisions, graphs, room)
    vectors = [vector for vector, _ in chosen.values()]
    for _, data in chosen.values():
        files |= data
    walk, data = _walked(course, interface.options.part, sum(map(len, files.values())))
    files |= data
    index = Index(
        FORMAT,
        SCHEMA,
        __version__,
        "little",
        checkpoint,
        interface.task,
        interface.inputs,
        interface.outputs,
        prepare.in_words(interface.inputs, interface.task),
        finish.in_words(interface.outputs, interface.task, classifier=interface.options.classifier),
        {name: _tolerances(original, name, [*chosen]) for name in precisions},
        tuple(vectors),
        left_out,
        walk,
        axes,
        tuple(kept.state for kept in interface.states),
    )
    folder.mkdir()
    for name, content in files.items():
        (folder / name).write_bytes(content)
    (folder / INDEX).write_text(dumps(index), encoding="utf-8")
    return index


@dataclass(frozen=True)
class _Graph:
    """An artifact in fp32; where it was run so already, that is what it gives."""

    artifact: Artifact
    side: Side

    def run(self, inputs: Mapping[str, Array]) -> Mapping[str, Array]:
        return self.artifact.seen(inputs, "float32") or self.side.run(inputs)


def _graphs(artifacts: Sequence[tuple[ArtifactRecord, Artifact | None]]) -> dict[str, _Graph]:
    """By format, the graph in fp32 of every artifact that passed, rounds to fp16 and runs in fp32
    too."""
    found = {}
    for record, artifact in artifacts:
        if record.precision == "fp16" and artifact:
            with suppress(LadingError):  # the comparison says that it could not be judged
                found[record.format] = _Graph(artifact, artifact.side("float32"))
    return found


def _able(original: Original, precisions: Sequence[str]) -> Callable[[int], bool]:
    """Whether a probe fits the artifact at its default size and the original is steady there."""
    ports = original.interface.inputs

    def able(place: int) -> bool:
        probe = original.drawn[place]
        return (
            fits(probe, ports)
            and all(probe.shape(port.name) == port.shape for port in ports)
            and all(original.steady(place, one, computing=True) for one in precisions)
        )

    return able


def _channels(
    original: Original, precisions: Sequence[str], places: Sequence[int]
) -> tuple[dict[str, tuple[Axis, ...]], dict[str, bytes]]:
    """What is known of every output's channels at some probes, and the files that hold it."""
    found: dict[str, tuple[Axis, ...]] = {}
    files: dict[str, bytes] = {}
    behind = original.scores(precisions[0]) if precisions else ""
    for port in original.interface.answers if places else ():
        known: Sequence[Channels] = ()
        if port.meaning == "labels":
            known = behind.channels(places, "fp16") if isinstance(behind, Scores) else ()
        elif original.outputs[places[0]][port.name].dtype.kind == "f":
            known = original.channels(port, places, "fp16")
        axes = []
        for one in known:
            values = np.array(
                [one.centre, one.spread, one.noise, one.least, one.halved, one.halved_least]
            )
            stored, data = store("channels", str(one.axis), port.name, values)
            files[stored.file] = data
            axes.append(Axis(one.axis, stored))
        if axes:
            found[port.name] = tuple(axes)
    return found, files


@dataclass(frozen=True)
class _Fitting:
    """Places of probes that may be vectors: plain ones, of the kinds that say what those leave out,
    and more rows of a table. `larger`: for some there is no room, whatever the original does."""

    plain: list[int]
    beyond: list[int]
    rows: list[int]
    larger: bool


def _fitting(original: Original, precisions: Sequence[str], graphs: int) -> _Fitting:
    """Whether the original is steady is asked only of what there is room for."""
    kinds, able = (*ORDER, *BEYOND), _able(original, precisions)
    known = [
        place
        for place, probe in enumerate(original.drawn)
        if probe.kind in kinds and not (probe.far and "fp16" in precisions)
    ]
    drawn = original.drawn
    known.sort(key=lambda place: (kinds.index(drawn[place].kind), -drawn[place].calls))
    plain = [place for place in known if original.drawn[place].kind in ORDER]
    more = _in_turn(original, [place for place in known if place not in plain])
    room, larger = LIMIT - _INDEX_BYTES, False

    def least(place: int) -> int:
        given = sum(array.nbytes for array in drawn[place].inputs.values())
        return given + (1 + graphs) * sum(one.nbytes for one in original.outputs[place].values())

    def taken(place: int) -> bool:
        nonlocal room, larger
        size = least(place)
        larger = larger or size > room
        if size > room or not able(place):
            return False
        room -= size
        return True

    first = [*islice(filter(taken, plain), MOST)]
    beyond = [*islice(filter(taken, more), FURTHER)]
    rows = [place for place in more if drawn[place].kind == "rows" and place not in beyond]
    rows = [place for place in rows if least(place) <= SMALL]
    return _Fitting(first, beyond, [*filter(taken, rows)], larger)


def _choose(
    original: Original,
    fitting: _Fitting,
    precisions: Sequence[str],
    graphs: Mapping[str, _Graph],
    room: int,
) -> tuple[dict[int, tuple[Vector, dict[str, bytes]]], str]:
    """The vectors of as many probes as so many bytes allow, with their files, by the places of the
    probes; and why no more."""
    taken: dict[int, tuple[Vector, dict[str, bytes]]] = {}
    dropped = fitting.larger
    for place in [*fitting.plain, *fitting.beyond, *fitting.rows]:
        made = _vector(original, place, precisions, graphs)
        size = sum(map(len, made[1].values()))
        if place in fitting.rows and size > SMALL:
            continue
        if size > room:
            dropped = True
            continue
        taken[place] = made
        room -= size
    if not fitting.plain and not dropped:
        return {}, "the original is steady at no probe: its answers would be chance"
    if not taken:
        return {}, f"one probe alone is larger than {LIMIT:,} bytes"
    if _degenerate(original, [*taken]):
        return {}, "the original's answers are degenerate: see the bill's findings"
    return taken, f"more would be larger than {LIMIT:,} bytes" if dropped else ""


def _in_turn(original: Original, places: Sequence[int]) -> list[int]:
    """The first of each kind before a second of any: each kind shows what the others leave out."""
    turns: dict[int, int] = {}
    had: Counter[str] = Counter()
    for place in places:
        kind = original.drawn[place].kind
        turns[place] = had[kind]
        had[kind] += 1
    return sorted(places, key=turns.__getitem__)


def _walked(course: Course | None, part: str, taken: int) -> tuple[Walked | None, dict[str, bytes]]:
    """The original's walk and its files, where they fit beside `taken` bytes of vectors."""
    if course is None or course.start is None:
        return None, {}
    room = LIMIT - _INDEX_BYTES - taken
    arrays = [course.start, *course.trail, *course.answers]
    if sum(one.nbytes for one in arrays) > room or len(course.answers) != len(course.trail):
        return None, {}
    files: dict[str, bytes] = {}

    def kept(move: int, role: str, array: Array) -> Stored:
        stored, data = store(f"walk-{move}", role, "x", array)
        files[stored.file] = data
        return stored

    way = course.way
    walk = Walked(
        way.sampler,
        way.seed,
        str(len(way.timesteps)) if part == "network" else "",
        way.timesteps,
        kept(0, "input", course.start),
        tuple(kept(move, "output", one) for move, one in enumerate(course.trail, start=1)),
        tuple(kept(move, "answer", one) for move, one in enumerate(course.answers, start=1)),
    )
    return walk, files


def _degenerate(original: Original, places: Sequence[int]) -> bool:
    """Whether a comparison over these alone would find the original itself at fault."""
    outputs = [original.outputs[place] for place in places if original.drawn[place].varied]
    interface = original.interface
    ports, activation = interface.outputs, interface.task.activation
    return bool(degenerate.of_both(outputs, outputs, ports, activation, "again"))


def _vector(
    original: Original, place: int, precisions: Sequence[str], graphs: Mapping[str, _Graph]
) -> tuple[Vector, dict[str, bytes]]:
    probe, outputs = original.drawn[place], original.outputs[place]
    interface = original.interface
    files: dict[str, bytes] = {}

    def stored(role: str, arrays: Mapping[str, Array]) -> dict[str, Stored]:
        entries = {}
        for name, array in arrays.items():
            entries[name], data = store(f"{place}-{probe.name}", role, name, array)
            files[entries[name].file] = data
        return entries

    behind = original.scores(precisions[0]) if precisions else ""
    chosen, floors = {}, dict(original.floor(place))
    wide_scores: dict[str, Array] = {}
    if isinstance(behind, Scores):
        (port,) = interface.outputs
        chosen[port.name], floors[port.name] = behind.values[place], behind.floor(place)
        for name, graph in graphs.items():
            own = scores.own(graph.side, port.name, [probe], behind.values[place].shape)
            if not isinstance(own, str):
                wide_scores[name] = own[0]
    wide = {
        name: stored(
            f"graph-{name}", {k: v for k, v in graph.run(probe.inputs).items() if k in outputs}
        )
        for name, graph in graphs.items()
    }
    raw, text = _raw(probe, interface.inputs, vocabulary(interface.task))
    vector = Vector(
        probe.name,
        probe.kind,
        probe.source,
        stored("input", probe.inputs),
        stored("output", outputs),
        stored("raw", raw),
        text,
        stored("after", seen(outputs, interface.outputs, interface.task)),
        stored("scores", chosen),
        wide,
        stored("graph-scores", wide_scores),
        floors,
        {name: _rms(outputs, interface.answers, name) for name in precisions},
    )
    return vector, files


def _raw(
    probe: Probe, ports: tuple[Port, ...], words: Vocabulary | None
) -> tuple[dict[str, Array], dict[str, str]]:
    """The inputs as a user has them, where that differs from what the artifact takes."""
    pictures, texts = {}, {}
    for port in ports:
        if port.name in probe.raw:
            levels = probe.raw[port.name]
            whole = bool(((levels == np.rint(levels)) & (levels >= 0) & (levels <= 255)).all())
            kept = levels.astype(np.uint8) if whole else levels.astype(np.float32)
            if np.array_equal(prepare.levels(kept, port), probe.inputs[port.name]):
                pictures[port.name] = kept
        elif words:
            ids = probe.inputs[port.name]
            text = words.decode(ids)
            if np.array_equal(prepare.texts([text], port, words), ids):
                texts[port.name] = text
    return pictures, texts


def seen(outputs: Mapping[str, Array], ports: Sequence[Port], task: Task) -> dict[str, Array]:
    """What a user sees of scores: labels, uint8 where they fit, else int32; and of whole samples
    probabilities, float32, where they are not the output itself.
    """
    scores = [port for port in ports if port.class_axis is not None and port.meaning != "labels"]
    found = finish.finish(outputs, scores, task)
    arrays: dict[str, Array] = {}
    if found.labels is not None:
        small = found.labels.min(initial=0) >= 0 and found.labels.max(initial=0) < 256
        arrays["labels"] = found.labels.astype(np.uint8 if small else np.int32)
    if found.probabilities is not None and scores[0].meaning != "probabilities":
        arrays["probabilities"] = found.probabilities.astype(np.float32)
    return arrays


def _rms(outputs: Mapping[str, Array], ports: tuple[Port, ...], precision: str) -> dict[str, float]:
    """The gate on the signal-to-noise ratio in each output's own units."""
    factor = 10.0 ** (-GATES[precision].psnr / 20.0)
    return {
        port.name: float(np.abs(outputs[port.name]).max()) * factor
        for port in ports
        if port.meaning != "labels"
    }


def _tolerances(original: Original, precision: str, places: Sequence[int]) -> tuple[Tolerance, ...]:
    gates = GATES[precision]
    told = []
    for port in original.interface.answers:
        if port.meaning != "labels":
            told.append(Tolerance(port.name, "psnr", gates.psnr, gates.psnr_reason))
        if places and (port.meaning == "labels" or port.class_axis is not None):
            gate, why = original.agreement(port, places, precision)
            told.append(Tolerance(port.name, "label_agreement", gate, why))
    return tuple(told)
