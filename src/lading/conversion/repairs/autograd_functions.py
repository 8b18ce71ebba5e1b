"""Gradient checkpointing and other functions with a backward of their own, as what they compute."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.utils import checkpoint

from lading.conversion.repairs import Watching

_APPLY = torch.autograd.Function.__dict__["apply"]
#: What torch's own checkpointing without re-entry does around a call; private, so looked for: from
#: torch 2.15 on the first of the two.
_WITHOUT = "_checkpoint_without_reentrant_generator"
_AROUND = (f"{_WITHOUT}_impl", _WITHOUT)
#: Of torch's own functions, those whose forward is only the call that they save memory for.
_OF_TORCH: tuple[type, ...] = (checkpoint.CheckpointFunction,)


class _Context:
    """What a forward may ask of its context. It keeps what it is given and nobody reads it."""

    def __init__(self, arguments: int) -> None:
        self.needs_input_grad = (False,) * arguments
        self.saved_tensors: tuple[Any, ...] = ()
        self.materialize_grads = True

    def save_for_backward(self, *tensors: Any) -> None:
        self.saved_tensors = tensors

    save_for_forward = save_for_backward

    def mark_dirty(self, *tensors: Any) -> None:
        """Autograd's book-keeping: no value changes by it."""

    mark_non_differentiable = mark_dirty
    mark_shared_storage = mark_dirty

    def set_materialize_grads(self, value: bool) -> None:
        self.materialize_grads = value


class AutogradFunctions(Watching):
    """Calls the forward of a `torch.autograd.Function` in place of its ``apply``.

    Algebra. ``f.apply(x)`` is ``f.forward(context, x)``, and a record of how to go back. Where no
    gradient is wanted nobody goes back: the forward alone is the value. Gradient checkpointing is
    such a function; its forward calls the layers, and all it adds is forgetting between forward and
    backward. `torch.jit.trace` cannot look through ``apply``: it stops at ``unordered_map::at``
    (``_Map_base::at``), as the values inside are not those that it has numbered. Checkpointing
    without re-entry (`torch.utils.checkpoint`) hangs hooks on tensors saved for a backward and
    looks at the state of random generators; without a backward the call between is the value.
    """

    name = "autograd functions"
    reason = (
        "a function with a backward of its own, such as gradient checkpointing, is closed to a "
        "graph; captured is its forward, all there is to it without gradients"
    )
    idle = "no autograd function is applied"

    @contextmanager
    def watched(self, noted: Callable[[], Any]) -> Iterator[None]:
        """Sends every ``apply`` to its forward, and calls `noted`."""

        def apply(kind: Any, *arguments: Any, **named: Any) -> Any:
            if not _ours(kind):
                return _APPLY.__get__(None, kind)(*arguments, **named)
            noted()
            return _forward(kind, arguments, named)

        def around(*_: Any, **__: Any) -> Iterator[None]:
            noted()
            yield

        function: Any = torch.autograd.Function
        module: Any = checkpoint
        real = {name: getattr(module, name) for name in _AROUND if hasattr(module, name)}
        function.apply = classmethod(apply)
        for name in real:
            setattr(module, name, around)
        try:
            yield
        finally:
            function.apply = _APPLY
            for name, before in real.items():
                setattr(module, name, before)


def _ours(kind: type) -> bool:
    """Not one that torch's own machinery puts around calls while it captures."""
    return kind in _OF_TORCH or kind.__module__.partition(".")[0] != "torch"


def _forward(kind: Any, arguments: tuple[Any, ...], named: dict[str, Any]) -> Any:
    """`kind.apply` without a record."""
    if kind is checkpoint.CheckpointFunction:  # its forward asks and warns of gradients
        run, _, *inputs = arguments
        return run(*inputs)
    with torch.no_grad():
        if kind.setup_context is not torch.autograd.Function.setup_context:
            return kind.forward(*arguments, **named)
        return kind.forward(_Context(len(arguments)), *arguments, **named)


REPAIR = AutogradFunctions()
