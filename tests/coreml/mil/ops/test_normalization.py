"""Instance norm has two ways: the layer's own bits in float32, and a faster one for float16."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from coremltools.converters.mil import Builder
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from lading.coreml import mil
from lading.coreml.mil import registry
from tests.coreml.mil.conftest import save_built

NORM = registry.find("instance_norm", "CoreML8")
SHAPE = (1, 2, 16, 16)
EPSILON = 1e-5


@given(
    sizes=st.lists(st.integers(1, 40), min_size=1, max_size=3),
    channels=st.integers(1, 5),
    many=st.integers(1, 3),
    mean=st.sampled_from((0.0, 1.0, -30.0, 1000.0)),
    spread=st.sampled_from((1e-3, 1.0, 300.0)),
    turned=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_each_way_is_the_formula(
    sizes: list[int], channels: int, many: int, mean: float, spread: float, *, turned: bool,
    seed: int,
) -> None:  # fmt: skip
    chance = torch.Generator().manual_seed(seed)
    x = torch.randn(many, channels, *sizes, generator=chance) * spread + mean
    if turned:  # the channels last in memory, for which PyTorch has kernels that are less exact
        x = x.movedim(1, -1).contiguous().movedim(-1, 1)
    gamma, beta = torch.randn(2, channels, generator=chance)
    over = tuple(range(2, x.dim()))
    centred = x.double() - x.double().mean(over, keepdim=True)
    root = (centred.square().mean(over, keepdim=True) + EPSILON).sqrt()
    # What is subtracted is the mean in float32, and what divides is rounded too.
    bound = 4 * 2**-24 * (x.double().abs().mean(over, keepdim=True) / root + centred.abs() / root)
    each = [one.double().reshape(-1, *[1] * len(sizes)) for one in (gamma, beta)]
    for run in (NORM.function, NORM.in_half):
        assert run is not None
        plain = run(x, epsilon=EPSILON).double()
        assert bool(((plain - centred / root).abs() <= bound).all())
        scaled = run(x, gamma, beta, EPSILON).double()
        wanted = centred / root * each[0] + each[1]
        assert scaled.shape == x.shape
        more = 2**-23 * (wanted.abs() + each[1].abs())
        assert bool(((scaled - wanted).abs() <= bound * each[0].abs() + more).all())


def normed(dtype: str, folder: Path) -> mil.Model:
    kind = np.float16 if dtype == "fp16" else np.float32

    def program(x: Any) -> Any:
        gamma, beta = np.array([[0.5, 2], [0, 1]], kind)
        return Builder.instance_norm(x=x, gamma=gamma, beta=beta, epsilon=kind(2**-10), name="y")

    return mil.load(save_built(program, {"x": (SHAPE, dtype)}, "iOS17", folder))


@pytest.mark.parametrize(
    ("dtype", "reading", "quicker"),
    [("fp32", "declared", 0), ("fp32", "half-accumulate", 0), ("fp16", "float32", 0),
     ("fp16", "declared", 1), ("fp16", "half-accumulate", 1)],
)  # fmt: skip
def test_what_stays_float32_has_the_layers_own_bits(
    dtype: str, reading: Any, quicker: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    x = np.random.default_rng(0).standard_normal(SHAPE).astype(np.float16)
    model, quick = normed(dtype, tmp_path), torch.native_group_norm
    taken: list[int] = []
    monkeypatch.setattr(
        torch, "native_group_norm", lambda *given: (taken.append(1), quick(*given))[1]
    )
    (got,) = model.predict({"x": x.astype(model.inputs[0].dtype)}, precision=reading).values()
    gamma, beta = torch.tensor([[0.5, 2], [0, 1]])
    want = F.instance_norm(torch.tensor(x).float(), weight=gamma, bias=beta, eps=2**-10).numpy()
    assert len(taken) == quicker
    if not quicker:
        assert got.dtype == np.float32
        np.testing.assert_array_equal(got, want)
    else:
        assert got.dtype == np.float16
        np.testing.assert_allclose(got.astype(np.float32), want, rtol=2**-10, atol=2**-24)
