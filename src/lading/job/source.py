"""From what is asked of a verb to how its network is had."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lading.errors import RequestError
from lading.job.request import Reading, is_module
from lading.network import own_module, program
from lading.network.own_module import OwnModule
from lading.network.source import Source
from lading.proof.probes import files_in


def source(asked: Reading, path: Any) -> Source:
    """The checkpoint at `path`, read as is asked; or the network itself, where that is given.

    Raises:
        LadingError: a folder of pictures holds none, or the code of a network is not named rightly.
    """
    given: Any = asked.set
    examples: Any = asked.input
    arguments: Any = asked.model_arg
    ignore: Any = asked.ignore
    if is_module(path):
        if asked.model is not None:
            raise RequestError(
                "model=", found="a module in place of the checkpoint",
                expected="one of them", remedy="leave model out",
            )  # fmt: skip
        module = own_module.live(path, examples)
        return Source(Path(module.origin), given=given, code=module)
    code: OwnModule | None = None
    if asked.model is None:
        code = program.trusted(Path(path), examples, trust=asked.trust)
    code = code or own_module.own(asked.model, examples, arguments)
    return Source(
        Path(path),
        which=asked.which,
        fold=None if asked.fold is None else str(asked.fold),
        given=given,
        config=Path(asked.config) if asked.config else None,
        settle=files([asked.settle_with] if asked.settle_with else []),
        code=code,
        ignore=ignore,
    )


def title(path: Any) -> str:
    """What a checkpoint is called, or the module in its place."""
    return type(path).__name__ if is_module(path) else str(path)


def files(paths: Any) -> tuple[Path, ...]:
    """The pictures and arrays of folders, and files as they are named.

    Raises:
        InputError: there are none.
    """
    return tuple(file for path in paths for file in files_in(Path(path)))
