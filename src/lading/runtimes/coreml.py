"""Core ML itself, on a Mac. Elsewhere it says so, and nothing passes."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from lading.runtime import Array, as_numpy, require


class _Session:
    def __init__(self, path: Path) -> None:
        import coremltools as ct

        self.model = ct.models.MLModel(str(path))
        described = self.model.get_spec().description
        self.images = {
            feature.name: feature.type.imageType.colorSpace
            for feature in described.input
            if feature.type.WhichOneof("Type") == "imageType"
        }

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        fed = {n: _picture(v) if n in self.images else v for n, v in inputs.items()}
        return {name: as_numpy(value) for name, value in self.model.predict(fed).items()}


def _picture(values: Array) -> Any:
    """[1, C, H, W] values 0-255 as the PIL image that Core ML takes."""
    from PIL import Image

    pixels = np.rint(values[0]).clip(0, 255).astype(np.uint8)
    return Image.fromarray(pixels[0] if pixels.shape[0] == 1 else pixels.transpose(1, 2, 0))


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
