"""Equal constants become one, weights keep theirs, and no value changes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import nn

from tests.conversion.compatibility.forms_in_use import answer, carried, operations


class Twins(nn.Module):
    """Layers with equal strides and paddings, two of them with equal biases."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layers = nn.Sequential(*[nn.Conv2d(4, 4, 3, padding=1) for _ in range(6)])
        with torch.no_grad():
            self.layers[1].bias.copy_(self.layers[0].bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.layers(x)
        return out


def test_constants_are_shared_and_weights_are_not(tmp_path: Path) -> None:
    module = Twins().eval()
    x = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(1))
    model = carried(module, (x,), tmp_path / "t.mlpackage")
    counts = operations(model)
    assert counts["conv"] == 6
    # a weight and a bias for each, and what all of them share: strides, padding and its kind,
    # dilations, groups; strides and dilations are equal too
    assert counts["const"] == 12 + 4
    with torch.no_grad():
        np.testing.assert_allclose(answer(model, x), module(x).numpy(), atol=1e-6)


def test_values_of_another_dtype_or_shape_are_other_constants() -> None:
    from lading.conversion.compatibility import share_constants as passes

    class Constant:
        def __init__(self, value: object) -> None:
            self.val = value

    def key(value: object) -> object:
        return passes._key(Constant(value))

    assert key(np.int32(1)) != key(np.float32(1)) != key(np.float16(1))
    assert key(np.array([1, 1], np.int32)) != key(np.array([1], np.int32))
    assert key(True) != key("True")
    assert key(np.array([0.5, 0.25], np.float32)) is None
    assert key(np.zeros(3, np.float32)) == key(np.zeros(3, np.float32)) is not None
