"""From what a file holds to the network's tensors: containers, averages, prefixes; each step said.

A trainer wraps the state dict in its own dict, beside the optimizer and its counters; wrappers
such as ``DataParallel`` and ``torch.compile`` put a prefix before every name. Nothing is guessed:
where two networks lie side by side and neither is the other's average, the user chooses.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from lading.checkpoint.inert import Placeholder
from lading.errors import CheckpointError, RequestError

#: Keys under which trainers keep the network, in the order in which they are looked for.
NETWORKS = (
    "network_weights",
    "state_dict",
    "model_state_dict",
    "model_state",
    "model",
    "network",
    "net",
    "module",
    "params",
    "weights",
)
#: Keys of averaged weights, which are what the trainer evaluates: preferred over the plain ones.
AVERAGES = (
    "ema",
    "params_ema",
    "model_ema",
    "ema_model",
    "state_dict_ema",
    "ema_state_dict",
    "model_state_dict_ema",
    "ema_params",
)
_KNOWN = (*AVERAGES, *NETWORKS)
#: Prefixes of wrappers, taken off only where every name has them.
PREFIXES = ("module.", "_orig_mod.", "model.")

#: Containers inside containers; a module inside a module; names and visits in a pickled module.
MAX_NESTING = 8
MAX_DEPTH = 200
MAX_VISITS = 1_000_000


def tidy(
    root: Any, subject: str, which: str | None = None
) -> tuple[dict[str, torch.Tensor], dict[str, Any], list[str]]:
    """The network's tensors, everything else, and the steps from one to the other.

    Args:
        root: the object in the file.
        subject: how errors call the file.
        which: the key of the network to take, dots between keys; None to look for it.

    Raises:
        CheckpointError: there is no network in it, or its names are no texts.
        RequestError: there are several, or none called `which`.
    """
    steps: list[str] = []
    found, path = root, _flat(root, subject, which)
    if which is None or path is None:
        path = _path(root, subject, which, steps)
    for key in path:
        found = _entries(found)[key]
    if which is not None and _under(found, which, []):
        found = _under(found, which, steps)
    if _is_module(found):
        state = _module_state(found, subject)
        steps.append(f"read the tensors out of a pickled {found!r}")
        beside: dict[str, Any] = {}
    else:
        state, beside = _split(found, subject)
        if beside:
            steps.append(f"set aside {len(beside)} entries that are no tensors: {_some(beside)}")
    metadata = _without(root, path, beside)
    return _strip(state, steps), metadata, steps


def _entries(value: Any) -> Mapping[Any, Any]:
    """The entries of a dict, or of a dict's subclass that lading does not know."""
    if isinstance(value, Placeholder):
        return value.entries
    return value if isinstance(value, Mapping) else {}


def _is_module(value: Any) -> bool:
    return (
        isinstance(value, Placeholder)
        and isinstance(value.state, dict)
        and all(isinstance(value.state.get(key), dict) for key in ("_parameters", "_modules"))
    )


def _is_state(value: Any) -> bool:
    return _is_module(value) or any(
        isinstance(one, torch.Tensor) for one in _entries(value).values()
    )


def _holds_network(value: Any) -> bool:
    """Whether known keys lead from `value` to a state dict; each object is looked at once."""
    level, seen = [value], {id(value)}
    for _ in range(MAX_NESTING):
        if any(map(_is_state, level)):
            return True
        inner = [_entries(one)[key] for one in level for key in _KNOWN if key in _entries(one)]
        level = [one for one in inner if id(one) not in seen]
        seen.update(map(id, level))
    return False


# ---------------------------------------------------------------------------------- which network
def _path(root: Any, subject: str, which: str | None, steps: list[str]) -> list[Any]:
    """The keys from `root` to the state dict."""
    path: list[Any] = []
    value = root
    if which is not None:
        path, value = _led(root, which, subject)
        steps.append(f"took {which!r}, as asked")
    while not _is_module(value):
        candidates = _candidates(value)
        chosen = _choose(candidates, subject, path)
        if chosen is None or len(path) > MAX_NESTING:
            break
        others = [".".join([*map(str, path), one]) for one in candidates if one != chosen]
        step = f"took {chosen!r} out of the file's {len(_entries(value))} entries"
        if chosen in AVERAGES and others:
            step = f"took {chosen!r}, the averaged weights"
        if others:
            step += f" (--which takes another: {_some(others)})"
        steps.append(step)
        path.append(chosen)
        value = _entries(value)[chosen]
    if not _is_state(value):
        raise _no_network(value, subject)
    return path


