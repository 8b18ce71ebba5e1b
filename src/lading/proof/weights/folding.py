"""Constants that follow from tensors by a formula: each is recomputed and compared.

A converter may join a norm to the convolution before it, take a square root, scale a query once and
for all. What is left in the file is no tensor of the checkpoint, and can be shown to follow from
them: `Formulas` computes what could have been left and says what it found.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from lading.interface.side import Array
from lading.proof.weights.origins import Origins

#: A formula evaluated twice in fp32, in another order: a few roundings of the largest value.
ROUNDINGS = 16
EPSILONS = (1e-5, 1e-3, 1e-4, 1e-6, 1e-12, 1e-8, 1e-2, 0.0)
#: Longest vector that is tried in sums of two: nothing more than a recurrent layer's bias.
LONGEST = 65_536
_HALF = ("float16",)


@dataclass(frozen=True)
class Derived:
    """A value that follows from `tensors`, and how, in words."""

    values: Array
    tensors: tuple[str, ...]
    formula: str


class Formulas:
    """What a converter may have computed from a checkpoint's tensors."""

    def __init__(self, origins: Origins) -> None:
        self.origins = origins
        self._by_size: dict[int, list[Derived]] | None = None

    def find(self, values: Array) -> Derived | None:
        """What `values` follows from, or None."""
        if values.dtype.kind != "f" or not values.size:
            return None
        for one in self._candidates(values):
            if _equal(values, one.values):
                return one
        return None

    def _candidates(self, values: Array) -> Iterator[Derived]:
        yield from self._small().get(values.size, ())
        yield from self._normed(values)
        yield from self._scaled(values)
        if values.ndim <= 3 and values.size <= LONGEST:
            yield from self._sums(values)

    # -------------------------------------------------------------------------------- the table
    def _small(self) -> dict[int, list[Derived]]:
        """Norms without their convolution, and functions of scalars; few and short."""
        if self._by_size is None:
            self._by_size = {}
            for stem in self._norms():
                for eps in EPSILONS:
                    scale, shift = self._affine(stem, eps)
                    names = self._parts(stem)
                    formula = f"of the batch norm {stem} with epsilon {eps:g}"
                    for array, what in (
                        (scale, "scale"),
                        (shift, "shift"),
                        (1 / np.sqrt(self._wide(f"{stem}.running_var") + eps), "1/deviation"),
                        (np.sqrt(self._wide(f"{stem}.running_var") + eps), "deviation"),
                        (self._wide(f"{stem}.running_var") + eps, "variance plus epsilon"),
                    ):
                        self._add(Derived(array, names, f"{what} {formula}"))
            scalars = [n for n in self.origins.alike("float32") if self._count(n) <= 4]
            for name in scalars:
                x = self._wide(name).reshape(-1)
                for what, array in _functions(x):
                    self._add(Derived(array, (name,), f"{what} of {name}"))
            if len(scalars) <= 64:
                for a, b in itertools.combinations(scalars, 2):
                    if self._count(a) == self._count(b):
                        x, y = self._wide(a).reshape(-1), self._wide(b).reshape(-1)
                        for what, array in _of_two(x, y):
                            self._add(Derived(array, (a, b), f"{what} of {a} and {b}"))
        return self._by_size

    def _add(self, one: Derived) -> None:
        assert self._by_size is not None
        self._by_size.setdefault(one.values.size, []).append(one)

    # --------------------------------------------------------------------------- joined with norm
    def _normed(self, values: Array) -> Iterator[Derived]:
        """A convolution's weight or bias with a batch norm behind it: w·γ/√(σ²+ε) along the output
        channels, and (b - µ)·γ/√(σ²+ε) + β. A normalised weight: g·v/‖v‖."""
        stems = self._norms()
        for stem in stems:
            if values.size == self._count(f"{stem}.running_var"):
                yield from self._biases(values, stem)
        for name in self.origins.alike("float32") if stems else ():
            if self._count(name) != values.size or self.origins.tensors[name].ndim < 2:
                continue
            weight = self._wide(name)
            for axis, swapped in ((0, False), (1, False), (1, True), (0, True)):
                turned = weight.swapaxes(0, 1) if swapped else weight
                if not _same_direction(values, turned, 1 - axis if swapped else axis):
                    continue
                yield from self._joined(name, weight, axis, swapped)
        yield from self._unit(values)

    def _joined(self, name: str, weight: Array, axis: int, swapped: bool) -> Iterator[Derived]:
        """One weight with every batch norm of its output channels."""
        shape = [-1 if d == axis else 1 for d in range(weight.ndim)]
        for stem in self._norms():
            if self._count(f"{stem}.running_var") != weight.shape[axis]:
                continue
            for eps in EPSILONS:
                folded = weight * self._affine(stem, eps)[0].reshape(shape)
                formula = f"{name} joined with the batch norm {stem}, epsilon {eps:g}"
                value = folded.swapaxes(0, 1) if swapped else folded
                yield Derived(value, (name, *self._parts(stem)), formula)

    def _biases(self, values: Array, stem: str) -> Iterator[Derived]:
        names = [
            n
            for n in self.origins.alike("float32")
            if self._count(n) == values.size and n.rpartition(".")[2] == "bias"
        ]
        for eps in EPSILONS:
            scale, shift = self._affine(stem, eps)
            for name in names:
                if name == f"{stem}.bias":
                    continue
                formula = f"{name} joined with the batch norm {stem}, epsilon {eps:g}"
                value = self._wide(name) * scale + shift
                yield Derived(value, (name, *self._parts(stem)), formula)

    def _unit(self, values: Array) -> Iterator[Derived]:
        """Weight normalisation: g·v/‖v‖ per index of the first axis (arXiv 1602.07868)."""
        for name in self.origins.alike("float32"):
            stem, _, last = name.rpartition("weight_v")
            other = f"{stem}weight_g"
            if last or not name.endswith("weight_v"):
                stem, _, _ = name.rpartition("original1")
                other = f"{stem}original0"
                if not name.endswith("weight.original1"):
                    continue
            if other not in self.origins.tensors or self._count(name) != values.size:
                continue
            g, v = self._wide(other), self._wide(name)
            axes = tuple(d for d in range(v.ndim) if g.shape[d] == 1)
            yield Derived(
                g * v / np.sqrt((v * v).sum(axis=axes, keepdims=True)),
                (name, other),
                f"{name} normalised and scaled by {other}",
            )

    # --------------------------------------------------------------------------- scaled and summed
    def _scaled(self, values: Array) -> Iterator[Derived]:
        """A tensor times a root of a whole number, as attention scales its queries."""
        flat = values.astype(np.float64).reshape(-1)
        place = int(np.argmax(np.abs(flat)))
        for name in self.origins.alike("float32"):
            if self._count(name) != values.size or not self._plausible(name, flat):
                continue
            tensor = self._wide(name)
            for array in (tensor, tensor.transpose()) if tensor.ndim == 2 else (tensor,):
                other = array.reshape(-1)
                if not other[place] or not flat[place]:
                    continue
                factor = abs(float(flat[place] / other[place]))
                for text, known in roots(factor):
                    if abs(known - factor) <= 2e-3 * factor:
                        yield Derived(array * known, (name,), f"{name} times {text}")
                        yield Derived(-array * known, (name,), f"{name} times -{text}")

    def _plausible(self, name: str, flat: Array) -> bool:
        """Whether `flat` may be a multiple of a tensor, by two of its elements; quick to refuse."""
        tensor = self.origins.tensors[name]
        if tensor.ndim == 2 or not tensor.is_contiguous():
            return True
        places = [int(np.argmax(np.abs(flat))), int(np.argmin(flat)), int(np.argmax(flat))]
        some = tensor.reshape(-1)[places].double().numpy()
        ratio = flat[places] * some[0] - some * flat[places[0]]
        return bool((np.abs(ratio) <= 1e-2 * np.abs(flat[places[0]] * some[0])).all())

    def _sums(self, values: Array) -> Iterator[Derived]:
        """Two biases that are always added, as of a recurrent layer."""
        names = [n for n in self.origins.alike("float32") if self._count(n) == values.size]
        pairs = [(n, n.replace("bias_ih", "bias_hh")) for n in names if "bias_ih" in n]
        for a, b in pairs:
            if b in self.origins.tensors and self._count(b) == values.size:
                total = (self._wide(a) + self._wide(b)).reshape(4, -1) if _fours(values) else None
                formula = f"{a} plus {b}"
                yield Derived(self._wide(a) + self._wide(b), (a, b), formula)
                if total is not None:  # input, forget, cell, output in another order
                    for order in ((0, 1, 3, 2), (0, 3, 1, 2)):
                        value = total[list(order)].reshape(-1)
                        yield Derived(value, (a, b), f"{formula}, by gates")

    # ------------------------------------------------------------------------------------- pieces
    def _norms(self) -> list[str]:
        return [
            n.removesuffix(".running_var")
            for n in self.origins.tensors
            if n.endswith("running_var")
        ]

    def _parts(self, stem: str) -> tuple[str, ...]:
        names = (f"{stem}.{part}" for part in ("weight", "bias", "running_mean", "running_var"))
        return tuple(name for name in names if name in self.origins.tensors)

    def _affine(self, stem: str, eps: float) -> tuple[Array, Array]:
        """γ/√(σ²+ε) and β - µ·γ/√(σ²+ε)."""
        known = self.origins.tensors
        with np.errstate(divide="ignore"):
            scale = 1 / np.sqrt(self._wide(f"{stem}.running_var") + eps)
        if f"{stem}.weight" in known:
            scale = scale * self._wide(f"{stem}.weight")
        shift = -self._wide(f"{stem}.running_mean") * scale
        if f"{stem}.bias" in known:
            shift = shift + self._wide(f"{stem}.bias")
        return scale, shift

    def _wide(self, name: str) -> Array:
        return self.origins.cast(name, "float64")

    def _count(self, name: str) -> int:
        return self.origins.tensors[name].numel()


