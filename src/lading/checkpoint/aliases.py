"""Which names of a checkpoint are one tensor, and which should be and are not.

Three grounds, in falling order of strength:

1. **One storage.** Names whose tensors share address, dtype, shape and stride are one tensor.
2. **A family's word.** `expected` says which names are one in the network that wrote the file.
   Equal bytes make an alias; different bytes are a conflict.
3. **A pattern of the names.** Some writers unshare what was shared. Names that repeat a whole
   part of the network (``decoder.encoder.X`` for ``encoder.X``; ``P.all_modules.N.x`` for the
   N-th named layer of ``P``) are taken as one if the pattern is *believed*.

Equal bytes alone are no ground: every fresh bias is zeros, every fresh norm weight is ones. So a
pattern is believed only if every name of the repeated part has a partner of the same dtype and
shape, and at least one pair shares its storage or, with values that vary (not constant, at least
`MIN_ELEMENTS`), is equal to the byte. Then an unequal pair is a conflict. If no pair ties them the
two parts are independent, and that is neither alias nor conflict.

The name that stays is the one that the rebuilt module uses: the one with the fewest repeating
components (``all_modules``, ``decoder.encoder``), and among those the first in the file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import torch

from lading.checkpoint.tensors import digest, dtype_name, same_bytes
from lading.record import Claim, Conflict

#: Elements below which equal values say nothing.
MIN_ELEMENTS = 16

Tensors = Mapping[str, torch.Tensor]


def find_aliases(
    tensors: Tensors, expected: Mapping[str, str] | None = None
) -> tuple[dict[str, str], tuple[Conflict, ...]]:
    """Second names, each to its first name; and the names that should be one and differ.

    Args:
        tensors: by name, in the file's order.
        expected: second name to first name, from a family that knows its network; pairs with a
            name that is not among the tensors say nothing.

    >>> weight = torch.arange(20.0)
    >>> find_aliases({"a": weight, "b": weight})
    ({'b': 'a'}, ())
    >>> find_aliases({"a": weight, "b": weight.clone()})
    ({}, ())
    >>> find_aliases({"a": weight, "b": weight.clone()}, {"b": "a"})
    ({'b': 'a'}, ())
    """
    groups = _Groups(tensors)
    by_place: dict[object, str] = {}
    for name, tensor in tensors.items():
        if tensor.numel() and tensor.device.type != "meta":
            place = (tensor.data_ptr(), tensor.dtype, tuple(tensor.shape), tensor.stride())
            groups.join(by_place.setdefault(place, name), name)

    conflicts: dict[str, Conflict] = {}
    for second, first in (expected or {}).items():
        if second in tensors and first in tensors:
            _settle(groups, conflicts, second, first, "the family's word")
    for pattern, pairs in _PATTERNS.items():
        for part in pairs(tensors):
            if _believed(groups, part):
                for second, first in part.items():
                    _settle(groups, conflicts, second, first, pattern)
    return groups.aliases(), tuple(conflicts.values())


class _Groups:
    """Names joined into groups; each group is one tensor."""

    def __init__(self, tensors: Tensors) -> None:
        self.tensors = tensors
        self._up = {name: name for name in tensors}
        self._rank = {name: (_repeats(name), at) for at, name in enumerate(tensors)}

    def first(self, name: str) -> str:
        while self._up[name] != name:
            self._up[name] = self._up[self._up[name]]
            name = self._up[name]
        return name

    def join(self, a: str, b: str) -> None:
        a, b = sorted((self.first(a), self.first(b)), key=self._rank.__getitem__)
        self._up[b] = a

    def aliases(self) -> dict[str, str]:
        return {name: self.first(name) for name in self._up if self.first(name) != name}


def _repeats(name: str) -> int:
    """How many components of `name` lead a second way to the same layer."""
    parts = name.split(".")
    return parts.count("all_modules") + name.count("decoder.encoder.")


def _settle(
    groups: _Groups, conflicts: dict[str, Conflict], second: str, first: str, ground: str
) -> None:
    if groups.first(second) == groups.first(first):
        return
    a, b = groups.tensors[first], groups.tensors[second]
    if same_bytes(a, b):
        groups.join(first, second)
        return
    claims = tuple(Claim("tensors", _describe(t), n) for n, t in ((first, a), (second, b)))
    conflicts.setdefault(second, Conflict(f"{second} = {first} ({ground})", claims))


def _describe(tensor: torch.Tensor) -> str:
    return f"{dtype_name(tensor)} {tuple(tensor.shape)}, digest {digest(tensor)[:16]}"


def _believed(groups: _Groups, part: Mapping[str, str]) -> bool:
    tensors = groups.tensors
    if not all(
        tensors[a].shape == tensors[b].shape and tensors[a].dtype == tensors[b].dtype
        for a, b in part.items()
    ):
        return False
    # One storage for both is the strongest equality, and needs no look at the values.
    return any(groups.first(a) == groups.first(b) for a, b in part.items()) or any(
        _varies(tensors[a]) and same_bytes(tensors[a], tensors[b]) for a, b in part.items()
    )


def _varies(tensor: torch.Tensor) -> bool:
    if tensor.numel() < MIN_ELEMENTS:
        return False
    return not same_bytes(tensor, tensor.flatten()[:1].expand(tensor.shape))


# ------------------------------------------------------------------------------------- patterns
def _encoder_in_decoder(tensors: Tensors) -> Iterator[dict[str, str]]:
    """``decoder.encoder.X`` for ``encoder.X``, the whole part at once."""
    part = {
        name: name.replace("decoder.encoder.", "encoder.", 1)
        for name in tensors
        if name.startswith("decoder.encoder.") or ".decoder.encoder." in name
    }
    if part and all(first in tensors for first in part.values()):
        yield part


def _all_modules(tensors: Tensors) -> Iterator[dict[str, str]]:
    """``P.all_modules.N.x`` for the named layers of ``P``, in order; one part for a block ``P``."""
    blocks = {
        name[: name.index("all_modules.")] for name in tensors if ".all_modules." in f".{name}"
    }
    listed: dict[str, dict[str, list[str]]] = {block: {} for block in blocks}
    named: dict[str, dict[str, list[str]]] = {block: {} for block in blocks}
    for name in tensors:
        head, _, leaf = name.rpartition(".")
        block, _, child = head.rpartition(".")
        block = f"{block}." if block else ""
        if block in blocks and child != "all_modules":
            named[block].setdefault(child, []).append(leaf)
        elif block.endswith("all_modules.") and block[: -len("all_modules.")] in blocks:
            listed[block[: -len("all_modules.")]].setdefault(child, []).append(leaf)
    for block in sorted(blocks):
        if len(listed[block]) != len(named[block]):
            continue
        layers = zip(listed[block].items(), named[block].items(), strict=True)
        matched = [(n, child, a, b) for (n, a), (child, b) in layers]
        if all(a == b for _, _, a, b in matched):
            yield {
                f"{block}all_modules.{n}.{leaf}": f"{block}{child}.{leaf}"
                for n, child, leaves, _ in matched
                for leaf in leaves
            }


_PATTERNS: dict[str, Callable[[Tensors], Iterator[dict[str, str]]]] = {
    "the decoder repeats the encoder": _encoder_in_decoder,
    "all_modules repeats the named layers": _all_modules,
}
