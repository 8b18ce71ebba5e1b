"""What stands in a network's way, found at once, each with its line."""

from __future__ import annotations

import torch
from torch import nn

from lading.conversion.diagnosis import diagnose
from lading.interface import Options, wrap
from lading.network.own_module import live
from lading.record.diagnosis import Obstacle
from tests import toys


class Hard(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(6, 6)
        self.register_buffer("calls", torch.zeros(1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if x.max() > 1:
            x = x / 255
        y = self.linear(x)
        y[:, 0] = 0.5
        noise = torch.rand_like(y)
        kept = y[y > 0]
        self.calls += 1
        return torch.fft.rfft(y).abs().sum() + noise.sum() + kept.sum()


def found(module: nn.Module) -> tuple[Obstacle, ...]:
    code = live(module, ["x:float32[2,6]@0..1"])
    task, flat = code.task(code.build()[0])
    return diagnose(wrap(flat, task, Options()))


def test_all_of_it_is_found_at_once_with_its_line() -> None:
    obstacles = found(Hard())
    seen = {one.kind: one for one in obstacles}
    assert {
        "a branch on values": "if x.max() > 1:",
        "a write into a view": "y[:, 0] = 0.5",
        "chance": "noise = torch.rand_like(y)",
        "a size that values decide": "kept = y[y > 0]",
        "complex numbers": "return torch.fft.rfft(y).abs().sum() + noise.sum() + kept.sum()",
    }.items() <= {kind: one.code for kind, one in seen.items()}.items()
    assert seen["chance"].where.startswith("conversion/test_diagnosis.py:")
    assert seen["state"].where.endswith("calls")
    assert {"chance", "a size that values decide"} <= {one.kind for one in obstacles if one.stops}
    assert obstacles[0].stops


def test_nothing_stands_in_the_way_of_a_plain_network() -> None:
    assert found(nn.Sequential(nn.Linear(6, 4), nn.ReLU())) == ()


def test_an_operation_that_nobody_knows_is_named() -> None:
    class Svd(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            answer: torch.Tensor = torch.linalg.svd(x)[1]
            return answer

    kinds = [one.kind for one in found(Svd())]
    assert "Core ML: _linalg_svd" in kinds


def test_a_network_that_raises_is_an_obstacle_with_its_line() -> None:
    class Refuses(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            raise IndexError("index out of range")

    one = toys.interface()
    one.module.network = Refuses()
    (first, *_) = (obstacle for obstacle in diagnose(one) if obstacle.kind == "it raises")
    assert first.stops
    assert first.code == 'raise IndexError("index out of range")'
    assert "IndexError: index out of range" in first.what
