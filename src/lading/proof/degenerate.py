"""Outputs that are wrong even where everything agrees.

A rebuild that lost its weights agrees perfectly with the export of that rebuild. What gives it away
is the output itself: the same everywhere, the same for every input, or classes told apart no better
than by tossing a coin.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from lading.record import Finding, Port
from lading.task.finish import activated

Array = npt.NDArray[Any]

#: A trained classifier is surer than this above 1/K somewhere; the published broken export never
#: was more than 0.02 above 1/3 anywhere.
UNIFORM_MARGIN = 0.05
#: The quantile of positions whose certainty is judged: a few lucky positions do not clear it.
UNIFORM_QUANTILE = 0.99
#: Outputs for different inputs closer than this (relative to their size) do not depend on them:
#: ten times fp32's rounding.
BLIND_RELATIVE = 1e-6
#: Findings that say that an output does not depend on the input.
FIXED = ("constant", "blind to the input")


def findings(
    outputs: Sequence[Mapping[str, Array]], ports: Sequence[Port], activation: str, where: str
) -> tuple[Finding, ...]:
    """What is degenerate in one side's outputs.

    Args:
        outputs: by name, one mapping per probe; only probes whose input is not constant.
        ports: the output ports.
        activation: of the task: ``"softmax"`` makes scores comparable with 1/K.
        where: whose outputs these are, e.g. ``"reference"``.
    """
    found: list[Finding] = []
    for port in ports:
        arrays = [one[port.name] for one in outputs if port.name in one]
        if not arrays:
            continue
        place = f"{where}: {port.name}"
        bad = sum(int((~np.isfinite(array)).sum()) for array in arrays if array.dtype.kind == "f")
        if bad:
            text = f"{bad:,} values are NaN or infinite"
            found.append(Finding("not finite", place, text))
            continue
        if all(array.size > 1 and array.min() == array.max() for array in arrays):
            text = f"every value is the same within each of {len(arrays)} probes"
            found.append(Finding("constant", place, text))
        elif len(arrays) > 1 and _blind(arrays):
            text = f"{len(arrays)} different inputs give the same output"
            found.append(Finding("blind to the input", place, text))
        if activation == "softmax" and port.class_axis is not None:
            found += _near_uniform(arrays, port, place)
    return tuple(found)


def of_both(
    reference: Sequence[Mapping[str, Array]],
    outputs: Sequence[Mapping[str, Array]],
    ports: Sequence[Port],
    activation: str,
    where: str,
) -> tuple[Finding, ...]:
    """What is degenerate on either side and not meant.

    Infinities that both have in the same places are a mask. An output that the reference itself
    gives the same everywhere or for every input (anchors, a table) is meant as long as another of
    its outputs depends on the input: of a network that lost its weights none does.
    """
    theirs, ours = [dict(one) for one in reference], [dict(one) for one in outputs]
    for their, our in zip(theirs, ours, strict=True):
        for name in {*their, *our} & {port.name for port in ports}:
            if name in their and name in our and their[name].shape == our[name].shape:
                their[name], our[name] = _unmasked(their[name], our[name])
    own = findings(theirs, ports, activation, "reference")
    fixed = {one.where.removeprefix("reference: ") for one in own if one.name in FIXED}
    alive = any(port.name not in fixed for port in ports)
    other = findings(ours, ports, activation, where)
    if not alive:
        return own + other
    return (
        *(one for one in own if one.name not in FIXED),
        *(
            one
            for one in other
            if one.name not in FIXED or one.where.removeprefix(f"{where}: ") not in fixed
        ),
    )


def _unmasked(reference: Array, value: Array) -> tuple[Array, Array]:
    """Both with zero where both have the same infinity.

    >>> _unmasked(np.array([-np.inf, 1.0]), np.array([-np.inf, np.inf]))
    (array([0., 1.]), array([ 0., inf]))
    """
    if reference.dtype.kind != "f" or value.dtype.kind != "f":
        return reference, value
    same = np.isinf(reference) & (reference == value)
    if not same.any():
        return reference, value
    return np.where(same, 0, reference), np.where(same, 0, value)


def _blind(arrays: Sequence[Array]) -> bool:
    """Whether no output differs from the first of its shape; at least one pair must exist."""
    first: dict[tuple[int, ...], Array] = {}
    pairs = 0
    for array in arrays:
        wide = array.astype(np.float64)
        other = first.setdefault(wide.shape, wide)
        if other is wide:
            continue
        pairs += 1
        scale = max(float(np.abs(other).max()), float(np.abs(wide).max()))
        if float(np.abs(other - wide).max()) > BLIND_RELATIVE * scale:
            return False
    return pairs > 0


def _near_uniform(arrays: Sequence[Array], port: Port, place: str) -> list[Finding]:
    axis = port.class_axis or 0
    classes = arrays[0].shape[axis]
    if classes < 2:
        return []
    surest = max(float(np.quantile(_certainty(a, port), UNIFORM_QUANTILE)) for a in arrays)
    if surest >= 1.0 / classes + UNIFORM_MARGIN:
        return []
    text = (
        f"the {UNIFORM_QUANTILE:.0%} surest position reaches a probability of {surest:.3f} "
        f"with {classes} classes: a coin toss gives {1 / classes:.3f}"
    )
    return [Finding("near-uniform", place, text)]


def _certainty(array: Array, port: Port) -> Array:
    """The largest class probability of every position."""
    axis = port.class_axis or 0
    wide = array.astype(np.float64)
    if port.meaning != "probabilities":
        wide = activated(wide, "softmax", axis)
    return np.asarray(wide.max(axis=axis))
