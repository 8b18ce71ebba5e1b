"""Rows added up at places: bags of embeddings, sums of messages, scatters that reduce; distances.

Symptoms with coremltools 9.0: "Unsupported fx node index_add", ``scatter_reduce``,
``embedding_bag``, ``cdist``, ``pdist`` and ``unfold``; "only torch.index_put(...,
accumulate=False) handled yet"; and where torch takes ``index_add`` apart, a ``scatter_nd`` of two
dtypes. Checked with torch 2.13; each can go when coremltools knows it.

A sum at places is a product with the matrix whose row p marks what goes to place p.
"""

from __future__ import annotations

import itertools
from typing import Any

import torch

aten = torch.ops.aten


def _marks(index: torch.Tensor, places: int) -> torch.Tensor:
    """[places, len(index)]: 1 where an element of `index` is the place."""
    return (torch.arange(places)[:, None] == index[None]).to(torch.float32)


def index_add(_: Any, x: torch.Tensor, dim: int, index: torch.Tensor, source: torch.Tensor, *,
               alpha: Any = 1) -> Any:  # fmt: skip
    if not x.is_floating_point():
        return NotImplemented
    rows = source.movedim(dim, 0)
    index = torch.where(index < 0, index + x.shape[dim], index)
    added = _marks(index, int(x.shape[dim])) @ rows.reshape(rows.shape[0], -1)
    added = added.reshape(x.shape[dim], *rows.shape[1:]).movedim(0, dim)
    return x + (added if alpha == 1 else added * alpha)


def _index_put(_: Any, x: torch.Tensor, indices: list[Any], values: torch.Tensor,
               accumulate: bool = False, unsafe: bool = False) -> Any:  # fmt: skip
    """What is added at places of one axis: `unfold` of torch taken backwards, in `istft`."""
    named = [axis for axis, one in enumerate(indices) if one is not None]
    if not accumulate or len(named) != 1 or indices[named[0]].dtype == torch.bool:
        return NotImplemented
    dim, index = named[0], indices[named[0]]
    values = values.expand(*x.shape[:dim], *index.shape, *x.shape[dim + 1 :])
    flat = values.reshape(*x.shape[:dim], index.numel(), *x.shape[dim + 1 :])
    return index_add(_, x, dim, index.reshape(-1), flat)


def scatter(x: torch.Tensor, dim: int, index: torch.Tensor, source: torch.Tensor, reduce: str,
             include_self: bool = True) -> Any:  # fmt: skip
    """Along one axis, for every other position on its own: [..., places, sources] marks."""
    index, source, own = (one.movedim(dim, -1) for one in (index, source, x))
    if own.shape[:-1] != index.shape[:-1] or source.shape != index.shape:
        return NotImplemented
    marks = torch.arange(own.shape[-1])[:, None] == index[..., None, :]
    weight = marks.to(x.dtype)
    count = weight.sum(-1)
    if reduce in ("sum", "add"):
        made = (weight * source[..., None, :]).sum(-1)
        made = own + made if include_self else torch.where(count > 0, made, own)
    elif reduce == "mean":
        total = (weight * source[..., None, :]).sum(-1)
        if include_self:
            made = (total + own) / (count + 1)
        else:
            made = torch.where(count > 0, total / count.clamp(min=1), own)
    elif reduce in ("amax", "amin"):
        worst = torch.finfo(x.dtype).min if reduce == "amax" else torch.finfo(x.dtype).max
        found = torch.where(marks, source[..., None, :], torch.tensor([worst], dtype=x.dtype))
        best = getattr(found, reduce)(-1)
        made = torch.maximum(own, best) if reduce == "amax" else torch.minimum(own, best)
        made = made if include_self else torch.where(count > 0, best, own)
    else:
        return NotImplemented
    return made.movedim(-1, dim)


def _scatter_reduce(_: Any, x: torch.Tensor, dim: int, index: torch.Tensor, source: torch.Tensor,
                    reduce: str, *, include_self: bool = True) -> Any:  # fmt: skip
    if not x.is_floating_point():
        return NotImplemented
    return scatter(x, dim, index, source, reduce, include_self)


