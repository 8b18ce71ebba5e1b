"""Which value of an artifact is which value of the original.

By module path first: an ONNX node keeps the path that made it, and in any format an operation that
reads a module's weights computes that module. What is left is aligned by value: the same elements,
to the artifact's rounding, whatever the order of the axes. Nothing else is called the same, and how
each pair was found is recorded.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from lading.formats import Held
from lading.interface.side import Array, Made
from lading.proof.metrics import relative_l2
from lading.proof.weights.followed import Followed
from lading.proof.weights.origins import Origins

How = Literal["module path", "value"]
#: Relative L2 distance within which two values are one and the same, by the declared precision.
SAME = {"fp32": 1e-4, "fp16": 2e-2}
#: Axes are permuted up to this rank to lay one value over the other.
RANK = 5


@dataclass(frozen=True)
class Pair:
    """A value of the original, its counterpart, how they were found, and how far they are apart."""

    theirs: Made
    ours: Made
    by: How
    error: float


def align(
    original: Sequence[Made],
    originals: Mapping[str, Array],
    artifact: Sequence[Made],
    artifacts: Mapping[str, Array],
    owners: Mapping[str, str],
    precision: str,
) -> list[Pair]:
    """Pairs in the artifact's order of computation.

    Args:
        original: values of the untouched network.
        originals: their arrays.
        artifact: values of the other side.
        artifacts: theirs.
        owners: constant of the artifact -> path of the module whose parameter it holds.
        precision: of the artifact, ``"fp32"`` or ``"fp16"``.
    """
    placed = _by_path(original, originals, artifact, artifacts, owners, precision)
    placed.update(_by_value(original, originals, artifact, artifacts, placed, precision))
    return [placed[one.name] for one in artifact if one.name in placed]


def owners(constants: Sequence[Held], followed: Followed) -> dict[str, str]:
    """The module whose parameter each constant holds, or is computed of."""
    state = Origins(followed.interface.module.state_dict())
    found: dict[str, str] = {}
    for one in constants:
        if one.values.dtype.kind != "f" or one.values.size < 2:
            continue
        names = state.whole(one.values)
        permuted = state.permuted(one.values) if not names else None
        if permuted:
            names = [permuted[0]]
        if not names:
            derived = followed.find(one.values)
            names = list(derived.tensors) if derived else []
        modules = {name.rpartition(".")[0] for name in names}
        if len(modules) == 1:
            found[one.name] = modules.pop()
    return found


def _by_path(
    original: Sequence[Made],
    originals: Mapping[str, Array],
    artifact: Sequence[Made],
    artifacts: Mapping[str, Array],
    owners: Mapping[str, str],
    precision: str,
) -> dict[str, Pair]:
    calls: dict[str, list[Made]] = {}
    for one in original:
        if one.module_output:
            calls.setdefault(one.module, []).append(one)
    last: dict[str, Made] = {}
    # the last operation that bears a module's path makes its output only if nothing lies inside it
    outer = {path[:place] for path in calls for place, c in enumerate(path) if c == "."}
    for one in artifact:
        paths = {owners[name] for name in one.reads if name in owners} or {one.module} - outer
        for path in paths:
            # a module called twice has two outputs and one path: left to the values
            if len(calls.get(path, ())) == 1:
                size = originals[calls[path][0].name].size
                if artifacts[one.name].size == size:
                    last[path] = one
    pairs = {}
    for path, theirs in last.items():
        ours = calls[path][0]
        error = distance(originals[ours.name], artifacts[theirs.name])
        if error > SAME[precision] and _elsewhere(originals[ours.name], artifacts, precision):
            continue  # the path misled: the value is there, under another name
        pairs[theirs.name] = Pair(theirs, ours, "module path", error)
    return pairs


def _elsewhere(original: Array, artifacts: Mapping[str, Array], precision: str) -> bool:
    """Whether some value of the artifact is the original's."""
    return any(
        one.size == original.size and distance(original, one) <= SAME[precision]
        for one in artifacts.values()
        if one.dtype.kind == "f"
    )


def _by_value(
    original: Sequence[Made],
    originals: Mapping[str, Array],
    artifact: Sequence[Made],
    artifacts: Mapping[str, Array],
    placed: Mapping[str, Pair],
    precision: str,
) -> dict[str, Pair]:
    taken = {pair.ours.name for pair in placed.values()}
    candidates: dict[int, list[tuple[Made, Array]]] = {}
    for one in original:
        array = originals[one.name]
        if one.name not in taken and np.isfinite(array).all() and array.size > 1:
            candidates.setdefault(array.size, []).append((one, _moments(array)))
    pairs = {}
    for theirs in artifact:
        if theirs.name in placed:
            continue
        array = artifacts[theirs.name]
        if not np.isfinite(array).all():
            continue
        mine = _moments(array)
        scale = max(float(mine[1]), 1e-30)
        near = [
            ours
            for ours, other in candidates.get(array.size, ())
            if float(np.abs(mine - other).max()) <= 2 * SAME[precision] * scale
        ]
        errors = [  # of several equal ones, what a module returns
            (distance(originals[ours.name], array), not ours.module_output, place)
            for place, ours in enumerate(near)
        ]
        if errors and min(errors)[0] <= SAME[precision]:
            error, _, place = min(errors)
            pairs[theirs.name] = Pair(theirs, near[place], "value", error)
    return pairs


def _moments(array: Array) -> Array:
    """Mean, root mean square, mean magnitude: the same in any order of the elements."""
    wide = array.astype(np.float64).reshape(-1)
    return np.array([wide.mean(), np.sqrt(np.square(wide).mean()), np.abs(wide).mean()])


def distance(original: Array, artifact: Array) -> float:
    """Relative L2 distance in the order of axes that brings them nearest.

    Values of one shape are laid over each other as they are: a transposition between equal axes is
    an error, not a layout.

    >>> distance(np.array([[1.0, 2.0, 3.0]]), np.array([[1.0], [2.0], [3.0]]))
    0.0
    """
    a, b = np.squeeze(original), np.squeeze(artifact)
    if a.shape == b.shape:
        return relative_l2(a, b)
    found = [relative_l2(a.reshape(-1), b.reshape(-1))]
    if a.ndim == b.ndim <= RANK:
        for order in itertools.permutations(range(a.ndim)):
            turned = a.transpose(order)
            if turned.shape == b.shape:
                found.append(relative_l2(turned, b))
    return min(found)
