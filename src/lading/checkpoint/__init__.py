"""Reading a checkpoint safely: open any container, run none of its code, name every tensor."""

from lading.checkpoint.model import Checkpoint

__all__ = ["Checkpoint"]
