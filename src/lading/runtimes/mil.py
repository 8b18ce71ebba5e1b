"""`lading.mil`: runs an `.mlpackage` on any computer, each value rounded to its declared dtype."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from lading import mil
from lading.runtime import Array, as_numpy, as_picture


class _Session:
    def __init__(self, path: Path) -> None:
        self.model = mil.load(path)
        self.images = {port.name for port in self.model.inputs if port.kind == "image"}

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        fed = {n: as_picture(v) if n in self.images else v for n, v in inputs.items()}
        return {name: as_numpy(value) for name, value in self.model.predict(fed).items()}


class Mil:
    """See `lading.runtime.Runtime`."""

    name = "mil"
    title = "lading.mil (declared precision)"
    formats: tuple[str, ...] = ("coreml",)

    def unavailable(self) -> str | None:
        return None

    def load(self, path: Path) -> _Session:
        return _Session(path)


RUNTIME = Mil()
