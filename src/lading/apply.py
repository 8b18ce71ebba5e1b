"""Running one artifact on one picture or array: what `lading run` does."""

from __future__ import annotations

import io
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from lading import pictures, storage
from lading.errors import InputError, RequestError
from lading.evidence import Port, Task
from lading.interface import Options
from lading.runtime import Array, runtime_of
from lading.target import artifact_target, noted


@dataclass(frozen=True)
class Applied:
    """What came out, and what was done to the input on the way in.

    Attributes:
        output: the first output's values.
        port: its port.
        labels: class names, where the artifact carries them.
        label_map: [H, W] where the output can be read as one, else None.
        notes: what was done to the input.
        runtime: where it ran.
    """

    output: Array
    port: Port
    labels: tuple[str, ...]
    label_map: Array | None
    notes: tuple[str, ...]
    runtime: str


def apply(artifact: Path, source: Path, runtime_name: str | None = None) -> Applied:
    """Feeds a picture or array to an artifact.

    Args:
        artifact: an `.mlpackage` or `.onnx`.
        source: a picture, or `.npy`; an array of the input's exact shape is fed as it is.
        runtime_name: by default the first that runs the format here.

    Raises:
        LadingError: the artifact, the input or the runtime is not fit.
    """
    record = artifact_target(artifact).describe(artifact)
    chosen = runtime_of(record.format, record.path, runtime_name)
    if len(record.inputs) != 1:
        raise InputError(
            str(artifact),
            found=f"{len(record.inputs)} inputs",
            expected="one picture-like input",
            remedy="feed it from Python: lading.mil.load(path).predict({...})",
        )
    task, told = noted(record)
    options = told or Options()
    port = record.inputs[0]
    value, notes = _feed(source, port, task, options)
    outputs = chosen.load(artifact).run({port.name: value})
    first = record.outputs[0]
    output = outputs[first.name]
    label_map = _label_map(output, first.name, task)
    labels = task.labels if task else ()
    return Applied(output, first, labels, label_map, tuple(notes), chosen.title)


def save(applied: Applied, out: Path) -> None:
    """Writes the raw output as `.npy`, or the label map as a coloured picture.

    Raises:
        RequestError: a picture was asked for and the output is none.
        StorageError: it cannot be written.
    """
    buffer = io.BytesIO()
    if out.suffix.lower() == ".npy":
        np.save(buffer, applied.output)
    elif applied.label_map is not None:
        pictures.colour(applied.label_map).save(buffer, format=_format(out))
    else:
        raise RequestError(
            f"-o {out}",
            found=f"output {applied.port.name} of shape {list(applied.output.shape)}",
            expected="class scores or labels of a picture",
            remedy="write the raw values: -o out.npy",
        )
    storage.write_file(out, buffer.getvalue())


def shares(applied: Applied) -> dict[str, float]:
    """The share of each class in the label map, by name; empty where there is none."""
    if applied.label_map is None:
        return {}
    count = max(len(applied.labels), int(applied.label_map.max()) + 1)
    names = [applied.labels[i] if i < len(applied.labels) else f"class {i}" for i in range(count)]
    return {name: float((applied.label_map == i).mean()) for i, name in enumerate(names)}


def _format(out: Path) -> str:
    known = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".bmp": "BMP"}
    if out.suffix.lower() not in known:
        raise RequestError(
            f"-o {out}",
            found=f"suffix {out.suffix!r}",
            expected=".npy, .png, .jpg or .bmp",
            remedy="use -o out.png",
        )
    return known[out.suffix.lower()]


def _feed(source: Path, port: Port, task: Task | None, options: Options) -> tuple[Array, list[str]]:
    """The input in the port's shape, dtype and units, and what was done to it."""
    shape = tuple(abs(n) for n in port.shape)
    if source.suffix.lower() == ".npy":
        exact = pictures.read_array(source)
        if exact.shape == shape:
            return np.ascontiguousarray(exact, dtype=port.dtype), ["fed as it is"]
    if len(shape) != 4:
        raise InputError(
            str(source),
            found="a picture",
            expected=f"an array of shape {list(shape)}",
            remedy="save one with numpy.save and give the .npy",
        )
    height, width = shape[2:]
    plain = pictures.read(source, shape[1])
    notes = []
    if plain.shape[1:] != (height, width):
        was = "x".join(map(str, plain.shape[1:]))
        notes.append(f"resampled from {was} to {height}x{width}, bilinear")
        plain = pictures.resample(plain, (height, width))
    meant = port
    if task and not options.bake and port.kind == "tensor" and not options.image:
        meant = replace(
            port, meaning=task.inputs[0].meaning, value_range=task.inputs[0].value_range
        )
        notes.append(f"normalised: {task.normalisation or 'rescaled'}")
    return pictures.for_port(plain, meant), notes


def _label_map(output: Array, name: str, task: Task | None) -> Array | None:
    if name == "labels" and output.ndim == 3:
        plane: Array = output[0]
        return plane
    if task is None or output.ndim != 4 or task.outputs[0].class_axis != 1:
        return None
    if task.region_order:
        cut = 0.5 if name == "probabilities" else 0.0
        painted = np.zeros(output.shape[2:], dtype=np.int32)
        for region, label in enumerate(task.region_order):
            painted[output[0, region] > cut] = label
        return painted
    labels: Any = output[0].argmax(axis=0)
    return np.asarray(labels)
