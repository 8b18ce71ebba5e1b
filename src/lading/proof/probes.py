"""The inputs that a comparison uses, drawn as the kind of work asks; see `lading.task`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lading.interface import Interface
from lading.task import kind_of
from lading.task.probes import Probe, files_in, fits

__all__ = ["Probe", "files_in", "fits", "make"]


def make(interface: Interface, data: Sequence[Path] = ()) -> list[Probe]:
    """All probes for an interface, the user's files last.

    Raises:
        InputError: a file of `data` does not fit.
    """
    return kind_of(interface.task).probes(interface.inputs, interface.options.dynamic, data)
