"""The first value that departs: where along the network an artifact stops being the original.

Both sides compute one probe; their values are aligned, and the errors are followed in the order of
computation. Rounding grows slowly from one operation to the next. A wrong weight, attribute or
connection jumps: the first value whose error is many times that of everything before it, and above
what rounding explains, is the one to look at.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from lading.errors import LadingError
from lading.formats import Artifact
from lading.interface import Interface
from lading.interface.original import TorchSide
from lading.interface.side import EVERYTHING, Array, Made, Side, compared
from lading.proof.alignment import Pair, align, owners
from lading.proof.beyond import meant
from lading.proof.metrics import relative_l2
from lading.proof.probes import Probe
from lading.proof.weights.followed import Followed
from lading.record import ArtifactRecord, Comparison, Station, Walk

#: What rounding alone may leave between two values (relative L2).
FLOOR = {"fp32": 1e-5, "fp16": 4e-3}
#: A departing value's error over the largest error before it.
JUMP = 8.0
#: The original's values without a counterpart that are spelled out.
DROPPED = 3


def walk(
    artifact: Artifact,
    interface: Interface,
    inputs: Mapping[str, Array],
    precision: str,
    reading: str = "declared",
) -> Walk:
    """Follows the values of an artifact beside the original's.

    Args:
        artifact: opened.
        interface: the untouched network, its ports named as the artifact's.
        inputs: one probe.
        precision: of the artifact, ``"fp32"`` or ``"fp16"``.
        reading: see `lading.formats.Artifact.side`.

    Returns:
        the stations in order, and the first that departs. A half-precision file that is right in
        fp32 arithmetic is walked as it rounds; one that is not, in fp32, so that rounding hides
        nothing.
    """
    original = TorchSide(interface)
    values = original.run(inputs, EVERYTHING)
    try:
        other = artifact.side(reading)
        if precision == "fp16":
            plain = artifact.side("float32")
            if _wrong(plain, inputs, values) > 0.25 * _wrong(other, inputs, values):
                other = plain
        arrays = other.run(inputs, EVERYTHING)
    except LadingError as error:
        return Walk(str(artifact.path), "", "", 0, 0, (), text=f"not walked: {error}")
    known = owners(artifact.constants(), Followed(interface))
    return along(artifact.path, original, values, other, arrays, known, precision)


def along(
    path: Path,
    original: Side,
    values: Mapping[str, Array],
    other: Side,
    arrays: Mapping[str, Array],
    known: Mapping[str, str],
    precision: str,
    *,
    failed: bool = True,
) -> Walk:
    """The walk of two sides that were looked at.

    Args:
        path: of the artifact.
        original: the reference.
        values: everything it computed.
        other: the artifact.
        arrays: everything it computed.
        known: constant of the artifact -> path of the module whose parameter it holds.
        precision: see `walk`.
        failed: whether there is anything to explain.
    """
    made, theirs = compared(original.graph, values), compared(other.graph, arrays)
    pairs = align(made, values, theirs, arrays, known, precision)
    stations = tuple(station(pair, values[pair.ours.name], precision) for pair in pairs)
    return _walk(path, other, pairs, stations, made, theirs, arrays, precision, failed=failed)


def explain(
    artifact: Artifact,
    record: ArtifactRecord,
    interface: Interface,
    drawn: Sequence[Probe],
    comparisons: Sequence[Comparison],
) -> tuple[Walk, ...]:
    """A walk at the worst probe of a comparison that failed; nothing where none did.

    Args:
        artifact: opened.
        record: of it.
        interface: the untouched network.
        drawn: the probes.
        comparisons: of this artifact.
    """
    failed = [one for one in comparisons if one.verdict == "fail"]
    fitting = {one.name: one for one in drawn if meant(one, record)}
    if not failed or not fitting:
        return ()
    worst = [m.probe for m in failed[0].measurements if not m.passed and m.probe in fitting]
    probe = fitting[worst[0]] if worst else next(iter(fitting.values()))
    runtime = next(r for r in artifact.format.runtimes if r.name == failed[0].runtime)
    precision = runtime.precision or record.precision  # less than the file's own decides
    taken = walk(artifact, interface, probe.inputs, precision, runtime.reading)
    return (replace(taken, artifact=record.path),)  # not where it lay when it was walked


def _wrong(side: Side, inputs: Mapping[str, Array], expected: Mapping[str, Array]) -> float:
    """The largest relative error of the outputs."""
    arrays = side.run(inputs)
    errors = [
        relative_l2(expected[name], arrays[name])
        for name in side.outputs
        if name in expected and expected[name].shape == arrays[name].shape
    ]
    return max((e if e == e else np.inf for e in errors), default=np.inf)


def _walk(
    path: Path,
    side: Side,
    pairs: Sequence[Pair],
    stations: tuple[Station, ...],
    made: Sequence[Made],
    theirs: Sequence[Made],
    arrays: Mapping[str, Array],
    precision: str,
    *,
    failed: bool = True,
) -> Walk:
    """The walk along `stations`, and in words where it departs, if it does."""
    first = departing([one.error for one in stations], precision)
    name, text = "", "no aligned value departs from the original's by more than rounding explains"
    if first is None and failed:
        lost = _lost(stations, theirs)
        if lost is not None:
            agrees = "every value that has a counterpart agrees; the first that has none"
            text = (
                f"{agrees if pairs else 'nothing has a counterpart; the first'}, and from which "
                f"nothing that agrees is computed, is {lost.op} {lost.name}"
            )
            text += f" in {lost.module}" if lost.module else ""
        elif not pairs:
            text = "none of the file's values has a counterpart"
        text += _dropped(made, {pair.ours.name for pair in pairs})
    if first is not None:
        name = stations[first].value
        text = _sentence(stations, first, pairs[first], arrays) + _between(stations, first, theirs)
        agreed = {pair.ours.name for place, pair in enumerate(pairs) if place != first}
        names = [one.name for one in made]
        text += _dropped(made[: names.index(pairs[first].ours.name)], agreed)
    return Walk(
        str(path), side.runtime, side.reading, len(pairs), len(theirs), stations, name, text
    )


def _dropped(made: Sequence[Made], agreed: Collection[str]) -> str:
    """The original's last values before a place that the artifact has nothing for: work that was
    lost on the way has no other trace."""
    last = max((i for i, one in enumerate(made) if one.name in agreed), default=-1)
    lost = [one for one in made[last + 1 :] if one.name not in agreed]
    if not lost:
        return ""
    told = []
    for one in lost[-DROPPED:]:
        place = one.source or one.module
        told.append(f"{one.op} {one.name}" + (f" ({place})" if place else ""))
    return f"; of the original without a counterpart: {', '.join(told)}"


def _lost(stations: Sequence[Station], theirs: Sequence[Made]) -> Made | None:
    """The first value without a counterpart none of whose descendants has one either."""
    good = {station.value for station in stations}
    leads: set[str] = set()
    for one in reversed(theirs):
        if one.name in good or one.name in leads:
            leads.update(one.reads)
    return next((one for one in theirs if one.name not in good and one.name not in leads), None)


def _between(stations: Sequence[Station], first: int, theirs: Sequence[Made]) -> str:
    """Values without a counterpart between the last that agrees and the first that departs."""
    names = [one.name for one in theirs]
    start = names.index(stations[first - 1].value) + 1 if first else 0
    lost = theirs[start : names.index(stations[first].value)]
    told = ", ".join(f"{one.op} {one.name}" for one in lost[:6])
    more = f" and {len(lost) - 6} more" if len(lost) > 6 else ""
    return f"; without a counterpart before it: {told}{more}" if lost else ""


def departing(errors: Sequence[float], precision: str) -> int | None:
    """The place of the first error that departs; None where none does. NaN departs.

    >>> departing([1e-6, 2e-6, 0.3, 0.4], "fp32"), departing([1e-3, 3e-3], "fp16")
    (2, None)
    """
    largest = 0.0
    for place, error in enumerate(errors):
        if error != error or (error > FLOOR[precision] and error > JUMP * largest):
            return place
        largest = max(largest, error)
    above = [place for place, error in enumerate(errors) if error > 0.1]
    return above[0] if above else None


def station(pair: Pair, array: Array, precision: str) -> Station:
    """The record of a pair; `array` is the original's value."""
    wide = array.astype(np.float64)
    over = under = 0
    if precision == "fp16":
        over = int((np.abs(wide) > 65504).sum())
        under = int(((wide != 0) & (np.abs(wide) < 2.0**-25)).sum())
    return Station(
        value=pair.theirs.name,
        op=pair.theirs.op,
        module=pair.ours.module,
        source=pair.ours.source,
        aligned_by=pair.by,
        error=pair.error,
        low=float(wide.min()),
        high=float(wide.max()),
        overflows=over,
        underflows=under,
        counterpart=pair.ours.name,
    )


def _sentence(
    stations: Sequence[Station], first: int, pair: Pair, arrays: Mapping[str, Array]
) -> str:
    here = stations[first]
    before = max((one.error for one in stations[:first]), default=0.0)
    ranges = [
        f"{name} {float(np.min(arrays[name])):.4g} to {float(np.max(arrays[name])):.4g}"
        for name in pair.theirs.reads
        if name in arrays and arrays[name].size and arrays[name].dtype.kind == "f"
    ]
    place = f" in {here.module}" if here.module else ""
    line = f", {here.source}" if here.source else ""
    return (
        f"{here.op} {here.value}{place}{line}: error {before:.2g} before it and {here.error:.2g} "
        f"after (relative L2), aligned by {here.aligned_by}; "
        f"inputs {'; '.join(ranges) or 'are constants or the artifact inputs'}"
    )
