"""The ledger as a tree of modules, chains of single children drawn together."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from lading.record import LedgerLine
from lading.record.text import DEEPEST

_BITS = re.compile(r"(\d+)(?:_|$)")


@dataclass
class Node:
    """A module: what lies in it and below it.

    Attributes:
        name: its part of the path; several parts where nothing branches between them.
        lines: names that end here, with their last part.
        children: modules below.
        names: how many names lie in and below it.
        parameters: numbers in them, second names not counted again.
    """

    name: str
    lines: list[tuple[str, LedgerLine]] = field(default_factory=list)
    children: list[Node] = field(default_factory=list)
    names: int = 0
    parameters: int = 0


def grow(lines: Iterable[LedgerLine]) -> Node:
    """The tree of dotted names, in the ledger's order.

    >>> line = LedgerLine("a.b.weight", (2, 3), "float32", "loaded", "", "")
    >>> root = grow([line])
    >>> [child.name for child in root.children], root.parameters
    (['a.b'], 6)
    """
    root = Node("")
    known = {"": root}
    for line in lines:
        *way, last = line.name.split(".", DEEPEST)
        node, path = root, ""
        for part in way:
            path = f"{path}.{part}"
            if path not in known:
                known[path] = Node(part)
                node.children.append(known[path])
            node = known[path]
        node.lines.append((last, line))
    return _counted(root, top=True)


def size(line: LedgerLine) -> int | None:
    """Bytes of a tensor, by its dtype's name; None where the name does not tell.

    >>> size(LedgerLine("a", (2, 3), "bfloat16", "loaded", "", ""))
    12
    """
    if line.dtype == "bool":
        return math.prod(line.shape)
    found = _BITS.search(line.dtype)
    return math.prod(line.shape) * int(found[1]) // 8 if found else None


def _counted(node: Node, *, top: bool = False) -> Node:
    node.children = [_counted(child) for child in node.children]
    if not top and len(node.children) == 1 and not node.lines:
        (only,) = node.children
        only.name = f"{node.name}.{only.name}"
        return only
    own = sum(math.prod(line.shape) for _, line in node.lines if line.fate != "alias")
    node.names = len(node.lines) + sum(child.names for child in node.children)
    node.parameters = own + sum(child.parameters for child in node.children)
    return node
