"""Max pooling whose stride is left to torch, and the place of the highest value beside it.

Symptom with coremltools 9.0: "node max_pool2d got 2 input(s), expected minimum 3 inputs" on the
export route. Checked with torch 2.13; it can go when the stride may be left out there.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import fx

aten = torch.ops.aten


def _pool(operator: Any) -> Any:
    def spell(_: fx.Node, x: torch.Tensor, size: Any, stride: Any = (), *more: Any) -> Any:
        if stride:
            return NotImplemented
        return operator(x, size, size, *more)

    return spell


SPELLING = {
    one: _pool(one)
    for one in (aten.max_pool1d.default, aten.max_pool2d.default, aten.max_pool3d.default,
                aten.avg_pool1d.default, aten.avg_pool2d.default, aten.avg_pool3d.default,
                aten.max_pool2d_with_indices.default, aten.max_pool3d_with_indices.default)
}  # fmt: skip
