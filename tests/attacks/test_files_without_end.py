"""Small files that once crashed the process, hung it or filled its memory, one of each kind."""

from __future__ import annotations

import io
import json
import resource
import struct
import tarfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch

from lading.checkpoint import nonfinite, read, read_config
from lading.checkpoint.account import Account
from lading.checkpoint.unpickle import Machine
from lading.cli import main
from lading.errors import CheckpointError, LadingError, RequestError, UnsafeFileError
from tests.attacks.pickles import TENSOR, archive, beside, call, name, text, whole

#: Processor seconds and bytes that a small file may take, on a slow machine.
SECONDS, MEMORY = 25, 1 << 30
PRIME = 2**61 - 1
DOUBLED = b")" + b"2\x86" * 60
DEEP = b")" + b"\x85" * 150_000


@contextmanager
def limits() -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_AS)
    held = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (held + MEMORY, before[1]))
    begun = time.process_time()
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)
    assert time.process_time() - begun < SECONDS


def shown(work: Callable[[], object]) -> str:
    """What the user reads of it; empty where the file was read."""
    with limits():
        try:
            work()
        except LadingError as error:
            found = f"{type(error).__name__}: {error.found}"
        else:
            return ""
    assert len(found) < 3_000
    return found


def dict_of(keys: list[bytes]) -> bytes:
    return call("collections.OrderedDict", b"](" + b"".join(b"(" + k + b"Nt" for k in keys) + b"e")


def alike(count: int) -> list[bytes]:
    """Tuples of -1 and -2, all of one hash."""
    members = (whole(-1), whole(-2))
    return [
        b"(" + b"".join(members[number >> bit & 1] for bit in range(16)) + b"t"
        for number in range(count)
    ]


