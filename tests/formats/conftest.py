"""One checkpoint carried to every format there is, for all readers of formats."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from lading import api
from lading.formats import formats
from lading.record import ArtifactRecord, Bill


@dataclass(frozen=True)
class Carried:
    """A checkpoint, what it was carried to, and the bill; `network` is nnU-Net's own module."""

    checkpoint: Path
    network: Any
    out: Path
    bill: Bill

    def record(self, name: str) -> ArtifactRecord:
        """Of the artifact of a format."""
        return next(record for record in self.bill.artifacts if record.format == name)

    def path(self, name: str) -> Path:
        return self.out / self.record(name).path


@pytest.fixture(scope="session")
def carried(
    small_checkpoint: Path, small_network: Any, tmp_path_factory: pytest.TempPathFactory
) -> Carried:
    """At the default settings."""
    out = tmp_path_factory.mktemp("every") / "out"
    bill = api.convert(small_checkpoint, out, to=tuple(formats()))
    assert bill.verdict == "pass", [one.reason for one in bill.comparisons]
    return Carried(small_checkpoint, small_network, out, bill)
