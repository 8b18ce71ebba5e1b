"""numpy's archives, which are refused by name, the pickles in them named."""

from __future__ import annotations

from tests.fuzz.checkpoints import arrays, inspected
from tests.fuzz.kind import Kind
from tests.fuzz.mutate import PLAIN
from tests.fuzz.zips import ZIP

KIND = Kind("npz", "weights.npz", arrays, (*PLAIN, *ZIP), inspected)
