"""Where the time goes: the parts of a watched call, summed by kind of operation and by module."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from lading.errors import LadingError
from lading.formats import Artifact
from lading.interface import Interface
from lading.interface.original import TorchSide
from lading.interface.side import EVERYTHING, Array
from lading.interface.work import Work
from lading.proof.alignment import align, owners
from lading.proof.weights.followed import Followed
from lading.record import from_json
from lading.record.bench import Placed, Profile, Spent

#: Calls that are watched at most.
MOST = 50


def calls(seconds: float, median: float) -> int:
    """As many as fill a turn; one at least.

    >>> calls(0.5, 0.1), calls(0, 0.1), calls(0.5, 1e-6)
    (5, 1, 50)
    """
    return max(1, min(MOST, round(seconds / max(median, 1e-9))))


def of(answer: Mapping[str, Any], count: int, modules: Mapping[str, str]) -> Profile:
    """The profile that a worker's answer says.

    Args:
        answer: see `lading.job.timing.worker.Here.profile`.
        count: of the calls that were watched.
        modules: paths of the original's modules, by the name of an operation.
    """
    plan = tuple(from_json(Placed, one) for one in answer["plan"])
    parts = [from_json(Spent, one) for one in answer["parts"]]
    parts = [replace(one, module=modules.get(one.name) or one.module) for one in parts]
    whole = float(answer["whole"])
    if not parts:
        return Profile(whole, plan=plan, calls=count)
    between = max(whole - sum(one.seconds for one in parts), 0.0)
    rest = Spent("", "", "", between, 1.0)
    return Profile(
        whole,
        _summed(parts, rest, lambda one: one.op),
        _summed(parts, rest, lambda one: one.module or one.name),
        plan,
        count,
    )


def _summed(parts: Sequence[Spent], rest: Spent, key: Callable[[Spent], str]) -> tuple[Spent, ...]:
    """The parts of each key together, the slowest first; what is between operations is one more."""
    groups: dict[str, list[Spent]] = {}
    for one in parts:
        groups.setdefault(key(one), []).append(one)
    found = [
        Spent(
            name,
            ", ".join(dict.fromkeys(one.op for one in many)),
            many[0].module if len({one.module for one in many}) == 1 else "",
            sum(one.seconds for one in many),
            sum(one.calls for one in many),
        )
        for name, many in groups.items()
    ]
    return tuple(sorted([*found, rest], key=lambda one: (-one.seconds, one.name)))


def modules(
    interface: Interface, artifact: Artifact, work: Sequence[Work], inputs: Mapping[str, Array]
) -> dict[str, str]:
    """The original's module that each operation of an artifact computes a part of, as far as that
    is known: by the path that a node keeps, by the weights that it reads, by the value it gives.

    Args:
        interface: the original behind the artifact's ports.
        artifact: the file.
        work: its operations.
        inputs: on which values are compared.
    """
    known = {path for path, _ in interface.module.named_modules() if path}
    found = {one.name: one.module for one in work if one.module in known}
    try:
        held = owners(artifact.constants(), Followed(interface))
        for one in work:
            paths = {held[name] for name in one.holds if name in held}
            if one.name not in found and len(paths) == 1:
                found[one.name] = paths.pop()
        if len(found) < len(work):
            original, side = TorchSide(interface), artifact.side()
            ours, theirs = original.run(inputs, EVERYTHING), side.run(inputs, EVERYTHING)
            graph = [one for one in side.graph if one.name in theirs]
            precision = artifact.record.precision
            for pair in align(original.graph, ours, graph, theirs, held, precision):
                if pair.ours.module:
                    found.setdefault(pair.theirs.name, pair.ours.module)
    except LadingError:
        pass  # it does not run here, or shows nothing inside: what is known is what it says itself
    return found
