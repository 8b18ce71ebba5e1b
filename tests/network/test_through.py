"""Networks of several inputs and outputs: by name, by position, and what does not apply."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from lading.errors import RequestError
from lading.network.through import Through, called_by_name, refuse, takes_any_number

X, Y = torch.tensor([1.0]), torch.tensor([2.0])


class Gap(nn.Module):
    """Has a parameter between those that are given."""

    def forward(self, x: Any, between: Any = None, low: Any = None) -> Any:
        assert between is None
        return x - low


class Many(nn.Module):
    def __init__(self, answer: str) -> None:
        super().__init__()
        self.answer = answer

    def forward(self, x: Any, y: Any) -> Any:
        both = {"sum": x + y, "difference": x - y}
        return {"mapping": both, "tuple": tuple(both.values()), "list": [both["sum"]]}[self.answer]


def test_by_name_leaves_a_default_between_alone() -> None:
    module = Through(Gap(), ("x", "low"), ("out",))
    assert module.by_name
    assert torch.equal(module(X, Y), X - Y)


def test_by_position_where_no_name_is_known() -> None:
    module = Through(Many("list"), ("a", "b"), ("out",))
    assert not module.by_name
    assert torch.equal(module(X, Y), X + Y)


def test_some_names_known_and_some_not() -> None:
    with pytest.raises(RequestError) as caught:
        called_by_name(Gap(), ("x", "lower"))
    assert str(caught.value) == (
        "inputs of Gap\n"
        "  found     lower, which its forward does not know\n"
        "  expected  names among x, between, low; or none of them, to go by position\n"
        "  remedy    name the inputs as the parameters of forward are named"
    )


def test_several_outputs_in_the_order_of_their_ports() -> None:
    swapped = Through(Many("mapping"), ("x", "y"), ("difference", "sum"))(X, Y)
    assert [float(one) for one in swapped] == [-1.0, 3.0]
    assert [float(one) for one in Through(Many("tuple"), ("x", "y"), ("a", "b"))(X, Y)] == [
        3.0,
        -1.0,
    ]


def test_what_needs_a_picture_is_refused() -> None:
    refuse({"--bake zscore": False}, "diffusion", ("x", "timesteps"))
    with pytest.raises(RequestError) as caught:
        refuse({"--bake zscore": True}, "diffusion", ("x", "timesteps"))
    assert caught.value.as_dict() == {
        "error": "RequestError",
        "subject": "--bake zscore",
        "found": "a diffusion network with the inputs x, timesteps",
        "expected": "a network that takes one picture",
        "remedy": "leave --bake out",
    }


def test_any_number() -> None:
    assert takes_any_number(Through(Gap(), ("x",), ("out",)))
    assert not takes_any_number(Gap())