def _scatter_add(_: Any, x: torch.Tensor, dim: int, index: torch.Tensor,
                 source: torch.Tensor) -> Any:  # fmt: skip
    return scatter(x, dim, index, source, "sum") if x.is_floating_point() else NotImplemented


def _bag(
    _: Any, weight: torch.Tensor, ids: torch.Tensor, offsets: torch.Tensor,
    scale_grad_by_freq: bool = False, mode: int = 0, sparse: bool = False,
    per_sample_weights: Any = None, include_last_offset: bool = False, padding_idx: Any = -1,
) -> Any:  # fmt: skip
    """Which bag an element is in is how many offsets lie at or before it."""
    if offsets is None:
        return NotImplemented
    rows, bags = torch.nn.functional.embedding(ids, weight), int(offsets.shape[0])
    bags -= int(include_last_offset)
    place = torch.arange(ids.shape[0])
    bag = (offsets[:bags, None] <= place[None]).to(torch.int64).sum(0) - 1
    marks = _marks(bag, bags)
    if padding_idx is not None and padding_idx >= 0:
        marks = marks * (ids != padding_idx).to(torch.float32)[None]
    if mode == 2:
        least = torch.tensor([torch.finfo(rows.dtype).min], dtype=rows.dtype)
        best = torch.where(marks[..., None] > 0, rows[None], least).amax(1)
        made = torch.where(marks.sum(1, keepdim=True) > 0, best, torch.zeros_like(best))
    else:
        if per_sample_weights is not None:
            rows = rows * per_sample_weights[:, None]
        made = marks @ rows
        if mode == 1:
            made = made / marks.sum(1, keepdim=True).clamp(min=1.0)
    nothing = offsets.new_zeros(bags)
    return made, bag, nothing, nothing


def _cdist(_: Any, x: torch.Tensor, y: torch.Tensor, p: float = 2.0,
           compute_mode: Any = None) -> Any:  # fmt: skip
    """Every distance from its definition: no difference of squares, which would lose digits."""
    if p not in (1.0, 2.0):
        return NotImplemented
    off = x[..., :, None, :] - y[..., None, :, :]
    return off.abs().sum(-1) if p == 1.0 else (off * off).sum(-1).sqrt()


def _pdist(_: Any, x: torch.Tensor, p: float = 2.0) -> Any:
    """Of every two rows, each pair once."""
    if p not in (1.0, 2.0):
        return NotImplemented
    pairs = list(itertools.combinations(range(int(x.shape[0])), 2))
    one, other = torch.tensor(pairs).reshape(-1, 2).unbind(1)
    off = x.index_select(0, one) - x.index_select(0, other)
    return off.abs().sum(-1) if p == 1.0 else (off * off).sum(-1).sqrt()


def _unfold(_: Any, x: torch.Tensor, dim: int, size: int, step: int) -> torch.Tensor:
    """Overlapping windows of an axis, as a new last axis."""
    dim = dim % max(1, x.dim())
    windows = (int(x.shape[dim]) - size) // step + 1
    index = torch.arange(windows)[:, None] * step + torch.arange(size)[None]
    picked = x.index_select(dim, index.reshape(-1))
    made = picked.reshape(*x.shape[:dim], windows, size, *x.shape[dim + 1 :])
    return made.movedim(dim + 1, -1)


SPELLING = {
    aten.unfold.default: _unfold,
    aten.cdist.default: _cdist,
    aten._cdist_forward.default: _cdist,
    aten.pdist.default: _pdist,
    aten._pdist_forward.default: _pdist,
    aten.index_add.default: index_add,
    aten.index_put.default: _index_put,
    aten._unsafe_index_put.default: _index_put,
    aten.scatter_reduce.two: _scatter_reduce,
    aten.scatter_add.default: _scatter_add,
    aten.embedding_bag.padding_idx: _bag,
    aten.embedding_bag.default: _bag,
    aten._embedding_bag.default: _bag,
    aten._embedding_bag_forward_only.default: _bag,
}
