"""The reference: the module itself, eager, in inference mode."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from lading.interface.original import TorchSide
from lading.interface.side import EVERYTHING, compared
from tests.toys import interface, net, noise


def test_it_is_the_module() -> None:
    x = noise((1, 1, 16, 16))
    with torch.no_grad():
        expected = net()(torch.from_numpy(x)).numpy()
    outputs = TorchSide(interface()).run({"image": x})
    assert list(outputs) == ["logits"]
    np.testing.assert_array_equal(outputs["logits"], expected)


def test_the_input_is_left_alone() -> None:
    class InPlace(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.add_(1)

    x = noise((1, 1, 16, 16))
    before = x.copy()
    TorchSide(replace(interface(), module=InPlace())).run({"image": x})
    np.testing.assert_array_equal(x, before)


def test_several_outputs_go_by_their_ports() -> None:
    class Two(nn.Module):
        def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            return x + 1, x + 2

    plain = interface()
    ports = (replace(plain.outputs[0], name="a"), replace(plain.outputs[0], name="b"))
    x = noise((1, 1, 2, 2))
    outputs = TorchSide(replace(plain, module=Two(), outputs=ports)).run({"image": x})
    np.testing.assert_array_equal(outputs["b"], x + 2)
    with pytest.raises(ValueError, match="zip"):
        TorchSide(replace(plain, module=Two())).run({"image": x})


def test_a_look_shows_what_modules_and_operations_gave() -> None:
    x = noise((1, 1, 16, 16))
    side = TorchSide(interface())
    assert side.graph == []
    values = side.run({"image": x}, EVERYTHING)
    np.testing.assert_array_equal(values["logits"], side.run({"image": x})["logits"])
    shown = {made.name: made for made in compared(side.graph, values)}
    stem = shown["network.stem"]
    assert (stem.op, stem.module, stem.module_output) == ("Conv2d", "network.stem", True)
    assert shown["network.stem/convolution"].source.startswith("tests/toys.py:")
    with torch.no_grad():
        np.testing.assert_array_equal(
            values["network.stem"], net().stem(torch.from_numpy(x)).numpy()
        )


def test_a_second_look_is_like_the_first() -> None:
    side = TorchSide(interface())
    first = side.run({"image": noise((1, 1, 16, 16))}, EVERYTHING)
    again = side.run({"image": noise((1, 1, 16, 16))}, EVERYTHING)
    assert [made.name for made in side.graph] == list(again)[: len(side.graph)]
    for name, value in first.items():
        np.testing.assert_array_equal(again[name], value)
