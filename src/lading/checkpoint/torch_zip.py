"""torch's zip archives (since 1.6): ``NAME/data.pkl`` and one entry a storage, ``NAME/data/0``."""

from __future__ import annotations

from typing import Any

import torch

from lading.checkpoint.allowed import ELEMENTS
from lading.checkpoint.archive import WHY_AGAIN, Archive
from lading.checkpoint.inert import Named
from lading.checkpoint.mapped import Mapped
from lading.checkpoint.program import is_short
from lading.checkpoint.rebuild import Storage
from lading.checkpoint.shown import cut, shown
from lading.checkpoint.unpickle import Machine
from lading.errors import CheckpointError


def read(source: Mapped) -> tuple[Any, list[str]]:
    """The object in a torch zip archive, and the steps taken.

    Raises:
        CheckpointError: it is another kind of archive, or damaged.
        UnsafeFileError: it would run code or unpack to far more than it holds.
    """
    archive = Archive(source)
    roots = [name[: -len("data.pkl")] for name in archive.entries if name.endswith("/data.pkl")]
    roots += [""] if "data.pkl" in archive.entries else []
    if len(roots) != 1 or any(name.endswith("constants.pkl") for name in archive.entries):
        raise _other_archive(archive)
    (root,) = roots
    steps = ["opened the zip archive that torch.save wrote"]
    if not archive.checked:
        steps.append("the archive holds no checksums: damage to its bytes cannot be seen")
    order = archive.read(f"{root}byteorder") if f"{root}byteorder" in archive.entries else b"little"
    if order != b"little":
        raise big_endian(str(source.path))
    storages: dict[str, torch.Tensor] = {}

    def persistent(identity: Any) -> Storage:
        if not (isinstance(identity, tuple) and len(identity) == 5 and identity[0] == "storage"):
            raise machine.malformed(f"a storage described as {shown(identity)}")
        _, kind, key, _, numel = identity
        dtype = element_type(kind)
        check_not_quantised(kind, str(source.path))
        if dtype is None or type(numel) is not int or not 0 <= numel < 1 << 60:
            raise machine.malformed(f"a storage of type {shown(kind)} with {shown(numel)} elements")
        name = f"{root}data/{key}" if is_short(key, 1_000) else ""
        if name not in archive.entries:
            raise machine.malformed(f"a storage {shown(key)}, which the archive does not hold")
        held = archive.entries[name].info.file_size
        if numel * dtype.itemsize > held:
            raise CheckpointError(
                f"{source.path}, entry {name}",
                found=f"{held:,} bytes",
                expected=f"{numel:,} elements of {dtype}, {numel * dtype.itemsize:,} bytes",
                remedy=WHY_AGAIN,
            )
        if key not in storages:
            storages[key] = archive.tensor(name)
            source.mentions.storages.add(name)
        data = storages[key][: numel * dtype.itemsize]
        return Storage(data, dtype, f"storage {key}", source.account)

    where = f"{source.path}, entry {root}data.pkl"
    machine = Machine(
        archive.read(f"{root}data.pkl"), where=where, account=source.account,
        mentions=source.mentions, persistent=persistent,
    )  # fmt: skip
    value = machine.run()
    source.mentions.ended[where] = machine.position
    return value, steps


def element_type(kind: Any, suffix: str = "Storage") -> torch.dtype | None:
    """The dtype of a storage class such as ``torch.FloatStorage``; None if it is none."""
    if not isinstance(kind, Named) or not kind.name.endswith(suffix):
        return None
    if kind.module not in ("torch", "torch.cuda", "torch.storage"):
        return None
    return ELEMENTS.get(kind.name.removesuffix(suffix))


def check_not_quantised(kind: Any, subject: str) -> None:
    """Refuse the storage classes of quantised tensors, ``torch.QInt8Storage`` and its kin.

    Raises:
        CheckpointError: `kind` is one of them.
    """
    if isinstance(kind, Named) and kind.name.startswith(("QInt", "QUInt")):
        raise CheckpointError(
            subject,
            found=f"quantised tensors ({kind.name})",
            expected="tensors of plain numbers",
            remedy="give the checkpoint from before quantisation",
        )


def big_endian(subject: str) -> CheckpointError:
    """The error for a file from a big-endian computer."""
    return CheckpointError(
        subject,
        found="tensors written on a big-endian computer",
        expected="little-endian tensors",
        remedy="ask its author for a safetensors file, which is little-endian everywhere",
    )


def _other_archive(archive: Archive) -> CheckpointError:
    names = list(archive.entries)
    if any(name.endswith("constants.pkl") for name in names):
        found = "a TorchScript archive: a program with its weights, not a checkpoint"
        remedy = "ask its author for the state dict: torch.save(model.state_dict(), path)"
    elif any(name.endswith(("/archive_format", "archive_version")) for name in names):
        found = "a program that torch.export saved, not a checkpoint"
        remedy = "give the checkpoint that it was exported from"
    elif any(name.endswith("Manifest.json") for name in names):
        found = "a zipped Core ML package, the result of a conversion"
        remedy = "give the PyTorch checkpoint that it was made from"
    elif names and all(name.endswith(".npy") for name in names):
        found = "a numpy archive (.npz)"
        remedy = "save the weights as safetensors: safetensors.numpy.save_file(dict, path)"
    else:
        listed = ", ".join(cut(name) for name in names[:5]) or "no entries"
        found = f"a zip archive without exactly one data.pkl ({listed})"
        remedy = "if it holds a checkpoint, unpack it and give the file inside"
    return CheckpointError(
        archive.subject, found=found, expected="an archive that torch.save wrote", remedy=remedy
    )
