"""torch's older containers: the run of pickles (before 1.6) and the tar (0.1).

The run of pickles is: a magic number, a protocol number, facts about the writer's computer, the
object, the list of storage keys, and then the storages themselves, each as an int64 count and its
elements. The object comes before the place of its storages is known, so it is read twice: once
over storages without memory, to find where it ends, and once over the real ones.

The tar holds ``storages``, ``tensors`` and ``pickle``; the object refers to tensors by number.
"""

from __future__ import annotations

import struct
import tarfile
from collections.abc import Callable
from typing import Any

import torch

from lading.checkpoint.inert import Named
from lading.checkpoint.mapped import Mapped
from lading.checkpoint.program import is_short, told
from lading.checkpoint.rebuild import Storage, view
from lading.checkpoint.shown import cut, shown
from lading.checkpoint.torch_zip import big_endian, check_not_quantised, element_type
from lading.checkpoint.unpickle import Machine
from lading.errors import CheckpointError

MAGIC = 0x1950A86A20F9469CFC6C
PROTOCOL = 1001
_COUNT = struct.Struct("<q")


def _malformed(subject: str, found: str) -> CheckpointError:
    return CheckpointError(
        subject,
        found=found,
        expected="a whole file as torch.save writes it",
        remedy="copy or download it again, and compare its size or digest with the original's",
    )


def _no_storage(identity: Any) -> Any:
    raise ValueError("a storage where none can be")


# ------------------------------------------------------------------------------ run of pickles
def read(source: Mapped) -> tuple[Any, list[str]]:
    """The object in a run of pickles, and the steps taken.

    Raises:
        CheckpointError: it is no torch file, or cut short.
        UnsafeFileError: it would run code.
    """
    subject, at = str(source.path), 0

    def next_object(persistent: Callable[[Any], Any]) -> Any:
        nonlocal at
        machine = Machine(
            source.data, position=at, where=subject, account=source.account,
            mentions=source.mentions, persistent=persistent,
        )  # fmt: skip
        value = machine.run()
        at = machine.position
        return value

    def is_number(number: int) -> bool:
        value = next_object(_no_storage)
        return type(value) is int and value == number

    if not is_number(MAGIC):
        raise CheckpointError(
            subject,
            found="a pickle that torch.save did not write",
            expected="a checkpoint written by torch.save, or a safetensors file",
            remedy="ask its author for the weights, written with torch.save or safetensors",
        )
    if not is_number(PROTOCOL):
        raise _malformed(subject, "an unknown version of torch's old format")
    facts = next_object(_no_storage)
    if isinstance(facts, dict) and facts.get("little_endian") is False:
        raise big_endian(subject)

    begin = at
    found: dict[str, tuple[torch.dtype, int]] = {}

    def without_memory(identity: Any) -> Any:
        return _persistent(identity, source, note)

    def note(key: str, dtype: torch.dtype, numel: int) -> torch.Tensor:
        if found.setdefault(key, (dtype, numel)) != (dtype, numel):
            raise _malformed(subject, f"storage {cut(key)} with two different sizes or types")
        return torch.empty(numel * dtype.itemsize, dtype=torch.uint8, device="meta")

    next_object(without_memory)
    keys = next_object(_no_storage)
    known = isinstance(keys, list) and len(keys) == len(found)
    if not known or not all(isinstance(key, str) for key in keys) or set(keys) != set(found):
        raise _malformed(subject, "a list of storages that does not match the object's")
    placed: dict[str, torch.Tensor] = {}
    for key in keys:
        dtype, numel = found[key]
        nbytes = numel * dtype.itemsize
        if at + _COUNT.size + nbytes > source.size:
            raise _malformed(f"{subject}, storage {key}", f"the end of the file at {source.size:,}")
        (count,) = _COUNT.unpack(source.data[at : at + _COUNT.size])
        # Untyped storages count bytes, which is what an element of uint8 is.
        if count != numel:
            raise _malformed(f"{subject}, storage {key}", f"{count:,} elements, not {numel:,}")
        placed[key] = source.tensor(at + _COUNT.size, nbytes)
        at += _COUNT.size + nbytes

    end, at = at, begin
    value = next_object(lambda one: _persistent(one, source, lambda key, *_: placed[key]))
    source.mentions.ended[subject] = end
    steps = ["opened the older torch file (before 1.6); it holds no checksums"]
    return value, steps


