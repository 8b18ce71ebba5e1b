"""The square of a large value is infinite in fp16: what passes is found, or named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from lading import api


class Directions(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(8, 24)

    def forward(self, x: torch.Tensor) -> Any:
        y = self.layer(x) * 500
        return y / (y * y).sum(-1, keepdim=True).sqrt()


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(3)
    path = tmp_path_factory.mktemp("directions") / "net.pth"
    torch.save(Directions().state_dict(), path)
    return path


@pytest.mark.parametrize("precision", ["auto", "fp16"])
def test_a_way_is_found_or_named(checkpoint: Path, tmp_path: Path, precision: Any) -> None:
    bill = api.convert(
        checkpoint, tmp_path / "out", to="coreml", precision=precision, route="export",
        model=Directions, input=["x:float32[1,6,8]@-1..1"],
    )  # fmt: skip
    assert bill.verdict == ("pass" if precision == "auto" else "fail")
    named = [text for text in bill.notices if "--precision fp32" in text]
    if precision == "fp16":
        assert named
    else:
        assert "in fp32: pass" in bill.artifacts[0].details["search"]
        assert not named
    assert not list((tmp_path / "out").rglob("wide-*"))
