"""From what is asked of a verb to how its network is had."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch

from lading.errors import LadingError, RequestError
from lading.job.request import Reading, is_module
from lading.network import own_module, program
from lading.network.code import named
from lading.network.inputs import leaves
from lading.network.lines import told
from lading.network.own_module import OwnModule
from lading.network.source import Source
from lading.proof.probes import Given, files_in
from lading.task.given import ARCHIVE

#: Of one function.
MOST = 64


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


def probed(paths: Any) -> tuple[Path | Given, ...]:
    """What the user gives as probes: files, and what a function of ``FILE.py:FUNCTION`` yields.

    Raises:
        LadingError: there are none, or the function fails.
    """
    found: list[Path | Given] = []
    for path in map(Path, paths):
        where, colon, _ = str(path).rpartition(":")
        if colon and where.endswith(".py") and not path.exists():
            found += _yielded(str(path))
        else:
            found += files_in(path, (ARCHIVE,))
    return tuple(found)


def _yielded(text: str) -> list[Given]:
    """Each value that the function gives, by name or by place, as arrays.

    Raises:
        RequestError: its code fails, or it gives none or too many.
    """
    code = named(text, {}, "--data")
    try:
        with code.importing():
            made = [_arrays(one) for one in islice(iter(code.make()[0]), MOST + 1)]
    except LadingError:
        raise
    except Exception as error:  # the user's own code may raise anything
        raise RequestError(
            f"--data {text}", found=told(error),
            expected="a function that yields a dict of arrays, one an input",
            remedy="correct the line that is named",
        ) from error  # fmt: skip
    if not 0 < len(made) <= MOST:
        raise RequestError(
            f"--data {text}", found=f"more than {MOST} values" if made else "no value",
            expected=f"from 1 to {MOST} dicts of arrays", remedy="let it yield as many",
        )  # fmt: skip
    source = code.origin
    return [Given(f"{code.name}-{n}", source, values) for n, values in enumerate(made)]


def _arrays(value: Any) -> dict[str, Any] | list[Any]:
    """As a network takes it, nested or not; by place where nothing is named."""
    flat = {"_".join(path): _array(one) for path, one in leaves(value)}
    named_ones = isinstance(value, dict) or not all(key.isdigit() for key in flat if key)
    return flat if named_ones else list(flat.values())


def _array(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        value = value.detach().cpu()
        return (value.float() if value.dtype == torch.bfloat16 else value).numpy()
    return np.asarray(value)
