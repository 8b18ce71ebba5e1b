"""Pickles that would act, each a live exhibit: Python's own unpickler runs it, lading does not."""

from __future__ import annotations

import importlib
import io
import os
import pickle
import runpy
import struct
import subprocess
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from lading.checkpoint import Placeholder, read
from lading.checkpoint.account import Account
from lading.checkpoint.unpickle import Machine
from lading.errors import CheckpointError, UnsafeFileError


class Bomb:
    """Pickles to a call of `function` with `args`."""

    def __init__(self, function: Any, *args: Any) -> None:
        self.call = function, args

    def __reduce__(self) -> tuple[Any, ...]:
        return self.call


def live_bombs(marker: Path) -> dict[str, Bomb]:
    code = f"open({str(marker)!r}, 'w')"
    return {
        "posix.system": Bomb(os.system, f"touch {marker}"),
        "subprocess.call": Bomb(subprocess.call, ["touch", str(marker)]),
        "subprocess.Popen": Bomb(subprocess.Popen, ["touch", str(marker)]),
        "builtins.eval": Bomb(eval, code),
        "builtins.exec": Bomb(exec, code),
        "io.open": Bomb(open, str(marker), "w"),
        "builtins.getattr": Bomb(getattr, Bomb(importlib.import_module, "os"), "system"),
        "importlib.import_module": Bomb(importlib.import_module, "this"),
        "builtins.__import__": Bomb(__import__, "this"),
        "runpy.run_path": Bomb(runpy.run_path, str(marker)),
        "torch.serialization.load": Bomb(torch.load, str(marker)),
        "torch.hub.load": Bomb(torch.hub.load, "someone/repo", "model"),
    }


NAMES = sorted(live_bombs(Path("m")))


def legacy(payload: Any, path: Path) -> None:
    torch.save(payload, path, _use_new_zipfile_serialization=False)


def bare(payload: Any, path: Path) -> None:
    path.write_bytes(pickle.dumps(payload, 4))


def text(payload: Any, path: Path) -> None:
    path.write_bytes(pickle.dumps(payload, 0))


def tar(payload: Any, path: Path) -> None:
    with tarfile.open(path, "w") as out:
        for name in ("storages", "tensors", "pickle"):
            data = pickle.dumps(payload if name == "pickle" else 0, 2)
            if name == "storages":
                data += pickle.dumps([], 2)
            info = tarfile.TarInfo(name)
            info.size = len(data)
            out.addfile(info, io.BytesIO(data))


@pytest.mark.parametrize("write", [torch.save, legacy, bare, text, tar], ids=lambda f: f.__name__)
@pytest.mark.parametrize("name", NAMES)
def test_nothing_runs_in_any_container(
    name: str, write: Callable[[Any, Path], None], tmp_path: Path
) -> None:
    marker, path = tmp_path / "it_ran", tmp_path / "model.pth"
    write({"state_dict": {"w": 1}, "x": live_bombs(marker)[name]}, path)
    with pytest.raises(UnsafeFileError) as caught:
        read(path)
    assert not marker.exists()
    # The module is spelled in several ways (posix, nt, __builtin__), the name in one.
    assert f".{name.rsplit('.', 1)[1]}, which could act" in caught.value.found
    assert "nothing was run" in caught.value.found
    assert str(path) in caught.value.subject
    assert "byte" in caught.value.subject


@pytest.mark.parametrize("name", ["posix.system", "subprocess.call", "builtins.eval", "io.open"])
def test_the_exhibits_are_live(name: str, tmp_path: Path) -> None:
    marker = tmp_path / "it_ran"
    pickle.loads(pickle.dumps(live_bombs(marker)[name]))
    assert marker.exists()


def short(word: str) -> bytes:
    return b"\x8c" + bytes([len(word)]) + word.encode()


