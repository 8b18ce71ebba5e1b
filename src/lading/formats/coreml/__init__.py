"""Core ML: an `.mlpackage` that holds an ML Program.

The package is written so that the same input gives the same bytes: no date, no random identifiers
in its manifest, protobuf maps in order.
"""

from __future__ import annotations

import json
import uuid
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lading.base.digests import of_path, size_of
from lading.conversion import apple
from lading.conversion.capture import Axes, Captured
from lading.conversion.compatibility import group_norm as forms
from lading.conversion.compatibility import share_constants as passes
from lading.conversion.compatibility import wide as precision
from lading.coreml import mil
from lading.coreml.mil.program import Constant, Op
from lading.interface import Options
from lading.interface.settings import MACOS_TWIN, Precision, Settings
from lading.record import ArtifactRecord

#: Identifiers of the manifest's entries are derived from this name space and the entry's path.
_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "https://lading.example/mlpackage")


class CoreML:
    """See `lading.formats.Target`."""

    name = "coreml"
    suffix = ".mlpackage"

    def precision(self, settings: Settings) -> Precision:
        return settings.precision

    def axes(self, options: Options) -> Axes:
        return apple.axes(options)

    def convert(self, captured: Captured, settings: Settings, path: Path) -> ArtifactRecord:
        import coremltools as ct  # here: its import takes seconds and half a gigabyte

        interface = captured.interface
        deployment = MACOS_TWIN.get(settings.deployment, settings.deployment)
        with forms.in_force():
            model = apple.converted(
                captured,
                "Core ML",
                expected="a graph whose every operation coremltools can say",
                remedy="try the other route (--route), or report the operation",
                convert_to="mlprogram",
                outputs=[ct.TensorType(p.name, dtype=np.dtype(p.dtype)) for p in interface.outputs],
                minimum_deployment_target=getattr(ct.target, deployment),
                compute_precision=precision.compute(settings.precision, settings.wide),
                pass_pipeline=passes.pipeline(),
            )
        spec = model.get_spec()
        if interface.options.classifier:
            _name_probabilities(spec, interface.outputs[0].name)
        apple.describe(spec, interface.inputs, interface.outputs, settings)
        model.save(str(path))
        _pin(path, spec)
        return ArtifactRecord(
            format=self.name,
            path=path.name,
            bytes=size_of(path),
            sha256=of_path(path),
            precision=settings.precision,
            inputs=interface.inputs,
            outputs=apple.outputs(interface),
            route=captured.route,
            details={
                "deployment": settings.deployment,
                "converter": f"coremltools {ct.__version__}",
                **({"fp32 operations": ", ".join(settings.wide)} if settings.wide else {}),
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
            outputs=apple.read_outputs(model.outputs, _classes(operations)),
            route="export",
            details={**details, **model.metadata},
        )


TARGET = CoreML()


def _programs(model: mil.Model) -> list[mil.Model]:
    """The model itself, or the stages of a pipeline, however nested."""
    if not model.parts:
        return [model]
    return [one for part in model.parts for one in _programs(part)]


def _classes(operations: Sequence[Op]) -> int:
    """How many classes a classifier has; 0 where it does not say so in one place."""
    for operation in operations:
        if operation.type == "classify":
            (labels,) = operation.inputs["classes"]
            return len(labels.data) if isinstance(labels, Constant) else 0
    return 0


def _name_probabilities(spec: Any, name: str) -> None:
    """Gives a classifier's dictionary the port's name; the converter leaves it to the array that it
    is made of, which gets another, and calls the dictionary ``classLabel_probs``.
    """
    made = spec.description.predictedProbabilitiesName
    names = {made: name, name: f"{name}_of_classes"}
    spec.description.predictedProbabilitiesName = name
    for feature in spec.description.output:
        feature.name = names.get(feature.name, feature.name)
    for function in spec.mlProgram.functions.values():
        for block in function.block_specializations.values():
            for place, output in enumerate(block.outputs):
                block.outputs[place] = names.get(output, output)
            for operation in block.operations:
                for value in operation.outputs:
                    value.name = names.get(value.name, value.name)
                for bound in operation.inputs.values():
                    for argument in bound.arguments:
                        if argument.WhichOneof("binding") == "name":
                            argument.name = names.get(argument.name, argument.name)


def _weights(path: Path) -> str:
    """Where the weights lie and how large they are."""
    files = [path] if path.is_file() else sorted(path.rglob("*.bin"))
    sizes = [f"{file.relative_to(path.parent)} {file.stat().st_size:,} bytes" for file in files]
    return ", ".join(sizes) or "inside the program"


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
