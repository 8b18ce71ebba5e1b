"""Packed weights of every kind, from a file, against coremltools' own unpacking of them."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from lading.coreml.mil import Model

mb = importlib.import_module("coremltools.converters.mil.mil").Builder
types = importlib.import_module("coremltools.converters.mil.mil.types")

rng = np.random.default_rng(3)


def typed(values: Any, kind: str) -> np.ndarray[Any, Any]:
    return np.asarray(values).astype(types.nptype_from_builtin(types.string_to_builtin(kind)))


def half(shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
    return rng.standard_normal(shape).astype(np.float16)


def ios16() -> list[Any]:
    data = rng.integers(-128, 128, (4, 6)).astype(np.int8)
    # Packed: twelve indices of 4 bits in six bytes, the first in the lowest bits.
    packed = rng.integers(0, 256, 6).astype(np.uint8)
    mask = rng.integers(0, 256, 2).astype(np.uint8)
    ones = int(np.unpackbits(mask, bitorder="little")[:16].sum())
    return [
        mb.constexpr_affine_dequantize(
            quantized_data=data, zero_point=np.int8(3), scale=np.float32(0.1), axis=0
        ),
        mb.constexpr_affine_dequantize(
            quantized_data=data.astype(np.uint8),
            zero_point=np.arange(6, dtype=np.uint8),
            scale=half((6,)),
            axis=-1,
        ),
        mb.constexpr_lut_to_dense(
            indices=packed, lut=half((16,)), shape=np.array([3, 4], dtype=np.uint32)
        ),
        mb.constexpr_sparse_to_dense(
            nonzero_data=half((ones,)), mask=mask, shape=np.array([4, 4], dtype=np.uint32)
        ),
        mb.constexpr_cast(source_val=half((3, 5)), output_dtype="fp32"),
    ]


def blockwise() -> list[Any]:
    found = []
    for kind, low, high in (("int4", -8, 8), ("uint4", 0, 16), ("int8", -128, 128)):
        data = typed(rng.integers(low, high, (4, 6)), kind)
        offset = typed(rng.integers(0, 5, (2, 3)), kind)
        for one in (offset, None):
            found.append(
                mb.constexpr_blockwise_shift_scale(data=data, scale=half((2, 3)), offset=one)
            )
    floats = rng.standard_normal((2, 3)).astype(np.float32)
    found.append(
        mb.constexpr_blockwise_shift_scale(
            data=typed(rng.integers(0, 255, (4, 6)), "uint8"), scale=floats, offset=floats / 2
        )
    )
    return found


def tables() -> list[Any]:
    found = []
    for bits in (1, 2, 3, 4, 6, 8):
        indices = typed(rng.integers(0, 2**bits, (4, 6)), f"uint{bits}")
        found.append(mb.constexpr_lut_to_dense(indices=indices, lut=half((2, 3, 2**bits, 1))))
        for axis in (0, 1, -1):
            found.append(
                mb.constexpr_lut_to_dense(
                    indices=indices, lut=half((2, 1, 2**bits, 3)), vector_axis=np.int32(axis)
                )
            )
    whole = rng.integers(-128, 128, (1, 1, 4, 1)).astype(np.int8)
    indices = typed(rng.integers(0, 4, (4, 6)), "uint2")
    table = mb.constexpr_lut_to_dense(indices=indices, lut=whole)
    found.append(mb.constexpr_blockwise_shift_scale(data=table, scale=half((4, 1)), offset=None))
    return found


def sparse() -> list[Any]:
    mask = typed(rng.random((4, 6)) < 0.5, "uint1")
    count = int(np.count_nonzero(mask))
    found = [mb.constexpr_sparse_to_dense(nonzero_data=half((count,)), mask=mask)]
    for axis in (None, 0, 1):
        width = 1 if axis is None else 2
        joint, values = mb.constexpr_lut_to_sparse(
            indices_mask=mask,
            indices_nonzero_data=typed(rng.integers(0, 4, count), "uint2"),
            lut=half((2, 1, 4, width)),
            vector_axis=None if axis is None else np.int32(axis),
        )
        found.append(mb.constexpr_sparse_to_dense(nonzero_data=values, mask=joint))
    joint, values = mb.constexpr_sparse_blockwise_shift_scale(
        data_mask=mask,
        nonzero_data=typed(rng.integers(-8, 8, count), "int4"),
        scale=half((1, 6)),
        offset=typed(rng.integers(-8, 8, (1, 6)), "int4"),
    )
    found.append(mb.constexpr_sparse_to_dense(nonzero_data=values, mask=joint))
    return found


@pytest.mark.parametrize(
    ("make", "opset"),
    [(ios16, "iOS16"), (blockwise, "iOS18"), (tables, "iOS18"), (sparse, "iOS18")],
    ids=["ios16", "blockwise", "tables", "sparse"],
)
def test_unpacked_as_coremltools_unpacks(
    built: Callable[..., Model], make: Callable[[], list[Any]], opset: str
) -> None:
    wants: list[np.ndarray[Any, Any]] = []

    def program(x: Any) -> Any:
        outputs = []
        for var in make():
            wants.append(np.asarray(var.op.materialized_val_inference()))
            wide = mb.cast(x=var, dtype="fp32")
            outputs.append(mb.add(x=wide, y=mb.reduce_sum(x=x)))
        return outputs

    model = built(program, {"x": ((1,), "fp32")}, opset)
    names = model.program.functions["main"].block.outputs
    for policy in ("declared", "float32"):
        results = model.predict({"x": np.zeros(1, np.float32)}, precision=policy)
        assert len(names) == len(wants)
        for name, want in zip(names, wants, strict=True):
            got = results[name]
            assert got.shape == want.shape
            # One rounding here where coremltools rounds after each float16 step: a unit or two.
            slack = 2**-9 if want.dtype == np.float16 else 1e-6
            np.testing.assert_allclose(got, want.astype(np.float32), rtol=slack, atol=slack / 8)


def test_quantised_activations_round_to_even_and_saturate(built: Callable[..., Model]) -> None:
    def program(x: Any) -> Any:
        q = mb.quantize(input=x, scale=np.float32(0.5), zero_point=np.int8(1), output_dtype="int8")
        rows = mb.quantize(
            input=x, scale=np.array([1.0, 2.0], np.float32), output_dtype="uint8", axis=0
        )
        return (
            mb.cast(x=q, dtype="int32"),
            mb.dequantize(input=q, scale=np.float32(0.5), zero_point=np.int8(1)),
            mb.cast(x=rows, dtype="int32"),
        )

    x = np.array([[0.25, 0.75, -0.25], [100.0, -100.0, 700.0]], np.float32)
    model = built(program, {"x": ((2, 3), "fp32")}, "iOS17")
    q, back, rows = model.predict({"x": x}).values()
    # 0.25 / 0.5 = 0.5 and 0.75 / 0.5 = 1.5 round to 0 and 2; the zero point comes after.
    assert q.tolist() == [[1, 3, 1], [127, -128, 127]]
    np.testing.assert_array_equal(back, (q - 1) * 0.5)
    assert rows.tolist() == [[0, 1, 0], [50, 0, 255]]
