"""`lading.neuralnetwork` in fp32, as the CPU computes an `.mlmodel`, on any computer."""

from __future__ import annotations

from pathlib import Path

from lading.coreml import neuralnetwork
from lading.runtimes import Arithmetic, Predicting, noted_labels


class NeuralNetwork:
    """See `lading.runtimes.Runtime`."""

    name = "neuralnetwork"
    title = "lading.neuralnetwork (fp32, as the CPU)"
    formats: tuple[str, ...] = ("mlmodel",)
    precision: Arithmetic = None

    def unavailable(self) -> str | None:
        return None

    def load(self, path: Path) -> Predicting:
        model = neuralnetwork.load(path)
        images = {port.name for port in model.inputs if port.kind == "image"}
        return Predicting(model.predict, images, noted_labels(model.metadata))


RUNTIME = NeuralNetwork()
