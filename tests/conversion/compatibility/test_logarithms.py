"""Logarithms and exponentials: as exact as the dtype, of large numbers and of small ones."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from lading.conversion.compatibility import forms
from lading.formats import open_artifact
from lading.formats.mlmodel import write as mlmodel
from lading.interface.settings import Precision, Settings
from lading.record import Route
from tests.conversion.compatibility.forms_in_use import answer, carried

#: Of both signs, from where nothing is left beside 1 to where float16 ends.
SIZES = torch.tensor([0.0, 1e-7, 6e-5, 1e-3, 0.02, 0.3, 0.99, 1.0, 1.01, 7.0, 11.0])
BOTH = torch.cat([SIZES, -SIZES])[None]
#: Roundings of a result: each of the operations that it is made of, and of their inputs.
ROUNDINGS = 6


class Does(nn.Module):
    def __init__(self, what: Callable[[torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self.what = what

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.what(x)


CASES: dict[str, tuple[Any, torch.Tensor]] = {
    "log1p": (torch.log1p, torch.cat([SIZES, -SIZES[:7], 60000.0 + 0 * SIZES[:1]])[None]),
    "expm1": (torch.expm1, BOTH),
    "log softmax": (lambda x: F.log_softmax(x * 8, -1), BOTH),
    "log softmax of channels": (lambda x: F.log_softmax(x, 1), BOTH.reshape(1, 2, 11, 1) * 20),
}


@pytest.mark.parametrize("route", ["export", "trace"])
@pytest.mark.parametrize("precision", ["fp32", "fp16"])
@pytest.mark.parametrize("name", CASES)
def test_as_exact_as_the_numbers(
    name: str, precision: Precision, route: Route, tmp_path: Path
) -> None:
    what, x = CASES[name]
    x = x.half().float() if precision == "fp16" else x
    model = carried(Does(what), (x,), tmp_path / "a.mlpackage", precision=precision, route=route)
    got, want = answer(model, x).astype(np.float64), what(x.double()).numpy()
    rounding, least = (2**-11, 2**-24) if precision == "fp16" else (2**-24, 0.0)
    bound = ROUNDINGS * rounding * np.abs(want) + least
    if "softmax" in name:  # what is subtracted is rounded as large as it is
        bound += rounding * np.abs(want).max()
    assert np.isfinite(got).all()
    assert (np.abs(got - want) <= bound).all(), np.abs(got - want) / bound


def test_at_the_ends_as_torch(tmp_path: Path) -> None:
    x = torch.tensor([[-1.0, -2.0, np.inf, -np.inf, np.nan]])
    for what in (torch.log1p, torch.expm1):
        model = carried(Does(what), (x,), tmp_path / f"{what.__name__}.mlpackage")
        np.testing.assert_allclose(answer(model, x), what(x).numpy(), rtol=1e-6)


def test_a_mask_of_log_softmax_stays_one(tmp_path: Path) -> None:
    """A class that is ruled out is -inf, and only that."""
    x = torch.tensor([[1.0, 2.0, -np.inf, 3.0]])
    model = carried(Does(lambda x: x.log_softmax(-1)), (x,), tmp_path / "a.mlpackage")
    np.testing.assert_allclose(answer(model, x), x.log_softmax(-1).numpy(), rtol=1e-5)


@pytest.mark.parametrize("name", CASES)
def test_of_a_neural_network_too(name: str, tmp_path: Path) -> None:
    from lading.conversion.capture import capture
    from lading.interface import Interface, Options
    from lading.record import Port, Task

    what, x = CASES[name]
    ports = tuple(Port(one, "tensor", "float32", tuple(x.shape)) for one in ("a", "out"))
    module = Does(what).eval()
    task = Task("module", ports[:1], ports[1:])
    graph = capture(Interface(module, ports[:1], ports[1:], Options(), task), "export")
    mlmodel.convert(graph, Settings("fp32"), tmp_path / "a.mlmodel")
    (got,) = open_artifact(tmp_path / "a.mlmodel").side().run({"a": x.numpy()}).values()
    want = what(x.double()).numpy()
    assert np.isfinite(got).all()
    least = 1e-6 * np.abs(want).max() if "softmax" in name else 0.0
    np.testing.assert_allclose(got, want, rtol=2e-6, atol=least)


@pytest.mark.parametrize("name", CASES)
def test_each_is_needed(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They can go once coremltools says so itself."""
    monkeypatch.setattr(forms, "in_force", lambda *_: contextlib.nullcontext())
    what, x = CASES[name]
    model = carried(Does(what), (x,), tmp_path / "a.mlpackage")
    got, want = answer(model, x), what(x.double()).numpy()
    assert not np.isfinite(got).all() or not np.allclose(got, want, rtol=1e-5, atol=0)
