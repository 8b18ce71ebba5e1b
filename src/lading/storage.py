"""Writing results so that a whole one is never preceded by half a one.

Everything is written in a folder aside, on the same file system, and moved into place by rename
when it is complete. Whatever ends the process before that leaves the destination as it was; the
folder aside is hidden, named after the destination, and removed by the next run.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lading.errors import StorageError

#: What lading itself writes into a folder; ``--force`` replaces these and nothing else.
BILL = "lading.json"
SCHEMA = "lading.schema.json"
REJECTED = "rejected"


def require_free(out: Path, *, force: bool) -> None:
    """Passes only if `out` can become the result's folder.

    Raises:
        StorageError: it is a file, it holds something and `force` is not set, or it cannot be
            written.
    """
    if out.exists() and not out.is_dir():
        raise StorageError(
            str(out), found="a file", expected="a folder, or nothing", remedy="choose another -o"
        )
    if out.is_dir() and any(out.iterdir()) and not force:
        raise StorageError(
            str(out),
            found="a folder that is not empty",
            expected="an empty folder, or none",
            remedy="choose another -o, or add --force to replace what lading wrote there",
        )
    nearest = next(parent for parent in (out, *out.resolve().parents) if parent.exists())
    if not nearest.is_dir() or not os.access(nearest, os.W_OK | os.X_OK):
        raise StorageError(
            str(out),
            found=f"{nearest} cannot be written",
            expected="a folder you may write to",
            remedy="choose another -o, or change its permissions",
        )


@contextmanager
def aside(out: Path) -> Iterator[Path]:
    """A folder beside `out` to write in; it is gone when the block ends.

    Raises:
        StorageError: writing failed: the disk is full, or the place is not writable.
    """
    with told(out):
        place = out.resolve()
        place.parent.mkdir(parents=True, exist_ok=True)
        prefix = f".{place.name}.lading-"
        for left in place.parent.iterdir():
            if left.name.startswith(prefix) and not _alive(left):
                shutil.rmtree(left, ignore_errors=True)
        folder = Path(tempfile.mkdtemp(prefix=f"{prefix}{os.getpid()}-", dir=place.parent))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def publish(folder: Path, out: Path) -> None:
    """Moves what lies in `folder` into `out`, the bill last.

    A new or empty `out` appears whole in one rename. In one that holds an earlier result, the old
    bill goes first with the artifacts that it names, then each entry is replaced by rename: at no
    moment does a bill stand beside an artifact of lading's that it does not describe. What others
    put there stays.

    Raises:
        StorageError: the file system refused.
    """
    with told(out):
        place = out.resolve()
        # The working directory of a shell is filled, not replaced: the shell would lose it.
        if not place.exists() or not (any(place.iterdir()) or place.samefile(Path.cwd())):
            folder.chmod(0o755)
            folder.replace(place)
            return
        earlier = _artifacts(place / BILL)
        (place / BILL).unlink(missing_ok=True)
        for name in (*earlier, REJECTED):
            remove(place / name)
        for entry in sorted(folder.iterdir(), key=lambda path: path.name == BILL):
            if entry.is_dir() or (place / entry.name).is_dir():
                remove(place / entry.name)
            entry.replace(place / entry.name)


@contextmanager
def told(out: Path) -> Iterator[None]:
    """Turns an operating-system error within it into a `StorageError` about `out`."""
    try:
        yield
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        raise StorageError(
            str(out),
            found=f"{error.strerror or error} ({error.filename})" if error.filename else str(error),
            expected="a place with enough room that can be written",
            remedy="free some space, or choose another -o" if full else "choose another -o",
        ) from error


def write_file(path: Path, data: bytes) -> None:
    """Writes one file aside and renames it into place.

    Raises:
        StorageError: the file system refused.
    """
    with aside(path) as folder, told(path):
        (folder / path.name).write_bytes(data)
        (folder / path.name).replace(path)


def _artifacts(bill: Path) -> list[str]:
    """What an earlier bill names beside itself; nothing where it cannot be read."""
    try:
        names = [str(one["path"]) for one in json.loads(bill.read_bytes())["artifacts"]]
    except (OSError, ValueError, KeyError, TypeError):
        return []
    return [name for name in names if name not in ("", "..") and Path(name).name == name]


def _alive(left: Path) -> bool:
    """Whether the process that made the folder aside still runs."""
    number = left.name.rsplit(".lading-", 1)[-1].split("-")[0]
    try:
        os.kill(int(number), 0)
    except (ValueError, ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True


def remove(path: Path) -> None:
    """Removes a file or a folder with all in it; nothing there is fine."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
