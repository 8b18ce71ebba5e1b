"""Many cases of one kind: counted, resumable, and proof against the death of the process.

Case `index` of a kind is made from the seed, the kind and the index alone, so that any case can be
made again. A child process takes the cases in their order and tells after each how it ended; if it
dies, the case that it had in hand is bad, and the next child begins behind it. Counts stand in
``STATE/KIND.json``, bad files in ``STATE/bad/``.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from random import Random

from tests.fuzz.court import judge
from tests.fuzz.kind import Case, Kind, lay

#: Cases that one child takes.
BATCH = 500
#: Bad cases that are kept as files, of each kind.
KEPT = 200


@dataclass
class Count:
    """What a kind's cases came to so far."""

    kind: str
    seed: int
    next: int = 0
    read: int = 0
    refused: dict[str, int] = field(default_factory=dict)
    bad: dict[int, str] = field(default_factory=dict)
    seconds: float = 0.0
    slowest: float = 0.0

    @property
    def total(self) -> int:
        """Cases tried."""
        return self.read + sum(self.refused.values()) + len(self.bad)


def load(path: Path, kind: str, seed: int) -> Count:
    """The counts at `path`; fresh ones where there is none or the seed is another."""
    if path.exists():
        held = json.loads(path.read_text(encoding="utf-8"))
        if held["seed"] == seed:
            held["bad"] = {int(index): why for index, why in held["bad"].items()}
            return Count(**held)
    return Count(kind, seed)


def make(kind: Kind, seeds: Sequence[Case], seed: int, index: int) -> Case:
    """Case `index`: one of the seeds, changed one to six times."""
    random = Random(f"{seed}/{kind.name}/{index}")
    case = random.choice(seeds)
    for _ in range(random.choice((1, 1, 1, 2, 2, 3, 4, 6))):
        case = random.choice(kind.mutators)(random, case, seeds)
    return case


def fuzz(kind: Kind, seed: int, until: int, minutes: float, state: Path) -> Count:
    """Tries cases up to number `until`, or for `minutes`, from where the last run stopped."""
    state.mkdir(parents=True, exist_ok=True)
    file = state / f"{kind.name.replace(' ', '_')}.json"
    count = load(file, kind.name, seed)
    if count.next >= until:
        return count
    seeds = kind.seeds()
    end = time.monotonic() + 60 * minutes
    while count.next < until and time.monotonic() < end:
        last = min(count.next + BATCH, until)
        _batch(kind, seeds, count, last, state, end)
        scratch = file.with_suffix(".part")
        scratch.write_text(json.dumps(asdict(count), indent=1), encoding="utf-8")
        scratch.replace(file)
    return count


def _batch(
    kind: Kind, seeds: Sequence[Case], count: Count, last: int, state: Path, end: float
) -> None:
    """One child's cases, noted in `count`."""
    folder = Path(tempfile.mkdtemp(prefix="fuzz-"))
    ours, theirs = os.pipe()
    child = os.fork()
    if not child:
        status = 1
        try:
            os.close(ours)
            _serve(kind, seeds, count.seed, range(count.next, last), folder, theirs, end)
            status = 0
        finally:
            os._exit(status)
    os.close(theirs)
    with os.fdopen(ours, encoding="utf-8") as lines:
        for line in lines:
            index, verdict, why, seconds = json.loads(line)
            _note(kind, seeds, count, index, verdict, why, seconds, state)
    _, status = os.waitpid(child, 0)
    if status:  # it died over the case that it had in hand
        how = f"signal {signal.Signals(os.WTERMSIG(status)).name}" if os.WIFSIGNALED(status) else (
            f"status {os.WEXITSTATUS(status)}"
        )  # fmt: skip
        _note(kind, seeds, count, count.next, "bad", f"the process died: {how}", 0.0, state)
    shutil.rmtree(folder, ignore_errors=True)


def _serve(
    kind: Kind, seeds: Sequence[Case], seed: int, indices: range, folder: Path, out: int, end: float
) -> None:
    quiet = os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, 1)
    os.dup2(quiet, 2)
    for index in indices:
        case = make(kind, seeds, seed, index)
        begun = time.process_time()
        outcome = judge(kind, case, folder / kind.file)
        taken = time.process_time() - begun
        line = json.dumps([index, outcome.verdict, outcome.why, round(taken, 4)])
        os.write(out, line.encode() + b"\n")
        if time.monotonic() > end:
            return


def _note(
    kind: Kind, seeds: Sequence[Case], count: Count, index: int, verdict: str, why: str,
    seconds: float, state: Path,
) -> None:  # fmt: skip
    count.next = index + 1
    count.seconds += seconds
    count.slowest = max(count.slowest, seconds)
    if verdict == "read":
        count.read += 1
    elif verdict == "refused":
        count.refused[why] = count.refused.get(why, 0) + 1
    else:
        count.bad[index] = why
        if len(count.bad) <= KEPT:
            kept = state / "bad" / f"{kind.name.replace(' ', '_')}-{count.seed}-{index}"
            kept.mkdir(parents=True, exist_ok=True)
            lay(make(kind, seeds, count.seed, index), kept / kind.file)
            (kept / "why.txt").write_text(why + "\n", encoding="utf-8")
