"""The scores behind labels: what an artifact's label map is made of, compared as scores are.

A label map hides a network that is a little wrong: a weight changed by 1 % moves few labels or
none. The scores are in the file all the same, as the value that the argmax reads. It is found by
following the labels backwards, asked of the runtime, and held against the original's own scores
with the gates that scores have. Where it cannot be found or asked for, the bill says in words that
only labels were compared.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import nn

from lading.errors import LadingError
from lading.interface import Interface
from lading.proof.compare import FLOOR_REASON, GRAPH_REASON, ROUNDED_REASON, ratio
from lading.proof.insides import Inside
from lading.proof.metrics import relative_l2
from lading.proof.probes import Probe, fits
from lading.proof.sides import Made
from lading.proof.verdict import GATES
from lading.proof.weights.constants import Array
from lading.record import ArtifactRecord, Comparison, Metric, Port
from lading.task.processing import Labels, Wrapped

#: How a bill says that nothing but labels was compared; the reason follows.
ONLY = "only labels were compared, not the scores behind them"
#: Operations between scores and labels, in every format's spelling without case and underscores:
#: they choose, compare, move and count, and compute nothing.
_CHOOSING = {
    *("argmax", "reduceargmax", "topk", "cast", "castlike", "identity", "copy", "squeeze"),
    *("unsqueeze", "expanddims", "reshape", "reshapestatic", "reshapelike", "reshapedynamic"),
    *("rankpreservingreshape", "flatten", "flattento2d", "transpose", "permute", "slice"),
    *("slicestatic", "slicedynamic", "slicebyindex", "slicebysize", "gather", "gathernd"),
    *("gatheralongaxis", "split", "splitnd", "where", "wherebroadcastable", "select", "greater"),
    *("greaterequal", "greaterorequal", "greaterthan", "less", "lessequal", "lessorequal"),
    *("lessthan", "equal", "notequal", "logicaland", "and", "logicalor", "or", "logicalnot"),
    *("not", "concat", "concatnd", "stack", "loadconstant", "loadconstantnd"),
}  # fmt: skip
#: A file of another's may choose from these; they are computed from the original's scores then.
_PROBABILITIES = {"softmax", "softmaxnd", "sigmoid"}


def behind(interface: Interface) -> Interface | None:
    """The same network with its scores in the place of its labels, under the output's own name;
    None where it gives none, or the labels are the network's own work."""
    module = interface.module
    if not (isinstance(module, Wrapped) and isinstance(module.head, Labels)):
        return None
    bare = Wrapped(module.network, module.prepare, nn.Identity()).eval()
    port = replace(interface.task.outputs[0], name=interface.outputs[0].name)
    return replace(interface, module=bare, outputs=(port,))


@dataclass(frozen=True)
class Expected:
    """The original's own scores.

    Attributes:
        port: of the scores.
        scores: per probe.
        steady: per probe, whether the original's scores are, at the artifact's precision.
        floors: per probe, the PSNR that a sound fp32 computation keeps of them.
    """

    port: Port
    scores: Sequence[Array]
    steady: Sequence[bool]
    floors: Sequence[float]


def added(
    comparison: Comparison,
    artifact: ArtifactRecord,
    drawn: Sequence[Probe],
    expected: Expected | None,
    side: Inside | None,
    graph: Inside | None = None,
    precision: str = "fp32",
    rounded: int = 0,
    unseen: str = "this runtime shows no inner values",
) -> Comparison:
    """A comparison of labels with that of the scores behind them.

    Args:
        comparison: as `compare.compare` made it; one that did not come to numbers stays as it is.
        artifact: its record.
        drawn: the probes.
        expected: the original's scores; None where it has none to show.
        side: the artifact from the inside; None where the runtime shows no inner values.
        graph: of an fp16 program its lifted reading (see `lifted`), judged like fp32.
        precision: of the runtime's reading of the artifact.
        rounded: constants of unknown origin that stay rounded in `graph`.
        unseen: why there is no `side`.
    """
    ports = [port for port in artifact.outputs if port.meaning == "labels"]
    if not ports or not comparison.metrics:
        return comparison
    (port,) = ports[:1]
    if expected is None:
        return _told(comparison, port, "the network itself gives labels")
    if side is None:
        return _told(comparison, port, unseen)
    places = [i for i, probe in enumerate(drawn) if fits(probe, artifact.inputs)]
    places = [i for i in places if expected.steady[i]]
    if not places:
        return _told(comparison, port, "the original's scores are steady at no probe")
    found: list[Metric] = []
    limits = [expected.floors[i] for i in places]
    fixed = [GATES[precision].psnr] * len(places)
    try:
        gates, reason = (
            (limits, FLOOR_REASON) if precision == "fp32" else (fixed, GATES[precision].psnr_reason)
        )
        found += _measured(
            f"{port.name} scores psnr", side, port, drawn, expected, places, gates, reason
        )
        if graph is not None:
            gates, reason = (
                ([GATES["fp32"].psnr] * len(places), ROUNDED_REASON)
                if rounded
                else (limits, GRAPH_REASON)
            )
            found += _measured(
                f"{port.name} graph scores psnr",
                graph,
                port,
                drawn,
                expected,
                places,
                gates,
                reason,
            )
    except LadingError as error:
        return _told(comparison, port, f"its inner values cannot be asked for: {error.found}")
    if not found:
        return _told(comparison, port, f"no value that {port.name} is chosen from was found")
    missed = [m for m in found if not m.passed]
    why = [
        f"{m.name} {m.value:.4g} misses its gate {m.gate:g} (worst probe {m.worst_probe})"
        for m in missed
    ]
    return replace(
        comparison,
        metrics=(*comparison.metrics, *found),
        verdict="fail" if missed else comparison.verdict,
        reason="; ".join(filter(None, [comparison.reason, *why])),
    )


