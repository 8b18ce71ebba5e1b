"""Numbers without an axis, taken out of tensors that have one; padding by less than nothing.

Symptom with coremltools 9.0: ``view`` and ``reshape`` to no axes leave the one that there was, so
that everything behind has an axis too many; ``cat`` then stops at "all the input array dimensions
except for the concatenation axis must match exactly". And "pad must be non-negative integer", where
a padding cuts off, as ``F.pad(x, (0, 0, 1, -1))`` moves along an axis. Checked with torch 2.13;
they can go when a reshape to () gives a scalar, and padding takes what torch's does.
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


def _pad(_: Any, x: torch.Tensor, amounts: Sequence[Any], value: Any = 0) -> Any:
    if not all(isinstance(one, int) for one in amounts) or all(one >= 0 for one in amounts):
        return NotImplemented
    for axis, (before, after) in enumerate(zip(amounts[::2], amounts[1::2], strict=True), 1):
        if before < 0 or after < 0:
            start = max(0, -before)
            x = x.narrow(-axis, start, x.shape[-axis] - start - max(0, -after))
    return torch.nn.functional.pad(x, [max(0, one) for one in amounts], value=value)


SPELLING = {
    aten.constant_pad_nd.default: _pad,
    aten.pad.default: lambda _, x, amounts, mode="constant", value=None: (
        _pad(_, x, amounts, value or 0) if mode == "constant" else NotImplemented
    ),
    aten.view.default: _number,
    aten.reshape.default: _number,
    aten._unsafe_view.default: _number,
}
