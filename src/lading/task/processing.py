"""Pre- and post-processing as modules: what may stand around a network inside an artifact."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import nn

#: nnU-Net divides by max(standard deviation, 1e-8): a constant image becomes zeros.
ZSCORE_FLOOR = 1e-8


class Affine(nn.Module):
    """scale · x + bias, one bias per channel. [N, C, *] -> [N, C, *]."""

    bias: torch.Tensor

    def __init__(self, scale: float, bias: Sequence[float], spatial: int) -> None:
        super().__init__()
        self.scale = scale
        self.register_buffer("bias", torch.tensor(bias).reshape(1, -1, *[1] * spatial))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * self.scale + self.bias


class ZScore(nn.Module):
    """(x - mean) / max(std, 1e-8) per image and channel, population std. [N, C, *] -> [N, C, *].

    Source: nnU-Net v2's ZScoreNormalization without a mask.
    """

    def __init__(self, spatial: int) -> None:
        super().__init__()
        self.axes = tuple(range(2, 2 + spatial))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        # From the first pixel: the mean of a constant image is off by a rounding in fp32, and the
        # floor would blow that up to ±1. Both formulas are the same for any shift.
        corner = x[(slice(None), slice(None), *[slice(0, 1) for _ in self.axes])]
        shifted = x - corner
        centred = shifted - shifted.mean(dim=self.axes, keepdim=True)
        variance = (centred * centred).mean(dim=self.axes, keepdim=True)
        return centred / variance.sqrt().clamp(min=ZSCORE_FLOOR)


class Probabilities(nn.Module):
    """Scores to probabilities over `axis`: softmax, or sigmoid for overlapping regions."""

    def __init__(self, activation: str, axis: int) -> None:
        super().__init__()
        self.activation = activation
        self.axis = axis

    def forward(self, scores: torch.Tensor) -> torch.Tensor:
        if self.activation == "sigmoid":
            return torch.sigmoid(scores)
        return torch.softmax(scores, dim=self.axis)


class Labels(nn.Module):
    """Scores to int32 class indices: argmax over `axis`, or regions painted in their order.

    A region is present where its sigmoid exceeds 0.5, that is where its score exceeds 0; later
    regions paint over earlier ones (nnU-Net's ``regions_class_order``). Where a score is NaN the
    label means nothing: a graph has no `lading.task.finish.NO_CLASS`.
    """

    def __init__(self, axis: int, region_order: Sequence[int]) -> None:
        super().__init__()
        self.axis = axis
        self.region_order = tuple(region_order)

    def forward(self, scores: torch.Tensor) -> torch.Tensor:
        if not self.region_order:
            return scores.argmax(dim=self.axis).to(torch.int32)
        painted = torch.zeros_like(scores.select(self.axis, 0), dtype=torch.int32)
        for region, label in enumerate(self.region_order):
            present = scores.select(self.axis, region) > 0
            painted = torch.where(present, torch.full_like(painted, label), painted)
        return painted


class Wrapped(nn.Module):
    """`head(network(prepare(x)))`. What is not asked for is an identity and leaves no op.

    `call`, where it is given, calls the network and gives what is read of its answer, in a tuple.
    """

    def __init__(
        self,
        network: nn.Module,
        prepare: nn.Module,
        head: nn.Module,
        call: Callable[..., tuple[torch.Tensor, ...]] | None = None,
    ) -> None:
        super().__init__()
        self.prepare = prepare
        self.network = network
        self.head = head
        self.call = call

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        ready = self.prepare(image)
        answer = self.network(ready) if self.call is None else self.call(self.network, ready)[0]
        scores: torch.Tensor = self.head(answer)
        return scores
