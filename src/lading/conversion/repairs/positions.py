"""Slices that begin at a value: a place in a cache, as ``cache[:, pos : pos + 1] = k``."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from itertools import islice
from typing import Any

import torch

from lading.conversion.repairs import Case, Scope, Watching, in_place_of

#: Where a slice is taken: file, and place in it.
Site = tuple[str, Any]


class Positions(Watching):
    """A slice from a tensor's value, ``x[p : p + n]``, is taken and written by index.

    Algebra. The elements of ``x[p : p + n]`` are those at ``p, p + 1, ... p + n - 1`` of that axis:
    ``x.index_select(axis, p + arange(n))``; and what is assigned to it goes there,
    ``x.index_copy_(axis, p + arange(n), value)``. A graph has no slice of which a value says where
    it begins (`torch.export` stops at it, ``GuardOnDataDependentSymNode``), and it has both of
    these.

    How long the slice is does not follow from the code. It is learned by running it: a line of
    which every run takes n elements is said so, and one that takes now so many and now others is
    left alone. So is ``x[:p]``, as long as its value says.
    """

    name = "slices at a position"
    reason = (
        "a slice that begins at a tensor's value has no place in a graph; the same elements are "
        "taken and written by their indices"
    )
    idle = "no slice begins at a value"

    def watched(self, noted: Callable[[], Any]) -> AbstractContextManager[None]:
        """See `Watching`."""
        return _by_index(noted)

    def scope(self, case: Case) -> Scope:
        if case.route == "trace":
            return Scope(declined="a trace records such slices itself")
        if not any(not value.is_floating_point() for value in case.inputs):
            return Scope(declined="no input is a whole number")
        return super().scope(case)


@contextmanager
def _by_index(noted: Callable[[], Any]) -> Iterator[None]:
    """Takes and writes such slices by index; `noted` is called for each."""
    lengths: dict[Site, int] = {}
    take, write = torch.Tensor.__getitem__, torch.Tensor.__setitem__

    def resolved(x: Any, key: Any, site: Site) -> tuple[Any, int, torch.Tensor] | None:
        """The tensor with that axis whole, the axis, and the indices in it."""
        parts = key if isinstance(key, tuple) else (key,)
        places = [n for n, part in enumerate(parts) if _at_a_value(part)]
        plain = all(part is Ellipsis or isinstance(part, (int, slice)) for part in parts)
        if len(places) != 1 or not plain:
            return None
        (place,) = places
        length = _length(parts[place], lengths, site)
        if length < 1:
            return None
        noted()
        whole = (*parts[:place], slice(None), *parts[place + 1 :])
        if Ellipsis in parts[:place]:
            axis = -1 - sum(not isinstance(part, int) for part in parts[place + 1 :])
        else:
            axis = sum(not isinstance(part, int) for part in parts[:place])
        view = take(x, whole)
        start = parts[place].start.reshape(()).to(torch.int64)
        return view, axis % view.dim(), start + torch.arange(length, device=x.device)

    def getitem(self: Any, key: Any) -> Any:
        found = resolved(self, key, _site())
        return take(self, key) if found is None else found[0].index_select(found[1], found[2])

    def setitem(self: Any, key: Any, value: Any) -> None:
        found = resolved(self, key, _site())
        if found is None:
            write(self, key, value)
            return
        view, axis, indices = found
        shape = [len(indices) if n == axis else size for n, size in enumerate(view.shape)]
        given = torch.as_tensor(value, dtype=view.dtype, device=view.device)
        view.index_copy_(axis, indices, given.expand(shape))

    with in_place_of({"__getitem__": getitem, "__setitem__": setitem}):
        yield


def _site() -> Site:
    """From Python 3.11 on by columns: once an instruction has been called often, the interpreter
    says that it stands behind its cache."""
    frame = sys._getframe(2)
    code, instruction = frame.f_code, frame.f_lasti
    if sys.version_info < (3, 11):
        return code.co_filename, (frame.f_lineno, instruction)
    return code.co_filename, next(islice(code.co_positions(), instruction // 2, None))


def _at_a_value(part: Any) -> bool:
    """Whether a part of an index is a slice from a tensor's one whole number to another's."""
    return (
        isinstance(part, slice)
        and part.step in (None, 1)
        and all(
            isinstance(end, torch.Tensor) and end.numel() == 1 and not end.is_floating_point()
            for end in (part.start, part.stop)
        )
    )


def _length(part: slice, lengths: dict[Site, int], site: Site) -> int:
    """How many elements it takes, as far as that is known and always the same; else 0."""
    if type(part.start) is not torch.Tensor or type(part.stop) is not torch.Tensor:
        return lengths.get(site, 0)  # of a graph that is being taken: no value is there to be read
    length = int(part.stop) - int(part.start)
    if lengths.setdefault(site, length) != length:
        lengths[site] = 0
    return lengths[site]


REPAIR = Positions()
