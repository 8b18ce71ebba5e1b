"""Complex numbers as two real tensors: no converter has them, and Core ML has no such type.

Symptom: coremltools 9.0 knows ``fft`` and ``stft`` where their result is taken apart at once, on
the trace route alone ("Unsupported fx node _fft_r2c", ``KeyError: torch.complex64``); ONNX has
``DFT`` and no complex product. Checked with coremltools 9.0 and torch 2.13; it can go when both
carry complex values.

A discrete Fourier transform over n points is a product with the n x n matrix
``exp(-2πi·jk/n)``: two real products where the input is real, four where it is not.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import fx

aten = torch.ops.aten
#: What asks for a layout in memory that a value in another spelling need not have, and what does
#: not.
VIEWS: Mapping[Any, Any] = dict.fromkeys(
    (aten.view.default, aten._unsafe_view.default, aten.view_copy.default), torch.reshape
)


@dataclass
class Pair:
    """A complex tensor."""

    real: torch.Tensor
    imag: torch.Tensor

    def each(self, what: Callable[[torch.Tensor], torch.Tensor]) -> Pair:
        """The same done to both parts."""
        return Pair(what(self.real), what(self.imag))

    def dim(self) -> int:
        """As of a tensor."""
        return self.real.dim()


def paired(node: fx.Node, arguments: Any, keywords: Any) -> Any:
    """What an operator gives of complex values, in pairs.

    Raises:
        NotImplementedError: nobody has written it down.
    """
    name = str(node.target).removeprefix("aten.").split(".")[0]
    special = _SPECIAL.get(name)
    if special is not None:
        return special(*arguments, **keywords)
    if name in _LINEAR:
        return _by_parts(VIEWS.get(node.target, node.target), arguments, keywords)
    raise NotImplementedError(f"{name} of complex numbers: no converter has them")


def _pair(value: Any) -> Pair:
    if isinstance(value, Pair):
        return value
    if isinstance(value, complex):
        return Pair(torch.tensor(value.real), torch.tensor(value.imag))
    real = value if isinstance(value, torch.Tensor) else torch.tensor(float(value))
    return Pair(real, torch.zeros_like(real))


def _by_parts(operator: Any, arguments: Any, keywords: Any) -> Any:
    """An operator that only moves numbers or adds them up, on each part."""

    def part(which: str) -> Any:
        def take(value: Any) -> Any:
            return getattr(value, which) if isinstance(value, Pair) else value

        given = torch.utils._pytree.tree_map(
            take, (arguments, keywords), is_leaf=lambda one: isinstance(one, Pair)
        )
        return operator(*given[0], **given[1])

    real, imag = part("real"), part("imag")
    if isinstance(real, (list, tuple)):
        return [Pair(a, b) for a, b in zip(real, imag, strict=True)]
    return Pair(real, imag)


def _product(operator: Any) -> Callable[[Any, Any], Pair]:
    def multiply(a: Any, b: Any, *more: Any, **keywords: Any) -> Pair:
        if not isinstance(b, Pair) and not isinstance(b, complex):
            return _pair(a).each(lambda one: operator(one, b))
        if not isinstance(a, Pair) and not isinstance(a, complex):
            return _pair(b).each(lambda one: operator(a, one))
        a, b = _pair(a), _pair(b)
        real = operator(a.real, b.real) - operator(a.imag, b.imag)
        return Pair(real, operator(a.real, b.imag) + operator(a.imag, b.real))

    return multiply


def _quotient(a: Any, b: Any) -> Pair:
    if not isinstance(b, Pair) and not isinstance(b, complex):
        return _pair(a).each(lambda one: one / b)
    b = _pair(b)
    size = b.real * b.real + b.imag * b.imag
    over = Pair(b.real / size, -b.imag / size)
    return _product(torch.mul)(a, over)


def _sum(sign: int) -> Callable[..., Pair]:
    def add(a: Any, b: Any, *, alpha: float = 1) -> Pair:
        a, b, scale = _pair(a), _pair(b), sign * alpha
        return Pair(a.real + scale * b.real, a.imag + scale * b.imag)

    return add


def _size(z: Pair) -> torch.Tensor:
    return torch.sqrt(z.real * z.real + z.imag * z.imag)


def _angle(z: Pair) -> torch.Tensor:
    return arctan2(None, z.imag, z.real)


def arctan2(_: Any, y: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """By quadrant. coremltools 9.0 says it wrongly (apple/coremltools pull request 2769)."""
    zero = torch.zeros_like(x * y)
    turn = math.pi * torch.where(y < 0, zero - 1, zero + 1)
    base = torch.atan(y / torch.where(x == 0, zero + 1, x + zero))
    base = torch.where(x < 0, base + turn, base)
    up = torch.where(y == 0, zero, turn / 2)
    return torch.where(x == 0, up, base)


def _exp(z: Pair) -> Pair:
    size = torch.exp(z.real)
    return Pair(size * torch.cos(z.imag), size * torch.sin(z.imag))


def _power(z: Pair, exponent: Any) -> Any:
    if exponent == 2:
        return _product(torch.mul)(z, z)
    raise NotImplementedError(f"complex numbers to the power {exponent}: no converter has them")


# ------------------------------------------------------------------------------------- transforms
def table(points: int, kept: int, sign: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Real and imaginary part [points, kept] of ``exp(sign · 2πi · j·k / points)``."""
    angle = torch.arange(points, dtype=torch.float64)[:, None] * torch.arange(kept)[None]
    angle = 2 * math.pi * torch.remainder(angle, points) / points
    return torch.cos(angle).float(), (sign * torch.sin(angle)).float()


