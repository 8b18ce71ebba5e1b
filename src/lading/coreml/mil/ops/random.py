"""Random numbers. A seed of -1 draws fresh ones each time; the same seed gives the same numbers.

They are torch's, not Core ML's: the distributions agree, the numbers do not.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

_LARGEST = float(np.finfo(np.float16).max)


def _generator(seed: int) -> torch.Generator:
    generator = torch.Generator()
    if seed == -1:
        generator.seed()
    else:
        generator.manual_seed(seed)
    return generator


def random_bernoulli(shape: Sequence[int], prob: float = 0.5, seed: int = -1) -> Tensor:
    """1 with probability `prob`, else 0."""
    return (torch.rand(tuple(shape), generator=_generator(seed)) < prob).float()


def random_normal(
    shape: Sequence[int], mean: float = 0.0, stddev: float = 1.0, seed: int = -1
) -> Tensor:
    return torch.randn(tuple(shape), generator=_generator(seed)) * stddev + mean


def random_uniform(
    shape: Sequence[int], low: float = 0.0, high: float = 1.0, seed: int = -1
) -> Tensor:
    """From `low` up to `high`, which is left out: also where fp16 would round up to it."""
    x = torch.rand(tuple(shape), generator=_generator(seed)) * (high - low) + low
    if max(abs(low), abs(high)) > _LARGEST:
        return x
    most = float(np.nextafter(np.float16(high), np.float16(low)))
    if not low < most < high:
        return x
    again = low + (x - most) / (high - most) * (most - low)  # as even as it was
    return torch.where(x > most, again, x).clamp(max=most)


def random_categorical(x: Tensor, mode: str = "logits", size: int = 1, seed: int = -1) -> Tensor:
    """`size` draws, with replacement, from each distribution in the last dimension of `x`."""
    weights = x.float().softmax(-1) if mode == "logits" else x.float()
    rows = weights.reshape(-1, weights.shape[-1])
    drawn = torch.multinomial(rows, size, replacement=True, generator=_generator(seed))
    return drawn.reshape(*x.shape[:-1], size).to(x.dtype)
