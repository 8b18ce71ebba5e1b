"""Something that computes named values: the one thing that comparisons, walks and tables know.

The untouched original in torch is a side (`lading.interface.original`); an artifact in a runtime,
under a reading of its precision, or rewritten, is one (`lading.formats`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy.typing as npt

from lading.record.bench import Spent

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Made:
    """One value that a side computes.

    Attributes:
        name: on that side; of the original, a module path, or module path and operation.
        op: the operation.
        module: path of the module that made it, where the side knows.
        source: file and line, where the side knows.
        reads: names of the values and constants that it is computed from.
        module_output: whether it is what a module returns.
        real: whether it is floating-point arithmetic, so that there is something to compare.
    """

    name: str
    op: str
    module: str = ""
    source: str = ""
    reads: tuple[str, ...] = ()
    module_output: bool = False
    real: bool = True


class Everything(Collection[str]):
    """Every name there is, for `Side.run`."""

    def __contains__(self, name: object) -> bool:
        return True

    def __iter__(self) -> Any:
        raise TypeError("every name: there is no list of them")

    def __len__(self) -> int:
        raise TypeError("every name: they are not counted")

    def __bool__(self) -> bool:
        return True


EVERYTHING = Everything()


class Side(Protocol):
    """What computes named values.

    Attributes:
        title: the file, or what else it is, for people.
        runtime: name of the runtime; ``"torch"`` for the original.
        reading: how an artifact is read: ``"declared"``, ``"float32"``, ``"float16"``,
            ``"half-accumulate"``; of the original ``"float32"``.
        outputs: names of the outputs, in order.
        in_torch: whether torch computes it, so that its arithmetic can be disturbed.
    """

    title: str
    runtime: str
    reading: str
    outputs: tuple[str, ...]
    in_torch: bool

    @property
    def graph(self) -> Sequence[Made]:
        """Every value in the order of computation; empty where the runtime shows none. The
        original's is known once `run` has looked at everything."""
        ...

    def run(self, inputs: Mapping[str, Array], look_at: Collection[str] = ()) -> dict[str, Array]:
        """The outputs by name, and those of the values in `look_at` that there are.

        Args:
            inputs: by name, in the ports' shapes and dtypes.
            look_at: names in `graph`; `EVERYTHING` for all.

        Raises:
            InputError: an input does not fit.
            ProgramError: the artifact cannot be run as it says.
        """
        ...


@runtime_checkable
class Watched(Protocol):
    """A side that knows where its time goes."""

    def spent(self, inputs: Mapping[str, Array], calls: int) -> tuple[float, list[Spent]]:
        """Seconds of a call while it is watched, and of each operation in it; the mean of so many
        calls, after one that is not counted.

        Raises:
            InputError, ProgramError: as `Side.run`.
        """
        ...


def compared(graph: Sequence[Made], values: Mapping[str, Array]) -> list[Made]:
    """What there is to compare of a graph: floating-point values of more than one element."""
    real = {name for name, value in values.items() if value.dtype.kind == "f" and value.size > 1}
    return [made for made in graph if made.real and made.name in real]
