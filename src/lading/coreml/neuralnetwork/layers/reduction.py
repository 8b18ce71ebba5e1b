"""Reductions, indices of extremes, running sums."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from lading.coreml.neuralnetwork.builder import Builder, Ref

_AXES = {"CHW": (-3, -2, -1), "HW": (-2, -1), "C": (-3,), "H": (-2,), "W": (-1,)}
_SIMPLE = {
    "SUM": "reduce_sum",
    "AVG": "reduce_mean",
    "PROD": "reduce_prod",
    "SUMSQUARE": "reduce_sum_square",
    "L1": "reduce_l1_norm",
    "L2": "reduce_l2_norm",
    "MAX": "reduce_max",
    "MIN": "reduce_min",
}


def reduce(
    b: Builder, x: Ref, *, mode: str = "SUM", axis: str = "CHW", epsilon: float = 0.0
) -> Any:
    """Over some of the last three axes, which stay as ones; no epsilon is 1e-6."""
    axes = _AXES[axis]
    if mode == "ARGMAX":
        return b.reduce_argmax(x, axes[0], True)
    if mode == "LOGSUM":
        return b.reduce_sum(b.log(x, epsilon or 1e-6), axes, True)
    return b.op(_SIMPLE[mode], x, axes, True)


def _over(operation: str) -> Callable[..., Any]:
    """Over the named axes, or over all where none are named."""

    def layer(
        b: Builder, x: Ref, *, axes: Any = (), keep_dims: bool = False, reduce_all: bool = False
    ) -> Any:
        made = b.op(operation, x, None if reduce_all or not axes else axes, keep_dims)
        return made if keep_dims else b.at_least_1d(made)

    return layer


def _extreme(operation: str) -> Callable[..., Any]:
    def layer(b: Builder, x: Ref, *, axis: int = 0, remove_dim: bool = False) -> Any:
        made = b.op(operation, x, axis, not remove_dim)
        return b.at_least_1d(b.cast(made, "fp32")) if remove_dim else made

    return layer


ROUNDED: Mapping[str, Callable[..., Any]] = {
    "reduce_sum": _over("reduce_sum"),
    "reduce_mean": _over("reduce_mean"),
    "reduce_prod": _over("reduce_prod"),
    "reduce_l1": _over("reduce_l1_norm"),
    "reduce_l2": _over("reduce_l2_norm"),
    "reduce_sum_square": _over("reduce_sum_square"),
    "reduce_log_sum": _over("reduce_log_sum"),
    "reduce_log_sum_exp": _over("reduce_log_sum_exp"),
    "cum_sum": lambda b, x, along=None, *, axis=0, exclude_final_sum=False, reverse=False: b.cumsum(
        x, axis if along is None else b.number(along), exclude_final_sum, reverse
    ),
}
#: Among equals the first comes first.
EXACT: Mapping[str, Callable[..., Any]] = {
    "reduce_max": _over("reduce_max"),
    "reduce_min": _over("reduce_min"),
    "arg_max": _extreme("reduce_argmax"),
    "arg_min": _extreme("reduce_argmin"),
    "top_k": lambda b, x, count=None, *, axis=0, k=0, use_bottom_k=False: b.topk(
        x, k if count is None else b.number(count), axis, use_bottom_k
    ),
    "arg_sort": lambda b, x, *, axis=0, descending=False: b.argsort(x, axis, not descending),
}
