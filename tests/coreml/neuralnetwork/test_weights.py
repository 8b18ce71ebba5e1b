"""Weights of every width: coremltools quantises and takes back, and we read the same numbers."""

from __future__ import annotations

import copy
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import given, settings

from lading.coreml.neuralnetwork import network
from lading.coreml.neuralnetwork.weights import Weights
from lading.errors import ProgramError

LINEAR, TABLE = "_linear_quantization", "_lookup_table_quantization_linear"
#: coremltools writes a symmetric range with 8 bits only.
MODES = [
    *((bits, mode) for bits in range(1, 9) for mode in (LINEAR, TABLE)),
    (8, "_linear_quantization_symmetric"),
]


def a_network(seed: int) -> Any:
    """A convolution, a deconvolution, a product, an embedding and a matrix, of odd sizes."""
    from coremltools.models import datatypes
    from coremltools.models.neural_network import NeuralNetworkBuilder

    rng = np.random.default_rng(seed)
    builder = NeuralNetworkBuilder(
        [("x", datatypes.Array(1, 3, 5, 5))], [("y", None)], disable_rank5_shape_mapping=True
    )
    common = {"height": 3, "width": 1, "stride_height": 1, "stride_width": 1, "border_mode": "same"}
    builder.add_convolution(
        "conv", 3, 5, groups=1, W=rng.normal(size=(3, 1, 3, 5)), b=rng.normal(size=5),
        has_bias=True, input_name="x", output_name="a", **common,
    )  # fmt: skip
    builder.add_convolution(
        "deconv", 5, 3, groups=1, W=rng.normal(size=(3, 1, 5, 3)), b=None, has_bias=False,
        is_deconv=True, input_name="a", output_name="b", **common,
    )  # fmt: skip
    builder.add_inner_product(
        "ip", rng.normal(size=(7, 75)), rng.normal(size=7), 75, 7, True, "b", "c"
    )
    builder.add_batched_mat_mul(
        "matrix", ["c"], "d", weight_matrix_rows=1, weight_matrix_columns=3,
        W=rng.normal(size=(1, 3)), bias=rng.normal(size=3),
    )  # fmt: skip
    builder.add_embedding_nd("rows", "d", "y", 11, 5, W=rng.normal(size=(5, 11)))
    return builder.spec


SHAPES = {
    "conv": ((5, 3, 3, 1), 0),
    "deconv": ((5, 3, 3, 1), 1),
    "ip": ((7, 75), 0),
    "matrix": ((3, 1), 0),
    "rows": ((5, 11), 0),
}


def weights_of(spec: Any, tmp_path: Any) -> dict[str, Weights]:
    path = tmp_path / "w.mlmodel"
    path.write_bytes(spec.SerializeToString())
    return {one.name: one.parameters["weights"] for one in network.read(path).layers}


@pytest.mark.parametrize(("bits", "mode"), MODES)
def test_what_coremltools_quantises(bits: int, mode: str, tmp_path: Any) -> None:
    from coremltools.models.neural_network import quantization_utils as oracle

    spec = a_network(bits)
    oracle._quantize_nn_spec(spec.neuralNetwork, bits, mode)
    plain = copy.deepcopy(spec)
    oracle._dequantize_nn_spec(plain.neuralNetwork)
    wanted = weights_of(plain, tmp_path)
    for name, packed in weights_of(spec, tmp_path).items():
        shape, channels = SHAPES[name]
        assert (packed.bits, wanted[name].bits) == (bits, 32)
        ours, theirs = packed.tensor(shape, channels), wanted[name].tensor(shape)
        # One multiplication and one addition in fp32 on either side.
        torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=1e-6)
        assert len(ours.unique()) <= (1 << bits) * max(1, len(packed.scale))


def test_half(tmp_path: Any) -> None:
    from coremltools.models.neural_network import quantization_utils as oracle

    spec = a_network(0)
    full = {name: one.tensor(SHAPES[name][0]) for name, one in weights_of(spec, tmp_path).items()}
    oracle._quantize_nn_spec(spec.neuralNetwork, 16, LINEAR)
    for name, one in weights_of(spec, tmp_path).items():
        assert one.bits == 16
        assert torch.equal(one.tensor(SHAPES[name][0]), full[name].half().float())


@given(bits=st.integers(1, 8), count=st.integers(1, 40), data=st.data())
@settings(max_examples=60)
def test_bits_without_gaps(bits: int, count: int, data: st.DataObject) -> None:
    numbers = data.draw(st.lists(st.integers(0, 2**bits - 1), min_size=count, max_size=count))
    text = "".join(f"{n:0{bits}b}" for n in numbers)
    text += "0" * (-len(text) % 8)
    raw = bytes(int(text[i : i + 8], 2) for i in range(0, len(text), 8))
    table = [float(n) for n in range(2**bits)]
    assert Weights(raw, bits, table=table).tensor([count]).tolist() == numbers
    scaled = Weights(raw, bits, scale=[0.5], offset=[-1.0]).tensor([count])
    assert scaled.tolist() == [0.5 * n - 1 for n in numbers]


def test_rounded_for_a_unit_that_keeps_float16() -> None:
    raw = np.array([1 / 3, 1e-9, 7.0], "<f4").tobytes()
    assert Weights(raw, half=True).tensor([3]).tolist() == [float(np.float16(1 / 3)), 0.0, 7.0]


@pytest.mark.parametrize(
    ("weights", "found", "expected"),
    [
        (Weights(bytes(12)), "3 numbers of 32 bits", "4, for shape [2, 2]"),
        (Weights(bytes(3), 4, scale=[1.0]), "6 numbers of 4 bits", "4, for shape [2, 2]"),
        (Weights(bytes(2), 4, scale=[1.0] * 3), "3 scales", "1, or 2: one per channel"),
        (Weights(bytes(2), 4, table=[1.0] * 3), "a table of 3", "16 values"),
    ],
)
def test_numbers_that_do_not_fit(weights: Weights, found: str, expected: str) -> None:
    with pytest.raises(ProgramError) as caught:
        weights.tensor([2, 2])
    assert (caught.value.found, caught.value.expected) == (found, expected)
