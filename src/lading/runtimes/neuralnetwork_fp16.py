"""`lading.neuralnetwork` in fp16, as GPU and Neural Engine compute an `.mlmodel`."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from lading.coreml import neuralnetwork
from lading.runtimes import Arithmetic, Predicting, noted_labels


class NeuralNetworkHalf:
    """See `lading.runtimes.Runtime`."""

    name = "neuralnetwork_fp16"
    title = "lading.neuralnetwork (fp16, as GPU and Neural Engine)"
    formats: tuple[str, ...] = ("mlmodel",)
    precision: Arithmetic = "fp16"

    def unavailable(self) -> str | None:
        return None

    def load(self, path: Path) -> Predicting:
        model = neuralnetwork.load(path)
        images = {port.name for port in model.inputs if port.kind == "image"}
        labels = noted_labels(model.metadata)
        return Predicting(partial(model.predict, precision="float16"), images, labels)


RUNTIME = NeuralNetworkHalf()
