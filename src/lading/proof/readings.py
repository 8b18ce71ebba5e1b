"""Three ways to read an fp16 program: what rounding costs it, and where.

All arithmetic in fp32 on the file's weights is the best that a device can do; one rounding per
operation the likely; sums that add up in fp16 the worst. The spread says how much of the result is
the hardware's choice. Per operation: what overflows, what vanishes, and what comes near the limit.

Of a large file the worst is not computed, term by term as it goes. Nor is the best, a run that is
nothing but it, where the likely one keeps half of the error that its gate leaves: the best tells
how much of a loss a device can avoid.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from lading.formats import Artifact
from lading.interface.side import Array
from lading.proof import metrics
from lading.proof.probes import Probe, fits, telling
from lading.proof.verdict import GATES
from lading.record import ArtifactRecord, Measurement, Reading
from lading.record.measurement import ReadingName

#: The largest float16, and the factor within which a value comes near it.
LIMIT, NEAR = 65504.0, 4.0
#: dB above its gate from which no better reading is wanted: half of the error.
CLEAR = 6.0
LEFT_OUT = (
    "with all arithmetic in fp32 it was not run, as the file is large and "
    f"{CLEAR:g} dB or more above that"
)
REASONS = {
    "float32": "all arithmetic in fp32 on the file's weights: the best a device can do",
    "declared": f"rounded once per operation: gated at {GATES['fp16'].psnr:g} dB elsewhere",
    "half-accumulate": "sums in fp16: the worst a device can do",
}


def read(
    artifact: Artifact,
    record: ArtifactRecord,
    drawn: Sequence[Probe],
    expected: Sequence[Mapping[str, Array]],
    steady: Callable[[int], bool] = lambda place: True,
) -> tuple[Reading, ...]:
    """The readings of an fp16 artifact at its first steady probe; nothing where there is but one.

    Args:
        artifact: opened.
        record: of it, with the network's port names.
        drawn: probes.
        expected: the original's outputs, one mapping per probe.
        steady: whether the original is steady at a probe.

    Raises:
        LadingError: the artifact cannot be run.
    """
    fitting = [place for place, probe in enumerate(drawn) if fits(probe, record.inputs)]
    place = next(filter(steady, telling(drawn, fitting)), None) if artifact.readings else None
    if place is None:
        return ()
    found: dict[ReadingName, Reading] = {
        name: _of(artifact, record, drawn[place], expected[place], name)
        for name in artifact.readings
        if name != "float32"
    }
    declared = found["declared"]
    numbers = declared.measurements
    clear = bool(numbers) and all(n.value >= GATES["fp16"].psnr + CLEAR for n in numbers)
    if clear and "half-accumulate" not in found:  # so large that this is not computed
        numbers = tuple(replace(n, why=f"{n.why}; {LEFT_OUT}") for n in numbers)
        found["declared"] = replace(declared, measurements=numbers)
    elif "float32" in artifact.readings:
        found["float32"] = _of(artifact, record, drawn[place], expected[place], "float32")
    return tuple(found[name] for name in artifact.readings if name in found)


def _of(
    artifact: Artifact,
    record: ArtifactRecord,
    probe: Probe,
    expected: Mapping[str, Array],
    name: ReadingName,
) -> Reading:
    ports = [port.name for port in record.outputs if port.dtype.startswith("float")]
    outputs, seen = artifact.statistics(probe.inputs, name)
    largest = {n: max(abs(s.minimum), abs(s.maximum)) for n, s in seen.items()}
    return Reading(
        artifact=record.path,
        name=name,
        measurements=tuple(
            Measurement(n, "psnr", metrics.psnr(expected[n], outputs[n]), None, REASONS[name],
                        probe.name, reading=name)
            for n in ports if n in outputs and outputs[n].shape == expected[n].shape
        ),
        overflows={n: s.overflowed for n, s in seen.items() if s.overflowed},
        underflows={n: s.underflowed for n, s in seen.items() if s.underflowed},
        near_limit={n: v for n, v in largest.items() if v >= LIMIT / NEAR},
    )  # fmt: skip