#: Every opcode that can reach a name or a call, assembled by hand.
HAND_MADE = {
    "GLOBAL, mentioned and never called": b"cos\nsystem\n.",
    "GLOBAL REDUCE": b"cos\nsystem\n(S'true'\ntR.",
    "STACK_GLOBAL REDUCE": (
        b"\x80\x04" + short("os") + short("system") + b"\x93" + short("true") + b"\x85R."
    ),
    "INST": b"(S'true'\nios\nsystem\n.",
    "OBJ": b"(cos\nsystem\nS'true'\no.",
    "NEWOBJ": b"\x80\x02csubprocess\nPopen\n(S'true'\nt\x81.",
    "NEWOBJ_EX": b"\x80\x04csubprocess\nPopen\n(S'true'\nt}\x92.",
    "Python 2's spelling": b"c__builtin__\neval\n(S'1'\ntR.",
    "dotted name": b"\x80\x04" + short("torch.nn") + short("functional.torch.os.system") + b"\x93.",
    "dotted name under a listed class": (
        b"\x80\x04" + short("collections") + short("OrderedDict.fromkeys") + b"\x93."
    ),
    "numpy's runstring": b"cnumpy.testing._private.utils\nrunstring\n(S'1'\n}tR.",
    "a code object": b"ctypes\nCodeType\n.",
    "a function from a code object": b"ctypes\nFunctionType\n.",
    "cloudpickle": b"ccloudpickle.cloudpickle\n_make_function\n.",
    "torch reading bytes within": b"ctorch.storage\n_load_from_bytes\n(C\x00tR.",
    "lading's own functions": b"clading.checkpoint.reader\nread\n.",
    "the class of a class": b"cbuiltins\ntype\n.",
    "extension registry": b"\x80\x02\x82\x01.",
    "extension registry, two bytes": b"\x80\x02\x83\x01\x00.",
    "extension registry, four bytes": b"\x80\x02\x84\x01\x00\x00\x00.",
    "a state for a listed function": b"ctorch._utils\n_rebuild_tensor_v2\n}S'__code__'\nNsb.",
    "a state for a foreign class": b"cfoo\nBar\n}S'__setstate__'\nNsb.",
}


@pytest.mark.parametrize("what", sorted(HAND_MADE))
def test_every_way_to_a_name_is_refused(what: str) -> None:
    with pytest.raises(UnsafeFileError):
        Machine(HAND_MADE[what], where="x.pth").run()


def test_a_foreign_class_with_setstate_is_inert() -> None:
    value = Machine(b"cfoo\nBar\n)\x81}S'__setstate__'\ncfoo\nsystem\nsb.", where="x").run()
    assert isinstance(value, Placeholder)
    assert (value.module, value.name, value.args) == ("foo", "Bar", ())
    assert list(value.state) == ["__setstate__"]
    assert repr(value) == "<foo.Bar, not run>"


def test_a_state_cannot_hide_a_method_of_a_state_dict() -> None:
    value = Machine(
        b"ccollections\nOrderedDict\n)R}(S'items'\nI1\nS'_metadata'\n}ub.", where="x"
    ).run()
    assert list(value.items()) == []
    assert value._metadata == {}


def test_calling_what_the_file_made_is_refused() -> None:
    with pytest.raises(CheckpointError, match=r"a call of <foo.Bar, not run>, which is data"):
        Machine(b"cfoo\nBar\n)R)R.", where="x").run()


MALFORMED = {
    "bytes longer than the file": b"\x8e" + struct.pack("<Q", 1 << 40) + b"abc.",
    "text longer than the file": b"\x8d" + struct.pack("<Q", (1 << 64) - 1) + b"abc.",
    "bytearray longer than the file": b"\x80\x05\x96" + struct.pack("<Q", 1 << 62) + b".",
    "a number of two gigabytes": b"\x8b" + struct.pack("<i", (1 << 31) - 1) + b"1.",
    "a number of negative length": b"\x8b" + struct.pack("<i", -1) + b"1.",
    "a number of a million digits": b"I" + b"9" * 1_000_000 + b"\n.",
    "no end": b"]",
    "nothing": b"",
    "stack underflow": b"R.",
    "a mark in place of an object": b"(R.",
    "two objects": b"NN.",
    "unknown memo": b"h\x07.",
    "unknown opcode": b"\xff.",
    "protocol 9": b"\x80\x09.",
    "buffer outside": b"\x80\x05\x97.",
    "persistent id": b"Pabc\n.",
    "unhashable key": b"}]Ns.",
    "key without value": b"}(Nu.",
    "append to a number": b"I1\nNa.",
    "entry of a number": b"I1\nNNs.",
    "arguments no tuple": b"ccollections\nOrderedDict\nNR.",
    "bad text": b"\x8c\x01\xff.",
    "deep tuple as a key": b"}" + b")" + b"\x85" * 200_000 + b"Ns.",
    "deep tuple in a set": b"\x80\x04\x8f()" + b"\x85" * 200_000 + b"\x90.",
    "a giant array": (
        b"cnumpy.core.multiarray\n_reconstruct\n)R(I1\n(L1000000000000L\nt"
        b"cnumpy\ndtype\n(S'f8'\ntRI00\nC\x00tb."
    ),
}


