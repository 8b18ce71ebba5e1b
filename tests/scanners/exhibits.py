"""A name that acts, in every way in which a file can carry it."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from tests.attacks.pickles import archive, beside, name, text


def _short(word: str) -> bytes:
    return b"\x8c" + bytes([len(word.encode())]) + word.encode()


def _called(module: str, attribute: str) -> bytes:
    return name(f"{module}:{attribute}") + b"(" + text("x") + b"tR"


def _by_stack(module: str, attribute: str) -> bytes:
    return _short(module) + _short(attribute) + b"\x93" + _short("x") + b"\x85R"


def in_zip(module: str, attribute: str, path: Path) -> None:
    """Beside a tensor in a file that torch wrote."""
    archive(path, beside(_called(module, attribute)))


def in_older(module: str, attribute: str, path: Path) -> None:
    """The same in torch's older container."""
    out = io.BytesIO()
    torch.save({"w": torch.ones(2), "x": "PLACE"}, out, _use_new_zipfile_serialization=False)
    place = text("PLACE")
    assert out.getvalue().count(place) == 1
    path.write_bytes(out.getvalue().replace(place, _called(module, attribute)))


def bare(module: str, attribute: str, path: Path) -> None:
    """A bare pickle of protocol 2."""
    path.write_bytes(b"\x80\x02" + _called(module, attribute) + b".")


def bare_text(module: str, attribute: str, path: Path) -> None:
    """A bare pickle of protocol 0, which looks like a text."""
    path.write_bytes(f"c{module}\n{attribute}\n(S'x'\ntR.".encode())


def bare_stack(module: str, attribute: str, path: Path) -> None:
    """A bare pickle of protocol 4, its name put together on the stack."""
    path.write_bytes(b"\x80\x04" + _by_stack(module, attribute) + b".")


def memo(module: str, attribute: str, path: Path) -> None:
    """The halves of the name from the memo, with other texts in between."""
    path.write_bytes(
        b"\x80\x04" + _short(module) + b"\x940" + _short(attribute) + b"\x940" + _short("os.path")
        + b"0" + b"h\x00h\x01\x93" + b"(" + _short("x") + b"tR."
    )  # fmt: skip


def second(module: str, attribute: str, path: Path) -> None:
    """Behind a pickle that does nothing."""
    path.write_bytes(b"\x80\x02}.\x80\x02" + _called(module, attribute) + b".")


def broken(module: str, attribute: str, path: Path) -> None:
    """In a program that breaks off behind the call, which Python has made by then."""
    path.write_bytes(b"\x80\x02" + _called(module, attribute) + b"\xff\xff")


def member(module: str, attribute: str, path: Path) -> None:
    """In another member of a genuine archive."""
    program = b"\x80\x02" + _called(module, attribute) + b"."
    archive(path, beside(), **{"extra/payload.pkl": program})


def packed(module: str, attribute: str, path: Path) -> None:
    """The same, compressed."""
    program = b"\x80\x02" + _called(module, attribute) + b"."
    archive(path, beside(), 8, **{"payload.pkl": program})


def objects(module: str, attribute: str, path: Path) -> None:
    """In an array of objects that numpy wrote."""
    np.save(path, np.array([1], dtype=object))
    raw = path.read_bytes()
    head = raw[: 10 + struct.unpack("<H", raw[8:10])[0]]
    path.write_bytes(head + b"\x80\x02" + _called(module, attribute) + b".")


#: Each way with the suffix by which the scanners know the kind.
WAYS: dict[Callable[[str, str, Path], None], str] = {
    in_zip: ".pth", in_older: ".pth", bare: ".pkl", bare_text: ".pkl", bare_stack: ".pkl",
    memo: ".pkl", second: ".pkl", broken: ".pkl", member: ".pth", packed: ".pth", objects: ".npy",
}  # fmt: skip
