"""An artifact's ports beside the network's: one set, or an error that shows both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from torch import nn

from lading.errors import RequestError
from lading.interface import Interface, Options, wrap
from lading.record import ArtifactRecord, Port, Task


def matched(record: ArtifactRecord, interface: Interface) -> tuple[ArtifactRecord, Interface]:
    """Both with one set of ports: the file's names and dtypes, the interface's meanings.

    Raises:
        RequestError: the artifact does not take or give what the network does.
    """
    sides = ((record.inputs, interface.inputs), (record.outputs, interface.outputs))
    for theirs, ours in sides:
        if len(theirs) != len(ours) or not all(map(_alike, theirs, ours)):
            raise RequestError(
                f"{record.path} against this checkpoint",
                found=_ports(theirs),
                expected=_ports(ours),
                remedy="say what the artifact gives and takes: --output, --bake, --input-image, "
                "or check that it belongs to this checkpoint",
            )
    merged = [
        tuple(
            replace(port, name=their.name, dtype=their.dtype, kind=their.kind)
            for their, port in zip(theirs, ours, strict=True)
        )
        for theirs, ours in sides
    ]
    return (
        replace(record, inputs=merged[0], outputs=merged[1]),
        replace(interface, inputs=merged[0], outputs=merged[1]),
    )


def meant(
    record: ArtifactRecord, task: Task | None, options: Options | None
) -> tuple[tuple[Port, ...], tuple[Port, ...]]:
    """The file's inputs and outputs, with the meanings that lading noted when it made it.

    A port that the notes do not know, as in a file that was changed since, is as the file says.

    Args:
        record: as the file describes itself.
        task: as it was noted; where it was not, an output called ``labels`` holds labels.
        options: the same.
    """
    if task is None:
        outputs = (replace(p, meaning="labels") if p.name == "labels" else p
                   for p in record.outputs)  # fmt: skip
        return record.inputs, tuple(outputs)
    ours = wrap(nn.Identity(), task, options or Options())  # the network itself is not asked
    return _told(record.inputs, ours.inputs), _told(record.outputs, ours.outputs)


def _told(theirs: tuple[Port, ...], ours: tuple[Port, ...]) -> tuple[Port, ...]:
    known = [
        replace(
            their, meaning=our.meaning, value_range=our.value_range, multiples=our.multiples,
            class_axis=our.class_axis,
        )
        if _alike(their, our)
        else their
        for their, our in zip(theirs, ours, strict=False)
    ]  # fmt: skip
    return (*known, *theirs[len(known) :])


def _alike(their: Port, our: Port) -> bool:
    """Whether the shapes can be the same; -1 is an axis that the file leaves open. Core ML says no
    shape of an output where sizes are flexible: there the name decides."""
    if not their.shape and their.name == our.name:
        return True
    return len(their.shape) == len(our.shape) and all(
        a in (b, -1) for a, b in zip(their.shape, our.shape, strict=True)
    )


def _ports(ports: Sequence[Port]) -> str:
    return "; ".join(f"{p.name} {p.dtype} {list(p.shape)}" for p in ports) or "nothing"
