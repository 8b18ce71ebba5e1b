"""Core ML as it was before ML Programs: an `.mlmodel` file of the NeuralNetwork format.

One file, read by iOS 13 and macOS 10.15 where its layers allow, and by everything later; apps that
keep a model as one file want it. The format has no types: what a value is rounded to is the compute
unit's choice, and `Settings.precision` says how the weights are stored. coremltools knows it for
systems before iOS 15 only, so `Settings.deployment` does not apply: the file needs the oldest
system that has all of its layers, which the record tells.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from lading.conversion import apple
from lading.conversion.capture import Axes, Captured
from lading.coreml import is_network
from lading.formats import SYSTEM, Runtime
from lading.formats.mlmodel.artifact import MLModel
from lading.interface import Options
from lading.interface.settings import Precision, Settings
from lading.record import ArtifactRecord, Snippet, Task


class MLModelFormat:
    """See `lading.formats.Format`."""

    name = "mlmodel"
    suffix = ".mlmodel"
    title = "Core ML (NeuralNetwork)"
    runtimes: tuple[Runtime, ...] = (
        SYSTEM,
        Runtime("neuralnetwork", "lading.coreml.neuralnetwork (fp32, as the CPU)", "float32"),
        Runtime(
            "neuralnetwork_fp16",
            "lading.coreml.neuralnetwork (fp16, as GPU and Neural Engine)",
            "float16",
            "fp16",
        ),
    )

    def claims(self, path: Path) -> bool:
        return path.suffix.lower() == self.suffix and (not path.exists() or is_network(path))

    def precision(self, settings: Settings) -> Precision:
        return settings.precision

    def axes(self, options: Options) -> Axes:
        return apple.axes(options)

    def convert(self, captured: Captured, settings: Settings, path: Path) -> ArtifactRecord:
        from lading.formats.mlmodel import write

        return replace(write.convert(captured, settings, path), title=self.title)

    def open(self, path: Path, *, own: bool = False) -> MLModel:
        return MLModel(path, self)

    def snippets(self, record: ArtifactRecord, task: Task) -> tuple[Snippet, ...]:
        return apple.snippets(record, task)


FORMAT = MLModelFormat()