@pytest.mark.parametrize("what", sorted(MALFORMED))
def test_malformed_programs_are_one_clear_error(what: str) -> None:
    with pytest.raises(CheckpointError) as caught:
        Machine(MALFORMED[what], where="x.pth").run()
    assert not isinstance(caught.value, UnsafeFileError)
    assert caught.value.subject.startswith("x.pth, byte ")
    assert "complete pickle" in caught.value.expected


def test_nesting_without_end_is_read_and_freed() -> None:
    """Depth costs the machine no recursion; what it gives is a list in a list in a list."""
    value = Machine(b"]" * 100_000 + b"a" * 99_999 + b".", where="x").run()
    for _ in range(99_999):
        (value,) = value
    assert value == []


def test_an_endless_program_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lading.checkpoint.account.FREE_WORK", 1000)
    # A packed file of 100 bytes pays for little of the program that it unpacks to.
    with pytest.raises(UnsafeFileError, match="more work than a file of 100 bytes needs"):
        Machine(b"N0" * 1000 + b"N.", where="x", account=Account(100)).run()


@pytest.mark.parametrize("keys", ["model", "ema", "net", "params"])
def test_a_dict_that_holds_itself_ends(keys: str, tmp_path: Path) -> None:
    loop: dict[str, Any] = {"a": 1}
    loop.update(dict.fromkeys(("model", "ema", "net", "params", "state_dict"), loop))
    torch.save(loop, tmp_path / "m.pth")
    with pytest.raises(CheckpointError, match="no network"):
        read(tmp_path / "m.pth")


def rebuilt(tmp_path: Path, storage: bytes, size: str, stride: str, offset: str = "K\x00") -> Path:
    """A torch zip whose one tensor has the given place in a float32 storage of 4 elements."""
    path = tmp_path / "m.pth"
    program = (
        b"\x80\x02}X\x01\x00\x00\x00wctorch._utils\n_rebuild_tensor_v2\n((X\x07\x00\x00\x00storage"
        b"ctorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x04tQ"
        + offset.encode("latin-1")
        + size.encode("latin-1")
        + stride.encode("latin-1")
        + b"\x89NtRs."
    )
    with zipfile.ZipFile(path, "w") as out:
        out.writestr("m/data.pkl", program)
        out.writestr("m/data/0", storage)
    return path


def test_the_hand_made_tensor_reads_when_it_is_right(tmp_path: Path) -> None:
    path = rebuilt(tmp_path, struct.pack("<4f", 1, 2, 3, 4), "K\x02K\x02\x86", "K\x02K\x01\x86")
    assert read(path).tensors["w"].tolist() == [[1, 2], [3, 4]]


@pytest.mark.parametrize(
    ("size", "stride", "offset", "found"),
    [
        ("K\x05\x85", "K\x01\x85", "K\x00", "reaches to 5"),
        ("K\x04\x85", "K\x01\x85", "K\x01", "reaches to 5"),
        ("K\x02\x85", "K\x04\x85", "K\x00", "reaches to 5"),
        ("K\x04\x85", "J\xff\xff\xff\xff\x85", "K\x00", "(-1,)"),
        ("J\xff\xff\xff\xff\x85", "K\x01\x85", "K\x00", "(-1,)"),
        ("K\x04\x85", "K\x01\x85", "J\xff\xff\xff\xff", "(-1,)"),
        ("K\x04\x85", "K\x01K\x01\x86", "K\x00", "for size"),
        (
            "\x8a\x05\x00\x00\x00\x00\x10\x85",
            "K\x00\x85",
            "K\x00",
            "far more than the 339 bytes of the file",
        ),
    ],
)
def test_a_tensor_outside_its_storage(
    size: str, stride: str, offset: str, found: str, tmp_path: Path
) -> None:
    path = rebuilt(tmp_path, bytes(16), size, stride, offset)
    with pytest.raises(CheckpointError) as caught:
        read(path)
    assert found in caught.value.found


def test_a_storage_too_short(tmp_path: Path) -> None:
    path = rebuilt(tmp_path, bytes(15), "K\x02\x85", "K\x01\x85")
    with pytest.raises(CheckpointError) as caught:
        read(path)
    assert caught.value.found == "15 bytes"
    assert caught.value.expected == "4 elements of torch.float32, 16 bytes"
