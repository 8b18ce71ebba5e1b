"""A mask of finite numbers masks in fp16 as it does in torch, and nothing becomes NaN."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from lading.record import Route
from tests.conversion.compatibility.forms_in_use import answer, carried

LEAST = torch.finfo(torch.float32).min


class Masked(nn.Module):
    """Weights of four places, those at which `keep` is 0 masked."""

    def __init__(self, mask: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self.mask = mask

    def forward(self, x: torch.Tensor, keep: torch.Tensor) -> torch.Tensor:
        return self.mask(x, keep).softmax(-1)


@pytest.mark.filterwarnings("error:overflow")
@pytest.mark.parametrize("route", ["export", "trace"])
@pytest.mark.parametrize(
    "mask",
    [
        lambda x, keep: x + (1.0 - keep) * LEAST,
        lambda x, keep: x.masked_fill(keep == 0, LEAST),
        lambda x, keep: x + (1.0 - keep) * -1e9,
        lambda x, keep: x.masked_fill(keep == 0, -1e9),
    ],
    ids=["least added", "least filled", "-1e9 added", "-1e9 filled"],
)
def test_a_row_that_is_masked_whole_is_none_of_nan(
    mask: Callable[..., torch.Tensor], route: Route, tmp_path: Path
) -> None:
    module = Masked(mask).eval()
    inputs = (
        torch.tensor([[0.5, -1.0, 2.0, 0.0]] * 3),
        torch.tensor([[1.0] * 4, [1, 0, 0, 1], [0] * 4]),
    )
    model = carried(module, inputs, tmp_path / "net.mlpackage", precision="fp16", route=route)
    np.testing.assert_allclose(answer(model, *inputs), module(*inputs).numpy(), atol=2e-3)


def test_what_is_infinite_stays_so(tmp_path: Path) -> None:
    module = Masked(lambda x, keep: x.masked_fill(keep == 0, -torch.inf)).eval()
    inputs = torch.tensor([[0.5, -1.0, 2.0]]), torch.tensor([[1.0, 0.0, 1.0]])
    model = carried(module, inputs, tmp_path / "net.mlpackage", precision="fp16")
    got = answer(model, *inputs)
    assert got[0, 1] == 0.0
    np.testing.assert_allclose(got, module(*inputs).numpy(), atol=2e-3)


def test_what_grows_large_in_another_way_overflows_as_it_did(tmp_path: Path) -> None:
    module = Masked(lambda x, keep: keep - x * 131_072.0).eval()
    inputs = torch.tensor([[1.0, -1.0]]), torch.ones(1, 2)
    model = carried(module, inputs, tmp_path / "net.mlpackage", precision="fp16")
    assert np.isnan(answer(model, *inputs)).any()