def _along(z: Pair, dim: int, kept: int, sign: int) -> Pair:
    """The sum over an axis with the table: the transform without its norm."""
    points = int(z.real.shape[dim])
    real, imag = table(points, kept, sign)
    last = z.each(lambda one: one.movedim(dim, -1))
    made = Pair(last.real @ real - last.imag @ imag, last.real @ imag + last.imag @ real)
    return made.each(lambda one: one.movedim(-1, dim))


def _norm(mode: int, points: int) -> float:
    """torch's three: as it is, by the root, by the number."""
    return {0: 1.0, 1: 1 / math.sqrt(points), 2: 1 / points}[mode]


def _points(value: torch.Tensor, dims: list[int]) -> int:
    return math.prod(int(value.shape[one]) for one in dims)


def _r2c(x: torch.Tensor, dim: list[int], normalization: int, onesided: bool) -> Pair:
    scale = _norm(normalization, _points(x, dim))
    points = int(x.shape[dim[-1]])
    real, imag = table(points, points // 2 + 1 if onesided else points, -1)
    last = x.movedim(dim[-1], -1)
    z = Pair(last @ real, last @ imag).each(lambda one: one.movedim(-1, dim[-1]))
    for one in reversed(dim[:-1]):
        z = _along(z, one, int(x.shape[one]), -1)
    return _scaled(z, scale)


def _c2c(z: Any, dim: list[int], normalization: int, forward: bool) -> Pair:
    z = _pair(z)
    scale = _norm(normalization, _points(z.real, dim))
    for one in dim:
        z = _along(z, one, int(z.real.shape[one]), -1 if forward else 1)
    return _scaled(z, scale)


def _scaled(z: Pair, scale: float) -> Pair:
    return z if scale == 1.0 else Pair(z.real * scale, z.imag * scale)


def _c2r(z: Any, dim: list[int], normalization: int, last_dim_size: int) -> torch.Tensor:
    """Half a spectrum back to numbers: what its mirrored half adds is in the weights 1 2 2 ... ."""
    z, size = _pair(z), int(last_dim_size)
    for one in dim[:-1]:
        z = _along(z, one, int(z.real.shape[one]), 1)
    kept = size // 2 + 1
    z = z.each(lambda one: one.narrow(dim[-1], 0, kept).movedim(dim[-1], -1))
    weight = torch.full((kept,), 2.0)
    weight[0] = 1.0
    if size % 2 == 0:
        weight[-1] = 1.0
    real, imag = table(size, kept, 1)
    made = z.real @ (real * weight).T.contiguous() - z.imag @ (imag * weight).T.contiguous()
    scale = _norm(normalization, _points(z.real, list(dim[:-1])) * size)
    back: torch.Tensor = made.movedim(-1, dim[-1]) * scale
    return back


_SPECIAL: dict[str, Callable[..., Any]] = {
    "_fft_r2c": _r2c, "_fft_c2c": _c2c, "_fft_c2r": _c2r,
    "view_as_real": lambda z: torch.stack([z.real, z.imag], -1),
    "view_as_real_copy": lambda z: torch.stack([z.real, z.imag], -1),
    "view_as_complex": lambda x: Pair(x[..., 0], x[..., 1]),
    "view_as_complex_copy": lambda x: Pair(x[..., 0], x[..., 1]),
    "complex": Pair, "polar": lambda size, turn: Pair(size * turn.cos(), size * turn.sin()),
    "real": lambda z: z.real, "imag": lambda z: z.imag, "abs": _size, "angle": _angle,
    "exp": _exp, "mul": _product(torch.mul), "mm": _product(torch.mm), "bmm": _product(torch.bmm),
    "matmul": _product(torch.matmul), "div": _quotient, "add": _sum(1), "sub": _sum(-1),
    "_conj": lambda z: Pair(z.real, -z.imag), "conj": lambda z: Pair(z.real, -z.imag),
    "_conj_physical": lambda z: Pair(z.real, -z.imag), "pow": _power,
    "conj_physical": lambda z: Pair(z.real, -z.imag), "resolve_conj": lambda z: z,
    "resolve_neg": lambda z: z, "reciprocal": lambda z: _quotient(1.0, z),
    "_to_copy": lambda z, **_: _pair(z), "is_complex": lambda z: True,
    "sgn": lambda z: _quotient(z, _size(z)),
}  # fmt: skip
#: What moves numbers, or adds them up.
_LINEAR = frozenset(
    {
        "neg", "slice", "select", "view", "reshape", "_unsafe_view", "permute", "transpose", "t",
        "unsqueeze", "squeeze", "cat", "stack", "expand", "clone", "alias", "alias_copy", "detach",
        "index", "index_select", "gather", "sum", "mean", "flatten", "unflatten", "movedim",
        "split", "split_with_sizes", "chunk", "narrow", "repeat", "flip", "roll", "unbind",
        "constant_pad_nd", "lift_fresh_copy", "lift_fresh", "slice_scatter", "select_scatter",
        "where", "getitem", "cumsum", "diagonal", "tril", "triu", "view_copy", "slice_copy",
        "expand_copy", "permute_copy", "unsqueeze_copy", "squeeze_copy", "transpose_copy",
    }
)  # fmt: skip
#: Complex values are spelled wherever one occurs.
SPELLING: Mapping[Any, Any] = {aten.atan2.default: arctan2}
