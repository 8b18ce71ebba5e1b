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
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lading.errors import StorageError

#: What lading itself writes into a folder; ``--force`` replaces these and nothing else.
BILL = "lading.json"
SCHEMA = "lading.record.schema.json"
REJECTED = "rejected"
#: How each page of a bill ends its title.
_TITLE = b"(bill of lading)</title>"


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


def require_own(out: Path, names: Collection[str], *, page: str, golden: str) -> None:
    """Passes only if all that a result would replace in `out` is an earlier result's.

    An artifact is lading's where the earlier bill names it; a page by its title; golden vectors by
    their index; what lies in `REJECTED` by the earlier bill again.

    Args:
        out: the folder, which may not be there.
        names: of artifacts that may be written.
        page: name of the page.
        golden: name of the folder of golden vectors.

    Raises:
        StorageError: something there is another's, and would be lost.
    """
    earlier = _artifacts(out / BILL)
    found = [name for name in names if name not in earlier and os.path.lexists(out / name)]
    if (out / page).is_dir() or (
        (out / page).is_file() and _TITLE not in (out / page).read_bytes()
    ):
        found.append(page)
    found += _others(out, golden, _vectors(out / golden))
    found += _others(out, REJECTED, {name.removeprefix(f"{REJECTED}/") for name in earlier})
    if found:
        more = f" and {len(found) - 3} more" if len(found) > 3 else ""
        raise StorageError(
            str(out),
            found=f"what lading did not write: {', '.join(found[:3])}{more}",
            expected="an earlier result of lading alone under these names",
            remedy="move that elsewhere, or choose another -o: --force would lose it",
        )


def _others(out: Path, name: str, own: Collection[str]) -> list[str]:
    """What lies in a folder of a result beside what is lading's own."""
    folder = out / name
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        return [name]
    entries = sorted(folder.iterdir()) if folder.is_dir() else []
    return [f"{name}/{entry.name}" for entry in entries if entry.name not in own]


def _vectors(folder: Path) -> set[str]:
    """The files of golden vectors, as their index names them; none where there is no index."""
    try:
        index = json.loads((folder / "index.json").read_bytes())
        if index["format"] != "lading golden vectors":
            return set()
        return {"index.json", *_files(index)}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return set()


def _files(value: Any) -> Iterator[str]:
    """Every ``file`` that is named in what was read of a JSON file, however deep."""
    if isinstance(value, dict) and "file" in value:
        yield str(value["file"])
    for one in value.values() if isinstance(value, dict) else value:
        if isinstance(one, (dict, list)):
            yield from _files(one)


@contextmanager
def aside(out: Path) -> Iterator[Path]:
    """A folder beside `out` to write in; it is gone when the block ends.

    Raises:
        StorageError: writing failed: the disk is full, or the place is not writable.
    """
    with errors_about(out):
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
    with errors_about(out):
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
def errors_about(out: Path) -> Iterator[None]:
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
    with aside(path) as folder, errors_about(path):
        (folder / path.name).write_bytes(data)
        (folder / path.name).replace(path)


def _artifacts(bill: Path) -> list[str]:
    """The artifacts that an earlier conversion wrote beside its bill, and in `REJECTED`.

    None where the bill cannot be read; a verification's names artifacts that were there before.
    """
    try:
        earlier = json.loads(bill.read_bytes())
        if "against" in earlier.get("request", {}):
            return []
        names = [str(one["path"]) for one in earlier["artifacts"]]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return []
    return [
        name for name in names
        if (plain := name.removeprefix(f"{REJECTED}/")) not in ("", ".", "..")
        and Path(plain).name == plain
    ]  # fmt: skip


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
