"""Every name in a file's pickles that lading does not know, with its place."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from lading.checkpoint.inert import Named
from lading.checkpoint.names import LONGEST, Kind, kind_of
from lading.checkpoint.shown import cut
from lading.errors import LadingError, UnsafeFileError
from lading.record import Mention
from lading.record.wording import LONGEST_NAME, MENTIONED, mention

#: A name that somebody's module could bear.
_IMPORTABLE = re.compile(r"[\w\-]+(\.[\w\-<>]+)+")
#: Different names that are kept.
KEPT = 1_000
#: Of a file that acts, whatever else is wrong with it.
REMEDY = "do not open this file with torch.load; ask its author for a safetensors file"


class Mentions:
    """The names that a file mentions beside those that are known to do nothing.

    Attributes:
        acting: names that could act when they are called, each with its first place.
        strangers: names that lading does not know, each with its first place.
        more: different names beyond `KEPT`.
        ended: behind which byte of each place a reader has read everything.
        storages: entries of the file that are tensors' bytes.
    """

    def __init__(self) -> None:
        self.acting: dict[str, Mention] = {}
        self.strangers: dict[str, Mention] = {}
        self.more = 0
        self.ended: dict[str, int] = {}
        self.storages: set[str] = set()
        self._refused: UnsafeFileError | None = None
        #: Where the last mention of a name was: the same program may be read twice.
        self._last: dict[str, tuple[str, int]] = {}
        self._kinds: dict[Named, Kind] = {}

    def note(self, named: Named, where: str, byte: int, called: bool) -> Kind:
        """Notes `named`, mentioned or called at `byte` of `where`; how it is to be met."""
        kind = self._kinds.get(named)
        if kind is None:
            kind = kind_of(named)
            if len(self._kinds) < KEPT:
                self._kinds[named] = kind
        if kind != "known":
            self.keep(str(named), where, byte, called, kind)
        return kind

    def keep(self, name: str, where: str, byte: int, called: bool, kind: Kind) -> None:
        """Keeps a name of the kind `kind`."""
        shelf = self.acting if kind == "acts" else self.strangers
        held = shelf.get(name)
        if held is None:
            if len(shelf) >= KEPT:
                self.more += 1
                return
            held = Mention(name[: 2 * LONGEST], False, where, byte, 0)
        last = self._last.get(name, ("", 0))
        if held.times and last[0] == where and last[1] >= byte:
            return
        self._last[name] = (where, byte)
        if called and not held.called:
            shelf[name] = replace(held, called=True, times=1)
        elif called or not held.called:
            shelf[name] = replace(held, times=held.times + 1)

    def adopt(self, text: Mentions, ended: bool) -> None:
        """Takes over from what may be a text the names that look like names.

        Of a program that did not end only those that it calls, or that act.
        """
        for mine, theirs in ((self.acting, text.acting), (self.strangers, text.strangers)):
            for name, held in theirs.items():
                if _IMPORTABLE.fullmatch(name) and (ended or held.called or mine is self.acting):
                    mine.setdefault(name, held)

    @property
    def named(self) -> tuple[Mention, ...]:
        """The strangers, for the record."""
        return tuple(self.strangers.values())

    def refusal(self) -> UnsafeFileError:
        """The error for a file that mentions what could act; all such names are in it."""
        first = next(iter(self.acting.values()))
        names = list(self.acting.values())
        found = "; ".join(
            f"{cut(one.name, LONGEST_NAME)}, which could act when it is called"
            if one is first
            else mention(one)
            for one in names[:MENTIONED]
        )
        if len(names) + self.more > MENTIONED:
            found += f"; and {len(names) + self.more - MENTIONED:,} other names"
        if self.strangers:
            found += f"; beside these {self.listed()}"
        self._refused = UnsafeFileError(
            f"{first.where}, byte {first.byte}",
            found=f"{found}; nothing was run",
            expected="tensors and plain data",
            remedy=REMEDY,
        )
        return self._refused

    def listed(self) -> str:
        """The strangers in words."""
        return _listed(self.named)

    def beside(self, problem: LadingError) -> LadingError:
        """`problem`, and what the file names beside it."""
        if self.acting and (problem is self._refused or not isinstance(problem, UnsafeFileError)):
            return self.refusal()
        if self.acting:
            return _added(problem, self.refusal().found, REMEDY)
        return naming(problem, self.named)


def naming(problem: LadingError, mentions: Sequence[Mention]) -> LadingError:
    """`problem` of a file that also names `mentions`; whatever is wrong with it, they are said."""
    if not mentions:
        return problem
    names = f"it names {_listed(mentions)}, which lading does not know"
    return _added(problem, names, problem.remedy)


def _listed(mentions: Sequence[Mention]) -> str:
    words = ", ".join(map(mention, mentions[:MENTIONED]))
    more = len(mentions) - MENTIONED
    return words + (f" and {more:,} other names" if more > 0 else "")


def _added(problem: LadingError, found: str, remedy: str) -> LadingError:
    return type(problem)(
        problem.subject,
        found=f"{problem.found}; {found}",
        expected=problem.expected,
        remedy=remedy,
    )
