"""Casts to the type that a value already has, left out: the switch of a half-precision torso."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch

from lading.conversion.repairs import Identical, in_place_of

_NAMED = {
    "float": torch.float32,
    "half": torch.float16,
    "double": torch.float64,
    "bfloat16": torch.bfloat16,
}


class IdleCasts(Identical):
    """While a graph is taken, a cast that changes nothing returns its value.

    Algebra. torch documents ``x.to(d)``, ``x.type(d)`` and ``x.float()`` to return x itself where
    x has that type and place already. Networks that can run their torso in half precision cast
    at its entry, at every softmax and norm, and at its exit; with float32 weights none of these
    casts does anything. A graph yet records each, and `torch.export` with it an assertion of what
    the type was (``_assert_tensor_metadata``), which ties the graph to one spelling of it.
    """

    name = "idle casts"
    reason = (
        "casts to the type that a value has already, as networks with a half-precision switch "
        "make them, leave operations and assertions in a graph that stand for nothing"
    )
    idle = "every cast changes a type"

    @contextmanager
    def watched(self, noted: Callable[..., Any]) -> Iterator[None]:
        """Returns the tensor itself from every idle cast by Python code, and calls `noted`."""
        names = (*_NAMED, "to", "type", "type_as")

        def method(name: str) -> Any:
            real = getattr(torch.Tensor, name)

            def cast(self: torch.Tensor, *arguments: Any, **named: Any) -> Any:
                if _idle(self, name, arguments, named):
                    noted(self, lambda: real(self, *arguments, **named))
                    return self
                return real(self, *arguments, **named)

            return cast

        with in_place_of({name: method(name) for name in names}):
            yield


def _idle(tensor: torch.Tensor, name: str, arguments: tuple[Any, ...], named: Any) -> bool:
    """Whether the call of that name would return `tensor` itself."""
    if name in _NAMED:
        return not arguments and not named and tensor.dtype == _NAMED[name]
    if name == "type_as":
        return _alike(tensor, arguments[0].dtype, arguments[0].device) if arguments else False
    if name == "type":
        wanted = arguments[0] if arguments else None
        return isinstance(wanted, torch.dtype) and tensor.dtype == wanted
    if named.get("copy") or any(isinstance(one, bool) and one for one in arguments):
        return False
    if arguments and isinstance(arguments[0], torch.Tensor):
        other = arguments[0]
        return len(arguments) == 1 and not named and _alike(tensor, other.dtype, other.device)
    given = {key: value for key, value in named.items() if key not in ("non_blocking", "copy")}
    if not set(given) <= {"dtype", "device"}:
        return False
    core: Any = torch._C._nn
    device, dtype, _, layout = core._parse_to(*arguments, **given)
    return layout is None and _alike(tensor, dtype or tensor.dtype, device or tensor.device)


def _alike(tensor: torch.Tensor, dtype: torch.dtype, device: torch.device) -> bool:
    there = device.type == tensor.device.type and device.index in (None, tensor.device.index)
    return tensor.dtype == dtype and there


REPAIR = IdleCasts()
