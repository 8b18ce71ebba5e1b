"""An artifact beside the original, on probes and on tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from lading.record.measurement import Measurement

Verdict = Literal["pass", "fail", "not run"]


@dataclass(frozen=True)
class ProbeRecord:
    """An input that was compared: where it comes from and the digest of its bytes."""

    name: str
    kind: str
    source: str
    sha256: str


@dataclass(frozen=True)
class Finding:
    """Something wrong with an output even where everything agrees, e.g. a constant label map."""

    name: str
    where: str
    text: str


@dataclass(frozen=True)
class Unproved:
    """What a comparison left open, and why.

    `what` is ``scores``: those behind the labels; ``graph``: without the artifact's rounding;
    ``channels``: those that vary by less than the arithmetic resolves; ``claims``: what the file
    says that it takes and nobody ran; ``frozen``: a decision by value that was said to be meant; or
    ``decisions``: whether there are any could not be seen.
    """

    what: Literal["scores", "graph", "channels", "claims", "frozen", "decisions"]
    why: str


@dataclass(frozen=True)
class Covered:
    """What of an input was compared: its values over the probes that were gated.

    Attributes:
        input: name of the port.
        low: least value.
        high: largest.
        values: how many different whole numbers; 0 of an input that has other numbers.
        of: how many the network takes; 0 where nobody knows.
        reading: ``graph``: beyond what is fed as a rule, with the artifact's graph alone.
    """

    input: str
    low: float
    high: float
    values: int = 0
    of: int = 0
    reading: Literal["declared", "graph"] = "declared"


@dataclass(frozen=True)
class Comparison:
    """One artifact in one runtime against the reference, over all probes.

    `data` names the user's table where its rows were the probes; see `DatasetRecord`. `device` says
    where it ran, where that was not the computer that wrote the bill: its name, its system, and the
    compute units. `covered` is what of the inputs it speaks of.
    """

    artifact: str
    runtime: str
    reference: str
    probes: int
    measurements: tuple[Measurement, ...]
    findings: tuple[Finding, ...]
    verdict: Verdict
    reason: str = ""
    data: str = ""
    unproved: tuple[Unproved, ...] = ()
    device: str = ""
    covered: tuple[Covered, ...] = ()

    @property
    def gated(self) -> tuple[Measurement, ...]:
        """What had a gate to meet; the others inform."""
        return tuple(one for one in self.measurements if one.gate is not None)


@dataclass(frozen=True)
class Changed:
    """A sample whose class the artifact changed.

    `margin` is the original's best probability less its second best.
    """

    row: int
    sample: str
    original: str
    artifact: str
    margin: float


@dataclass(frozen=True)
class DatasetRecord:
    """One artifact in one runtime against the reference, over a user's table of labelled samples.

    Attributes:
        data: name of the table; the `Comparison` of the same artifact, runtime and `data` holds
            the verdict.
        sha256: of the table's bytes.
        artifact: path of the file.
        runtime: that ran it.
        samples: rows compared.
        labels: class names.
        right_original: samples whose label the original gives.
        right_artifact: samples whose label the artifact gives.
        confusion: ``(label, class given by the artifact, samples)`` as indices; no zeros.
        confusion_original: the same of the original.
        edges: upper edges of the bins of `errors`; what lies above the last is in a further bin.
        errors: samples per bin, by their largest difference of any probability.
        gate: the largest difference that passes.
        changed: samples whose class differs.
        examples: of those, the ones with the largest margins.
        notes: what else is worth knowing of the table, in words.
    """

    data: str
    sha256: str
    artifact: str
    runtime: str
    samples: int
    labels: tuple[str, ...]
    right_original: int
    right_artifact: int
    confusion: tuple[tuple[int, ...], ...]
    confusion_original: tuple[tuple[int, ...], ...]
    edges: tuple[float, ...]
    errors: tuple[int, ...]
    gate: float
    changed: int
    examples: tuple[Changed, ...] = ()
    notes: tuple[str, ...] = ()
