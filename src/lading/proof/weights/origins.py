"""Which tensor of a checkpoint an array's bytes are: looked up, not searched for.

Three indexes per element type, each made when first asked: whole tensors in their own order (a
reshape keeps it) by a sample of their bytes, sums over the elements that no order changes (a
permutation keeps them), and digests of rows (a split or a joining keeps those).
"""

from __future__ import annotations

import hashlib
import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from lading.interface.side import Array

#: Permutations are tried up to this rank: 120 of them.
RANK = 5
#: A row shorter than this is too short to name the tensor it is from.
ROW = 4
#: Elements by which tensors are told apart before all of their bytes are compared.
SAMPLED = 64
#: Of a float16's bits: all but the sign; the largest finite number, infinity, and a NaN.
_SIZE, _LARGEST, _INFINITE = np.uint16(0x7FFF), np.uint16(0x7BFF), np.uint16(0x7C00)
_NAN = np.uint16(0x7E00)


#: How many elements, and the bytes of a few of them.
_Sample = tuple[int, bytes]


@dataclass(frozen=True)
class _Rows:
    """Where a row is first, by its digest; and the digests of each tensor's rows."""

    first: dict[bytes, tuple[str, int]]
    in_order: dict[str, list[bytes]]


class Origins:
    """The tensors of a checkpoint, for looking up where an array comes from.

    Args:
        tensors: by name; floating-point ones are compared after the cast to the array's dtype.
        aliases: second names, which are left out.
    """

    def __init__(
        self, tensors: Mapping[str, torch.Tensor], aliases: Mapping[str, str] | None = None
    ) -> None:
        self.tensors = {n: t.detach() for n, t in tensors.items() if n not in (aliases or {})}
        #: names by the sample of their bytes; of one sample those of the same bytes together
        self._whole: dict[str, dict[_Sample, list[str]]] = {}
        self._groups: dict[tuple[str, _Sample], list[list[str]]] = {}
        self._bags: dict[tuple[str, int], dict[tuple[int, int], list[str]]] = {}
        self._rows: dict[tuple[str, int], _Rows] = {}

    def cast(self, name: str, dtype: str) -> Array:
        """Tensor `name` in numpy's `dtype`, rounded to nearest even as a converter does.

        What float16 cannot hold is zero: see `_settled`.
        """
        return _cast(self.tensors[name].contiguous(), dtype)

    def alike(self, dtype: str) -> Iterator[str]:
        """Names of the tensors that an array of `dtype` may come from: floats from floats."""
        floats = np.dtype(dtype).kind == "f"
        for name, tensor in self.tensors.items():
            if tensor.numel() and tensor.is_floating_point() == floats and not tensor.is_complex():
                yield name

    def whole(self, values: Array) -> list[str]:
        """Every tensor whose bytes, in order, are those of `values`, whatever the shape."""
        dtype, flat = str(values.dtype), np.ascontiguousarray(values).reshape(-1)
        few = _bits(_settled(flat[_places(flat.size)]))
        for group in self._alike_in(dtype, (flat.size, few.tobytes())):
            if self._same(group[0], flat):
                return group
        return []

    def _same(self, name: str, flat: Array) -> bool:
        """Whether tensor `name` has these values; as a rule they are so before any is settled."""
        own = _plain(self.tensors[name].contiguous(), str(flat.dtype)).reshape(-1)
        if own.ctypes.data == flat.ctypes.data and own.size == flat.size:
            return True  # one memory
        return np.array_equal(_bits(own), _bits(flat)) or np.array_equal(
            _bits(_settled(own)), _bits(_settled(flat))
        )

    def _alike_in(self, dtype: str, sample: _Sample) -> list[list[str]]:
        """The tensors of a sample, those of the same bytes together."""
        if (dtype, sample) not in self._groups:
            groups: list[list[str]] = []
            for name in self._sampled(dtype).get(sample, ()):
                own = _bits(self.cast(name, dtype)) if groups else ()
                same = (g for g in groups if np.array_equal(_bits(self.cast(g[0], dtype)), own))
                group = next(same, None)
                if group is None:
                    groups.append([name])
                else:
                    group.append(name)
            self._groups[dtype, sample] = groups
        return self._groups[dtype, sample]

    def _sampled(self, dtype: str) -> dict[_Sample, list[str]]:
        if dtype not in self._whole:
            index = self._whole[dtype] = {}
            for name in self.alike(dtype):
                tensor = self.tensors[name].reshape(-1)
                few = tensor[torch.from_numpy(_places(tensor.numel()))]
                sample = (tensor.numel(), _bits(_cast(few, dtype)).tobytes())
                index.setdefault(sample, []).append(name)
        return self._whole[dtype]

    def same_values(self, values: Array) -> list[str]:
        """Every tensor with the same elements in some order: candidates, not yet a proof."""
        key = str(values.dtype), values.size
        if key not in self._bags:
            index = self._bags[key] = {}
            for name in self.alike(key[0]):
                if self.tensors[name].numel() == values.size:
                    index.setdefault(_bag(self.cast(name, key[0])), []).append(name)
        return self._bags[key].get(_bag(values), [])

    def permuted(self, values: Array) -> tuple[str, tuple[int, ...]] | None:
        """A tensor whose permutation has the bytes of `values`, and that permutation."""
        flat = np.ascontiguousarray(_settled(values)).reshape(-1)
        for name in self.same_values(values):
            tensor = self.cast(name, str(values.dtype))
            if tensor.ndim > RANK:
                continue
            for order in itertools.permutations(range(tensor.ndim)):
                if np.array_equal(tensor.transpose(order).reshape(-1), flat):
                    return name, order
        return None

    def rows(self, values: Array) -> tuple[str, ...]:
        """The tensors that `values` is cut from or joined of; empty where it is neither.

        Rows along the last axis, along all but the first, and of the transposed array are tried.
        Each tensor gives one run of rows in its own order; only a recurrent layer's gates may stand
        in another.
        """
        for candidate, _ in _as_rows(values):
            if candidate.shape[1] < ROW:
                continue
            runs = self._runs(candidate)
            names = tuple(dict.fromkeys(name for name, _, _ in runs))
            if runs and (len(names) == len(runs) or _gates(runs)):
                return names
        return ()

    def unrounded(self, values: Array) -> Array | None:
        """What `rows` finds, in float32; None where it finds nothing."""
        for candidate, turned in _as_rows(values):
            runs = self._runs(candidate) if candidate.shape[1] >= ROW else []
            if not runs:
                continue
            width = candidate.shape[1]
            whole = np.concatenate(
                [self.cast(n, "float32").reshape(-1, width)[a : a + c] for n, a, c in runs]
            )
            shape = values.shape[::-1] if turned else values.shape
            return whole.reshape(shape).transpose() if turned else whole.reshape(shape)
        return None

    def _runs(self, rows: Array) -> list[tuple[str, int, int]]:
        """Tensor, first row and count of each run; empty where a row is in no tensor."""
        index = self._row_index(str(rows.dtype), rows.shape[1])
        runs: list[tuple[str, int, int]] = []
        for row in rows:
            digest = _digest(row)
            if runs:
                name, first, count = runs[-1]
                follows = index.in_order[name]
                if first + count < len(follows) and follows[first + count] == digest:
                    runs[-1] = name, first, count + 1
                    continue
            place = index.first.get(digest)
            if place is None:
                return []
            runs.append((*place, 1))
        return runs

    def _row_index(self, dtype: str, width: int) -> _Rows:
        key = (dtype, width)
        if key not in self._rows:
            index = self._rows[key] = _Rows({}, {})
            for name in self.alike(dtype):
                tensor = self.tensors[name]
                if tensor.numel() % width or width not in _widths(tuple(tensor.shape)):
                    continue
                rows = self.cast(name, dtype).reshape(-1, width)
                index.in_order[name] = [_digest(row) for row in rows]
                for number, digest in enumerate(index.in_order[name]):
                    index.first.setdefault(digest, (name, number))
        return self._rows[key]


