"""A pickle machine that runs nothing: data in, data out.

A pickle is a program for a stack machine, and Python's own machine imports and calls whatever the
file names. This one knows every opcode of protocols 0 to 5 and calls only the functions listed in
`lading.checkpoint.allowed`, which are lading's own. How any other name is met says
`lading.checkpoint.names`; it stays an inert `Placeholder` that keeps the name, the arguments and
the state, so that the rest of the file still reads. A file that mentions what could act is refused
when all of its names are known.
"""

from __future__ import annotations

import struct
from typing import Any

from lading.checkpoint.account import BYTES, OPCODE, WORK
from lading.checkpoint.objects import Objects
from lading.checkpoint.opcodes import ACTIONS
from lading.checkpoint.program import told
from lading.errors import CheckpointError, LadingError

#: What each value of a byte does.
_TABLE = [ACTIONS.get(bytes([code])) for code in range(256)]
_STOP = ord(".")


class Machine(Objects):
    """One pickle program.

    Args:
        data: the bytes.
        where: how errors call the place, e.g. ``"model.pth, entry data.pkl"``.
        position: where the program begins; afterwards, where it ended.
        end: what it may not run past; None for the end of the data.
        account: what the file may cost; None for one of the program's own.
        mentions: takes every name that is not known to do nothing.
        persistent: gives the object for a persistent id (a storage, in torch's files).
    """

    def run(self) -> Any:
        """The object that the program leaves.

        Raises:
            UnsafeFileError: the program names something that could act, or costs far more than
                its size.
            CheckpointError: it is cut short or malformed.
        """
        try:
            value = self._value()
        except CheckpointError as problem:
            raise (self.mentions.refusal() if self.mentions.acting else problem) from None
        if self.mentions.acting:
            raise self.mentions.refusal()
        return value

    def _value(self) -> Any:
        account, begin = self.account, self.position
        share = account.share(self.end - begin)
        work, size = WORK * share, BYTES * share
        data, end = self.data, self.end
        try:
            while True:
                at = self.opcode_at = self.position
                if at >= end:
                    raise self.malformed("the end of the data where an opcode should be")
                code = data[at]
                self.position = at + 1
                if code == _STOP:
                    value = self.pop()
                    if self.stack:
                        raise self.malformed("objects left over at the end")
                    return value
                action = _TABLE[code]
                if action is None:
                    raise self.malformed(f"byte 0x{code:02x}, which is no pickle opcode")
                action(self)
                read = self.position - at
                account.work += work * read - 1
                account.bytes += size * read - OPCODE
                if account.work < 0 or account.bytes < 0:
                    account.refuse(self.place())
        except LadingError:
            raise
        except (ValueError, TypeError, LookupError, OverflowError, struct.error) as problem:
            raise self.malformed(told(problem)) from None
        finally:
            account.credit -= share * (self.position - begin)
