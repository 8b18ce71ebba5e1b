"""The work of programs that are written down: loops, packed weights, sizes that are open."""

from __future__ import annotations

import coremltools as ct
import numpy as np
import pytest
from coremltools.converters.mil import Builder

from lading.coreml import mil
from lading.interface.work import program


def saved(function, path):  # type: ignore[no-untyped-def]
    model = ct.convert(
        function, convert_to="mlprogram", minimum_deployment_target=ct.target.iOS16,
        compute_precision=ct.precision.FLOAT32, skip_model_load=True,
    )  # fmt: skip
    model.save(str(path))
    return mil.load(path)


@Builder.program(input_specs=[Builder.TensorSpec((1, 4))], opset_version=ct.target.iOS16)  # type: ignore[misc]
def looped(x):  # type: ignore[no-untyped-def]
    weight = np.eye(4, dtype=np.float32) + 1

    def going(n, y):  # type: ignore[no-untyped-def]
        return Builder.less(x=n, y=np.float32(3))

    def body(n, y):  # type: ignore[no-untyped-def]
        return Builder.add(x=n, y=np.float32(1)), Builder.matmul(x=y, y=weight)

    start = Builder.mul(x=Builder.reduce_sum(x=x, axes=[0, 1], keep_dims=False), y=np.float32(0))
    return Builder.while_loop(_cond=going, _body=body, loop_vars=(start, x))[1]


def test_the_rounds_of_a_loop_are_counted_in_a_run(tmp_path) -> None:  # type: ignore[no-untyped-def]
    model = saved(looped, tmp_path / "net.mlpackage")
    (still,) = [one for one in program.work(model) if one.op == "matmul"]
    assert still.macs is None
    taps = mil.Taps(shapes=True)
    model.predict({"x": np.ones((1, 4), np.float32)}, taps=taps)
    (run,) = [o for o in program.work(model, taps.shapes_of, taps.calls) if o.op == "matmul"]
    assert taps.calls[run.name] == 3
    assert run.macs == 3 * 16
    assert run.parameters == 16


def test_what_runs_in_a_loop_is_not_the_loop_s_own_time(tmp_path) -> None:  # type: ignore[no-untyped-def]
    model = saved(looped, tmp_path / "net.mlpackage")
    (function,) = model.program.functions.values()
    ops = {op.type: op.outputs[0].name for op in function.block.walk() if op.outputs}

    def call(taps: mil.Taps) -> None:
        for kind, took in (("while_loop", 1.0), ("matmul", 0.5), ("less", 0.125)):
            taps.seconds[ops[kind]] = taps.seconds.get(ops[kind], 0.0) + took
            taps.calls[ops[kind]] = taps.calls.get(ops[kind], 0) + (1 if kind != "matmul" else 3)

    _, parts = program.spent(model, call, 2)
    found = {one.op: (one.seconds, one.calls) for one in parts}
    assert found == {"while_loop": (0.375, 1.0), "matmul": (0.5, 3.0), "less": (0.125, 1.0)}


def test_a_packed_weight_has_its_numbers_and_its_bytes(tmp_path) -> None:  # type: ignore[no-untyped-def]
    @Builder.program(input_specs=[Builder.TensorSpec((2, 4))], opset_version=ct.target.iOS16)  # type: ignore[misc]
    def packed(x):  # type: ignore[no-untyped-def]
        weight = Builder.constexpr_affine_dequantize(
            quantized_data=np.arange(12, dtype=np.int8).reshape(3, 4), zero_point=np.int8(0),
            scale=np.float32(0.5), axis=np.int32(0), name="table_weight",
        )  # fmt: skip
        return Builder.linear(x=x, weight=weight)

    (one,) = [w for w in program.work(saved(packed, tmp_path / "n.mlpackage")) if w.op == "linear"]
    assert one.macs == 2 * 3 * 4
    assert one.parameters >= 12
    assert one.module == "table"
    assert 12 <= one.bytes < 48


@pytest.mark.parametrize("name", ["p_a_weight_to_fp16", "a.weight", "a_kernel_quantized"])
def test_a_weight_is_of_a_module(name: str) -> None:
    assert program._stem(name).endswith("a")
