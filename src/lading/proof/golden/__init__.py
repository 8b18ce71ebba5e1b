"""Golden vectors: inputs and the original's answers, which lie beside the artifact.

Whoever builds an app around the artifact checks it against them, on any device and in any
language: raw little-endian arrays and one JSON index, documented in `docs/golden.md`. `index` is
the format and knows no model; `make` chooses and writes them; `rerun` runs an artifact on them,
without the checkpoint. Whoever only reads them loads neither, and no torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from lading.proof.golden.index import FOLDER, INDEX, Index, load

if TYPE_CHECKING:
    from lading.proof.golden.make import write
    from lading.proof.golden.rerun import Replay, replay

__all__ = ["FOLDER", "INDEX", "Index", "Replay", "load", "replay", "write"]
_LATER = {"write": "make", "Replay": "rerun", "replay": "rerun"}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_LATER[name]}"), name)
