"""A decision by value that a capture lost is looked for on both sides, never passed in silence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import torch
from torch import nn

from lading.interface import Interface, Options
from lading.proof import branches
from lading.proof.compare import every_runtime
from lading.proof.original import Original
from lading.proof.probes import make
from lading.record import Comparison, Port, Task
from tests.standin import Changed, Fake


class Scaled(nn.Module):
    """Pictures of 0 to 255 and of 0 to 1 alike."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv = nn.Conv2d(1, 2, 3)
        self.frozen = False

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.frozen or x.max() > 1:
            x = x / 255.0
        scores: torch.Tensor = self.conv(x)
        return scores


class Rare(Scaled):
    """Goes the other way where nothing goes."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        scores: torch.Tensor = self.conv(x)
        if (scores.mean() > 1e30).item():
            scores = scores * 0
        return scores


class Steps(Scaled):
    """A loop as long as a value says; and a buffer that is read and decides nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("heads", torch.tensor(2))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = x * int(self.heads)
        for _ in range(int(y.abs().mean().clamp(0, 5)) if not self.frozen else 1):
            y = y + 1
        scores: torch.Tensor = self.conv(y)
        return scores


class Plain(Scaled):
    """Reads nothing but a buffer, and raises where it has to."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if not torch.isfinite(x).all():
            raise ValueError("not finite")
        scores: torch.Tensor = self.conv(x)
        return scores


def interface(network: nn.Module, bounds: tuple[float, ...] = ()) -> Interface:
    x = Port("x", "tensor", "float32", (1, 1, 8, 8), value_range=bounds)
    y = Port("y", "tensor", "float32", (1, 2, 6, 6))
    return Interface(network.eval(), (x,), (y,), Options(), Task("module", (x,), (y,)))


def judged(
    network: Scaled, bounds: tuple[float, ...] = (), accepted: Sequence[str] = (), wrong: Any = None
) -> Comparison:
    """The network, and beside it `wrong`, or the same with a side of every branch left out."""
    wrong = wrong or type(network)()
    wrong.frozen = True
    artifact = Fake(interface(network, bounds), Changed(interface(wrong, bounds)))
    original = Original(interface(network, bounds), make(interface(network, bounds)), accepted)
    (found,) = every_runtime(original, artifact, artifact.record, lambda *_: None)
    return found


@pytest.mark.parametrize("bounds", [(), (0.0, 255.0), (0.0, 40.0)])
def test_a_branch_is_searched_on_both_sides(bounds: tuple[float, ...]) -> None:
    found = judged(Scaled(), bounds)
    assert found.verdict == "fail"
    assert "psnr" in found.reason
    assert "(if self.frozen or x.max() > 1:)" in found.reason
    right = judged(Scaled(), bounds, wrong=Right())
    assert right.verdict == "pass", right.reason


class Right(Scaled):
    """The same, said so that a graph can hold it."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        scores: torch.Tensor = self.conv(torch.where(x.max() > 1, x / 255.0, x))
        return scores


def test_a_number_that_decides_is_no_less() -> None:
    assert judged(Steps()).verdict == "fail"


def test_a_side_that_nobody_finds_fails_with_its_line_until_it_is_accepted() -> None:
    found = judged(Rare(), wrong=Plain())
    line = Rare.forward.__code__.co_firstlineno + 2
    place = f"test_branches.py:{line}"
    assert found.verdict == "fail"
    assert place in found.reason
    assert "if (scores.mean() > 1e30).item():" in found.reason
    accepted = judged(Rare(), accepted=[place], wrong=Plain())
    assert (accepted.verdict, [left.what for left in accepted.unproved]) == ("pass", ["frozen"])
    assert judged(Rare(), accepted=["test_branches.py:1"], wrong=Plain()).verdict == "fail"


def test_what_only_raises_or_reads_what_is_fixed_decides_nothing() -> None:
    found = judged(Plain())
    assert (found.verdict, found.unproved) == ("pass", ())


def test_a_network_that_cannot_be_watched_is_said_to_be_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(*_: object) -> None:
        raise RuntimeError("no modes here")

    monkeypatch.setattr(branches, "decisions", refuses)
    found = judged(Plain())
    assert (found.verdict, [left.what for left in found.unproved]) == ("pass", ["decisions"])
    assert "no modes here" in found.unproved[0].why


def test_a_network_that_reads_no_value_is_not_watched(monkeypatch: pytest.MonkeyPatch) -> None:
    watched = list[str]()
    monkeypatch.setattr(branches, "decisions", lambda *_: watched.append("once") or {})
    for network in (nn.Conv2d(1, 2, 3), Scaled()):
        one = interface(network)
        Original(one, make(one)).widen(Fake(one, Changed(one)))
    assert watched == ["once"]
