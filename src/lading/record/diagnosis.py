"""What stands in a network's way, line by line of its code."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Obstacle:
    """One thing that a graph, or a format, cannot hold or holds in another way.

    Attributes:
        kind: e.g. ``"a branch on values"``.
        where: file and line of the network's own code; empty where torch does not tell.
        code: that line.
        what: what it does.
        why: why that stops, or what becomes of it.
        remedy: what to do.
        stops: whether nothing can be made of the network while it stands.
    """

    kind: str
    where: str
    code: str
    what: str
    why: str
    remedy: str
    stops: bool = True
