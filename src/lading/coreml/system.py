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

NAME = "coreml"
TITLE = "Core ML (this Mac)"


def unavailable() -> str | None:
    """Why it cannot run on this computer, or None when it can."""
    if platform.system() != "Darwin":
        return f"Core ML exists on macOS only; this is {platform.system()}"
    return None


class System:
    """A file in Core ML, as it rounds on this Mac. It shows no inner values."""

    runtime = NAME
    in_torch = False
    reading = "declared"
    graph: tuple[Any, ...] = ()

    def __init__(self, path: Path) -> None:
        import coremltools as ct

        self.title = str(path)
        model = ct.models.MLModel(str(path))
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
