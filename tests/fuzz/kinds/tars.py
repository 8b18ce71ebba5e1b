"""torch 0.1's tar."""

from __future__ import annotations

from tests.fuzz.checkpoints import inspected, tarred
from tests.fuzz.kind import Kind
from tests.fuzz.mutate import PLAIN
from tests.fuzz.tars import TAR

KIND = Kind("torch tar", "model.t7", tarred, (*PLAIN, *TAR), inspected)
