"""The contract of a runtime: something that runs an artifact on this computer.

Each lives in one file of `runtimes/`, found by being there: the module holds one object
``RUNTIME``. A runtime that is absent says why; it never passes anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from lading import shelf
from lading.errors import RequestError, RuntimeUnavailableError

Array = npt.NDArray[Any]


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


def as_numpy(value: Any) -> Array:
    """A C-ordered array of whatever a library returned."""
    return np.ascontiguousarray(value)


def as_picture(values: Array) -> Any:
    """[1, C, H, W] values 0-255 as the PIL image that an image port takes."""
    from PIL import Image

    pixels = np.rint(values[0]).clip(0, 255).astype(np.uint8)
    return Image.fromarray(pixels[0] if pixels.shape[0] == 1 else pixels.transpose(1, 2, 0))
