"""What a network costs: time, memory, arithmetic, bytes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lading.record.brief import Brief


@dataclass(frozen=True)
class Cost:
    """The arithmetic and the weights of a file, or of a part of it.

    Attributes:
        name: of the part; of a whole file its path.
        macs: multiply-accumulates of one call, as far as they are known.
        unknown: operations whose number is not known, as a size is open.
        parameters: numbers in the weights.
        bytes: of the weights and other constants, as they are held.
        operations: how many there are; of a network in torch, modules that compute or hold numbers.
    """

    name: str
    macs: int
    unknown: int
    parameters: int
    bytes: int
    operations: int


@dataclass(frozen=True)
class Spent:
    """The time of one operation, kind of operation or module, in a profile.

    Attributes:
        name: of it; empty for what is between operations.
        op: kinds of operation in it.
        module: path of the module, where it is known.
        seconds: a call of the network, in all its calls.
        calls: how often, a call of the network.
    """

    name: str
    op: str
    module: str
    seconds: float
    calls: float


@dataclass(frozen=True)
class Placed:
    """Where Core ML means to run operations of a kind.

    Attributes:
        op: kind of operation.
        device: ``"CPU"``, ``"GPU"``, ``"Neural Engine"``; empty where the plan does not say.
        count: how many.
        cost: their share of the whole by Core ML's own estimate, 0 to 1; None where it has none.
    """

    op: str
    device: str
    count: int
    cost: float | None


@dataclass(frozen=True)
class Profile:
    """Where the time of one runtime goes.

    Attributes:
        seconds: of one call while it was watched, which is slower than one that is not.
        by_kind: by kind of operation, the slowest first.
        by_module: by module path, else by operation, the slowest first.
        plan: of Core ML, which shows no times: where its operations go.
        calls: how many calls of the network were watched.
        reason: why nobody knows; empty where it is known.
    """

    seconds: float
    by_kind: tuple[Spent, ...] = ()
    by_module: tuple[Spent, ...] = ()
    plan: tuple[Placed, ...] = ()
    calls: int = 0
    reason: str = ""


@dataclass(frozen=True)
class Timing:
    """One runtime with one file, timed; or why not.

    Attributes:
        artifact: the file; of the original the checkpoint.
        runtime: by name; ``"torch"`` is the original.
        unit: of Core ML, the compute units that it was allowed.
        reason: why it was not run; empty where it was.
        median: seconds of a call.
        p95: of 100 calls 95 take no longer; linear between the nearest two.
        mean: seconds of a call.
        fastest: seconds of the fastest call.
        calls: how many were counted, in all rounds.
        per_second: calls in a second.
        cpu: seconds of processor time of a call, all threads together.
        ratio: of the median to that of the first row.
        to_fastest: of the median to that of the fastest row.
        rounds: the ratio to the first row in each round.
        threads: that it computes with, as it says itself; 0 where it does not say.
        memory: bytes resident at the peak, of its process; None where nobody knows.
        before: bytes resident before the file was opened: Python and its libraries.
        profile: where the time goes, where that was asked.
    """

    artifact: str
    runtime: str
    unit: str = ""
    reason: str = ""
    median: float = 0.0
    p95: float = 0.0
    mean: float = 0.0
    fastest: float = 0.0
    calls: int = 0
    per_second: float = 0.0
    cpu: float = 0.0
    ratio: float = 0.0
    to_fastest: float = 0.0
    rounds: tuple[float, ...] = ()
    threads: int = 0
    memory: int | None = None
    before: int | None = None
    profile: Profile | None = None


@dataclass(frozen=True)
class Sized:
    """One file, or the original: what it weighs and computes.

    Attributes:
        path: of it.
        bytes: on disk; 0 of a live module.
        inputs: sizes that it was fed, by input.
        cost: None where nobody can say.
    """

    path: str
    bytes: int
    inputs: Mapping[str, tuple[int, ...]]
    cost: Cost | None


@dataclass(frozen=True, repr=False)
class Bench(Brief):
    """Runtimes beside each other on one input, in one run.

    Attributes:
        timings: one a file and runtime, the original first.
        sizes: one a file, the original first.
        threads: that each runtime was given.
        rounds: how often each had its turn.
        seconds: of a turn, at least.
        warmup: calls before the first turn, which are not counted.
        environment: processor cores, system, Python and packages, by name.
        notices: what else there is to say.
    """

    timings: tuple[Timing, ...]
    sizes: tuple[Sized, ...]
    threads: int
    rounds: int
    seconds: float
    warmup: int
    environment: Mapping[str, str]
    notices: tuple[str, ...] = ()

    @property
    def ran(self) -> tuple[Timing, ...]:
        """Those that were timed."""
        return tuple(one for one in self.timings if not one.reason)
