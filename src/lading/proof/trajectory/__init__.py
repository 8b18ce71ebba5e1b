"""Walks from noise to a picture, several networks beside each other.

`parting` compares walks move by move, `chart` draws that for a folder of samples; `network` is what
samplers call; `ways`, `course` and `sheet` are the trajectory of a voyage, which its bill holds.
"""

from lading.proof.trajectory.chart import chart
from lading.proof.trajectory.course import GATES, STEPS, Course, Taken, course, require_walkable
from lading.proof.trajectory.network import Network
from lading.proof.trajectory.parting import HIGHEST, Parting, Walked, part, parts
from lading.proof.trajectory.sheet import as_image, pictures, png

__all__ = [
    "GATES",
    "HIGHEST",
    "STEPS",
    "Course",
    "Network",
    "Parting",
    "Taken",
    "Walked",
    "as_image",
    "chart",
    "course",
    "part",
    "parts",
    "pictures",
    "png",
    "require_walkable",
]
