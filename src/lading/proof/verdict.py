"""Gates, and what they make of the numbers. Every gate stands here, with its reason."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lading.record import Comparison, Provenance, Trajectory, Verdict


@dataclass(frozen=True)
class Gates:
    """What an artifact of one declared precision must reach.

    Attributes:
        psnr: dB, on the worst probe.
        agreement: share of equal labels, over all probes together.
        psnr_reason: why that number.
        agreement_reason: likewise.
    """

    psnr: float
    agreement: float
    psnr_reason: str
    agreement_reason: str


#: fp32 rounds at 2^-24 (144 dB); a sound conversion of a deep network keeps 100 dB and more, one
#: changed weight or a wrong epsilon leaves less than 60. fp16 rounds at 2^-11 (66 dB) at every
#: operation; deep sound conversions keep 45 to 70 dB.
GATES: dict[str, Gates] = {
    "fp32": Gates(
        60.0,
        0.999,
        "fp32 rounding leaves over 100 dB in a sound conversion of a deep network",
        "only positions where two classes tie may flip under fp32 rounding",
    ),
    "fp16": Gates(
        40.0,
        0.995,
        "rounding every value to fp16 leaves 45 to 70 dB in a sound conversion",
        "fp16 rounding flips positions whose two best classes are within its error",
    ),
}


def overall(
    comparisons: Sequence[Comparison],
    sources: Sequence[Provenance] = (),
    trajectories: Sequence[Trajectory] = (),
) -> Verdict:
    """One verdict for several comparisons.

    ``fail`` if any failed, or an artifact's weights are shown not to be the checkpoint's, or a
    trajectory ends too far from the original's; ``not run`` if an artifact was compared in no
    runtime at all, or nothing was compared; else ``pass``.

    >>> overall([])
    'not run'
    """
    if "fail" in [one.verdict for one in comparisons] + [one.verdict for one in trajectories]:
        return "fail"
    if any(one.refuted for one in sources):
        return "fail"
    passed = {one.artifact for one in comparisons if one.verdict == "pass"}
    return "pass" if passed and passed == {one.artifact for one in comparisons} else "not run"
