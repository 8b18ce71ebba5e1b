"""Golden vectors: inputs and the original's answers, which lie beside the artifact.

Whoever builds an app around the artifact checks it against them, on any device and in any
language: raw little-endian arrays and one JSON index, documented in `docs/golden.md`. `index` is
the format and knows no model; `make` chooses and writes them; `replay` runs an artifact on them,
without the checkpoint.
"""

from __future__ import annotations

from lading.proof.golden.index import FOLDER, INDEX, Index, load
from lading.proof.golden.make import write
from lading.proof.golden.replay import Replay, replay

__all__ = ["FOLDER", "INDEX", "Index", "Replay", "load", "replay", "write"]
