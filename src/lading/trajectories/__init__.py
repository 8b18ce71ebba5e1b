"""Walks from noise to a picture, several networks beside each other.

`parting` compares walks move by move, `chart` draws that for a folder of samples; `network` is what
samplers call; `ways`, `course` and `sheet` are the trajectory of a voyage, which its bill holds.
"""

from lading.trajectories.chart import chart
from lading.trajectories.course import GATES, STEPS, Course, Taken, course, require_walkable
from lading.trajectories.network import Network
from lading.trajectories.parting import HIGHEST, Parting, Walked, part, parts
from lading.trajectories.sheet import as_image, pictures, png

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
