"""Oracles of layers: convolution, pooling, normalisation, products, recurrence, packed weights."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch.nn import functional as F

from tests.coreml.mil.oracles.base import Draw, Pair, onnx, oracle, run, torchs

_PADS = {"valid": "VALID", "same": "SAME_UPPER", "same_lower": "SAME_LOWER", "custom": "NOTSET"}


def _windows(draw: Draw, *kinds: str) -> tuple[int, dict[str, Any], dict[str, Any]]:
    """Kernel, strides and padding: rank, MIL's parameters, ONNX's attributes."""
    rank = draw.number(1, 3)
    kernel = [draw.number(1, 3) for _ in range(rank)]
    strides = [draw.number(1, 3) for _ in range(rank)]
    kind = draw.of(kinds)
    ours: dict[str, Any] = {"strides": strides, "pad_type": kind}
    theirs: dict[str, Any] = {"strides": strides, "auto_pad": _PADS[kind], "kernel_shape": kernel}
    if kind == "custom":
        sides = [[draw.number(0, k - 1), draw.number(0, k - 1)] for k in kernel]
        ours["pad"] = [n for side in sides for n in side]
        theirs["pads"] = [side[0] for side in sides] + [side[1] for side in sides]
    return rank, ours, theirs


@oracle("conv", "conv_quantized")
def convolution(draw: Draw) -> Pair:
    rank, ours, theirs = _windows(draw, *_PADS)
    # ONNX Runtime has no dilation beside automatic padding; ops/test_conv.py has.
    most = 2 if ours["pad_type"] in ("valid", "custom") else 1
    dilations = [draw.number(1, most) for _ in range(rank)]
    groups, inputs, outputs = draw.number(1, 3), draw.number(1, 2), draw.number(1, 2)
    x = draw.floats(2, groups * inputs, *(draw.number(5, 8) for _ in range(rank)))
    shape = (groups * outputs, inputs, *theirs["kernel_shape"])
    bias = draw.floats(groups * outputs) if draw.flag() else None
    steps = draw.whole(*shape, low=-7, high=7)
    scale, shift = (draw.floats(groups * outputs, low=0.1) for _ in range(2))
    spread = (-1, *[1] * (len(shape) - 1))
    weight = steps * scale.reshape(spread) + shift.reshape(spread)
    more = {"dilations": dilations, "groups": groups, **ours}
    want = onnx("Conv", x, weight, bias, group=groups, dilations=dilations, **theirs)
    thin = [None if a is None else a.astype(np.float32) for a in (x, scale, shift, bias)]
    found = [run("conv", x, weight, bias=bias, **more)]
    found += [
        run("conv_quantized", thin[0], steps, "linear", thin[1], thin[2], bias=thin[3], **more)
    ]
    return found, [want, want]


@oracle("conv_transpose")
def transposed(draw: Draw) -> Pair:
    rank, ours, theirs = _windows(draw, "valid", "custom")
    if draw.flag():
        ours.pop("strides"), theirs.pop("strides")
    groups, inputs, outputs = draw.number(1, 2), draw.number(1, 2), draw.number(1, 2)
    x = draw.floats(1, groups * inputs, *(draw.number(3, 5) for _ in range(rank)))
    weight = draw.floats(groups * inputs, outputs, *theirs["kernel_shape"])
    bias = draw.floats(groups * outputs)
    dilations = [draw.number(1, 2) for _ in range(rank)]
    return (
        run("conv_transpose", x, weight, bias=bias, groups=groups, dilations=dilations, **ours),
        onnx("ConvTranspose", x, weight, bias, group=groups, dilations=dilations, **theirs),
    )


@oracle("avg_pool", "max_pool", "l2_pool")
def pooling(draw: Draw) -> Pair:
    rank, ours, theirs = _windows(draw, *_PADS)
    x = draw.floats(2, 2, *(draw.number(5, 8) for _ in range(rank)))
    kernel, exclude = theirs["kernel_shape"], draw.flag()
    if ours["pad_type"] in ("valid", "custom") and draw.flag():
        # A window that begins in the padding at the end is left out by one of the two.
        ends = theirs.get("pads", [0] * 2 * rank)
        sizes = [n + ends[i] + ends[i + rank] - kernel[i] for i, n in enumerate(x.shape[2:])]
        ceil = all(s % t == 0 for s, t in zip(sizes, theirs["strides"], strict=True))
        ours["ceil_mode"], theirs["ceil_mode"] = ceil, int(ceil)
    found = [
        run("avg_pool", x, kernel, exclude_padding_from_average=exclude, **ours),
        run("max_pool", x, kernel, **ours),
    ]
    want = [
        onnx("AveragePool", x, count_include_pad=int(not exclude), **theirs),
        onnx("MaxPool", x, **theirs),
    ]
    theirs.pop("ceil_mode", None)
    if not ours.get("ceil_mode"):
        found.append(run("l2_pool", x, kernel, **ours))
        want.append(onnx("LpPool", x, p=2, **theirs))
    return found, want


@oracle("batch_norm", "instance_norm", "layer_norm", "local_response_norm", "l2_norm")
def norms(draw: Draw) -> Pair:
    rank, channels, epsilon = draw.number(1, 3), draw.number(1, 4), draw.of([1e-5, 0.125])
    x = draw.floats(2, channels, *(draw.number(2, 5) for _ in range(rank)))
    # Far apart: by the root of a variance near 0, rounding itself would be divided.
    x += 4 * draw.rng.permutation(x.size).reshape(x.shape)
    gamma, beta, mean = (draw.floats(channels) for _ in range(3))
    variance = draw.floats(channels, low=0.1)
    axis = draw.number(-rank - 1, -1)
    sizes = x.shape[axis:]
    scale, shift = draw.floats(*sizes), draw.floats(*sizes)
    found = [
        run("batch_norm", x, mean, variance, gamma, beta, epsilon=epsilon),
        run("instance_norm", x, gamma, beta, epsilon=epsilon),
        run("layer_norm", x, list(range(axis, 0)), scale, shift, epsilon=epsilon),
    ]
    want = [
        onnx("BatchNormalization", x, gamma, beta, mean, variance, epsilon=epsilon),
        onnx("InstanceNormalization", x, gamma, beta, epsilon=epsilon),
        onnx("LayerNormalization", x, scale, shift, axis=axis, epsilon=epsilon),
    ]
    if rank > 1:
        size, alpha = draw.number(1, 5), draw.number(1, 8) / 8
        unit = x / np.abs(x).max()  # ONNX Runtime adds to and takes from one sum of float32
        found.append(run("local_response_norm", unit, size, alpha, 0.75, 2.0))
        want.append(F.local_response_norm(torchs(unit), size, alpha, 0.75, 2.0))
        if rank == 2 and size % 2:
            found.append(found[-1])
            want.append(onnx("LRN", unit, size=size, alpha=alpha, beta=0.75, bias=2.0))
        found.append(run("l2_norm", x, epsilon=0.0))
        flat = torchs(x).flatten(-3)
        want.append(F.normalize(flat, dim=-1, eps=0.0).reshape(x.shape))
    return found, want


@oracle("linear", "matmul", "einsum", "scaled_dot_product_attention")
def products(draw: Draw) -> Pair:
    b, n, m, k = (draw.number(1, 4) for _ in range(4))
    x, y, bias = draw.floats(b, n, k), draw.floats(b, k, m), draw.floats(m)
    turn_x, turn_y = draw.flag(), draw.flag()
    given = [x.swapaxes(1, 2) if turn_x else x, y.swapaxes(1, 2) if turn_y else y]
    letters = draw.of(["abc,acd->abd", "abc,acd->ad", "abc,acd->dab", "abc,acd->bd"])
    query, key, value = (draw.floats(2, b, s, k) for s in (n, m, m))
    mask = draw.floats(n, m)
    allowed = np.tril(np.ones((n, m), bool))  # every query sees the first key
    chosen, part = (allowed, np.where(allowed, 0, -np.inf)) if draw.flag() else (mask, mask)
    scores = np.einsum("abik,abjk->abij", query, key) / k**0.5 + part
    weights = onnx("Softmax", scores, axis=-1)
    return (
        [
            run("linear", x, y[0].T, bias),
            run("matmul", *given, transpose_x=turn_x, transpose_y=turn_y),
            run("einsum", [x, y], letters),
            run("scaled_dot_product_attention", query, key, value, chosen),
        ],
        [
            onnx("Gemm", x.reshape(-1, k), y[0], bias).reshape(b, n, m),
            onnx("MatMul", x, y),
            onnx("Einsum", x, y, equation=letters),
            onnx("MatMul", weights, value),
        ],
    )


# -------------------------------------------------------------------------------------- recurrence
_ACTS = {"tanh": "Tanh", "sigmoid": "Sigmoid", "relu": "Relu", "sigmoid_hard": "HardSigmoid"}


def _gates(matrix: Any, order: list[int]) -> Any:
    """Blocks of rows in another order."""
    return np.concatenate([np.split(matrix, len(order))[i] for i in order])


@oracle("rnn", "gru", "lstm")
def recurrence(draw: Draw) -> Pair:
    steps, batch, inputs, size = (draw.number(1, 4) for _ in range(4))
    x, h, c = draw.floats(steps, batch, inputs), draw.floats(batch, size), draw.floats(batch, size)
    way = draw.of(["forward", "reverse"])
    gate, act, out = (draw.of(list(_ACTS)) for _ in range(3))

    def weights(gates: int) -> list[Any]:
        shapes = ((gates * size, inputs), (gates * size, size), (gates * size,))
        return [draw.floats(*shape, low=-1, high=1) for shape in shapes]

    def reference(
        op: str, order: list[int], w: list[Any], biases: Any, *more: Any, **attributes: Any
    ) -> Any:
        w = [_gates(one, order)[None] for one in w[:2]]
        return onnx(op, x, *w, biases[None], None, h[None], *more, hidden_size=size, direction=way,
                    outputs=2 if op != "LSTM" else 3, **attributes)  # fmt: skip

    def pair(found: Any, reference_outputs: Any) -> None:
        sequence = reference_outputs[0][:, 0]
        # MIL gives the steps of a reversed sequence in the order in which they were made.
        ours.extend([found[0], *found[1:]])
        theirs.extend([sequence if way == "forward" else sequence[::-1]])
        theirs.extend(one[0] for one in reference_outputs[1:])

    ours: list[Any] = []
    theirs: list[Any] = []
    options: dict[str, Any] = {"direction": way, "output_sequence": True}
    w = weights(1)
    none = np.zeros_like(w[2])
    pair(
        run("rnn", x, h, *w, activation=act, **options),
        reference("RNN", [0], w, np.concatenate([w[2], none]), activations=[_ACTS[act]]),
    )
    w, after = weights(3), draw.flag()
    other = draw.floats(3 * size, low=-1, high=1)
    order = [2, 0, 1]  # ours: reset, new, update; ONNX's: update, reset, new
    both = np.concatenate([_gates(other, order), _gates(w[2], order)])
    pair(
        run("gru", x, h, *w, recurrent_activation=gate, activation=act, reset_after=after,
            input_bias=other, **options),
        reference("GRU", order, w, both, linear_before_reset=int(after),
                  activations=[_ACTS[gate], _ACTS[act]]),
    )  # fmt: skip
    w, peep = weights(4), draw.floats(3 * size, low=-1, high=1)
    order = [0, 2, 1, 3]  # ours: input, forget, output, cell; ONNX's: input, output, forget, cell
    both = np.concatenate([_gates(w[2], order), np.zeros(4 * size)])
    holes = _gates(peep, [0, 2, 1])
    pair(
        run("lstm", x, h, c, *w, peephole=peep, recurrent_activation=gate, cell_activation=act,
            activation=out, **options),
        reference("LSTM", order, w, both, c[None], holes[None],
                  activations=[_ACTS[one] for one in (gate, act, out)]),
    )  # fmt: skip
    return ours, theirs


@oracle("lstm")
def lstm_both_ways(draw: Draw) -> Pair:
    steps, batch, inputs, size = (draw.number(1, 4) for _ in range(4))
    x, start = draw.floats(steps, batch, inputs), draw.floats(2, batch, 2 * size)
    w = [
        [
            draw.floats(*shape, low=-1)
            for shape in ((4 * size, inputs), (4 * size, size), (4 * size,))
        ]
        for _ in range(2)
    ]
    order, sequence = [0, 2, 1, 3], draw.flag()
    stacked = [np.stack([_gates(one[i], order) for one in w]) for i in range(3)]
    biases = np.concatenate([stacked[2], np.zeros_like(stacked[2])], 1)
    halves = [np.stack(np.split(one, 2, 1)) for one in start]
    y, h, c = onnx("LSTM", x, stacked[0], stacked[1], biases, None, *halves, hidden_size=size,
                   direction="bidirectional", outputs=3)  # fmt: skip
    found = run("lstm", x, *start, *w[0], None, *w[1], direction="bidirectional",
                output_sequence=sequence)  # fmt: skip
    every = np.concatenate([y[:, 0], y[:, 1]], -1)
    ends = [np.concatenate(list(one), -1) for one in (h, c)]
    return found, [every if sequence else ends[0][None], *ends]


# ---------------------------------------------------------------------------------- packed weights
@oracle("quantize", "dequantize", "constexpr_affine_dequantize")
def quantised(draw: Draw) -> Pair:
    shape = draw.shape(2, 3)
    axis = draw.number(0, len(shape) - 1)
    count = () if draw.flag() else (shape[axis],)
    kind = draw.of(["int8", "uint8"])
    low = -128 if kind == "int8" else 0
    scale = draw.rng.uniform(0.05, 1, count).astype(np.float32)
    zero = draw.rng.integers(low, low + 256, count).astype(kind)
    x = draw.floats(*shape, low=-60, high=60).astype(np.float32)
    steps = run("quantize", x, scale, output_dtype=kind, zero_point=zero, axis=axis)
    want = onnx("QuantizeLinear", x, scale, zero, axis=axis)
    back = onnx("DequantizeLinear", want, scale, zero, axis=axis)
    return (
        [
            steps,
            run("dequantize", want, scale, zero, axis=axis),
            run("constexpr_affine_dequantize", want, zero, scale, axis),
        ],
        [want, back, back],
    )


@oracle("constexpr_blockwise_shift_scale", "constexpr_sparse_blockwise_shift_scale")
def blockwise(draw: Draw) -> Pair:
    rows, blocks, size = draw.number(1, 4), draw.number(1, 3), draw.number(1, 4)
    kind = draw.of(["int8", "uint8"])
    low = -128 if kind == "int8" else 0
    data = draw.rng.integers(low, low + 256, (rows, blocks * size)).astype(kind)
    scale = draw.floats(rows, blocks, low=0.1).astype(np.float32)
    offset = draw.rng.integers(low, low + 256, (rows, blocks)).astype(kind)
    want = onnx("DequantizeLinear", data, scale, offset, axis=1, block_size=size)
    mask = (draw.whole(*data.shape) > 0).astype(np.uint8)
    sparse = run("constexpr_sparse_blockwise_shift_scale", mask, data[mask > 0], scale, offset)
    return (
        [run("constexpr_blockwise_shift_scale", data, scale, offset), *sparse],
        [want, mask, want[mask > 0]],
    )


@oracle("constexpr_lut_to_dense", "constexpr_lut_to_sparse", "constexpr_sparse_to_dense",
        "constexpr_cast")  # fmt: skip
def tables_and_masks(draw: Draw) -> Pair:
    bits, rows, columns = draw.of([1, 2, 3, 4, 6, 8]), draw.number(1, 5), draw.number(1, 5)
    table = draw.floats(2**bits)
    indices = draw.rng.integers(0, 2**bits, (rows, columns)).astype(np.uint8)
    mask = (draw.whole(rows, columns) > 0).astype(np.uint8)
    dense = F.embedding(torchs(indices).long(), torchs(table)[:, None])[..., 0]
    kept = torch.masked_select(dense, torchs(mask) > 0)
    spread = torch.zeros_like(dense).masked_scatter(torchs(mask) > 0, kept)
    stream = (indices.reshape(-1, 1) >> np.arange(bits)) & 1
    packed = np.packbits(stream.astype(np.uint8).reshape(-1), bitorder="little")
    holes = np.packbits(mask.reshape(-1), bitorder="little")
    lut, shape = table.reshape(1, 1, -1, 1), [rows, columns]
    return (
        [
            run("constexpr_lut_to_dense", indices, lut),
            run("constexpr_lut_to_dense", packed, table, shape, opset="CoreML6"),
            *run("constexpr_lut_to_sparse", mask, indices[mask > 0], lut),
            run("constexpr_sparse_to_dense", kept.numpy(), mask),
            run("constexpr_sparse_to_dense", kept.numpy(), holes, shape, opset="CoreML6"),
            run("constexpr_cast", table, "fp32"),
        ],
        [dense, dense, mask, kept, spread, spread, onnx("Cast", table, to=11)],
    )
