"""The Swift package of a bill: the model, what stands around it, and its golden vectors as tests.

Records go in, files come out; nothing here knows a stage, so that a package is written without
torch. `support/` holds Swift that is the same in every package, a folder for each thing that one
may need; `templates/` what is filled in: names and facts, few and escaped. `facts` takes them from
the records, `names` makes them Swift, and `package` says which files belong to which network.
"""

from __future__ import annotations

from lading.app.names import require_name
from lading.app.package import Contents, usage, write

__all__ = ["Contents", "require_name", "usage", "write"]
