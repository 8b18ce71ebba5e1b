"""Weights as a file stores them: float32, float16, or 1 to 8 bits with a scale or a table."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import torch

from lading.errors import ProgramError

_COPY = "copy or convert the file again"


@dataclass
class Weights:
    """The numbers of one parameter, in the order of the file; the layer knows their shape.

    Attributes:
        raw: the bytes: float32, float16, or numbers of `bits` bits, the highest bit first, without
            gaps.
        bits: 32, 16, or 8 and fewer where a scale or a table says what the numbers stand for.
        scale: per channel, or one for all: ``value = scale · number + offset``.
        offset: likewise; empty for zero.
        table: the values that the numbers are places in; empty where there is a scale.
        half: round what comes out to float16, as a compute unit with float16 registers holds it.
        place: of the parameter, for errors.

    >>> Weights(bytes([0b0001_1011]), bits=2, table=(0.0, 10.0, 20.0, 30.0)).tensor([4])
    tensor([ 0., 10., 20., 30.])
    """

    raw: bytes
    bits: int = 32
    scale: Sequence[float] = ()
    offset: Sequence[float] = ()
    table: Sequence[float] = ()
    half: bool = False
    place: str = "weights"
    _made: dict[tuple[tuple[int, ...], int], torch.Tensor] = field(
        default_factory=dict, repr=False, compare=False
    )

    @property
    def size(self) -> int:
        """How many numbers there are; packed ones may count up to seven of filling."""
        return len(self.raw) * 8 // self.bits

    def numbers(self) -> npt.NDArray[np.int64]:
        """Of packed weights the whole numbers as stored, flat; filling at the end included."""
        ones = np.unpackbits(np.frombuffer(self.raw, np.uint8))[: self.size * self.bits]
        places = 1 << np.arange(self.bits)[::-1]
        return np.asarray(ones.reshape(self.size, self.bits) @ places, np.int64)

    def tensor(self, shape: Sequence[int], channels: int = 0) -> torch.Tensor:
        """The values as float32 in a shape; made once.

        Args:
            shape: of the parameter.
            channels: the axis along which scales differ, where there are several.

        Raises:
            ProgramError: the file holds another number of them, or other scales.
        """
        key = (tuple(shape), channels)
        if key not in self._made:
            values = torch.from_numpy(self._values(key[0], channels))
            self._made[key] = values.half().float() if self.half else values
        return self._made[key]

    def _values(self, shape: tuple[int, ...], channels: int) -> npt.NDArray[np.float32]:
        count = math.prod(shape)
        if -(-count * self.bits // 8) != len(self.raw):
            found = f"{self.size:,} numbers of {self.bits} bits"
            raise self._unfit(found, f"{count:,}, for shape {list(shape)}")
        if self.bits >= 16:
            stored = np.frombuffer(self.raw, "<f4" if self.bits == 32 else "<f2")
            return stored.astype(np.float32).reshape(shape)
        numbers = self.numbers()[:count]
        if self.table:
            if len(self.table) != 1 << self.bits:
                raise self._unfit(f"a table of {len(self.table)}", f"{1 << self.bits} values")
            return np.asarray(self.table, np.float32)[numbers].reshape(shape)
        wide = numbers.astype(np.float32).reshape(shape)
        scaled = wide * self._along(self.scale, shape, channels)
        return scaled + self._along(self.offset, shape, channels) if self.offset else scaled

    def _along(
        self, values: Sequence[float], shape: tuple[int, ...], channels: int
    ) -> npt.NDArray[np.float32]:
        array = np.asarray(values, np.float32)
        if array.size == 1:
            return array
        if array.size != shape[channels]:
            raise self._unfit(f"{array.size} scales", f"1, or {shape[channels]}: one per channel")
        return array.reshape([-1 if axis == channels else 1 for axis in range(len(shape))])

    def _unfit(self, found: str, expected: str) -> ProgramError:
        return ProgramError(self.place, found=found, expected=expected, remedy=_COPY)