def _flat(root: Any, subject: str, which: str | None) -> list[Any] | None:
    """The keys to a state dict with names under `which`, where that is no key itself."""
    if which is None or _keys(root, which):
        return None
    try:
        path = _path(root, subject, None, [])
    except (CheckpointError, RequestError):
        return None
    found = root
    for key in path:
        found = _entries(found)[key]
    return path if _under(found, which, []) else None


def _under(value: Any, which: str, steps: list[str]) -> dict[str, torch.Tensor]:
    """The tensors whose names begin with ``which.``, without that: one of several networks that
    lie in one state dict. Empty where there are none."""
    prefix = f"{which.rstrip('.')}."
    state = {n: t for n, t in _entries(value).items() if isinstance(n, str)}
    found = {n[len(prefix) :]: t for n, t in state.items() if n.startswith(prefix)}
    if found:
        steps.append(f"took the {len(found)} of {len(state)} names under {prefix!r}, as asked")
    return found


def _led(root: Any, which: str, subject: str) -> tuple[list[Any], Any]:
    """The keys that `which` names, and what they lead to.

    Raises:
        RequestError: they lead to no network.
    """
    path = _keys(root, which)
    value = root
    for key in path:
        value = _entries(value)[key]
    if path and (_is_state(value) or _candidates(value)):
        return list(path), value
    known = _networks(root)
    raise RequestError(
        f"--which {which}",
        found=f"no network of that name in {subject}"
        + (f"; at hand: {_some(known)}" if known else ""),
        expected="the keys that lead to a network in the file"
        if known
        else "no --which: the file holds one network, under no key",
        remedy=f"use --which {known[0]}" if known else "leave --which out",
    )


def _keys(value: Any, which: str, depth: int = 0) -> tuple[str, ...]:
    """The keys, one inside the other, that `which` names with dots between; a key may hold dots."""
    entries = _entries(value)
    if which in entries:
        return (which,)
    for key in entries if depth < MAX_NESTING else ():
        if isinstance(key, str) and which.startswith(f"{key}."):
            inner = _keys(entries[key], which[len(key) + 1 :], depth + 1)
            if inner:
                return (key, *inner)
    return ()


def _networks(root: Any) -> list[str]:
    """What ``--which`` can name: each network by the keys that lead to it."""
    found: list[str] = []
    level, seen = [("", root)], {id(root)}
    for _ in range(MAX_NESTING):
        inner = [(f"{path}{key}", _entries(v)[key]) for path, v in level for key in _candidates(v)]
        found += [path for path, value in inner if _is_state(value)]
        level = [(f"{p}.", v) for p, v in inner if not _is_state(v) and id(v) not in seen]
        seen.update(id(value) for _, value in level)
    return found


def _candidates(value: Any) -> list[str]:
    """Keys of `value` that lead to networks, known keys first."""
    entries = _entries(value)
    known = [key for key in _KNOWN if _holds_network(entries.get(key))]
    direct = [
        key
        for key, one in entries.items()
        if isinstance(key, str)
        and key not in known
        and not _is_optimizer(key)
        and (_is_state(one) or any(_is_state(_entries(one).get(inner)) for inner in _KNOWN))
    ]
    return known + direct


def _is_optimizer(key: str) -> bool:
    return any(word in key.lower() for word in ("optim", "sched", "scaler", "rng", "callback"))


def _choose(candidates: list[str], subject: str, path: list[Any]) -> str | None:
    for known in (AVERAGES, NETWORKS):
        for key in candidates:
            if key in known:
                return key
    if len(candidates) > 1:
        keys = [".".join([*map(str, path), one]) for one in candidates]
        raise RequestError(
            subject,
            found=f"several networks: {_some(keys)}",
            expected="one",
            remedy=f"name the one to convert, e.g. --which {keys[0]}",
        )
    return candidates[0] if candidates else None