def _persistent(
    identity: Any, source: Mapped, memory: Callable[[str, torch.dtype, int], torch.Tensor]
) -> Any:
    """The storage (or class) that a persistent id of the run of pickles stands for."""
    subject = str(source.path)
    what = identity[0] if isinstance(identity, tuple) and identity else None
    if not isinstance(what, str):
        raise _malformed(subject, f"a storage described as {shown(identity)}")
    if what == "module":
        # A module's class with its source code, which torch only compares. Neither is of use.
        if len(identity) < 2 or not isinstance(identity[1], Named):
            raise _malformed(subject, "a module class that is no name")
        return identity[1]
    if len(identity) not in (5, 6) or what != "storage":
        raise _malformed(subject, f"a storage described as {shown(identity)}")
    _, kind, key, _, numel, *rest = identity
    dtype = element_type(kind)
    check_not_quantised(kind, subject)
    if dtype is None or type(numel) is not int or not 0 <= numel < 1 << 48:
        found = f"a storage of type {shown(kind)} with {shown(numel)} elements"
        raise _malformed(subject, found)
    if not is_short(key, 1_000):
        raise _malformed(subject, "a storage whose key is no text, or far too long")
    data = memory(key, dtype, numel)
    if rest and rest[0] is not None:
        # A part of another storage: (key, offset, size) in elements.
        part = rest[0]
        if not isinstance(part, tuple) or len(part) != 3:
            raise _malformed(subject, f"a part of a storage described as {shown(part)}")
        _, offset, size = part
        if not (type(offset) is int and type(size) is int and offset >= 0 and size >= 0):
            raise _malformed(subject, f"a part of a storage described as {shown(part)}")
        if offset + size > numel:
            raise _malformed(subject, f"a part of storage {key} that reaches outside it")
        data = data[offset * dtype.itemsize : (offset + size) * dtype.itemsize]
        return Storage(data, dtype, f"storage {key} from {offset}", source.account)
    return Storage(data, dtype, f"storage {key}", source.account)


# ------------------------------------------------------------------------------------------ tar
class _Member:
    """A member of the tar, read from front to back."""

    def __init__(self, source: Mapped, info: tarfile.TarInfo) -> None:
        self.source, self.at = source, info.offset_data
        self.end = info.offset_data + info.size
        self.subject = f"{source.path}, member {cut(info.name, 200)}"

    def object(self, persistent: Callable[[Any], Any] = _no_storage) -> Any:
        machine = Machine(
            self.source.data, position=self.at, end=self.end, where=self.subject,
            account=self.source.account, mentions=self.source.mentions, persistent=persistent,
        )  # fmt: skip
        value = machine.run()
        self.at = machine.position
        return value

    def bytes(self, count: int) -> int:
        """Where the next `count` bytes begin; they are passed over."""
        begin = self.at
        self.at += max(0, count)
        if count < 0 or self.at > self.end:
            raise _malformed(self.subject, "its end where a tensor should be")
        return begin

    def numbers(self, layout: str) -> tuple[int, ...]:
        begin = self.bytes(struct.calcsize(layout))
        return struct.unpack(layout, self.source.data[begin : self.at])

    def count(self) -> int:
        value = self.object()
        if type(value) is not int or not 0 <= value <= self.source.size:
            raise _malformed(self.subject, f"the number {shown(value)} of objects")
        return value


