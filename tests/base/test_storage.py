"""A whole result or none: killed, refused, or out of room, the destination stays as it was."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lading.base import storage
from lading.errors import StorageError

ARTIFACT = "net.mlpackage"


def names(folder: Path) -> list[str]:
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*"))


def result(folder: Path, text: str, artifacts: tuple[str, ...] = (ARTIFACT, "net.onnx")) -> None:
    """What a conversion leaves: a package, a file, the schema and the bill that names them."""
    for name in artifacts:
        place = folder / name
        if name.endswith(".mlpackage"):
            place.mkdir(parents=True)
            place = place / "weights.bin"
        place.parent.mkdir(exist_ok=True)
        place.write_text(text)
    (folder / storage.SCHEMA).write_text("{}")
    told = {"says": text, "artifacts": [{"path": name} for name in artifacts]}
    (folder / storage.BILL).write_text(json.dumps(told))


def publish(out: Path, text: str, artifacts: tuple[str, ...] = (ARTIFACT, "net.onnx")) -> None:
    with storage.aside(out) as folder:
        result(folder, text, artifacts)
        storage.publish(folder, out)


# -------------------------------------------------------------------------------------- publishing
@pytest.mark.parametrize("there", [False, True])
def test_a_result_appears_whole(tmp_path: Path, there: bool) -> None:
    out = tmp_path / "deep" / "out"
    if there:
        out.mkdir(parents=True)
    with storage.aside(out) as folder:
        result(folder, "one")
        assert not out.exists() or not any(out.iterdir())
        assert folder.parent.parent == out.parent
        storage.publish(folder, out)
    expected = [storage.BILL, storage.SCHEMA, ARTIFACT, f"{ARTIFACT}/weights.bin", "net.onnx"]
    assert names(out) == sorted(expected)
    assert names(out.parent) == sorted(["out", *(f"out/{n}" for n in expected)])
    assert out.stat().st_mode & 0o777 == 0o755


def test_an_error_while_writing_leaves_nothing(tmp_path: Path) -> None:
    out = tmp_path / "out"

    def fail() -> None:
        with storage.aside(out) as folder:
            result(folder, "half")
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert names(tmp_path) == []


def test_force_replaces_what_lading_wrote_and_leaves_the_rest(tmp_path: Path) -> None:
    out = tmp_path / "out"
    publish(out, "one")
    (out / "notes.txt").write_text("mine")
    (out / "pictures").mkdir()
    (out / "pictures" / "a.png").write_text("mine")
    (out / storage.REJECTED).mkdir()
    (out / storage.REJECTED / "net.onnx").write_text("an earlier failure")
    (out / ARTIFACT / "stale.bin").write_text("of the first run")
    publish(out, "two")
    assert (out / ARTIFACT / "weights.bin").read_text() == "two"
    assert (out / "net.onnx").read_text() == "two"
    assert (out / "notes.txt").read_text() == "mine"
    assert (out / "pictures" / "a.png").read_text() == "mine"
    assert not (out / storage.REJECTED).exists()
    assert not (out / ARTIFACT / "stale.bin").exists()
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_an_earlier_artifact_does_not_outlive_a_failed_conversion(tmp_path: Path) -> None:
    out = tmp_path / "out"
    publish(out, "good")
    (out / "other.onnx").write_text("mine")
    publish(out, "bad", (f"{storage.REJECTED}/net.onnx",))
    assert names(out) == sorted(
        [storage.BILL, storage.SCHEMA, storage.REJECTED, "rejected/net.onnx", "other.onnx"]
    )


@pytest.mark.parametrize(
    "told",
    [
        "no json",
        "[]",
        '{"artifacts": 3}',
        '{"artifacts": [3]}',
        '{"artifacts": [{"path": ".."}]}',
        '{"artifacts": [{"path": ""}]}',
        '{"artifacts": [{"path": "."}]}',
        '{"artifacts": [{"path": "../precious"}]}',
        '{"artifacts": [{"path": "sub/precious"}]}',
    ],
)
def test_a_strange_bill_removes_nothing(tmp_path: Path, told: str) -> None:
    out = tmp_path / "out"
    (out / "sub").mkdir(parents=True)
    (out / "sub" / "precious").write_text("mine")
    (tmp_path / "precious").write_text("mine")
    (out / storage.BILL).write_text(told)
    publish(out, "new")
    assert (tmp_path / "precious").read_text() == "mine"
    assert (out / "sub" / "precious").read_text() == "mine"
    assert json.loads((out / storage.BILL).read_text())["says"] == "new"


def test_a_file_where_a_package_goes_and_the_other_way_round(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / ARTIFACT).write_text("a file")
    (out / "net.onnx").mkdir()
    publish(out, "new")
    assert (out / ARTIFACT / "weights.bin").read_text() == "new"
    assert (out / "net.onnx").read_text() == "new"


def test_a_link_is_followed_to_its_folder(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "elsewhere").mkdir()
    link = tmp_path / "elsewhere" / "out"
    link.symlink_to(tmp_path / "real")
    publish(link, "one")
    publish(link, "two")
    assert link.is_symlink()
    assert (tmp_path / "real" / "net.onnx").read_text() == "two"


def test_a_linked_artifact_is_replaced_not_followed(tmp_path: Path) -> None:
    out, other = tmp_path / "out", tmp_path / "other"
    publish(out, "one")
    other.mkdir()
    (other / "weights.bin").write_text("mine")
    shutil.rmtree(out / ARTIFACT)
    (out / ARTIFACT).symlink_to(other)
    publish(out, "two")
    assert (other / "weights.bin").read_text() == "mine"
    assert (out / ARTIFACT / "weights.bin").read_text() == "two"


def test_the_working_directory_is_filled_not_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    node = here.stat().st_ino
    publish(Path(), "one")
    assert here.stat().st_ino == node
    assert (Path("net.onnx")).read_text() == "one"
    assert [p.name for p in tmp_path.iterdir()] == ["here"]


# ------------------------------------------------------------------------------------------ killed
#: Events after which the disk may look different.
WATCHED = {
    "ctypes.dlsym",
    "os.rename",
    "os.remove",
    "os.rmdir",
    "os.mkdir",
    "shutil.rmtree",
    "os.chmod",
}


def killed(out: Path, stop: int, artifacts: tuple[str, ...] = (ARTIFACT, "net.onnx")) -> bool:
    """Whether a process that publishes into `out` was killed before its change `stop` + 1."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    count = 0

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal count
        write = event == "open" and isinstance(arguments[2], int) and arguments[2] & os.O_WRONLY
        if event in WATCHED or write:
            count += 1
            if count > stop:
                os.kill(os.getpid(), signal.SIGKILL)

    try:
        sys.addaudithook(hook)
        publish(out, "new", artifacts)
    finally:
        os._exit(0)


