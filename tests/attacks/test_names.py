"""Every name that lading does not know is reported with its place, whatever else the file is."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import sys
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from stdlib_list import short_versions, stdlib_list
from torch import nn

from lading.checkpoint import read
from lading.checkpoint.inert import Named
from lading.checkpoint.names import ACTING, kind_of
from lading.cli import main
from lading.errors import CheckpointError, LadingError, UnsafeFileError
from tests.attacks.pickles import archive, beside, call, name, text
from tests.scanners.__main__ import compare, flagged
from tests.scanners.exhibits import WAYS

#: Names that act and stand on no list of ours, and those of Pythons that this one is not.
STRANGERS = ["requests.api.get", "aiohttp.client.request", "their.code.Net", "__main__.Net"]
ACTS = [
    *("os.system", "test.support.os_helper.rmtree", "_pyrepl.pager.pipe_pager"),
    *("commands.getoutput", "pipes.Template", "imp.load_source", "asyncore.loop"),
    "annotationlib.ForwardRef",
    *("compression.zstd.open", "profiling.sampling.sample", "urllib2.urlopen", "popen2.popen2"),
    *("idlelib.pyshell.main", "lib2to3.main.main", "torch.hub.load", "numpy.f2py.compile"),
    *("typing.get_type_hints", "enum._decompose", "torch.distributed.run.main"),
    *("torch.nn.functional.importlib", "torch.nn.modules.module.namedtuple", "pip._internal.main"),
]  # fmt: skip


def told(path: Path) -> str:
    """All of what the user is told of names."""
    try:
        return ", ".join(one.name for one in read(path).record.mentions)
    except LadingError as error:
        return error.found


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
@pytest.mark.parametrize("dotted", STRANGERS[:2] + ACTS[:3])
def test_every_way_names_it(
    dotted: str, way: Callable[[str, str, Path], None], tmp_path: Path
) -> None:
    path = tmp_path / f"m{WAYS[way]}"
    way(*dotted.rsplit(".", 1), path)
    assert dotted in told(path)


@pytest.mark.parametrize("dotted", ACTS)
def test_what_acts_is_refused(dotted: str, tmp_path: Path) -> None:
    path = archive(tmp_path / "m.pth", beside(call(dotted)))
    with pytest.raises(UnsafeFileError, match="which could act when it is called"):
        read(path)


@pytest.mark.parametrize("dotted", [*STRANGERS, "functools.partial", "uuid.UUID"])
def test_a_stranger_beside_a_genuine_checkpoint(dotted: str, tmp_path: Path) -> None:
    path = archive(tmp_path / "m.pth", beside(call(dotted, text("http://localhost/"))))
    (mention,) = read(path).record.mentions
    assert (mention.name, mention.called, mention.times) == (dotted, True, 1)
    assert mention.where == f"{path}, entry archive/data.pkl"
    assert beside(call(dotted))[mention.byte :].startswith(name(dotted))


def test_all_names_are_in_the_error_not_the_first_alone(tmp_path: Path) -> None:
    path = archive(tmp_path / "m.pth", beside(*map(call, [*ACTS, STRANGERS[0]])))
    with pytest.raises(UnsafeFileError) as caught:
        read(path)
    assert all(dotted in caught.value.found for dotted in [*ACTS[:20], STRANGERS[0]])
    assert f"and {len(ACTS) - 20} other names" in caught.value.found


def test_ten_thousand_names_are_counted_and_a_few_said(tmp_path: Path) -> None:
    calls = [call(f"m{number}.f") for number in range(10_000)]
    path = archive(tmp_path / "m.pth", beside(*calls))
    assert len(read(path).record.mentions) == 1_000
    path = archive(tmp_path / "o.pth", beside(*calls, call("os.system")))
    assert "other names" in told(path)
    assert len(told(path)) < 5_000


def test_text_and_json_say_so(
    small_checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    held = torch.load(small_checkpoint, weights_only=False)
    path = tmp_path / "m.pth"
    torch.save({**held, "beside": "PLACE"}, path)
    with zipfile.ZipFile(path) as old:
        parts = {one: old.read(one) for one in old.namelist()}
    entry = next(one for one in parts if one.endswith("data.pkl"))
    assert text("PLACE") in parts[entry]
    parts[entry] = parts[entry].replace(text("PLACE"), call("requests.api.get", text("x")))
    with zipfile.ZipFile(path, "w") as out:
        for one, data in parts.items():
            out.writestr(one, data)
    byte = parts[entry].index(name("requests.api.get"))
    assert main(["inspect", str(path)]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert f"names requests.api.get (called, byte {byte:,} of entry {entry})" in shown
    assert "lading does not know it and did not run it" in shown
    assert main(["inspect", str(path), "--json"]) == 0
    (mention,) = json.loads(capsys.readouterr().out)["checkpoint"]["mentions"]
    assert mention == {
        "name": "requests.api.get", "called": True, "where": f"{path}, entry {entry}",
        "byte": byte, "times": 1,
    }  # fmt: skip


# ------------------------------------------------------------------------------ whatever it is
PROGRAM = b"\x80\x02" + call("requests.api.get", text("x")) + b"."


def zipped(data: bytes, inner: str = "a.pkl") -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as made:
        made.writestr(inner, data)
    return out.getvalue()


def tarred(data: bytes) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as made:
        info = tarfile.TarInfo("a")
        info.size = len(data)
        made.addfile(info, io.BytesIO(data))
    return out.getvalue()


def array_file(data: bytes) -> bytes:
    out = io.BytesIO()
    np.save(out, np.array([None], dtype=object))
    return out.getvalue().split(b"\x80", 1)[0] + data


def script(data: bytes) -> bytes:
    out = io.BytesIO()
    torch.jit.save(torch.jit.script(nn.Linear(1, 1)), out)
    with zipfile.ZipFile(out, "a") as made:
        made.writestr("archive/extra/payload", data)
    return out.getvalue()


FILES: dict[str, Callable[[bytes], bytes]] = {
    "a zip of something": zipped,
    "a zip in a zip": lambda data: zipped(zipped(data), "inner.zip"),
    "a numpy archive": lambda data: zipped(array_file(data), "a.npy"),
    "a numpy array": array_file,
    "a tar": tarred,
    "a tar in a zip": lambda data: zipped(tarred(data)),
    "a gzip file": gzip.compress,
    "a zlib file": zlib.compress,
    "a bzip2 file": bz2.compress,
    "an xz file": lzma.compress,
    "a packed tar": lambda data: gzip.compress(tarred(data)),
    "TorchScript": script,
    "many empty pickles before": lambda data: b"\x80\x02N." * 50 + data,
    "a name without its suffix": lambda data: zipped(data, "weights"),
}


@pytest.mark.parametrize("what", FILES)
@pytest.mark.parametrize("dotted", ["requests.api.get", "os.system"])
def test_whatever_the_file_is(what: str, dotted: str, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(FILES[what](b"\x80\x02" + call(dotted, text("x")) + b"."))
    with pytest.raises(CheckpointError) as caught:
        read(path)
    assert dotted in caught.value.found
    assert isinstance(caught.value, UnsafeFileError) == (dotted == "os.system")


def test_a_wrong_checksum_hides_nothing(tmp_path: Path) -> None:
    raw = bytearray(zipped(PROGRAM))
    raw[raw.index(b"PK\x01\x02") + 16] ^= 1
    (tmp_path / "m.zip").write_bytes(raw)
    assert "requests.api.get" in told(tmp_path / "m.zip")


def test_a_program_behind_the_storages_of_the_older_container(tmp_path: Path) -> None:
    torch.save({"w": torch.ones(2)}, tmp_path / "m.pth", _use_new_zipfile_serialization=False)
    with (tmp_path / "m.pth").open("ab") as file:
        file.write(PROGRAM)
    assert told(tmp_path / "m.pth") == "requests.api.get"


def test_a_storage_that_is_a_program_too(tmp_path: Path) -> None:
    torch.save({"w": torch.frombuffer(bytearray(PROGRAM), dtype=torch.uint8)}, tmp_path / "m.pth")
    assert told(tmp_path / "m.pth") == "requests.api.get"


def test_a_bomb_of_members_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lading.checkpoint.account.FREE_WORK", 100_000)
    inner = zipped(b"\x80\x02" + b"N0" * 50_000 + b"N.")
    with zipfile.ZipFile(tmp_path / "m.zip", "w", zipfile.ZIP_DEFLATED) as out:
        for number in range(20):
            out.writestr(f"{number}.zip", inner)
    with pytest.raises(UnsafeFileError, match="than a file of"):
        read(tmp_path / "m.zip")


@pytest.mark.parametrize(
    "content",
    [
        b"cats and dogs\nlive here\n(both).\n",
        b"class Net(Module):\n  __parameters__ = [\"weight\", ]\n  training : bool\n",
        b"import os\nos.system\n",
        b"{\"a\": [1, 2]}",
    ],
)  # fmt: skip
def test_a_text_is_no_alarm(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(content)
    with pytest.raises(CheckpointError) as caught:
        read(tmp_path / "a.txt")
    assert type(caught.value) is CheckpointError
    assert "it names" not in caught.value.found


def test_advice_never_sets_a_file_off(tmp_path: Path) -> None:
    """Whatever is wrong with a file, the user is never told to load it by other means."""
    made = {
        "bare": PROGRAM, "script": script(PROGRAM), "zip": zipped(PROGRAM),
        "npy": array_file(PROGRAM),
        "acts": b"\x80\x02" + call("os.system") + b".",
        "module": zipped(b"\x80\x02" + name("net.Net") + b")\x81}(" + text("_parameters") + b"}"
                         + text("_modules") + b"}ub.", "m/data.pkl"),
    }  # fmt: skip
    for what, data in made.items():
        path = tmp_path / what
        path.write_bytes(data)
        with pytest.raises(CheckpointError) as caught:
            read(path)
        for word in ("where you trust", "torch.load(", "jit.load(", "weights_only", "load it"):
            assert word not in caught.value.remedy, (what, caught.value.remedy)


# ------------------------------------------------------------------------------------- the lists
def test_every_module_of_every_python_is_on_the_list() -> None:
    assert sys.stdlib_module_names <= ACTING
    ever = {one.split(".")[0] for version in short_versions for one in stdlib_list(version)}
    # Names of that list which are no module, or one computer's own.
    wrong = {"lib", "__main__", *(one for one in ever if one.startswith("_sysconfigdata_"))}
    assert ever - wrong <= ACTING


@pytest.mark.parametrize(
    "dotted",
    [
        *("torch.nn.Linear", "torch.nn.modules.conv.Conv2d", "torch.optim.adam.Adam"),
        *("torch.nn.modules.module._WrappedHook", "torch.cuda.HalfStorage", "builtins.object"),
        *("numpy.dtypes.Float64DType", "numpy.random._pickle.__generator_ctor", "typing.Any"),
        *("torch._utils._rebuild_sparse_tensor", "torch.nn.functional.gelu", "decimal.Decimal"),
    ],
)
def test_what_honest_files_name_is_known(dotted: str) -> None:
    assert kind_of(Named(*dotted.rsplit(".", 1))) == "known"


def test_two_hundred_honest_files_are_silent(tmp_path: Path) -> None:
    assert flagged(tmp_path) == (200, 0)


def test_what_other_scanners_name(tmp_path: Path) -> None:
    """`make scanners` runs the whole of it, in a Python that has all of them."""
    for title, _, found, missed in compare(sys.executable, tmp_path, most=20):
        assert found, title
        assert not missed, title