def read_tar(source: Mapped) -> tuple[Any, list[str]]:
    """The object in torch 0.1's tar, and the steps taken.

    Raises:
        CheckpointError: the tar is no checkpoint, or cut short.
        UnsafeFileError: it would run code.
    """
    subject = str(source.path)
    try:
        with source.path.open("rb") as file, tarfile.open(fileobj=file, mode="r:") as tar:
            infos = {info.name: info for info in tar if info.isreg()}
    except (tarfile.TarError, OSError, ValueError, EOFError, OverflowError):
        raise _malformed(subject, "a tar archive that is cut short or damaged") from None
    whole = all(one.offset_data + one.size <= source.size for one in infos.values())
    if not whole:
        raise _malformed(subject, "a tar archive that is cut short")
    if not {"storages", "tensors", "pickle"} <= set(infos):
        listed = ", ".join(cut(name) for name in list(infos)[:5]) or "no files"
        raise CheckpointError(
            subject,
            found=f"a tar archive that is no checkpoint ({listed})",
            expected="a checkpoint",
            remedy="unpack it and give the checkpoint inside",
        )
    storages = _storages(_Member(source, infos["storages"]))
    tensors = _tensors(_Member(source, infos["tensors"]), storages)

    def persistent(identity: Any) -> Any:
        if isinstance(identity, tuple) and identity:
            return identity[0]
        key = _key(identity)
        if key is None or key not in tensors:
            raise _malformed(f"{subject}, member pickle", f"the unknown tensor {shown(identity)}")
        return tensors[key]

    value = _Member(source, infos["pickle"]).object(persistent)
    return value, ["opened torch's first file format (a tar); it holds no checksums"]


def _storages(member: _Member) -> dict[str, Storage]:
    found: dict[str, Storage] = {}
    for _ in range(member.count()):
        described = member.object()
        if not isinstance(described, tuple) or len(described) != 3:
            raise _malformed(member.subject, "a storage that is not described")
        key, _, kind = described
        dtype = element_type(kind)
        if dtype is None or _key(key) is None:
            raise _malformed(member.subject, f"a storage of type {shown(kind)}")
        (numel,) = member.numbers("<q")
        begin = member.bytes(numel * dtype.itemsize)
        data = member.source.tensor(begin, numel * dtype.itemsize)
        found[str(key)] = Storage(data, dtype, f"storage {key}", member.source.account)
    views = member.object()
    for part in views if isinstance(views, (list, tuple)) else ():
        if not isinstance(part, tuple) or len(part) != 4 or None in map(_key, part[:2]):
            raise _malformed(member.subject, "a part of an unknown storage")
        key, root, offset, size = part
        if str(root) not in found:
            raise _malformed(member.subject, "a part of an unknown storage")
        whole = found[str(root)]
        width = whole.dtype.itemsize
        if not (type(offset) is int and type(size) is int and offset >= 0 and size >= 0):
            raise _malformed(member.subject, "a part of a storage without a place")
        if (offset + size) * width > whole.data.numel():
            raise _malformed(member.subject, "a part that reaches outside its storage")
        data = whole.data[offset * width : (offset + size) * width]
        found[str(key)] = Storage(data, whole.dtype, f"storage {key}", member.source.account)
    return found


def _tensors(member: _Member, storages: dict[str, Storage]) -> dict[str, torch.Tensor]:
    found: dict[str, torch.Tensor] = {}
    for _ in range(member.count()):
        described = member.object()
        if not isinstance(described, tuple) or len(described) != 3:
            raise _malformed(member.subject, "a tensor that is not described")
        key, storage, kind = described
        place = None if _key(key) is None else _key(storage)
        if element_type(kind, "Tensor") is None or place not in storages:
            raise _malformed(member.subject, f"a tensor of type {shown(kind)}")
        (dimensions, _) = member.numbers("<ii")
        if not 0 <= dimensions <= 64:
            raise _malformed(member.subject, f"a tensor of {dimensions} dimensions")
        size = member.numbers(f"<{dimensions}q")
        stride = member.numbers(f"<{dimensions}q")
        (offset,) = member.numbers("<q")
        try:
            found[str(key)] = view(storages[str(storage)], offset, size, stride)
        except (ValueError, RuntimeError) as problem:  # what torch itself refuses
            raise _malformed(member.subject, told(problem)) from None
    return found


def _key(value: Any) -> str | None:
    """A storage's or tensor's number as the text that it is known by; None for anything else."""
    plain = isinstance(value, str) or (type(value) is int and abs(value) < 1 << 64)
    return str(value) if plain and len(str(value)) < 100 else None
