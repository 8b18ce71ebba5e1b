"""The characters that a network of texts knows, as its task tells them."""

from __future__ import annotations

import json

from lading.record.artifact import Task


def characters(task: Task, fact: str = "") -> str:
    """The characters in the order of their ids, from 1; none of a network that takes no text.

    Args:
        task: its notes may hold a ``vocabulary``.
        fact: the artifact's own ``lading.vocabulary``, which goes first.

    >>> from lading.record import Port
    >>> ids = Port("ids", "tensor", "int32", (1, 20))
    >>> characters(Task("classification", (ids,), (), notes={"vocabulary": '"abc"'}))
    'abc'
    """
    if len(task.inputs) != 1 or len(task.inputs[0].shape) != 2:
        return ""
    return _spelt(fact) or _spelt(str(task.notes.get("vocabulary", "")))


def _spelt(fact: str) -> str:
    """A text, or a list of characters, that was written as JSON; nothing of anything else."""
    try:
        value = json.loads(fact)
    except (ValueError, RecursionError):
        return ""
    if isinstance(value, list) and all(isinstance(one, str) and len(one) == 1 for one in value):
        value = "".join(value)
    return value if isinstance(value, str) and len(set(value)) == len(value) else ""
