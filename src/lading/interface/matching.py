"""An artifact's ports beside the network's: one set, or an error that shows both."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

import numpy as np
from torch import nn

from lading.errors import RequestError
from lading.interface import Interface, Options, wrap
from lading.interface.memory import paired
from lading.interface.side import Array
from lading.record import ArtifactRecord, Port, State, Task
from lading.record.wording import port

#: Outputs on a probe: the artifact's by its names, the network's by its own.
Values: TypeAlias = tuple[Mapping[str, Array], Mapping[str, Array]]


def matched(
    record: ArtifactRecord,
    interface: Interface,
    names: Mapping[str, str] | None = None,
    values: Callable[[Interface], Values] | None = None,
) -> tuple[ArtifactRecord, Interface]:
    """Both with one set of ports: the file's names and dtypes, the interface's meanings.

    Ports are paired by what the user says, by name, by shape where only one has it; outputs that
    are left by what they hold. Whole numbers that a file declares as floats stay whole numbers.

    Args:
        record: as the file describes itself; its ports keep their order.
        interface: of the network; its ports keep theirs.
        names: the network's name of a port, by the artifact's.
        values: the outputs of both on a probe, given an interface with the file's inputs.

    Raises:
        RequestError: the artifact does not take or give what the network does.
    """
    said = dict(names or {})
    known = {port.name for port in (*record.inputs, *record.outputs)}
    ours = {port.name for port in (*interface.inputs, *interface.outputs)}
    for their, our in said.items():
        if their not in known or our not in ours:
            raise RequestError(
                f"--map {their}={our}",
                found=f"no port {their!r} of the artifact" if their not in known else
                f"no port {our!r} of the network",
                expected=f"one of {', '.join(sorted(known))} = one of {', '.join(sorted(ours))}",
                remedy="correct the name",
            )  # fmt: skip
    pairs = _paired(record.inputs, interface.inputs, said)
    if pairs is None or None in pairs:
        raise _unfit(record, record.inputs, interface.inputs)
    inputs = [
        _merged(record.inputs[t], our) for t, our in zip(pairs, interface.inputs, strict=True)
    ]
    for place, our_port in zip(pairs, interface.inputs, strict=True):
        _require_numbers(record, record.inputs[place], our_port)
    fed = replace(interface, inputs=tuple(one for _, one in inputs))
    pairs = _paired(record.outputs, interface.outputs, said)
    if pairs is not None and None in pairs and values is not None:
        pairs = _by_value(record.outputs, interface.outputs, pairs, values(fed))
    if pairs is None or None in pairs:
        raise _unfit(record, record.outputs, interface.outputs)
    outputs = [
        _merged(record.outputs[t], our) for t, our in zip(pairs, interface.outputs, strict=True)
    ]
    subject = f"{record.path} against this checkpoint"
    states = paired([one.state for one in interface.states], record.states, subject)
    theirs = {one.name: one for one, _ in (*inputs, *outputs)}
    return (
        replace(
            record,
            inputs=tuple(theirs[port.name] for port in record.inputs),
            outputs=tuple(theirs[port.name] for port in record.outputs),
            states=states,
        ),
        replace(
            fed,
            outputs=tuple(one for _, one in outputs),
            states=tuple(
                replace(mine, state=_typed(state, mine.state.port.dtype))
                for mine, state in zip(interface.states, states, strict=True)
            ),
        ),
    )


def _typed(state: State, dtype: str) -> State:
    return replace(state, port=replace(state.port, dtype=dtype))


def _paired(
    theirs: Sequence[Port], ours: Sequence[Port], said: Mapping[str, str]
) -> list[Any] | None:
    """For each of ours the place of theirs, None where several could be it; None where none can."""
    if len(theirs) != len(ours):
        return None
    found: list[Any] = [None] * len(ours)
    for their, one in enumerate(theirs):
        for our, other in enumerate(ours):
            if said.get(one.name, one.name) == other.name and found[our] is None:
                found[our] = their
    for _ in ours:
        for our, other in enumerate(ours):
            free = [t for t in range(len(theirs)) if t not in found and _alike(theirs[t], other)]
            rivals = [
                o for o in range(len(ours)) if found[o] is None and any(
                    _alike(theirs[t], ours[o]) for t in free)
            ]  # fmt: skip
            if found[our] is None and len(free) == 1 and len(rivals) == 1:
                found[our] = free[0]
    if not all(t is None or _alike(theirs[t], our) for t, our in zip(found, ours, strict=True)):
        return None
    left = [ours[place] for place, t in enumerate(found) if t is None]
    able = all(any(_alike(t, our) for n, t in enumerate(theirs) if n not in found) for our in left)
    return found if able else None


def _by_value(
    theirs: Sequence[Port], ours: Sequence[Port], pairs: list[Any], values: Values
) -> list[Any]:
    """The pairs that are left: the nearest values first, of equal shapes."""
    given, wanted = values
    found = list(pairs)
    near = sorted(
        (_apart(wanted[our.name], given[their.name]), o, t)
        for o, our in enumerate(ours)
        for t, their in enumerate(theirs)
        if found[o] is None and t not in found and our.name in wanted and their.name in given
        and wanted[our.name].shape == given[their.name].shape
    )  # fmt: skip
    for _, o, t in near:
        if found[o] is None and t not in found:
            found[o] = t
    return found


def _apart(ours: Array, theirs: Array) -> float:
    """Relative distance; what is no number is far."""
    a, b = ours.astype(np.float64), theirs.astype(np.float64)
    same = (a == b) | (np.isnan(a) & np.isnan(b))
    with np.errstate(invalid="ignore"):
        apart = float(np.linalg.norm(np.where(same, 0, a - b)))
    size = float(np.linalg.norm(np.where(np.isfinite(a), a, 0)))
    return apart / (size or 1.0) if np.isfinite(apart) else float("inf")


def _merged(their: Port, our: Port) -> tuple[Port, Port]:
    """The port for the artifact's record, and for the interface."""
    one = replace(our, name=their.name, dtype=their.dtype, kind=their.kind)
    return one, replace(one, dtype=our.dtype) if _whole(their, our) else one