BIG = b"](" + b"N" * 300_000 + b"eq\x010"
PROGRAMS = {
    "a doubled tuple as a persistent id": (b"\x80\x02" + DOUBLED + b"Q.", "a tuple of 2"),
    "a doubled tuple as a storage's key": (
        b"\x80\x02((" + text("storage") + name("torch.FloatStorage") + DOUBLED + b"K\x04K\x04tQ.",
        "",
    ),
    "a doubled tuple called": (b"\x80\x02" + DOUBLED + b")R.", "a call of a tuple of 2"),
    "a deep tuple as a key": (beside(b"}" + DEEP + b"Ns"), "a tuple of 1 as a key"),
    "a deep tuple as a key of a namespace": (
        beside(call("argparse.Namespace", b"](" + DEEP + b"N\x86e")),
        "a tuple of 1 as a key",
    ),
    "a deep tuple in a set": (
        beside(call("builtins.set", b"](" + DEEP + b"e")),
        "a tuple of 1 as a key",
    ),
    "a deep tuple beside the tensors": (beside(DEEP), ""),
    "whole numbers that hash alike": (
        beside(dict_of([whole(k * PRIME) for k in range(1, 20_000)])),
        "as a key",
    ),
    "whole numbers that hash alike, in a set": (
        beside(b"\x8f(" + b"".join(whole(k * PRIME) for k in range(1, 20_000)) + b"\x90"),
        "as a key",
    ),
    "memo entries that hash alike": (
        b"\x80\x02N" + b"".join(f"p{k * PRIME}\n".encode() for k in range(1, 20_000)) + b".",
        "memo entry",
    ),
    "tuples that hash alike": (beside(dict_of(alike(1 << 13))), "more work than a file of"),
    "tuples that hash alike, by the opcode": (
        beside(b"}(" + b"".join(key + b"N" for key in alike(1 << 13)) + b"u"),
        "more work than a file of",
    ),
    "complex numbers as keys": (
        beside(dict_of([call("builtins.complex", b"G" + bytes(8), b"K\x01")])),
        "a complex as a key",
    ),
    "one list copied": (
        beside(b"(" + BIG + (name("builtins.list") + b"(h\x01tR") * 3_000 + b"l"),
        "needs; nothing of it was run",
    ),
    "one text encoded": (
        beside(b"(" + text("x" * 3_000_000) + b"q\x010"
               + (name("_codecs.encode") + b"(h\x01tR") * 3_000 + b"l"),
        "needs; nothing of it was run",
    ),
    "one state built again and again": (
        beside(
            b"}(" + b"".join(text(f"k{k}") + b"N" for k in range(5_000)) + b"uq\x010"
            + call("argparse.Namespace") + b"h\x01b" * 20_000
        ),
        "more work than a file of",
    ),
    "a name of megabytes, mentioned again and again": (
        beside(b"(" + text("x" * 2_000_000) + b"q\x010" + b"h\x01h\x01\x93" * 20_000 + b"l"),
        "a name that is 'x",
    ),
    "one array copied into tensors": (
        b"\x80\x02}(" + text("a")
        + call("numpy.core.numeric._frombuffer",
               b"\x8e" + struct.pack("<Q", 1 << 20) + bytes(1 << 20),
               call("numpy.dtype", text("u1")), b"(" + whole(1 << 20) + b"t", text("C")) + b"q\x01"
        + b"".join(
            text(f"t{k}") + call("torch._utils._rebuild_device_tensor_from_numpy", b"h\x01",
                                 name("torch.complex128"), text("cpu"), b"\x89")
            for k in range(400)
        ) + b"u.",
        "more memory than a file of",
    ),
    "an array of elements without size": (
        beside(call("numpy.core.numeric._frombuffer", b"C\x00", call("numpy.dtype", text("S0")),
                    b"(" + whole(1 << 40) + b"t", text("C"))),
        "elements without size",
    ),
    "tensors that repeat one element": (
        b"\x80\x02}(" + b"".join(
            text(f"w{k}")
            + TENSOR.replace(b"(K\x04t(K\x01t", b"(" + whole((1 << 28) + k) + b"t(K\x00t")
            for k in range(40)
        ) + b"u.",
        "tensors that show far more than",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", sorted(PROGRAMS))
def test_programs_without_end(what: str, tmp_path: Path) -> None:
    program, says = PROGRAMS[what]
    path = archive(tmp_path / "m.pth", program, 8 if len(what) % 2 else 0)
    found = shown(lambda: nonfinite(read(path)))
    assert says in found
    assert bool(found) or not says


@pytest.mark.parametrize("what", sorted(PROGRAMS))
def test_the_same_in_the_older_container(what: str, tmp_path: Path) -> None:
    path = tmp_path / "m.pth"
    head = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03.\x80\x02}."
    path.write_bytes(head + PROGRAMS[what][0] + b"\x80\x02](" + text("0") + b"e.")
    assert shown(lambda: read(path))  # not one of them has its storages behind it


def test_a_program_that_packs_to_nothing(tmp_path: Path) -> None:
    path = archive(tmp_path / "m.pth", beside(b"](" + b"K\x01" * 3_000_000 + b"e"), 8)
    assert path.stat().st_size < 1 << 14
    assert "more work than a file of" in shown(lambda: read(path))


def test_what_a_genuine_file_costs_is_far_from_its_account(tmp_path: Path) -> None:
    """A network of many small tensors, the dearest there is by the byte."""
    state = {f"blocks.{k}.norm.weight": torch.ones(1) for k in range(3_000)}
    torch.save({"state_dict": state, "history": [0.5] * 20_000}, tmp_path / "m.pth")
    raw = read(tmp_path / "m.pth")
    assert len(raw.tensors) == 3_000
    program = beside(*[b"(" + b"G" + bytes(8) + b"t"] * 20_000)
    account = Account(len(program))
    before = account.work, account.bytes
    Machine(program, where="x", account=account, persistent=lambda _: None).run()
    assert account.work > before[0]  # it earned more than it cost
    assert account.bytes > before[1]


MODULES = {
    "buffers hidden by a number": b"K\x07",
    "buffers hidden by an array": call(
        "numpy.core.numeric._frombuffer", b"C\x02ab", call("numpy.dtype", text("u1")),
        b"(K\x02t", text("C"),
    ),
    "buffers hidden by a deep list": b"](" + DEEP + b"e",
    "buffers hidden by nothing": b"N",
}  # fmt: skip


@pytest.mark.parametrize("what", sorted(MODULES))
def test_the_state_of_a_module(what: str, tmp_path: Path) -> None:
    state = (
        b"}(" + text("_parameters") + b"}" + text("_modules") + b"}" + text("_buffers") + b"}("
        + text("w") + TENSOR + b"u" + text("_non_persistent_buffers_set") + MODULES[what] + b"u"
    )  # fmt: skip
    path = archive(tmp_path / "m.pth", b"\x80\x02" + name("net.Net") + b")\x81" + state + b"b.")
    assert shown(lambda: read(path)) == ""
    assert list(read(path).tensors) == ["w"]


def test_modules_with_long_names_inside_one_another(tmp_path: Path) -> None:
    """Each name is the whole way to it: 190 levels of a name of 100,000 characters, doubled."""
    inner = name("net.Net") + b")\x81}(" + text("_parameters") + b"}" + text("w") + TENSOR + b"s"
    inner += text("_modules") + b"}ub"
    for _ in range(60):
        inner = (
            name("net.Net") + b")\x81}(" + text("_parameters") + b"}" + text("_modules") + b"}("
            + text("x" * 20_000) + inner + b"q\x01" + text("y" * 20_000) + b"h\x01uub"
        )  # fmt: skip
    path = archive(tmp_path / "m.pth", b"\x80\x02" + inner + b".")
    assert "than a file of" in shown(lambda: read(path))


def test_entries_that_all_hold_one_great_dict(tmp_path: Path) -> None:
    """Whether an entry is a network was asked of every entry anew."""
    great = b"}(" + b"".join(text(f"k{k}") + b"N" for k in range(20_000)) + b"uq\x010"
    many = b"".join(text(f"e{k}") + b"h\x01" for k in range(20_000))
    path = archive(tmp_path / "m.pth", b"\x80\x02" + great + b"}(" + many + b"u.")
    assert "no network" in shown(lambda: read(path))


def test_a_prefix_a_hundred_thousand_times(tmp_path: Path) -> None:
    torch.save({"module." * 100_000 + "w": torch.ones(2)}, tmp_path / "m.pth")
    checkpoint = None

    def work() -> None:
        nonlocal checkpoint
        checkpoint = read(tmp_path / "m.pth")

    assert shown(work) == ""
    assert checkpoint is not None
    assert len(checkpoint.record.steps) < 20


def test_entries_without_end_are_set_aside(tmp_path: Path) -> None:
    """What is handed on can be printed, compared and walked."""
    loop = b"]q\x01h\x01a"
    path = archive(tmp_path / "m.pth", beside(DOUBLED, DEEP, loop, b"K\x01", b"](K\x01K\x02e"))
    checkpoint = read(path)
    first, *others = (str(value) for value in checkpoint.metadata.values())
    assert "counted wherever they are shared" in first
    assert others == [
        "<lading.an entry with nested more than 100 deep, not run>",
        "<lading.an entry with something that holds itself, not run>",
        "1",
        "[1, 2]",
    ]
    assert sum("set aside the entry" in step for step in checkpoint.record.steps) == 3


# ------------------------------------------------------------------------------- older containers
def test_first_objects_that_are_no_number(tmp_path: Path) -> None:
    array = call("numpy.core.numeric._frombuffer", b"C\x02ab", call("numpy.dtype", text("u1")),
                 b"(K\x02t", text("C"))  # fmt: skip
    for index, first in enumerate((array, DOUBLED, DEEP, whole(1 << 100_000))):
        path = tmp_path / f"{index}.pth"
        path.write_bytes(b"\x80\x02" + first + b".")
        assert "a pickle that torch.save did not write" in shown(lambda path=path: read(path))


@pytest.mark.parametrize(
    "keys", [DOUBLED, DEEP, b"](" + DOUBLED + b"e", b"](K\x00e", b"](" + text("0") * 2 + b"e"]
)
def test_lists_of_storages(keys: bytes, tmp_path: Path) -> None:
    head = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03.\x80\x02}."
    path = tmp_path / "m.pth"
    path.write_bytes(head + beside() + b"\x80\x02" + keys + b"." + bytes(64))
    assert "a list of storages that does not match" in shown(lambda: read(path))


