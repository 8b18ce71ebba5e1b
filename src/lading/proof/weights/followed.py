"""What a network computes from its parameters and from constants alone, and which tensors it reads.

The untouched original runs once, eagerly. Every operation's result is followed by the storage that
holds it: what depends on an input, and on which parameters. A result that depends on no input is a
value that a converter may have put into the file in place of the tensors that made it: a normalised
weight, an exponential, a table of positions, a window. Nothing has to be known of formulas.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode, _disable_current_modes
from torch.utils._pytree import tree_leaves

from lading.interface import Interface
from lading.interface.side import Array
from lading.interface.work.counted import operations
from lading.proof.weights.origins import RANK, unbounded

#: A value computed twice in fp32, in another order: a few roundings of the largest value.
ROUNDINGS = 16
_INPUT = 1  # the bit of what depends on an input; parameters have the bits above


@dataclass(frozen=True)
class Derived:
    """A value that follows from `tensors`; from the code alone where there are none."""

    values: Array
    tensors: tuple[str, ...]
    how: str


class Followed:
    """A network's own constants.

    Args:
        interface: the untouched original.
        inputs: by port name, on which it is followed and its operations are counted; by default
            it is followed on its example.

    Attributes:
        operations: floating-point operations of one call; see `lading.interface.work.counted`.
        gave: its outputs of that call, by port name; None where it did not come to its end.
        derived: what it computes of its tensors, and by the code, alone; in order.
        read: names of the module's tensors that an output depends on.
    """

    def __init__(self, interface: Interface, inputs: Mapping[str, Array] | None = None) -> None:
        self.interface = interface
        self._inputs = inputs

    @cached_property
    def _counted(self) -> tuple[float | None, _Trail | None]:
        """Both in one call; no trail where the counter cannot follow the network to its end."""
        inputs = self._inputs
        if inputs is None:
            return None, None
        trail = _Trail(self.interface.module)
        found = operations(self.interface, inputs, trail)
        return found, trail if trail.ended else None

    @property
    def operations(self) -> float | None:
        return self._counted[0]

    @property
    def gave(self) -> Mapping[str, Array] | None:
        trail = self._counted[1]
        if trail is None:
            return None
        names = (port.name for port in self.interface.answers)
        return {n: v.numpy() for n, v in zip(names, _tensors(trail.result), strict=True)}

    @cached_property
    def _trail(self) -> _Trail:
        module, (_, found) = self.interface.module, self._counted
        if found is not None:
            return found
        arguments = list(self.interface.example().values())
        trail = _Trail(module)
        trail.begin(arguments)
        fast = torch.backends.mha.get_fastpath_enabled()
        torch.backends.mha.set_fastpath_enabled(False)  # one fused kernel shows nothing inside
        try:
            with torch.no_grad(), trail:
                trail.reach(module(*arguments))
        except Exception:  # the user's code, on an input that it may not like: all counts as read
            trail.reached = (2 << len(trail.names)) - 1
        finally:
            torch.backends.mha.set_fastpath_enabled(fast)
        return trail

    @property
    def derived(self) -> Sequence[Derived]:
        return self._trail.derived

    @property
    def read(self) -> frozenset[str]:
        return frozenset(self._trail.named(self._trail.reached))

    @cached_property
    def _by_size(self) -> dict[int, list[tuple[Derived, Array]]]:
        found: dict[int, list[tuple[Derived, Array]]] = {}
        for one in self.derived:
            found.setdefault(one.values.size, []).append((one, _moments(one.values)))
        return found

    def find(self, values: Array) -> Derived | None:
        """What `values` is, to the roundings of its dtype, its axes in any order; or None.

        `Derived.values` has the shape of `values`.
        """
        if values.dtype.kind != "f" or not values.size:
            return None
        mine = _moments(values)
        for one, other in self._by_size.get(values.size, ()):
            near = np.abs(mine - other) <= 1e-2 * np.abs(other[1]) + 1e-6
            if not (near | ~np.isfinite(other) | ~np.isfinite(mine)).all():
                continue
            for array in orders(one.values):
                if equal(values, array):
                    return Derived(array.reshape(values.shape), one.tensors, one.how)
        return None


class _Trail(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Follows storages through one run of a module."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        tensors: dict[str, torch.Tensor] = {
            **dict(module.named_parameters(remove_duplicate=False)),
            **dict(module.named_buffers(remove_duplicate=False)),
        }
        self.names = list(tensors)
        self.bits: dict[int, int] = {}
        self.derived: list[Derived] = []
        self.reached = 0
        #: whether it saw the end, and what that was
        self.ended, self.result = False, None
        self._held: list[StorageWeakRef] = []  # so that no address is given out twice
        self._known: set[tuple[int, int]] = set()
        self._escaped = False
        for place, tensor in enumerate(tensors.values()):
            self._mark(tensor, 2 << place)
            self._known.add((_key(tensor), tensor.numel()))

    def begin(self, arguments: Sequence[torch.Tensor]) -> None:
        """What the run is given."""
        for tensor in arguments:
            self._mark(tensor, _INPUT)

    def named(self, bits: int) -> Iterator[str]:
        return (name for place, name in enumerate(self.names) if bits >> (place + 1) & 1)

    def reach(self, result: Any) -> None:
        """What the run gave."""
        self.ended, self.result = True, result
        for tensor in _tensors(result):
            self.reached |= self.bits.get(_key(tensor), 0)

    def _mark(self, tensor: torch.Tensor, bits: int) -> None:
        key = _key(tensor)
        if key not in self.bits:
            self._held.append(StorageWeakRef(tensor.untyped_storage()))  # type: ignore[no-untyped-call]
        self.bits[key] = self.bits.get(key, 0) | bits

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        taken = _tensors((args, kwargs))
        for tensor in taken:
            if _key(tensor) not in self.bits:  # made where no operation is seen: by the code alone
                self._mark(tensor, 0)
            self._note(tensor, "", self.bits[_key(tensor)])  # also what was written in place
        bits = 0
        for tensor in taken:
            bits |= self.bits[_key(tensor)]
        result = func(*args, **(kwargs or {}))
        if func is torch.ops.aten._local_scalar_dense.default:
            self.reached |= bits  # a number of Python's is followed no further
            self._escaped |= bool(bits & _INPUT)
        written = [
            argument
            for place, argument in enumerate(func._schema.arguments)
            if argument.alias_info is not None and argument.alias_info.is_write
        ]
        for argument in written:
            place = func._schema.arguments.index(argument)
            value = args[place] if place < len(args) else (kwargs or {}).get(argument.name)
            for tensor in _tensors(value):
                self._mark(tensor, bits)
                self._known = {known for known in self._known if known[0] != _key(tensor)}
        for tensor in _tensors(result):
            self._mark(tensor, 0 if _key(tensor) in self.bits else bits)
            self._note(tensor, str(func).removeprefix("aten.").split(".")[0],
                       self.bits[_key(tensor)])  # fmt: skip
        return result

    def _note(self, tensor: torch.Tensor, op: str, bits: int) -> None:
        """A value of the network's own, unless it is a parameter or one seen already."""
        known = (_key(tensor), tensor.numel())
        spread = any(step == 0 < size - 1 for step, size in zip(
            tensor.stride(), tensor.shape, strict=True))  # fmt: skip
        if bits & _INPUT or not tensor.is_floating_point() or spread or not tensor.numel():
            return
        if known in self._known or (self._escaped and not bits):
            return
        self._known.add(known)
        names = tuple(self.named(bits))
        few = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
        how = f"{op or 'written out'} of {few or 'the code alone'}"
        with _disable_current_modes():
            self.derived.append(Derived(tensor.detach().float().clone().numpy(), names, how))


