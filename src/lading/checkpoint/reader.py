"""Reading a checkpoint: one call from a path to tensors by name, whatever the container."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lading.checkpoint import (
    folder,
    hub,
    nesting,
    safetensors_file,
    sniff,
    tidy,
    torch_legacy,
    torch_zip,
)
from lading.checkpoint.aliases import find_aliases
from lading.checkpoint.everything import look_over
from lading.checkpoint.inert import Placeholder
from lading.checkpoint.mapped import Mapped, unreadable
from lading.checkpoint.model import Checkpoint
from lading.checkpoint.shown import shown
from lading.errors import LadingError, RequestError
from lading.record import CheckpointRecord, Mention

_READERS: dict[sniff.Container, Any] = {
    "torch zip": torch_zip.read,
    "torch pickles": torch_legacy.read,
    "torch tar": torch_legacy.read_tar,
    "safetensors": safetensors_file.read,
}


def read(path: str | Path, *, fold: str | None = None, which: str | None = None) -> Checkpoint:
    """The checkpoint in the file or nnU-Net model folder `path`; no code from it runs.

    The container is known by the content, never by the name. Tensors are views of the mapped file
    on the CPU, in the dtype and shape that they have there; nothing is copied where the container
    stores them plainly, and writing to one does not reach the file.

    Args:
        path: a file, a folder as `save_pretrained` writes it (or its index), an nnU-Net model
            folder, or one of its fold folders.
        fold: for a model folder with several folds, which (``"0"``, ``"all"``).
        which: for a folder ``"final"``, ``"best"`` or ``"latest"`` (default: the first of these
            that is there); for a file with several networks, the key of the one to take (default:
            averaged weights over plain ones).

    Raises:
        CheckpointError: there is no checkpoint, or it is damaged or of another kind.
        UnsafeFileError: it would run code, or unpack to far more than it holds.
        RequestError: there are several folds or networks and none was named.
    """
    path = Path(path)
    place = path
    steps: list[str] = []
    parts = hub.files(path) if path.exists() else []
    if parts and fold is None:
        sides = hub.sides(path)
        steps = [f"took {', '.join(one.name for one in parts[:3])} of {path.name}"]
        path = parts[0] if len(parts) == 1 else path
    elif path.is_dir():
        stage = which if which in folder.STAGES else None
        which = None if stage else which
        try:
            path, steps = folder.find(path, fold, stage)
        except OSError as problem:
            raise unreadable(path, problem) from None
    elif fold is not None:
        raise RequestError(
            f"--fold {fold}",
            found=f"{path}, a file",
            expected="an nnU-Net model folder",
            remedy="leave --fold out, or give the model folder",
        )
    if len(parts) > 1:
        container, root, opened, sha256, size = hub.read(parts, _part)
        tensors, metadata, unwrapped = tidy.tidy(root, str(path), which)
        named: tuple[Mention, ...] = ()
    else:
        source = Mapped(path)
        with _looked_over(source):
            container, root, opened = _opened(source)
            tensors, metadata, unwrapped = tidy.tidy(root, str(path), which, source.account)
        sha256, size, named = source.sha256, source.size, source.mentions.named
    del root
    metadata = _walkable(metadata, size, unwrapped)
    aliases, conflicts = find_aliases(tensors)
    if not parts:
        sides = folder.sides(path)
    steps += [*opened, *unwrapped, *(f"read {name} beside it" for name in sides)]
    return Checkpoint(
        record=CheckpointRecord(str(path), sha256, size, container, tuple(steps), named),
        tensors=tensors,
        aliases=aliases,
        conflicts=conflicts,
        metadata=metadata,
        sides=sides,
        place=place,
    )


def _opened(source: Mapped) -> tuple[sniff.Container, Any, list[str]]:
    """What the file is, its root object, and the steps to it."""
    container = sniff.container(source)
    return (container, *_READERS[container](source))


def _part(source: Mapped) -> tuple[str, Any, list[str]]:
    """One of several files that are one network, looked over as a file of its own is."""
    with _looked_over(source):
        return _opened(source)


@contextmanager
def _looked_over(source: Mapped) -> Iterator[None]:
    """Within it a file is read; whether that succeeds or not, all of it is looked over for calls.

    Raises:
        UnsafeFileError: it holds one that could act.
    """
    try:
        yield
    except LadingError as problem:
        look_over(source)
        raise source.mentions.beside(problem) from None
    look_over(source)
    if source.mentions.acting:
        raise source.mentions.refusal()


def _walkable(metadata: dict[str, Any], size: int, steps: list[str]) -> dict[str, Any]:
    """`metadata` with a placeholder for every entry that nobody could print or walk to its end."""
    made = dict(metadata)
    for name, value in metadata.items():
        wrong = nesting.fault(value, nesting.FREE_VALUES + size)
        if wrong:
            made[name] = Placeholder("lading", f"an entry with {wrong}")
            steps.append(f"set aside the entry {shown(name)}: {wrong}")
    return made
