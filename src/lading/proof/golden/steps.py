"""What happens before and after the network, for a user's picture, text or scores."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from lading.record import Port, Task
from lading.task import pictures

Array = npt.NDArray[Any]

#: Stands for a character that the vocabulary does not have.
UNKNOWN = "\ufffd"


def vocabulary(task: Task) -> str:
    """The characters by their ids from 1, where the task tells them; else empty."""
    try:
        told = json.loads(task.notes.get("vocabulary", '""'))
    except ValueError:
        return ""
    return told if isinstance(told, str) else ""


def decode(ids: Array, characters: str) -> str:
    """The text of ids [1, L]: padding at the end is cut, any other 0 is unknown.

    >>> decode(np.array([[2, 0, 1, 0, 0]]), "ab")
    'b\ufffda'
    """
    row = [int(one) for one in ids.reshape(-1)]
    while row and row[-1] == 0:
        row.pop()
    return "".join(characters[one - 1] if 0 < one <= len(characters) else UNKNOWN for one in row)


def encode(text: str, characters: str, port: Port) -> Array:
    """The ids of a text in the port's shape [1, L] and dtype.

    >>> port = Port("ids", "tensor", "int32", (1, 4))
    >>> encode("b?", "ab", port)
    array([[2, 0, 0, 0]], dtype=int32)
    """
    length = port.shape[1]
    ids = [characters.find(character) + 1 for character in text[:length]]
    return np.array([ids + [0] * (length - len(ids))], dtype=port.dtype)


def prepare(raw: Array, port: Port) -> Array:
    """Pictures [N, C, *] in grey levels or RGB values as the port takes them."""
    return np.concatenate([pictures.for_port(one.astype(np.float64), port) for one in raw])


def finish(outputs: Mapping[str, Array], ports: tuple[Port, ...], task: Task) -> dict[str, Array]:
    """What a user sees of the outputs: labels, and for whole samples probabilities as well.

    Labels are uint8 or int32 without the axis of classes; probabilities float32.
    """
    seen: dict[str, Array] = {}
    for port in ports:
        if port.class_axis is None or port.meaning == "labels":
            continue
        scores = outputs[port.name].astype(np.float64)
        if task.activation == "sigmoid":
            if task.region_order:
                cut = 0.5 if port.meaning == "probabilities" else 0.0
                seen["labels"] = _small(_painted(scores > cut, port.class_axis, task.region_order))
            continue
        seen["labels"] = _small(scores.argmax(axis=port.class_axis))
        if port.meaning == "logits" and scores.ndim == 2:
            raised = np.exp(scores - scores.max(axis=port.class_axis, keepdims=True))
            shares = raised / raised.sum(axis=port.class_axis, keepdims=True)
            seen["probabilities"] = shares.astype(np.float32)
    return seen


def before(task: Task, ports: tuple[Port, ...]) -> str:
    """From raw to inputs, in words."""
    told = []
    for port in ports:
        if port.dtype.startswith("int") and vocabulary(task):
            how = task.notes.get("encoding", "the id of a character is its place from 1")
            told.append(f"{port.name}: {how}")
        elif port.kind == "image":
            told.append(f"{port.name}: whole numbers 0-255 as they are")
        elif port.meaning.startswith("normalised") and port.value_range:
            low, high = port.value_range
            told.append(f"{port.name}: {low:g} + raw / 255 * {high - low:g}")
        elif port.meaning.startswith("normalised"):
            told.append(
                f"{port.name}: (raw - mean) / max(standard deviation, 1e-8) per channel, in "
                "float64, population standard deviation"
            )
        else:
            told.append(f"{port.name}: as it is")
    return "; ".join(told)


def afterwards(task: Task, ports: tuple[Port, ...], *, classifier: bool = False) -> str:
    """From outputs to what a user sees, in words; `classifier`: of Core ML, with names of classes.

    >>> scores = Port("p", "tensor", "float32", (1, 2), meaning="probabilities", class_axis=1)
    >>> afterwards(Task("classification", (), (), ("a", "b")), (scores,), classifier=True)[:51]
    'p of Core ML: the values of its dictionary for the '
    """
    told = []
    if classifier:
        told = [
            f"{port.name} of Core ML: the values of its dictionary for the names in task.labels, "
            "in that order"
            for port in ports
        ] + ["classLabel of Core ML: the name in task.labels at the place that labels gives"]
    for port in ports:
        if port.class_axis is None or port.meaning == "labels":
            told.append(f"{port.name}: as it is")
        elif task.activation == "sigmoid" and task.region_order:
            cut = "0.5" if port.meaning == "probabilities" else "0"
            told.append(
                f"labels: 0, then where {port.name} of region i exceeds {cut} the label "
                f"{list(task.region_order)}[i], later ones over earlier ones"
            )
        elif task.activation != "sigmoid":
            told.append(f"labels: the place of the largest value along axis {port.class_axis}")
    return "; ".join(told)


def _painted(present: Array, axis: int, order: tuple[int, ...]) -> Array:
    labels = np.zeros(present.take(0, axis=axis).shape, dtype=np.int64)
    for region, label in enumerate(order):
        labels[present.take(region, axis=axis)] = label
    return labels


def _small(labels: Array) -> Array:
    return labels.astype(np.uint8 if labels.max(initial=0) < 256 else np.int32)
