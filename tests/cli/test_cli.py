"""The command line as a user meets it: what it prints, what it leaves, how it ends."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from lading import cli
from lading.cli.commands import commands
from lading.errors import RequestError
from lading.job.options import REQUIRED, options


@pytest.fixture(scope="module")
def converted(small_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("cli") / "out"
    assert cli.main(["convert", str(small_checkpoint), "-o", str(out), "--quiet"]) == 0
    return out


# -------------------------------------------------------------------------------- what it prints
def test_convert_prints_the_verdict_first_and_ends_with_zero(
    small_checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["convert", str(small_checkpoint), "-o", str(tmp_path / "out"), "--to", "onnx"]
    assert cli.main(arguments) == 0
    shown = capsys.readouterr()
    assert shown.out.startswith("PASS  Dataset001_CAMUS.onnx gives what the original gives on 14 ")
    assert re.search(r"≥ [0-9.]+ dB", shown.out)
    assert "\x1b" not in shown.out + shown.err
    for stage in ("read", "recognise", "ledger", "convert", "compare", "write"):
        assert f" s  {stage}" in shown.err


def test_json_is_nothing_but_json(
    small_checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["convert", str(small_checkpoint), "-o", str(tmp_path / "out"), "--to", "onnx"]
    assert cli.main([*arguments, "--json"]) == 0
    shown = capsys.readouterr()
    assert shown.err == ""
    assert json.loads(shown.out) == json.loads((tmp_path / "out" / "lading.json").read_text())


def test_json_errors_are_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["inspect", "nowhere.pth", "--json"]) == 2
    told = json.loads(capsys.readouterr().out)
    assert set(told) == {"error", "subject", "found", "expected", "remedy"}
    assert told["found"] == "no such file"


def test_quiet_prints_nothing(
    converted: Path, small_checkpoint: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    artifact = str(converted / "Dataset001_CAMUS.onnx")
    arguments = ["verify", artifact, "--against", str(small_checkpoint), "-o", "-", "--quiet"]
    assert cli.main(arguments) == 0
    shown = capsys.readouterr()
    assert shown.out == shown.err == ""


def test_inspect_shows_evidence_and_tensors(
    small_checkpoint: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["inspect", str(small_checkpoint), "--tensors"]) == 0
    out = capsys.readouterr().out
    for word in ("nnU-Net v2", "features_per_stage", "tensors", "embedded", "transpconvs"):
        assert word in out
    assert (
        max(map(len, (row for row in out.splitlines() if str(small_checkpoint) not in row))) <= 80
    )


def test_inspect_an_artifact(converted: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("Dataset001_CAMUS.onnx", "Dataset001_CAMUS.mlpackage"):
        assert cli.main(["inspect", str(converted / name)]) == 0
        out = capsys.readouterr().out
        assert "takes image float32 1×1×32×32" in out
        assert "gives logits float32 1×3×32×32" in out
        assert "lading.checkpoint.sha256" in out


def test_doctor_says_what_this_computer_cannot(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["doctor", "--json"]) == 0
    states = {one["name"]: one["state"] for one in json.loads(capsys.readouterr().out)}
    assert states["lading.coreml.mil (declared precision)"] == "ok"
    assert states["Core ML (this Mac)"] == ("ok" if sys.platform == "darwin" else "absent")


# ------------------------------------------------------------------------------------------- run
@pytest.mark.parametrize("artifact", ["Dataset001_CAMUS.onnx", "Dataset001_CAMUS.mlpackage"])
def test_run_draws_a_label_map(
    artifact: str, converted: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture = tmp_path / "echo.png"
    pixels = np.random.default_rng(0).integers(0, 255, (48, 40, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(picture)
    out = tmp_path / "labels.png"
    arguments = ["run", str(converted / artifact), "--input", str(picture), "-o", str(out)]
    assert cli.main(arguments) == 0
    shown = capsys.readouterr().out
    assert "resampled from 48x40 to 32x32" in shown
    assert "normalised: zscore" in shown
    assert "LeftVentricle" in shown
    assert "labels put back to 48x40: scores resampled" in shown
    assert Image.open(out).size == (40, 48)
    assert set(np.unique(np.asarray(Image.open(out)))) <= {0, 1, 2}


def test_run_on_an_array_gives_the_networks_own_output(
    converted: Path, small_network: Any, tmp_path: Path
) -> None:
    x = torch.randn(1, 1, 32, 32, generator=torch.Generator().manual_seed(5))
    np.save(tmp_path / "x.npy", x.numpy())
    arguments = [
        "run",
        str(converted / "Dataset001_CAMUS.onnx"),
        "--input",
        str(tmp_path / "x.npy"),
    ]
    assert cli.main([*arguments, "-o", str(tmp_path / "y.npy"), "--quiet"]) == 0
    with torch.no_grad():
        expected = small_network(x)[0].numpy()
    # fp32 in another summation order; the largest logit is about 5
    np.testing.assert_allclose(np.load(tmp_path / "y.npy"), expected, atol=2e-4)


# ------------------------------------------------------------------------------------- bad input
def missing(folder: Path) -> Path:
    return folder / "missing.pth"


def empty(folder: Path) -> Path:
    path = folder / "empty.pth"
    path.write_bytes(b"")
    return path


def text(folder: Path) -> Path:
    path = folder / "text.pth"
    path.write_text("these are no weights\n" * 9)
    return path


def truncated(folder: Path) -> Path:
    path = folder / "cut.pth"
    torch.save({"w": torch.randn(500)}, path)
    path.write_bytes(path.read_bytes()[:700])
    return path


def tar(folder: Path) -> Path:
    path = folder / "some.pth"
    with tarfile.open(path, "w") as archive:
        entry = tarfile.TarInfo("readme.txt")
        entry.size = 2
        archive.addfile(entry, io.BytesIO(b"hi"))
    return path


def zip_bomb(folder: Path) -> Path:
    path = folder / "bomb.pth"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", b"\0" * 90_000_000)
        archive.writestr("archive/version", b"3\n")
    return path


class Shell:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("touch was_run",)


def pickle_that_acts(folder: Path) -> Path:
    path = folder / "acts.pth"
    torch.save({"network_weights": {"w": torch.zeros(1)}, "x": Shell()}, path)
    return path


def other_network(folder: Path) -> Path:
    path = folder / "other.pth"
    torch.save({"conv1.weight": torch.zeros(64, 3, 7, 7)}, path)
    return path


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (missing, ("no such file",)),
        (empty, ("empty",)),
        (text, ("text",)),
        (truncated, ("cut.pth",)),
        (tar, ("tar",)),
        (zip_bomb, ("bomb.pth", "unpack")),
        (pickle_that_acts, ("system",)),
        (other_network, ("signs of", "missing first")),
    ],
)
def test_bad_files_have_their_own_message_and_status_two(
    make: Callable[[Path], Path],
    words: tuple[str, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    path = make(tmp_path)
    before = sorted(tmp_path.iterdir())
    assert cli.main(["convert", str(path)]) == 2
    shown = capsys.readouterr()
    for word in (*words, "found", "expected", "remedy"):
        assert word in shown.err.replace("\n            ", " "), shown.err
    assert "Traceback" not in shown.err
    assert sorted(tmp_path.iterdir()) == before  # nothing ran, nothing was written


def test_a_folder_in_the_way_needs_force(
    small_checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "mine.txt").write_text("keep")
    arguments = ["convert", str(small_checkpoint), "-o", str(out), "--to", "onnx", "--quiet"]
    assert cli.main(arguments) == 2
    assert "--force" in capsys.readouterr().err
    assert [p.name for p in out.iterdir()] == ["mine.txt"]
    assert cli.main([*arguments, "--force"]) == 0
    assert (out / "mine.txt").read_text() == "keep"
    assert (out / "lading.json").exists()


def test_a_place_that_cannot_be_written_is_told_before_the_work(
    small_checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    assert cli.main(["convert", str(small_checkpoint), "-o", str(tmp_path / "file" / "out")]) == 2
    shown = capsys.readouterr()
    assert "cannot be written" in shown.err.replace("\n            ", " ")
    assert "recognise" not in shown.err


def test_a_full_disk_is_one_error(
    small_checkpoint: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    import errno

    def full(self: Path, data: bytes) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self))

    monkeypatch.setattr(Path, "write_bytes", full)
    out = tmp_path / "out"
    assert cli.main(["convert", str(small_checkpoint), "-o", str(out), "--to", "onnx"]) == 2
    assert "No space left" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "subject", "remedy"),
    [
        (["sail"], "lading sail", "lading --help lists all"),
        (["vrify", "x.onnx"], "lading vrify", "did you mean verify? lading --help lists all"),
        (["convert"], "lading convert", "see lading convert --help"),
        (
            ["convert", "x.pth", "--ouput=labels"],
            "lading convert --ouput",
            "did you mean --output?",
        ),
        (["convert", "x.pth", "--zzz"], "lading convert --zzz", "lading convert --help lists all"),
        (["convert", "x.pth", "y", "z"], "lading convert y", "leave it out"),
        (["convert", "x.pth", "--shapes"], "lading convert", "see lading convert --help"),
        (["--frobnicate"], "lading --frobnicate", "lading --help lists all"),
    ],
)
def test_wrong_words_end_with_two_and_name_the_nearest(
    arguments: list[str], subject: str, remedy: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(arguments) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    typed = subject.removeprefix("lading ")  # the program's name is not said twice
    assert shown.err.startswith(f"lading: {typed}\n")
    assert cli.main([*arguments, "--json"]) == 2
    shown = capsys.readouterr()
    assert shown.err == ""
    told = json.loads(shown.out)
    assert told["subject"] == subject
    assert told["remedy"].startswith(remedy)


def test_lading_alone_prints_its_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([]) == 0
    shown = capsys.readouterr().out
    assert all(f"    {name} " in shown for name in commands())


def test_every_option_s_help_says_what_it_means_and_its_default() -> None:
    for command in commands().values():
        for name, one in options(command.request).items():
            assert len(one.described) > 3, name
            plain = one.kind.flag or one.default in (REQUIRED, None, "", (), {})
            assert plain or f"default {one.kind.spell(one.default)}" in one.described or (
                "default coreml, onnx" in one.described
            ), name  # fmt: skip


@pytest.mark.parametrize("columns", [60, 80, 200])
def test_columns_are_honoured(
    columns: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    with pytest.raises(SystemExit):
        cli.main(["sample", "--help"])
    shown = capsys.readouterr().out.partition("examples:")[0].splitlines()
    assert min(columns, 100) - 25 < max(map(len, shown)) <= min(columns, 100)
    assert cli.commands.console().width == columns


@pytest.mark.skipif(not shutil.which("bash"), reason="no bash")
def test_a_shell_completes_commands_options_and_words(tmp_path: Path) -> None:
    script = tmp_path / "lading.sh"
    made = subprocess.run(
        [sys.executable, "-m", "lading", "--print-completion", "bash"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    script.write_text(made.stdout)
    for typed, expected in (
        (["ver"], "verify"), (["convert", "--prec"], "--precision"),
        (["convert", "--precision", "fp"], "fp16"),
    ):  # fmt: skip
        words = " ".join(["lading", *typed])
        asked = (
            f"source {script}; COMP_WORDS=({words}); COMP_CWORD={len(typed)}; "
            'COMPREPLY=(); _shtab_lading lading "${COMP_WORDS[COMP_CWORD]}"; echo "${COMPREPLY[@]}"'
        )
        out = subprocess.run(["bash", "-c", asked], capture_output=True, text=True, check=False)
        assert expected in out.stdout.split(), out.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["convert", "CHECKPOINT", "--set", "nonsense"],
        ["convert", "CHECKPOINT", "--precision", "fp8"],
        ["convert", "CHECKPOINT", "--dynamic", "time"],
        ["convert", "CHECKPOINT", "--ios", "16", "--macos", "13"],
        ["convert", "CHECKPOINT", "--opset", "11"],
        ["convert", "CHECKPOINT", "--ios", "12"],
        ["convert", "CHECKPOINT", "--to", "tflite"],
        ["verify", "CHECKPOINT", "--against", "CHECKPOINT"],
        ["run", "CHECKPOINT", "--input", "x.png"],
    ],
)
def test_wrong_requests_end_with_two(
    arguments: list[str],
    small_checkpoint: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    words = [str(small_checkpoint) if a == "CHECKPOINT" else a for a in arguments]
    assert cli.main(words) == 2
    assert "remedy" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_an_interrupt_leaves_nothing(
    small_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lading.conversion import graphs

    def stopped(*arguments: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(graphs, "capture", stopped)
    assert cli.main(["convert", str(small_checkpoint), "-o", str(tmp_path / "out")]) == 130
    assert list(tmp_path.iterdir()) == []


def test_a_failed_verdict_ends_with_one(
    small_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lading.proof import verdict

    strict = verdict.Gates(500.0, 1.0, "beyond fp32", "all")
    monkeypatch.setitem(verdict.GATES, "fp32", strict)
    out = tmp_path / "out"
    assert (
        cli.main(["convert", str(small_checkpoint), "-o", str(out), "--to", "onnx", "--quiet"]) == 1
    )
    assert [p.name for p in (out / "rejected").iterdir()] == ["Dataset001_CAMUS.onnx"]


def test_it_runs_as_a_module() -> None:
    out = subprocess.run(
        [sys.executable, "-m", "lading", "--version"], capture_output=True, text=True, check=True
    )
    assert out.stdout.startswith("lading ")


def test_errors_have_a_status() -> None:
    assert RequestError("x", found="", expected="", remedy="").exit_status == 2
