"""``torch.save``'s zip archives."""

from __future__ import annotations

from tests.fuzz.checkpoints import inspected, zipped
from tests.fuzz.kind import Kind
from tests.fuzz.mutate import PLAIN
from tests.fuzz.pickles import IN_ARCHIVE
from tests.fuzz.zips import ZIP

KIND = Kind("torch zip", "model.pth", zipped, (*PLAIN, *ZIP, *IN_ARCHIVE), inspected)
