"""Gates that the user sets for the artifact's own outputs, in the place of the measured ones.

The graph alone and the scores behind labels keep the measured gates: what those find is no matter
of tolerance. A measurement keeps the gate that it would have had, and everything that shows the
verdict shows both.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from lading.record import Measurement

REASON = "your own gate; measured: "


def worst(
    of: Callable[[Sequence[float]], Measurement],
    limits: Sequence[float],
    probes: Sequence[str],
    own: Mapping[str, float],
) -> Measurement:
    """A measurement whose gates differ by probe, at the probe that is worst under the user's.

    Args:
        of: the measurement under gates, one for each probe.
        limits: the measured gates.
        probes: their names.
        own: the user's gates by kind.
    """
    measured = of(limits)
    if measured.kind not in own:
        return measured
    mine = of([own[measured.kind]] * len(limits))
    gate = limits[probes.index(mine.probe)] if mine.probe in probes else measured.gate
    return replace(mine, why=REASON + mine.why, own=True, measured_gate=gate)


def held(numbers: Sequence[Measurement], own: Mapping[str, float]) -> list[Measurement]:
    """The measurements, those of the outputs under the user's gates.

    >>> one = Measurement("y", "label_agreement", 0.99, 0.995, "fp16 rounds")
    >>> (mine,) = held([one], {"label_agreement": 0.98})
    >>> mine.passed, mine.gate, mine.measured_gate, mine.why
    (True, 0.98, 0.995, 'your own gate; measured: fp16 rounds')
    """
    return [
        replace(one, gate=own[one.kind], why=REASON + one.why, own=True, measured_gate=one.gate)
        if one.kind in own and _outputs(one) and not one.own
        else one
        for one in numbers
    ]


def unmet(numbers: Sequence[Measurement], own: Mapping[str, float]) -> list[str]:
    """What the user asked for and nothing measured, in words."""
    found = {one.kind for one in numbers if one.own}
    return [f"no {kind} was measured, for which --gate asks" for kind in own if kind not in found]


def _outputs(one: Measurement) -> bool:
    return one.reading == "declared" and one.of == "output" and one.steady
