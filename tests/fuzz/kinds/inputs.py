"""What is fed to an artifact: arrays, and tables of samples."""

from __future__ import annotations

import io
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from lading.errors import LadingError
from lading.proof.table.rows import Table
from lading.record import Port
from lading.task import pictures, prepare
from tests.fuzz.kind import Case, Kind
from tests.fuzz.mutate import NUMBERS, PLAIN
from tests.fuzz.zips import bytes_of

_PORTS = (
    Port("x", "tensor", "float32", (1, 3)),
    Port("x", "image", "float32", (1, 1, 4, 4)),
    Port("x", "tensor", "int32", (-1, -1), ranges=((1, 9), (1, 9))),
)


def arrays() -> list[Case]:
    """`.npy` files of some types and shapes."""
    made: list[Case] = []
    for values in (
        np.zeros((1, 3), np.float32), np.arange(16, dtype=np.uint8).reshape(4, 4), np.float64(1),
        np.zeros((2, 3), ">i2", order="F"), np.ones((1, 1, 4, 4), bool), np.zeros(0, np.complex64),
        np.array(["a"]), np.zeros(2, [("a", "f4")]),
    ):  # fmt: skip
        np.save(out := io.BytesIO(), values)
        made.append(out.getvalue())
    return made


def header(random: Random, case: Case, seeds: Any) -> Case:
    """Another shape, type or order in the header."""
    data = bytes_of(case)
    size = random.choice(NUMBERS)
    shape = random.choice(
        (f"({size},)", f"({size}, {size})", "(-1,)", "()", "(1,)*99", "(1, 3, 'x')")
    )
    kind = random.choice(("<f4", "|O", "<U9", "|V4", "[('a', '<f4')]", "<f" + "9" * 30, "<M8[s]"))
    text = (
        f"{{'descr': '{kind}', 'fortran_order': {random.choice(('True', '3'))}, 'shape': {shape}}}"
    )
    if random.random() < 0.2:
        text = "(" * random.choice((9, 900, 20_000)) + text
    raw = text.encode() + b" " * random.randrange(64) + b"\n"
    return (
        data[:8] + len(raw).to_bytes(2, "little")[:2] + raw + data[128:]
        if len(raw) < 65536
        else case
    )


def fed(path: Path) -> None:
    """As `lading run --input` and ``--data`` read it."""
    for port in _PORTS:
        try:
            prepare.file(path, port)
        except LadingError:
            continue
    pictures.read_array(path)


def tables() -> list[Case]:
    """Tables of texts."""
    return [b'text,label\nab,a\n"c,d",b\n', "\ufefflabel,more,text\r\na,1,é\r\n\r\n".encode()]


def cells(random: Random, case: Case, seeds: Any) -> Case:
    """A row that is seldom meant."""
    odd = (
        b'"' * 99,
        b"," * 5000,
        b"x" * (1 << 21),
        b'"a\n' * 2000,
        b"\0,a",
        b"a,zz",
        b"\xff,a",
        b'"',
    )
    data = bytes_of(case)
    at = random.randrange(len(data) + 1)
    return data[:at] + random.choice(odd) + b"\n" + data[at:]


def rows(path: Path) -> int:
    """As ``--data FILE.csv`` reads it."""
    with Table(path, ("a", "b"), "text") as table:
        return sum(1 for _ in table)


KIND = (
    Kind("npy", "x.npy", arrays, (*PLAIN, *(header,) * 8), fed),
    Kind("table", "x.csv", tables, (*PLAIN, *(cells,) * 4), rows),
)
