"""The growth part of `make bench`: how the cost of a proved conversion grows with the network.

Depth, width, image size, number of operations, number of tensors: five sizes each, both formats,
whole proof. Time is that of the processor, so that waiting for a busy machine does not count; the
least of the rounds, which go through all sizes in turn. Two fits: the exponent p of seconds ~ x^p
over all five, which what every conversion costs makes small, and over the two largest alone.

Usage: python -m tests.bench_growth [--rounds 2]
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

import lading

Made = tuple[nn.Module, torch.Tensor]


def convolutional(depth: int = 4, width: int = 16, size: int = 64) -> Made:
    """Convolutions with norms: (1, 3, size, size) in, (1, 4, size, size) out. As deep as it may
    be, its output depends on its input."""
    layers: list[nn.Module] = [nn.Conv2d(3, width, 3, padding=1)]
    for _ in range(depth):
        conv, norm = nn.Conv2d(width, width, 3, padding=1), nn.BatchNorm2d(width)
        nn.init.kaiming_normal_(conv.weight, nonlinearity="relu")
        nn.init.uniform_(norm.weight, 0.9, 1.1)
        norm.running_mean.uniform_(-0.1, 0.1)  # type: ignore[union-attr]
        layers += [conv, norm, nn.ReLU()]
    layers.append(nn.Conv2d(width, 4, 1))
    return nn.Sequential(*layers), torch.zeros(1, 3, size, size)


class Chain(nn.Module):
    """So many operations, one after the other, and no tensor of its own for them. As many as there
    may be, its output depends on its input, and no number of it is rounded in fp16: an error of the
    same kind at every step adds up."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.first, self.count = nn.Linear(32, 32), count

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = self.first(x)
        for _ in range(self.count // 2):
            y = nn.functional.leaky_relu(y * -1.125, 25 / 32)
        return y


class Many(nn.Module):
    """So many tensors, each used once; the output depends on the input in the same way."""

    def __init__(self, count: int) -> None:
        super().__init__()
        near = 0.9**-0.5 * (1 + 0.1 * torch.randn(count, 64)) * torch.randn(count, 64).sign()
        self.rows = nn.ParameterList(nn.Parameter(row) for row in near)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for row in self.rows:
            x = nn.functional.leaky_relu(x * row, 0.9)
        return x


@dataclass(frozen=True)
class Kind:
    """What grows: sizes as they are shown, the network of each, and what a size is."""

    title: str
    unit: str
    sizes: tuple[int, ...]
    make: Callable[[int], Made]
    amount: Callable[[int], int] = lambda size: size


KINDS = (
    Kind("depth", "blocks", (4, 8, 16, 32, 64), lambda n: convolutional(depth=n)),
    Kind(
        "width", "weights", (16, 32, 64, 128, 256), lambda n: convolutional(width=n, size=32),
        lambda n: sum(p.numel() for p in convolutional(width=n)[0].parameters()),
    ),
    Kind("image", "pixels", (64, 96, 128, 192, 256), lambda n: convolutional(size=n),
         lambda n: n * n),
    Kind("operations", "operations", (32, 64, 128, 256, 512),
         lambda n: (Chain(n), torch.zeros(1, 32))),
    Kind("tensors", "tensors", (16, 32, 64, 128, 256), lambda n: (Many(n), torch.zeros(1, 64))),
)  # fmt: skip


def spent(made: Made) -> float:
    """Processor seconds of one conversion to both formats with its proof."""
    module, example = made
    with tempfile.TemporaryDirectory() as folder:
        began = time.process_time()
        bill = lading.convert(module.eval(), Path(folder) / "out", input=(example,))
        took = time.process_time() - began
        assert bill.verdict == "pass", bill.verdict
    return took


def exponent(amounts: list[int], seconds: list[float]) -> float:
    """p of the nearest seconds ~ amount^p.

    >>> round(exponent([1, 2, 4], [3.0, 6.0, 12.0]), 6)
    1.0
    """
    return float(np.polyfit(np.log(amounts), np.log(seconds), 1)[0])


def measured(rounds: int) -> dict[Kind, list[float]]:
    """The least seconds of each size."""
    least: dict[Kind, list[float]] = {kind: [np.inf] * len(kind.sizes) for kind in KINDS}
    torch.manual_seed(0)
    for _ in range(rounds):
        for kind in KINDS:
            for place, size in enumerate(kind.sizes):
                least[kind][place] = min(least[kind][place], spent(kind.make(size)))
    return least


def table(least: dict[Kind, list[float]], rounds: int) -> list[str]:
    """The section of the page."""
    lines = [
        "A conversion to both formats with its whole proof, processor seconds of the smallest and "
        f"the largest of five sizes, the least of {rounds} round{'s' * (rounds > 1)}; exponents of "
        "the nearest power, 1 is linear.",
        "",
        "| what grows | from | to | seconds | seconds | exponent | of the last step |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for kind, seconds in least.items():
        amounts = [kind.amount(size) for size in kind.sizes]
        lines.append(
            f"| {kind.title} | {amounts[0]:,} {kind.unit} | {amounts[-1]:,} | {seconds[0]:.1f} "
            f"| {seconds[-1]:.1f} | **{exponent(amounts, seconds):.2f}** "
            f"| {exponent(amounts[-2:], seconds[-2:]):.2f} |"
        )
    return lines


def section(rounds: int = 2) -> list[str]:
    """Measured, as lines of Markdown."""
    return table(measured(rounds), rounds)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=2)
    print("\n".join(section(parser.parse_args().rounds)))