def whole(out: Path) -> bool:
    return (out / ARTIFACT / "weights.bin").read_text() == (out / "net.onnx").read_text()


@pytest.mark.parametrize("there", [False, True])
def test_killed_at_any_point_a_new_result_is_whole_or_absent(tmp_path: Path, there: bool) -> None:
    points = appeared = 0
    for stop in range(100):
        out = tmp_path / str(stop) / "out"
        out.parent.mkdir()
        if there:
            out.mkdir()
        dead = killed(out, stop)
        if (out / storage.BILL).exists():
            appeared += 1
            assert whole(out)
            assert len(names(out)) == 5
        else:
            assert dead
            assert not out.exists() or not any(out.iterdir())
        publish(out, "again")
        assert [p.name for p in out.parent.iterdir()] == ["out"]
        assert (out / "net.onnx").read_text() == "again"
        points += 1
        if not dead:
            break
    assert points > 8
    assert appeared >= 1


def state(out: Path) -> str:
    """Which result lies in `out`, all of it and nothing of the other; fails where none does."""
    says: str = json.loads((out / storage.BILL).read_text())["says"]
    assert (out / ARTIFACT / "weights.bin").read_text() == says
    place = out / ("net.onnx" if says == "old" else "rejected/net.onnx")
    assert place.read_text() == says
    assert len(list(out.rglob("net.onnx"))) == 1
    return says


