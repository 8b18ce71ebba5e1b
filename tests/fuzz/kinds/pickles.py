"""Runs of pickles: torch's from before 1.6, and those that torch never wrote."""

from __future__ import annotations

from tests.fuzz.checkpoints import bare, inspected, legacy
from tests.fuzz.kind import Kind
from tests.fuzz.mutate import PLAIN
from tests.fuzz.pickles import IN_FILE

KIND = (
    Kind("torch pickles", "model.pth", legacy, (*PLAIN, *IN_FILE), inspected),
    Kind("bare pickle", "model.pkl", bare, (*PLAIN, *IN_FILE), inspected),
)
