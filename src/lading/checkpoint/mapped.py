"""The file as bytes: opened once, mapped into memory, digested as a stream beside the reading.

Tensors are views of a private mapping, so reading costs no second copy of them and writing to one
never reaches the file. Only what the container left unaligned (torch's files from before 1.6, or
an archive packed by another tool) is copied. The file must not be overwritten while its tensors
are in use; replacing or deleting it is harmless where the system keeps mapped files.
"""

from __future__ import annotations

import io
import mmap
import os
from collections.abc import Iterator
from pathlib import Path

import torch

from lading.base import digests
from lading.checkpoint.account import Account
from lading.checkpoint.mentions import Mentions
from lading.errors import CheckpointError

#: Views of the mapping begin on this boundary (the widest element but complex128, which torch
#: reads as two of them); anything less aligned is copied.
_ALIGNMENT = 8


class Mapped:
    """A non-empty regular file, mapped.

    Attributes:
        data: the mapping.
        size: its length in bytes.
        account: what reading it may cost.
        mentions: what its pickles name.
        sha256: as hex, of all its bytes; it is waited for when it is asked.
    """

    def __init__(self, path: Path) -> None:
        """Open and map `path`.

        Raises:
            CheckpointError: it is missing, empty, no regular file or cannot be opened.
        """
        self.path = path
        try:
            self._open(path)
        except OSError as problem:
            raise unreadable(path, problem) from None

    def _open(self, path: Path) -> None:
        if not path.exists():
            raise CheckpointError(
                str(path),
                found="no such file",
                expected="a checkpoint: .pth, .pt, .ckpt, .safetensors or a model folder",
                remedy="check the path",
            )
        if not path.is_file():
            raise CheckpointError(
                str(path),
                found="neither a regular file nor a folder",
                expected="a checkpoint file",
                remedy="copy the checkpoint to an ordinary file",
            )
        with path.open("rb") as file:
            self.size = os.fstat(file.fileno()).st_size
            self._file = os.dup(file.fileno())
            if not self.size:
                raise CheckpointError(
                    str(path),
                    found="an empty file (0 bytes)",
                    expected="a checkpoint",
                    remedy="copy or download it again",
                )
            # A private mapping: torch wants writable memory, the file must never change.
            self.data = mmap.mmap(file.fileno(), self.size, access=mmap.ACCESS_COPY)
        self.account = Account(self.size)
        self.mentions = Mentions()
        self._digest = digests.of_open(self._file)

    @property
    def sha256(self) -> str:
        """See above.

        Raises:
            CheckpointError: the computer refuses to read it.
        """
        try:
            return self._digest.result()
        except OSError as problem:
            raise unreadable(self.path, problem) from None

    def pieces(self, start: int, end: int) -> Iterator[bytes]:
        """The bytes ``[start, end)`` in order, without mapping them into memory.

        Raises:
            OSError: the computer refuses to read them.
        """
        return digests.pieces(self._file, start, end)

    def __del__(self) -> None:
        if hasattr(self, "_file"):
            os.close(self._file)

    def tensor(self, offset: int, nbytes: int) -> torch.Tensor:
        """The bytes ``[offset, offset + nbytes)`` as uint8 of shape ``(nbytes,)``, a view."""
        if not nbytes:
            return torch.empty(0, dtype=torch.uint8)
        view = torch.frombuffer(self.data, dtype=torch.uint8, count=nbytes, offset=offset)
        return view if offset % _ALIGNMENT == 0 else view.clone()


def unreadable(path: Path, problem: OSError) -> CheckpointError:
    """The error for a path that the computer refuses to read."""
    return CheckpointError(
        str(path),
        found=problem.strerror or str(problem),
        expected="a file that can be read",
        remedy="check its permissions and the disk",
    )


class Window(io.RawIOBase):
    """A mapped file as a file object, which may be closed without closing the mapping."""

    def __init__(self, source: Mapped) -> None:
        self._data = source.data
        self._size = source.size
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        base = (0, self._at, self._size)[whence]
        if base + offset < 0:
            raise OSError("a place before the file")
        self._at = base + offset
        return self._at

    def tell(self) -> int:
        return self._at

    def read(self, count: int = -1) -> bytes:
        end = self._size if count is None or count < 0 else min(self._size, self._at + count)
        piece = self._data[self._at : end] if end > self._at else b""
        self._at += len(piece)
        return piece
