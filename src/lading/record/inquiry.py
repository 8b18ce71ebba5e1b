"""What the verifier finds out besides: where values depart, where constants come from, how they
round, what may happen on a device, where a diffusion network leads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from lading.record.comparison import Verdict
from lading.record.measurement import Measurement


@dataclass(frozen=True)
class Station:
    """One value of the artifact that has a counterpart in the original.

    Attributes:
        value: its name in the artifact.
        op: the operation that made it.
        module: path of the module in the original, e.g. ``"encoder.stages.0.0.convs.0.conv"``.
        source: file and line in the original's code, where known.
        aligned_by: how the two were found to be the same value.
        error: relative L2 distance from the original's value.
        low: smallest value in the original, over the probes that were walked.
        high: largest.
        overflows: values beyond the artifact's dtype.
        underflows: non-zero values that the artifact's dtype rounds to zero.
        counterpart: its name in the original.
    """

    value: str
    op: str
    module: str
    source: str
    aligned_by: Literal["module path", "value"]
    error: float
    low: float
    high: float
    overflows: int = 0
    underflows: int = 0
    counterpart: str = ""


@dataclass(frozen=True)
class Walk:
    """The values along the network, in order of computation, artifact beside original.

    Attributes:
        artifact: path of the file.
        runtime: that computed its values.
        precision: the reading, e.g. ``"declared"``.
        aligned: how many values have a counterpart.
        values: how many the artifact computes.
        stations: those that have one.
        first: the station's value name where the error departs, or empty.
        text: why that one, in words; or why there is none.
    """

    artifact: str
    runtime: str
    precision: str
    aligned: int
    values: int
    stations: tuple[Station, ...]
    first: str = ""
    text: str = ""


@dataclass(frozen=True)
class Constant:
    """One constant of the artifact and where it comes from.

    `fate` is how: ``identical`` after the declared cast, ``permuted`` or split, ``folded`` (of
    tensors, by the network or the converter), ``generated`` (a table or number of the code),
    ``packed`` (compressed; the evidence says how near the unpacked values are), ``unknown``.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    fate: Literal["identical", "permuted", "folded", "generated", "packed", "unknown"]
    tensors: tuple[str, ...] = ()
    evidence: str = ""


@dataclass(frozen=True)
class Provenance:
    """Whether an artifact's constants are a checkpoint's tensors.

    Attributes:
        artifact: path of the file.
        checkpoint: path of the other.
        finding: the answer in one of four sentences; ``"not traced"``: nothing speaks against it.
        constants: every constant of some size, with its origin.
        missing: tensors of the checkpoint that no constant holds.
        evidence: the evidence in words.
    """

    artifact: str
    checkpoint: str
    finding: Literal[
        "made from this checkpoint",
        "not traced",
        "same architecture, other weights",
        "not this network",
    ]
    constants: tuple[Constant, ...]
    missing: tuple[str, ...] = ()
    evidence: str = ""

    @property
    def made(self) -> bool:
        """Whether the artifact holds the checkpoint's weights."""
        return self.finding == "made from this checkpoint"

    @property
    def refuted(self) -> bool:
        """Whether there is evidence that it does not."""
        return self.finding in ("same architecture, other weights", "not this network")


@dataclass(frozen=True)
class Reading:
    """One way of rounding an artifact's arithmetic, and what is measured of it.

    `name` is ``"float32"`` (all arithmetic in fp32 on the file's weights), ``"declared"`` (rounded
    once per operation) or ``"half-accumulate"`` (fp16 sums).
    """

    artifact: str
    name: str
    measurements: tuple[Measurement, ...]
    overflows: Mapping[str, int] = field(default_factory=dict)
    underflows: Mapping[str, int] = field(default_factory=dict)
    near_limit: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Hazard:
    """Something known to go wrong on devices although the graph is right.

    Attributes:
        name: short, e.g. ``"square in fp16"``.
        symptom: what a user sees.
        versions: where it was reported.
        issue: address of the upstream report.
        remedy: what to do.
        where: what in the artifact it applies to.
    """

    name: str
    symptom: str
    versions: str
    issue: str
    remedy: str
    where: tuple[str, ...] = ()


@dataclass(frozen=True)
class Trajectory:
    """One walk of a diffusion network from noise to a picture, artifact beside original.

    Both start from the same noise and walk on their own values, so that an early difference goes
    into every later move, as it will in an app.

    Attributes:
        artifact: path of the file.
        runtime: that called it.
        sampler: ``"ddim"``; ``"ddpm step"`` or ``"ddim step"`` of a step that holds its schedule.
        steps: moves of the walk.
        seed: of the noise, for both.
        timesteps: what the network was given at each move; NaN for a move forth.
        psnr: after each move, of x against the original's x, in dB; fewer where the walk broke off.
        parts: the move over which most dB are lost; None where none are.
        gate: dB that the last x has to reach.
        gate_reason: why that number.
        verdict: ``"not run"`` where the runtime is absent or the artifact could not be compared.
        reason: why it failed or was not run.
    """

    artifact: str
    runtime: str
    sampler: str
    steps: int
    seed: int
    timesteps: tuple[float, ...]
    psnr: tuple[float, ...]
    parts: int | None
    gate: float
    gate_reason: str
    verdict: Verdict
    reason: str = ""
    #: dB that count as equal: more would be below float32's own resolution.
    EQUAL: ClassVar[float] = 150.0

    @property
    def passed(self) -> bool:
        """Whether the whole walk was taken and its end meets the gate. NaN meets none."""
        return len(self.psnr) == self.steps > 0 and self.psnr[-1] >= self.gate


@dataclass(frozen=True)
class Picture:
    """A picture from the work itself. `png` is base64, so that the bill alone holds it."""

    name: str
    title: str
    alt: str
    png: str
