"""Any two of a checkpoint and artifacts beside each other: outputs, values, one value looked at."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from lading.errors import RequestError
from lading.formats import Artifact
from lading.interface.side import EVERYTHING, Array, Made, Side, compared
from lading.proof import divergence, metrics
from lading.proof.alignment import owners
from lading.proof.reference import Reference
from lading.proof.weights.followed import Followed
from lading.record import (
    ArtifactRecord,
    Comparison,
    Provenance,
    Trajectory,
    Verdict,
    Walk,
)
from lading.record.brief import Brief

#: Numbers of a value that are spelled out.
SHOWN = 6


@dataclass(frozen=True)
class Value:
    """One value on one side, for `--stop-at`."""

    side: str
    name: str
    op: str
    shape: tuple[int, ...]
    low: float
    high: float
    mean: float
    first: tuple[float, ...]


@dataclass(frozen=True, repr=False)
class Between(Brief):
    """Two sides compared: outputs over all probes, the walk, and the value that was asked for.

    `sources` and `trajectories` are those of an artifact beside a checkpoint.
    """

    verdict: Verdict
    comparisons: tuple[Comparison, ...]
    walk: Walk
    values: tuple[Value, ...] = ()
    text: str = ""
    sources: tuple[Provenance, ...] = ()
    trajectories: tuple[Trajectory, ...] = ()


def looked(
    reference: Reference,
    side: Side,
    artifact: Artifact,
    record: ArtifactRecord,
    comparisons: Sequence[Comparison],
    followed: Followed | None = None,
    stop_at: str = "",
) -> tuple[Walk, tuple[Value, ...], str]:
    """The walk of two sides at the worst probe, and the value that is asked for on both.

    Args:
        reference: what the artifact was held against.
        side: the reference.
        artifact: opened.
        record: of it.
        comparisons: of the two.
        followed: the network, where the reference is one.
        stop_at: name of a value, or path of a module; empty for none.

    Raises:
        RequestError: neither side has such a value.
        LadingError: a side shows no inner values.
    """
    probe = reference.drawn[_worst(comparisons, [probe.name for probe in reference.drawn])]
    other = artifact.open(artifact.runtime())
    values = side.run(probe.inputs, EVERYTHING)
    arrays = other.run(probe.inputs, EVERYTHING)
    known = owners(artifact.constants(), followed) if followed is not None else {}
    failed = any(one.verdict == "fail" for one in comparisons)
    walk = divergence.along(
        artifact.path, side, values, other, arrays, known, record.precision, failed=failed
    )
    if not stop_at:
        return walk, (), ""
    return walk, *_looked_at(stop_at, side, values, other, arrays, walk)


def _worst(comparisons: Sequence[Comparison], probes: Sequence[str]) -> int:
    failed = [m.probe for c in comparisons for m in c.measurements if not m.passed]
    return next((probes.index(name) for name in failed if name in probes), 0)


def _looked_at(
    name: str,
    reference: Side,
    values: Mapping[str, Array],
    other: Side,
    arrays: Mapping[str, Array],
    walk: Walk,
) -> tuple[tuple[Value, ...], str]:
    """The value on either side that has it, and its counterpart where there is one."""
    ours = {made.name: made for made in compared(reference.graph, values)}
    theirs = {made.name: made for made in compared(other.graph, arrays)}
    for station in walk.stations:
        if name in (station.value, station.counterpart):
            left = _value(reference, ours[station.counterpart], values[station.counterpart])
            right = _value(other, theirs[station.value], arrays[station.value])
            text = f"aligned by {station.aligned_by}; relative L2 {station.error:.3g}"
            return (left, right), text
    alone = "the other side has no such value"
    for side, known, held in ((reference, ours, values), (other, theirs, arrays)):
        if name in known:
            return (_value(side, known[name], held[name]),), alone
    both = [(s, held[name]) for s, held in ((reference, values), (other, arrays)) if name in held]
    if both:  # whole numbers, as labels are: no arithmetic made them
        text = alone
        if len(both) == 2 and both[0][1].shape == both[1][1].shape:
            text = f"agreement {metrics.label_agreement(both[0][1], both[1][1]):.3%}"
        return tuple(_value(side, Made(name, "output"), array) for side, array in both), text
    close = difflib.get_close_matches(name, [*ours, *theirs], n=3, cutoff=0.3)
    raise RequestError(
        f"--stop-at {name}",
        found="no value of that name on either side",
        expected=", ".join(close) or "the name of a value or the path of a module",
        remedy="lading compare A B --json lists every aligned value",
    )


def _value(side: Side, made: Made, array: Array) -> Value:
    wide = array.astype(np.float64)
    return Value(
        side.title, made.name, made.op, tuple(array.shape),
        float(wide.min()), float(wide.max()), float(wide.mean()),
        tuple(float(x) for x in wide.reshape(-1)[:SHOWN]),
    )  # fmt: skip
