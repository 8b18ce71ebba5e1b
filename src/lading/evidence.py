"""What each stage of a voyage did, as small frozen records that hold no tensor.

Stages produce these records; the bill of lading is their sum; readers (`report`, `swift`, the
command line) read them and nothing else. The records are plain JSON on disk: `to_json` and
`from_json` are each other's inverse, and the layout carries the number `SCHEMA`.

Floats that JSON cannot say are written as the strings ``"inf"``, ``"-inf"`` and ``"nan"``.

>>> line = LedgerLine("enc.weight", (8, 1, 3, 3), "float32", "loaded", "", "ab" * 32)
>>> from_json(LedgerLine, to_json(line)) == line
True
"""

from __future__ import annotations

import dataclasses
import math
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

SCHEMA = 1

#: Where a hyper-parameter's value comes from; see the guide, "Evidence".
Evidence = Literal["tensors", "embedded", "side file", "user", "measured", "assumed"]
#: What became of a name in the checkpoint.
Fate = Literal["loaded", "alias", "unused", "folded"]
Verdict = Literal["pass", "fail", "not run"]
Better = Literal["higher", "lower"]
Route = Literal["export", "trace"]

R = TypeVar("R")


# ------------------------------------------------------------------------------------ checkpoint
@dataclass(frozen=True)
class CheckpointRecord:
    """The file that was read. `steps` says, in order, what was unwrapped to reach the tensors."""

    path: str
    sha256: str
    bytes: int
    container: str
    steps: tuple[str, ...] = ()


@dataclass(frozen=True)
class Claim:
    """One source's word on a value: ``Claim("tensors", "7", "encoder.stages.*")``."""

    evidence: Evidence
    value: Any
    source: str


@dataclass(frozen=True)
class Conflict:
    """Sources that disagree about `name`. `settled` names the claim that the user chose, if any."""

    name: str
    claims: tuple[Claim, ...]
    settled: str = ""


# ----------------------------------------------------------------------------------- recognition
@dataclass(frozen=True)
class Sign:
    """One thing a family looks for, whether it is there, and what was found instead."""

    text: str
    present: bool
    found: str = ""


@dataclass(frozen=True)
class HyperParameter:
    """A value and its evidence. `source` says where: tensor names, a JSON path, an option."""

    name: str
    value: Any
    evidence: Evidence
    source: str
    alternatives: tuple[str, ...] = ()


@dataclass(frozen=True)
class Candidate:
    """One row of a settling's table.

    Attributes:
        values: of the hyper-parameters that are in question.
        also: other values of them that give the very same behaviour.
        error: mean squared error of the predicted noise.
        difference: mean relative error above the best candidate's, on the same samples.
        low: lower end of the interval of `difference`; above 0, the candidate is worse.
        high: upper end.
        samples: on which it was run; worse candidates are dropped early.
        plausible: whether it is not worse with confidence.
    """

    values: Mapping[str, str]
    also: tuple[str, ...]
    error: float
    difference: float
    low: float
    high: float
    samples: int
    plausible: bool


@dataclass(frozen=True)
class Settling:
    """Candidates for undecided hyper-parameters, run on the user's pictures, best first.

    Attributes:
        kind: what they differ in, e.g. ``"attention"``.
        candidates: the table.
        levels: share of the picture's variance in each noisy one.
        pictures: how many there were.
        confidence: that no right candidate is called worse.
        settled: the hyper-parameters on whose value all plausible candidates agree.
        undecided: those on which they do not.
        told: the outcome in words.
    """

    kind: str
    candidates: tuple[Candidate, ...]
    levels: tuple[float, ...]
    pictures: int
    confidence: float
    settled: Mapping[str, str]
    undecided: tuple[str, ...]
    told: str


@dataclass(frozen=True)
class Recognition:
    """A family's reading of a checkpoint."""

    family: str
    title: str
    signs: tuple[Sign, ...]
    hyperparameters: tuple[HyperParameter, ...]
    conflicts: tuple[Conflict, ...] = ()
    settlings: tuple[Settling, ...] = ()

    def __getitem__(self, name: str) -> Any:
        """The value of the hyper-parameter `name`.

        Raises:
            KeyError: there is none of that name.
        """
        for one in self.hyperparameters:
            if one.name == name:
                return one.value
        raise KeyError(name)


