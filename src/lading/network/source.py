"""How a network is had: one record, handed on whole, and what is got by it.

`read` reads the file and recognises what is in it; `Read.load` rebuilds the network and accounts
for every tensor; `load` is both.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from lading import checkpoint as checkpoints
from lading.base.progress import Progress, silent
from lading.checkpoint import Checkpoint, ledger
from lading.errors import LadingError
from lading.network import families, naming, own_module, settling
from lading.network.own_module import OwnModule
from lading.record import Recognition, Task


@dataclass(frozen=True)
class Source:
    """How a network is had.

    Attributes:
        path: the checkpoint or model folder.
        which: of several networks in a file, the keys that lead to it; of a model folder, the
            stage of its training. None for the one that is there, or the averaged one.
        fold: of a model folder.
        given: hyper-parameters that the user settles, by name, as text.
        config: of the network, YAML or JSON, for a family that takes one.
        settle: pictures on which to measure what the tensors and the configuration leave open.
        code: the user's own network, in place of a family's.
        ignore: patterns of names that are none of the network's.
    """

    path: Path
    which: str | None = None
    fold: str | None = None
    given: Mapping[str, str] = field(default_factory=dict)
    config: Path | None = None
    settle: tuple[Path, ...] = ()
    code: OwnModule | None = None
    ignore: tuple[str, ...] = ()


@dataclass(frozen=True)
class Loaded:
    """A checkpoint, recognised, rebuilt, and accounted for."""

    checkpoint: Checkpoint
    recognition: Recognition
    task: Task
    network: Any
    ledger: ledger.Ledger


@dataclass(frozen=True)
class Read:
    """A checkpoint, read and recognised; `maker` is the family, or the user's own code; `ignore`
    are patterns of names that are none of the network's."""

    checkpoint: Checkpoint
    recognition: Recognition
    maker: Any
    progress: Progress
    ignore: tuple[str, ...] = ()

    def load(self) -> Loaded:
        """The network rebuilt, with every tensor accounted for.

        Raises:
            LadingError: a conflict is open, the code fails, or the ledger cannot be closed.
        """
        families.require_settled(self.recognition)
        self.progress("rebuild", self.recognition.title)
        names = f"{len(self.checkpoint.tensors)} names"
        if isinstance(self.maker, OwnModule):
            return self._own(self.maker, names)
        rebuilt = self.maker.build(self.recognition)
        self.progress("ledger", names)
        unused = {
            **rebuilt.unused,
            **naming.set_aside(rebuilt.module, self.checkpoint, self.ignore, rebuilt.spellings),
        }
        closed = ledger.close(rebuilt.module, self.checkpoint, unused, rebuilt.spellings)
        return Loaded(self.checkpoint, self.recognition, rebuilt.task, rebuilt.module, closed)

    def _own(self, code: OwnModule, names: str) -> Loaded:
        """The user's network: loaded by names under the prefix that fits, or by bytes where its
        factory has read the file itself."""
        module, has_read = code.build(self.checkpoint.place)
        checkpoint, step = self.checkpoint, ""
        self.progress("ledger", names)
        if has_read:
            module = module.float()  # as a file in half precision is lifted
            spelled = naming.by_bytes(module, checkpoint)
            step = f"{code.origin} read the file itself; its tensors are known by their values"
        else:
            spelled, step = naming.spellings(module, checkpoint)
        unused = naming.set_aside(module, checkpoint, self.ignore, spelled)
        if step:
            record = checkpoint.record
            record = replace(record, steps=(*record.steps, step))
            checkpoint = replace(checkpoint, record=record)
        close = ledger.recorded if code.live else ledger.close
        closed = close(module, checkpoint, unused, spelled)
        task, flat = code.task(module)
        return Loaded(checkpoint, self.recognition, task, flat, closed)


def tensors(source: Source, progress: Progress = silent) -> Checkpoint:
    """What is in the file; nothing is recognised. Of a live module, its own values.

    Raises:
        LadingError: it cannot be read.
    """
    code = source.code
    if code is not None:
        said = [f"--set {name}={value}" for name, value in source.given.items()]
        said += [f"--config {source.config}"] if source.config else []
        own_module.require_alone(code, said + (["--settle-with"] if source.settle else []))
    progress("read", str(source.path))
    if code is not None and code.live:
        path = str(source.path) if code.sha256 else ""
        return checkpoints.of_module(code.build()[0], code.container, path, code.sha256)
    return checkpoints.read(source.path, fold=source.fold, which=source.which)


def read(source: Source, progress: Progress = silent) -> Read:
    """The checkpoint, and what is recognised in it.

    Raises:
        LadingError: it cannot be read, or no family claims it.
    """
    return recognised(source, tensors(source, progress), progress)


def recognised(source: Source, checkpoint: Checkpoint, progress: Progress = silent) -> Read:
    """What is recognised in a checkpoint that was read.

    Raises:
        LadingError: no family claims it.
    """
    own = source.code
    if own is not None:
        return Read(checkpoint, own.recognition(), own, progress, source.ignore)
    try:
        return _recognised(source, checkpoint, progress)
    except LadingError as problem:
        raise checkpoints.naming(problem, checkpoint.record.mentions) from None


def _recognised(source: Source, checkpoint: Checkpoint, progress: Progress) -> Read:
    if source.config is not None:
        checkpoint = checkpoints.with_config(checkpoint, source.config)
    progress("recognise", f"{len(checkpoint.tensors)} tensor names")
    family, recognition = families.recognise(checkpoint, source.given)
    if source.settle:
        families.require_settled(recognition)
        recognition = settling.settled(checkpoint, family, recognition, source.settle, progress)
    return Read(checkpoint, recognition, family, progress, source.ignore)


def load(source: Source, progress: Progress = silent) -> Loaded:
    """Reads, recognises, rebuilds and accounts.

    Raises:
        LadingError: any of it refused; see `lading.errors`.
    """
    return read(source, progress).load()