@pytest.mark.parametrize("number", [whole(1 << 100_000), DOUBLED, DEEP, b"J\xff\xff\xff\xff"])
def test_counts_in_a_tar(number: bytes, tmp_path: Path) -> None:
    path = tmp_path / "m.t7"
    with tarfile.open(path, "w") as out:
        for member in ("storages", "tensors", "pickle"):
            info = tarfile.TarInfo(member)
            data = b"\x80\x02" + number + b"."
            info.size = len(data)
            out.addfile(info, io.BytesIO(data))
    assert "of objects" in shown(lambda: read(path))


# ------------------------------------------------------------------------------------ side files
BOMBS = {
    "merged twice at every level": "a0: &a0 {x: 1}\n"
    + "".join(f"a{k}: &a{k}\n  <<: [*a{k - 1}, *a{k - 1}]\n" for k in range(1, 40)),
    "shared twice at every level": "a0: &a0 [1]\n"
    + "".join(f"a{k}: &a{k} [*a{k - 1}, *a{k - 1}]\n" for k in range(1, 60)),
    "holding itself": "a: &a [*a]\n",
    "a hundred thousand names": "".join(f"k{k}: 1\n" for k in range(60_000)),
    "a hundred thousand names in braces": "{" + ",".join(f"k{k}: 1" for k in range(60_000)) + "}",
    "a number to the base of 60": "a: " + ":".join(["59"] * 100_000),
    "a number of many digits": "a: " + "9" * 100_000,
    "deep brackets": "a: " + "[" * 50_000,
    "deep dashes": "- " * 50_000 + "x",
    "deep questions": "? " * 50_000 + "x",
    "a set": "a: !!set {x, y}\n",
    "bytes": "a: !!binary aGVsbG8=\n",
    "an object": "a: !!python/object/apply:os.system [x]\n",
    "a tag that is empty of value": "a: !!int ''\n",
}