def _tensors(tree: Any) -> list[torch.Tensor]:
    return [one for one in tree_leaves(tree) if isinstance(one, torch.Tensor)]


def _key(tensor: torch.Tensor) -> int:
    return int(tensor.untyped_storage()._cdata)


def _moments(values: Array) -> Array:
    """Mean, root mean square, mean magnitude: the same in any order of the elements."""
    with np.errstate(all="ignore"):
        wide = values.astype(np.float64).reshape(-1)
        return np.array([wide.mean(), np.sqrt(np.square(wide).mean()), np.abs(wide).mean()])


def orders(values: Array) -> Iterator[Array]:
    """An array with its axes in every order; in its own alone where it has too many."""
    yield values
    plain = np.squeeze(values)
    if 1 < plain.ndim <= RANK:
        for order in itertools.islice(itertools.permutations(range(plain.ndim)), 1, None):
            yield plain.transpose(order)


def equal(values: Array, computed: Array) -> bool:
    """Whether every element is the computed one, to the roundings of the declared dtype."""
    if values.size != computed.size:
        return False
    left = unbounded(values).astype(np.float64).reshape(-1)
    with np.errstate(over="ignore"):
        right = computed.astype(np.float64).reshape(-1)
        cast = unbounded(right.astype(values.dtype))
    finite = np.isfinite(cast)
    if not np.array_equal(left[~finite], cast[~finite].astype(np.float64), equal_nan=True):
        return False
    left, right = left[finite], right[finite]
    if not right.size:
        return True
    half = values.dtype == np.float16
    fine = float(np.finfo(np.float32).eps) * ROUNDINGS
    room = fine * (np.abs(right) + float(np.abs(right).max()))
    if half:  # half of the spacing, and of the least step
        room += np.abs(right) * float(np.finfo(np.float16).eps) / 2 * 1.01 + 2.0**-25
    return bool((np.abs(left - right) <= room).all())
