"""Compiled models, as far as the stand-in needs them: a folder `.mlmodelc` with the model in it.

On a Mac, compiling makes files that Core ML alone reads. Here the folder holds the package or the
file as it was, and a note that says so; a folder from a Mac is refused.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from lading.errors import ProgramError

SUFFIX = ".mlmodelc"
_NOTE = "made-by-lading.txt"
_TEXT = "Not compiled: lading.coreml's stand-in for Core ML opens the model beside this note.\n"


def source(path: Path) -> Path:
    """The model to open for a path: itself, or what lies in a folder that `write` made.

    Raises:
        ProgramError: a folder that a Mac compiled.
    """
    if path.suffix != SUFFIX:
        return path
    inside = sorted(path.glob("*.ml*"))
    if not (path / _NOTE).is_file() or len(inside) != 1:
        raise ProgramError(
            str(path),
            found="a compiled model that was not made here" if path.is_dir() else "no such folder",
            expected="what compile_model or get_compiled_model_path gave on this computer",
            remedy="give the .mlpackage or .mlmodel that it was compiled from",
        )
    return inside[0]


def write(model: Path, folder: Path) -> Path:
    """A compiled folder within `folder`, with `model` in it: a file as another name of the same
    bytes where the file system has that."""
    target = folder / f"{model.stem}{SUFFIX}"
    target.mkdir(parents=True)
    (target / _NOTE).write_text(_TEXT)
    if model.is_dir():
        shutil.copytree(model, target / model.name)
        return target
    try:
        os.link(model, target / model.name)
    except OSError:
        shutil.copy2(model, target / model.name)
    return target


def from_memory(spec: bytes, blobs: Mapping[str, bytes], folder: Path) -> Path:
    """A specification with its weights as a file in `folder`, the weights beside it.

    Raises:
        ProgramError: a name of weights that leads out of the folder.
    """
    for name, content in blobs.items():
        parts = PurePosixPath(name).parts
        if not parts or ".." in parts or parts[0] == "/":
            raise ProgramError(
                f"blob_mapping: {name!r}",
                found="a path that leads out of the model",
                expected="a path as the specification has it, e.g. 'weights/weight.bin'",
                remedy="write it without '..' and without a leading '/'",
            )
        place = folder.joinpath(*parts)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
    path = folder / "model.mlmodel"
    path.write_bytes(spec)
    return path