def _same_direction(values: Array, weight: Array, axis: int) -> bool:
    """Whether the first output channel of both is the same but for a factor: quick to refuse."""
    if weight.shape[axis] < 2:
        return True
    mine = values.astype(np.float64).reshape(weight.shape).take(0, axis).reshape(-1)
    other = weight.take(0, axis).reshape(-1)
    sizes = float(np.linalg.norm(mine)) * float(np.linalg.norm(other))
    # float16 turns a direction by its epsilon at most
    return sizes == 0.0 or abs(float(mine @ other)) >= (1 - 1e-3) * sizes


def _fours(values: Array) -> bool:
    return values.size % 4 == 0


def _functions(x: Array) -> Iterator[tuple[str, Array]]:
    with np.errstate(all="ignore"):
        yield "the sigmoid", 1 / (1 + np.exp(-x))
        yield "the exponential", np.exp(x)
        yield "the hyperbolic tangent", np.tanh(x)
        yield "softplus", np.log1p(np.exp(x))
        yield "the root", np.sqrt(x)
        yield "the reciprocal", 1 / x


def _of_two(x: Array, y: Array) -> Iterator[tuple[str, Array]]:
    a, b = 1 / (1 + np.exp(-x)), 1 / (1 + np.exp(-y))
    yield "the sum of the sigmoids", a + b
    yield "the sum", x + y
    yield "the reciprocal of the sum of the sigmoids", 1 / (a + b)
    yield "the first sigmoid's share", a / (a + b)
    yield "the second sigmoid's share", b / (a + b)


