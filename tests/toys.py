"""Small networks with their tasks, for tests of what lies around a network."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import nn

from lading.interface import Interface, Options, wrap
from lading.record import Port, Task

LABELS = ("background", "ventricle", "muscle")


class Net(nn.Module):
    """Two stages and a skip: sizes must be even. [N, C, H, W] -> [N, classes, H, W]."""

    def __init__(self, channels: int = 1, classes: int = 3) -> None:
        super().__init__()
        self.stem = nn.Conv2d(channels, 4, 3, padding=1)
        self.norm = nn.InstanceNorm2d(4, affine=True)
        self.down = nn.Conv2d(4, 8, 3, stride=2, padding=1)
        self.up = nn.ConvTranspose2d(8, 4, 2, stride=2)
        self.head = nn.Conv2d(8, classes, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        fine = nn.functional.leaky_relu(self.norm(self.stem(x)), 0.01)
        coarse = nn.functional.leaky_relu(self.down(fine), 0.01)
        scores: torch.Tensor = self.head(torch.cat([self.up(coarse), fine], dim=1))
        return scores


def net(channels: int = 1, classes: int = 3, seed: int = 0) -> Net:
    """A `Net` with random weights large enough that its classes are told apart."""
    torch.manual_seed(seed)
    module = Net(channels, classes)
    with torch.no_grad():
        module.head.weight.mul_(4.0)
    return module.eval()


def task(channels: int = 1, classes: int = 3, size: int = 16, **changes: Any) -> Task:
    """The task of `net`; sizes must be multiples of 2."""
    multiples = (1, 1, 2, 2)
    image = Port(
        "image", "tensor", "float32", (1, channels, size, size),
        multiples=multiples, meaning="normalised grey levels",
    )  # fmt: skip
    logits = Port(
        "logits", "tensor", "float32", (1, classes, size, size),
        multiples=multiples, meaning="logits", class_axis=1,
    )  # fmt: skip
    plain = Task(
        "segmentation", (image,), (logits,),
        labels=LABELS[:classes], activation="softmax", normalisation="zscore",
    )  # fmt: skip
    return replace(plain, **changes)


def interface(options: Options | None = None, channels: int = 1, **changes: Any) -> Interface:
    """`net` wrapped for `options`."""
    return wrap(net(channels), task(channels, **changes), options or Options())


def noise(shape: tuple[int, ...], seed: int = 0) -> Any:
    """Standard normal float32."""
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)
