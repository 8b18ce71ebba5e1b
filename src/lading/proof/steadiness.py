"""How far the original itself moves when its input moves by what rounding does.

There are inputs at which no two correct programs agree. At a constant picture an instance norm
divides what is left of rounding by the square root of its epsilon, 316 times at every block, and
the output is decided by how a library happens to sum. Such a probe proves nothing about an
artifact. Which probes these are is measured on the untouched original alone: it is run once more
with its input disturbed by the rounding of the artifact's precision, and where it already misses
the gate against itself, the probe is shown but not gated.

The disturbance of fp32 is 2^-16, not 2^-24: a plain fp32 sum over the 65,536 pixels of a plane,
as some runtimes do it, is off by up to that much.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from lading.errors import LadingError
from lading.interface.side import Side
from lading.proof import metrics
from lading.proof.probes import Probe
from lading.proof.verdict import GATES
from lading.record import Port

Array = npt.NDArray[Any]

#: Relative to the input's largest magnitude, or to 1 where that is smaller.
DISTURBANCE = {"fp32": 2.0**-16, "fp16": 2.0**-11}


def disturbed(probe: Probe, precision: str) -> dict[str, Array]:
    """The probe's inputs with seeded uniform noise; integers (indices, tokens) stay as they are."""
    generator = np.random.Generator(np.random.Philox(key=99))
    inputs = {}
    for name, array in probe.inputs.items():
        if array.dtype.kind != "f":
            inputs[name] = array
            continue
        least = 0.0 if probe.far else 1.0  # one of another magnitude rounds as that does
        size = DISTURBANCE[precision] * max(least, float(np.abs(array).max()))
        noise = generator.uniform(-size, size, array.shape)
        inputs[name] = (array + noise).astype(array.dtype)
    return inputs


def steady(
    side: Side,
    probe: Probe,
    outputs: Mapping[str, Array],
    ports: Sequence[Port],
    precision: str,
) -> bool:
    """Whether the original meets the gates of `precision` against itself, disturbed.

    Args:
        side: the untouched original, or another reference.
        probe: the input.
        outputs: what the original gave for it.
        ports: the outputs to judge.
        precision: of the artifact, ``"fp32"`` or ``"fp16"``.
    """
    real = any(array.dtype.kind == "f" for array in probe.inputs.values())
    try:
        again = side.run(disturbed(probe, precision)) if real else outputs  # else nothing is moved
    except LadingError:
        raise
    except Exception:  # the code of anybody's network: what it refuses so near it does not keep
        return False
    return kept(outputs, again, ports, precision)


def kept(
    outputs: Mapping[str, Array], again: Mapping[str, Array], ports: Sequence[Port], precision: str
) -> bool:
    """Whether `again` meets the gates of `precision` against `outputs`."""
    gates = GATES[precision]
    for port in ports:
        before, after = outputs[port.name], again[port.name]
        if port.meaning == "labels" or before.dtype.kind != "f":
            if metrics.label_agreement(before, after) < gates.agreement:
                return False
        elif not metrics.psnr(before, after) >= gates.psnr:
            return False
    return True
