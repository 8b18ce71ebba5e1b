"""Running Core ML files on any computer: a library of its own.

`mil` runs ML Programs (`.mlpackage`), `neuralnetwork` the older networks (`.mlmodel`); `load` opens
either. `stand_in` lets coremltools run them too. It knows errors and ports, and nothing else of
lading.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lading.coreml.standin import stand_in

__all__ = ["is_network", "load", "stand_in"]

#: Types of a specification that hold ML Programs.
_PROGRAMS = ("mlProgram", "pipeline")


def load(path: str | Path, function_name: str | None = None) -> Any:
    """The model in a Core ML file: a `mil.Model` or a `neuralnetwork.Model`.

    Args:
        path: an `.mlpackage`, or an `.mlmodel` of either kind.
        function_name: of a program with several functions; its default one otherwise.

    Raises:
        ProgramError: it cannot be read, or holds neither a program nor a network.
    """
    from lading.coreml import mil, neuralnetwork

    place = Path(path)
    if is_network(place):
        return neuralnetwork.load(place)
    return mil.load(place, function_name)


def is_network(path: Path) -> bool:
    """Whether a Core ML path is one file that holds no ML Program: a NeuralNetwork, if anything."""
    from lading.coreml.mil.description import kind

    return path.is_file() and kind(path) not in _PROGRAMS
