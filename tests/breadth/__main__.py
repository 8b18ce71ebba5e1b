"""``python -m tests.breadth``: see `tests.breadth.suite`."""

from __future__ import annotations

import sys

from tests.breadth.suite import main

if __name__ == "__main__":
    sys.exit(main())
