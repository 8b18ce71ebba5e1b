"""What reading a file gives: tensors by name, what else was in it, and how it was reached."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from lading.checkpoint.aliases import find_aliases
from lading.checkpoint.tensors import digest, finite
from lading.record import CheckpointRecord, Conflict


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint, read and tidied; no code from the file has run.

    Attributes:
        record: path, digest, container, and the steps from the file to the tensors.
        tensors: every tensor name of the network, aliases included, in the file's order.
        aliases: second names, each to the first name of the same storage (or of equal bytes where
            the writer unshared them). The first name is not among the keys. It is the one that
            the rebuilt module uses, by the rule in `lading.checkpoint.aliases`.
        conflicts: names that should be one tensor and differ.
        metadata: everything in the file that is not the network's tensors: plain values, and
            inert placeholders for classes that lading does not know.
        sides: JSON files that lay beside the checkpoint in a model folder, and the configuration
            that the user named, by file name.
        config: which of `sides` is the user's configuration; empty where none was named.
        place: the file or folder as it was named; None where there is none.
    """

    record: CheckpointRecord
    tensors: Mapping[str, torch.Tensor]
    aliases: Mapping[str, str] = field(default_factory=dict)
    conflicts: tuple[Conflict, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)
    sides: Mapping[str, Any] = field(default_factory=dict)
    config: str = ""
    place: Path | None = None

    def shape(self, name: str) -> tuple[int, ...]:
        """The shape of tensor `name`.

        Raises:
            KeyError: there is no such tensor.
        """
        return tuple(self.tensors[name].shape)


def of_module(
    module: nn.Module, container: str = "live module", path: str = "", sha256: str = ""
) -> Checkpoint:
    """The values of a module that is at hand, as a checkpoint.

    Args:
        module: in memory.
        container: where its values come from.
        path: of the file that it was loaded from; its class's name where there is none.
        sha256: of that file; of the values where there is none.

    >>> of_module(nn.Linear(2, 1)).record.container
    'live module'
    """
    tensors = {n: t for n, t in module.state_dict().items() if isinstance(t, torch.Tensor)}
    sha, size = hashlib.sha256(), 0
    for name, tensor in tensors.items():
        sha.update(f"{name} {digest(tensor)}\n".encode())
        size += tensor.numel() * tensor.itemsize
    steps = (f"took the tensors of the {container}" + ("" if path else ": there is no file"),)
    name = path or type(module).__name__
    record = CheckpointRecord(name, sha256 or sha.hexdigest(), size, container, steps)
    return Checkpoint(record, tensors, find_aliases(tensors)[0])


def nonfinite(checkpoint: Checkpoint) -> tuple[str, ...]:
    """Names of tensors that hold NaN or an infinity, aliases included, in the file's order.

    >>> weights = {"a": torch.tensor([1.0, float("nan")]), "b": torch.ones(2)}
    >>> nonfinite(Checkpoint(CheckpointRecord("w.pth", "", 0, "torch zip"), weights))
    ('a',)
    """
    found: dict[str, bool] = {}
    for name, tensor in checkpoint.tensors.items():
        first = checkpoint.aliases.get(name, name)
        if first not in found:
            found[first] = not finite(tensor)
    return tuple(name for name in checkpoint.tensors if found[checkpoint.aliases.get(name, name)])
