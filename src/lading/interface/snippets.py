"""Code that uses an artifact, to be run as it stands: how its inputs are made and its outputs read.

A format adds how it is called; see `lading.formats.Format.snippets`.
"""

from __future__ import annotations

import json
from pathlib import PurePath

from lading.record import ArtifactRecord, Port, Task
from lading.record.text import python_literal as literal
from lading.record.wording import other_sizes
from lading.task import kind_of


def name(record: ArtifactRecord) -> str:
    """The artifact as code beside it names it."""
    return PurePath(record.path).name


def python(
    imports: list[str], run: list[str], artifact: ArtifactRecord, task: Task, *, pictures: bool
) -> str:
    """Python that makes the inputs, runs the artifact and reads its outputs.

    Args:
        imports: lines that `run` needs.
        run: lines from the variables of `fed` to a dictionary ``outputs``.
        artifact: what is used.
        task: what it is for.
        pictures: whether an input that is a picture is handed on as a `PIL.Image`.
    """
    body = [*_inputs(artifact, task, pictures=pictures), "", *run, *_read(artifact, task)]
    needs = ["import numpy as np"] if any("np." in line for line in body) else []
    if any("Image." in line for line in body):
        needs.append("from PIL import Image")
    return "\n".join([*sorted([*needs, *imports], key=_import_order), "", *body]) + "\n"


def _import_order(line: str) -> tuple[bool, str]:
    return line.startswith("from"), line


def fed(artifact: ArtifactRecord) -> str:
    """The inputs as the inside of a Python dictionary."""
    return ", ".join(
        f"{literal(port.name)}: {variable}"
        for port, variable in zip(artifact.inputs, variables(artifact.inputs), strict=True)
    )


def variables(ports: tuple[Port, ...]) -> list[str]:
    """Names for code: a port's own where it can be one."""
    taken = {"np", "mil", "model", "outputs", "session", "names", "text", "classes", "grey",
             "state", "memory"}  # fmt: skip
    return [
        port.name if port.name.isidentifier() and port.name not in taken else f"input_{index}"
        for index, port in enumerate(ports)
    ]


def _inputs(artifact: ArtifactRecord, task: Task, *, pictures: bool) -> list[str]:
    lines: list[str] = []
    for port, variable in zip(artifact.inputs, variables(artifact.inputs), strict=True):
        if other_sizes(port):
            lines.append(f"# {variable}: {other_sizes(port)}")
        lines += _input(port, variable, task, pictures=pictures)
    return lines


def _input(port: Port, name: str, task: Task, *, pictures: bool) -> list[str]:
    shape = tuple(abs(size) for size in port.shape)
    dtype = f"np.{port.dtype}"
    if port.dtype.startswith("int"):
        return _integers(port, name, task, shape)
    if len(shape) != 4 or shape[1] not in (1, 3) or kind_of(task).walks:
        told = port.meaning or "values"
        return [f"{name} = np.random.default_rng(0).standard_normal({shape}).astype({dtype})"
                f"  # {comment(told)}"]  # fmt: skip
    mode = '"L"' if shape[1] == 1 else '"RGB"'
    size = f"({shape[3]}, {shape[2]})"
    lines = [
        f'picture = Image.open("picture.png").convert({mode})',
        f"picture = picture.resize({size}, Image.Resampling.BILINEAR)",
    ]
    if port.kind == "image" and pictures:
        return [*lines, f"{name} = picture"]
    planes = "[None, None]" if shape[1] == 1 else ".transpose(2, 0, 1)[None]"
    lines.append(f"{name} = np.asarray(picture, dtype=np.float32){planes}  # {sizes(shape)}")
    if port.meaning.startswith("normalised") and port.value_range:
        low, high = port.value_range
        lines.append(f"{name} = {low:g} + {name} / 255 * {high - low:g}")
    elif port.meaning.startswith("normalised"):
        lines += [
            f"{name} = {name} - {name}.mean(axis=(2, 3), keepdims=True)",
            f"{name} = {name} / np.maximum({name}.std(axis=(2, 3), keepdims=True), 1e-8)",
        ]
    if port.dtype != "float32":
        lines.append(f"{name} = {name}.astype({dtype})")
    return lines


def _integers(port: Port, name: str, task: Task, shape: tuple[int, ...]) -> list[str]:
    known = vocabulary(task)
    if known and len(shape) == 2:
        return [
            f"characters = {literal(known)}",
            'text = "ghbdtn"',
            f"ids = [characters.find(c) + 1 for c in text[:{shape[1]}]]  # 0: unknown",
            f"{name} = np.array([ids + [0] * ({shape[1]} - len(ids))], dtype=np.{port.dtype})",
        ]
    value = int(port.value_range[1]) // 2 if port.value_range else 0
    return [f"{name} = np.full({shape}, {value}, dtype=np.{port.dtype})"
            f"  # {comment(port.meaning or 'whole numbers')}"]  # fmt: skip


def vocabulary(task: Task) -> str:
    """The characters by id from 1, where the task tells them; else empty."""
    try:
        told = json.loads(task.notes.get("vocabulary", '""'))
    except (ValueError, RecursionError):
        return ""
    return told if isinstance(told, str) else ""


def _read(artifact: ArtifactRecord, task: Task) -> list[str]:
    """From outputs to what a user wants, in Python."""
    lines: list[str] = []
    for index, port in enumerate(artifact.outputs):
        name = port.name if port.name.isidentifier() else f"output_{index}"
        told = "by class" if port.kind == "dictionary" else sizes(port.shape)
        lines.append(f"{name} = outputs[{literal(port.name)}]  # {told}")
        if port.kind == "dictionary":
            lines.append(f"print(max({name}, key={name}.get))")
            continue
        if port.meaning == "labels":
            lines.append(f"labels = {name}[0]")
        elif port.class_axis is not None and task.region_order:
            cut = 0.5 if port.meaning == "probabilities" else 0.0
            lines.append(f"labels = np.zeros({name}.shape[2:], dtype=np.int32)")
            lines += [
                f"labels[{name}[0, {region}] > {cut:g}] = {label}"
                for region, label in enumerate(task.region_order)
            ]
        elif port.class_axis is not None:
            lines.append(f"labels = {name}.argmax(axis={port.class_axis})[0]")
        else:
            continue
        if task.labels:
            lines.append(f"classes = [{', '.join(literal(label) for label in task.labels)}]")
            if kind_of(task).classifies:
                lines.append("print(classes[int(labels)])")
    return lines


def sizes(shape: tuple[int, ...]) -> str:
    """A shape as a comment tells it."""
    return "[" + ", ".join("any" if size < 0 else str(size) for size in shape) + "]"


def comment(text: str) -> str:
    """Text that stays within its comment."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())
