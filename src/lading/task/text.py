"""Text for networks that take one id per character.

A task's notes (see `lading.record.Task`) may hold a ``vocabulary``: then its network is one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from typing import Any

import numpy.typing as npt

from lading.errors import InputError
from lading.record import Task
from lading.record.vocabulary import characters

#: Stands for a character that the vocabulary does not have.
UNKNOWN = "\ufffd"


@dataclass(frozen=True)
class Vocabulary:
    """The characters that a network knows, in the order of their ids, from 1.

    0 stands for padding and for every other character.

    Attributes:
        characters: each once.
        length: how many ids the network takes: text is cut or padded at the end.
    """

    characters: str
    length: int

    def encode(self, text: str) -> list[int]:
        """The ids of a text.

        >>> Vocabulary("abc", 4).encode("cab!!")
        [3, 1, 2, 0]
        """
        place = _places(self.characters)
        ids = [place.get(character, 0) for character in text[: self.length]]
        return ids + [0] * (self.length - len(ids))

    def decode(self, ids: npt.NDArray[Any]) -> str:
        """The text of ids [1, L]: padding at the end is cut, any other 0 is `UNKNOWN`.

        >>> import numpy as np
        >>> Vocabulary("ab", 5).decode(np.array([[2, 0, 1, 0, 0]]))
        'b\ufffda'
        """
        row = [int(place) for place in ids.reshape(-1)]
        while row and row[-1] == 0:
            row.pop()
        known = range(1, len(self.characters) + 1)
        return "".join(self.characters[i - 1] if i in known else UNKNOWN for i in row)

    def require_known(self, text: str) -> None:
        """Passes only a text that the network can see something of.

        Raises:
            InputError: it is empty, or none of the characters that are looked at is known.
        """
        if any(self.encode(text)):
            return
        seen = text[: self.length]
        found = "an empty text"
        if seen:
            found = f"no character that the network knows, in the first {len(seen)}: {seen!r}"
        raise InputError(
            f"text {text[:40]!r}",
            found=found,
            expected=f"any of the {len(self.characters)} characters {self.described()}",
            remedy='give a text of these, e.g. lading classify ARTIFACT "ghbdtn"',
        )

    def described(self) -> str:
        """The characters for people, runs of them by their ends.

        >>> Vocabulary("cab éxyz", 4).described()
        'space, a to c, x to z, é'
        """
        ordered = enumerate(sorted(set(self.characters)))
        parts = []
        for _, run in groupby(ordered, key=lambda item: ord(item[1]) - item[0]):
            members = [character for _, character in run]
            ends = [members[0], members[-1]] if len(members) > 2 else members
            spelt = ["space" if one == " " else one for one in ends]
            parts.append((" to " if len(members) > 2 else ", ").join(spelt))
        return ", ".join(parts)


def vocabulary(task: Task, details: Mapping[str, str] | None = None) -> Vocabulary | None:
    """The vocabulary of a task whose network takes text; None of any other.

    Args:
        task: as the family or the artifact's notes tell it.
        details: the artifact's own metadata, which may hold ``lading.vocabulary``.
    """
    known = characters(task, (details or {}).get("lading.vocabulary", ""))
    return Vocabulary(known, task.inputs[0].shape[1]) if known else None


@cache
def _places(characters: str) -> Mapping[str, int]:
    return {character: place for place, character in enumerate(characters, 1)}
