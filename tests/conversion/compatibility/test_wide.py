"""Angles that come from an input keep fp32; everything that a layer made does not."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from lading.record import Route
from tests.conversion.compatibility.forms_in_use import answer, carried, relative


class Embedded(nn.Module):
    """The embedding of a timestep, then a layer."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layer = nn.Linear(64, 8)

    def forward(self, t: torch.Tensor) -> torch.Tensor:
        frequencies = torch.exp(torch.arange(32, dtype=torch.float32) * (-9.2 / 32))
        angles = t[:, None].float() * frequencies
        out: torch.Tensor = self.layer(torch.cat([angles.cos(), angles.sin()], dim=1))
        return out


class Wave(nn.Module):
    """The sine of what a layer made."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.sin(self.layer(x))


@pytest.mark.parametrize("route", ["export", "trace"])
@pytest.mark.parametrize("dtype", [torch.int32, torch.float32])
def test_a_late_timestep_is_embedded_as_itself(
    route: Route, dtype: torch.dtype, tmp_path: Path
) -> None:
    module, t = Embedded().eval(), torch.tensor([999], dtype=dtype)
    model = carried(module, (t,), tmp_path / "e.mlpackage", precision="fp16", route=route)
    for step in (0, 1, 501, 997, 999):
        t = torch.tensor([step], dtype=dtype)
        with torch.no_grad():
            # a handful of fp16 roundings; angles in fp16 are off by up to a quarter: 0.1 and more
            assert relative(answer(model, t), module(t)) < 4 * 2.0**-11


def test_a_sine_of_a_layers_output_is_half_precision(tmp_path: Path) -> None:
    model = carried(Wave().eval(), (torch.ones(1, 4),), tmp_path / "w.mlpackage", precision="fp16")
    ops = {op.type: op for f in model.program.functions.values() for op in f.block.walk()}
    assert ops["sin"].outputs[0].type.dtype == "float16"
