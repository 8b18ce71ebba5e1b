"""One artifact in one runtime against the reference, over all probes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from lading.errors import LadingError
from lading.proof import degenerate, metrics
from lading.proof.lifted_files import Graph
from lading.proof.probes import Probe, fits
from lading.proof.verdict import GATES, Gates
from lading.record import ArtifactRecord, Comparison, Finding, Metric, Port, Task
from lading.runtimes import Runtime, Session, noted_labels

Array = npt.NDArray[Any]
Outputs = Mapping[str, Array]
#: A class with fewer positions than this on all probes together is shown and not gated; below this
#: Dice it was lost or swapped. A rare class is too few positions for the agreement to notice.
JUDGED, LOST = 50, 0.5
#: Two classes tie where their margin is within this many root mean squares of what fp16 does to the
#: original: twice of it moves either of them.
TIED = 4.0
#: No agreement below, whatever the original does: one label in twenty makes another map.
LEAST = 0.95
TIED_REASON = "classes tie there within what rounding to fp16 does to the original itself"
FLOOR_REASON = "what the original keeps when every result is disturbed as by sums in another order"
GRAPH_REASON = "constants at the precision they came from, in fp32: what differs is the graph"
ROUNDED_REASON = "as for the graph; some constants are of unknown origin and stay rounded"
NOTHING_GATED = "nothing was gated: the original is steady at no probe; give --data"


def reference(session: Session, probes: Sequence[Probe]) -> list[Outputs]:
    """The untouched original's outputs, one mapping per probe."""
    return [session.run(probe.inputs) for probe in probes]


def not_run(artifact: ArtifactRecord, runtime: Runtime, reason: str) -> Comparison:
    """A comparison that did not take place, and why."""
    return Comparison(artifact.path, runtime.name, "torch", 0, (), (), "not run", reason)


def compare(
    artifact: ArtifactRecord,
    runtime: Runtime,
    session: Session,
    probes: Sequence[Probe],
    expected: Sequence[Outputs],
    task: Task,
    steady: Sequence[bool] | None = None,
    floors: Sequence[Mapping[str, float]] | None = None,
    graph: Graph | None = None,
    rounded: Sequence[Outputs] | None = None,
) -> Comparison:
    """Runs every probe that fits the artifact and judges the outputs.

    Args:
        artifact: its record: ports and declared precision.
        runtime: what runs it.
        session: the artifact, loaded.
        probes: inputs.
        expected: `reference` of the same probes.
        task: for labels and the activation.
        steady: per probe, whether the original itself is steady there at the artifact's precision
            (see `steadiness`); all are by default. The others are shown and not gated.
        floors: per probe and output, the PSNR that a sound fp32 computation keeps (see `noise`):
            the gates of what is computed in fp32, in place of the fixed one.
        graph: the same artifact with every constant at the precision that it came from, in fp32
            (see `lifted` and `lifted_files`): judged like fp32, so that rounding hides nothing.
        rounded: per probe, the original's outputs with every result disturbed as the artifact's
            precision rounds (see `noise`): classes that lie within that may change places.
    """
    fitting = [i for i, probe in enumerate(probes) if fits(probe, artifact.inputs)]
    pairs = [(probes[i], expected[i]) for i in fitting]
    firm = [place for place, i in enumerate(fitting) if steady is None or steady[i]]
    told = noted_labels(artifact.details)
    if told and task.labels and told != task.labels:
        both = f"{', '.join(told)}; the original's are {', '.join(task.labels)}"
        return failed(artifact, runtime, 0, f"the artifact's class names are {both}")
    if not pairs:
        return not_run(artifact, runtime, "no probe fits the artifact's inputs")
    got: list[Outputs] = []
    lifted: list[Outputs] = []
    for probe, outputs in pairs:
        try:
            values = session.run(probe.inputs)
            lifted += [graph.run(probe.inputs)] if graph else []
        except LadingError as error:
            return failed(artifact, runtime, len(got), f"{probe.name}: {error}")
        wrong = _mismatch(artifact.outputs, outputs, values)
        if wrong:
            return failed(artifact, runtime, len(got), f"{probe.name}: {wrong}")
        got.append(values)
    names = [probe.name for probe, _ in pairs]
    wanted = [outputs for _, outputs in pairs]
    precision = runtime.precision or artifact.precision
    gates = GATES[precision]
    sound = [floors[i] for i in fitting] if floors else None
    numbers: list[Metric] = []
    for port in artifact.outputs:
        left, right = [w[port.name] for w in wanted], [g[port.name] for g in got]
        if firm:
            before, after = ([side[i] for i in firm] for side in (left, right))
            probe_names = [names[i] for i in firm]
            limits = [sound[i].get(port.name, gates.psnr) for i in firm] if sound else None
            own = limits if precision == "fp32" else None
            shaken = [rounded[fitting[i]][port.name] for i in firm] if rounded else None
            numbers += _measure(port, before, after, probe_names, gates, task, own, shaken)
            if lifted:
                wide = [lifted[i][port.name] for i in firm]
                exact = limits if graph and not graph.rounded else None
                numbers.append(_of_the_graph(port, before, wide, probe_names, exact))
        numbers += [
            _unsteady(port, left[i], right[i], names[i]) for i in range(len(names)) if i not in firm
        ]
    varied = [i for i, (probe, _) in enumerate(pairs) if probe.varied]
    found = (
        *degenerate.findings(
            [wanted[i] for i in varied], artifact.outputs, task.activation, "reference"
        ),
        *degenerate.findings(
            [got[i] for i in varied], artifact.outputs, task.activation, runtime.name
        ),
    )
    gated = [metric for metric in numbers if metric.gate is not None]
    passed = bool(gated) and all(metric.passed for metric in numbers) and not found
    return Comparison(
        artifact=artifact.path,
        runtime=runtime.name,
        reference="torch",
        probes=len(pairs),
        metrics=tuple(numbers),
        findings=found,
        verdict="pass" if passed else "fail",
        reason="" if passed else _why(numbers, found) or NOTHING_GATED,
    )


