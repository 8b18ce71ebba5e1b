"""The command line of lading, in a process where torchvision can be imported."""

from __future__ import annotations

import sys

import tests.breadth.vision  # noqa: F401  # before what imports torchvision
from lading.cli import main

if __name__ == "__main__":
    sys.exit(main())
