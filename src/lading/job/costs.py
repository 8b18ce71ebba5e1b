"""What an artifact computes and holds, in all and by module."""

from __future__ import annotations

from collections.abc import Sequence

from lading.interface.work import Work
from lading.record.bench import Cost


def cost(name: str, work: Sequence[Work]) -> Cost:
    """The sum of operations."""
    return Cost(
        name,
        sum(one.macs or 0 for one in work),
        sum(one.macs is None for one in work),
        sum(one.parameters for one in work),
        sum(one.bytes for one in work),
        len(work),
    )


def parts(work: Sequence[Work]) -> tuple[Cost, ...]:
    """The sums by module path, in the file's order; an operation without one stands under its own
    name where it computes or holds something, and with the others like it under none else."""
    groups: dict[str, list[Work]] = {}
    for one in work:
        worth = one.macs != 0 or one.parameters
        groups.setdefault(one.module or (one.name if worth else ""), []).append(one)
    return tuple(cost(name, many) for name, many in groups.items())
