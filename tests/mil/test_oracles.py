"""Every operation against another implementation: ONNX Runtime's or torch's, on random cases.

Float64 where the other has it, so that nothing but rounding may differ.
"""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lading.mil import registry
from tests.mil.oracles import elementwise, layers, movement
from tests.mil.oracles.base import ORACLES, Draw, agree

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