def after_each_kill(tmp_path: Path, *, notes: bool) -> Iterator[tuple[Path, bool]]:
    """The folder of an earlier result, after a run that was killed at each point in turn, and
    whether it was."""
    for stop in range(100):
        out = tmp_path / str(stop) / "out"
        out.parent.mkdir()
        publish(out, "old")
        if notes:
            (out / "notes.txt").write_text("mine")
        dead = killed(out, stop, (ARTIFACT, "rejected/net.onnx"))
        assert not notes or (out / "notes.txt").read_text() == "mine"
        yield out, dead
        if not dead:
            return


def test_killed_at_any_point_the_old_result_lies_there_or_the_new_one(tmp_path: Path) -> None:
    """In one step, with the whole folder."""
    states = [state(out) for out, _ in after_each_kill(tmp_path, notes=False)]
    assert set(states) == {"old", "new"}
    assert states == sorted(states, reverse=True)


@pytest.mark.parametrize("notes", [True, False])
def test_killed_at_any_point_the_next_run_finds_one_of_them_whole(
    tmp_path: Path, notes: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beside others' files, or where the system cannot exchange folders, entry by entry."""
    if not notes:
        monkeypatch.setattr(storage, "exchange", lambda a, b: False)
    states, halves = [], 0
    for out, _ in after_each_kill(tmp_path, notes=notes):
        if (out / ARTIFACT).exists():  # whole, if at all
            assert (out / ARTIFACT / "weights.bin").exists()
        if (out / storage.BILL).exists():
            state(out)
        else:
            halves += 1
        with storage.aside(out):
            states.append(state(out))
        assert [p.name for p in out.parent.iterdir()] == ["out"]
    assert set(states) == {"old", "new"}
    assert states == sorted(states, reverse=True)
    assert halves > 5


def test_what_is_undone_is_undone_though_that_is_killed_too(tmp_path: Path) -> None:
    out, other = tmp_path / "out", tmp_path / "other"
    publish(out, "old")
    (out / "notes.txt").write_text("mine")
    for stop in range(12):  # each run is killed at its next change
        assert killed(out, stop % 4 + 6)
    with storage.aside(out):
        assert state(out) == "old"
    assert not other.exists()


def test_a_strangers_hidden_folder_moves_nothing_elsewhere(tmp_path: Path) -> None:
    """One that came with an archive: its names lead out of the folder."""
    out, left = tmp_path / "deep" / "out", tmp_path / "deep" / ".out.lading-x-abc"
    for folder in (out, left / "old", left / "new"):
        folder.mkdir(parents=True)
    precious = [tmp_path / "precious", out / "precious"]
    for one in precious:
        one.write_text("mine")
    for told in (["../../precious", str(precious[0]), "..", "", "x"], 3, [[3]]):
        (left / "names").write_text(json.dumps(told))
        with storage.aside(out):
            assert all(one.read_text() == "mine" for one in precious)
        (left / "old").mkdir(parents=True)
        (left / "new").mkdir()


def test_what_the_user_put_right_is_not_undone(tmp_path: Path) -> None:
    out, left = tmp_path / "out", tmp_path / ".out.lading-x-abc"
    publish(out, "old")
    publish(left / "old", "older")
    (left / "new").mkdir()
    (left / "names").write_text('["net.onnx", "other.onnx"]')
    (out / "net.onnx").unlink()
    with storage.aside(out):
        assert (out / "net.onnx").read_text() == "older"
        assert (out / ARTIFACT / "weights.bin").read_text() == "old"


# --------------------------------------------------------------------------------------- leftovers
def test_leftovers_of_the_dead_go_and_those_of_the_living_stay(tmp_path: Path) -> None:
    out = tmp_path / "out"
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    sleeper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        folders = {
            who: tmp_path / f".out.lading-{pid}-abc"
            for who, pid in {"dead": gone.pid, "reused": sleeper.pid, "odd": "x"}.items()
        }
        other = tmp_path / f".outer.lading-{gone.pid}-abc"
        for folder in (*folders.values(), other):
            folder.mkdir()
            (folder / "half").touch()
        os.utime(folders["reused"], (0, 0))  # its number is another process's now: nothing locks it
        with storage.aside(out):
            pass
        assert names(tmp_path) == [other.name, f"{other.name}/half"]
        folders["reused"].mkdir()  # just now, and so perhaps not yet locked
        with pytest.raises(StorageError, match="out"), storage.aside(out):
            pass
    finally:
        sleeper.kill()
        sleeper.wait()


def test_names_that_look_like_patterns_are_names(tmp_path: Path) -> None:
    left = tmp_path / ".net[12].lading-x-abc"
    left.mkdir()
    with storage.aside(tmp_path / "net[12]"):
        pass
    assert names(tmp_path) == []


def test_of_two_at_once_the_second_is_refused(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with storage.aside(out) as first:
        before = names(tmp_path)
        for path in (out, tmp_path / "." / "out"):
            with pytest.raises(StorageError) as caught, storage.aside(path):
                pass
            assert caught.value.found == "another run of lading is writing it"
        assert names(tmp_path) == before
        with storage.aside(tmp_path / "other"):
            assert first.exists()
    with storage.aside(out):
        pass


def test_in_another_process_too(tmp_path: Path) -> None:
    code = "import sys; from lading.base import storage; from pathlib import Path\n"
    code += "with storage.aside(Path(sys.argv[1])): print(flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "out")],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    ) as other:  # fmt: skip
        assert other.stdout is not None
        other.stdout.readline()
        with pytest.raises(StorageError), storage.aside(tmp_path / "out"):
            pass
        other.terminate()
    assert [p.name[:12] for p in tmp_path.iterdir()] == [".out.lading-"]  # all that a signal leaves
    with storage.aside(tmp_path / "out"):
        pass
    assert names(tmp_path) == []


# ----------------------------------------------------------------------------------------- refused
def test_a_full_disk_is_told(tmp_path: Path) -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("this system has no /dev/full")
    with pytest.raises(StorageError) as caught, storage.errors_about(tmp_path / "out"):
        full.write_bytes(b"x" * 10_000)
    assert caught.value.subject == str(tmp_path / "out")
    assert "No space left on device" in caught.value.found
    assert caught.value.remedy == "free some space, or choose another -o"


@pytest.mark.parametrize("at", range(10))
def test_no_room_while_publishing_leaves_the_old_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    out = tmp_path / "out"
    publish(out, "old")
    (out / "notes.txt").write_text("mine")
    plain, count = os.rename, 0

    def refuse(source: str, target: str) -> None:
        nonlocal count
        count += 1
        if count == at + 1:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(target))
        plain(source, target)

    monkeypatch.setattr(os, "rename", refuse)
    if at < 8:  # four entries away, four into their place
        with pytest.raises(StorageError, match="out") as caught:
            publish(out, "new")
        assert "No space left on device" in caught.value.found
    else:
        publish(out, "new")
    monkeypatch.undo()
    assert json.loads((out / storage.BILL).read_text())["says"] == ("old" if at < 8 else "new")
    assert whole(out)
    assert (out / "notes.txt").read_text() == "mine"
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES])
def test_a_place_that_refuses_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refuse(*arguments: object, **options: object) -> str:
        raise OSError(number, os.strerror(number), str(tmp_path / "x"))

    monkeypatch.setattr(storage.tempfile, "mkdtemp", refuse)
    with pytest.raises(StorageError) as caught, storage.aside(tmp_path / "out"):
        pass
    assert caught.value.found == f"{os.strerror(number)} ({tmp_path / 'x'})"
    assert caught.value.expected == "a place with enough room that can be written"
    assert caught.value.remedy == "choose another -o"


