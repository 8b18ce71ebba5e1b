"""What an artifact takes and gives, and how it was made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Route = Literal["export", "decomposed", "trace"]
#: Metadata of a field that stands in a record's JSON only where there is something in it.
RARE = {"rare": True}


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
        letters: per dimension, the letter of an open axis: its size is one wherever the letter
            stands; empty text where an axis has none, and empty where none has.
        shaped: False where the file does not state a shape: then `shape` is empty and says nothing.
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
    shaped: bool = True
    letters: tuple[str, ...] = ()

    def allows(self, shape: tuple[int, ...]) -> bool:
        """Whether it takes arrays of a shape; a size or an upper bound of -1 is open.

        >>> Port("x", "tensor", "float32", (-1, 8), multiples=(1, 4)).allows((3, 8))
        True
        """
        if self.enumerated:
            return shape in self.enumerated
        bounds = self.ranges or tuple((size, size) for size in self.shape)
        steps = self.multiples or (1,) * len(bounds)
        return len(shape) == len(bounds) and all(
            low <= size and (high < 0 or size <= high) and size % step == 0
            for size, (low, high), step in zip(shape, bounds, steps, strict=True)
        )


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
class Refusal:
    """A format that no route could write, and each route's reason."""

    format: str
    title: str
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class State:
    """What a network remembers from one call to the next.

    Attributes:
        port: its name, element type and shape, as it is compared.
        buffer: the network's name of it; empty where nobody knows.
        begins: with zeros, or with values that are the checkpoint's.
        held: how a file holds it: as it is; in Core ML, which keeps float16 alone, also a float32
            as two ``halves`` (``[0] + [1] / 2048``) and a whole number as three ``digits`` to the
            base 2048, the lowest first, along a first axis.
    """

    port: Port
    buffer: str = ""
    begins: Literal["zeros", "values"] = "zeros"
    held: Literal["plain", "halves", "digits"] = "plain"


@dataclass(frozen=True)
class ArtifactRecord:
    """A converted file. `path` is relative to the bill; `title` is what people call the format;
    `states` are what it remembers between calls, beside its inputs and outputs."""

    format: str
    path: str
    bytes: int
    sha256: str
    precision: str
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    route: Route
    details: Mapping[str, str] = field(default_factory=dict)
    title: str = ""
    states: tuple[State, ...] = field(default=(), metadata=RARE)

    @property
    def answers(self) -> tuple[Port, ...]:
        """All that is compared: the outputs, and what it remembers after the call."""
        return (*self.outputs, *(one.port for one in self.states))

    @property
    def format_title(self) -> str:
        """What people call the format, where the record says; else its name."""
        return self.title or self.format
