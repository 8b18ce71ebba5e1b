"""Plain tensors: a network of the user's own, of which nothing but its ports is known."""

from __future__ import annotations

from lading.task import Kind
from lading.task.probes import standing

KIND = Kind(standing)
