"""Tensors of one number, in the type that torch gives them.

Symptoms with coremltools 9.0 on the export route: ``zeros_like`` of flags with a dtype of its own
stays flags, so that a mask of -inf becomes one of True and attends to what it should leave out;
``ones_like`` and ``full_like`` of whole numbers or flags are real numbers; ``zeros``, ``ones``,
``new_zeros`` and ``new_full`` forget their dtype, and ``full`` without one is real whatever its
number; ``new_ones`` is not known. Checked with torch 2.13; it can go when all of these read the
dtype that stands in the program.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

aten = torch.ops.aten


def _of(node: Any, size: Sequence[Any], value: Any) -> torch.Tensor:
    dtype = node.meta["val"].dtype
    number = bool(value) if dtype == torch.bool else value
    return torch.full(list(size), number, dtype=dtype)


def _known(node: Any, other: torch.Tensor | None = None) -> bool:
    """Whether the converter gives the right type by itself."""
    dtypes = {node.meta["val"].dtype, *([other.dtype] if other is not None else ())}
    return dtypes == {torch.float32}


def _like(value: Any) -> Any:
    def spell(node: Any, x: torch.Tensor, **_: Any) -> Any:
        return NotImplemented if _known(node, x) else _of(node, x.shape, value)

    return spell


def _full_like(node: Any, x: torch.Tensor, value: Any, **_: Any) -> Any:
    return NotImplemented if _known(node, x) else _of(node, x.shape, value)


def _plain(value: Any) -> Any:
    def spell(node: Any, size: Sequence[Any], **_: Any) -> Any:
        return NotImplemented if _known(node) else _of(node, size, value)

    return spell


def _new(value: Any) -> Any:
    def spell(node: Any, _: Any, size: Sequence[Any], **__: Any) -> Any:
        return _of(node, size, value)

    return spell


def _full(node: Any, size: Sequence[Any], value: Any, *, dtype: Any = None, **_: Any) -> Any:
    return NotImplemented if dtype is not None or _known(node) else _of(node, size, value)


SPELLING = {
    aten.zeros_like.default: _like(0), aten.ones_like.default: _like(1),
    aten.full_like.default: _full_like, aten.full.default: _full,
    aten.zeros.default: _plain(0), aten.ones.default: _plain(1),
    aten.new_zeros.default: _new(0), aten.new_ones.default: _new(1),
    aten.new_full.default: lambda node, _, size, value, **__: _of(node, size, value),
}  # fmt: skip
