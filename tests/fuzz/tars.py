"""Tar archives, taken apart and put together again with right checksums."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Sequence
from random import Random

from tests.fuzz.kind import Case, Mutator
from tests.fuzz.mutate import BYTES
from tests.fuzz.pickles import PROGRAM
from tests.fuzz.zips import Parts, bytes_of


def _unpack(data: bytes) -> Parts:
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as archive:
            return [
                (info.name, held.read()) for info in archive if (held := archive.extractfile(info))
            ]
    except Exception:
        return []


def _pack(parts: Parts) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, data in parts:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def member(random: Random, case: Case, seeds: Sequence[Case]) -> Case:
    """A member changed, dropped, doubled or given another's content."""
    parts = _unpack(bytes_of(case))
    if not parts:
        return case
    at = random.randrange(len(parts))
    name, data = parts[at]
    what = random.randrange(8)
    if what == 0:
        del parts[at]
    elif what == 1:
        parts.append((name, random.choice(parts)[1]))
    elif what < 5:
        parts[at] = (name, random.choice(BYTES)(random, data))
    else:
        parts[at] = (name, random.choice(PROGRAM)(random, data))
    return _pack(parts)


TAR: tuple[Mutator, ...] = (member,) * 10
