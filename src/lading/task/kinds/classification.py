"""A class for each whole sample: a text, a picture, a row of numbers."""

from __future__ import annotations

from lading.task import Kind
from lading.task.probes import standing

KIND = Kind(standing, classifies=True)
