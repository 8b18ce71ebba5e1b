"""Gathering, scattering, constants, and arrays made from shapes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from lading.coreml.neuralnetwork.builder import Builder, Ref


def _mode(name: str) -> str:
    return name.removeprefix("SCATTER_").lower()


def _one_hot(
    b: Builder,
    x: Ref,
    size: Ref | None = None,
    *,
    one_hot_vector_size: int = 0,
    axis: int = 0,
    on_value: float = 0.0,
    off_value: float = 0.0,
) -> Any:
    """One more axis; an index out of range is nowhere on."""
    count = one_hot_vector_size if size is None else b.number(size)
    return b.one_hot(b.whole(x), count, axis, on_value, off_value)


def range_static(
    b: Builder,
    *,
    end_value: float = 0.0,
    start_value: float = 0.0,
    step_size_value: float = 1.0,
) -> Any:
    return b.range_1d(end_value, start_value, step_size_value)


def range_dynamic(
    b: Builder,
    end: Ref,
    start: Ref | None = None,
    step: Ref | None = None,
    *,
    start_value: float = 0.0,
    step_size_value: float = 1.0,
) -> Any:
    first = start_value if start is None else start
    return b.range_1d(end, first, step_size_value if step is None else step)


#: Scattering is one update after the other: a place named twice is changed twice.
ROUNDED: Mapping[str, Callable[..., Any]] = {
    "scatter_nd": lambda b, x, indices, updates, *, mode="SCATTER_UPDATE": b.scatter_nd(
        x, b.whole(indices), updates, _mode(mode)
    ),
    "scatter": lambda b, x, indices, updates, *, axis=0, mode="SCATTER_UPDATE": b.scatter(
        x, b.whole(indices), updates, axis, _mode(mode)
    ),
    "scatter_along_axis": lambda b, x, indices, updates, *, axis=0, mode="SCATTER_UPDATE": (
        b.scatter_along_axis(x, b.whole(indices), updates, axis, _mode(mode))
    ),
    "fill_like": lambda b, x, *, value=0.0: b.fill_like(x, value),
    "fill_static": lambda b, *, target_shape, value=0.0: b.fill(target_shape, value),
    "fill_dynamic": lambda b, shape, *, value=0.0: b.fill(b.whole(shape), value),
}
#: A negative index counts from the end.
EXACT: Mapping[str, Callable[..., Any]] = {
    "gather": lambda b, x, indices, *, axis=0: b.gather(x, b.whole(indices), axis),
    "gather_along_axis": lambda b, x, indices, *, axis=0: b.gather_along_axis(
        x, b.whole(indices), axis
    ),
    "gather_nd": lambda b, x, indices: b.at_least_1d(b.gather_nd(x, b.whole(indices))),
    "one_hot": _one_hot,
    "where_non_zero": lambda b, x: b.non_zero(x),
    "matrix_band_part": lambda b, x, *, num_lower=0, num_upper=0: b.band_part(
        x, num_lower, num_upper
    ),
    "lower_triangular": lambda b, x, *, k=0: b.lower_triangle(x, k),
    "upper_triangular": lambda b, x, *, k=0: b.upper_triangle(x, k),
    # [1, 1, C, H, W]
    "load_constant": lambda b, *, shape, data: b.const(data.tensor(shape)[None, None]),
    "load_constant_nd": lambda b, *, shape, data: b.const(data.tensor(shape or [1])),
    "broadcast_to_like": lambda b, x, like: b.broadcast_to(x, b.shape(like)),
    "broadcast_to_static": lambda b, x, *, target_shape: b.broadcast_to(x, target_shape),
    "broadcast_to_dynamic": lambda b, x, shape: b.broadcast_to(x, b.whole(shape)),
}
