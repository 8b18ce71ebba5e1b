"""Layers against torch, numpy and the examples in the format's own description."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings

from lading.coreml.mil.evaluator import Plan
from lading.coreml.mil.features import Feature, Interface
from lading.coreml.neuralnetwork import lowering, registry
from lading.coreml.neuralnetwork.network import Layer, Network
from lading.coreml.neuralnetwork.weights import Weights
from lading.errors import ProgramError

Tensor = torch.Tensor


def layer(name: str, *inputs: Any, **parameters: Any) -> Any:
    """A layer's only result."""
    kind = registry.find(name)
    assert kind is not None
    names = tuple(f"x{place}" for place in range(len(inputs)))
    features = tuple(Feature(one, "multiArray", "float32") for one in names)
    network = Network(
        Path("it"), 4, "neuralNetwork", (Layer("it", kind, names, ("y",), parameters),),
        Interface(features, (Feature("y", "multiArray", "float32"),)), {}, (), "", {},
    )  # fmt: skip
    plan = Plan(lowering.program(network).functions["main"], "declared", {})
    return plan.run(dict(zip(names, inputs, strict=True)), None)["y"]


def stored(values: Any) -> Weights:
    return Weights(np.asarray(values, "<f4").tobytes())


def counted(*shape: int) -> Tensor:
    return torch.arange(float(np.prod(shape))).reshape(shape)


# ------------------------------------------------------------------------------ the description's
def test_reorganised_data() -> None:
    x = torch.arange(1.0, 17).reshape(8, 1, 2)
    depth = layer("reorganizeData", x, mode="DEPTH_TO_SPACE", block_size=2)
    first, second = [[1, 5, 2, 6], [9, 13, 10, 14]], [[3, 7, 4, 8], [11, 15, 12, 16]]
    assert depth.tolist() == [first, second]
    assert torch.equal(layer("reorganizeData", depth, mode="SPACE_TO_DEPTH", block_size=2), x)
    shuffled = layer("reorganizeData", x, mode="PIXEL_SHUFFLE", block_size=2)
    assert shuffled.tolist() == [
        [[1, 3, 2, 4], [5, 7, 6, 8]],
        [[9, 11, 10, 12], [13, 15, 14, 16]],
    ]


PADDED = {
    "constant": [[0] * 6, [0] * 6, [0, 0, 1, 2, 3, 4], [0, 0, 5, 6, 7, 8], [0, 0, 9, 10, 11, 12]],
    "reflection": [
        [11, 10, 9, 10, 11, 12],
        [7, 6, 5, 6, 7, 8],
        [3, 2, 1, 2, 3, 4],
        [7, 6, 5, 6, 7, 8],
        [11, 10, 9, 10, 11, 12],
    ],
    "replication": [
        [1, 1, 1, 2, 3, 4],
        [1, 1, 1, 2, 3, 4],
        [1, 1, 1, 2, 3, 4],
        [5, 5, 5, 6, 7, 8],
        [9, 9, 9, 10, 11, 12],
    ],
}


@pytest.mark.parametrize("kind", PADDED)
def test_padding(kind: str) -> None:
    borders = [{"start_edge_size": 2, "end_edge_size": 0}] * 2
    amounts = {"border_amounts": borders}
    x = torch.arange(1.0, 13).reshape(1, 3, 4)
    assert layer("padding", x, padding_amounts=amounts, **{kind: {}}).tolist() == [PADDED[kind]]


def test_slices() -> None:
    x = counted(5, 5, 5)
    common = {
        "begin_ids": [1, 2, 3], "begin_masks": [True, False, True],
        "end_ids": [3, -3, 2], "end_masks": [False, True, True], "strides": [2, 2, 2],
    }  # fmt: skip
    assert torch.equal(layer("sliceStatic", x, **common), x[:3:2, 2::2, ::2])
    squeezed = layer("sliceStatic", x, **common, squeeze_masks=[False, True, False])
    assert torch.equal(squeezed, x[:3:2, 2, ::2])


def test_constant_pads() -> None:
    x = counted(20, 10)
    assert layer("constantPad", x, pad_amounts=[0, 1, 4, 0]).shape == (21, 14)
    grown = layer(
        "constantPad", x, pad_amounts=[0, 21, 14, 0], pad_to_given_output_size_mode=True, value=7.0
    )
    assert torch.equal(grown, F.pad(x, (4, 0, 0, 1), value=7.0))


def test_reversed_sequences() -> None:
    x = counted(2, 4)
    lengths = torch.tensor([3.0, 0.0])
    result = layer("reverseSeq", x, lengths, batch_axis=0, sequence_axis=1)
    assert result.tolist() == [[2, 1, 0, 3], [4, 5, 6, 7]]


