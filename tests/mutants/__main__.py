"""``python -m tests.mutants``: see `tests.mutants.suite`."""

from __future__ import annotations

import sys

from tests.mutants.suite import main

if __name__ == "__main__":
    sys.exit(main())
