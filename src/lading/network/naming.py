"""Which name of a checkpoint is which place of a network whose code the user has.

Trainers and wrappers put prefixes before names (``module.``, ``net.backbone.``, ``_orig_mod.``),
and a network whose own attribute is called ``model`` loses one where a wrapper's was taken off.
With the module in hand nothing needs to be listed: the prefix is the one that closes the ledger.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from lading.checkpoint import Checkpoint
from lading.checkpoint.tensors import digest
from lading.errors import RequestError

#: Places from which prefixes are read off: the two ends and what lies between.
ANCHORS = 5


def spellings(module: nn.Module, checkpoint: Checkpoint) -> tuple[dict[str, str], str]:
    """Names of the checkpoint that stand for another name of the module's, and in words how.

    Raises:
        RequestError: several prefixes lead to a whole network, and their tensors differ.
    """
    places = {n: tuple(v.shape) for n, v in _state(module).items()}
    plain = _covered(places, checkpoint, "", "")
    if len(plain) == len(places):
        return {}, ""
    found: dict[tuple[str, str], dict[str, str]] = {}
    for off, on in _prefixes(list(places), checkpoint):
        covered = _covered(places, checkpoint, off, on)
        if len(covered) > len(plain):
            found[off, on] = covered
    if not found:
        return {}, ""
    most = max(map(len, found.values()))
    best = {prefixes: names for prefixes, names in found.items() if len(names) == most}
    (off, on), names = next(iter(best.items()))
    for (other, _), theirs in best.items():
        if other != off and not _alike(checkpoint, names, theirs):
            keys = sorted({one.rstrip(".") for one, _ in best if one})
            raise RequestError(
                checkpoint.record.path,
                found=f"several networks that fit: {', '.join(keys)}",
                expected="one",
                remedy=f"name the one to convert, e.g. --which {keys[0]}",
            )
    words = [f"without {off!r}"] * bool(off) + [f"with {on!r} before them"] * bool(on)
    step = f"took {len(names)} names {' and '.join(words)}, as the network has them"
    return {theirs: ours for ours, theirs in names.items()}, step


def by_bytes(module: nn.Module, checkpoint: Checkpoint) -> dict[str, str]:
    """Names of the checkpoint, each to the module's that holds the same values.

    For a module that read the file itself: it may name its tensors in another way.
    """
    state = _state(module)
    known: dict[str, list[str]] = {}
    for name, value in state.items():
        known.setdefault(_print(value), []).append(name)
    found: dict[str, str] = {}
    for name, tensor in checkpoint.tensors.items():
        fitting = known.get(_print(tensor), [])
        if name in state and name in fitting:
            continue
        free = [one for one in fitting if one not in found.values()]
        if free:
            found[name] = max(free, key=lambda one: len(_common(one, name)))
    return found


def set_aside(
    module: nn.Module, checkpoint: Checkpoint, ignore: Sequence[str], spelled: Mapping[str, str]
) -> dict[str, str]:
    """Names that the network has no use for, each with the reason: what the user says is none of
    its, and buffers that the module makes itself, with the very same values.

    Raises:
        RequestError: a pattern fits nothing, or a tensor that the network reads.
    """
    found: dict[str, str] = {}
    state = _state(module)
    for pattern in ignore:
        fitting = fnmatch.filter(checkpoint.tensors, pattern)
        read = [name for name in fitting if spelled.get(name, name) in state]
        if read or not fitting:
            raise RequestError(
                f"--ignore {pattern}",
                found=f"{read[0]}, which the network reads" if read else "no tensor of that name",
                expected="names of tensors that the network has no place for",
                remedy="narrow the pattern" if read else "compare `lading inspect`'s names",
            )
        found |= dict.fromkeys(fitting, f"set aside by --ignore {pattern}")
    made = dict(module.named_buffers())
    for name, tensor in checkpoint.tensors.items():
        own = made.get(spelled.get(name, name))
        if own is not None and name not in state and _print(own) == _print(tensor):
            found.setdefault(name, "the network makes this buffer itself, with the same values")
    return found


def _state(module: nn.Module) -> dict[str, torch.Tensor]:
    state: dict[str, Any] = module.state_dict(keep_vars=True)
    return {name: value for name, value in state.items() if isinstance(value, torch.Tensor)}


def _print(tensor: torch.Tensor) -> str:
    """Shape and values, whatever the precision that they are kept in."""
    tensor = tensor.detach()
    wide = tensor.double() if tensor.is_floating_point() else tensor
    return f"{tuple(tensor.shape)} {digest(wide.contiguous())}"


def _common(one: str, other: str) -> list[str]:
    """What two names end in, part by part."""
    shared = []
    for a, b in zip(reversed(one.split(".")), reversed(other.split(".")), strict=False):
        if a != b:
            break
        shared.append(a)
    return shared[::-1]


def _prefixes(places: Sequence[str], checkpoint: Checkpoint) -> dict[tuple[str, str], None]:
    """What may have to be taken off the checkpoint's names, and put before them."""
    step = max(1, len(places) // ANCHORS)
    found: dict[tuple[str, str], None] = {}
    for place in [*places[::step], places[-1]] if places else []:
        for name in checkpoint.tensors:
            shared = ".".join(_common(place, name))
            if shared:
                found[name.removesuffix(shared), place.removesuffix(shared)] = None
    return found


def _covered(
    places: Mapping[str, tuple[int, ...]], checkpoint: Checkpoint, off: str, on: str
) -> dict[str, str]:
    """The module's names that these prefixes reach, each with the checkpoint's."""
    return {
        ours: name
        for name, tensor in checkpoint.tensors.items()
        if name.startswith(off) and places.get(ours := on + name[len(off) :]) == tuple(tensor.shape)
    }


def _alike(checkpoint: Checkpoint, one: Mapping[str, str], other: Mapping[str, str]) -> bool:
    first = checkpoint.aliases.get
    return all(
        first(one[n], one[n]) == first(other[n], other[n])
        or _print(checkpoint.tensors[one[n]]) == _print(checkpoint.tensors[other[n]])
        for n in one.keys() & other.keys()
    )
