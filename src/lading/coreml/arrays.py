"""Core ML's call in plain arrays: pictures go in as arrays, class probabilities come out as one."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from lading.errors import ProgramError

Array = npt.NDArray[Any]


class Arrays:
    """`predict` of Core ML's own model, or of its stand-ins, with arrays in and arrays out.

    Args:
        predict: the call: arrays and PIL images by name in; arrays, or a classifier's class and
            probabilities by name, out.
        images: names of the inputs that are pictures.
        labels: a classifier's class names in the order in which its probabilities are handed on;
            by default its own order.
    """

    def __init__(
        self,
        predict: Callable[..., dict[str, Any]],
        images: Collection[str],
        labels: Sequence[str] = (),
    ) -> None:
        self._predict = predict
        self._images = frozenset(images)
        self._labels = tuple(labels)

    def __call__(self, inputs: Mapping[str, Array], **options: Any) -> dict[str, Array]:
        """The outputs by name; `options` are handed on to the call.

        Raises:
            ProgramError: a classifier's class is not its most probable one, or its classes are not
                `labels`.
        """
        fed = {n: as_picture(v) if n in self._images else v for n, v in inputs.items()}
        outputs = self._predict(fed, **options)
        shares = {n: v for n, v in outputs.items() if isinstance(v, Mapping)}
        plain = {n: v for n, v in outputs.items() if n not in shares}
        if shares:
            for label in [v for v in plain.values() if isinstance(v, (str, int))]:
                _require_most_probable(label, *shares.values())
            plain = {n: v for n, v in plain.items() if not isinstance(v, (str, int))}
        arrays = {name: np.asarray(value, order="C") for name, value in plain.items()}
        return arrays | {name: in_order(value, self._labels) for name, value in shares.items()}


def _require_most_probable(label: str | int, shares: Mapping[Any, float]) -> None:
    """Passes only a class that no other is more probable than.

    Raises:
        ProgramError: it is another.
    """
    if label not in shares or shares[label] < max(shares.values()):
        best = max(shares, key=lambda name: shares[name])
        raise ProgramError(
            f"class {label!r}",
            found=f"a probability of {shares.get(label, 0.0):.4g}",
            expected=f"the most probable class, {best!r} with {shares[best]:.4g}",
            remedy="convert again",
        )


def in_order(shares: Mapping[Any, float], labels: Sequence[str]) -> Array:
    """Probabilities by class name as float32 [1, C] in the order of `labels`.

    Raises:
        ProgramError: the names are others.

    >>> in_order({"b": 0.25, "a": 0.75}, ["a", "b"]).tolist()
    [[0.75, 0.25]]
    """
    names = tuple(labels) or tuple(shares)
    if set(names) != set(shares) or len(names) != len(shares):
        raise ProgramError(
            "class names of the classifier",
            found=", ".join(map(str, shares)),
            expected=", ".join(map(str, names)),
            remedy="convert again",
        )
    return np.array([[shares[name] for name in names]], np.float32)


def noted_labels(metadata: Mapping[str, str]) -> tuple[str, ...]:
    """The class names that lading wrote into an artifact's metadata; none where it did not.

    >>> noted_labels({"lading.labels": '["cat", "dog"]'})
    ('cat', 'dog')
    """
    try:
        labels = json.loads(metadata.get("lading.labels", "[]"))
    except (ValueError, RecursionError):
        return ()
    return tuple(map(str, labels)) if isinstance(labels, list) else ()


def as_picture(values: Array) -> Any:
    """[1, C, H, W] values 0-255 as the PIL image that an image port takes."""
    from PIL import Image

    pixels = np.rint(values[0]).clip(0, 255).astype(np.uint8)
    return Image.fromarray(pixels[0] if pixels.shape[0] == 1 else pixels.transpose(1, 2, 0))