def _whole(their: Port, our: Port) -> bool:
    """Whether whole numbers are declared as floats."""
    return our.dtype.startswith("int") and their.dtype.startswith("float")


def _unfit(record: ArtifactRecord, theirs: Sequence[Port], ours: Sequence[Port]) -> RequestError:
    return RequestError(
        f"{record.path} against this checkpoint",
        found=_ports(theirs),
        expected=_ports(ours),
        remedy="say what the artifact gives and takes: --output, --bake, --input-image, --shapes, "
        "--map NAME=NAME; or check that it belongs to this checkpoint",
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
            class_axis=our.class_axis, shape=their.shape if their.shaped else our.shape,
            shaped=True,
        )
        if _alike(their, our)
        else their
        for their, our in zip(theirs, ours, strict=False)
    ]  # fmt: skip
    return (*known, *theirs[len(known) :])


def _alike(their: Port, our: Port) -> bool:
    """Whether the shapes can be the same; -1 is an axis that the file leaves open, and it may leave
    out all of them."""
    if not their.shaped or {their.shape, our.shape} == {(), (1,)}:  # Core ML has no bare number
        return True
    return len(their.shape) == len(our.shape) and all(
        a in (b, -1) for a, b in zip(their.shape, our.shape, strict=True)
    )


def _require_numbers(record: ArtifactRecord, their: Port, our: Port) -> None:
    """Passes only if a file that takes whole numbers is of a network that does: it would be fed
    such alone, and what it loses of others would never show.

    Raises:
        RequestError: it rounds what the network takes as it is.
    """
    whole = their.kind == "tensor" and their.dtype.startswith(("int", "uint"))
    if whole and our.dtype.startswith("float") and our.name != "timesteps":
        raise RequestError(
            f"{record.path} against this checkpoint",
            found=f"input {their.name} of {their.dtype}",
            expected=f"{our.dtype}: a file of whole numbers loses all others",
            remedy="convert again",
        )


def _ports(ports: Sequence[Port]) -> str:
    return "; ".join(map(port, ports)) or "nothing"
