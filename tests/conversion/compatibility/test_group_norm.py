"""Group norm as one operation: equal to torch's over shapes, groups, routes and large values."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from torch import nn

from lading.conversion.compatibility import forms
from lading.conversion.compatibility.group_norm import group_norm
from lading.record import Route
from tests.conversion.compatibility.forms_in_use import answer, carried, operations, relative
from tests.strangers import Attention

#: fp32 sums in another order over at most a few thousand values
FP32 = 1e-5
#: one rounding to fp16 after the norm, one after the affine part, and one of each weight
FP16 = 4 * 2.0**-11


class Functional(nn.Module):
    """Group norm as a function: without weights, or with one of the two."""

    def __init__(self, groups: int, weight: torch.Tensor | None, bias: torch.Tensor | None) -> None:
        super().__init__()
        self.groups = groups
        self.register_buffer("weight", weight)
        self.register_buffer("bias", bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.group_norm(x, self.groups, self.weight, self.bias, 1e-3)


def norm(groups: int, channels: int, eps: float = 1e-5) -> nn.GroupNorm:
    module = nn.GroupNorm(groups, channels, eps)
    with torch.no_grad():
        module.weight.normal_(generator=torch.Generator().manual_seed(1))
        module.bias.normal_(generator=torch.Generator().manual_seed(2))
    return module.eval()


def values(shape: tuple[int, ...], spread: float = 1.0, seed: int = 0) -> torch.Tensor:
    return spread * torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@settings(max_examples=10, phases=[Phase.explicit, Phase.generate])  # each is a conversion
@given(
    groups=st.integers(1, 4),
    inner=st.integers(1, 3),
    sizes=st.lists(st.integers(1, 6), min_size=1, max_size=3),
    samples=st.integers(1, 2),
    eps=st.sampled_from([1e-6, 1e-5, 1e-3]),
)
def test_any_shape(
    tmp_path_factory: pytest.TempPathFactory,
    groups: int,
    inner: int,
    sizes: list[int],
    samples: int,
    eps: float,
) -> None:
    if inner * math.prod(sizes) == 1:
        sizes = [*sizes[:-1], 2]  # one value alone has no variance
    module, x = norm(groups, groups * inner, eps), values((samples, groups * inner, *sizes))
    model = carried(module, (x,), tmp_path_factory.mktemp("form") / "n.mlpackage", route="trace")
    with torch.no_grad():
        assert relative(answer(model, x), module(x)) < FP32
    assert operations(model)["instance_norm"] == 1
    assert operations(model)["square"] == operations(model)["reduce_mean"] == 0


@pytest.mark.parametrize("route", ["export", "trace"])
def test_values_whose_squares_overflow_half_precision(route: Route, tmp_path: Path) -> None:
    module, x = norm(4, 8), values((1, 8, 6, 6), spread=2000.0)
    assert float(x.abs().max()) > 255.0
    model = carried(module, (x,), tmp_path / "n.mlpackage", precision="fp16", route=route)
    with torch.no_grad():
        assert relative(answer(model, x), module(x)) < FP16


@pytest.mark.parametrize("weighted", [(False, False), (True, False), (False, True)])
def test_without_weights(weighted: tuple[bool, bool], tmp_path: Path) -> None:
    parts = [
        values((6,), seed=3 + place) if there else None for place, there in enumerate(weighted)
    ]
    module, x = Functional(3, *parts).eval(), values((2, 6, 5))
    model = carried(module, (x,), tmp_path / "n.mlpackage")
    assert relative(answer(model, x), module(x)) < FP32
    assert operations(model)["batch_norm"] == int(any(weighted))


def test_rank_two(tmp_path: Path) -> None:
    module, x = norm(2, 8), values((3, 8))
    model = carried(module, (x,), tmp_path / "n.mlpackage")
    with torch.no_grad():
        assert relative(answer(model, x), module(x)) < FP32


def test_sizes_that_only_the_input_tells(tmp_path: Path) -> None:
    module, x = norm(2, 8), values((1, 8, 8, 8))
    ranges = ((1, 1), (8, 8), (4, 16), (4, 16))
    model = carried(module, (x,), tmp_path / "n.mlpackage", ranges=ranges)
    assert operations(model)["square"] == 0
    for shape in ((1, 8, 8, 8), (1, 8, 4, 12)):
        other = values(shape, seed=9)
        with torch.no_grad():
            assert relative(answer(model, other), module(other)) < FP32


def test_weights_that_are_computed_stay_with_coremltools(tmp_path: Path) -> None:
    class Told(nn.Module):
        def forward(self, x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
            return nn.functional.group_norm(x, 2, weight, None)

    x, weight = values((1, 4, 5, 5)), values((4,), seed=5)
    model = carried(Told().eval(), (x, weight), tmp_path / "n.mlpackage")
    assert operations(model)["instance_norm"] == 0
    assert relative(answer(model, x, weight), Told()(x, weight)) < FP32


def test_the_registry_is_left_as_it_was() -> None:
    from coremltools.converters.mil.frontend.torch.torch_op_registry import _TORCH_OPS_REGISTRY

    before = _TORCH_OPS_REGISTRY.get_func("group_norm")
    with forms.in_force():
        assert _TORCH_OPS_REGISTRY.get_func("group_norm") is group_norm
    assert _TORCH_OPS_REGISTRY.get_func("group_norm") is before


def test_attention_is_two_products_and_a_softmax(tmp_path: Path) -> None:
    module = Attention(8, 2).eval()
    x = values((1, 8, 4, 4), seed=7)
    model = carried(module, (x,), tmp_path / "a.mlpackage", route="trace")
    counts = operations(model)
    assert (counts["matmul"], counts["softmax"], counts["split"]) == (2, 1, 1)
    assert counts["mul"] == 2  # each half of the scores carries its own scale, before they meet
    assert counts.total() - counts["const"] <= 20
    with torch.no_grad():
        assert relative(answer(model, x), module(x)) < FP32
