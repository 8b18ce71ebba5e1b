"""What an artifact is held against: outputs on probes, and how near to them is near enough.

The untouched original is one (`lading.proof.original`), another artifact is one (`.beside`), golden
vectors are one (`.golden.rerun`). `compare` judges by what a reference says and by nothing else:
what one of them refuses none passes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from lading.formats import Artifact, Runtime
from lading.interface.side import Array, Side
from lading.proof.channels import Channels, Effort
from lading.proof.probes import Probe
from lading.record import Port, Task, Unproved

Outputs = Mapping[str, Array]


@dataclass(frozen=True)
class Scores:
    """The scores behind a reference's labels.

    Attributes:
        port: of the scores.
        values: per probe.
        steady: whether they are at a probe, at the artifact's precision.
        floor: the PSNR that a sound fp32 computation keeps of them at a probe.
        channels: at some of the probes, for a precision, what is known of each class.
    """

    port: Port
    values: Sequence[Array]
    steady: Callable[[int], bool]
    floor: Callable[[int], float]
    channels: Callable[..., Sequence[Channels]] = lambda places, precision, effort="sample": ()


@dataclass(frozen=True)
class Graph:
    """An fp16 artifact's graph alone: what rounding hides.

    Attributes:
        side: the graph in fp32, its constants put back to what they were.
        expected: what it has to give, per probe.
        rounded: constants that stay rounded, as nobody knows what they were.
        scores: per probe, what its labels have to be chosen from; in words why nobody knows; None:
            the reference's own scores.
    """

    side: Side
    expected: Sequence[Outputs]
    rounded: int
    scores: Sequence[Array] | str | None = None


class Reference(Protocol):
    """What an artifact is held against.

    Attributes:
        name: as `Comparison.reference` has it.
        task: what the network is for.
        drawn: the probes, inputs by the artifact's port names.
        outputs: the reference's own, per probe, by the artifact's port names.
        own: the user's own gates, by kind of measurement; see `lading.proof.own_gates`.
        costly: whether it has to be run for what it says of itself: then it is asked only where the
            answer can change something.
    """

    name: str
    task: Task
    drawn: Sequence[Probe]
    outputs: Sequence[Outputs]
    own: Mapping[str, float]
    costly: bool

    def widen(self, artifact: Artifact) -> Sequence[Unproved]:
        """Adds the probes that this artifact is fed besides; what it claims and nobody ran."""
        ...

    def undecided(self) -> Sequence[str]:
        """Decisions by value in the network's code of which one side alone was compared."""
        ...

    def decided(self) -> Sequence[str]:
        """Those of which both sides were: why an artifact may differ."""
        ...

    def steady(self, place: int, precision: str, *, computing: bool = False) -> bool:
        """Whether the reference keeps the gates of `precision` at a probe against itself when its
        input is rounded; where `computing`, also when each of its results is, as by sums in another
        order. What is not steady proves nothing: it is shown and not gated."""
        ...

    def floor(self, place: int) -> Mapping[str, float] | None:
        """By output, the PSNR (dB) that a sound fp32 computation keeps at a probe; None where
        nobody can measure it."""
        ...

    def channels(
        self, port: Port, places: Sequence[int], precision: str, effort: Effort = ...
    ) -> Sequence[Channels]:
        """What is known of an output's channels from the probes at `places`, for arithmetic in
        `precision`; empty where nobody can measure it. `effort`: for what the reference has to be
        run for, by default at a sample of the probes; empty for the least where that spares
        nothing."""
        ...

    def agreement(self, port: Port, places: Sequence[int], precision: str) -> tuple[float, str]:
        """The share of equal labels that is enough on the probes at `places`, and why."""
        ...

    def scores(self, precision: str) -> Scores | str:
        """The scores behind its labels, or why there are none to show."""
        ...

    def graph(self, artifact: Artifact, runtime: Runtime, *, exact: bool = False) -> Graph | None:
        """An fp16 artifact's graph alone, in place of what a runtime makes of it; None where that
        is not the matter, or there is nothing more exact to be had.

        Args:
            artifact: opened.
            runtime: that runs it.
            exact: leave no constant to be guessed where a fresh conversion has it.

        Raises:
            LadingError: it cannot be had, though it should; why.
        """
        ...