# ---------------------------------------------------------------------------------------- ledger
@dataclass(frozen=True)
class LedgerLine:
    """One name of the checkpoint and what became of it."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    fate: Fate
    reason: str
    sha256: str


@dataclass(frozen=True)
class LedgerSummary:
    """Counts over a ledger: `names` = loaded + aliases + unused + folded when it is closed."""

    names: int
    tensors: int
    loaded: int
    aliases: int
    unused: int
    unexplained: int
    parameters: int


# ------------------------------------------------------------------------------------- interface
@dataclass(frozen=True)
class Port:
    """One input or output of a network or an artifact.

    Attributes:
        name: as the app spells it.
        kind: ``"tensor"``, ``"image"`` for a Core ML pixel buffer, or of a Core ML classifier
            ``"dictionary"`` (probabilities by class name) and ``"string"`` (the class).
        dtype: numpy's name of the element type, e.g. ``"float32"``.
        shape: the default shape.
        ranges: per dimension ``(low, high)`` where sizes may vary; empty for a fixed shape.
        enumerated: the allowed shapes where there is a list of them; empty otherwise.
        multiples: per dimension, the number that every size must be a multiple of; empty if free.
        meaning: what the numbers are, e.g. ``"logits"``, ``"probabilities"``, ``"labels"``,
            ``"grey levels"``.
        color: ``"grayscale"`` or ``"rgb"`` for images.
        scale: for images, the network sees ``scale · value + bias``.
        bias: for images, one number per channel.
        value_range: ``(low, high)`` of values a user would feed or see; empty if unknown.
        class_axis: the axis of classes in a score output, or None.
    """

    name: str
    kind: Literal["tensor", "image", "dictionary", "string"]
    dtype: str
    shape: tuple[int, ...]
    ranges: tuple[tuple[int, int], ...] = ()
    enumerated: tuple[tuple[int, ...], ...] = ()
    multiples: tuple[int, ...] = ()
    meaning: str = ""
    color: Literal["grayscale", "rgb"] | None = None
    scale: float = 1.0
    bias: tuple[float, ...] = ()
    value_range: tuple[float, ...] = ()
    class_axis: int | None = None


@dataclass(frozen=True)
class Task:
    """What a network is for: enough to feed it, to read its answer, and to wrap it.

    Attributes:
        kind: ``"segmentation"``, ``"diffusion"``, ``"classification"`` or ``"module"``.
        inputs: what the bare network takes.
        outputs: what the bare network gives.
        labels: class names in the order of the class axis.
        activation: from scores to probabilities: ``"softmax"``, ``"sigmoid"`` or ``""``.
        region_order: for sigmoid regions, the label written where region i is present, in the
            order of painting; empty otherwise.
        normalisation: what the user's values go through before the network: ``"zscore"`` or ``""``.
        notes: other facts a user of the artifact needs, as text.
    """

    kind: str
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    labels: tuple[str, ...] = ()
    activation: str = ""
    region_order: tuple[int, ...] = ()
    normalisation: str = ""
    notes: Mapping[str, str] = field(default_factory=dict)


# --------------------------------------------------------------------------- capture and targets
@dataclass(frozen=True)
class RepairRecord:
    """A change to how the module runs that leaves every weight and every output bit alone."""

    name: str
    where: tuple[str, ...]
    reason: str
    proof: str


@dataclass(frozen=True)
class CaptureRecord:
    """How the graph was taken. `reason` says why this route; `attempts` what failed before it."""

    route: Route
    reason: str
    repairs: tuple[RepairRecord, ...] = ()
    attempts: tuple[str, ...] = ()


@dataclass(frozen=True)
class ArtifactRecord:
    """A converted file. `path` is relative to the bill."""

    format: str
    path: str
    bytes: int
    sha256: str
    precision: str
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    route: Route
    details: Mapping[str, str] = field(default_factory=dict)


# ---------------------------------------------------------------------------------- verification
@dataclass(frozen=True)
class Metric:
    """A number, the gate it had to meet, and which way is better. No gate: it only informs."""

    name: str
    value: float
    gate: float | None
    better: Better
    reason: str
    worst_probe: str = ""

    @property
    def passed(self) -> bool:
        """Whether the gate is met. NaN meets no gate."""
        if math.isnan(self.value):
            return False
        if self.gate is None:
            return True
        return self.value >= self.gate if self.better == "higher" else self.value <= self.gate


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
class Comparison:
    """One artifact in one runtime against the reference, over all probes.

    `data` names the user's table where its rows were the probes; see `DatasetRecord`.
    """

    artifact: str
    runtime: str
    reference: str
    probes: int
    metrics: tuple[Metric, ...]
    findings: tuple[Finding, ...]
    verdict: Verdict
    reason: str = ""
    data: str = ""


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


# ------------------------------------------------------------- what the verifier knows besides
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
        told: why that one, in words; or why there is none.
    """

    artifact: str
    runtime: str
    precision: str
    aligned: int
    values: int
    stations: tuple[Station, ...]
    first: str = ""
    told: str = ""