def test_a_file_that_is_in_the_way_of_the_parent(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError), storage.aside(tmp_path / "file" / "out"):
        pass


# ----------------------------------------------------------------------------------- require_free
def test_free_places_pass(tmp_path: Path) -> None:
    storage.require_free(tmp_path / "new" / "deep", force=False)
    (tmp_path / "empty").mkdir()
    storage.require_free(tmp_path / "empty", force=False)
    (tmp_path / "empty" / "file").touch()
    storage.require_free(tmp_path / "empty", force=True)


def test_what_is_in_the_way_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="file") as caught:
        storage.require_free(tmp_path / "file", force=True)
    assert caught.value.found == "a file"
    with pytest.raises(StorageError) as caught:
        storage.require_free(tmp_path, force=False)
    assert str(caught.value) == (
        f"{tmp_path}\n"
        "  found     a folder that is not empty\n"
        "  expected  an empty folder, or none\n"
        "  remedy    choose another -o, or add --force to replace what lading wrote there"
    )
    with pytest.raises(StorageError) as caught:
        storage.require_free(tmp_path / "file" / "out", force=False)
    assert caught.value.found == f"{tmp_path / 'file'} cannot be written"


def test_a_folder_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Asked of `os.access`, as the tests may run as the superuser, whom nothing refuses.
    monkeypatch.setattr(storage.os, "access", lambda path, mode: False)
    with pytest.raises(StorageError) as caught:
        storage.require_free(tmp_path / "out", force=False)
    assert caught.value.found == f"{tmp_path} cannot be written"
    assert caught.value.remedy == "choose another -o, or change its permissions"


