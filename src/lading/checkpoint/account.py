"""What a file may cost: one account of work and of bytes, in proportion to its size.

Every opcode, copy, build, encode, hash and view is charged before it is done. What a file may cost
grows with what was read of it, so that an honest file of any size is read and a small one ends
soon, whatever it asks for. A unit of work is about a microsecond.
"""

from __future__ import annotations

from lading.errors import UnsafeFileError

#: What any file may cost, however small it is.
FREE_WORK, FREE_BYTES = 2_000_000, 256 << 20
#: What a byte of a program may cost beyond that. An opcode is a unit of work and `OPCODE` bytes.
WORK, BYTES, OPCODE = 2, 16, 24
#: How often a file's bytes may be read as a program: as found, packed into an archive, looked over.
READINGS = 4
#: What a byte of the file may show in tensors of different places (a whole network, a few times).
SHOWN = 8


class Account:
    """The account of one file of `size` bytes.

    >>> account = Account(1000)
    >>> account.charge("x.pth", work=FREE_WORK)
    >>> account.charge("x.pth, byte 7", work=1)
    Traceback (most recent call last):
    ...
    lading.errors.UnsafeFileError: x.pth, byte 7
      found     more work than a file of 1,000 bytes needs; nothing of it was run
      expected  work and memory in proportion to the file
      remedy    save the state dict alone: torch.save(model.state_dict(), path)
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.work = float(FREE_WORK)
        self.bytes = float(FREE_BYTES)
        self.credit = float(READINGS * size)
        self.shown = FREE_BYTES + SHOWN * size
        self._seen: set[object] = set()

    def charge(self, subject: str, *, work: float = 0, size: float = 0) -> None:
        """Takes `work` units and `size` bytes from the account.

        Raises:
            UnsafeFileError: it does not hold them; `subject` says where.
        """
        self.work -= work
        self.bytes -= size
        if self.work < 0 or self.bytes < 0:
            self.refuse(subject)

    def share(self, length: int) -> float:
        """The part of a program of `length` bytes that earns anything.

        Programs that were packed tightly earn no more than the bytes into which they were packed.
        """
        return min(1.0, min(self.size, self.credit) / max(1, length))

    def show(self, subject: str, place: object, size: int) -> None:
        """Takes a view of `size` bytes, once for each `place` (storage, offset, shape, strides).

        Raises:
            UnsafeFileError: all views together show far more than the file holds.
        """
        if place not in self._seen:
            self._seen.add(place)
            self.shown -= size
        if self.shown < 0:
            raise UnsafeFileError(
                subject,
                found=f"tensors that show far more than the {self.size:,} bytes of the file",
                expected=f"{FREE_BYTES + SHOWN * self.size:,} bytes at most",
                remedy="save the tensors without repetition: tensor.contiguous()",
            )

    def refuse(self, subject: str) -> None:
        """Raises the error for an account that is empty."""
        what = "work" if self.work < 0 else "memory"
        raise UnsafeFileError(
            subject,
            found=f"more {what} than a file of {self.size:,} bytes needs; nothing of it was run",
            expected="work and memory in proportion to the file",
            remedy="save the state dict alone: torch.save(model.state_dict(), path)",
        )