def roots(factor: float) -> Iterator[tuple[str, float]]:
    """n^±1/2, n^±1/4, n^±1 for whole n near `factor`."""
    for power, text in ((0.5, "1/2"), (0.25, "1/4"), (1.0, "1")):
        for sign in (1, -1):
            whole = round(factor ** (sign / power))
            if 2 <= whole <= 8192:
                yield f"{whole}^{'-' if sign < 0 else ''}{text}", float(whole ** (sign * power))


def _equal(values: Array, formula: Array) -> bool:
    """Whether every element is the formula's, to the roundings of the declared dtype."""
    if values.size != formula.size:
        return False
    left = values.astype(np.float64).reshape(-1)
    right = formula.astype(np.float64).reshape(-1)
    if not np.isfinite(right).all():
        return False
    rounded = np.finfo(values.dtype).eps if values.dtype.name in _HALF else 0.0
    fine = float(np.finfo(np.float32).eps) * ROUNDINGS
    room = np.abs(right) * (rounded / 2 * 1.01 + fine) + fine * float(np.abs(right).max())
    if rounded:
        room = room + 2.0**-25  # half of float16's least step
    return bool((np.abs(left - right) <= room).all())


def generated(values: Array) -> str:
    """How the code alone could have made `values`; empty where it could not.

    >>> generated(np.arange(8.0)), generated(np.array([1.0, 5.0, 2.0, 9.0]))
    ('evenly spaced values', '')
    """
    flat = values.reshape(-1)
    if flat.size <= 1:
        return "a number"
    if flat.dtype.kind not in "f":
        return "whole numbers of the graph"
    wide = flat.astype(np.float64)
    distinct = np.unique(wide)
    if distinct.size == 1:
        return "one value everywhere"
    if distinct.size == 2 and (np.isinf(distinct).any() or 0.0 in distinct) and flat.size > 8:
        return "a mask of two values"
    if not np.isfinite(wide).all():
        return ""
    peak = float(np.abs(wide).max())
    room = peak * 4 * float(np.finfo(flat.dtype).eps)
    if flat.size > 2 and np.abs(np.diff(wide, 2)).max() <= room:
        return "evenly spaced values"
    if flat.size > 3 and (wide > 0).all():
        steps = np.diff(np.log(wide))
        if np.abs(steps - steps.mean()).max() <= 8 * float(np.finfo(flat.dtype).eps):
            return "values in geometric progression"
    return _sinusoids(values)


def _sinusoids(values: Array) -> str:
    """sin and cos of position · 10000^(-2i/d), side by side or by halves (arXiv 1706.03762)."""
    table = values.reshape(-1, values.shape[-1]).astype(np.float64)
    length, width = table.shape
    if length < 2 or width < 4 or width % 2:
        return ""
    half = width // 2
    for divisor in (half, half - 1):
        angles = np.arange(length)[:, None] * 10_000.0 ** (-np.arange(half) / divisor)
        beside = np.stack([np.sin(angles), np.cos(angles)], axis=2).reshape(length, width)
        for made in (
            beside,
            np.concatenate([np.sin(angles), np.cos(angles)], axis=1),
            np.concatenate([np.cos(angles), np.sin(angles)], axis=1),
        ):
            # an angle in fp32 is off by a rounding of the position itself
            room = 2e-7 * length + float(np.finfo(values.dtype).eps)
            if np.abs(table - made).max() <= room:
                return "sines and cosines of positions"
    return ""
