"""What was measured, its gate, and the table of the kinds of numbers.

A kind is one row of `KINDS`: its name, its unit, which way is better, how it is printed. The
function that computes one stands in `lading.proof.metrics` under the same name.

>>> one = Measurement("logits", "psnr", 71.26, 40.0, "fp16 rounds", "noise-0")
>>> one.passed, one.better, KINDS[one.kind].show(one.value)
(True, 'higher', '71.3 dB')
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Better = Literal["higher", "lower", "none"]
#: How the artifact was computed: ``graph`` is the graph alone, its constants put back to where they
#: came from and all arithmetic in fp32; ``float64`` is the file as it is, in that; the others are
#: those of `lading.record.Reading`.
ReadingName = Literal["declared", "graph", "float64", "float32", "half-accumulate"]


@dataclass(frozen=True)
class Kind:
    """A kind of number.

    Attributes:
        unit: ``"dB"``, ``"%"`` of a share from 0 to 1, or none.
        better: ``"none"`` where the number says nothing about the artifact.
        digits: of its text, as `format` takes them.
    """

    unit: str
    better: Better
    digits: str = ".4g"

    def show(self, value: float) -> str:
        """A value for people; infinitely good is ``equal``.

        >>> KINDS["label_agreement"].show(0.9991), KINDS["psnr"].show(math.inf)
        ('99.910 %', 'equal')
        """
        if value == math.inf and self.better == "higher":
            return "equal"
        return f"{100 * value if self.unit == '%' else value:{self.digits}} {self.unit}".rstrip()


KINDS: Mapping[str, Kind] = {
    "psnr": Kind("dB", "higher", ".1f"),
    "label_agreement": Kind("%", "higher", ".3f"),
    "dice": Kind("", "higher", ".4f"),
    "snr": Kind("dB", "higher", ".1f"),
    "relative_l2": Kind("", "lower"),
    "max_abs": Kind("", "lower"),
    "accuracy": Kind("", "higher"),
    "accuracy of the original": Kind("", "none"),
    "accuracy apart": Kind("", "lower"),
    "classes changed": Kind("", "lower", ",.0f"),
    "classes changed beyond the error": Kind("", "lower", ",.0f"),
}


@dataclass(frozen=True)
class Quantity:
    """What a number is of.

    Attributes:
        output: name of the port; empty where a whole table of samples was judged.
        kind: a key of `KINDS`.
        better: which way, as the kind says; written for those who read the JSON.
    """

    output: str
    kind: str = field(metadata={"enum": tuple(KINDS)})
    better: Better = field(init=False)

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"{self.kind!r} is no kind of measurement")
        object.__setattr__(self, "better", KINDS[self.kind].better)


@dataclass(frozen=True)
class Measurement(Quantity):
    """A number and the gate that it had to meet.

    Attributes:
        value: NaN meets no gate.
        gate: None where the number only informs.
        why: that gate, or what the number is for.
        probe: where it came out worst; empty where it is over all probes together.
        reading: how the artifact was computed.
        channel: of the output, e.g. the class of a Dice; empty for the whole.
        of: ``scores``: the values that the output's labels were chosen from.
        own: whether the gate is the user's own.
        measured_gate: of an own gate, the one that it stands in the place of; None where there was
            none.
        steady: False where the original itself misses the gate when its input or its arithmetic is
            rounded: what is measured there is shown and not gated.
    """

    value: float
    gate: float | None
    why: str
    probe: str = ""
    reading: ReadingName = "declared"
    channel: str = ""
    of: Literal["output", "scores"] = "output"
    steady: bool = True
    own: bool = False
    measured_gate: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.gate is not None and self.better == "none":
            raise ValueError(f"{self.kind!r} has no better and no worse, so it cannot be gated")

    @property
    def passed(self) -> bool:
        """Whether the gate is met, where there is one. NaN passes nothing.

        >>> Measurement("logits", "psnr", math.nan, None, "only informs").passed
        False
        """
        if self.gate is None:
            return not math.isnan(self.value)
        return self.value >= self.gate if self.better == "higher" else self.value <= self.gate

    @property
    def distance(self) -> float:
        """How far a gated number is from its gate, relative to it: negative beyond it.

        >>> Measurement("logits", "psnr", 60.0, 40.0, "").distance
        0.5
        >>> Measurement("logits", "relative_l2", 3.0, 2.0, "").distance
        -0.5
        """
        assert self.gate is not None
        if math.isnan(self.value):
            return -math.inf
        sign = 1.0 if self.better == "higher" else -1.0
        return sign * (self.value - self.gate) / (abs(self.gate) or 1.0)
