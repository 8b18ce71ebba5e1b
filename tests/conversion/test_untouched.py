"""A converter writes into what it reads; the network is put back."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from lading.conversion import apple
from tests.mutants.court import carry
from tests.mutants.right_strangers import subject


def network() -> nn.Module:
    torch.manual_seed(0)
    norm = nn.BatchNorm2d(5, affine=False)
    for buffer in (norm.running_mean, norm.running_var):
        assert buffer is not None
        buffer.uniform_(0.5, 2.0)
    return nn.Sequential(nn.Conv2d(3, 5, 1), norm).eval()


def test_a_conversion_leaves_the_network_alone(tmp_path: Path) -> None:
    one = subject("normed", network(), {"x": (1, 3, 4, 4)})
    before = {name: value.clone() for name, value in one.network.state_dict().items()}
    carry(one, "fp32", tmp_path / "a")
    after = one.network.state_dict()
    assert all(torch.equal(value, after[name]) for name, value in before.items())


def test_it_would_not_be_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import contextlib

    monkeypatch.setattr(apple, "untouched", lambda _: contextlib.nullcontext())
    one = subject("normed", network(), {"x": (1, 3, 4, 4)})
    before = one.network[1].running_mean.clone()  # type: ignore[index, union-attr, operator]
    carry(one, "fp32", tmp_path / "a")
    assert not torch.equal(one.network[1].running_mean, before)  # type: ignore[index, union-attr]
