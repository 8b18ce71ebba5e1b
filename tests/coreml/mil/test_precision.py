"""Rounding, storage, and the promise that makes rounding in place safe."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lading.coreml.mil import precision, registry
from lading.coreml.mil.program import Constant, ValueType
from lading.errors import ProgramError, RequestError


@given(st.floats(width=32))
def test_the_grid_is_numpys_float16(value: float) -> None:
    with np.errstate(over="ignore"):
        want = np.float32(value).astype(np.float16).astype(np.float32)
    got = precision.to_grid(torch.tensor([value]), "float16").numpy()[0]
    assert got.tobytes() == want.tobytes() or (np.isnan(got) and np.isnan(want))


@pytest.mark.parametrize("size", [5, precision._PART, 3 * precision._PART + 7])
def test_large_results_round_like_small_ones(size: int) -> None:
    x = torch.randn(size) * 1000
    want = x.half().float()
    finish = precision.finisher(ValueType("tensor", "float16", (size,)), "declared", exact=False)
    assert finish is not None
    got = finish(x.clone())
    assert torch.equal(got, want)
    assert torch.equal(finish(x.clone().reshape(1, size)[0]), want)
    turned = torch.randn(4, size).t()
    kind = ValueType("tensor", "float16", (size, 4))
    finish = precision.finisher(kind, "declared", exact=False)
    assert finish is not None
    assert torch.equal(finish(turned), turned.half().float())


def test_policies_and_exact_operations_round_nothing() -> None:
    x = torch.tensor([1.0001])
    kind = ValueType("tensor", "float16", (1,))
    for policy, exact in (("float32", False), ("declared", True)):
        finish = precision.finisher(kind, policy, exact=exact)
        assert finish is not None
        assert finish(x) is x
    with pytest.raises(RequestError, match="declared, float32, half-accumulate"):
        precision.check("fp16")


def test_results_of_the_wrong_kind_or_shape_are_errors() -> None:
    finish = precision.finisher(ValueType("tensor", "int32", (2,)), "declared", exact=False)
    assert finish is not None
    assert finish(torch.tensor([1, 2])).dtype == torch.int32
    with pytest.raises(ProgramError, match=r"elements of torch\.float32"):
        finish(torch.zeros(2))
    with pytest.raises(ProgramError, match=r"shape \(3,\)"):
        finish(torch.zeros(3, dtype=torch.int32))
    unsigned = precision.finisher(ValueType("tensor", "uint16", (1,)), "declared", exact=False)
    assert unsigned is not None
    assert unsigned(torch.tensor([65535 + 3], dtype=torch.int32)).item() == 2


@pytest.mark.parametrize("dtype", precision.STORAGE)
def test_values_enter_and_leave_unchanged(dtype: str) -> None:
    held = {"float16": np.float16, "bfloat16": np.float32}.get(dtype)
    if held is None:
        wide = dtype if hasattr(np, dtype) else ("int8" if dtype[0] == "i" else "uint8")
        held = np.dtype(wide).type
    data = np.array([0, 1, 1, 0]).astype(held).reshape(2, 2)
    tensor = precision.tensor(Constant(ValueType("tensor", dtype, (2, 2)), data))
    assert tensor.dtype == precision.STORAGE[dtype]
    back = precision.array(tensor, dtype)
    assert back.dtype == data.dtype
    np.testing.assert_array_equal(back, data)
    back += 1 if dtype != "bool" else True
    np.testing.assert_array_equal(precision.array(tensor, dtype), data)


# Arguments under which an operation could be tempted to hand back its input.
IDLE: dict[str, dict[str, Any]] = {
    "cast": {"dtype": "fp16"},
    "resize": {"shape": [], "resized_dims": 0},
    "resize_bilinear": {"target_size_height": 3, "target_size_width": 3},
    "upsample_bilinear": {"scale_factor_height": 1, "scale_factor_width": 1},
    "avg_pool": {"kernel_sizes": [1, 1], "pad_type": "valid"},
    "l2_pool": {"kernel_sizes": [1, 1], "pad_type": "valid"},
    "reduce_prod": {"axes": []},
    "reduce_sum": {"axes": []},
    "reduce_mean": {"axes": []},
    "reduce_sum_square": {"axes": []},
    "cumsum": {"axis": 0},
    "band_part": {},
    "clamped_relu": {"alpha": 1.0, "beta": 1e9},
    "elu": {"alpha": 1.0},
    "leaky_relu": {"alpha": 1.0},
    "linear_activation": {"alpha": 1.0, "beta": 0.0},
    "scaled_tanh": {"alpha": 1.0, "beta": 1.0},
    "sigmoid_hard": {"alpha": 1.0, "beta": 0.0},
    "local_response_norm": {"size": 1},
}


def test_only_exact_operations_may_return_their_input() -> None:
    """Other results are rounded in place, which must never reach an input or a weight."""
    tried = set()
    for name, versions in registry.operations().items():
        operation = versions[0]
        parameters = list(operation.parameters.values())
        lone = [p for p in parameters if p.required]
        if operation.exact or not lone or lone[0].name != "x":
            continue
        if name not in IDLE and len(lone) > 1:
            if [p.name for p in lone] != ["x", "y"]:
                continue
            arguments: dict[str, Any] = {"y": torch.ones(1, 1, 3, 3)}
        else:
            arguments = IDLE.get(name, {})
        x = torch.rand(1, 1, 3, 3)
        before = x.clone()
        result = operation.function(x, **arguments)
        tried.add(name)
        if not isinstance(result, torch.Tensor) or not result.is_floating_point():
            continue
        shares = result.untyped_storage().data_ptr() == x.untyped_storage().data_ptr()
        assert not shares or result._is_view(), name
        assert torch.equal(x, before), name
    assert tried >= set(IDLE)
    assert len(tried) > 50


def test_a_cast_in_a_program_leaves_its_input_alone(built: Callable[..., Any]) -> None:
    from coremltools.converters.mil.mil import Builder as mb  # noqa: N813

    def program(x: Any) -> Any:
        low = mb.cast(x=x, dtype="fp16")
        back = mb.cast(x=low, dtype="fp32")
        return mb.sub(x=x, y=back)

    model = built(program, {"x": ((1,), "fp32")}, "iOS16")
    (got,) = model.predict({"x": np.array([1.0001])}).values()
    assert got == np.float32(1.0001) - np.float32(1)


def test_a_view_is_never_rounded_in_place() -> None:
    whole = torch.tensor([1.0001, 2.0002])
    finish = precision.finisher(ValueType("tensor", "float16", (1,)), "declared", exact=False)
    assert finish is not None
    assert finish(whole[:1]).tolist() == [1.0]
    assert whole.tolist() == torch.tensor([1.0001, 2.0002]).tolist()
