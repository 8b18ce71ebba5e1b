"""What a file is, by its first bytes; and for what is no checkpoint, words that say so."""

from __future__ import annotations

import re
from typing import Literal

from lading.checkpoint import safetensors_file
from lading.checkpoint.everything import is_tar
from lading.checkpoint.mapped import Mapped
from lading.errors import CheckpointError

Container = Literal["torch zip", "torch pickles", "torch tar", "safetensors"]

_HEAD = 4096

#: First bytes, what they mean, what to do.
_OTHERS: tuple[tuple[bytes, str, str], ...] = (
    (b"\x1f\x8b", "a gzip file", "unpack it (gunzip) and give the file inside"),
    (b"BZh", "a bzip2 file", "unpack it and give the file inside"),
    (b"\xfd7zXZ", "an xz file", "unpack it and give the file inside"),
    (b"7z\xbc\xaf", "a 7-zip archive", "unpack it and give the file inside"),
    (b"Rar!", "a RAR archive", "unpack it and give the file inside"),
    (b"\x89HDF", "an HDF5 file, as Keras writes", "give a PyTorch checkpoint"),
    (b"GGUF", "a GGUF file", "give the PyTorch checkpoint that it was made from"),
    (b"\x93NUMPY", "a numpy array (.npy)", "give a PyTorch checkpoint"),
    (b"\x89PNG", "a PNG picture", "give a PyTorch checkpoint"),
    (b"%PDF", "a PDF document", "give a PyTorch checkpoint"),
    (b"\x7fELF", "a program (ELF)", "give a PyTorch checkpoint"),
)

_EXPECTED = "a checkpoint written by torch.save, or a safetensors file"


def container(source: Mapped) -> Container:
    """Which container the content of `source` is, whatever the file is called.

    Raises:
        CheckpointError: it is something else; the error says what, where that is known.
    """
    head = source.data[:_HEAD]
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return "torch zip"
    if safetensors_file.looks_like(head):
        return "safetensors"
    if is_tar(head[:512]):
        return "torch tar"
    if head[:1] == b"\x80":
        return "torch pickles"
    raise _no_checkpoint(source, head)


def _no_checkpoint(source: Mapped, head: bytes) -> CheckpointError:
    def error(found: str, remedy: str) -> CheckpointError:
        return CheckpointError(str(source.path), found=found, expected=_EXPECTED, remedy=remedy)

    start = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if head.startswith(b"version https://git-lfs"):
        return error(
            f"a Git LFS pointer of {source.size:,} bytes, not the file it points to",
            "fetch the file itself: git lfs pull",
        )
    if start.startswith((b"<!doctype html", b"<html", b"<head")):
        return error(
            "an HTML page: the download saved a web page in place of the file",
            "download it again from the direct link (signed in, where the site asks for it)",
        )
    for magic, found, remedy in _OTHERS:
        if head.startswith(magic):
            return error(found, remedy)
    converted = _converted(head)
    if converted:
        return error(
            f"{converted}, the result of a conversion",
            "give the PyTorch checkpoint that it was made from",
        )
    if not any(head):
        return error(
            "nothing but zero bytes at its beginning",
            "copy or download it again: the transfer was not finished",
        )
    text = _as_text(head)
    if text is not None:
        first = " ".join(text.split())[:60]
        kind = "JSON" if start[:1] in (b"{", b"[") else "an XML file" if start[:1] == b"<" else ""
        return error(f"{kind or 'a text file'} ({first!r})", "give the checkpoint itself")
    return error(
        f"bytes of no kind that lading knows ({head[:8].hex(' ')})",
        "check that it is the right file and whole; copy or download it again",
    )


def _converted(head: bytes) -> str:
    """What a converted model is, by its first fields; empty where it is none.

    Both begin with a number, that of a version. What follows is in Core ML a description, which
    begins with an input; in ONNX the name of who made it, or the graph.
    """
    second = re.match(
        rb"\x08[\x80-\xff]*[\x00-\x7f]([\x12\x3a])[\x80-\xff]*[\x00-\x7f](.)", head, re.S
    )
    if second is None:
        return ""
    field, first = second.groups()
    return "a Core ML model" if (field, first) == (b"\x12", b"\n") else "an ONNX model"


def _as_text(head: bytes) -> str | None:
    # The head may end inside a character: its last bytes do not count.
    try:
        text = head.decode("utf-8")
    except UnicodeDecodeError as problem:
        if problem.start < len(head) - 4:
            return None
        text = head[: problem.start].decode("utf-8")
    return text if all(one.isprintable() or one in "\r\n\t\f" for one in text) else None
