"""From what a file holds to the network's tensors: containers, averages, prefixes; each step said.

A trainer wraps the state dict in its own dict, beside the optimizer and its counters; wrappers
such as ``DataParallel`` and ``torch.compile`` put a prefix before every name. Which network is
meant says `lading.checkpoint.search`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from lading.checkpoint.account import Account
from lading.checkpoint.inert import Placeholder
from lading.checkpoint.search import Search, entries_of, is_module, kind, some
from lading.checkpoint.shown import cut, shown
from lading.errors import CheckpointError

#: Prefixes of wrappers, taken off only where every name has them, and so many of them at most.
PREFIXES, MAX_PREFIXES = ("module.", "_orig_mod.", "model."), 8

#: A module inside a module.
MAX_DEPTH = 200


def tidy(
    root: Any, subject: str, which: str | None = None, account: Account | None = None
) -> tuple[dict[str, torch.Tensor], dict[str, Any], list[str]]:
    """The network's tensors, everything else, and the steps from one to the other.

    Args:
        root: the object in the file.
        subject: how errors call the file.
        which: the key of the network to take, dots between keys; None to look for it.
        account: what the file may cost.

    Raises:
        CheckpointError: there is no network in it, or its names are no texts.
        RequestError: there are several, or none called `which`.
    """
    steps: list[str] = []
    account = account or Account(0)
    search = Search(root, subject, account)
    path = search.path(which, steps)
    found = root
    for key in path:
        found = entries_of(found)[key]
    if search.prefix:
        state = entries_of(found)
        found = {n[len(search.prefix) :]: t for n, t in state.items() if _under(n, search.prefix)}
        steps.append(f"took the {len(found)} of {len(state)} names under {search.prefix!r}")
    if is_module(found):
        state = _module_state(found, subject, account)
        steps.append(f"read the tensors out of a pickled {cut(repr(found))}")
        beside: dict[str, Any] = {}
    else:
        state, beside = _split(found, subject)
        if beside:
            steps.append(f"set aside {len(beside)} entries that are no tensors: {some(beside)}")
    metadata = _without(root, path, beside)
    return _strip(state, steps), metadata, steps


def _under(name: Any, prefix: str) -> bool:
    return isinstance(name, str) and name.startswith(prefix)


def _split(value: Any, subject: str) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    state: dict[str, torch.Tensor] = {}
    beside: dict[str, Any] = {}
    for key, one in entries_of(value).items():
        if not isinstance(key, str):
            if isinstance(one, torch.Tensor):
                raise CheckpointError(
                    subject,
                    found=f"a tensor under the key {shown(key)} ({type(key).__name__})",
                    expected="names that are texts",
                    remedy="save a state dict: torch.save(model.state_dict(), path)",
                )
            beside[_text(key)] = one
        elif isinstance(one, torch.Tensor):
            state[key] = one
        elif isinstance(one, Placeholder) and one.module in ("torch._utils", "torch._tensor"):
            raise CheckpointError(
                f"{subject}, tensor {cut(key, 200)}",
                found=f"a tensor of a special kind ({cut(one.name.removeprefix('_rebuild_'))})",
                expected="a dense tensor of plain numbers",
                remedy="save it dense, e.g. tensor.to_dense()",
            )
        else:
            beside[key] = one
    return state, beside


def _text(key: Any) -> str:
    return key if isinstance(key, str) else str(key) if isinstance(key, int) else shown(key)


def _module_state(module: Placeholder, subject: str, account: Account) -> dict[str, torch.Tensor]:
    """The state dict of a pickled ``nn.Module``: parameters, buffers, then children, as torch's."""
    state: dict[str, torch.Tensor] = {}
    waiting: list[tuple[str, Any, int]] = [("", module, 0)]
    while waiting:
        prefix, one, depth = waiting.pop()
        if one is None:
            continue
        where = cut(prefix) or "the module"
        if not is_module(one) or depth > MAX_DEPTH:
            raise _no_module(subject, f"{where} is {kind(one)}")
        inner = one.state
        kinds = [inner["_parameters"], inner.get("_buffers", {}), inner["_modules"]]
        if not isinstance(kinds[1], dict):
            raise _no_module(subject, f"the buffers of {where} are {shown(kinds[1])}")
        count = sum(map(len, kinds))
        # Each name is the whole way to it.
        account.charge(subject, work=5 + count, size=count * (len(prefix) + 100))
        hidden = _hidden(inner, account, subject)
        for held in kinds[:2]:
            for name, tensor in held.items():
                if tensor is None or (held is kinds[1] and name in hidden):
                    continue
                if not isinstance(tensor, torch.Tensor) or not isinstance(name, str):
                    raise _no_module(subject, f"{cut(prefix)}{_text(name)[:60]} is {kind(tensor)}")
                account.charge(subject, size=len(name))
                state[prefix + name] = tensor
        for name, child in reversed(kinds[2].items()):
            if not isinstance(name, str):
                raise _no_module(subject, f"{where} holds a module called {shown(name)}")
            account.charge(subject, size=len(name))
            waiting.append((f"{prefix}{name}.", child, depth + 1))
    if not state:
        raise _no_module(subject, "it holds no tensor")
    return state


def _hidden(state: Mapping[Any, Any], account: Account, subject: str) -> set[str]:
    """Buffers that the module does not save."""
    names = state.get("_non_persistent_buffers_set")
    if not isinstance(names, (set, frozenset, list, tuple)):
        return set()
    account.charge(subject, work=len(names) / 5, size=100 * len(names))
    return {name for name in names if isinstance(name, str)}


def _no_module(subject: str, found: str) -> CheckpointError:
    return CheckpointError(
        subject,
        found=f"a whole pickled module that cannot be read without its code: {found}",
        expected="a state dict",
        remedy="ask its author for the state dict: torch.save(model.state_dict(), path)",
    )


def _strip(state: dict[str, torch.Tensor], steps: list[str]) -> dict[str, torch.Tensor]:
    for _ in range(MAX_PREFIXES):
        for prefix in PREFIXES:
            if state and all(name.startswith(prefix) and name != prefix for name in state):
                state = {name[len(prefix) :]: tensor for name, tensor in state.items()}
                steps.append(f"took the prefix {prefix!r} off all {len(state)} names")
                break
        else:
            break
    return state


def _without(root: Any, path: list[Any], beside: dict[str, Any]) -> dict[str, Any]:
    """`root` without what `path` leads to; with what lay beside the tensors."""
    if not path:
        return beside
    entries = entries_of(root)
    rest = {_text(key): value for key, value in entries.items() if key != path[0]}
    inner = _without(entries[path[0]], path[1:], beside)
    if inner:
        rest[_text(path[0])] = inner
    return rest
