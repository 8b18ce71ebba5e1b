"""PReLU with a slope a channel, of anything but pictures.

Symptom with coremltools 9.0: "prelu op: rank 3 or rank 5 input is only supported when all
the values of alpha are same" (apple/coremltools pull request 2781, mended after 9.1). Checked with
torch 2.13.

    prelu(x) = x where x > 0, else slope · x
"""

from __future__ import annotations

from typing import Any

import torch

aten = torch.ops.aten


def _prelu(_: Any, x: torch.Tensor, slope: torch.Tensor) -> Any:
    if slope.numel() == 1 or x.dim() == 4:
        return NotImplemented
    if slope.dim() == 1 and x.dim() > 1:
        slope = slope.reshape(1, -1, *[1] * (x.dim() - 2))
    return torch.where(x > 0, x, slope * x)


SPELLING = {aten.prelu.default: _prelu, aten._prelu_kernel.default: _prelu}
