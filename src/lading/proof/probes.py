"""The inputs that a comparison uses, drawn as the kind of work asks; see `lading.task`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lading.interface import Interface
from lading.record import Port
from lading.task import given, kind_of, several
from lading.task.given import Given
from lading.task.probes import Probe, files_in, fits

__all__ = ["Given", "Probe", "files_in", "fits", "make", "pictured", "telling"]

#: How many probes are drawn as pictures, and of which kinds.
MOST = 2
PICTURES = ("data", "shapes", "stripes")
#: The user's own first, then what looks like a picture, then what looks like nothing.
ORDER = ("data", "calls", "shapes", "stripes", "noise")


def telling(drawn: Sequence[Probe], places: Sequence[int]) -> list[int]:
    """Places of probes, those that are most like what a user feeds first.

    What a reference says of itself at a probe is measured by running it: whoever needs that of a
    few alone asks in this order, so that it is measured once for all.
    """
    rank = {kind: number for number, kind in enumerate(ORDER)}

    def order(place: int) -> tuple[int, int]:
        return rank.get(drawn[place].kind, len(ORDER)), -drawn[place].calls

    return sorted(places, key=order)


def pictured(drawn: Sequence[Probe], port: Port) -> list[int]:
    """The probes that a bill shows as pictures, by their places, where the network has any: those
    of the size of `port`."""
    able = [
        place
        for place, probe in enumerate(drawn)
        if probe.kind in PICTURES and probe.inputs[port.name].shape == port.shape
    ]
    return telling(drawn, able)[:MOST]


def make(interface: Interface, data: Sequence[Path | Given] = ()) -> list[Probe]:
    """All probes for an interface, the user's own last.

    Raises:
        InputError: one of `data` does not fit.
    """
    ports, pictures, whole = interface.inputs, list[Path](), list[Path | Given]()
    for one in data:
        if isinstance(one, Given) or given.is_archive(one):
            whole.append(one)
        else:
            pictures.append(one)
    drawn = kind_of(interface.task).probes(ports, interface.options.dynamic, pictures)
    if interface.states:
        drawn += several.sequences(ports)
    take = given.several if interface.states else given.probe
    return [*drawn, *(take(one, ports) for one in whole)]
