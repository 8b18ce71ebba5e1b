"""Which of the networks in a file is meant, and the keys that lead to it.

Nothing is guessed: where two networks lie side by side and neither is the other's average, the
user chooses. What a file holds may be shared and held by itself, so each object is looked at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch

from lading.checkpoint.account import Account
from lading.checkpoint.inert import Placeholder
from lading.checkpoint.shown import cut, shown
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
#: Containers inside containers.
MAX_NESTING = 8


def entries_of(value: Any) -> Mapping[Any, Any]:
    """The entries of a dict, or of a dict's subclass that lading does not know."""
    if isinstance(value, Placeholder):
        return value.entries
    return value if isinstance(value, Mapping) else {}


def is_module(value: Any) -> bool:
    """Whether `value` is a pickled ``nn.Module``."""
    return (
        isinstance(value, Placeholder)
        and isinstance(value.state, dict)
        and all(isinstance(value.state.get(key), dict) for key in ("_parameters", "_modules"))
    )


class Search:
    """The search in what one file holds.

    Args:
        root: the object in the file.
        subject: how errors call the file.
        account: what the search may cost.
    """

    def __init__(self, root: Any, subject: str, account: Account) -> None:
        self.root, self.subject, self.account = root, subject, account
        self._states: dict[int, bool] = {}
        #: of a state dict with several networks in it, what the names of the asked one begin with
        self.prefix = ""

    def is_state(self, value: Any) -> bool:
        """Whether `value` holds tensors by name, or is a module."""
        known = self._states.get(id(value))
        if known is None:
            inner = entries_of(value)
            self.account.charge(self.subject, work=len(inner) / 10)
            known = is_module(value) or any(isinstance(v, torch.Tensor) for v in inner.values())
            self._states[id(value)] = known
        return known

    def _holds_network(self, value: Any) -> bool:
        """Whether known keys lead from `value` to a state dict; each object is looked at once."""
        level, seen = [value], {id(value)}
        for _ in range(MAX_NESTING):
            self.account.charge(self.subject, work=20 * len(level))
            if any(map(self.is_state, level)):
                return True
            inner = [entries_of(v)[key] for v in level for key in _KNOWN if key in entries_of(v)]
            level = [one for one in {id(one): one for one in inner}.values() if id(one) not in seen]
            seen.update(map(id, level))
        return False

    def path(self, which: str | None, steps: list[str]) -> list[Any]:
        """The keys from the root to the state dict; each step is added to `steps`.

        Raises:
            CheckpointError: there is no network.
            RequestError: there are several, or none called `which`.
        """
        path: list[Any] = []
        value = self.root
        if which is not None and not self._prefixed(which):
            path, value = self._led(which)
            steps.append(f"took {which!r}, as asked")
        while not is_module(value):
            candidates = self._candidates(value)
            chosen = self._choose(candidates, path)
            if chosen is None or len(path) > MAX_NESTING:
                break
            others = [".".join([*map(str, path), one]) for one in candidates if one != chosen]
            step = f"took {chosen!r} out of the file's {len(entries_of(value))} entries"
            if chosen in AVERAGES and others:
                step = f"took {chosen!r}, the averaged weights"
            if others:
                step += f" (--which takes another: {some(others)})"
            steps.append(step)
            path.append(chosen)
            value = entries_of(value)[chosen]
        if not self.is_state(value):
            raise self._no_network(value)
        return path

    def _prefixed(self, which: str) -> bool:
        """Whether `which` is no key, and names in the file's state dict begin with it."""
        if self.prefix or _keys(self.root, which):
            return bool(self.prefix)
        try:
            path = self.path(None, [])
        except (CheckpointError, RequestError):
            return False
        state = self.root
        for key in path:
            state = entries_of(state)[key]
        prefix = f"{which.rstrip('.')}."
        names = (name for name in entries_of(state) if isinstance(name, str))
        self.prefix = prefix if any(name.startswith(prefix) for name in names) else ""
        return bool(self.prefix)

    def _led(self, which: str) -> tuple[list[Any], Any]:
        """The keys that `which` names, and what they lead to.

        Raises:
            RequestError: they lead to no network.
        """
        path = _keys(self.root, which)
        value = self.root
        for key in path:
            value = entries_of(value)[key]
        if path and (self.is_state(value) or self._candidates(value)):
            return list(path), value
        known = self._networks()
        raise RequestError(
            f"--which {which}",
            found=f"no network of that name in {self.subject}"
            + (f"; at hand: {some(known)}" if known else ""),
            expected="the keys that lead to a network in the file"
            if known
            else "no --which: the file holds one network, under no key",
            remedy=f"use --which {known[0]}" if known else "leave --which out",
        )

    def _networks(self) -> list[str]:
        """What ``--which`` can name: each network by the keys that lead to it."""
        found: list[str] = []
        level, seen = [("", self.root)], {id(self.root)}
        for _ in range(MAX_NESTING):
            inner = [
                (f"{path}{key}", entries_of(v)[key])
                for path, v in level
                for key in self._candidates(v)
            ]
            found += [path for path, value in inner if self.is_state(value)]
            level = [(f"{p}.", v) for p, v in inner if not self.is_state(v) and id(v) not in seen]
            seen.update(id(value) for _, value in level)
        return found

    def _candidates(self, value: Any) -> list[str]:
        """Keys of `value` that lead to networks, known keys first."""
        entries = entries_of(value)
        self.account.charge(self.subject, work=20 + 2 * len(entries))
        known = [key for key in _KNOWN if self._holds_network(entries.get(key))]
        direct = [
            key
            for key, one in entries.items()
            if isinstance(key, str)
            and key not in known
            and not _is_optimizer(key)
            and (
                self.is_state(one)
                or any(self.is_state(entries_of(one).get(inner)) for inner in _KNOWN)
            )
        ]
        return known + direct

    def _choose(self, candidates: list[str], path: list[Any]) -> str | None:
        for known in (AVERAGES, NETWORKS):
            for key in candidates:
                if key in known:
                    return key
        if len(candidates) > 1:
            keys = [".".join([*map(str, path), one]) for one in candidates]
            raise RequestError(
                self.subject,
                found=f"several networks: {some(keys)}",
                expected="one",
                remedy=f"name the one to convert, e.g. --which {keys[0]}",
            )
        return candidates[0] if candidates else None

    def _no_network(self, value: Any) -> CheckpointError:
        entries = entries_of(value)
        keys = f"a dict with the keys {some(entries)}" if entries else f"a {kind(value)}"
        if isinstance(value, dict) and not value:
            keys = "an empty dict"
        return CheckpointError(
            self.subject,
            found=f"no network: {keys}, and no tensor in it",
            expected="a state dict, alone or in a trainer's dict",
            remedy="save the network: torch.save(model.state_dict(), path)",
        )


def _keys(value: Any, which: str, depth: int = 0) -> tuple[str, ...]:
    """The keys, one inside the other, that `which` names with dots between; a key may hold dots."""
    entries = entries_of(value)
    if which in entries:
        return (which,)
    for key in entries if depth < MAX_NESTING else ():
        if isinstance(key, str) and which.startswith(f"{key}."):
            inner = _keys(entries[key], which[len(key) + 1 :], depth + 1)
            if inner:
                return (key, *inner)
    return ()


def _is_optimizer(key: str) -> bool:
    return any(word in key.lower() for word in ("optim", "sched", "scaler", "rng", "callback"))


def kind(value: Any) -> str:
    """What `value` is, for an error."""
    if isinstance(value, torch.Tensor):
        return f"single tensor of shape {tuple(value.shape)}"
    return cut(repr(value)) if isinstance(value, Placeholder) else type(value).__name__


def some(keys: Iterable[Any]) -> str:
    """The first of `keys`, and how many there are."""
    names = list(keys)
    more = f", … ({len(names)} in all)" if len(names) > 8 else ""
    return ", ".join(cut(key) if isinstance(key, str) else shown(key) for key in names[:8]) + more