def failed(artifact: ArtifactRecord, runtime: Runtime, probes: int, reason: str) -> Comparison:
    """A comparison that ended after so many probes, and why."""
    return Comparison(artifact.path, runtime.name, "torch", probes, (), (), "fail", reason)


def _mismatch(ports: Sequence[Port], expected: Outputs, got: Outputs) -> str:
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


def _measure(
    port: Port,
    wanted: Sequence[Array],
    got: Sequence[Array],
    probes: Sequence[str],
    gates: Gates,
    task: Task,
    limits: Sequence[float] | None = None,
    rounded: Sequence[Array] | None = None,
) -> list[Metric]:
    """The metrics of one output over all probes; `limits` are PSNR gates of its own per probe,
    `rounded` the original's own values as the precision would disturb them.
    """
    label = f"{port.name} "
    numbers: list[Metric] = []
    if port.meaning != "labels":
        reason = FLOOR_REASON if limits else gates.psnr_reason
        limits = limits or [gates.psnr] * len(probes)
        numbers += [
            ratio(label + "psnr", wanted, got, probes, limits, reason),
            _informing(label + "relative_l2", metrics.relative_l2, wanted, got, probes),
            _informing(label + "max_abs", metrics.max_abs, wanted, got, probes),
        ]  # fmt: skip
        if port.class_axis is None:
            return numbers
    flat_w, flat_g = _classes(port, wanted, task), _classes(port, got, task)
    gate, reason = gates.agreement, gates.agreement_reason
    if rounded is not None and port.meaning != "labels":
        tied = _tied(port, wanted, rounded, task)
        if 1.0 - tied < gate:
            gate, reason = max(1.0 - tied, LEAST), TIED_REASON
    numbers.append(
        Metric(f"{label}label_agreement", metrics.agreement(flat_w, flat_g), gate, "higher", reason)
    )
    if task.activation != "sigmoid" or port.meaning == "labels":
        for index, name in enumerate(task.labels):
            overlap = metrics.dice(flat_w, flat_g, index)
            if overlap is None:
                continue
            seen = int((flat_w == index).sum())
            kept = LOST if seen >= JUDGED else None
            text = f"overlap of {name} with the reference's; rounding moves borders only"
            numbers.append(Metric(f"{label}dice {name}", overlap, kept, "higher", text))
    return numbers


def _cut(port: Port) -> float:
    """Above it, a region is present."""
    return 0.5 if port.meaning == "probabilities" else 0.0


def _classes(port: Port, values: Sequence[Array], task: Task) -> Array:
    """The class at every position (or the presence of every region), over all probes."""
    if port.meaning == "labels":
        return _flat(values)
    if task.activation == "sigmoid":
        return _flat([one > _cut(port) for one in values])
    return _flat([metrics.labels_of(one, port.class_axis or 0) for one in values])


