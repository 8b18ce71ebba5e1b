"""The verbs that look at a file, a network or this computer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass, field
from typing import Any

from lading.job.options import (  # fmt: skip
    FLAG,
    PATH,
    Request,
    StrPath,
    argument,
    many,
    number,
    option,
    whole,
)
from lading.job.request.network import Beside, Reading
from lading.job.request.values import FROM, FROMS, JUNIT, RUNTIME


@dataclass(frozen=True)
class Bench(Beside):
    """Times artifacts and their checkpoint beside each other, each in every runtime of this
    computer: latency, calls a second, processor time, memory, bytes, arithmetic.

    Every runtime has a process of its own with as many threads as the others. They have their turns
    one after the other, round after round, in alternating order. A chart goes to `out`, where that
    is named.

    >>> import lading, torch
    >>> done = lading.bench(torch.nn.Linear(4, 2), input=[torch.zeros(1, 4)], rounds=1, seconds=0)
    >>> done.sizes[0].cost.macs, done.timings[0].calls
    (8, 1)

    What it gives is a `lading.record.bench.Bench`: times in seconds of a call, memory in bytes.

    Raises:
        LadingError: a file cannot be read, they are not of one network, or the chart cannot be
            written.
    """

    paths: Any = field(metadata=argument(FROMS, "ARTIFACT|CKPT", "artifacts, or a checkpoint"))
    _: KW_ONLY
    checkpoint: Any = option(None, FROM, "of the artifacts, timed as it is", metavar="CKPT")
    runtime: str | Sequence[str] = option(
        (), many(RUNTIME, "NAME"), ", ".join(RUNTIME.words) + "; default: all"
    )
    threads: int | None = option(None, whole(1), "of each runtime; default: this computer's cores")
    rounds: int = option(5, whole(1), "how often each has its turn")
    seconds: float = option(0.5, number(0, 600), "how long a turn is, at least; one call at least")
    warmup: int = option(3, whole(0), "calls before the first turn, not counted")
    profile: bool = option(False, FLAG, "time by kind of operation and by module, too")
    top: int = option(10, whole(1), "rows of a profile that are shown", same=False)
    out: StrPath | None = option(None, PATH, "the latencies as a chart, .svg", short="o",
                                 same=False)  # fmt: skip


@dataclass(frozen=True)
class Whose(Reading):
    """Which of several checkpoints an artifact was made from, if any.

    Tensors alone are looked at, unless something is said of the network: then it is rebuilt, and a
    tensor that it needs and the artifact lacks counts against the checkpoint.

    Raises:
        LadingError: a file cannot be read.
    """

    artifact: StrPath = field(metadata=argument(PATH, "ARTIFACT", "the converted file"))
    checkpoints: Any = field(metadata=argument(FROMS, "CKPT", "checkpoints or model folders"))
    _: KW_ONLY
    junit: StrPath | None = option(None, PATH, **JUNIT)


@dataclass(frozen=True)
class Diagnose(Reading):
    """What of a network's code stands in the way of a conversion, all that can be found at once.

    Nothing is written. A line that stops every route comes first; what is repaired or spelled in
    another way is named too.

    Raises:
        LadingError: the network cannot be had, or does not run on its inputs.
    """

    path: Any = field(metadata=argument(FROM, "PATH", "checkpoint or model folder"))


@dataclass(frozen=True)
class Inspect(Reading):
    """What a checkpoint, a model folder or an artifact is.

    Raises:
        LadingError: it cannot be read.
    """

    path: StrPath = field(metadata=argument(PATH, "PATH", "checkpoint, folder or artifact"))
    _: KW_ONLY
    tensors: bool = option(False, FLAG, "all of a checkpoint, or parts of a file", same=False)


@dataclass(frozen=True)
class Doctor(Request):
    """What this computer can and cannot do."""
