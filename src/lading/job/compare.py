"""What `lading compare` does: any two of a checkpoint and artifacts beside each other."""

from __future__ import annotations

from typing import Any

from lading.errors import RequestError
from lading.formats import is_artifact, open_artifact
from lading.interface.original import TorchSide
from lading.job.request import Compare, is_module
from lading.job.source import probed, source, title
from lading.job.verify import judged
from lading.proof import verdict
from lading.proof.beside import Beside
from lading.proof.between import Between, looked
from lading.proof.compare import every_runtime


def compare(request: Compare) -> Between:
    """Any two of a checkpoint and artifacts beside each other; a checkpoint is the reference, and
    the verdict that of `lading verify`.

    Raises:
        LadingError: a side cannot be read, both are checkpoints, or they do not take the same.
    """
    first, second = sorted((request.first, request.second), key=_is_artifact)
    if not _is_artifact(second):
        raise RequestError(
            f"{title(request.first)} beside {title(request.second)}",
            found="two checkpoints",
            expected="at least one artifact",
            remedy="convert one of them: lading convert PATH --to onnx",
        )
    request.progress("read", str(second))
    other = open_artifact(second)
    if _is_artifact(first):
        request.require_unread("two artifacts", "data")
        request.progress("compare", f"{first} and {second}")
        beside = Beside(open_artifact(first), other)
        comparisons = tuple(every_runtime(beside, other, beside.record, request.progress))
        seen = looked(
            beside, beside.side, other, beside.record, comparisons, stop_at=request.stop_at
        )
        return Between(verdict.overall(comparisons), comparisons, *seen)
    made = judged(request, other, source(request, first), probed(request.data), None)
    original = TorchSide(made.original.interface, title(first))
    followed = made.original.followed
    seen = looked(
        made.original, original, other, made.record, made.comparisons, followed, request.stop_at
    )
    walks = tuple(taken.record for taken in made.taken)
    sources = (made.source,)
    overall = verdict.overall(made.comparisons, sources, walks)
    return Between(overall, made.comparisons, *seen, sources, walks)


def _is_artifact(side: Any) -> bool:
    return not is_module(side) and is_artifact(side)
