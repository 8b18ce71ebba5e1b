"""Small networks with a memory, as people write them, and wrong ones that look like them."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from lading.interface import Interface, Options, wrap
from lading.network.own_module import live

LENGTH, WIDTH, WORDS = 6, 8, 17
DECODER = (f"ids:int32[1,1]@0..{WORDS - 1}", f"pos:int32[1]@0..{LENGTH - 1}")
RUNNING = ("x:float32[1,5]",)


class Decoder(nn.Module):
    """A word in, scores of the next one out; keys and values of what came before are kept."""

    k_cache: torch.Tensor
    v_cache: torch.Tensor
    places: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(WORDS, WIDTH)
        self.q, self.k, self.v = (nn.Linear(WIDTH, WIDTH) for _ in range(3))
        self.out = nn.Linear(WIDTH, WORDS)
        self.register_buffer("k_cache", torch.zeros(1, LENGTH, WIDTH))
        self.register_buffer("v_cache", torch.zeros(1, LENGTH, WIDTH), persistent=False)
        self.register_buffer("places", torch.arange(LENGTH), persistent=False)

    def forward(self, ids: torch.Tensor, pos: torch.Tensor) -> torch.Tensor:
        x = self.embed(ids)
        self.keep(pos, self.k(x), self.v(x))
        scores = (self.q(x) @ self.k_cache.transpose(1, 2)) / WIDTH**0.5
        scores = scores.masked_fill(self.places[None, None] > pos, -1e4)
        answer: torch.Tensor = self.out(torch.softmax(scores, -1) @ self.v_cache)
        return answer

    def keep(self, pos: torch.Tensor, keys: torch.Tensor, values: torch.Tensor) -> None:
        self.k_cache.index_copy_(1, pos, keys)
        self.v_cache.index_copy_(1, pos, values)


class Sliced(Decoder):
    """The same, written with slices, the position a bare number."""

    def keep(self, pos: torch.Tensor, keys: torch.Tensor, values: torch.Tensor) -> None:
        self.k_cache[:, pos : pos + 1] = keys
        self.v_cache[:, pos : pos + 1] = values


class NextPlace(Decoder):
    """Keys and values one place further than they belong."""

    def keep(self, pos: torch.Tensor, keys: torch.Tensor, values: torch.Tensor) -> None:
        super().keep((pos + 1) % LENGTH, keys, values)


class Exchanged(Decoder):
    """Keys kept as values, and values as keys."""

    def keep(self, pos: torch.Tensor, keys: torch.Tensor, values: torch.Tensor) -> None:
        super().keep(pos, values, keys)


class Running(nn.Module):
    """A hidden state, a mean that runs along, a counter; the first two begin with values."""

    h: torch.Tensor
    count: torch.Tensor
    mean: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        self.cell, self.norm = nn.GRUCell(5, 7), nn.BatchNorm1d(7)
        start = torch.Generator().manual_seed(3)
        self.register_buffer("h", torch.randn(1, 7, generator=start))
        self.register_buffer("count", torch.tensor(0))
        self.register_buffer("mean", torch.full((1, 7), 0.25))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.h = self.cell(x, self.before())
        self.count += 1
        self.mean.mul_(0.9).add_(0.1 * self.h)
        answer: torch.Tensor = self.norm(self.h) + self.mean * self.count
        return answer

    def before(self) -> torch.Tensor:
        return self.h


class Reset(Running):
    """Every call begins anew, and keeps what it came to all the same."""

    start: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("start", self.h.clone(), persistent=False)

    def before(self) -> torch.Tensor:
        return self.start


def made(kind: type[nn.Module], seed: int = 0, **buffers: torch.Tensor) -> Any:
    """A network with seeded weights, and buffers put to other values."""
    torch.manual_seed(seed)
    network = kind().eval()
    for name, value in buffers.items():
        getattr(network, name).copy_(value)
    return network


def interface(network: nn.Module, *inputs: str) -> Interface:
    """The network behind its ports."""
    own = live(network, inputs)
    task, flat = own.task(own.build()[0])
    return wrap(flat, task, Options())
