"""Every operation against another implementation: ONNX Runtime's or torch's, on random cases.

Float64 where the other has it, so that nothing but rounding may differ.
"""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lading.coreml.mil import registry
from tests.coreml.mil.oracles import elementwise, layers, movement
from tests.coreml.mil.oracles.base import ORACLES, Draw, T, agree

assert elementwise, layers
assert movement  # they register their oracles


_LISTS = "lists of tensors are no tensors in torch or ONNX; ops/test_control_flow.py"
_STATES = "no state of a model in torch or ONNX functions; ops/test_control_flow.py"
_CONTROL = "control flow, no function of tensors; ops/test_control_flow.py"
_RANDOM = "another generator, other bits: the distribution is tested in ops/test_tensor.py"

#: Operations that have no equivalent, and where they are tested instead.
WITHOUT = {
    "classify": "labels, not tensors; ops/test_control_flow.py",
    "cond": _CONTROL,
    "while_loop": _CONTROL,
    "make_list": _LISTS,
    "list_gather": _LISTS,
    "list_length": _LISTS,
    "list_read": _LISTS,
    "list_scatter": _LISTS,
    "list_write": _LISTS,
    "read_state": _STATES,
    "write_state": _STATES,
    "coreml_update_state": _STATES,
    "random_bernoulli": _RANDOM,
    "random_categorical": _RANDOM,
    "random_normal": _RANDOM,
    "random_uniform": _RANDOM,
}


def test_every_operation_has_an_oracle_or_a_reason() -> None:
    covered = {name for _, names in ORACLES.values() for name in names}
    known = set(registry.operations())
    assert covered - known == set()
    assert not covered & set(WITHOUT)
    assert known - covered == set(WITHOUT)


@pytest.mark.parametrize("name", ORACLES)
@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)
@given(data=st.data())
def test_as_the_other_says(name: str, data: st.DataObject) -> None:
    found, expected = ORACLES[name][0](Draw(data))
    agree(found, expected)


class Seeded(Draw):
    """Random cases without Hypothesis: for what needs no smallest one."""

    def __init__(self, seed: int) -> None:
        self._random, self.rng = random.Random(seed), np.random.default_rng(seed)

    def of(self, choices: Sequence[T]) -> T:
        return self._random.choice(choices)

    def number(self, low: int, high: int) -> int:
        return self._random.randint(low, high)

    def flag(self) -> bool:
        return self._random.random() < 0.5


def spoiled(value: Any) -> Any:
    """A result that is a little wrong everywhere."""
    if isinstance(value, (tuple, list)):
        return [spoiled(one) for one in value]
    if value.dtype is torch.bool:
        return ~value
    return value * 1.001 + 0.001 if value.is_floating_point() else value + 1


@pytest.mark.parametrize("name", ORACLES)
def test_an_oracle_notices(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each operation that an oracle speaks for, spoiled in turn: it must turn red."""
    function, operations = ORACLES[name]
    known = registry.find
    for wrong in operations:

        def find(op: str, opset: str, place: str = "", wrong: str = wrong) -> registry.Operation:
            found = known(op, opset, place)
            if op != wrong:
                return found
            return dataclasses.replace(
                found, function=lambda *a, **k: spoiled(found.function(*a, **k))
            )

        monkeypatch.setattr(registry, "find", find)
        red = 0
        for seed in range(12):
            try:
                agree(*function(Seeded(seed)))
            except AssertionError:
                red += 1
                break
        assert red, wrong