@dataclass(frozen=True)
class Constant:
    """One constant of the artifact and where it comes from.

    `fate` is how: ``identical`` after the declared cast, ``permuted`` or split, ``folded`` (follows
    by a formula that was recomputed), ``generated`` (a table or number of the code), ``packed``
    (compressed; the told text says how near the unpacked values are), ``unknown``.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    fate: Literal["identical", "permuted", "folded", "generated", "packed", "unknown"]
    tensors: tuple[str, ...] = ()
    told: str = ""


@dataclass(frozen=True)
class Provenance:
    """Whether an artifact's constants are a checkpoint's tensors.

    Attributes:
        artifact: path of the file.
        checkpoint: path of the other.
        finding: the answer in one of three sentences.
        constants: every constant of some size, with its origin.
        missing: tensors of the checkpoint that no constant carries.
        told: the evidence in words.
    """

    artifact: str
    checkpoint: str
    finding: Literal[
        "made from this checkpoint", "same architecture, other weights", "not this network"
    ]
    constants: tuple[Constant, ...]
    missing: tuple[str, ...] = ()
    told: str = ""


@dataclass(frozen=True)
class Reading:
    """One way of rounding an artifact's arithmetic, and the metrics it gives.

    `name` is ``"float32"`` (all arithmetic in fp32 on the file's weights), ``"declared"`` (rounded
    once per operation) or ``"half-accumulate"`` (fp16 sums).
    """

    artifact: str
    name: str
    metrics: tuple[Metric, ...]
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

    Both start from the same noise and walk on their own values, so that an early difference is
    carried along, as it will be in an app.

    Attributes:
        artifact: path of the file.
        runtime: that called it.
        sampler: ``"ddim"``; ``"ddpm step"`` or ``"ddim step"`` of a step that holds its schedule.
        steps: moves of the walk.
        seed: of the noise, for both.
        told: what the network was told at each move.
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
    told: tuple[float, ...]
    psnr: tuple[float, ...]
    parts: int | None
    gate: float
    gate_reason: str
    verdict: Verdict
    reason: str = ""

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


# ------------------------------------------------------------------------------------------ bill
@dataclass(frozen=True)
class Bill:
    """The bill of lading: the whole evidence of one voyage, `lading.json` on disk."""

    schema: int
    lading: str
    verdict: Verdict
    checkpoint: CheckpointRecord
    family: str
    signs: tuple[Sign, ...]
    hyperparameters: tuple[HyperParameter, ...]
    conflicts: tuple[Conflict, ...]
    task: Task
    ledger: tuple[LedgerLine, ...]
    ledger_summary: LedgerSummary
    capture: CaptureRecord | None
    artifacts: tuple[ArtifactRecord, ...]
    probes: tuple[ProbeRecord, ...]
    comparisons: tuple[Comparison, ...]
    request: Mapping[str, Any]
    notices: tuple[str, ...]
    environment: Mapping[str, str]
    walks: tuple[Walk, ...] = ()
    provenance: tuple[Provenance, ...] = ()
    readings: tuple[Reading, ...] = ()
    hazards: tuple[Hazard, ...] = ()
    pictures: tuple[Picture, ...] = ()
    datasets: tuple[DatasetRecord, ...] = ()
    settlings: tuple[Settling, ...] = ()
    trajectories: tuple[Trajectory, ...] = ()


# ------------------------------------------------------------------------------------------ JSON
def to_json(value: Any) -> Any:
    """`value` (records, mappings, sequences, scalars) as what `json.dumps` takes.

    Raises:
        TypeError: it holds something that is not a record or a plain value.
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: to_json(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(name): to_json(item) for name, item in value.items()}
    if isinstance(value, (tuple, list)):
        return [to_json(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    raise TypeError(f"{type(value).__name__} has no place in a record: {value!r}")


def from_json(kind: type[R], data: Any) -> R:
    """The record of class `kind` that `to_json` wrote as `data`.

    Raises:
        TypeError, KeyError, ValueError: `data` is not one.
    """
    record: R = _read(kind, data)
    return record


def _read(kind: Any, data: Any) -> Any:
    origin, args = typing.get_origin(kind), typing.get_args(kind)
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        hints = typing.get_type_hints(kind)
        items = _of(dict, data, kind.__name__).items()
        return kind(**{name: _read(hints[name], item) for name, item in items})
    if origin is tuple:
        return tuple(_read(args[0], item) for item in _of(list, data, "a list"))
    if origin is Literal:
        if data not in args:
            raise ValueError(f"{data!r} is none of {args}")
        return data
    if origin in (typing.Union, types.UnionType):
        inner = [arg for arg in args if arg is not type(None)]
        return None if data is None else _read(inner[0], data)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return {name: _read(args[1], item) for name, item in _of(dict, data, "a mapping").items()}
    if kind is float:
        if isinstance(data, str) and data not in ("inf", "-inf", "nan"):
            raise ValueError(f"{data!r} is no number")
        return float(data)
    return data if kind is Any else _of(kind, data, kind.__name__)


def _of(kind: type, data: Any, name: str) -> Any:
    if not isinstance(data, kind) or (kind is int and isinstance(data, bool)):
        raise TypeError(f"{data!r} is not {name}")
    return data
