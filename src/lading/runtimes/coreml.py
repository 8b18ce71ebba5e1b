"""Core ML itself, on a Mac. Elsewhere it says so, and nothing passes."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from pathlib import Path

from lading.runtime import Array, as_numpy, as_picture, require


class _Session:
    def __init__(self, path: Path) -> None:
        import coremltools as ct

        self.model = ct.models.MLModel(str(path))
        described = self.model.get_spec().description
        self.images = {
            feature.name
            for feature in described.input
            if feature.type.WhichOneof("Type") == "imageType"
        }

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        fed = {n: as_picture(v) if n in self.images else v for n, v in inputs.items()}
        return {name: as_numpy(value) for name, value in self.model.predict(fed).items()}


class CoreMLRuntime:
    """See `lading.runtime.Runtime`."""

    name = "coreml"
    title = "Core ML (this Mac)"
    formats: tuple[str, ...] = ("coreml",)

    def unavailable(self) -> str | None:
        if platform.system() != "Darwin":
            return f"Core ML exists on macOS only; this is {platform.system()}"
        return None

    def load(self, path: Path) -> _Session:
        require(self)
        return _Session(path)


RUNTIME = CoreMLRuntime()
