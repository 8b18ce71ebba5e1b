"""What the oracles share: random cases, one operation of ONNX Runtime, and when two agree."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, TypeAlias, TypeVar

import numpy as np
import torch
from hypothesis import strategies as st
from torch import Tensor

from lading.coreml.mil import registry

Array: TypeAlias = "np.ndarray[Any, Any]"
T = TypeVar("T")

#: What an oracle gives: what the operation gave, and what it should have given.
Pair: TypeAlias = "tuple[Any, Any]"
Oracle: TypeAlias = "Callable[[Draw], Pair]"

#: Oracles by their own name; each names the operations that it speaks for.
ORACLES: dict[str, tuple[Oracle, tuple[str, ...]]] = {}


def oracle(*operations: str) -> Callable[[Oracle], Oracle]:
    """Register a function that draws a case for `operations` and gives both answers."""

    def register(function: Oracle) -> Oracle:
        ORACLES[function.__name__] = (function, operations)
        return function

    return register


class Draw:
    """Random cases, drawn by Hypothesis."""

    def __init__(self, data: st.DataObject) -> None:
        self._data = data
        self.rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))

    def of(self, choices: Sequence[T]) -> T:
        return self._data.draw(st.sampled_from(choices))

    def number(self, low: int, high: int) -> int:
        return self._data.draw(st.integers(low, high))

    def flag(self) -> bool:
        return self._data.draw(st.booleans())

    def shape(self, least: int = 1, most: int = 4, side: int = 5) -> tuple[int, ...]:
        return tuple(self.number(1, side) for _ in range(self.number(least, most)))

    def floats(self, *shape: int, low: float = -3.0, high: float = 3.0) -> Array:
        """Float64, uniform: whatever differs by more than rounding differs."""
        return self.rng.uniform(low, high, shape)

    def whole(self, *shape: int, low: int = -9, high: int = 9) -> Array:
        """int32, from `low` to `high`."""
        return self.rng.integers(low, high + 1, shape).astype(np.int32)

    def any(self, *shape: int) -> Array:
        """Floats or whole numbers."""
        return self.floats(*shape) if self.flag() else self.whole(*shape)


def run(name: str, *inputs: Any, opset: str = "CoreML8", **parameters: Any) -> Any:
    """The operation `name` of `lading.coreml.mil` on arrays: arrays."""
    function = registry.find(name, opset).function
    result = function(*map(_entered, inputs), **{k: _entered(v) for k, v in parameters.items()})
    return [_left(one) for one in result] if isinstance(result, (tuple, list)) else _left(result)


def _entered(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return torch.from_numpy(np.array(value))
    if isinstance(value, list) and value and isinstance(value[0], np.ndarray):
        return [_entered(one) for one in value]
    return value


def _left(value: Any) -> Any:
    return value.numpy() if isinstance(value, Tensor) else value


def torchs(value: Any) -> Tensor:
    """An array as torch's tensor."""
    return torch.from_numpy(np.array(value))


@lru_cache(maxsize=512)
def _session(op: str, kinds: tuple[Any, ...], attributes: str, outputs: int, opset: int) -> Any:
    import onnxruntime
    from onnx import helper

    given: dict[str, Any] = eval(attributes)
    names = [f"x{i}" if kind is not None else "" for i, kind in enumerate(kinds)]
    infos = [
        helper.make_tensor_value_info(
            name,
            helper.np_dtype_to_tensor_dtype(np.dtype(kind[0])),
            [f"{name}_{i}" for i in range(kind[1])] if isinstance(kind[1], int) else kind[1],
        )
        for name, kind in zip(names, kinds, strict=True)
        if kind is not None
    ]
    results = [f"y{i}" for i in range(outputs)]
    domain = given.pop("domain", "")
    node = helper.make_node(op, names, results, domain=domain, **given)
    ends = [helper.make_empty_tensor_value_info(name) for name in results]
    graph = helper.make_graph([node], op, infos, ends)
    imports = [helper.make_opsetid("", opset), helper.make_opsetid("com.microsoft", 1)]
    model = helper.make_model(graph, opset_imports=imports, ir_version=10)
    options = onnxruntime.SessionOptions()
    options.log_severity_level, options.intra_op_num_threads = 4, 1
    return onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


def onnx(
    op: str, *inputs: Array | None, outputs: int = 1, opset: int = 21, **attributes: Any
) -> Any:
    """One operation of ONNX Runtime on arrays; float64 where it has a kernel, else float32."""
    import onnxruntime.capi.onnxruntime_pybind11_state as errors

    for wide in (True, False):
        given = [
            x if x is None or wide or x.dtype != np.float64 else x.astype(np.float32)
            for x in inputs
        ]
        # What is of rank 1 may be a shape, and is checked when the session is made.
        kinds = tuple(
            None if x is None else (x.dtype.str, x.shape if x.ndim == 1 else x.ndim) for x in given
        )
        feeds = {f"x{i}": x for i, x in enumerate(given) if x is not None}
        try:
            session = _session(op, kinds, repr(attributes), outputs, opset)
            results = session.run(None, feeds)
        except (errors.NotImplemented, errors.InvalidGraph, errors.Fail, errors.RuntimeException):
            if not wide:
                raise
            continue
        return results[0] if outputs == 1 else results
    raise AssertionError("unreachable")


def agree(found: Any, expected: Any) -> None:
    """Element by element, of one shape; NaN is NaN. What remains is rounding: of the largest value
    64 units of float32's last place, or 16,384 of float64's: sums of hundreds, and roots."""
    if isinstance(expected, (list, tuple)):
        assert len(found) == len(expected)
        for one, other in zip(found, expected, strict=True):
            agree(one, other)
        return
    expected = expected.numpy() if isinstance(expected, Tensor) else np.asarray(expected)
    found = np.asarray(found)
    assert found.shape == expected.shape, (found.shape, expected.shape)
    if found.dtype.kind != "f" or expected.dtype.kind != "f":
        assert found.dtype.kind in "iub"
        np.testing.assert_array_equal(found, expected)
        return
    narrow = np.float32 in (found.dtype, expected.dtype)
    finite = expected[np.isfinite(expected)]
    scale = max(1.0, float(np.abs(finite).max())) if finite.size else 1.0
    slack = scale * (2.0**-17 if narrow else 2.0**-38)
    np.testing.assert_allclose(found, expected, rtol=0, atol=slack)
