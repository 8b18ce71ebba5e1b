"""Pickle programs and archives, put together by hand."""

from __future__ import annotations

import struct
import zipfile
from pathlib import Path


def name(dotted: str) -> bytes:
    """Pushes the class or function `dotted`; of ``a.b:c.d`` the module is what stands before."""
    module, _, attribute = dotted.partition(":") if ":" in dotted else dotted.rpartition(".")
    return b"c" + module.encode() + b"\n" + attribute.encode() + b"\n"


def text(value: str) -> bytes:
    """Pushes a text."""
    raw = value.encode()
    return b"X" + struct.pack("<I", len(raw)) + raw


def whole(value: int) -> bytes:
    """Pushes a whole number."""
    raw = value.to_bytes((value.bit_length() + 8) // 8, "little", signed=True)
    return b"\x8b" + struct.pack("<i", len(raw)) + raw


def call(dotted: str, *args: bytes) -> bytes:
    """Calls `dotted` with what `args` push."""
    return name(dotted) + b"(" + b"".join(args) + b"tR"


#: Pushes a float32 tensor of four elements over storage 0.
TENSOR = call(
    "torch._utils._rebuild_tensor_v2",
    b"(" + text("storage") + name("torch.FloatStorage") + text("0") + text("cpu") + b"K\x04tQ",
    b"K\x00(K\x04t(K\x01t\x89" + call("collections.OrderedDict"),
)


def beside(*values: bytes) -> bytes:
    """A state dict of one tensor with what `values` push beside it."""
    pairs = b"".join(text(f"x{index}") + value for index, value in enumerate(values))
    return b"\x80\x02}(" + text("w") + TENSOR + pairs + b"u."


def archive(path: Path, program: bytes, method: int = 0, **more: bytes) -> Path:
    """A torch zip with `program`, and with `more` entries."""
    with zipfile.ZipFile(path, "w", method) as out:
        out.writestr("archive/data.pkl", program)
        out.writestr("archive/byteorder", "little")
        out.writestr("archive/data/0", struct.pack("<4f", 1, 2, 3, 4))
        out.writestr("archive/version", "3\n")
        for entry, data in more.items():
            out.writestr(f"archive/{entry}", data)
    return path
