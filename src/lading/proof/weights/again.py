"""The same network converted once more in fp32: what the converters make of the untouched tensors.

A converter joins norms to convolutions, moves constants into biases, orders the gates of a
recurrent layer as its format has them, computes tables that no tensor holds. What it made of this
checkpoint is read off a fresh file, by name and by value; it is asked for only where something in
an artifact is left that neither the tensors nor the network itself explain.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np

from lading.base.notices import Notices, gathered
from lading.conversion.graphs import ROUTES, Graphs
from lading.errors import LadingError
from lading.formats import Artifact, Format, Held, formats
from lading.interface.side import Array
from lading.proof.weights.followed import Derived, equal, orders

#: What a converter appends to the name of a constant that it rounds.
ROUNDED = ("_to_fp16", "_cast_fp16", "_to_fp32")
#: The least number that fp16 holds above 0. An epsilon below is raised to it: 0 would divide by 0.
LEAST = 2.0**-24


@dataclass
class Fresh:
    """The constants of one fresh file."""

    title: str
    held: Sequence[Held]

    @cached_property
    def _by_name(self) -> dict[str, list[Held]]:
        found: dict[str, list[Held]] = {}
        for one in self.held:
            for name in (one.name, *one.places):
                found.setdefault(plain(name), []).append(one)
        return found

    @cached_property
    def _by_size(self) -> dict[int, list[Held]]:
        found: dict[int, list[Held]] = {}
        for one in self.held:
            found.setdefault(one.values.size, []).append(one)
        return found

    def find(self, values: Array, *names: str) -> Derived | None:
        """What `values` is, by its names first; in its own shape."""
        return next(self._found(values, names), (None, True))[0]

    def choice(self, values: Array, *names: str) -> bool:
        """Whether none of its names is known here, and constants that differ round to `values`."""
        found = self._found(values, names)
        first, named = next(found, (None, True))
        if first is None or named:
            return False
        return any(not np.array_equal(one.values, first.values) for one, _ in found)

    def _found(self, values: Array, names: Sequence[str]) -> Iterator[tuple[Derived, bool]]:
        """All that it may be, and whether it is so named."""
        if values.dtype.kind != "f":
            return
        named = [one for name in names for one in self._by_name.get(plain(name), ())]
        for place, one in enumerate((*named, *self._by_size.get(values.size, ()))):
            if one.values.size != values.size or one.values.dtype.kind != "f":
                continue
            for array in orders(one.values):
                if equal(values, array) or (place < len(named) and _raised(values, array)):
                    how = f"as {self.title} has it when the checkpoint is converted once more"
                    yield Derived(array.reshape(values.shape), (), how), place < len(named)
                    break

    def of_size(self, values: Array) -> list[Held]:
        """The constants of the size of `values` that say something."""
        return [
            one
            for one in self._by_size.get(values.size, ())
            if one.values.dtype.kind == "f" and np.unique(one.values).size > 1
        ]


@dataclass
class Again:
    """Fresh conversions of one network, each made when it is first asked for.

    Attributes:
        graphs: the network's, shared with whoever took one before.
    """

    graphs: Graphs
    _made: dict[tuple[str, str], Fresh | None] = field(default_factory=dict)

    def own(self, artifact: Artifact) -> Iterator[Fresh]:
        """The artifact's own format by either route."""
        for route in ROUTES:
            yield from self._one(artifact.format, route, artifact)

    def files(self, artifact: Artifact) -> Iterator[Fresh]:
        """Its own format; then the others, as another tool may have joined what the exporter of its
        own leaves apart."""
        yield from self.own(artifact)
        for other in formats().values():
            if other.name != artifact.format.name:
                yield from self._one(other, ROUTES[0], artifact)

    def _one(self, form: Format, route: str, artifact: Artifact) -> Iterator[Fresh]:
        key = form.name, route
        if key not in self._made:
            self._made[key] = self._converted(form, route, artifact)
        made = self._made[key]
        if made is not None:
            yield made

    def _converted(self, form: Format, route: str, artifact: Artifact) -> Fresh | None:
        interface = self.graphs.interface
        try:
            with tempfile.TemporaryDirectory() as folder, gathered(Notices()):
                graph, _ = self.graphs.take(route, form.axes(interface.options))  # type: ignore[arg-type]
                path = Path(folder) / f"again{form.suffix}"
                form.convert(graph, artifact.settings, path)
                held = form.open(path).constants()
                return Fresh(f"{form.title} by {route}", [_loaded(one) for one in held])
        except LadingError:  # not by this way: the others, or nothing, have to do
            return None


def _raised(values: Array, array: Array) -> bool:
    """Whether a converter raised one number to what fp16 holds at all.

    >>> _raised(np.float16([6e-8]), np.float32([1e-12])), _raised(np.float16([1e-4]), np.ones(1))
    (True, False)
    """
    if values.size != 1 or values.dtype != np.float16:
        return False
    return float(values.reshape(-1)[0]) == LEAST and 0.0 < float(array.reshape(-1)[0]) < LEAST


def plain(name: str) -> str:
    """A constant's name without what a converter appends where it rounds.

    >>> plain("conv_weight_to_fp16"), plain("op_4_cast_fp16")
    ('conv_weight', 'op_4')
    """
    for suffix in ROUNDED:
        name = name.removesuffix(suffix)
    return name


def _loaded(one: Held) -> Held:
    """Without the file that it may be mapped from."""
    return Held(one.name, np.array(one.values), one.dtype, one.reader, places=one.places)
