"""Plain attributes that a call of a network changes: no file keeps them.

A counter that is only looked at, a mask that is made once: such changes alter nothing. A cache in a
plain attribute does, and a converted file would have the first call's for ever. Which of the two it
is shows when the network is called several times with its attributes as they are left, and with
them put back before each call.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from lading.errors import RequestError

#: How deep an object is looked into.
_DEEP = 4
#: What every module has.
_OWN = frozenset(nn.Module().__dict__)


@dataclass(frozen=True)
class Attribute:
    """An attribute that a call changed: its module and its path there, e.g. ``"decoder.cache"``."""

    module: nn.Module
    path: str

    @property
    def name(self) -> str:
        return self.path.rpartition(".")[2]

    def where(self) -> str:
        """The line of the network's code that seems to change it, as ``net.py:12: code``; empty
        where there is none to be seen."""
        try:
            lines, first = inspect.getsourcelines(type(self.module))
            file = Path(inspect.getsourcefile(type(self.module)) or "").name
        except (OSError, TypeError):
            return ""
        own, start = rf"self\.{re.escape(self.name)}\b", 0
        for place, line in enumerate(lines):
            if re.match(r"\s*(async )?def ", line):
                start = place if "def __init__" not in line else len(lines)
            told = f"{file}:{first + place}: {line.strip()}"
            changing = rf"{own}(\[.*\])?\s*(=[^=]|[-+*/|&]=|,.*=[^=]|\.\w+\()"
            if start <= place and start and re.search(changing, line):
                return told
        return ""


#: By module and name, its value and a copy of what is in it.
Shot = dict[tuple[int, str], tuple[nn.Module, str, Any, Any]]


def shot(network: nn.Module) -> Shot:
    """The attributes as they are."""
    found: Shot = {}
    for path, module in network.named_modules():
        if isinstance(module, (torch.jit.ScriptModule, torch.fx.GraphModule)):
            continue
        for name, value in module.__dict__.items():
            if name not in _OWN:
                found[id(module), name] = (module, path, value, _copy(value, _DEEP))
    return found


def changed(network: nn.Module, before: Shot) -> tuple[Attribute, ...]:
    """What is otherwise than it was, or new."""
    now = shot(network)
    return tuple(
        Attribute(module, f"{path}.{key[1]}" if path else key[1])
        for key, (module, path, value, copied) in now.items()
        if key not in before or not _equal(before[key][3], copied)
    ) + tuple(
        Attribute(module, f"{path}.{key[1]}" if path else key[1])
        for key, (module, path, _, _) in before.items()
        if key not in now
    )


def put_back(before: Shot) -> None:
    """Puts the attributes back to what they were."""
    modules = {id(module): module for module, *_ in before.values()}
    for key, module in modules.items():
        for name in [n for n in module.__dict__ if n not in _OWN and (key, n) not in before]:
            del module.__dict__[name]
    for (_, name), (module, _, value, copied) in before.items():
        module.__dict__[name] = _restored(value, copied)


def _copy(value: Any, deep: int) -> Any:
    """A value's contents, to be compared and put back; of what is no container, itself."""
    if isinstance(value, torch.Tensor):
        return value.detach().clone()
    if isinstance(value, np.ndarray):
        return value.copy()
    if deep and isinstance(value, dict):
        return {key: (one, _copy(one, deep - 1)) for key, one in value.items()}
    if deep and isinstance(value, (list, tuple)):
        return [(one, _copy(one, deep - 1)) for one in value]
    if isinstance(value, set):
        return set(value)
    if deep and _looked_into(value):
        return {key: (one, _copy(one, deep - 1)) for key, one in vars(value).items()}
    return value


def _looked_into(value: Any) -> bool:
    other = isinstance(value, (nn.Module, type)) or callable(value) or inspect.ismodule(value)
    return hasattr(value, "__dict__") and not other


def _equal(one: Any, other: Any) -> bool:
    if one is other:
        return True
    if type(one) is not type(other):
        return False
    if isinstance(one, torch.Tensor):
        return one.dtype == other.dtype and one.shape == other.shape and bool(
            torch.equal(one.nan_to_num(), other.nan_to_num())
        )  # fmt: skip
    if isinstance(one, np.ndarray):
        return one.dtype == other.dtype and np.array_equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(_equal(one[k], other[k]) for k in one)
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(_equal, one, other))
    plain = isinstance(one, (bool, int, float, complex, str, bytes, set, frozenset))
    return plain and bool(one == other or (one != one and other != other))


def _restored(value: Any, copied: Any) -> Any:
    """`value` with what was in it; as it is where nobody looked into it."""
    if copied is value:
        return value
    if isinstance(value, torch.Tensor):
        if value.shape != copied.shape or not _equal(value, copied):
            with torch.no_grad():
                value.data = copied
    elif isinstance(value, np.ndarray):
        value[...] = copied
    elif isinstance(value, dict):
        inner = {key: _restored(*pair) for key, pair in copied.items()}
        if inner.keys() != value.keys() or any(inner[k] is not value[k] for k in inner):
            value.clear()
            value.update(inner)
    elif isinstance(value, list):
        value[:] = [_restored(*pair) for pair in copied]
    elif isinstance(value, tuple):
        for pair in copied:
            _restored(*pair)
    elif isinstance(value, set):
        if value != copied:
            value.clear()
            value.update(copied)
    elif _looked_into(value) and isinstance(copied, dict):
        inner = {key: _restored(*pair) for key, pair in copied.items()}
        if vars(value).keys() != inner.keys() or any(inner[k] is not vars(value)[k] for k in inner):
            vars(value).clear()
            vars(value).update(inner)
    return value


@contextmanager
def reset(network: nn.Module) -> Iterator[Callable[[], None]]:
    """A call that puts the attributes back to what they are now, as often as it is called."""
    before = shot(network)
    try:
        yield lambda: put_back(before)
    finally:
        put_back(before)


def require_idle(
    found: Sequence[Attribute], answers: Callable[[bool], Sequence[Any]], origin: str
) -> None:
    """Passes only where no answer depends on attributes that a call changes.

    Args:
        found: the attributes.
        answers: of the network in several calls: with its attributes put back before each, or
            as the call before left them.
        origin: of the network, for errors.

    Raises:
        RequestError: an answer does; it names the attribute and the line.
    """
    if not found or _alike(answers(True), answers(False)):
        return
    told = [f"{one.where() or 'forward'} changes {one.path}" for one in found]
    first = found[0]
    raise RequestError(
        f"attribute {first.path} of {origin}",
        found=f"{'; '.join(told)[:400]}, and later calls give something else for it",
        expected="what is remembered between calls in buffers: a file keeps no plain attribute",
        remedy=f"in __init__: self.register_buffer({first.name!r}, torch.zeros(...)), at its "
        "largest size; it becomes a state",
    )


def _alike(one: Any, other: Any) -> bool:
    left, right = (torch.utils._pytree.tree_leaves(each) for each in (one, other))
    return len(left) == len(right) and all(map(_equal, left, right))
