"""Choosing between two tensors element by element."""

from __future__ import annotations

import torch
from torch import Tensor

from lading.mil.registry import exact


@exact
def select(cond: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """`a` where `cond` holds, else `b`; all three broadcast."""
    return torch.where(cond, a, b)
