"""Walks from noise to a picture, several networks beside each other.

`ways` says how a network is walked, `course` holds walks against the original's, move by move, and
`sheet` draws them for the bill.
"""

from lading.proof.trajectory.course import STEPS, Course, Taken, course, parts, require_walkable
from lading.proof.trajectory.sheet import pictures
from lading.proof.trajectory.ways import sampled

__all__ = [
    "STEPS", "Course", "Taken", "course", "parts", "pictures", "require_walkable", "sampled",
]  # fmt: skip
