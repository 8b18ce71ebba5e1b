"""Writing an `.mlpackage` so that the same input gives the same bytes: no date, no random
identifiers in its manifest, protobuf maps in order.
"""

from __future__ import annotations

import json
import uuid
from pathlib import Path
from typing import Any

import numpy as np

from lading.base.digests import of_path, size_of
from lading.conversion import apple
from lading.conversion.capture import Captured
from lading.conversion.compatibility import forms, int16, wide
from lading.conversion.compatibility import share_constants as passes
from lading.formats.coreml import memory
from lading.interface.memory import apart
from lading.interface.settings import MACOS_TWIN, Settings
from lading.record import ArtifactRecord

#: Identifiers of the manifest's entries are derived from this name space and the entry's path.
_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "https://lading.example/mlpackage")


def convert(captured: Captured, settings: Settings, path: Path) -> ArtifactRecord:
    """See `lading.formats.Format.convert`."""
    import coremltools as ct  # here: its import takes seconds and half a gigabyte

    memory.require_system(settings.deployment, captured.interface.states)
    captured = memory.typed(captured, settings.precision)
    interface = captured.interface
    deployment = MACOS_TWIN.get(settings.deployment, settings.deployment)
    with forms.in_force(), int16.in_force():
        model = apple.converted(
            captured,
            "Core ML",
            expected="a graph whose every operation coremltools can say",
            remedy="try the other route (--route), or report the operation",
            convert_to="mlprogram",
            outputs=[ct.TensorType(p.name, dtype=np.dtype(p.dtype)) for p in interface.outputs],
            minimum_deployment_target=getattr(ct.target, deployment),
            compute_precision=wide.compute(settings.precision, settings.wide),
            pass_pipeline=passes.pipeline(half=settings.precision == "fp16"),
        )
    spec = model.get_spec()
    if interface.options.classifier:
        _name_probabilities(spec, interface.outputs[0].name)
    memory.keep(spec, interface, settings.precision)
    inputs, outputs = apart(interface)
    apple.describe(spec, inputs, outputs, settings)
    model.save(str(path))
    _pin(path, spec)
    return ArtifactRecord(
        format="coreml",
        path=path.name,
        bytes=size_of(path),
        sha256=of_path(path),
        precision=settings.precision,
        inputs=inputs,
        outputs=apple.outputs(interface)[: len(outputs)],
        route=captured.route,
        details={
            "deployment": settings.deployment,
            "converter": f"coremltools {ct.__version__}",
            **memory.details(spec),
            **({"fp32 operations": ", ".join(settings.wide)} if settings.wide else {}),
        },
        states=memory.states(interface.states, settings.precision),
    )


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
            memory.rename(block, names)


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
