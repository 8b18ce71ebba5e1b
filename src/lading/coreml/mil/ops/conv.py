"""Convolution, its transpose, and pooling, over 1 to 3 spatial dimensions."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from lading.coreml.mil.registry import exact, fresh
from lading.coreml.mil.windows import Pads, batched, flat, paddings, pooled, symmetric

_CONV = (None, torch.conv1d, torch.conv2d, torch.conv3d)
_TRANSPOSE = (None, torch.conv_transpose1d, torch.conv_transpose2d, torch.conv_transpose3d)


def _of_weight(weight: Tensor) -> int:
    return weight.dim() - 2


@fresh
@batched(_of_weight)
def conv(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    strides: Sequence[int] | None = None,
    pad_type: str = "valid",
    pad: Sequence[int] | None = None,
    dilations: Sequence[int] | None = None,
    groups: int = 1,
) -> Tensor:
    """Cross-correlation: x (N, C, *D), weight (C_out, C / groups, *K)."""
    rank = x.dim() - 2
    strides, dilations = strides or [1] * rank, dilations or [1] * rank
    pads = paddings(pad_type, pad, x.shape[2:], weight.shape[2:], strides, dilations)
    if symmetric(pads):
        padding = [before for before, _ in pads]
    else:
        x, padding = F.pad(x, flat(pads)), [0] * rank
    return _CONV[rank](x, weight, bias, strides, padding, dilations, groups)  # type: ignore[misc]


def conv_quantized(
    x: Tensor,
    weight: Tensor,
    quantization_type: str,
    quant_scale: Tensor,
    quant_bias: Tensor,
    bias: Tensor | None = None,
    nbits: int = 8,
    strides: Sequence[int] | None = None,
    pad_type: str = "valid",
    pad: Sequence[int] | None = None,
    dilations: Sequence[int] | None = None,
    groups: int = 1,
) -> Tensor:
    """`conv` with ``weight · quant_scale + quant_bias``, scale and bias per output channel."""
    if quantization_type != "linear":
        raise NotImplementedError(f"quantization_type {quantization_type}, which no opset defines")
    shape = (-1, *[1] * (weight.dim() - 1))
    scale, offset = quant_scale.reshape(shape), quant_bias.reshape(shape)
    wide = weight.float() * scale + offset
    thin = None if bias is None else bias.float()
    return conv(x, wide, thin, strides, pad_type, pad, dilations, groups)


@fresh
@batched(_of_weight)
def conv_transpose(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    pad: Sequence[int] | None = None,
    output_shape: Sequence[int] | None = None,
    pad_type: str = "valid",
    strides: Sequence[int] | None = None,
    dilations: Sequence[int] | None = None,
    groups: int = 1,
) -> Tensor:
    """The adjoint of `conv`: weight (C, C_out / groups, *K).

    The full result is cropped by `pad`; ``same`` and `output_shape` choose the crop whose forward
    convolution has that shape. Where it must be longer than the full result, the rest is `bias`.
    """
    rank = x.dim() - 2
    strides, dilations = strides or [1] * rank, dilations or [1] * rank
    kernel = [(k - 1) * d + 1 for k, d in zip(weight.shape[2:], dilations, strict=True)]
    full = [(n - 1) * s + k for n, s, k in zip(x.shape[2:], strides, kernel, strict=True)]
    pads = [(0, 0)] * rank
    if pad_type == "custom" and pad is not None:
        pads = [(pad[2 * i], pad[2 * i + 1]) for i in range(rank)]
    sizes = [n - sum(p) for n, p in zip(full, pads, strict=True)]
    if pad_type.startswith("same"):
        sizes = [n * s for n, s in zip(x.shape[2:], strides, strict=True)]
    if output_shape is not None:
        sizes = list(output_shape)[-rank:]
    starts = [before for before, _ in pads]
    if pad_type.startswith("same"):
        odd = 1 if pad_type == "same_lower" else 0
        starts = [(max(0, f - n) + odd) // 2 for f, n in zip(full, sizes, strict=True)]
    extra = [n - (f - 2 * b) for n, f, b in zip(sizes, full, starts, strict=True)]
    run = _TRANSPOSE[rank]
    assert run is not None
    if all(0 <= e < max(s, d) for e, s, d in zip(extra, strides, dilations, strict=True)):
        return run(x, weight, bias, strides, starts, extra, groups, dilations)
    result = run(x, weight, None, strides, 0, 0, groups, dilations)
    ends = [b + n - f for b, n, f in zip(starts, sizes, full, strict=True)]
    result = F.pad(result, flat([(-b, e) for b, e in zip(starts, ends, strict=True)]))
    return result if bias is None else result + bias.reshape(-1, *[1] * rank)


# --------------------------------------------------------------------------------------- pooling
def _prepared(
    x: Tensor,
    kernel_sizes: Sequence[int],
    strides: Sequence[int] | None,
    pad_type: str,
    pad: Sequence[int] | None,
    ceil_mode: bool,
) -> tuple[Sequence[int], Pads, Pads]:
    """Strides, the paddings, and the paddings that make all windows whole in ceil mode."""
    rank = x.dim() - 2
    strides = strides or [1] * rank
    pads = paddings(pad_type.lower(), pad, x.shape[2:], kernel_sizes, strides, [1] * rank)
    whole = []
    for n, p, k, s in zip(x.shape[2:], pads, kernel_sizes, strides, strict=True):
        reach = (pooled(n, p, k, s, ceil_mode) - 1) * s + k
        # Negative where the last windows leave elements unread: the same number of windows.
        whole.append((p[0], reach - n - p[0]))
    return strides, pads, whole


def _sums(x: Tensor, kernel: Sequence[int], strides: Sequence[int]) -> Tensor:
    """The sum over each window of `x`."""
    rank = x.dim() - 2
    if rank == 3:
        return F.avg_pool3d(x, list(kernel), list(strides), divisor_override=1)
    if rank == 2:
        return F.avg_pool2d(x, list(kernel), list(strides), divisor_override=1)
    return F.avg_pool2d(x[:, :, None], [1, *kernel], [1, *strides], divisor_override=1)[:, :, 0]


@batched(len)
def avg_pool(
    x: Tensor,
    kernel_sizes: Sequence[int],
    pad_type: str,
    strides: Sequence[int] | None = None,
    pad: Sequence[int] | None = None,
    exclude_padding_from_average: bool = False,
    ceil_mode: bool = False,
) -> Tensor:
    """The mean over each window; what `ceil_mode` adds beyond the padding never counts."""
    strides, pads, whole = _prepared(x, kernel_sizes, strides, pad_type, pad, ceil_mode)
    padded = F.pad(x, flat(whole))
    if not any(map(sum, pads)) and whole <= pads:
        count = 1.0
        for k in kernel_sizes:
            count *= k
        return _sums(padded, kernel_sizes, strides) / count
    ones = x.new_ones(1, 1, *x.shape[2:])
    if not exclude_padding_from_average:
        ones = F.pad(ones, flat(pads), value=1.0)
        rest = [(0, all_[1] - p[1]) for all_, p in zip(whole, pads, strict=True)]
        ones = F.pad(ones, flat(rest))
    else:
        ones = F.pad(ones, flat(whole))
    return _sums(padded, kernel_sizes, strides) / _sums(ones, kernel_sizes, strides)


@batched(len)
def l2_pool(
    x: Tensor,
    kernel_sizes: Sequence[int],
    pad_type: str,
    strides: Sequence[int] | None = None,
    pad: Sequence[int] | None = None,
    ceil_mode: bool = False,
) -> Tensor:
    """The square root of the sum of squares over each window."""
    strides, _, whole = _prepared(x, kernel_sizes, strides, pad_type, pad, ceil_mode)
    return _sums(F.pad(x, flat(whole)).square(), kernel_sizes, strides).sqrt()


@exact
@batched(len)
def max_pool(
    x: Tensor,
    kernel_sizes: Sequence[int],
    pad_type: str,
    strides: Sequence[int] | None = None,
    pad: Sequence[int] | None = None,
    ceil_mode: bool = False,
) -> Tensor:
    """The greatest element of each window; padding never is."""
    strides, _, whole = _prepared(x, kernel_sizes, strides, pad_type, pad, ceil_mode)
    if any(map(any, whole)):
        x = F.pad(x, flat(whole), value=float("-inf"))
    run = (None, F.max_pool1d, F.max_pool2d, F.max_pool3d)[x.dim() - 2]
    assert run is not None
    result: Tensor = run(x, list(kernel_sizes), list(strides))
    return result
