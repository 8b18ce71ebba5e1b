"""Resizing and sampling that MIL has no operation for: cubic, trilinear, nearest in 3-D, linear by
a factor that gives a broken size, and sampling a volume at computed places.

Symptoms with coremltools 9.0: "Unsupported fx node upsample_bicubic2d", ``upsample_trilinear3d``,
``grid_sampler_2d`` and ``grid_sampler_3d`` by torch.export; "'str' object has no attribute
'dtype'"; "recompute_scale_factor = False, align_corners = False with float output size is not
supported". Checked with torch 2.13; each can go when coremltools knows it.

Sizes are known, so that a separable resizing is one product with a constant matrix along each axis:
its rows are the weights that torch gives when it resizes the unit vectors.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F

aten = torch.ops.aten


def _matrix(mode: str, before: int, after: int, align: Any, scale: float | None) -> torch.Tensor:
    """[before, after]: what torch makes of each unit vector along one axis."""
    unit = torch.eye(before, dtype=torch.float64)[:, None]
    how: dict[str, Any] = {"align_corners": bool(align)} if mode != "nearest" else {}
    if scale:
        how |= {"scale_factor": scale, "recompute_scale_factor": False}
    else:
        how |= {"size": after}
    if mode == "bicubic":  # there is none in 1-D: the other axis has one element and stays
        how = {n: (1.0, v) if n == "scale_factor" else (1, v) if n == "size" else v
               for n, v in how.items()}  # fmt: skip
        return F.interpolate(unit[:, :, None], mode=mode, **how)[:, 0, 0]
    made: torch.Tensor = F.interpolate(unit, mode=mode, **how)[:, 0]
    return made


def _separable(mode: str) -> Callable[..., Any]:
    def spell(_: Any, x: torch.Tensor, size: Any, *more: Any) -> Any:
        align = more[0] if mode != "nearest" else None
        given = more[1] if mode != "nearest" else (more[0] if more else None)
        factors = _factors(given, size, x.dim() - 2)
        if not all(isinstance(one, int) for one in x.shape[2:]):
            return NotImplemented
        made = x
        for axis in range(2, x.dim()):
            scale = factors[axis - 2]
            before = int(x.shape[axis])
            after = int(size[axis - 2]) if size else int(before * float(scale or 1.0))
            kind = "linear" if mode in ("bilinear", "trilinear") else mode
            weights = _constant(kind, before, after, align, None if size else scale)
            made = (made.movedim(axis, -1) @ weights.to(x.dtype)).movedim(-1, axis)
        return made

    return spell


def _broken(mode: str) -> Callable[..., Any]:
    """Linear resizing by a factor: what gives whole sizes, or aligns corners, is left as it is."""
    separable = _separable(mode)

    def spell(node: Any, x: torch.Tensor, size: Any, align: bool, factors: Any = None) -> Any:
        sizes = x.shape[2:]
        if size or align or not factors or not all(isinstance(one, int) for one in sizes):
            return NotImplemented
        if all((n * f).is_integer() for n, f in zip(sizes, factors, strict=True)):
            return NotImplemented
        return separable(node, x, size, align, factors)

    return spell


def _constant(mode: str, before: int, after: int, align: Any, scale: Any) -> torch.Tensor:
    """Computed outside of the graph that is being exported: its values alone go in."""
    with torch.utils._python_dispatch._disable_current_modes():
        rows = _matrix(mode, before, after, align, scale).tolist()
    return torch.tensor(rows)


def _factors(given: Any, size: Any, axes: int) -> list[float | None]:
    if isinstance(given, (list, tuple)) and given:
        return [float(one) for one in given]
    return [None] * axes


def _grid_sample(
    _: Any, x: torch.Tensor, grid: torch.Tensor, mode: int = 0, border: int = 0,
    align: bool = False,
) -> Any:  # fmt: skip
    """Linear or nearest: the values at the corners around each place, weighted by nearness.

    A place outside counts as zero, or as the border's; reflections are left as they are.
    """
    if mode > 1 or border > 1:
        return NotImplemented
    axes = x.dim() - 2
    batch, channels = x.shape[:2]
    sizes = [int(one) for one in x.shape[2:]]
    places = []
    for axis, size in enumerate(sizes):
        at = grid[..., axes - 1 - axis]
        at = (at + 1) / 2 * (size - 1) if align else ((at + 1) * size - 1) / 2
        places.append(at.clamp(0, size - 1) if border == 1 else at)
    flat = x.reshape(batch, channels, -1)
    total = None
    corners = [torch.round(one) for one in places] if mode == 1 else [
        torch.floor(one) for one in places]  # fmt: skip
    for which in range(1 if mode == 1 else 2**axes):
        weight: Any = None
        index: Any = 0
        for axis, size in enumerate(sizes):
            corner = corners[axis] + (which >> axis & 1)
            near = 1 - (places[axis] - corner).abs() if mode == 0 else torch.ones_like(corner)
            inside = torch.logical_and(corner >= 0, corner <= size - 1)
            near = near * inside.to(x.dtype)
            weight = near if weight is None else weight * near
            index = index * size + corner.clamp(0, size - 1).to(torch.int64)
        picked = flat.gather(2, index.reshape(batch, 1, -1).expand(-1, channels, -1))
        part = picked.reshape(batch, channels, *grid.shape[1:-1]) * weight[:, None]
        total = part if total is None else total + part
    return total


SPELLING = {
    aten.upsample_bicubic2d.vec: _separable("bicubic"),
    aten.upsample_linear1d.vec: _broken("linear"),
    aten.upsample_bilinear2d.vec: _broken("bilinear"),
    aten.upsample_trilinear3d.vec: _separable("trilinear"),
    aten.upsample_nearest3d.vec: _separable("nearest"),
    aten.grid_sampler.default: _grid_sample,
    aten.grid_sampler_2d.default: _grid_sample,
    aten.grid_sampler_3d.default: _grid_sample,
}
