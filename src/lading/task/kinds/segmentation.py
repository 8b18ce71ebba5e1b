"""A class for each position of a picture or volume."""

from __future__ import annotations

from lading.task import Kind
from lading.task.probes import standing

KIND = Kind(standing, maps=True)
