"""Zip archives, taken apart and put together again with right sizes and checksums."""

from __future__ import annotations

import io
import warnings
import zipfile
from collections.abc import Callable, Sequence
from random import Random

from tests.fuzz.kind import Case, Mutator
from tests.fuzz.mutate import BYTES

Parts = list[tuple[str, bytes]]


def unpack(data: bytes) -> Parts:
    """Names and contents, in order; empty where it is no archive."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return [(info.filename, archive.read(info)) for info in archive.infolist()]
    except Exception:
        return []


def pack(parts: Parts, method: int = zipfile.ZIP_STORED) -> bytes:
    """An archive of `parts`, the same bytes every time."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # two entries of one name are meant
        for name, data in parts:
            archive.writestr(zipfile.ZipInfo(name), data, method)
    return out.getvalue()


def in_entry(change: Callable[[Random, bytes], bytes], wanted: str = "") -> Mutator:
    """`change` inside an entry whose name ends in `wanted`; the archive around it stays right."""

    def mutate(random: Random, case: Case, seeds: Sequence[Case]) -> Case:
        parts = unpack(case) if isinstance(case, bytes) else []
        places = [at for at, (name, _) in enumerate(parts) if name.endswith(wanted)]
        if not places:
            return case
        at = random.choice(places)
        parts[at] = (parts[at][0], change(random, parts[at][1]))
        return pack(parts, random.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)))

    mutate.__name__ = f"{change.__name__}_in_entry"
    return mutate


def entries(random: Random, case: Case, seeds: Sequence[Case]) -> Case:
    """An entry dropped, doubled, renamed, moved, emptied, or brought from another seed."""
    parts = unpack(case) if isinstance(case, bytes) else []
    if not parts:
        return case
    at = random.randrange(len(parts))
    name, data = parts[at]
    what = random.randrange(7)
    if what == 0:
        del parts[at]
    elif what == 1:
        parts.insert(random.randrange(len(parts) + 1), parts[at])
    elif what == 2:
        odd = (
            "../x",
            "/x",
            "a\\b",
            "",
            "data.pkl",
            "constants.pkl",
            "x" * 5000,
            "\u202e",
            "a/" * 99,
        )
        parts[at] = (random.choice((*odd, name + random.choice("/.x0"), name.upper())), data)
    elif what == 3:
        random.shuffle(parts)
    elif what == 4:
        parts[at] = (name, b"")
    elif what == 5:
        parts[at] = (name, random.choice(parts)[1])
    else:
        other = random.choice(seeds)
        parts += random.sample(theirs, 1) if (theirs := unpack(bytes_of(other))) else []
    return pack(parts, random.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)))


def bytes_of(case: Case) -> bytes:
    """A case that is a file; empty for a folder."""
    return case if isinstance(case, bytes) else b""


#: Changes that know that the file is a zip archive.
ZIP: tuple[Mutator, ...] = (entries, *(in_entry(change) for change in BYTES))
