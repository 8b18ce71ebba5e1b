"""Core ML: an `.mlpackage` that holds an ML Program."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from lading.conversion import apple
from lading.conversion.capture import Axes, Captured
from lading.coreml import is_network
from lading.formats import SYSTEM, Runtime
from lading.formats.coreml.artifact import MLProgram
from lading.interface import Options
from lading.interface.settings import Precision, Settings
from lading.record import ArtifactRecord, Snippet, Task


class MLProgramFormat:
    """See `lading.formats.Format`."""

    name = "coreml"
    suffix = ".mlpackage"
    title = "Core ML"
    runtimes: tuple[Runtime, ...] = (
        SYSTEM,
        Runtime("mil", "lading.coreml.mil (declared precision)"),
    )

    def claims(self, path: Path) -> bool:
        if path.suffix.lower() == ".mlmodel":  # one file may hold a program too
            return path.exists() and not is_network(path)
        return path.suffix.lower() in (self.suffix, ".mlmodelc")  # compiled, and so to be looked at

    def precision(self, settings: Settings) -> Precision:
        return settings.precision

    def axes(self, options: Options) -> Axes:
        return apple.axes(options)

    def convert(self, captured: Captured, settings: Settings, path: Path) -> ArtifactRecord:
        from lading.formats.coreml import write

        return replace(write.convert(captured, settings, path), title=self.title)

    def open(self, path: Path, *, own: bool = False) -> MLProgram:
        return MLProgram(path, self)

    def snippets(self, record: ArtifactRecord, task: Task) -> tuple[Snippet, ...]:
        return apple.snippets(record, task)


FORMAT = MLProgramFormat()
