"""Core ML: an `.mlpackage` that holds an ML Program.

The package is written so that the same input gives the same bytes: no date, no random identifiers
in its manifest, protobuf maps in order.
"""

from __future__ import annotations

import json
import re
import uuid
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from lading import mil
from lading.capture import CLOSED, Axes, Captured, with_paths
from lading.digests import of_path, size_of
from lading.errors import ConversionError
from lading.evidence import ArtifactRecord, Port
from lading.interface import Options
from lading.target import MACOS_TWIN, Precision, Settings
from lading.targets.coreml import forms, passes, precision

#: Identifiers of the manifest's entries are derived from this name space and the entry's path.
_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "https://lading.example/mlpackage")


class CoreML:
    """See `lading.target.Target`."""

    name = "coreml"
    suffix = ".mlpackage"

    def precision(self, settings: Settings) -> Precision:
        return settings.precision

    def axes(self, options: Options) -> Axes:
        # Batch 1: Core ML's own batch prediction takes a list of inputs instead.
        return frozenset({"size"}) if options.sizes.listed or options.sizes.ranges else CLOSED

    def convert(self, captured: Captured, settings: Settings, path: Path) -> ArtifactRecord:
        import coremltools as ct  # here: its import takes seconds and half a gigabyte

        interface = captured.interface
        source: Any = captured.traced
        dialect = "traced graph"
        if captured.exported is not None:
            source = _sayable(with_paths(captured.exported.run_decompositions({})))
            dialect = "exported program"
        deployment = MACOS_TWIN.get(settings.deployment, settings.deployment)
        try:
            with forms.in_force():
                model = ct.convert(
                    source,
                    convert_to="mlprogram",
                    inputs=[_input_type(port) for port in interface.inputs],
                    outputs=[
                        ct.TensorType(p.name, dtype=np.dtype(p.dtype)) for p in interface.outputs
                    ],
                    minimum_deployment_target=getattr(ct.target, deployment),
                    compute_precision=precision.compute(settings.precision),
                    pass_pipeline=passes.pipeline(),
                    skip_model_load=True,
                )
        except Exception as error:  # the converter raises every kind; each is "it cannot"
            raise ConversionError(
                f"Core ML from the {dialect}",
                found=_reason(error),
                expected="a graph whose every operation coremltools can say",
                remedy="try the other route (--route), or report the operation",
            ) from error
        spec = model.get_spec()
        _describe(spec, interface.inputs, interface.outputs, settings)
        model.save(str(path))
        _pin(path, spec)
        return ArtifactRecord(
            format=self.name,
            path=path.name,
            bytes=size_of(path),
            sha256=of_path(path),
            precision=settings.precision,
            inputs=interface.inputs,
            outputs=interface.outputs,
            route=captured.route,
            details={
                "deployment": settings.deployment,
                "converter": f"coremltools {ct.__version__}",
            },
        )

    def describe(self, path: Path) -> ArtifactRecord:
        model = mil.load(path)
        functions = [f for part in _programs(model) for f in part.program.functions.values()]
        operations = [op for function in functions for op in function.block.walk()]
        half = any(v.type.dtype == "float16" for op in operations for v in op.outputs)
        counts = Counter(op.type for op in operations if op.type != "const")
        details = {
            "opset": ", ".join(sorted({function.opset for function in functions})),
            "functions": ", ".join(function.name for function in functions),
            "operations": ", ".join(f"{name} {n}" for name, n in counts.most_common()),
            "weights": _weights(path),
        }
        return ArtifactRecord(
            format=self.name,
            path=str(path),
            bytes=size_of(path),
            sha256=of_path(path),
            precision="fp16" if half else "fp32",
            inputs=model.inputs,
            outputs=model.outputs,
            route="export",
            details={**details, **model.metadata},
        )


TARGET = CoreML()


