"""The contract of a runtime: something that runs an artifact on this computer.

Each lives in one file of `runtimes/`, found by being there: the module holds one object
``RUNTIME``. A runtime that is absent says why; it never passes anything.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from lading.base import shelf
from lading.errors import ProgramError, RequestError, RuntimeUnavailableError

Array = npt.NDArray[Any]
#: What a runtime computes in where that is less than the artifact's own precision.
Arithmetic: TypeAlias = Literal["fp16"] | None


class Session(Protocol):
    """A loaded artifact."""

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """The outputs by name, for inputs by name in the ports' shapes and dtypes.

        Raises:
            InputError: an input does not fit.
            ProgramError: the artifact cannot be run as it says.
        """
        ...


class Runtime(Protocol):
    """Something that runs artifacts."""

    #: the file's name in `runtimes/`
    name: str
    #: for people, e.g. ``"lading.mil (declared precision)"``
    title: str
    #: names of the targets whose artifacts it runs
    formats: tuple[str, ...]
    #: of its arithmetic, where it is less than the artifact's own and decides the gates
    precision: Arithmetic

    def unavailable(self) -> str | None:
        """Why it cannot run on this computer, or None when it can."""
        ...

    def load(self, path: Path) -> Session:
        """Loads the artifact from disk.

        Raises:
            RuntimeUnavailableError: not on this computer.
            ProgramError: the file cannot be loaded.
        """
        ...


def runtimes() -> dict[str, Runtime]:
    """Every runtime, by name."""
    return shelf.read("lading.runtimes", "RUNTIME")


def runtimes_for(target_format: str) -> list[Runtime]:
    """The runtimes that run artifacts of a format, by name, whether here or not."""
    return [one for one in runtimes().values() if target_format in one.formats]


def runtime(name: str) -> Runtime:
    """The runtime called `name`.

    Raises:
        RequestError: there is none of that name.
    """
    known = runtimes()
    if name not in known:
        raise RequestError(
            f"--runtime {name}",
            found=repr(name),
            expected=" or ".join(known),
            remedy="see `lading doctor` for what runs here",
        )
    return known[name]


def runtime_of(target_format: str, subject: str, name: str | None = None) -> Runtime:
    """What runs an artifact here: the runtime called `name`, or the first that can.

    Args:
        target_format: the artifact's.
        subject: the artifact, for errors.
        name: as the user gave it.

    Raises:
        RequestError: there is none of that name, it runs other formats, or nothing runs it here.
        RuntimeUnavailableError: it is not on this computer.
    """
    fitting = runtimes_for(target_format)
    if name:
        chosen = runtime(name)
        if target_format not in chosen.formats:
            raise RequestError(
                f"--runtime {name}",
                found=f"an artifact of format {target_format}",
                expected=" or ".join(one.name for one in fitting),
                remedy="leave --runtime out",
            )
        require(chosen)
        return chosen
    able = [one for one in fitting if not one.unavailable()]
    if not able:
        raise RequestError(
            subject,
            found=f"no runtime for {target_format} on this computer",
            expected="one that runs it",
            remedy="see `lading doctor`",
        )
    return able[0]


def require(one: Runtime) -> None:
    """Passes only if `one` runs on this computer.

    Raises:
        RuntimeUnavailableError: with the runtime's own reason.
    """
    reason = one.unavailable()
    if reason:
        raise RuntimeUnavailableError(
            one.title,
            found=reason,
            expected="a computer that has it",
            remedy="use another runtime; see `lading doctor`",
        )


class Predicting:
    """A `Session` over what Core ML's own model and its stand-ins have in common.

    Args:
        predict: the call: arrays and PIL images by name in; arrays, or a classifier's class and
            probabilities by name, out.
        images: names of the inputs that are pictures.
        labels: a classifier's class names in the order in which its probabilities are handed on;
            by default its own order.
    """

    def __init__(
        self,
        predict: Callable[[Mapping[str, Any]], dict[str, Any]],
        images: Collection[str],
        labels: Sequence[str] = (),
    ) -> None:
        self._predict = predict
        self._images = frozenset(images)
        self._labels = tuple(labels)

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """See `Session.run`."""
        fed = {n: as_picture(v) if n in self._images else v for n, v in inputs.items()}
        outputs = self._predict(fed)
        shares = {n: v for n, v in outputs.items() if isinstance(v, Mapping)}
        plain = {n: v for n, v in outputs.items() if n not in shares}
        if shares:
            plain = {n: v for n, v in plain.items() if not isinstance(v, (str, int))}
            for value in outputs.values():
                if isinstance(value, (str, int)):
                    _require_most_probable(value, *shares.values())
        arrays = {name: as_numpy(value) for name, value in plain.items()}
        return arrays | {name: in_order(value, self._labels) for name, value in shares.items()}


def _require_most_probable(label: str | int, shares: Mapping[Any, float]) -> None:
    """Passes only a class that no other is more probable than.

    Raises:
        ProgramError: it is another.
    """
    if label not in shares or shares[label] < max(shares.values()):
        best = max(shares, key=lambda one: shares[one])
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
    except ValueError:
        return ()
    return tuple(map(str, labels)) if isinstance(labels, list) else ()


def as_numpy(value: Any) -> Array:
    """A C-ordered array of whatever a library returned."""
    return np.ascontiguousarray(value)


def as_picture(values: Array) -> Any:
    """[1, C, H, W] values 0-255 as the PIL image that an image port takes."""
    from PIL import Image

    pixels = np.rint(values[0]).clip(0, 255).astype(np.uint8)
    return Image.fromarray(pixels[0] if pixels.shape[0] == 1 else pixels.transpose(1, 2, 0))
