"""What a user sees of outputs: scores become labels and probabilities here and nowhere else.

A position whose scores choose no class belongs to none: its label is `NO_CLASS`. So it is where a
score is NaN, and where the largest of those that an argmax chooses from is infinite. The heads that
stand inside an artifact (`lading.task.processing`) give the same labels of finite scores, and have
no word for the others: integers cannot say NaN.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from lading.errors import InputError
from lading.record import Port, Task
from lading.task import pictures

Array = npt.NDArray[Any]

#: The label of a position that belongs to no class.
NO_CLASS = -1


@dataclass(frozen=True)
class Finished:
    """Outputs as a user sees them.

    Attributes:
        labels: the class of every position, int64, the axis of classes left out; None where the
            outputs choose none.
        probabilities: of the classes of whole samples, float64 [N, C]; None elsewhere.
    """

    labels: Array | None = None
    probabilities: Array | None = None


def finish(outputs: Mapping[str, Array], ports: Sequence[Port], task: Task) -> Finished:
    """Reads the first output of class scores, or if there is none the first of labels.

    Args:
        outputs: by name.
        ports: of the outputs, in order, with their meanings.
        task: for the activation and the regions.

    >>> port = Port("scores", "tensor", "float32", (1, 2), meaning="logits", class_axis=1)
    >>> scores = np.array([[0.0, 1.0], [np.nan, 1.0]])
    >>> finish({"scores": scores}, [port], Task("classification", (), (port,))).labels.tolist()
    [1, -1]
    """
    port = answering(outputs, ports)
    if port is None:
        return Finished()
    if port.meaning == "labels":
        return Finished(_whole(outputs[port.name]))
    axis: Any = port.class_axis
    return _of_scores(outputs[port.name].astype(np.float64), port, axis, task)


def answering(outputs: Mapping[str, Array], ports: Sequence[Port]) -> Port | None:
    """The output that says the classes: the first of scores, or else the first of labels."""
    given = [port for port in ports if port.name in outputs]
    scores = [one for one in given if one.class_axis is not None and one.meaning != "labels"]
    labels = [one for one in given if one.meaning == "labels"]
    return next(iter(scores + labels), None)


def label_map(
    outputs: Mapping[str, Array], ports: Sequence[Port], task: Task, size: Sequence[int] = ()
) -> Array | None:
    """The class of every position of one sample, put back to the size of its picture: scores are
    resampled, and the class is chosen of the resampled ones; of labels the nearest is taken. None
    where the outputs are no map.

    Args:
        outputs: by name, of one sample.
        ports: of the outputs, with their meanings.
        task: see `finish`.
        size: (H, W) or (Z, Y, X); empty for the outputs' own.
    """
    port = answering(outputs, ports)
    values = outputs[port.name] if port else None
    if port is None or values is None or values.shape[0] != 1:
        return None
    own = values.shape[1:] if port.meaning == "labels" else values.shape[2:]
    size = tuple(size) if len(size) == len(own) else own
    if len(own) not in (2, 3) or (port.meaning != "labels" and port.class_axis != 1):
        return None
    if size != own and port.meaning == "labels":
        places = [(2 * np.arange(n) + 1) * m // (2 * n) for n, m in zip(size, own, strict=True)]
        values = values[np.ix_([0], *places)]
    elif size != own:
        values = pictures.resample(values[0], size)[None]
    seen = finish({port.name: values}, [port], task).labels
    return None if seen is None else seen[0]


def of_samples(
    outputs: Mapping[str, Array], ports: Sequence[Port], task: Task
) -> tuple[Array, Array | None]:
    """Labels [N] and probabilities of a classifier, which gives every sample one class; see
    `Finished`.

    Raises:
        InputError: they are not of as many classes as have a name.
    """
    seen, count = finish(outputs, ports, task), len(task.labels)
    fits = seen.probabilities is None or seen.probabilities.shape[1] == count
    if seen.labels is not None and seen.labels.ndim == 1 and fits:
        return seen.labels, seen.probabilities
    found = ", ".join(f"{name} {v.dtype} {list(v.shape)}" for name, v in outputs.items())
    raise InputError(
        "outputs of the classifier",
        found=found or "nothing",
        expected=f"scores or probabilities of {count} classes, or the class itself",
        remedy="convert the checkpoint again with --output logits or --output probabilities",
    )


def _of_scores(scores: Array, port: Port, axis: int, task: Task) -> Finished:
    shares = None
    if scores.ndim == 2:
        plain = port.meaning == "probabilities"
        shares = scores if plain else activated(scores, task.activation, axis)
    if task.activation != "sigmoid":
        return Finished(likeliest(scores, axis), shares)
    if not task.region_order:  # several classes at once
        return Finished(None, shares)
    return Finished(painted(present(scores, port), axis, task.region_order), shares)


def likeliest(scores: Array, axis: int) -> Array:
    """The place of the largest score along `axis`, the first of equal ones; else `NO_CLASS`.

    >>> likeliest(np.array([[2.0, 2.0], [0.0, np.nan]]), 1).tolist()
    [0, -1]
    """
    known = np.isfinite(scores.max(axis=axis))  # the maximum of scores with a NaN is NaN
    return np.where(known, scores.argmax(axis=axis), NO_CLASS)


def threshold(port: Port) -> float:
    """Above it, a region is present."""
    return 0.5 if port.meaning == "probabilities" else 0.0


def present(scores: Array, port: Port) -> Array:
    """1 where a region is present, 0 where it is not, `NO_CLASS` where its score is NaN."""
    return np.where(np.isnan(scores), NO_CLASS, scores > threshold(port))


def painted(presence: Array, axis: int, order: Sequence[int]) -> Array:
    """Labels of regions (see `present`) that are painted over one another: region i along `axis`
    is ``order[i]``.
    """
    labels = np.zeros(presence.take(0, axis=axis).shape, dtype=np.int64)
    for region, label in enumerate(order):
        labels[presence.take(region, axis=axis) == 1] = label
    labels[(presence == NO_CLASS).any(axis=axis)] = NO_CLASS
    return labels


def _whole(labels: Array) -> Array:
    """Labels that a network gives itself, in whatever type; what is no index is `NO_CLASS`."""
    with np.errstate(invalid="ignore"):
        known = np.isfinite(labels) & (labels >= 0) & (labels % 1 == 0)
    return np.where(known, labels, NO_CLASS).astype(np.int64)


def activated(scores: Array, activation: str, axis: int = 1) -> Array:
    """Probabilities of scores: sigmoid, or else softmax along `axis`; NaN where a score is.

    >>> activated(np.array([[0.0, 0.0]]), "softmax").tolist()
    [[0.5, 0.5]]
    """
    with np.errstate(over="ignore", invalid="ignore"):
        if activation == "sigmoid":
            return np.asarray(1.0 / (1.0 + np.exp(-scores)))
        powers = np.exp(scores - scores.max(axis=axis, keepdims=True))
        return np.asarray(powers / powers.sum(axis=axis, keepdims=True))


def class_name(label: int, names: Sequence[str]) -> str:
    """A label for people.

    >>> class_name(1, ["cat", "dog"]), class_name(7, ["cat", "dog"]), class_name(-1, ["cat"])
    ('dog', 'class 7', 'no class')
    """
    if label < 0:
        return "no class"
    return names[label] if label < len(names) else f"class {label}"


def in_words(ports: Sequence[Port], task: Task, *, classifier: bool = False) -> str:
    """What `finish` does, for who writes it again; `classifier`: of Core ML, with class names.

    >>> scores = Port("p", "tensor", "float32", (1, 2), meaning="probabilities", class_axis=1)
    >>> in_words((scores,), Task("classification", (), (), ("a", "b")), classifier=True)[:51]
    'p of Core ML: the values of its dictionary for the '
    """
    lines = []
    if classifier:
        lines = [
            f"{port.name} of Core ML: the values of its dictionary for the names in task.labels, "
            "in that order"
            for port in ports
        ] + ["classLabel of Core ML: the name in task.labels at the place that labels gives"]
    for port in ports:
        if port.class_axis is None or port.meaning == "labels":
            lines.append(f"{port.name}: as it is")
        elif task.activation == "sigmoid" and task.region_order:
            lines.append(
                f"labels: 0, then where {port.name} of region i exceeds {threshold(port):g} the "
                f"label {list(task.region_order)}[i], later ones over earlier ones"
            )
        elif task.activation != "sigmoid":
            lines.append(f"labels: the place of the largest value along axis {port.class_axis}")
    return "; ".join(lines)
