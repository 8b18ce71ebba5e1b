"""The reference: the module itself, eager, in inference mode."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from lading.errors import RequestError
from lading.runtimes.torch import RUNTIME, Eager
from tests.toys import interface, net, noise


def test_it_is_the_module() -> None:
    x = noise((1, 1, 16, 16))
    with torch.no_grad():
        expected = net()(torch.from_numpy(x)).numpy()
    outputs = Eager(interface()).run({"image": x})
    assert list(outputs) == ["logits"]
    np.testing.assert_array_equal(outputs["logits"], expected)


def test_the_input_is_left_alone() -> None:
    class InPlace(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.add_(1)

    x = noise((1, 1, 16, 16))
    before = x.copy()
    Eager(replace(interface(), module=InPlace())).run({"image": x})
    np.testing.assert_array_equal(x, before)


def test_several_outputs_go_by_their_ports() -> None:
    class Two(nn.Module):
        def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            return x + 1, x + 2

    plain = interface()
    ports = (replace(plain.outputs[0], name="a"), replace(plain.outputs[0], name="b"))
    x = noise((1, 1, 2, 2))
    outputs = Eager(replace(plain, module=Two(), outputs=ports)).run({"image": x})
    np.testing.assert_array_equal(outputs["b"], x + 2)
    with pytest.raises(ValueError, match="zip"):
        Eager(replace(plain, module=Two())).run({"image": x})


def test_it_runs_no_artifact() -> None:
    assert RUNTIME.formats == ()
    assert RUNTIME.unavailable() is None
    with pytest.raises(RequestError) as caught:
        RUNTIME.load(Path("a.onnx"))
    assert str(caught.value) == (
        "--runtime torch for a.onnx\n"
        "  found     an artifact\n"
        "  expected  an artifact runs in onnxruntime, mil or coreml\n"
        "  remedy    leave --runtime out"
    )