@pytest.mark.parametrize("what", sorted(BOMBS))
def test_configurations_without_end(what: str, tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(BOMBS[what], encoding="utf-8")
    with limits(), pytest.raises(RequestError) as caught:
        read_config(path)
    assert len(str(caught.value)) < 1_000


def test_a_date_in_a_configuration_is_a_text(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text("when: 2024-05-17\nlr: 1e-3\nsteps: 3\n", encoding="utf-8")
    assert read_config(tmp_path / "c.yaml") == {"when": "2024-05-17", "lr": "1e-3", "steps": 3}


@pytest.mark.parametrize("depth", [150, 900, 200_000])
@pytest.mark.parametrize("form", ["c.json", "c.yaml", "plans.json"])
def test_json_deeper_than_anybody_walks(form: str, depth: int, tmp_path: Path) -> None:
    deep = '{"a": ' + "[" * depth + "]" * depth + "}"
    (tmp_path / form).write_text(deep, encoding="utf-8")
    torch.save({"w": torch.ones(2)}, tmp_path / "m.pth")
    work = (lambda: read(tmp_path / "m.pth")) if form == "plans.json" else (
        lambda: read_config(tmp_path / form)
    )  # fmt: skip
    assert "nested" in shown(work)


def test_a_long_text_of_a_json_key_twice(tmp_path: Path) -> None:
    key = json.dumps("x" * 100_000)
    (tmp_path / "c.json").write_text(f"{{{key}: 1, {key}: 2}}", encoding="utf-8")
    assert "twice in one object" in shown(lambda: read_config(tmp_path / "c.json"))


def test_the_account_is_one_for_all_programs_of_a_file() -> None:
    account = Account(100)
    Machine(b"\x80\x02N" + b"0N" * 50_000 + b".", where="x", account=account).run()
    account.charge("x", work=account.work)
    with pytest.raises(UnsafeFileError, match="more work than a file of 100 bytes"):
        Machine(b"\x80\x02N" + b"0N" * 500 + b".", where="x", account=account).run()


def test_errors_of_the_machine_are_lading_s_own() -> None:
    deep = b")" + b"\x85" * 3_000
    for value in (DOUBLED, deep, whole(1 << 100_000), text("x" * 100_000)):
        for code in (b"R", b"b", b"s", b"u", b"a", b"e", b"\x90", b"\x93", b"\x81", b"o", b"Q"):
            program = b"\x80\x04(" + value + value + code + b"."
            with pytest.raises(CheckpointError) as caught:
                Machine(program, where="x", persistent=lambda _: None).run()
            assert len(str(caught.value)) < 1_000


# ------------------------------------------------------------------------------------ what is said
@pytest.mark.parametrize("words", [["inspect"], ["convert"], ["convert", "--json"]])
def test_a_name_without_end_is_told_by_its_beginning(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.pt"
    torch.save({"a" * 20_000_000: torch.zeros(1)}, path)
    verb, *form = words
    out = ["-o", str(tmp_path / "out")] if verb == "convert" else ["--tensors"]
    assert main([verb, str(path), *out, *form]) == (2 if verb == "convert" else 0)
    shown = capsys.readouterr()
    assert len(shown.out + shown.err) < 20_000
    assert "characters)" in " ".join((shown.out + shown.err).split())
