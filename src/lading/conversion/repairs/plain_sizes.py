"""Sizes as the plain numbers that they are, where the graph keeps them fixed anyway."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from lading.conversion.repairs import Case, Scope, in_place_of, whereabouts

_READERS = ("size", "numel", "nelement", "__len__")


class PlainSizes:
    """While `torch.jit.trace` records, reading a tensor's size gives a number, not a tensor.

    Algebra. A trace of fixed sizes holds for those sizes only: n read from a tensor of n is n.
    While it records, torch yet answers with a traced value, and whatever Python does with it,
    ``min(a.shape[2], b.shape[2])``, ``if n > limit``, ``math.sqrt(n)``, is warned of, as it might
    come out otherwise for another size. There is no other size here. So the recording pauses for
    the time of the reading; slices, comparisons and loops over sizes stay as their author wrote
    them. Where sizes may vary the repair declines and the warning is right.
    """

    name = "plain sizes"
    reason = (
        "torch.jit.trace takes sizes for values that may change and warns wherever Python uses "
        "one; all sizes of this graph are fixed"
    )
    fused = False

    def scope(self, case: Case) -> Scope:
        if case.route != "trace":
            return Scope(declined="only torch.jit.trace records sizes")
        if not case.fixed:
            return Scope(declined="sizes may vary")
        where = _readers_in(case)
        return Scope(where) if where else Scope(declined="no size is read")

    @contextmanager
    def applied(self, module: nn.Module) -> Iterator[nn.Module]:
        with _watched(_paused):
            yield module


def _paused(read: Callable[[], Any]) -> Any:
    """`read()` while no trace records."""
    core: Any = torch._C  # its stub leaves the second of the two out
    state = core._get_tracing_state()
    core._set_tracing_state(None)
    try:
        return read()
    finally:
        core._set_tracing_state(state)


def _readers_in(case: Case) -> tuple[str, ...]:
    """Paths of the modules in whose own code a size is read, in one run of the module."""
    found: dict[str, None] = {}
    with whereabouts(case.module) as here:

        def noted(read: Callable[[], Any]) -> Any:
            found.setdefault(here())
            return read()

        with _watched(noted), torch.no_grad():
            case.module(*case.inputs)
    return tuple(found)


@contextmanager
def _watched(through: Callable[[Callable[[], Any]], Any]) -> Iterator[None]:
    """Sends every reading of a size by Python code through `through`."""

    def method(name: str) -> Any:
        real = getattr(torch.Tensor, name)
        return lambda self, *args, **named: through(lambda: real(self, *args, **named))

    base: Any = torch._C.TensorBase
    getter = base.shape.__get__
    replaced: dict[str, Any] = {name: method(name) for name in _READERS}
    replaced["shape"] = property(lambda self: through(lambda: getter(self)))
    with in_place_of(replaced):
        yield


REPAIR = PlainSizes()
