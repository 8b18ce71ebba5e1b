"""Looking inside a run: intermediate values, their ranges and losses, and where the time goes.

>>> taps = Taps(take=["conv_out"], statistics=True)  # then: model.predict(inputs, taps=taps)
>>> taps.values, taps.statistics_of
({}, {})
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from lading.coreml.mil.precision import array
from lading.coreml.mil.program import Op, Value


@dataclass(frozen=True)
class Statistics:
    """What an operation's result looked like. Counts are of elements.

    Attributes:
        op: the operation's type.
        count: elements in all.
        minimum: the least element, NaN left out; NaN if there is none.
        maximum: the greatest.
        overflowed: finite as computed, infinite in the declared dtype.
        underflowed: not zero as computed, zero in the declared dtype.
        nans: not a number.
    """

    op: str
    count: int
    minimum: float
    maximum: float
    overflowed: int
    underflowed: int
    nans: int


@dataclass(frozen=True)
class Memory:
    """Values alive once an operation is done, beside weights, constants and inputs.

    Attributes:
        live: bytes of all of them; values that share their storage count once.
        pair: bytes of the two largest of them.
    """

    live: int
    pair: int


@dataclass
class Taps:
    """What to look at in one call of `predict`, and afterwards what was seen.

    Names are names of values in the program; a value inside a loop is seen as it was last. One
    `Taps` serves one call at a time.

    Attributes:
        take: names of values to keep.
        until: stop once this value is known; `predict` then gives only the outputs known so far.
        statistics: whether to measure every floating-point result.
        times: whether to time every operation, the rounding of its results included.
        shapes: whether to note the sizes of every value.
        memory: whether to weigh what is alive after every operation.
        values: the values kept, in their declared dtype.
        statistics_of: by the name of the value.
        seconds: by the name of the operation's first output, summed over a loop's rounds; of one
            that holds blocks, with all that runs in them.
        calls: how often each operation was called, by the same name.
        shapes_of: by the name of the value.
        memory_of: by the name of the operation's first output; of a loop the round with the most.
    """

    take: Collection[str] = ()
    until: str = ""
    statistics: bool = False
    times: bool = False
    shapes: bool = False
    memory: bool = False
    values: dict[str, Any] = field(default_factory=dict)
    statistics_of: dict[str, Statistics] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    calls: dict[str, int] = field(default_factory=dict)
    shapes_of: dict[str, tuple[int, ...]] = field(default_factory=dict)
    memory_of: dict[str, Memory] = field(default_factory=dict)
    _standing: set[int] = field(default_factory=set, repr=False)

    def wants(self, name: str) -> bool:
        """Whether the value `name` is to be kept."""
        return name == self.until or name in self.take

    def keep(self, value: Value, held: Any) -> None:
        """Keep `held`, the value that `value` describes, if it is wanted, and its sizes."""
        if self.shapes and isinstance(held, torch.Tensor):
            self.shapes_of[value.name] = tuple(held.shape)
        if self.wants(value.name):
            if isinstance(held, torch.Tensor):
                dtype = value.type.dtype
                self.values[value.name] = array(held, dtype)
            else:
                self.values[value.name] = held

    def begin(self, slots: Iterable[Any]) -> None:
        """Note what stands before the first operation; `weigh` leaves it out."""
        self._standing = set(_storages(slots))

    def weigh(self, name: str, slots: Iterable[Any]) -> None:
        """Note what is alive in `slots` after the operation whose first output is `name`."""
        storages = _storages(slots)
        sizes = sorted(size for place, size in storages.items() if place not in self._standing)
        now = Memory(sum(sizes), sum(sizes[-2:]))
        most = self.memory_of.get(name, now)
        self.memory_of[name] = max(now, most, key=lambda one: one.live)

    def measure(self, op: Op, value: Value, computed: Any, held: Any) -> None:
        """Compare a result as `computed` with the value as `held`, which it may be itself."""
        if not isinstance(held, torch.Tensor) or not held.is_floating_point():
            return
        low, high = map(float, held.aminmax()) if held.numel() else (np.nan, np.nan)
        if math.isfinite(low) and math.isfinite(high):  # as a rule: no NaN, nothing infinite
            overflowed = nans = underflowed = 0
            if computed is not held:
                underflowed = int(computed.count_nonzero()) - int(held.count_nonzero())
        else:
            nan = held.isnan()
            numbers = held[~nan]
            low, high = map(float, numbers.aminmax()) if numbers.numel() else (np.nan, np.nan)
            overflowed = int((held.isinf() & computed.isfinite()).sum())
            underflowed = int(((held == 0) & (computed != 0) & ~computed.isnan()).sum())
            nans = int(nan.sum())
        self.statistics_of[value.name] = Statistics(
            op.type, held.numel(), low, high, overflowed, underflowed, nans
        )


def _storages(values: Iterable[Any]) -> dict[int, int]:
    """Where the tensors among `values` lie, and the bytes there."""
    storages = [value.untyped_storage() for value in values if isinstance(value, torch.Tensor)]
    return {storage.data_ptr(): storage.nbytes() for storage in storages}
