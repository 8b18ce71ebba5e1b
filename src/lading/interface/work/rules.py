"""Multiply-accumulates (MACs) by the sizes of operands; one formula a kind of operation.

One MAC is one product added to a sum, two floating-point operations. Biases are left out, as by
torch's own counter (`torch.utils.flop_counter`), which counts twice these numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

Shape = Sequence[int]


def conv(out: Shape, weight: Shape) -> int:
    """Every output element is a sum over the kernel and the channels of its group.

    Args:
        out: ``[N, C_out, *spatial]``.
        weight: ``[C_out, C_in / groups, *kernel]``.

    Source: torch's `Conv2d`, "Shape"; Dumoulin and Visin, "A guide to convolution arithmetic for
    deep learning", 2016 (arXiv:1603.07285).

    >>> conv((1, 8, 30, 30), (8, 3, 3, 3))
    194400
    """
    return prod(out) * prod(weight[1:])


def conv_transpose(x: Shape, weight: Shape) -> int:
    """Every input element goes into the whole kernel of every output channel of its group.

    Args:
        x: the input ``[N, C_in, *spatial]``.
        weight: ``[C_in, C_out / groups, *kernel]``.

    Source: as `conv`, of which it is the transpose.

    >>> conv_transpose((1, 8, 4, 4), (8, 2, 2, 2))
    1024
    """
    return prod(x) * prod(weight[1:])


def matmul(out: Shape, inner: int) -> int:
    """Every output element is an inner product of `inner` numbers; a linear layer too.

    >>> matmul((2, 5, 7), 3)
    210
    """
    return prod(out) * inner


def einsum(equation: str, shapes: Sequence[Shape]) -> int:
    """One product for every combination of all indices.

    Args:
        equation: as numpy's and torch's, ``"...ij,jk->...ik"``; its left side is what counts.
        shapes: of the operands.

    Source: the definition of Einstein's summation in `numpy.einsum`.

    >>> einsum("bhqd,bhkd->bhqk", [(1, 2, 5, 4), (1, 2, 6, 4)])
    240
    >>> einsum("...ij,jk", [(3, 2, 4), (4, 5)])
    120
    """
    sizes: dict[str, int] = {}
    for term, shape in zip(
        equation.replace(" ", "").partition("->")[0].split(","), shapes, strict=True
    ):
        before, dots, after = term.partition("...")
        rest = len(shape) - len(before) - len(after)
        if rest < 0 or (rest and not dots):
            raise ValueError(f"{term} of a value of {len(shape)} axes")
        # open axes are named from the end, where they meet
        letters = [*before, *(f".{n}" for n in range(rest, 0, -1)), *after]
        for letter, size in zip(letters, shape, strict=True):
            sizes[letter] = max(size, sizes.get(letter, 1))
    return prod(sizes.values())


def recurrent(steps: int, weights: Sequence[Shape]) -> int:
    """Every step of every sequence meets every weight of every gate and direction once.

    Args:
        steps: steps times sequences.
        weights: input and hidden weights, of both directions where there are two.

    Source: the equations in torch's `LSTM`, `GRU` and `RNN`; an LSTM's weights are
    ``[4 · H, I]`` and ``[4 · H, H]``.

    >>> recurrent(10, [(4 * 6, 5), (4 * 6, 6)])
    2640
    """
    return steps * sum(map(prod, weights))


def attention(query: Shape, key: Shape, value: Shape) -> int:
    """Scores of every query with every key, and the sum of values that they weigh.

    Args:
        query: ``[*batch, L, E]``.
        key: ``[*batch, S, E]``.
        value: ``[*batch, S, V]``.

    Source: Vaswani et al., "Attention Is All You Need", 2017 (arXiv:1706.03762), equation 1.

    >>> attention((1, 2, 5, 4), (1, 2, 6, 4), (1, 2, 6, 3))
    420
    """
    return prod(query[:-1]) * key[-2] * (query[-1] + value[-1])
