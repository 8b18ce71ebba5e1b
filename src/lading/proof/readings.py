"""Three ways to read an fp16 program: what rounding costs it, and where.

All arithmetic in fp32 on the file's weights is the best that a device can do; one rounding per
operation the likely; sums that add up in fp16 the worst. The spread says how much of the result is
the hardware's choice. Per operation: what overflows, what vanishes, and what comes near the limit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import get_args

import numpy as np

from lading.coreml import mil
from lading.coreml.mil.precision import Precision
from lading.proof import metrics
from lading.proof.probes import Probe, fits
from lading.proof.verdict import GATES
from lading.record import ArtifactRecord, Comparison, Metric, Reading
from lading.runtimes import Array, as_numpy, as_picture

#: The largest float16, and the factor within which a value comes near it.
LIMIT, NEAR = 65504.0, 4.0
#: fp16 sums are computed term by term: beyond this many weights they are left out.
LONGEST = 2_000_000
ORDER: tuple[Precision, ...] = ("float32", "declared", "half-accumulate")


def read(
    path: Path,
    record: ArtifactRecord,
    drawn: Sequence[Probe],
    expected: Sequence[Mapping[str, Array]],
    steady: Sequence[bool] | None = None,
    comparisons: Sequence[Comparison] = (),
) -> tuple[Reading, ...]:
    """The readings of an fp16 ML Program at its worst steady probe; nothing of other artifacts.

    Args:
        path: the artifact.
        record: of it.
        drawn: probes.
        expected: the original's outputs, one mapping per probe.
        steady: per probe, whether the original is steady there.
        comparisons: of this artifact, which know the worst probe; else the first steady one.

    Raises:
        LadingError: the artifact cannot be run.
    """
    assert set(ORDER) == set(get_args(Precision))
    chosen = [
        place
        for place, probe in enumerate(drawn)
        if fits(probe, record.inputs) and (steady is None or steady[place])
    ]
    if record.format != "coreml" or record.precision != "fp16" or not chosen:
        return ()
    model = mil.load(path)
    if model.parts:
        return ()
    images = {port.name for port in model.inputs if port.kind == "image"}
    weights = sum(
        int(np.size(op.attributes["val"].data))
        for function in model.program.functions.values()
        for op in function.block.walk()
        if op.type == "const" and isinstance(op.attributes["val"].data, np.ndarray)
    )

    def run(place: int, name: Precision, taps: mil.Taps | None = None) -> dict[str, Array]:
        inputs = drawn[place].inputs
        fed = {n: as_picture(v) if n in images else v for n, v in inputs.items()}
        outputs = model.predict(fed, precision=name, taps=taps)
        return {n: as_numpy(v) for n, v in outputs.items() if not isinstance(v, (Mapping, str))}

    ports = [p.name for p in record.outputs if p.dtype.startswith("float")]

    place = next((one for one in chosen if drawn[one].name in _worst(comparisons)), chosen[0])
    found = []
    for name in ORDER:
        if name == "half-accumulate" and weights > LONGEST:
            continue
        taps = mil.Taps(statistics=True)
        outputs = run(place, name, taps)
        seen = taps.statistics_of
        largest = {n: max(abs(s.minimum), abs(s.maximum)) for n, s in seen.items()}
        found.append(
            Reading(
                artifact=record.path,
                name=name,
                metrics=tuple(
                    Metric(f"{n} psnr", metrics.psnr(expected[place][n], outputs[n]), None,
                           "higher", _reason(name), drawn[place].name)
                    for n in ports if n in outputs and outputs[n].shape == expected[place][n].shape
                ),
                overflows={n: s.overflowed for n, s in seen.items() if s.overflowed},
                underflows={n: s.underflowed for n, s in seen.items() if s.underflowed},
                near_limit={n: v for n, v in largest.items() if v >= LIMIT / NEAR},
            )
        )  # fmt: skip
    return tuple(found)


def _worst(comparisons: Sequence[Comparison]) -> set[str]:
    """Where `lading.mil` came out worst as the program rounds."""
    return {
        metric.worst_probe
        for one in comparisons
        for metric in one.metrics
        if one.runtime == "mil" and metric.name.endswith("psnr") and "graph" not in metric.name
    }


def _reason(name: Precision) -> str:
    told = {
        "float32": "all arithmetic in fp32 on the file's weights: the best a device can do",
        "declared": f"rounded once per operation: gated at {GATES['fp16'].psnr:g} dB elsewhere",
        "half-accumulate": "sums in fp16: the worst a device can do",
    }
    return told[name]