def notices(comparisons: Sequence[Comparison]) -> list[str]:
    """What a bill says of comparisons in which the scores were not seen; one that saw them speaks
    for the other runtimes of its artifact."""
    seen = {c.artifact for c in comparisons if any("scores psnr" in m.name for m in c.metrics)}
    told = {
        f"{one.artifact} in {one.runtime}: {ONLY}{metric.reason.partition(ONLY)[2]}"
        for one in comparisons
        for metric in one.metrics
        if ONLY in metric.reason and one.artifact not in seen
    }
    return sorted(told)


def candidates(graph: Sequence[Made], output: str) -> list[Made]:
    """Values that an output is chosen from, the nearest first: those that choosing, comparing and
    moving alone lie between.

    >>> chain = [Made("s", "Conv", reads=("x",)), Made("i", "ArgMax", reads=("s",))]
    >>> [one.name for one in candidates([*chain, Made("y", "Cast", reads=("i",))], "y")]
    ['i', 's']
    """
    makers = {one.name: one for one in graph}
    found: dict[str, Made] = {}
    waiting = [output]
    for name in waiting:
        maker = makers.get(name)
        if maker is None or name in found:
            continue
        found[name] = maker
        if _plain(maker.op) in _CHOOSING:
            waiting += maker.reads
    found.pop(output, None)
    return list(found.values())


def _measured(
    name: str,
    side: Inside,
    port: Port,
    drawn: Sequence[Probe],
    expected: Expected,
    places: Sequence[int],
    gates: Sequence[float],
    reason: str,
) -> list[Metric]:
    """PSNR of the scores at the worst probe; nothing where the artifact has no such value."""
    near = candidates(side.graph, port.name)
    side.take = frozenset(one.name for one in near)
    wanted, got, limits = [], [], list(gates)
    for number, place in enumerate(places):
        _, values = side.run(drawn[place].inputs)
        scores = expected.scores[place]
        maker = next((m for m in near if _fits(values.get(m.name), scores)), None)
        if maker is None:
            return []
        if _plain(maker.op) in _PROBABILITIES:
            axis = expected.port.class_axis or 0
            scores = _probabilities(maker.op, scores, axis)
            limits[number] = min(limits[number], GATES["fp32"].psnr)  # measured on the scores
        wanted.append(scores)
        got.append(_laid(scores, values[maker.name]))
    return [ratio(name, wanted, got, [drawn[i].name for i in places], limits, reason)]


def _plain(op: str) -> str:
    return op.replace("_", "").lower()


def _fits(value: Array | None, scores: Array) -> bool:
    return value is not None and value.dtype.kind == "f" and value.size == scores.size


def _probabilities(op: str, scores: Array, axis: int) -> Array:
    wide = torch.from_numpy(scores)
    made = torch.sigmoid(wide) if _plain(op) == "sigmoid" else torch.softmax(wide, axis)
    return np.asarray(made.numpy())


def _laid(scores: Array, value: Array) -> Array:
    """The value in the shape of the scores: its axes in the order that brings it nearest, where
    they are in another one at all."""
    flat = np.squeeze(value)
    shape = tuple(n for n in scores.shape if n != 1)
    if flat.shape == shape or flat.ndim != len(shape):
        return value.reshape(scores.shape)
    turned = [
        flat.transpose(order).reshape(scores.shape)
        for order in itertools.permutations(range(flat.ndim))
        if flat.transpose(order).shape == shape
    ]
    if not turned:
        return value.reshape(scores.shape)
    return min(turned, key=lambda one: np.nan_to_num(relative_l2(scores, one), nan=np.inf))


def _told(comparison: Comparison, port: Port, why: str) -> Comparison:
    """The comparison, its label agreement saying that it is all there is."""
    said = tuple(
        replace(m, reason=f"{m.reason}; {ONLY}: {why}")
        if m.name.startswith(f"{port.name} label_agreement")
        else m
        for m in comparison.metrics
    )
    return replace(comparison, metrics=said)
