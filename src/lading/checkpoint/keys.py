"""Which values may be keys of a dict or members of a set, and what they cost.

Hashing and comparing recurse in C, and hashes of numbers can be chosen: 2^61 - 1 and 0 hash alike,
and so do -1 and -2 and every tuple of them, so that a dict of such keys takes quadratic time. The
hashes of texts cannot be chosen. Hence: keys are of the kinds listed here, nested two levels at
most, and wherever hashes can be chosen, those that are alike are counted and charged.
"""

from __future__ import annotations

import datetime
import pathlib
from typing import Any

import torch

from lading.checkpoint.account import Account
from lading.checkpoint.inert import Named, Placeholder
from lading.checkpoint.shown import shown

#: Whole numbers as keys lie below this: beyond it their hashes repeat.
MAX_KEY = 1 << 60
#: Values in a tuple that is a key, those of inner tuples included; characters of a text in it.
MAX_MEMBERS, MAX_TEXT = 64, 1_000

#: Kinds whose hash is their text's or their identity's, so that nobody can choose it.
_FREE = (
    *(str, bytes, bool, type(None), Named, Placeholder),
    *(torch.dtype, torch.device, torch.Tensor, pathlib.PurePath),
    *(datetime.date, datetime.time),
)


class Keys:
    """The keys of all containers of a file.

    >>> keys = Keys(Account(100))
    >>> keys.check("x.pth", ("a", (1, 2)))
    ('a', (1, 2))
    >>> keys.check("x.pth", (1, (2, (3,))))
    Traceback (most recent call last):
    ...
    ValueError: a tuple of 2 as a key
    """

    def __init__(self, account: Account) -> None:
        self.account = account
        self._alike: dict[int, list[Any]] = {}

    def check(self, subject: str, key: Any) -> Any:
        """`key`, charged.

        Raises:
            ValueError: it is of no kind that may be a key.
            UnsafeFileError: too many keys hash alike; `subject` says where.
        """
        if isinstance(key, _FREE) or (type(key) is int and -MAX_KEY < key < MAX_KEY):
            return key
        if type(key) is tuple:
            if not _is_plain(key):
                raise ValueError(f"{shown(key)} as a key")
        elif type(key) is not float:
            raise ValueError(f"{shown(key)} as a key")
        alike = self._alike.setdefault(hash(key), [])
        self.account.charge(subject, work=2 + len(alike), size=64)
        if key not in alike:
            alike.append(key)
        return key


def _is_plain(key: tuple[Any, ...]) -> bool:
    members: list[Any] = []
    for member in key[: MAX_MEMBERS + 1]:
        members += member[: MAX_MEMBERS + 1] if type(member) is tuple else [member]
    return len(members) <= MAX_MEMBERS and len(key) <= MAX_MEMBERS and all(map(_is_leaf, members))


def _is_leaf(value: Any) -> bool:
    if isinstance(value, (str, bytes)):
        return len(value) <= MAX_TEXT
    if type(value) is int:
        return -MAX_KEY < value < MAX_KEY
    return type(value) is float or isinstance(value, (bool, type(None), Named, torch.dtype))
