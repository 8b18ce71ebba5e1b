"""A format: `torch.export` programs, ``.pt2``, in fp32; torch runs them."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

from lading.base.digests import of_path, size_of
from lading.conversion.capture import Axes, Captured
from lading.errors import ConversionError, ProgramError
from lading.formats import Artifact, Held, Restore, Runtime
from lading.interface import Options
from lading.interface.settings import Precision, Settings
from lading.interface.side import Made
from lading.record import ArtifactRecord, Port, Snippet, Task, from_json, to_json

_PORTS = "ports.json"


class ExportedSide:
    """See `lading.interface.side.Side`; it shows no inner values."""

    runtime, reading, in_torch = "torch_export", "declared", True
    graph: Sequence[Made] = ()

    def __init__(self, title: str, module: torch.nn.Module, ports: Mapping[str, Any]) -> None:
        self.title, self._module = title, module
        self._inputs = tuple(port.name for port in ports["inputs"])
        self.outputs = tuple(port.name for port in ports["outputs"])

    def run(self, inputs: Mapping[str, Any], look_at: Collection[str] = ()) -> dict[str, Any]:
        with torch.no_grad():
            given = self._module(*(torch.from_numpy(inputs[name].copy()) for name in self._inputs))
        values = given if isinstance(given, tuple | list) else (given,)
        return {name: value.numpy() for name, value in zip(self.outputs, values, strict=True)}


class Exported(Artifact):
    """See `lading.formats.Artifact`."""

    @cached_property
    def _loaded(self) -> tuple[Any, dict[str, str]]:
        extra = {_PORTS: ""}
        try:
            return torch.export.load(self.path, extra_files=extra), extra
        except Exception as error:  # torch's own kinds
            raise ProgramError(
                str(self.path),
                found=str(error).splitlines()[0][:200],
                expected="a program of torch.export with its ports, as lading writes it",
                remedy="convert again",
            ) from error

    @cached_property
    def _ports(self) -> dict[str, Any]:
        told = json.loads(self._loaded[1][_PORTS])
        return {
            **told,
            "inputs": tuple(from_json(Port, one) for one in told["inputs"]),
            "outputs": tuple(from_json(Port, one) for one in told["outputs"]),
        }

    @cached_property
    def record(self) -> ArtifactRecord:
        ports = self._ports
        return ArtifactRecord(
            self.format.name, str(self.path), size_of(self.path), of_path(self.path), "fp32",
            ports["inputs"], ports["outputs"], "export", ports["facts"], self.format.title,
        )  # fmt: skip

    def constants(self) -> list[Held]:
        held = self._loaded[0].state_dict.items()
        return [Held(name, value.detach().numpy(), "float32") for name, value in held]

    def side(self, reading: str = "declared") -> ExportedSide:
        return ExportedSide(str(self.path), self._loaded[0].module(), self._ports)

    def widened(self, restore: Restore) -> ExportedSide:
        return self.side()


class ExportedFormat:
    """See `lading.formats.Format`."""

    name = "exported"
    suffix = ".pt2"
    title = "torch.export"
    runtimes = (Runtime("torch_export", "torch.export (CPU)"),)

    def claims(self, path: Path) -> bool:
        return path.suffix.lower() == self.suffix

    def precision(self, settings: Settings) -> Precision:
        return "fp32"

    def axes(self, options: Options) -> Axes:
        return frozenset(options.dynamic)

    def convert(self, captured: Captured, settings: Settings, path: Path) -> ArtifactRecord:
        if captured.exported is None:
            raise ConversionError(
                f"torch.export by {captured.route}",
                found="a graph that was traced",
                expected="an exported program",
                remedy="--route export",
            )
        interface = captured.interface
        ends = {"inputs": interface.inputs, "outputs": interface.outputs}
        ports = {name: [to_json(port) for port in ports] for name, ports in ends.items()}
        told = json.dumps({**ports, "facts": dict(settings.facts)}, sort_keys=True)
        torch.export.save(captured.exported, path, extra_files={_PORTS: told})
        return ArtifactRecord(
            self.name, path.name, size_of(path), of_path(path), "fp32", interface.inputs,
            interface.outputs, captured.route, {"converter": f"torch {torch.__version__}"},
            self.title,
        )  # fmt: skip

    def open(self, path: Path, *, own: bool = False) -> Exported:
        return Exported(path, self)

    def snippets(self, record: ArtifactRecord, task: Task) -> tuple[Snippet, ...]:
        code = f"import torch\n\nprogram = torch.export.load({record.path!r}).module()\n"
        return (Snippet(record.path, "python", "Python with torch.export", code),)


FORMAT = ExportedFormat()
