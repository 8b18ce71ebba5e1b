"""The numbers of one output: what two sides gave for it, over all probes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from lading.interface.side import Array
from lading.proof import metrics
from lading.proof.probes import Probe
from lading.proof.reference import Outputs
from lading.record import Covered, Measurement, Port, Task
from lading.task.finish import likeliest, present

#: A class with fewer positions than this on all probes together is shown and not gated; below this
#: Dice it was lost or swapped. A rare class is too few positions for the agreement to notice.
JUDGED, LOST = 50, 0.5


def mismatch(ports: Sequence[Port], expected: Outputs, got: Outputs) -> str:
    """What is wrong with names, shapes or dtypes of one probe's outputs; empty if nothing."""
    for port in ports:
        if port.name not in got:
            return f"output {port.name!r} is missing; there is {', '.join(got) or 'nothing'}"
        if port.name not in expected:
            return f"the reference has no output {port.name!r}"
        if got[port.name].shape != expected[port.name].shape:
            shapes = f"{list(got[port.name].shape)}, not {list(expected[port.name].shape)}"
            return f"output {port.name!r} has shape {shapes}"
        if not got[port.name].size:
            return f"output {port.name!r} is empty: there is nothing to compare"
        if got[port.name].dtype != np.dtype(port.dtype):
            return f"output {port.name!r} is {got[port.name].dtype}, not {port.dtype}"
    extra = set(got) - {port.name for port in ports}
    return f"unexpected outputs: {', '.join(sorted(extra))}" if extra else ""


def covered(
    ports: Sequence[Port], probes: Sequence[Probe], far: Sequence[Probe]
) -> Iterator[Covered]:
    """What of the inputs was compared; at `far` probes the graph alone."""
    for port in ports:
        for graph, many in ((False, probes), (True, far)):
            fed = [probe.inputs[port.name] for probe in many]
            if not fed:
                continue
            low, high = min(float(one.min()) for one in fed), max(float(one.max()) for one in fed)
            whole = fed[0].dtype.kind in "iu"
            if not whole:
                yield Covered(port.name, low, high, reading="graph" if graph else "declared")
            elif not graph:
                seen = len(np.unique(np.concatenate([one.reshape(-1) for one in fed])))
                bounds = port.value_range
                every = int(bounds[1] - bounds[0]) + 1 if bounds else 0
                yield Covered(port.name, low, high, seen, every)


def overlaps(port: Port, wanted: Array, got: Array, task: Task) -> list[Measurement]:
    """The overlap of every class that either side has."""
    numbers = []
    for index, name in enumerate(task.labels):
        overlap = metrics.dice(wanted, got, index)
        if overlap is not None:
            kept = LOST if int((wanted == index).sum()) >= JUDGED else None
            why = f"overlap of {name} with the reference's; rounding moves borders only"
            numbers.append(Measurement(port.name, "dice", overlap, kept, why, channel=name))
    return numbers


def classes(port: Port, values: Sequence[Array], task: Task) -> Array:
    """The class at every position (or the presence of every region), over all probes."""
    if port.meaning == "labels" or port.class_axis is None:
        return flat(values)
    if task.activation == "sigmoid":
        return flat([present(one, port) for one in values])
    return flat([likeliest(one, port.class_axis) for one in values])


def ratio(
    output: str,
    wanted: Sequence[Array],
    got: Sequence[Array],
    probes: Sequence[str],
    limits: Sequence[float],
    why: str,
    **more: Any,
) -> Measurement:
    """PSNR at the probe where least is left above the gate of that probe.

    Args:
        output: name of the port.
        wanted: the reference's values, one array per probe.
        got: the artifact's.
        probes: names.
        limits: the gates, in dB.
        why: those.
        more: fields of the measurement: its reading, and whether it is of the scores.
    """
    ratios = [metrics.psnr(w, g) for w, g in zip(wanted, got, strict=True)]
    left = [ratio - limit for ratio, limit in zip(ratios, limits, strict=True)]
    worst = _worst(left, highest_is_worst=False)
    return Measurement(output, "psnr", ratios[worst], limits[worst], why, probes[worst], **more)


def informing(
    output: str, kind: str, wanted: Sequence[Array], got: Sequence[Array], probes: Sequence[str]
) -> Measurement:
    """A number without a gate, its largest value over the probes."""
    values = [getattr(metrics, kind)(w, g) for w, g in zip(wanted, got, strict=True)]
    worst = _worst(values, highest_is_worst=True)
    return Measurement(
        output, kind, values[worst], None, "worst probe; psnr is gated", probes[worst]
    )


def _worst(values: Sequence[float], *, highest_is_worst: bool) -> int:
    """The index of the worst value; NaN is worse than anything."""
    sign = -1.0 if highest_is_worst else 1.0
    keys = [(0, 0.0) if value != value else (1, sign * value) for value in values]
    return keys.index(min(keys))


def flat(arrays: Sequence[Array]) -> Array:
    return np.concatenate([array.reshape(-1) for array in arrays])
