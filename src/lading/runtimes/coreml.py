"""Core ML itself, on a Mac. Elsewhere it says so, and nothing passes."""

from __future__ import annotations

import platform
from pathlib import Path

from lading.runtimes import Arithmetic, Predicting, noted_labels, require


class CoreMLRuntime:
    """See `lading.runtimes.Runtime`."""

    name = "coreml"
    title = "Core ML (this Mac)"
    formats: tuple[str, ...] = ("coreml", "mlmodel")
    precision: Arithmetic = None

    def unavailable(self) -> str | None:
        if platform.system() != "Darwin":
            return f"Core ML exists on macOS only; this is {platform.system()}"
        return None

    def load(self, path: Path) -> Predicting:
        require(self)
        import coremltools as ct

        model = ct.models.MLModel(str(path))
        described = model.get_spec().description
        images = {
            feature.name
            for feature in described.input
            if feature.type.WhichOneof("Type") == "imageType"
        }
        return Predicting(model.predict, images, noted_labels(described.metadata.userDefined))


RUNTIME = CoreMLRuntime()
