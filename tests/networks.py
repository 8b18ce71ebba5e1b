"""Networks of one kind of product each, with the sizes of an input."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from lading.interface import Interface, Options, wrap
from lading.record import Port, Task


class Attention(nn.Module):
    """Two heads of eight over seven places."""

    def __init__(self) -> None:
        super().__init__()
        self.inside, self.outside = nn.Linear(16, 48), nn.Linear(16, 16)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        q, k, v = self.inside(x).view(2, 7, 3, 2, 8).permute(2, 0, 3, 1, 4)
        y = nn.functional.scaled_dot_product_attention(q, k, v)
        out: torch.Tensor = self.outside(y.transpose(1, 2).reshape(2, 7, 16))
        return out


class Recurrent(nn.Module):
    """A recurrent layer and a linear one."""

    def __init__(self, kind: Any, layers: int = 2, *, both: bool = False) -> None:
        super().__init__()
        self.layer = kind(5, 6, num_layers=layers, batch_first=True, bidirectional=both)
        self.head = nn.Linear(12 if both else 6, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.head(self.layer(x)[0])
        return out


class Products(nn.Module):
    """An einsum, a product with a transposed weight, and one of two values."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(4, 6))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = torch.einsum("bij,jk->bik", x, self.weight) @ self.weight.t()
        return y @ torch.matmul(x.transpose(1, 2), x)[:, :, :3]


def networks() -> dict[str, tuple[nn.Module, tuple[int, ...]]]:
    """By the kind of product; the same weights each time."""
    torch.manual_seed(0)
    many: dict[str, tuple[nn.Module, tuple[int, ...]]] = {
        "conv1d": (
            nn.Sequential(nn.Conv1d(4, 8, 3, groups=2), nn.ConvTranspose1d(8, 4, 2, 2, groups=2)),
            (2, 4, 20),
        ),
        "conv2d": (
            nn.Sequential(
                nn.Conv2d(4, 8, 3, stride=2, padding=1, groups=4),
                nn.ConvTranspose2d(8, 6, 3, 2, 1, output_padding=1, groups=2),
            ),
            (1, 4, 12, 10),
        ),
        "conv3d": (
            nn.Sequential(
                nn.Conv3d(2, 4, 3, groups=2, dilation=2, padding=2), nn.ConvTranspose3d(4, 2, 2, 2)
            ),
            (1, 2, 6, 6, 6),
        ),
        "linear": (nn.Sequential(nn.Linear(6, 4), nn.Tanh(), nn.Linear(4, 3, False)), (2, 5, 6)),
        "products": (Products(), (2, 5, 4)),
        "attention": (Attention(), (2, 7, 16)),
        "transformer": (nn.TransformerEncoderLayer(16, 2, 32, batch_first=True), (2, 7, 16)),
        "lstm": (Recurrent(nn.LSTM), (2, 7, 5)),
        "both ways": (Recurrent(nn.LSTM, 1, both=True), (2, 7, 5)),
        "gru": (Recurrent(nn.GRU), (2, 7, 5)),
    }
    return {name: (network.eval(), shape) for name, (network, shape) in many.items()}


def plain(network: nn.Module, shape: tuple[int, ...]) -> Interface:
    """The network with one input and one output, as they are."""
    with torch.no_grad():
        given = tuple(network(torch.zeros(shape)).shape)
    x, y = Port("x", "tensor", "float32", shape), Port("y", "tensor", "float32", given)
    return wrap(network, Task("module", (x,), (y,)), Options())
