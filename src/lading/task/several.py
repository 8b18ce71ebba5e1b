"""Probes of a network with a memory: calls that come after one another.

Each is a call after others from the beginning, so that every call of a sequence is one probe, and
what is compared is what that call gives and what is remembered then.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from lading.record import Port
from lading.task.probes import Probe, values

Array = npt.NDArray[Any]

KIND = "calls"
#: Calls of a sequence.
LONGEST = 6
#: Calls of the sequence that nobody knows beforehand.
OWN = 4


def sequences(ports: Sequence[Port]) -> list[Probe]:
    """Two sequences, call by call: noise; and noise in which single whole numbers count upwards,
    as positions do."""
    noise = _drawn(ports, 400, LONGEST)
    found = [_first(noise, calls, f"noise, call {calls}", 400) for calls in range(2, LONGEST + 1)]
    counted = _drawn(ports, 401, LONGEST)
    for port in ports:
        if port.dtype.startswith("int") and np.prod(port.shape) == 1:
            low, high = (int(bound) for bound in port.value_range or (0, 1))
            counted[port.name] = _counting(port, low, high)
    return [
        *found,
        *(
            _first(counted, calls, f"counting, call {calls}", 401)
            for calls in range(1, LONGEST + 1)
        ),
    ]


def own(ports: Sequence[Port], digest: str) -> Probe:
    """A sequence that is drawn from an artifact's digest."""
    seed = int(digest[:15] or "0", 16)
    inputs = _drawn(ports, seed, OWN)
    return Probe(
        "own calls",
        KIND,
        f"Philox key {seed}, of the file's digest",
        inputs,
        only=digest,
        calls=OWN,
    )


def _drawn(ports: Sequence[Port], seed: int, calls: int) -> dict[str, Array]:
    generator = np.random.Generator(np.random.Philox(key=seed))
    return {
        port.name: np.stack(
            [values("noise", port, port.shape, generator, {}) for _ in range(calls)]
        )
        for port in ports
    }


def _counting(port: Port, low: int, high: int) -> Array:
    places = low + np.arange(LONGEST) % (high - low + 1)
    return np.asarray(places.reshape(LONGEST, *[1] * len(port.shape)), port.dtype)


def _first(inputs: dict[str, Array], calls: int, name: str, seed: int) -> Probe:
    """The first `calls` of a sequence."""
    cut = {key: np.ascontiguousarray(value[:calls]) for key, value in inputs.items()}
    return Probe(name, KIND, f"Philox key {seed}", cut, calls=calls)
