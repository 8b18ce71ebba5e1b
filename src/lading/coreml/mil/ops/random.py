"""Random numbers. A seed of -1 draws fresh ones each time; the same seed gives the same numbers.

They are torch's, not Core ML's: the distributions agree, the numbers do not.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


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
    """From `low` up to `high`, which is left out."""
    return torch.rand(tuple(shape), generator=_generator(seed)) * (high - low) + low


def random_categorical(x: Tensor, mode: str = "logits", size: int = 1, seed: int = -1) -> Tensor:
    """`size` draws, with replacement, from each distribution in the last dimension of `x`."""
    weights = x.float().softmax(-1) if mode == "logits" else x.float()
    rows = weights.reshape(-1, weights.shape[-1])
    drawn = torch.multinomial(rows, size, replacement=True, generator=_generator(seed))
    return drawn.reshape(*x.shape[:-1], size).to(x.dtype)