def test_running_sums() -> None:
    x = torch.tensor([4.0, 6.0, 7.0])
    flags = [(e, r) for e in (False, True) for r in (False, True)]
    sums = [layer("cumSum", x, exclude_final_sum=e, reverse=r).tolist() for e, r in flags]
    assert sums == [[4, 10, 17], [17, 13, 7], [0, 4, 10], [13, 7, 0]]


def test_one_hot() -> None:
    x = torch.tensor([2.0, -1.0])
    hot = layer("oneHot", x, one_hot_vector_size=4, axis=-1, on_value=5.0, off_value=-1.0)
    assert hot.tolist() == [[-1, -1, 5, -1], [-1, -1, -1, -1]]
    assert layer("oneHot", counted(10, 23), one_hot_vector_size=32, axis=1).shape == (10, 32, 23)


@pytest.mark.parametrize(
    ("shape", "axis", "flat"),
    [((3,), -1, (1, 3)), ((3,), 1, (3, 1)), ((5, 2), 0, (1, 10)), ((5, 5, 3), -2, (5, 15))],
)
def test_two_axes(shape: tuple[int, ...], axis: int, flat: tuple[int, ...]) -> None:
    assert layer("flattenTo2D", counted(*shape), axis=axis).shape == flat


def test_expanded_and_squeezed() -> None:
    x = counted(10, 5)
    for axes, shape in (
        ((0, 1), (1, 1, 10, 5)),
        ((0, 2), (1, 10, 1, 5)),
        ((-2, -1), (10, 5, 1, 1)),
    ):
        grown = layer("expandDims", x, axes=axes)
        assert grown.shape == shape
        assert torch.equal(layer("squeeze", grown, axes=axes), x)
    with pytest.raises(ProgramError, match="axis 0 of"):
        layer("squeeze", x, axes=[0])


def test_reshaping_that_keeps_the_rank() -> None:
    shape = layer("rankPreservingReshape", counted(10, 3, 5), target_shape=[25, 0, -1]).shape
    assert shape == (25, 3, 2)


def test_permuted() -> None:
    x = counted(2, 3, 4, 5, 6)
    assert layer("permute", x, axis=[0, 3, 1, 2]).shape == (2, 3, 6, 4, 5)
    assert layer("permute", x, axis=[3, 1, 2, 0]).shape == (6, 3, 4, 5, 2)


def test_interleaved() -> None:
    a, b = torch.tensor([[1.0, 2], [3, 4]]), torch.tensor([[7.0, 8], [9, 10]])
    joined = layer("concatND", a, b, axis=0, interleave=True)
    assert joined.tolist() == [[1, 2], [7, 8], [3, 4], [9, 10]]