# ------------------------------------------------------------------------------------ require_own
def vectors(folder: Path, *files: str) -> None:
    """Golden vectors as far as ownership goes."""
    folder.mkdir()
    entries = {str(place): {"file": name} for place, name in enumerate(files)}
    first = {"name": "noise-0", "raw": entries, "graphs": {"coreml": {"y": {"file": "graph.bin"}}}}
    told = {"format": "lading golden vectors", "vectors": [first]}
    (folder / "index.json").write_text(json.dumps(told))
    for name in (*files, "graph.bin"):
        (folder / name).write_text("1")


def require_own(out: Path, *artifacts: str) -> str:
    """What is refused, or nothing."""
    try:
        storage.require_own(out, artifacts, page="report.html", golden="golden")
    except StorageError as error:
        return error.found
    return ""


def test_an_earlier_result_is_ones_own(tmp_path: Path) -> None:
    assert require_own(tmp_path / "none", "net.onnx") == ""
    out = tmp_path / "out"
    publish(out, "one", (ARTIFACT, f"{storage.REJECTED}/net.onnx"))
    vectors(out / "golden", "a.bin", "b.bin")
    (out / "report.html").write_text("<title>net: pass (bill of lading)</title>")
    (out / "notes.txt").write_text("mine, and in nobody's way")
    assert require_own(out, ARTIFACT, "net.onnx") == ""