def _gates(runs: Sequence[tuple[str, int, int]]) -> bool:
    """Whether the runs are equal parts of recurrent weights, whose gates formats order by taste."""
    recurrent = all("_ih" in name or "_hh" in name for name, _, _ in runs)
    counts = [count for _, _, count in runs]
    return recurrent and sum(counts) // math.gcd(*counts) in (3, 4, 6, 8)


def _widths(shape: Sequence[int]) -> set[int]:
    """Lengths of a row: along the last axis, and of everything but the first."""
    if not shape:
        return set()
    rest = int(np.prod(shape[1:], dtype=np.int64)) if len(shape) > 1 else 0
    # a vector may be cut into equal parts: the gates of a recurrent layer, q, k and v
    parts = {shape[0] // n for n in (2, 3, 4) if shape[0] % n == 0} if len(shape) == 1 else set()
    return {shape[-1], rest, *parts} - {0}


def _as_rows(values: Array) -> Iterator[tuple[Array, bool]]:
    """The ways to cut an array into rows, and whether it was transposed for that."""
    for array, turned in ((values, False), (values.transpose(), True)):
        for width in sorted(_widths(array.shape), reverse=True):
            if array.size > width or array.ndim == 1:
                yield np.ascontiguousarray(array).reshape(-1, width), turned


def _cast(tensor: torch.Tensor, dtype: str) -> Array:
    """See `Origins.cast`."""
    return _settled(_plain(tensor, dtype))


def _plain(tensor: torch.Tensor, dtype: str) -> Array:
    wide = tensor.float() if tensor.dtype == torch.bfloat16 else tensor
    if dtype == "float16" and wide.dtype == torch.float32:
        return np.asarray(wide.half().numpy())  # as numpy rounds, many at once
    with np.errstate(over="ignore"):
        return np.asarray(wide.numpy().astype(dtype, copy=False))


def unbounded(values: Array) -> Array:
    """float16 values at the end of the range as infinite: what is finite in float32 and beyond, the
    least number of a mask, is the one or the other in a file; see `compatibility.finite`.

    >>> unbounded(np.float16([-65504, 2, -np.inf]))
    array([-inf,   2., -inf], dtype=float16)
    """
    if values.dtype != np.float16:
        return values
    bits = values.view(np.uint16)
    at_end = (bits & _SIZE) == _LARGEST
    return np.where(at_end, bits + np.uint16(1), bits).view(np.float16) if at_end.any() else values


def _settled(values: Array) -> Array:
    """float16 values with no more than the smallest step as zero, NaN as one NaN, and `unbounded`.

    coremltools 9.0 writes a value that rounds to zero as one step (2^-24, 6e-8) of its sign, in
    constants of less than 400 values, so that an epsilon stays one; in larger ones as zero.
    """
    if values.dtype != np.float16:
        return values
    bits = values.view(np.uint16)
    size = bits & _SIZE
    ordinary = (size > 1) & (size < _LARGEST)
    if ordinary.all():
        return values
    bits = np.where(size <= 1, np.uint16(0), np.where(size > _INFINITE, _NAN, bits))
    return unbounded(bits.view(np.float16))


def _bits(settled: Array) -> Array:
    """The bytes of values in their order: whole numbers where numpy has any of that width."""
    flat = np.ascontiguousarray(settled).reshape(-1)
    width = flat.dtype.itemsize
    return flat.view(f"u{width}" if width in (1, 2, 4, 8) else np.uint8)


def _places(size: int) -> Array:
    """Where the sample of so many elements is taken."""
    return np.linspace(0, size - 1, min(size, SAMPLED), dtype=np.int64)


def _digest(values: Array) -> bytes:
    return hashlib.sha256(_bits(_settled(values)).view(np.uint8).data).digest()


def _bag(values: Array) -> tuple[int, int]:
    """Sum and sum of squares of the elements' bits, modulo 2^64: the same in any order."""
    wide = _bits(_settled(values)).astype(np.uint64)
    with np.errstate(over="ignore"):
        return int(wide.sum(dtype=np.uint64)), int((wide * wide).sum(dtype=np.uint64))