# --------------------------------------------------------------------------------------- products
@pytest.mark.parametrize(
    ("shape", "out"),
    [((12,), (7,)), ((2, 12), (2, 7)), ((2, 3, 12), (2, 3, 7)), ((2, 3, 2, 2), (2, 7, 1, 1)),
     ((2, 5, 3, 2, 2), (2, 5, 7, 1, 1))],
)  # fmt: skip
def test_inner_product_of_every_rank(shape: tuple[int, ...], out: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    x, w = torch.randn(shape), torch.randn(7, 12)
    made = layer("innerProduct", x, input_channels=12, output_channels=7, weights=stored(w))
    assert made.shape == out
    torch.testing.assert_close(made.flatten(), (x.reshape(-1, 12) @ w.t()).flatten())


def test_a_matrix_by_columns() -> None:
    x, w = torch.randn(3, 4), torch.randn(4, 2)
    made = layer(
        "batchedMatmul", x, weights=stored(w.t().contiguous()), bias=stored([1.0, 2.0]),
        has_bias=True, weight_matrix_first_dimension=4, weight_matrix_second_dimension=2,
    )  # fmt: skip
    torch.testing.assert_close(made, x @ w + torch.tensor([1.0, 2.0]))


def test_vectors_become_matrices() -> None:
    x = counted(3)
    assert layer("batchedMatmul", x, x).tolist() == [[5.0]]


def test_embeddings() -> None:
    table, ids = torch.randn(6, 4), torch.tensor([[1.0], [5.0]])
    flat = stored(table.t().contiguous())
    rows = layer("embeddingND", ids, vocab_size=6, embedding_size=4, weights=flat)
    assert torch.equal(rows, table[[1, 5]])
    old = layer(
        "embedding", ids[..., None, None], input_dim=6, output_channels=4, weights=flat,
        has_bias=True, bias=stored([1.0] * 4),
    )  # fmt: skip
    assert torch.equal(old, (table[[1, 5]] + 1)[..., None, None])
    for bad in (6.0, -1.0):
        with pytest.raises(ProgramError, match="in a table of 6"):
            layer(
                "embeddingND", torch.tensor([[bad]]), vocab_size=6, embedding_size=4, weights=flat
            )


# ---------------------------------------------------------------------------------- convolutions
def borders(*pairs: tuple[int, int]) -> dict[str, Any]:
    edges = [{"start_edge_size": a, "end_edge_size": b} for a, b in pairs]
    return {"padding_amounts": {"border_amounts": edges}}


@given(
    size=st.integers(4, 9), kernel=st.integers(1, 4), stride=st.integers(1, 3),
    pads=st.tuples(st.integers(0, 2), st.integers(0, 2)), groups=st.sampled_from([1, 2]),
)  # fmt: skip
@settings(max_examples=40)
def test_convolution(size: int, kernel: int, stride: int, pads: Any, groups: int) -> None:
    torch.manual_seed(size)
    x, w = torch.randn(1, 4, size, size), torch.randn(6, 4 // groups, kernel, 1)
    made = layer(
        "convolution", x, output_channels=6, kernel_channels=4 // groups, weights=stored(w),
        n_groups=groups, kernel_size=[kernel, 1], stride=[stride, 1], valid=borders(pads, (0, 0)),
    )  # fmt: skip
    wanted = F.conv2d(F.pad(x, (0, 0, *pads)), w, stride=(stride, 1), groups=groups)
    torch.testing.assert_close(made, wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("mode", "first"), [("BOTTOM_RIGHT_HEAVY", 0), ("TOP_LEFT_HEAVY", 1)])
def test_same_padding_heavy_on_a_side(mode: str, first: int) -> None:
    x, w = torch.randn(1, 1, 6, 1), torch.randn(1, 1, 2, 1)
    made = layer(
        "convolution", x, output_channels=1, kernel_channels=1, weights=stored(w),
        kernel_size=[2, 1], same={"asymmetry_mode": mode},
    )  # fmt: skip
    torch.testing.assert_close(made, F.conv2d(F.pad(x, (0, 0, first, 1 - first)), w))


def test_more_axes_are_a_batch() -> None:
    x, w = torch.randn(2, 3, 4, 5, 5), torch.randn(2, 4, 3, 3)
    made = layer("convolution", x, output_channels=2, kernel_channels=4, weights=stored(w))
    torch.testing.assert_close(made[1, 2], F.conv2d(x[1, 2][None], w)[0])
    pooled = layer("pooling", x, type="MAX", kernel_size=[2, 2], stride=[2, 2])
    torch.testing.assert_close(pooled[1, 2], F.max_pool2d(x[1, 2], 2))


def test_global_pooling() -> None:
    x = torch.randn(2, 3, 4, 5)
    mean = layer("pooling", x, type="AVERAGE", global_pooling=True)
    torch.testing.assert_close(mean, x.mean((2, 3), keepdim=True))
    assert torch.equal(layer("globalPooling3d", x[None], type="MAX"), x[None].amax((2, 3, 4), True))


# -------------------------------------------------------------------------------------- resizing
@given(size=st.integers(2, 6), factor=st.integers(1, 4))
@settings(max_examples=30)
def test_upsampling(size: int, factor: int) -> None:
    x = torch.randn(1, 2, size, size + 1)
    grow = {"scaling_factor": [factor, factor]}
    near = layer("upsample", x, **grow)
    assert torch.equal(near, F.interpolate(x, scale_factor=factor, mode="nearest"))
    for mode, corners in (("ALIGN_CORNERS_TRUE", True), ("ALIGN_CORNERS_FALSE", False)):
        made = layer("upsample", x, **grow, mode="BILINEAR", linear_upsample_mode=mode)
        wanted = F.interpolate(x, scale_factor=factor, mode="bilinear", align_corners=corners)
        torch.testing.assert_close(made, wanted, rtol=1e-5, atol=1e-5)


@given(before=st.integers(2, 7), after=st.integers(2, 9))
@settings(max_examples=30)
def test_resizing(before: int, after: int) -> None:
    x = torch.randn(1, 2, before, 3)
    for method in ("STRICT_ALIGN_ENDPOINTS_MODE", "ALIGN_ENDPOINTS_MODE"):
        mode = {"sampling_method": method}
        made = layer("resizeBilinear", x, target_size=[after, 3], mode=mode)
        wanted = F.interpolate(x, (after, 3), mode="bilinear", align_corners=True)
        torch.testing.assert_close(made, wanted, rtol=1e-5, atol=1e-5)


# ------------------------------------------------------------------------------------ normalising
def test_normalisation() -> None:
    x = 3 * torch.randn(2, 4, 3, 5) + 1
    gamma, beta = torch.randn(4), torch.randn(4)
    ours = {"channels": 4, "gamma": stored(gamma), "beta": stored(beta)}
    instance = layer("batchnorm", x, **ours, compute_mean_var=True, instance_normalization=True)
    torch.testing.assert_close(instance, F.instance_norm(x, weight=gamma, bias=beta, eps=1e-5))
    batch = layer("batchnorm", x, **ours, compute_mean_var=True)
    torch.testing.assert_close(batch, F.batch_norm(x, None, None, gamma, beta, training=True))
    channels = layer("mvn", x, normalize_variance=True, epsilon=1e-5)
    torch.testing.assert_close(channels, F.instance_norm(x, eps=1e-5))
    across = layer("mvn", x, normalize_variance=True, across_channels=True, epsilon=1e-5)
    torch.testing.assert_close(across, F.layer_norm(x, x.shape[1:], eps=1e-5))
    torch.testing.assert_close(layer("mvn", x), x - x.mean((2, 3), keepdim=True))
    local = layer("lrn", x, alpha=0.5, beta=0.75, local_size=3, k=2.0)
    torch.testing.assert_close(local, F.local_response_norm(x, 3, 0.5, 0.75, 2.0))


# ------------------------------------------------------------------------------------ element-wise
@pytest.mark.parametrize(
    ("kind", "function"),
    [("SQRT", np.sqrt), ("EXP", np.exp), ("LOG", np.log), ("ABS", np.abs),
     ("RSQRT", lambda v: 1 / np.sqrt(v + 1e-6)), ("INVERSE", lambda v: 1 / (v + 1e-6)),
     ("POWER", lambda v: v**1.5), ("THRESHOLD", lambda v: np.maximum(v, 1.5))],
)  # fmt: skip
def test_unary(kind: str, function: Any) -> None:
    x = torch.linspace(0.1, 3, 9)
    made = layer("unary", x, type=kind, alpha=1.5, shift=0.25, scale=2.0)
    np.testing.assert_allclose(made.numpy(), function(2 * x.numpy() + 0.25), rtol=1e-5)


def test_numbers_in_place_of_a_second_input() -> None:
    x = torch.tensor([1.0, 2.0, 3.0])
    kinds = ("lessThan", "lessEqual", "equal", "notEqual", "greaterEqual", "greaterThan")
    made = [layer(kind, x, alpha=2.0).tolist() for kind in kinds]
    assert made == [[1, 0, 0], [1, 1, 0], [0, 1, 0], [1, 0, 1], [0, 1, 1], [0, 0, 1]]
    assert layer("add", x, alpha=2.0).tolist() == [3, 4, 5]
    assert layer("multiply", x, alpha=2.0).tolist() == [2, 4, 6]


def test_scales_and_biases() -> None:
    x = torch.randn(2, 3, 4, 5)
    c, hw = torch.randn(3), torch.randn(1, 4, 5)
    made = layer(
        "scale", x, shape_scale=[3], scale=stored(c), has_bias=True, shape_bias=[1, 4, 5],
        bias=stored(hw),
    )  # fmt: skip
    torch.testing.assert_close(made, x * c[:, None, None] + hw)
    torch.testing.assert_close(layer("bias", x, shape=[1], bias=stored([2.0])), x + 2)


# ---------------------------------------------------------------------------- gather and scatter
@given(axis=st.integers(-3, 2), data=st.data())
@settings(max_examples=30)
def test_gathering(axis: int, data: st.DataObject) -> None:
    x = counted(3, 4, 5)
    size = x.shape[axis]
    places = data.draw(st.lists(st.integers(-size, size - 1), min_size=4, max_size=4))
    indices = torch.tensor(places, dtype=torch.float32).reshape(2, 2)
    made = layer("gather", x, indices, axis=axis)
    np.testing.assert_array_equal(made, np.take(x.numpy(), indices.long().numpy(), axis))


def test_a_place_that_is_not_there() -> None:
    with pytest.raises(ProgramError, match="index 3 in a dimension of size 3"):
        layer("gather", counted(3), torch.tensor([3.0]))


def test_scattering() -> None:
    x, places = torch.ones(4, 3), torch.tensor([1.0, 1.0])
    updates = torch.tensor([[1.0, 2, 3], [10, 20, 30]])
    made = layer("scatter", x, places, updates, axis=0, mode="SCATTER_ADD")
    assert made.tolist() == [[1, 1, 1], [12, 23, 34], [1, 1, 1], [1, 1, 1]]
    assert x.sum() == 12, "the input is not changed"
    along = layer("scatterAlongAxis", x, torch.zeros(1, 3), torch.full((1, 3), 5.0), axis=0)
    assert along[0].tolist() == [5, 5, 5]