def _tied(port: Port, wanted: Sequence[Array], rounded: Sequence[Array], task: Task) -> float:
    """Share of the positions where classes tie, measured on the original alone."""
    near: list[Array] = []
    for scores, others in zip(wanted, rounded, strict=True):
        wide = scores.astype(np.float64)
        moved = float(np.sqrt(np.mean(np.square(wide - others.astype(np.float64)))))
        if task.activation == "sigmoid":
            margin: Array = 2.0 * np.abs(wide - _cut(port))
        else:
            axis = port.class_axis or 0
            steps = np.diff(np.sort(wide, axis=axis), axis=axis, prepend=-np.inf)
            margin = np.asarray(steps.take(-1, axis=axis))
        near.append(margin <= TIED * moved if np.isfinite(moved) else np.zeros_like(margin, bool))
    return float(np.mean(_flat(near)))


def ratio(
    name: str,
    wanted: Sequence[Array],
    got: Sequence[Array],
    probes: Sequence[str],
    limits: Sequence[float],
    reason: str,
) -> Metric:
    """PSNR at the probe where least is left above the gate of that probe.

    Args:
        name: of the metric.
        wanted: the original's values, one array per probe.
        got: the artifact's.
        probes: names.
        limits: the gates, in dB.
        reason: why those.
    """
    ratios = [metrics.psnr(w, g) for w, g in zip(wanted, got, strict=True)]
    left = [ratio - limit for ratio, limit in zip(ratios, limits, strict=True)]
    worst = _worst(left, highest_is_worst=False)
    return Metric(name, ratios[worst], limits[worst], "higher", reason, probes[worst])


def _of_the_graph(
    port: Port,
    wanted: Sequence[Array],
    got: Sequence[Array],
    probes: Sequence[str],
    limits: Sequence[float] | None,
) -> Metric:
    """The lifted reading, judged like fp32."""
    gates = GATES["fp32"]
    if port.meaning == "labels" or wanted[0].dtype.kind != "f":
        value = metrics.agreement(_flat(wanted), _flat(got))
        return Metric(f"{port.name} graph label_agreement", value, gates.agreement, "higher",
                      f"the graph in fp32; {gates.agreement_reason}")  # fmt: skip
    return ratio(f"{port.name} graph psnr", wanted, got, probes,
                  limits or [gates.psnr] * len(probes),
                  GRAPH_REASON if limits else ROUNDED_REASON)  # fmt: skip


def _informing(
    name: str, function: Any, wanted: Sequence[Array], got: Sequence[Array], probes: Sequence[str]
) -> Metric:
    """A metric without a gate, its largest value over the probes."""
    values = [function(w, g) for w, g in zip(wanted, got, strict=True)]
    worst = _worst(values, highest_is_worst=True)
    return Metric(name, values[worst], None, "lower", "worst probe; psnr is gated", probes[worst])


def _unsteady(port: Port, wanted: Array, got: Array, probe: str) -> Metric:
    """A probe that is shown and not gated. NaN still passes nothing."""
    text = "the original itself misses its gate here when its input is rounded"
    if port.meaning == "labels":
        value, name = metrics.agreement(wanted, got), "label_agreement"
    else:
        value, name = metrics.psnr(wanted, got), "psnr"
    return Metric(f"{port.name} {name} (unsteady)", value, None, "higher", text, probe)


def _worst(values: Sequence[float], *, highest_is_worst: bool) -> int:
    """The index of the worst value; NaN is worse than anything."""
    sign = -1.0 if highest_is_worst else 1.0
    keys = [(0, 0.0) if value != value else (1, sign * value) for value in values]
    return keys.index(min(keys))


def _flat(arrays: Sequence[Array]) -> Array:
    return np.concatenate([array.reshape(-1) for array in arrays])


def _why(numbers: Sequence[Metric], found: Sequence[Finding]) -> str:
    parts = [
        f"{m.name} {m.value:.4g} misses its gate {m.gate:g} (worst probe {m.worst_probe or 'all'})"
        for m in numbers
        if not m.passed and m.gate is not None
    ]
    parts += [f"{m.name} is NaN" for m in numbers if not m.passed and m.gate is None]
    parts += [f"{f.where} is {f.name}: {f.text}" for f in found]
    return "; ".join(parts)
