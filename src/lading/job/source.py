"""From what is asked of a verb to how its network is had."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lading.job.options import StrPath
from lading.job.request import Reading
from lading.network import own_module
from lading.network.source import Source
from lading.proof.probes import files_in


def source(asked: Reading, path: StrPath) -> Source:
    """The checkpoint at `path`, read as is asked.

    Raises:
        LadingError: a folder of pictures holds none, or the code of a network is not named rightly.
    """
    given: Any = asked.set
    return Source(
        Path(path),
        which=asked.which,
        fold=None if asked.fold is None else str(asked.fold),
        given=given,
        config=Path(asked.config) if asked.config else None,
        settle=files([asked.settle_with] if asked.settle_with else []),
        code=own_module.own(asked.model, asked.input),
    )


def files(paths: Any) -> tuple[Path, ...]:
    """The pictures and arrays of folders, and files as they are named.

    Raises:
        InputError: there are none.
    """
    return tuple(file for path in paths for file in files_in(Path(path)))
