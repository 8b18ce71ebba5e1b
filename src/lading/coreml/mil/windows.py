"""Arithmetic of sliding windows: paddings and output sizes of convolution and pooling; batches.

Formulas: the operations' published specification (`conv`, `conv_transpose`, `avg_pool`).
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, TypeVar, cast

from torch import Tensor

from lading.errors import ProgramError

Pads = list[tuple[int, int]]
_F = TypeVar("_F", bound=Callable[..., Tensor])


def batched(spatial: Callable[[Any], int]) -> Callable[[_F], _F]:
    """Let an operation on (N, C, *D) take any number of dimensions before C, as neural networks of
    the older format have them: (C, *D), (N, C, *D), (S, N, C, *D).

    Args:
        spatial: how many the dimensions D are, from the operation's second argument.
    """

    def decorate(function: _F) -> _F:
        second = list(inspect.signature(function).parameters)[1]

        @wraps(function)
        def run(x: Tensor, *rest: Any, **named: Any) -> Tensor:
            kept = spatial(rest[0] if rest else named[second]) + 1
            if x.dim() == kept + 1:
                return function(x, *rest, **named)
            lead = x.shape[: x.dim() - kept]
            flat = x.reshape(math.prod(lead), *x.shape[x.dim() - kept :])
            result = function(flat, *rest, **named)
            return result.reshape(*lead, *result.shape[1:])

        return cast(_F, run)

    return decorate


def paddings(
    pad_type: str,
    pad: Sequence[int] | None,
    sizes: Sequence[int],
    kernel: Sequence[int],
    strides: Sequence[int],
    dilations: Sequence[int],
) -> Pads:
    """Elements before and after each spatial dimension.

    ``same`` gives ``ceil(size / stride)`` outputs, an odd element of padding at the end;
    ``same_lower`` has it at the beginning.

    >>> paddings("same", None, [5], [4], [2], [1])
    [(1, 2)]
    >>> paddings("same_lower", None, [5], [4], [2], [1])
    [(2, 1)]
    """
    count = len(sizes)
    if pad_type == "valid":
        return [(0, 0)] * count
    if pad_type == "custom":
        flat = list(pad) if pad is not None else [0] * 2 * count
        return [(flat[2 * i], flat[2 * i + 1]) for i in range(count)]
    if pad_type not in ("same", "same_lower"):
        raise ProgramError(
            "pad_type",
            found=pad_type,
            expected="valid, custom, same or same_lower",
            remedy="convert the model again",
        )
    result = []
    for n, k, s, d in zip(sizes, kernel, strides, dilations, strict=True):
        total = max(0, -(-n // s) * s - n + (k - 1) * d + 1 - s)
        small = total // 2
        result.append((small, total - small) if pad_type == "same" else (total - small, small))
    return result


def flat(pads: Pads) -> list[int]:
    """As `torch.nn.functional.pad` wants them: the last dimension first.

    >>> flat([(1, 2), (3, 4)])
    [3, 4, 1, 2]
    """
    return [n for pair in reversed(pads) for n in pair]


def symmetric(pads: Pads) -> bool:
    """Whether every dimension is padded alike on both sides."""
    return all(before == after for before, after in pads)


def pooled(size: int, pad: tuple[int, int], kernel: int, stride: int, ceil: bool) -> int:
    """Windows along one dimension of a pooling.

    >>> pooled(5, (0, 0), 2, 2, False), pooled(5, (0, 0), 2, 2, True)
    (2, 3)
    """
    total = size + sum(pad)
    if not ceil:
        return (total - kernel) // stride + 1
    count = (total - kernel + stride - 1) // stride + 1
    if (count - 1) * stride >= size + pad[0] and sum(pad) > 0:
        count -= 1
    return count
