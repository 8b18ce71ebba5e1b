"""Norms of matrices by their singular values: the largest (2), the smallest (-2), their sum (nuc).

Symptoms with coremltools 9.0: "Matrix norm is not defined for the current inputs", "Unsupported fx
node linalg_matrix_norm", "got 3 input(s), expected [5]"; MIL has no decomposition of a matrix.
Checked with torch 2.13; it can go when it has.

One-sided Jacobi: rows are turned into each other two by two until each pair is at right angles;
their lengths are the singular values. With as many pairs at a time as there are, every row meets
every other in one sweep; five sweeps are enough for the eight rows that are taken at most.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

aten = torch.ops.aten
_ROWS, _SWEEPS = 8, 5
_SMALL = 1e-6  # of a matrix whose largest element is 1; half precision holds it


def _values(a: torch.Tensor) -> torch.Tensor:
    """[..., rows, columns], rows <= columns: the singular values [..., rows], in no order.

    The rows lie in two halves, each over against its partner; between two turns all but the first
    go on by one place, around.
    """
    rows = int(a.shape[-2])
    count = rows + rows % 2
    if count > rows:
        a = torch.cat([a, torch.zeros_like(a[..., :1, :])], -2)
    half, places = count // 2, list(range(count))
    around = [0, half, *range(1, half - 1), *range(half + 1, count), half - 1]
    order = torch.tensor(around if half > 1 else [0, 1])
    turns = 0 if rows == 1 else 1 if rows == 2 else _SWEEPS * (count - 1)
    for _ in range(turns):
        p, q = a[..., :half, :], a[..., half:, :]
        apart = ((q - p) * (q + p)).sum(-1, keepdim=True)
        both = 2 * (p * q).sum(-1, keepdim=True)
        root = (apart * apart + both * both).sqrt()
        t = both / (apart.abs() + root).clamp(min=_SMALL)
        t = torch.where(apart < 0, -t, t)
        c = (1 + t * t).rsqrt()
        a = torch.cat([c * p - c * t * q, c * t * p + c * q], -2).index_select(-2, order)
        places = [places[one] for one in around] if half > 1 else places
    real = torch.tensor([place for place, row in enumerate(places) if row < rows])
    return (a * a).sum(-1).sqrt().index_select(-1, real)


def _matrix_norm(
    _: Any, x: torch.Tensor, order: Any = "fro", dim: Sequence[int] = (-2, -1),
    keepdim: bool = False, *, dtype: Any = None,
) -> Any:  # fmt: skip
    first, second = (axis % x.dim() for axis in dim)
    sizes = x.shape[first], x.shape[second]
    known = all(isinstance(one, int) for one in sizes) and 0 < min(sizes) <= _ROWS
    if order not in (2, -2, "nuc") or not known or dtype is not None or not x.is_floating_point():
        return NotImplemented
    a = x.movedim((first, second), (-2, -1))
    a = a if sizes[0] <= sizes[1] else a.transpose(-2, -1)
    scale = a.abs().amax((-2, -1), keepdim=True).clamp(min=_SMALL)
    values = _values(a / scale) * scale[..., 0]
    found = values.sum(-1) if order == "nuc" else values.amax(-1) if order == 2 else values.amin(-1)
    for axis in sorted((first, second)) if keepdim else ():
        found = found.unsqueeze(axis)
    return found


def _norm(
    _: Any, x: torch.Tensor, order: Any = None, dim: Any = None, keepdim: bool = False, *,
    dtype: Any = None,
) -> Any:  # fmt: skip
    pair = (0, 1) if dim is None and x.dim() == 2 else dim or ()
    if len(pair) != 2:
        return NotImplemented
    return _matrix_norm(_, x, order, pair, keepdim, dtype=dtype)


SPELLING = {
    aten.linalg_matrix_norm.default: _matrix_norm,
    aten.linalg_matrix_norm.str_ord: _matrix_norm,
    aten.linalg_norm.default: _norm,
    aten.linalg_norm.ord_str: _norm,
}
