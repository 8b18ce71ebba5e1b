"""Numbers that say how far two arrays are apart. Pure functions; all arithmetic in float64.

NaN on either side makes every metric NaN, and NaN passes no gate. An infinite value that both have
in one place, as a mask has, is equal and counts for nothing else. Each has the name of its kind in
`lading.record.measurement`, where unit and direction stand.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

#: Kinds that are shown beside those that are gated.
SHOWN = ("relative_l2", "max_abs")


def psnr(reference: Array, value: Array) -> float:
    """Peak signal-to-noise ratio in dB: 20·log10(max|reference| / RMSE). Higher is better.

    The peak is the largest magnitude of the reference over *this* array; the mean square runs over
    every element. Equal arrays give inf; a difference from an all-zero reference gives -inf, and so
    does an infinite one from a finite reference.

    >>> round(psnr(np.array([0.0, 10.0]), np.array([0.1, 10.1])), 6)
    40.0
    """
    r, v = _wide(reference, value)
    with np.errstate(invalid="ignore"):  # inf - inf is NaN, as it should be
        apart = np.abs(r - v)
    largest, peak = float(np.max(apart)), float(np.max(np.abs(r)))
    if math.isnan(largest) or math.isnan(peak):
        return math.nan
    if largest == 0.0:
        return math.inf
    if peak == 0.0 or math.isinf(largest):
        return -math.inf
    # Squared relative to the largest: the square of a tiny difference would vanish and pass for 0.
    spread = math.sqrt(float(np.mean(np.square(apart / largest))))
    return 20.0 * (math.log10(peak) - math.log10(largest) - math.log10(spread))


def relative_l2(reference: Array, value: Array) -> float:
    """‖reference - value‖₂ / ‖reference‖₂. Lower is better; 0/0 is 0, x/0 is inf.

    >>> relative_l2(np.array([3.0, 4.0]), np.array([3.0, 4.5]))
    0.1
    """
    r, v = _wide(reference, value)
    noise, signal = float(np.linalg.norm(r - v)), float(np.linalg.norm(r))
    if signal == 0.0:
        return 0.0 if noise == 0.0 else (math.nan if math.isnan(noise) else math.inf)
    return noise / signal


def max_abs(reference: Array, value: Array) -> float:
    """Largest absolute difference, in the output's own units. Lower is better.

    >>> max_abs(np.array([1.0, 2.0]), np.array([1.5, 2.0]))
    0.5
    """
    r, v = _wide(reference, value)
    return float(np.max(np.abs(r - v)))


def label_agreement(reference: Array, value: Array) -> float:
    """Share of positions where two label arrays are equal, 0 to 1. Higher is better.

    >>> label_agreement(np.array([0, 1, 2, 2]), np.array([0, 1, 2, 1]))
    0.75
    """
    _same_shape(reference, value)
    if any(one.dtype.kind == "f" and np.isnan(one).any() for one in (reference, value)):
        return math.nan
    return float(np.mean(reference == value))


def dice(reference: Array, value: Array, label: int) -> float | None:
    """2·|A∩B| / (|A|+|B|) for one label, 0 to 1; None where neither side has it.

    Source: L. R. Dice, "Measures of the amount of ecologic association between species", 1945.

    >>> dice(np.array([1, 1, 0, 0]), np.array([1, 0, 0, 0]), 1)
    0.6666666666666666
    """
    _same_shape(reference, value)
    a, b = reference == label, value == label
    total = int(a.sum()) + int(b.sum())
    return 2.0 * int((a & b).sum()) / total if total else None


def _wide(reference: Array, value: Array) -> tuple[Array, Array]:
    _same_shape(reference, value)
    r, v = reference.astype(np.float64), value.astype(np.float64)
    masked = np.isinf(r) & (r == v)
    if not masked.any():
        return r, v
    # the elements that are left; of a mask alone, one that is equal
    return (r[~masked], v[~masked]) if not masked.all() else (np.zeros(1), np.zeros(1))


def _same_shape(reference: Array, value: Array) -> None:
    if reference.shape != value.shape or not reference.size:
        raise ValueError(f"cannot compare shapes {reference.shape} and {value.shape}")
