"""ONNX, opset 18 or newer, in fp32."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from lading.conversion.capture import Axes, Captured
from lading.formats import Runtime
from lading.formats.onnx.artifact import OnnxFile
from lading.formats.onnx.side import unavailable
from lading.interface import Options, snippets
from lading.interface.settings import Precision, Settings
from lading.record import ArtifactRecord, Snippet, Task
from lading.record.text import python_literal


class OnnxFormat:
    """See `lading.formats.Format`."""

    name = "onnx"
    suffix = ".onnx"
    title = "ONNX"
    runtimes: tuple[Runtime, ...] = (
        Runtime("onnxruntime", "ONNX Runtime (CPU)", unavailable=unavailable),
    )

    def claims(self, path: Path) -> bool:
        return path.suffix.lower() == self.suffix

    def precision(self, settings: Settings) -> Precision:
        return "fp32"

    def axes(self, options: Options) -> Axes:
        sized = options.sizes.listed or options.sizes.ranges
        return frozenset({*options.dynamic, *(("size",) if sized else ())})

    def convert(self, captured: Captured, settings: Settings, path: Path) -> ArtifactRecord:
        from lading.formats.onnx import write

        return replace(write.convert(captured, settings, path), title=self.title)

    def open(self, path: Path, *, own: bool = False) -> OnnxFile:
        return OnnxFile(path, self, own=own)

    def snippets(self, record: ArtifactRecord, task: Task) -> tuple[Snippet, ...]:
        names = ", ".join(python_literal(port.name) for port in record.outputs)
        run = [
            f"session = onnxruntime.InferenceSession({python_literal(snippets.name(record))})",
            f"names = [{names}]",
            f"outputs = dict(zip(names, session.run(names, {{{snippets.fed(record)}}})))",
        ]
        code = snippets.python(["import onnxruntime"], run, record, task, pictures=False)
        return (Snippet(record.path, "python", "Python with ONNX Runtime", code),)


FORMAT = OnnxFormat()
