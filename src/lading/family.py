"""The contract of a family, and recognition: ask every family, explain the answer.

A family is a kind of network that can be rebuilt from its tensors. Each lives in one file (or one
folder) of `families/` and is found by being there: the module holds one object ``FAMILY`` that
keeps the contract below.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from torch import nn

from lading.checkpoint import Checkpoint
from lading.evidence import Recognition, Sign, Task


@dataclass(frozen=True)
class Rebuilt:
    """A network built from a recognition, not yet loaded.

    Attributes:
        module: in eval mode, on the meta device or with any values; its state dict's names are
            names of the checkpoint.
        task: what it takes and gives.
        unused: tensor names of the checkpoint that the module has no place for on purpose, each
            with the reason, e.g. ``{"decoder.seg_layers.0.weight": "unused at inference: deep
            supervision head at 1/32"}``.
    """

    module: nn.Module
    task: Task
    unused: Mapping[str, str]


class Family(Protocol):
    """What a family knows."""

    #: the file's name in `families/`, e.g. ``"nnunet"``
    name: str
    #: for people, e.g. ``"nnU-Net v2"``
    title: str

    def signs(self, checkpoint: Checkpoint) -> tuple[Sign, ...]:
        """What the family looks for; it claims the checkpoint when every sign is present."""
        ...

    def read(self, checkpoint: Checkpoint, settings: Mapping[str, str]) -> Recognition:
        """Every hyper-parameter with its evidence.

        Args:
            checkpoint: one that the family claims.
            settings: what the user set (``--set NAME=VALUE``), as text.

        Raises:
            RecognitionError: the tensors contradict the family.
            RequestError: a setting has an unknown name or a value that cannot be.
        """
        ...

    def build(self, recognition: Recognition) -> Rebuilt:
        """The network that the hyper-parameters describe."""
        ...
