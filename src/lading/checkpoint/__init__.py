"""Reading a checkpoint safely: open any container, run none of its code, name every tensor."""

from lading.checkpoint.aliases import find_aliases
from lading.checkpoint.inert import Named, Placeholder
from lading.checkpoint.mentions import naming
from lading.checkpoint.model import Checkpoint, nonfinite, of_module
from lading.checkpoint.reader import read
from lading.checkpoint.side_file import read_config, with_config

__all__ = [
    "Checkpoint",
    "Named",
    "Placeholder",
    "find_aliases",
    "naming",
    "nonfinite",
    "of_module",
    "read",
    "read_config",
    "with_config",
]
