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

from lading.interface import Interface
from lading.interface.side import Array, Made, Side
from lading.proof.metrics import relative_l2
from lading.proof.probes import Probe
from lading.proof.reference import Scores
from lading.record import Port
from lading.task.processing import Labels, Wrapped

#: Operations between scores and labels, in every format's spelling without case and underscores:
#: they choose, compare, move and count, and compute nothing.
CHOOSING = {
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
    bare = Wrapped(module.network, module.prepare, nn.Identity(), module.call).eval()
    port = replace(interface.task.outputs[0], name=interface.outputs[0].name)
    return replace(interface, module=bare, outputs=(port,))


@dataclass
class Found:
    """Scores of both sides, per probe; `plain` where they are no probabilities."""

    wanted: list[Array]
    got: list[Array]
    plain: bool = True


def behind_labels(
    side: Side,
    port: Port,
    drawn: Sequence[Probe],
    expected: Scores,
    places: Sequence[int],
) -> Found | None:
    """The value that an artifact's labels are chosen from; None where it has none.

    Args:
        side: the artifact.
        port: of the labels.
        drawn: the probes.
        expected: the reference's scores.
        places: of the probes that are judged.

    Raises:
        LadingError: the inner values cannot be asked for.
    """
    near = candidates(side.graph, port.name)
    found = Found([], [])
    for place in places:
        values = side.run(drawn[place].inputs, {made.name for made in near} or {port.name})
        scores = expected.values[place]
        maker = next((m for m in near if _fits(values.get(m.name), scores)), None)
        if maker is None:
            return None
        if plain(maker.op) in _PROBABILITIES:
            scores = _probabilities(maker.op, scores, expected.port.class_axis or 0)
            found.plain = False
        found.wanted.append(scores)
        found.got.append(_laid(scores, values[maker.name]))
    return found


def own(
    side: Side, labels: str, drawn: Sequence[Probe], shape: tuple[int, ...]
) -> list[Array] | str:
    """The scores of a shape that a side's own labels are chosen from, per probe; in words why there
    are none."""
    near = candidates(side.graph, labels)
    found: list[Array] = []
    for probe in drawn:
        values = side.run(probe.inputs, {made.name for made in near} or {labels})
        given = [m for m in near if plain(m.op) not in _PROBABILITIES]
        fitting = [values[m.name] for m in given if m.name in values]
        real = [value for value in fitting if value.dtype.kind == "f"]
        scores = next((value for value in real if value.size == np.prod(shape)), None)
        if scores is None:
            return "the reference shows no scores that its labels are chosen from"
        found.append(scores.reshape(shape))
    return found


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
        if plain(maker.op) in CHOOSING:
            waiting += maker.reads
    found.pop(output, None)
    return list(found.values())


def plain(op: str) -> str:
    return op.replace("_", "").lower()


def _fits(value: Array | None, scores: Array) -> bool:
    return value is not None and value.dtype.kind == "f" and value.size == scores.size


def _probabilities(op: str, scores: Array, axis: int) -> Array:
    wide = torch.from_numpy(scores)
    made = torch.sigmoid(wide) if plain(op) == "sigmoid" else torch.softmax(wide, axis)
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
