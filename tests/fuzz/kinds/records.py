"""What lading itself wrote and somebody changed: a bill, and golden vectors."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from lading.base import storage
from lading.page import diff, sheet
from lading.proof.golden import index
from lading.record import Port, Task, to_json
from tests import bills
from tests.fuzz.headers import CONFIGURATION, SIDES
from tests.fuzz.kind import Case, Kind
from tests.fuzz.mutate import PLAIN


def written() -> list[Case]:
    """Bills, one with everything in it."""
    many = (bills.short(bills.full()), bills.failed(), bills.bare(), bills.hostile())
    return [json.dumps(to_json(one)).encode("utf-8", "surrogatepass") for one in many]


def drawn(path: Path) -> int:
    """As `lading report` and `lading diff` read it, and ``--force`` before it replaces a result."""
    storage.require_own(path.parent, (), page="report.html", golden="golden")
    bill = sheet.read(path)
    diff.render(diff.compare(bill, bill))
    return len(sheet.render(bill))


def vectors() -> list[Case]:
    """A folder of two arrays with their index."""
    port = Port("x", "tensor", "float32", (1, 3))
    stored, data = index.store("noise-0", "input", "x", np.zeros((1, 3), np.float32))
    vector = index.Vector("noise-0", "noise", "1", {"x": stored}, {"x": stored})

    told = index.Index(
        index.FORMAT, index.SCHEMA, "0", "little", "ab", Task("module", (port,), (port,)), (port,),
        (port,), "", "", {}, (vector,),
    )  # fmt: skip
    return [{"index.json": index.dumps(told).encode(), stored.file: data}]


KIND = (
    Kind("bill", "lading.json", written, (*PLAIN, *CONFIGURATION[-4:] * 3), drawn),
    Kind("golden vectors", "golden", vectors, (*PLAIN, *SIDES), index.load),
)