def test_what_is_anothers_is_refused_before_it_is_lost(tmp_path: Path) -> None:
    out = tmp_path / "out"
    publish(out, "one", ("net.onnx",))
    vectors(out / "golden", "a.bin")
    (out / "golden" / "my notes.txt").write_text("mine")
    assert require_own(out) == "what lading did not write: golden/my notes.txt"
    (out / storage.REJECTED).mkdir()
    (out / storage.REJECTED / "why.md").write_text("mine")
    (out / "report.html").write_text("<title>my thesis</title>")
    (out / ARTIFACT).mkdir()
    with pytest.raises(StorageError) as caught:
        storage.require_own(out, [ARTIFACT, "net.onnx"], page="report.html", golden="golden")
    assert str(caught.value) == (
        f"{out}\n"
        "  found     what lading did not write: net.mlpackage, report.html, golden/my notes.txt "
        "and 1 more\n"
        "  expected  an earlier result of lading alone under these names\n"
        "  remedy    move that elsewhere, or choose another -o: --force would lose it"
    )


@pytest.mark.parametrize(
    "index",
    ["", "[]", "{}", '{"format": "lading golden vectors"}', '{"format": "other", "vectors": []}',
     '{"format": "lading golden vectors", "vectors": 3}', "[" * 100_000,
     '{"format": "lading golden vectors", "vectors": [{"raw": {"x": {"file": ["a"]}}}]}'],
)  # fmt: skip
def test_a_folder_golden_without_lading_s_index_is_anothers(tmp_path: Path, index: str) -> None:
    (tmp_path / "golden").mkdir()
    (tmp_path / "golden" / "medal.png").write_text("mine")
    (tmp_path / "golden" / "index.json").write_text(index)
    assert "golden/medal.png" in require_own(tmp_path)


def test_a_link_or_a_file_in_the_place_of_a_folder_is_anothers(tmp_path: Path) -> None:
    (tmp_path / "golden").write_text("mine")
    (tmp_path / storage.REJECTED).symlink_to(tmp_path)
    assert require_own(tmp_path) == "what lading did not write: golden, rejected"


def test_the_artifact_that_was_verified_is_the_users(tmp_path: Path) -> None:
    """A verification's bill names what was there before it."""
    (tmp_path / "net.onnx").write_text("mine")
    told = {"artifacts": [{"path": "net.onnx"}], "request": {"against": "x.pth"}}
    (tmp_path / storage.BILL).write_text(json.dumps(told))
    assert require_own(tmp_path, "net.onnx") == "what lading did not write: net.onnx"


# -------------------------------------------------------------------------------------- single file
def test_one_file_is_written_whole(tmp_path: Path) -> None:
    path = tmp_path / "out.png"
    path.write_bytes(b"old")
    storage.write_file(path, b"new")
    assert path.read_bytes() == b"new"
    assert [p.name for p in tmp_path.iterdir()] == ["out.png"]


def test_only_a_regular_file_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "null").symlink_to("/dev/null")
    (tmp_path / "loop").symlink_to("loop")
    before = names(tmp_path)
    for name, found in (("folder", "a folder"), ("pipe", "a pipe"), ("null", "a device"),
                        ("loop", "no place")):  # fmt: skip
        for refused in (storage.require_file, lambda path: storage.write_file(path, b"new")):
            with pytest.raises(StorageError) as caught:
                refused(tmp_path / name)
            assert caught.value.found.startswith(found)
        with pytest.raises(StorageError):
            storage.require_free(tmp_path / name / "out", force=True) if name != "folder" else (
                storage.require_free(tmp_path / "pipe", force=True)
            )
    assert names(tmp_path) == before
    assert (tmp_path / "null").is_symlink()


def test_a_link_is_followed_to_its_file(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link.png").symlink_to("real/out.png")
    for text in (b"one", b"two"):
        storage.write_file(tmp_path / "link.png", text)
        assert (tmp_path / "real" / "out.png").read_bytes() == text
    assert names(tmp_path) == ["link.png", "real", "real/out.png"]


def test_remove(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "a").touch()
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to(tmp_path / "folder")
    storage.remove(tmp_path / "link")
    assert (tmp_path / "folder" / "a").exists()
    for name in ("folder", "file", "nothing"):
        storage.remove(tmp_path / name)
    assert names(tmp_path) == []