def _input_type(port: Port) -> Any:
    import coremltools as ct

    shape: Any = port.shape
    if port.enumerated:
        shape = ct.EnumeratedShapes(
            [list(one) for one in port.enumerated], default=list(port.shape)
        )
    elif port.ranges:
        axes = zip(port.ranges, port.shape, strict=True)
        shape = ct.Shape(
            [low if low == high else ct.RangeDim(low, high, d) for (low, high), d in axes]
        )
    if port.kind == "image":
        layout = {"grayscale": ct.colorlayout.GRAYSCALE, "rgb": ct.colorlayout.RGB}
        # Scale and bias are operations of the graph, the same in both formats, not of the image.
        return ct.ImageType(port.name, shape=shape, color_layout=layout[port.color or "grayscale"])
    return ct.TensorType(port.name, shape=shape, dtype=np.dtype(port.dtype))


def _sayable(program: torch.export.ExportedProgram) -> torch.export.ExportedProgram:
    """Spells `alias` as `alias_copy`: the same values, and a name that the converter knows.

    Upstream: apple/coremltools issue 2517, "Unsupported fx node alias" (a slice over a whole axis
    becomes one); mended after 9.0 by pull request 2659. Checked with coremltools 9.0 and torch
    2.13. `test_an_alias_converts_by_export` passes without this once it can go.
    """
    for node in program.graph.nodes:
        if node.target is torch.ops.aten.alias.default:
            node.target = torch.ops.aten.alias_copy.default
    return program


def _programs(model: mil.Model) -> list[mil.Model]:
    """The model itself, or the stages of a pipeline, however nested."""
    if not model.parts:
        return [model]
    return [one for part in model.parts for one in _programs(part)]


def _weights(path: Path) -> str:
    """Where the weights lie and how large they are."""
    files = [path] if path.is_file() else sorted(path.rglob("*.bin"))
    sizes = [f"{file.relative_to(path.parent)} {file.stat().st_size:,} bytes" for file in files]
    return ", ".join(sizes) or "inside the program"


def _describe(
    spec: Any, inputs: Sequence[Port], outputs: Sequence[Port], settings: Settings
) -> None:
    """Author, licence, descriptions and facts, into the package's metadata."""
    metadata = spec.description.metadata
    metadata.author = settings.author
    metadata.license = settings.license
    metadata.shortDescription = settings.description
    metadata.versionString = settings.facts.get("lading.version", "")
    metadata.userDefined.pop("com.github.apple.coremltools.conversion_date", None)
    for key, value in settings.facts.items():
        metadata.userDefined[key] = value
    texts = {port.name: _sentence(port) for port in (*inputs, *outputs)}
    for feature in (*spec.description.input, *spec.description.output):
        feature.shortDescription = texts.get(feature.name, "")


def _sentence(port: Port) -> str:
    """One line for Xcode's model viewer."""
    shape = " x ".join(map(str, port.shape))
    low_high = f", {port.value_range[0]:g} to {port.value_range[1]:g}" if port.value_range else ""
    return f"{port.meaning or 'values'}{low_high}; {shape}"


def _pin(package: Path, spec: Any) -> None:
    """Writes the parts that coremltools leaves to chance or to the converter's own debugging."""
    (package / "executorch_debug_handle_mapping.json").unlink(missing_ok=True)
    model = package / "Data" / "com.apple.CoreML" / "model.mlmodel"
    model.write_bytes(spec.SerializeToString(deterministic=True))
    manifest_path = package / "Manifest.json"
    manifest = json.loads(manifest_path.read_text())
    renamed = {
        old: str(uuid.uuid5(_NAMESPACE, entry["path"]))
        for old, entry in manifest["itemInfoEntries"].items()
    }
    entries = {renamed[old]: entry for old, entry in manifest["itemInfoEntries"].items()}
    manifest["itemInfoEntries"] = dict(sorted(entries.items()))
    manifest["rootModelIdentifier"] = renamed[manifest["rootModelIdentifier"]]
    manifest_path.write_text(json.dumps(manifest, indent=4, sort_keys=True) + "\n")


def _reason(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    text = re.sub(r"\s+", " ", lines[0]) if lines else "no message"
    return f"{type(error).__name__}: {text}"[:300]
