"""A tensor that was changed as a tool changes it: packed onto a grid, its rows scaled by a norm."""

from __future__ import annotations

import numpy as np

from lading.formats import Held
from lading.interface.side import Array

#: Two directions are one where their cosine is less than this below 1: fp16 turns by its epsilon.
STRAIGHT = 1e-5


def joined(flat: Array, tensor: Array) -> bool:
    """Whether the rows along an axis of a tensor are each multiplied by a number of its own."""
    for axis in range(min(tensor.ndim, 2)) if tensor.ndim > 1 else ():
        count = tensor.shape[axis]
        if count < 2 or tensor.size == count:
            continue
        mine = np.moveaxis(flat.reshape(tensor.shape), axis, 0).reshape(count, -1)
        rows = np.moveaxis(tensor, axis, 0).reshape(count, -1)
        square = (rows * rows).sum(1)
        along, sizes = (mine * rows).sum(1), np.sqrt(square * (mine * mine).sum(1))
        factors = along / np.where(square > 0, square, 1.0)
        if (np.abs(along) >= (1 - STRAIGHT) * sizes).all() and np.ptp(factors) > 1e-3:
            return True
    return False


def off_grid(one: Held, flat: Array, tensor: Array) -> int | None:
    """How many values are not the nearest that their grid or table offers, to the arithmetic that
    made them; None where neither is known.

    A tool divides by a scale, rounds, and stores: in float16 the weight, the scale, the quotient
    and the product are each rounded, up to 2^-11 of themselves. The ends of a grid are cut.
    """
    # in float32 the weight alone may have been rounded, before
    rounding = 2.0**-13 if one.dtype == "float32" else 2.0**-11
    if one.step is not None:
        step = np.abs(np.broadcast_to(
            one.step.reshape(-1) if one.step.ndim == 1 and one.values.ndim == 1 else one.step,
            one.values.shape,
        ).reshape(-1))  # fmt: skip
        _, groups = np.unique(step, return_inverse=True)
        low, high = np.full(groups.max() + 1, np.inf), np.full(groups.max() + 1, -np.inf)
        np.minimum.at(low, groups, flat)
        np.maximum.at(high, groups, flat)
        cut = (flat >= high[groups] - step / 2) & (tensor > flat)
        cut |= (flat <= low[groups] + step / 2) & (tensor < flat)
        room = step * (0.5 + 2.0**-10) + 4 * rounding * np.maximum(np.abs(tensor), np.abs(flat))
        return int(((np.abs(flat - tensor) > room) & ~cut).sum())
    if one.table is None:
        return None
    wrong, own = 0, tensor.reshape(one.values.shape)
    sizes: tuple[int, ...] = own.shape
    for place in np.ndindex(*one.table.shape[:-1]):
        part: tuple[slice, ...] = tuple(
            slice(n * size // count, (n + 1) * size // count)
            for n, size, count in zip(place, sizes, one.table.shape[:-1], strict=True)
        )
        levels = np.unique(one.table[place].astype(np.float64))
        values = own[part]
        after = np.clip(np.searchsorted(levels, values), 1, max(levels.size - 1, 1))
        above = levels[np.minimum(after, levels.size - 1)]
        near = np.minimum(np.abs(values - levels[after - 1]), np.abs(values - above))
        room = near + 4 * rounding * float(np.abs(levels).max()) + 1e-12
        wrong += int((np.abs(one.values[part].astype(np.float64) - values) > room).sum())
    return wrong
