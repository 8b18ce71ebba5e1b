"""Writing results so that a whole one is never preceded by half a one.

Everything is written in a folder aside, on the same file system, and moved into place by rename
when it is complete. Whatever ends the process before that leaves the destination as it was; the
folder aside is hidden, named after the destination, locked while its process lives, and removed by
the next run. It holds

- ``new``, what is being written,
- ``old``, what lay in its place, from when the first of it is moved until all of it is replaced,
- ``names``, the entries of ``new``, so that the next run can undo what was left half done.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from lading.base.exchange import exchange
from lading.errors import StorageError

#: What lading itself writes into a folder; ``--force`` replaces these and nothing else.
PAGE = "report.html"
BILL = "lading.json"
SCHEMA = "lading.record.schema.json"
REJECTED = "rejected"
#: How each page of a bill ends its title.
_TITLE = b"(bill of lading)</title>"


def require_free(out: Path, *, force: bool | None) -> None:
    """Passes only if `out` can become the result's folder; a `force` of None is no option there is.

    Raises:
        StorageError: it is a file, it holds something and `force` is not set, or it cannot be
            written.
    """
    there = _what(out)
    if there not in ("", _FOLDER):
        raise StorageError(
            str(out), found=there, expected="a folder, or nothing", remedy="choose another -o"
        )
    if out.is_dir() and any(out.iterdir()) and not force:
        raise StorageError(
            str(out),
            found="a folder that is not empty",
            expected="an empty folder, or none",
            remedy="choose another -o, or add --force to replace what lading wrote there"
            if force is not None
            else "choose another -o",
        )
    nearest = next(parent for parent in (out, *out.resolve().parents) if parent.exists())
    if not nearest.is_dir() or not os.access(nearest, os.W_OK | os.X_OK):
        raise StorageError(
            str(out),
            found=f"{nearest} cannot be written",
            expected="a folder you may write to",
            remedy="choose another -o, or change its permissions",
        )


def require_file(out: Path) -> Path:
    """Where a file is written that is to be called `out`: there, or where a link of that name
    leads.

    Raises:
        StorageError: what lies there is no regular file: a folder, a device, a pipe.
    """
    there = _what(out)
    if there not in ("", "a file"):
        raise StorageError(
            str(out), found=there, expected="a file, or nothing", remedy="choose another -o"
        )
    return out.resolve()


_FOLDER = "a folder"
_KINDS = (
    (stat.S_ISDIR, _FOLDER), (stat.S_ISREG, "a file"), (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"), (stat.S_ISCHR, "a device"), (stat.S_ISBLK, "a device"),
)  # fmt: skip


def _what(path: Path) -> str:
    """What lies at a path, or where the link leads that does, in words; empty for nothing."""
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return ""
    except (OSError, ValueError) as error:
        return f"no place: {getattr(error, 'strerror', '') or error}"
    return next(words for holds, words in _KINDS if holds(mode))


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
        parts = index["vectors"], index.get("walk") or {}, index.get("channels") or {}
        return {"index.json", *(name for part in parts for name in named_files(part))}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return set()


def named_files(value: Any) -> Iterator[str]:
    """Every ``file`` that is named in what was read of a JSON file, however deep."""
    if isinstance(value, dict) and "file" in value:
        yield str(value["file"])
    for one in value.values() if isinstance(value, dict) else value:
        if isinstance(one, (dict, list)):
            yield from named_files(one)


@contextmanager
def aside(out: Path) -> Iterator[Path]:
    """An empty folder beside `out` to write in; it is gone when the block ends. What a run that was
    killed left there is removed, or undone, first.

    Raises:
        StorageError: another run is writing `out`, or the place is not writable.
    """
    with errors_about(out):
        place = out.resolve()
        place.parent.mkdir(parents=True, exist_ok=True)
        prefix = f".{place.name}.lading-"
        folder = Path(tempfile.mkdtemp(prefix=f"{prefix}{os.getpid()}-", dir=place.parent))
        held = os.open(folder, os.O_RDONLY)
    try:
        with errors_about(out):
            with suppress(OSError):  # not every file system has locks
                fcntl.flock(held, fcntl.LOCK_EX)
            for left in place.parent.iterdir():
                if left.name.startswith(prefix) and left != folder:
                    _require_dead(left, out)
                    _undo(left, place)
                    shutil.rmtree(left, ignore_errors=True)
            (folder / _NEW).mkdir()
        yield folder / _NEW
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(held)


_NEW, _OLD, _NAMES = "new", "old", "names"


def publish(
    folder: Path, out: Path, *, own: Collection[str] | None = None, last: str = BILL
) -> None:
    """Moves what lies in `folder`, which `aside` gave, into `out`.

    A result that stands alone in `out`, or nothing there, is replaced in one step. Where others'
    files lie beside it, which stay, or that step cannot be taken, all of the old result is renamed
    away, `last` first, and then the new one into its place, `last` at the end: what a process that
    is killed in between leaves, the next one undoes.

    Args:
        folder: the new result.
        out: where it belongs.
        own: the earlier result's names; by default those that its bill tells.
        last: the entry without which a result is none.

    Raises:
        StorageError: the file system refused; `out` is as it was.
    """
    with errors_about(out):
        place = out.resolve()
        new = sorted((entry.name for entry in folder.iterdir()), key=lambda name: name == last)
        earlier = _earlier(place) if own is None else own
        there = {entry.name for entry in place.iterdir()} if place.exists() else set()
        goes = [name for name in dict.fromkeys((last, *earlier, *new)) if name in there]
        if not place.exists() or not (place.samefile(Path.cwd()) or there.difference(goes)):
            # The working directory of a shell is filled, not replaced: the shell would lose it.
            folder.chmod(stat.S_IMODE(place.stat().st_mode) if place.exists() else 0o755)
            if not goes:
                folder.replace(place)
                return
            if exchange(folder, place):
                return
        (folder.parent / _NAMES).write_text(json.dumps(new))
        old = folder.parent / _OLD
        old.mkdir()
        try:
            for name in goes:
                (place / name).rename(old / name)
            for name in new:
                (folder / name).rename(place / name)
        except OSError:
            _undo(folder.parent, place, last)
            raise
        with suppress(OSError):
            old.rename(folder.parent / "done")


def _undo(left: Path, place: Path, last: str = BILL) -> None:
    """Puts a result back that a run moved away and never replaced; it may be called again."""
    try:
        told = json.loads((left / _NAMES).read_text())
        names = [name for name in told if name not in ("", "..") and Path(name).name == name]
        entries = sorted((left / _OLD).iterdir(), key=lambda entry: entry.name == last)
    except (OSError, ValueError, TypeError, RecursionError):
        return
    placed = [
        name for name in names
        if os.path.lexists(place / name) and not os.path.lexists(left / _NEW / name)
    ]  # fmt: skip
    if len(placed) == len(names) or not place.is_dir():
        return
    for name in placed:
        (place / name).rename(left / _NEW / name)
    for entry in entries:
        if not os.path.lexists(place / entry.name):
            entry.rename(place / entry.name)


def _require_dead(left: Path, out: Path) -> None:
    if _alive(left):
        raise StorageError(
            str(out),
            found="another run of lading is writing it",
            expected="one at a time",
            remedy="wait for it, or choose another -o",
        )


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
        StorageError: what lies there is no regular file; or the file system refused.
    """
    place = require_file(path)
    with aside(place) as folder, errors_about(path):
        (folder / place.name).write_bytes(data)
        (folder / place.name).replace(place)


def _earlier(place: Path) -> list[str]:
    """The entries of a folder that an earlier conversion's bill tells."""
    names = _artifacts(place / BILL)
    return [*(name for name in names if "/" not in name), *([REJECTED] if names else [])]


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


#: Seconds that a process has to lock the folder that it made.
_FRESH = 10.0


def _alive(left: Path) -> bool:
    """Whether the process that made the folder aside still runs: then it holds a lock on it."""
    try:
        os.kill(int(left.name.rsplit(".lading-", 1)[-1].split("-")[0]), 0)
    except (ValueError, ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass
    try:
        held = os.open(left, os.O_RDONLY)
    except OSError:
        return left.exists()
    try:
        fcntl.flock(held, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return time.time() - os.fstat(held).st_mtime < _FRESH
    except OSError:  # locked; or a file system without locks, where the number is all there is
        return True
    finally:
        os.close(held)


def remove(path: Path) -> None:
    """Removes a file or a folder with all in it; nothing there is fine."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
