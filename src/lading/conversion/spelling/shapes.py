"""Numbers without an axis, taken out of tensors that have one.

Symptom with coremltools 9.0: ``view`` and ``reshape`` to no axes leave the one that there was, so
that everything behind has an axis too many; ``cat`` then stops at "all the input array dimensions
except for the concatenation axis must match exactly". Checked with torch 2.13; it can go when a
reshape to () gives a scalar.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

aten = torch.ops.aten


def _number(_: Any, x: torch.Tensor, size: Sequence[Any]) -> Any:
    if len(size) or not x.dim():
        return NotImplemented
    while x.dim():
        x = x.select(0, 0)
    return x


SPELLING = {
    aten.view.default: _number,
    aten.reshape.default: _number,
    aten._unsafe_view.default: _number,
}
