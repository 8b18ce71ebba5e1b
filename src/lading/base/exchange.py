"""Two paths changing places in one step, where the system can do that."""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path

#: Linux: ``renameat2`` with RENAME_EXCHANGE. macOS: ``renamex_np`` with RENAME_SWAP.
_HERE, _FLAG = -100, 2


def exchange(a: Path, b: Path) -> bool:
    """Whether `a` and `b` are now each where the other was; if not, nothing has changed.

    Sources: rename(2) of Linux (since 3.15, glibc 2.28) and of macOS (since 10.12).
    """
    names = os.fsencode(a), os.fsencode(b)
    try:
        library = ctypes.CDLL(None, use_errno=True)
        if sys.platform == "darwin":
            return bool(library.renamex_np(*names, _FLAG) == 0)
        return bool(library.renameat2(_HERE, names[0], _HERE, names[1], _FLAG) == 0)
    except (OSError, AttributeError):
        return False
