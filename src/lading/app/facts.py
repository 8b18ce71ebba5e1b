"""What a package has to know of its network, from the records, as values of its templates."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

from lading.app.names import Code, code, comment, variables
from lading.errors import InputError
from lading.record import ArtifactRecord, Port, Task

#: numpy's names of the types that arrays of Core ML have.
ELEMENTS = {"float16", "float32", "float64", "int32"}
#: How many characters of a vocabulary stand in one line.
PART = 32


def ports(record: ArtifactRecord, task: Task) -> dict[str, Any]:
    """The inputs and outputs.

    Raises:
        InputError: one is of a type that Core ML has no array of, or there are states besides.
    """
    inputs, outputs = record.inputs, record.outputs
    if record.states:
        raise InputError(
            record.path,
            found="states: " + ", ".join(state.port.name for state in record.states),
            expected="an artifact that keeps nothing between calls: the package has no place for "
            "an MLState",
            remedy="use the file itself: the bill's page has the Swift, with model.makeState()",
        )
    for port in (*inputs, *outputs):
        if port.kind in ("tensor", "image") and port.dtype not in ELEMENTS | {"uint8"}:
            raise InputError(
                f"{record.path}: {port.name}",
                found=f"numbers of type {port.dtype}",
                expected=" or ".join(sorted(ELEMENTS)),
                remedy="convert again with --precision fp32",
            )
    return {
        "inputs": [
            {**_port(port, variable), "preparation": preparation(port, task)}
            for port, variable in zip(
                inputs, variables([port.name for port in inputs], "input"), strict=True
            )
        ],
        "outputs": [
            _port(port, variable)
            for port, variable in zip(
                outputs, variables([port.name for port in outputs], "output"), strict=True
            )
        ],
    }


def _port(port: Port, variable: str) -> dict[str, Any]:
    whole = port.dtype.startswith("int") and port.kind == "tensor"
    shares = port.kind == "dictionary"
    kind = {"image": "rgb" if port.color == "rgb" else "grey", "dictionary": "byClass"}
    case = "byClass" if shares else "integers" if whole else "floats"
    known = " x ".join("any" if size < 0 else str(size) for size in port.shape)
    told = f"{port.meaning or 'Values'}, {known}."
    (about, *_rest) = comment(told[:1].upper() + told[1:], 86)
    return {
        "name": port.name,
        "variable": Code(variable),
        "type": Code(
            "[String: Double]" if shares else "Tensor<Int32>" if whole else "Tensor<Float>"
        ),
        "value": Code(f".{case}({variable})"),
        "reader": Code("shares" if shares else "integers" if whole else "floats"),
        "about": about,
        "kind": Code("." + kind.get(port.kind, "tensor")),
        "element": Code("." + (port.dtype if port.dtype in ELEMENTS else "float32")),
        "shape": [abs(size) for size in port.shape],
        "sizes": sizes(port),
    }


def sizes(port: Port) -> Code:
    """The sizes that an input takes."""
    if port.enumerated:
        shapes = ",\n          ".join(str(list(shape)) for shape in port.enumerated)
        return Code(f".listed(\n        [\n          {shapes},\n        ])")
    if not port.ranges:
        return Code(".fixed")
    least = [low for low, _ in port.ranges]
    largest = ", ".join("nil" if high < 0 else str(high) for _, high in port.ranges)
    steps = list(port.multiples) or [1] * len(port.ranges)
    fixed = [low == high for low, high in port.ranges]
    multiples = [1 if same else step for same, step in zip(fixed, steps, strict=True)]
    return Code(f".ranges(least: {least}, largest: [{largest}], multiples: {multiples})")


def preparation(port: Port, task: Task) -> Code:
    """What a picture's levels go through on their way to an input."""
    if port.kind == "image" or not port.meaning.startswith("normalised"):
        return Code(".asTheyAre")
    if port.value_range:
        low, high = port.value_range
        return Code(f".rescaled(low: {low:g}, high: {high:g})")
    if task.normalisation == "zscore" or "normalisation" not in task.notes:
        return Code(".zscore")
    return Code(f".other({code(task.notes['normalisation'][:60])})")


def reading(record: ArtifactRecord, task: Task) -> dict[str, Any]:
    """How outputs are read: the first of class scores, or if there is none the first of labels."""
    scores = next(
        (p for p in record.outputs if p.class_axis is not None and p.meaning != "labels"), None
    )
    labels = next((p for p in record.outputs if p.meaning == "labels"), None)
    source, activation = Code(".nothing"), Code(".none")
    if scores:
        source = Code(f".scores(output: {code(scores.name)}, axis: {scores.class_axis})")
        if scores.meaning != "probabilities":
            activation = Code(".sigmoid" if task.activation == "sigmoid" else ".softmax")
    elif labels:
        source = Code(f".labels(output: {code(labels.name)})")
    return {
        "source": source,
        "activation": activation,
        "regions": list(task.region_order),
        "several": task.activation == "sigmoid",
    }


def plans(task: Task, port: Port) -> dict[str, Any] | None:
    """What the plans of the training say of tiles, for pictures; None where they say nothing."""
    notes = task.notes
    if "tile_step" not in notes or len(port.shape) != 4:
        return None
    axes = [int(part) for part in notes.get("mirroring_axes", "").split(",") if part.isdigit()]
    spacing = [float(part) for part in notes.get("spacing", "").split(",") if part.strip()]
    known = Code("nil")
    if len(spacing) == 2:
        known = Code(f"Fit.Spacing(down: {spacing[0]!r}, across: {spacing[1]!r})")
    mirrored = [axis for axis in axes if axis in (0, 1)]
    return {"step": float(notes["tile_step"]), "mirrored": mirrored, "spacing": known}


def vocabulary(characters: str, length: int) -> dict[str, Any]:
    """The characters of a network of texts, in parts of a line."""
    parts = [characters[i : i + PART] for i in range(0, len(characters), PART)]
    return {"parts": parts, "length": length}


def denoiser(task: Task) -> dict[str, Any] | None:
    """What the training of a diffusion network was; None where a sampler could not drive it."""
    notes, names = task.notes, [port.name for port in task.inputs]
    needed = ("diffusion_steps", "noise_schedule", "rescale_timesteps", "predict_xstart",
              "learn_sigma")  # fmt: skip
    if names[:2] != ["x", "timesteps"] or names[2:] not in ([], ["y"], ["noise"]):
        return None
    if any(name not in notes for name in needed) or not notes["diffusion_steps"].isdecimal():
        return None
    if notes["noise_schedule"] not in ("linear", "cosine"):
        return None
    learned, small = _flag(notes, "learn_sigma"), _flag(notes, "sigma_small")
    top = task.inputs[2].value_range if names[2:] == ["y"] else ()
    return {
        "kind": Code("." + notes["noise_schedule"]),
        "trained": int(notes["diffusion_steps"]),
        "respacing": notes.get("timestep_respacing", ""),
        "rescaled": _flag(notes, "rescale_timesteps"),
        "answer": Code(".picture" if _flag(notes, "predict_xstart") else ".noise"),
        "variance": Code(".learnedRange" if learned else ".fixedSmall" if small else ".fixedLarge"),
        "last_class": int(top[1]) if top else None,
        "is_step": names[2:] == ["noise"],
    }


def _flag(notes: Mapping[str, str], name: str) -> bool:
    return notes.get(name, "false").strip().lower() == "true"


def file(record: ArtifactRecord) -> dict[str, str]:
    """The model file, as the package holds it."""
    path = PurePath(record.path)
    return {"name": path.stem, "suffix": path.suffix.removeprefix("."), "digest": record.sha256}
