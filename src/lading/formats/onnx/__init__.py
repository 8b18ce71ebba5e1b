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
        given = [port.name for port in record.outputs]
        given += [f"{state.port.name}_out" for state in record.states]
        fed = snippets.fed(record)
        run = [
            f"session = onnxruntime.InferenceSession({python_literal(snippets.name(record))})",
            f"names = [{', '.join(map(python_literal, given))}]",
        ]
        if record.states:
            run.append("memory = {}  # the beginning: the file has the values itself")
            fed = f"{fed}, **memory"
        run.append(f"outputs = dict(zip(names, session.run(names, {{{fed}}})))")
        if record.states:
            run.append("memory = {  # for the next call")
            run += [
                f"    {python_literal(name + '_in')}: outputs[{python_literal(name + '_out')}],"
                for name in (state.port.name for state in record.states)
            ]
            run.append("}")
        code = snippets.python(["import onnxruntime"], run, record, task, pictures=False)
        return (Snippet(record.path, "python", "Python with ONNX Runtime", code),)


FORMAT = OnnxFormat()
