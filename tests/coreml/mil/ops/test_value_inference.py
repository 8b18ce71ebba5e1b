"""Operations on constants, written to a file and run, against coremltools' own inference of them.

coremltools computes the value of an operation on constants with numpy while it builds a program.
The programs here are written without any optimisation, so that the operations stay in the file.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from lading.coreml.mil import Model

mb = importlib.import_module("coremltools.converters.mil.mil").Builder

Case = Callable[[], Any]

rng = np.random.default_rng(7)
X = rng.standard_normal((2, 3, 4, 5)).astype(np.float32)
Y = rng.standard_normal((2, 3, 4, 5)).astype(np.float32)
U = rng.uniform(0.05, 0.95, (3, 4)).astype(np.float32)
I = rng.integers(-9, 10, (3, 4)).astype(np.int32)  # noqa: E741
J = (rng.integers(1, 5, (3, 4)) * rng.choice([-1, 1], (3, 4))).astype(np.int32)
B = rng.random((3, 4)) < 0.5
C = rng.random((3, 4)) < 0.5
V = np.array([0.5, -0.25, 2.0], np.float32)
HALVES = np.array([-2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 2.4, -2.6], np.float32)


def elementwise() -> list[Case]:
    unary = "abs atan ceil cos erf exp floor round sign sin sinh cosh sqrt square tan tanh exp2"
    cases: list[Case] = []
    for name in unary.split():
        x = np.abs(X) if name == "sqrt" else X
        cases.append(lambda name=name, x=x: getattr(mb, name)(x=x))
    for name in ("acos", "asin", "atanh"):
        cases.append(lambda name=name: getattr(mb, name)(x=U))
    for name in ("abs", "sign", "square"):
        cases.append(lambda name=name: getattr(mb, name)(x=I))
    for name in ("add", "sub", "mul", "maximum", "minimum", "floor_div", "mod"):
        cases.append(lambda name=name: getattr(mb, name)(x=X, y=Y))
        cases.append(lambda name=name: getattr(mb, name)(x=X, y=Y[:1, :, :1]))
        cases.append(lambda name=name: getattr(mb, name)(x=I, y=J))
    for name in ("equal", "not_equal", "greater", "greater_equal", "less", "less_equal"):
        cases.append(lambda name=name: getattr(mb, name)(x=I, y=J))
    for name in ("logical_and", "logical_or", "logical_xor"):
        cases.append(lambda name=name: getattr(mb, name)(x=B, y=C))
    return [
        *cases,
        lambda: mb.real_div(x=X, y=Y),
        lambda: mb.pow(x=np.abs(X), y=Y),
        lambda: mb.pow(x=I, y=np.abs(J)),
        lambda: mb.round(x=HALVES),
        lambda: mb.logical_not(x=B),
        lambda: mb.log(x=U),
        lambda: mb.log(x=U, epsilon=0.5),
        lambda: mb.inverse(x=X, epsilon=0.1),
        lambda: mb.rsqrt(x=U),
        lambda: mb.rsqrt(x=U, epsilon=0.5),
        lambda: mb.clip(x=X, alpha=-0.5, beta=0.25),
        lambda: mb.threshold(x=X, alpha=0.25),
        lambda: mb.cast(x=X * 10, dtype="int32"),
        lambda: mb.cast(x=I, dtype="fp32"),
        lambda: mb.cast(x=I, dtype="bool"),
        lambda: mb.select(cond=B, a=U, b=-U),
    ]


def activation() -> list[Case]:
    return [
        lambda: mb.clamped_relu(x=X, alpha=0.1, beta=0.5),
        lambda: mb.elu(x=X, alpha=0.3),
        lambda: mb.gelu(x=X),
        lambda: mb.gelu(x=X, mode="TANH_APPROXIMATION"),
        lambda: mb.gelu(x=X, mode="SIGMOID_APPROXIMATION"),
        lambda: mb.leaky_relu(x=X, alpha=0.2),
        lambda: mb.linear_activation(x=X, alpha=2.0, beta=0.5),
        lambda: mb.prelu(x=X, alpha=V),
        lambda: mb.relu(x=X),
        lambda: mb.relu6(x=X * 5),
        lambda: mb.scaled_tanh(x=X, alpha=1.5, beta=0.5),
        lambda: mb.sigmoid(x=X),
        lambda: mb.sigmoid_hard(x=X, alpha=0.3, beta=0.4),
        lambda: mb.softplus(x=X * 20),
        lambda: mb.softplus_parametric(x=X, alpha=V, beta=-V),
        lambda: mb.softmax(x=X, axis=1),
        lambda: mb.softsign(x=X),
        lambda: mb.thresholded_relu(x=np.copy(X), alpha=0.4),
    ]


def reduction() -> list[Case]:
    names = "sum mean max min prod l1_norm l2_norm sum_square"
    cases: list[Case] = []
    for name in names.split():
        op = f"reduce_{name}"
        cases.append(lambda op=op: getattr(mb, op)(x=X, axes=[1, -1], keep_dims=True))
        cases.append(lambda op=op: getattr(mb, op)(x=X, axes=[2]))
        cases.append(lambda op=op: getattr(mb, op)(x=X))
    for name in ("sum", "max", "min", "mean"):
        cases.append(lambda op=f"reduce_{name}": getattr(mb, op)(x=I * 3 + 1, axes=[0]))
    return [
        *cases,
        lambda: mb.reduce_log_sum(x=U, axes=[1]),
        lambda: mb.reduce_log_sum_exp(x=X * 50, axes=[1], keep_dims=True),
        lambda: mb.reduce_argmax(x=X, axis=2),
        lambda: mb.reduce_argmin(x=X, axis=-1, keep_dims=True),
        lambda: mb.reduce_argmax(x=np.array([[1, 3, 3, 1]], np.int32), axis=1),
    ]


def linear_and_norm() -> list[Case]:
    M, N = X[0], Y[0]
    return [
        lambda: mb.linear(x=M, weight=N[0], bias=N[0, :, 0]),
        lambda: mb.matmul(x=M, y=N, transpose_y=True),
        lambda: mb.matmul(x=M, y=N, transpose_x=True),
        lambda: mb.matmul(x=I, y=J, transpose_y=True),
        lambda: mb.einsum(values=(X, np.swapaxes(Y, 1, 3).copy()), equation="nchw,nwhu->nchu"),
        lambda: mb.l2_norm(x=X, epsilon=1e-3),
        lambda: mb.layer_norm(x=X, axes=[2, 3], gamma=N[0], beta=N[1], epsilon=1e-3),
        lambda: mb.layer_norm(x=X, axes=[1], epsilon=1e-3),
    ]


def tensor() -> list[Case]:
    seven = np.arange(7, dtype=np.int32)
    return [
        lambda: mb.band_part(x=U, lower=1, upper=0),
        lambda: mb.cumsum(x=X, axis=1),
        lambda: mb.cumsum(x=X, axis=-1, reverse=True),
        lambda: mb.fill(shape=[2, 3], value=1.5),
        lambda: mb.non_zero(x=I),
        lambda: mb.pad(x=X, pad=[1, 2, 0, 3], constant_val=0.5),
        lambda: mb.pad(x=X, pad=[1, 2, 2, 3], mode="reflect"),
        lambda: mb.pad(x=X, pad=[0, 1, 0, 0, 1, 2, 2, 3], mode="replicate"),
        lambda: mb.range_1d(start=2, end=11, step=3),
        lambda: mb.range_1d(start=0.5, end=2.0, step=0.25),
        lambda: mb.tile(x=U, reps=[2, 3]),
        lambda: mb.argsort(x=X, axis=1, ascending=True),
        lambda: mb.argsort(x=X),
        lambda: mb.topk(x=X, k=2, axis=2)[0],
        lambda: mb.topk(x=X, k=2, axis=-1, ascending=True)[1],
        lambda: mb.flatten2d(x=X, axis=2),
        lambda: mb.shape(x=X),
        lambda: mb.concat(values=(U, U + 1), axis=-1),
        lambda: mb.split(x=X, num_splits=2, axis=2)[1],
        lambda: mb.split(x=X, split_sizes=[1, 3, 1], axis=-1)[1],
        lambda: mb.stack(values=(U, U + 1), axis=1),
        lambda: mb.identity(x=U),
        lambda: mb.expand_dims(x=U, axes=[0, -1]),
        lambda: mb.reshape(x=X, shape=[3, -1, 8]),
        lambda: mb.reverse(x=X, axes=[0, 2]),
        lambda: mb.reverse(x=U),
        lambda: mb.squeeze(x=X[:1, :, :1], axes=[0, 2]),
        lambda: mb.transpose(x=X, perm=[3, 0, 2, 1]),
        lambda: mb.slice_by_index(x=X, begin=[0, 1, 0, -4], end=[2, 3, 4, -1], stride=[1, 1, 2, 1]),
        lambda: mb.slice_by_index(
            x=X,
            begin=[1, 2, 3, 4],
            end=[2, 0, 0, 0],
            stride=[1, -1, -2, -1],
            end_mask=[False, False, True, True],
            squeeze_mask=[True, False, False, False],
        ),
        lambda: mb.slice_by_index(x=seven, begin=[5], end=[1], stride=[-2]),
        lambda: mb.slice_by_size(x=X, begin=[0, 1, 0, 2], size=[1, 2, -1, 3]),
        lambda: mb.gather(x=X, indices=np.array([[2, 0], [1, -1]], np.int32), axis=1),
        lambda: mb.gather_along_axis(x=U, indices=np.array([[0, 1, 2, 0]], np.int32), axis=0),
    ]


def newer() -> list[Case]:
    """From iOS 17 and 18 on."""
    small = np.array([[3, -4], [5, 127]], np.int8)
    query, key = X[0, :, :, :], Y[0, :, :3, :]
    q8 = {"input": X, "scale": np.float32(0.02), "output_dtype": "int8"}
    return [
        lambda: mb.reshape(x=X, shape=[0, 0, 10]),
        lambda: mb.gather(x=X, indices=np.array([[2, 0], [1, 1]], np.int32), axis=2, batch_dims=1),
        lambda: mb.quantize(**q8, zero_point=np.int8(5)),
        lambda: mb.quantize(input=X, scale=V * V, output_dtype="uint8", axis=1),
        lambda: mb.slice_update(x=X, update=Y[:1, :, :2, :2], begin=[1, 0, 1, 2], end=[2, 3, 3, 4]),
        lambda: mb.scaled_dot_product_attention(query=query, key=key, value=Y[0, :, :3, :2]),
        lambda: mb.scaled_dot_product_attention(
            query=query, key=key, value=key, attn_mask=np.array([True, False, True])
        ),
        lambda: mb.cast(x=small, dtype="fp32"),
        lambda: mb.cast(x=X * 30, dtype="int8"),
        lambda: mb.cast(x=np.abs(X) * 60, dtype="uint8"),
    ]


GROUPS = {
    "elementwise": (elementwise, "iOS15"),
    "activation": (activation, "iOS15"),
    "reduction": (reduction, "iOS15"),
    "linear_and_norm": (linear_and_norm, "iOS15"),
    "tensor": (tensor, "iOS15"),
    "tensor_iOS17": (tensor, "iOS17"),
    "newer": (newer, "iOS18"),
}


@pytest.mark.parametrize("group", GROUPS)
def test_values_are_those_that_coremltools_infers(built: Callable[..., Model], group: str) -> None:
    cases, opset = GROUPS[group]
    if group == "tensor_iOS17":  # negative indices of gather are checked only before it
        cases = lambda: tensor()[:-2]  # noqa: E731
    inferred: list[np.ndarray[Any, Any]] = []
    labels: list[str] = []

    def program(x: Any) -> Any:
        outputs = [mb.identity(x=x)]
        for case in cases():
            var = case()
            assert var.val is not None, var.op.op_type
            inferred.append(np.asarray(var.val))
            labels.append(var.op.op_type)
            wide = "fp32" if inferred[-1].dtype.kind == "f" else "int32"
            outputs.append(mb.cast(x=var, dtype=wide))
        return outputs

    model = built(program, {"x": ((1,), "fp32")}, opset)
    results = model.predict({"x": np.zeros(1, np.float32)})
    block = model.program.functions["main"].block
    # Each operation must have been run here, not folded away by the converter.
    present = {op.type for op in block.operations}
    assert present >= set(labels)
    for name, want, label in zip(block.outputs[1:], inferred, labels, strict=True):
        got = results[name]
        assert got.shape == want.shape, label
        if want.dtype.kind == "f":
            # float32 on both sides, sums in another order: at most tens of roundings of 2**-24.
            np.testing.assert_allclose(got, want, rtol=4e-6, atol=2e-6, err_msg=label)
        else:
            np.testing.assert_array_equal(got, want.astype(np.int32), err_msg=label)
