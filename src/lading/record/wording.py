"""How records are said to people: one wording for the terminal, the page and the differences."""

from __future__ import annotations

import math

from lading.record import Candidate, Comparison, Metric, Port, Settling

#: How `verification.compare` ends the name of a metric of a probe that is not gated.
UNSTEADY = " (unsteady)"
WORDS = {
    "pass": "equal: the same goods arrive",
    "fail": "NOT equal: do not ship this",
    "not run": "not run: nothing is proved",
}
#: What people call the formats and the runtimes.
FORMATS = {"coreml": "Core ML", "onnx": "ONNX"}
RUNTIMES = {
    "mil": "lading.mil",
    "onnxruntime": "ONNX Runtime",
    "coreml": "Core ML",
    "torch": "PyTorch",
}


def number(name: str, value: float) -> str:
    """A metric's value with its unit.

    >>> number("logits psnr", 71.234), number("logits label_agreement", 0.9991)
    ('71.2 dB', '99.910 %')
    """
    if name.endswith("psnr"):
        return "equal" if value == math.inf else f"{value:.1f} dB"
    if name.endswith("label_agreement"):
        return f"{100 * value:.3f} %"
    return f"{value:.4f}" if " dice " in f" {name}" else f"{value:.4g}"


def gate(metric: Metric) -> str:
    """The gate of a metric with its direction, or nothing.

    >>> gate(Metric("logits psnr", 71.2, 40.0, "higher", "why"))
    '≥ 40.0 dB'
    """
    if metric.gate is None:
        return ""
    sign = "≥" if metric.better == "higher" else "≤"
    return f"{sign} {number(metric.name, metric.gate)}"


def megabytes(count: int) -> str:
    """A size for people.

    >>> megabytes(67_100_000), megabytes(12_300), megabytes(36)
    ('67.1 MB', '12.3 kB', '36 B')
    """
    if count < 1000:
        return f"{count} B"
    return f"{count / 1e6:.1f} MB" if count >= 1e6 else f"{count / 1e3:.1f} kB"


def shape(sizes: tuple[int, ...]) -> str:
    """Sizes for people; an open axis is ``any``.

    >>> shape((1, 3, -1)), shape(())
    ('1×3×any', 'scalar')
    """
    return "×".join("any" if size < 0 else str(size) for size in sizes) or "scalar"


def port(one: Port) -> str:
    """An input or output in a few words: ``image float32 1×1×256×256``."""
    kind = f"{one.color} image" if one.kind == "image" else one.dtype
    return f"{one.name} {kind} {shape(one.shape)}"


def share(value: float) -> str:
    """A part of a whole in per cent, with the digits that its size needs.

    >>> share(0.1234), share(0.999), share(0.00012), share(12.5)
    ('12.3 %', '99.9 %', '0.012 %', '1250 %')
    """
    if not math.isfinite(value):
        return f"{value:g}"
    digits = 1 if 0.01 <= abs(value) < 10 else 3 if 0 < abs(value) < 0.01 else 0
    text = f"{100 * value:.{digits}f}"
    return f"{text.rstrip('0').rstrip('.') if '.' in text else text} %"


def above(record: Settling, one: Candidate) -> tuple[str, str]:
    """How far a candidate's error lies above the best one's, and the interval of that."""
    if one is record.candidates[0]:
        return "the best", ""
    return share(one.difference), f"{share(one.low)} to {share(one.high)}"


def outcome(record: Settling, one: Candidate) -> str:
    """What became of a candidate: ``measured``, ``undecided`` or ``worse``."""
    if not one.plausible:
        return "worse"
    return "undecided" if record.undecided else "measured"


def settled(record: Settling) -> tuple[str, ...]:
    """The outcome of a settling in sentences: what is measured, what stays open, and why."""
    told = []
    if record.settled:
        sure = ", ".join(f"{name} {value or 'none'}" for name, value in record.settled.items())
        told.append(f"measured: {sure}")
    if record.undecided:
        told.append(f"undecided, so assumed still: {', '.join(record.undecided)}")
    return (*told, record.told)


def distance(metric: Metric) -> float:
    """How far a gated metric is from its gate, relative to it; the smallest is the nearest miss.

    >>> distance(Metric("psnr", 60.0, 40.0, "higher", ""))
    0.5
    >>> distance(Metric("l2", 3.0, 2.0, "lower", ""))
    -0.5
    """
    assert metric.gate is not None
    if math.isnan(metric.value):
        return -math.inf
    sign = 1.0 if metric.better == "higher" else -1.0
    return sign * (metric.value - metric.gate) / (abs(metric.gate) or 1.0)


def worst(
    comparisons: tuple[Comparison, ...], ending: str = ""
) -> tuple[Comparison, Metric] | None:
    """The gated metric nearest to its gate, or farthest beyond it, and the comparison it is in.

    Args:
        comparisons: where to look.
        ending: of the metric's name; every gated one by default.
    """
    gated = [
        (one, metric)
        for one in comparisons
        for metric in one.metrics
        if metric.gate is not None and metric.name.endswith(ending)
    ]
    return min(gated, key=lambda pair: distance(pair[1]), default=None)
