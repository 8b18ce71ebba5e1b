"""What this process has resident, in bytes."""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path

_STATUS, _REFERENCES = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def now() -> int | None:
    """Bytes resident; off Linux the most so far; None where the system does not say."""
    return _line("VmRSS") if _STATUS.exists() else peak()


def begin() -> None:
    """The peak starts over from what is resident, where the system can do that."""
    with suppress(OSError):  # the peak is then that of the process from its start
        _REFERENCES.write_text("5")


def peak() -> int | None:
    """The most bytes that were resident; None where the system does not say."""
    if _STATUS.exists():  # `getrusage` counts what the parent had, too
        return _line("VmHWM")
    try:
        import resource
    except ImportError:  # Windows
        return None
    unit = 1 if sys.platform == "darwin" else 1024
    return unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _line(key: str) -> int | None:
    """A figure of Linux's, which come in kibibytes."""
    rows = _STATUS.read_text(encoding="utf-8").splitlines()
    found = next((row.split() for row in rows if row.startswith(f"{key}:")), None)
    return 1024 * int(found[1]) if found else None