def _no_network(value: Any, subject: str) -> CheckpointError:
    entries = _entries(value)
    keys = f"a dict with the keys {_some(entries)}" if entries else f"a {_kind(value)}"
    return CheckpointError(
        subject,
        found=f"no network: {keys if value != {} else 'an empty dict'}, and no tensor in it",
        expected="a state dict, alone or in a trainer's dict",
        remedy="save the network: torch.save(model.state_dict(), path)",
    )


def _kind(value: Any) -> str:
    if isinstance(value, torch.Tensor):
        return f"single tensor of shape {tuple(value.shape)}"
    return repr(value) if isinstance(value, Placeholder) else type(value).__name__


def _some(keys: Any) -> str:
    names = [str(key)[:60] for key in keys]
    more = f", … ({len(names)} in all)" if len(names) > 8 else ""
    return ", ".join(names[:8]) + more


# ------------------------------------------------------------------------------------ the tensors
def _split(value: Any, subject: str) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    state: dict[str, torch.Tensor] = {}
    beside: dict[str, Any] = {}
    for key, one in _entries(value).items():
        if not isinstance(key, str):
            if isinstance(one, torch.Tensor):
                raise CheckpointError(
                    subject,
                    found=f"a tensor under the key {key!r:.60} ({type(key).__name__})",
                    expected="names that are texts",
                    remedy="save a state dict: torch.save(model.state_dict(), path)",
                )
            beside[str(key)] = one
        elif isinstance(one, torch.Tensor):
            state[key] = one
        elif isinstance(one, Placeholder) and one.module in ("torch._utils", "torch._tensor"):
            raise CheckpointError(
                f"{subject}, tensor {key}",
                found=f"a tensor of a special kind ({one.name.removeprefix('_rebuild_')})",
                expected="a dense tensor of plain numbers",
                remedy="save it dense, e.g. tensor.to_dense()",
            )
        else:
            beside[key] = one
    return state, beside


def _module_state(module: Placeholder, subject: str) -> dict[str, torch.Tensor]:
    """The state dict of a pickled ``nn.Module``: parameters, buffers, then children, as torch's."""
    state: dict[str, torch.Tensor] = {}
    waiting: list[tuple[str, Any, int]] = [("", module, 0)]
    for _ in range(MAX_VISITS):
        if not waiting:
            break
        prefix, one, depth = waiting.pop()
        if one is None:
            continue
        if not _is_module(one) or depth > MAX_DEPTH:
            raise _no_module(subject, f"{prefix or 'the module'} is {_kind(one)}")
        inner = one.state
        hidden = inner.get("_non_persistent_buffers_set") or ()
        for kind in ("_parameters", "_buffers"):
            for name, tensor in (inner.get(kind) or {}).items():
                if tensor is None or (kind == "_buffers" and name in hidden):
                    continue
                if not isinstance(tensor, torch.Tensor) or not isinstance(name, str):
                    raise _no_module(subject, f"{prefix}{name} is {_kind(tensor)}")
                state[prefix + name] = tensor
        children = reversed(list(inner["_modules"].items()))
        waiting.extend((f"{prefix}{name}.", child, depth + 1) for name, child in children)
    if waiting:
        raise _no_module(subject, f"more than {MAX_VISITS:,} modules inside modules")
    if not state:
        raise _no_module(subject, "it holds no tensor")
    return state


def _no_module(subject: str, found: str) -> CheckpointError:
    return CheckpointError(
        subject,
        found=f"a whole pickled module that cannot be read without its code: {found}",
        expected="a state dict",
        remedy="where the code is at hand: torch.save(model.state_dict(), path)",
    )


def _strip(state: dict[str, torch.Tensor], steps: list[str]) -> dict[str, torch.Tensor]:
    while True:
        for prefix in PREFIXES:
            if all(name.startswith(prefix) and name != prefix for name in state):
                state = {name[len(prefix) :]: tensor for name, tensor in state.items()}
                steps.append(f"took the prefix {prefix!r} off all {len(state)} names")
                break
        else:
            return state


def _without(root: Any, path: list[Any], beside: dict[str, Any]) -> dict[str, Any]:
    """`root` without what `path` leads to; with what lay beside the tensors."""
    if not path:
        return beside
    entries = _entries(root)
    rest = {str(key): value for key, value in entries.items() if key != path[0]}
    inner = _without(entries[path[0]], path[1:], beside)
    if inner:
        rest[str(path[0])] = inner
    return rest
