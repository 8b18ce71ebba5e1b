"""Core ML itself, on a Mac. Elsewhere it says so, and nothing passes."""

from __future__ import annotations

import platform
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from lading.coreml.arrays import Array, Arrays, noted_labels
from lading.coreml.memory import Recalling, noted
from lading.coreml.mil.description import feature
from lading.coreml.plan import placed
from lading.errors import RuntimeUnavailableError, in_short
from lading.record.bench import Placed

NAME = "coreml"
TITLE = "Core ML (this Mac)"
#: Which units it may use, as Apple's `MLComputeUnits` spells them.
_UNITS = {
    "cpuOnly": "CPU_ONLY",
    "cpuAndGPU": "CPU_AND_GPU",
    "cpuAndNeuralEngine": "CPU_AND_NE",
    "all": "ALL",
}
UNITS = tuple(_UNITS)


def unavailable() -> str | None:
    """Why it cannot run on this computer, or None when it can."""
    if platform.system() != "Darwin":
        return f"Core ML exists on macOS only; this is {platform.system()}"
    return None


class System:
    """A file in Core ML, as it rounds on this Mac. It shows no inner values.

    Args:
        path: of the file.
        unit: one of `UNITS`; Core ML may leave what it offers unused.
    """

    runtime = NAME
    in_torch = False
    reading = "declared"
    graph: tuple[Any, ...] = ()

    def __init__(self, path: Path, unit: str = "all") -> None:
        import coremltools as ct

        self.title, self._unit = str(path), getattr(ct.ComputeUnit, _UNITS[unit])
        model = ct.models.MLModel(str(path), compute_units=self._unit)
        described = model.get_spec().description
        images = {
            feature.name
            for feature in described.input
            if feature.type.WhichOneof("Type") == "imageType"
        }
        self.outputs = tuple(
            feature.name
            for feature in described.output
            if feature.type.WhichOneof("Type") not in ("stringType", "int64Type")
        )
        labels = noted_labels(described.metadata.userDefined)
        self._model = model
        self._call: Any = Arrays(model.predict, images, labels)
        ports = tuple(feature(one).port() for one in described.state)
        if ports:
            self._call = Recalling(
                self._call,
                model.make_state,
                lambda state, name: np.asarray(state.read_state(name)),
                noted(described.metadata.userDefined, ports, str(path)),
                {one.name: len(feature(one).port().shape) for one in described.input},
            )
            self.outputs += tuple(state.port.name for state in self._call.states)

    def run(self, inputs: Mapping[str, Array], look_at: Collection[str] = ()) -> dict[str, Array]:
        """The outputs by name, and what is remembered after the last call; there is nothing to
        look at."""
        made: dict[str, Array] = self._call(inputs)
        return made

    def placed(self) -> tuple[Placed, ...]:
        """Where Core ML means to run what, by its own plan; it shows no times.

        Raises:
            RuntimeUnavailableError: this macOS has no such plan.
        """
        from coremltools.models.compute_plan import MLComputePlan

        try:
            path = self._model.get_compiled_model_path()
            plan = MLComputePlan.load_from_path(path=path, compute_units=self._unit)
        except Exception as error:  # of kinds that coremltools does not name
            raise RuntimeUnavailableError(
                "MLComputePlan", found=in_short(error), expected="macOS 14.4 or newer",
                remedy="leave --profile out",
            ) from error  # fmt: skip
        return placed(plan)
