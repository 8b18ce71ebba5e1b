"""The command on the page asks for the same voyage: spelled, read by a shell, parsed, compared.

Every option of both commands has a line in `SAMPLES`, or in `LEFT_OUT` with its reason.
"""

from __future__ import annotations

import argparse
import os
import shlex
import subprocess
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image

from lading import cli
from lading.cli.commands import convert
from lading.job import pipeline
from lading.job.request import Request, recorded, recorded_verification
from lading.network.own_module import from_text
from lading.page.repeat import UNSAID, repeat, word
from lading.record import Bill
from tests import bills

#: Per command: what "Repeat it" does not spell, and why.
LEFT_OUT = {
    "convert": {
        "force": "the same voyage; what lay in the folder before is not part of it",
        "json": "how the result is printed",
        "quiet": "how the result is printed",
        "help": "no voyage",
    },
    "verify": {
        "golden": "writes no bill, so there is no page to spell it on",
        "out": "where the page lies, not what it says; by default beside the caller",
        "json": "how the result is printed",
        "quiet": "how the result is printed",
        "help": "no voyage",
    },
}
MODEL = ["--model=-nets/it's mine.py:make", "--input", "t:int32[1]@-0.25..12345678"]
#: Per command and option: words that ask for something else than the default.
SAMPLES: dict[str, dict[str, list[str]]] = {
    "convert": {
        "path": [],
        "trajectory": ["--trajectory", "0"],
        "out": [],
        "to": ["--to", "onnx", "--to", "mlmodel"],
        "name": ["--name=-My net"],
        "set": ["--set", "a=1,2", "--set=-b=it's = so"],
        "fold": ["--fold", "2"],
        "config": ["--config", "a config/$HOME.yml"],
        "settle_with": ["--settle-with=-pictures"],
        "model": MODEL,
        "input": [*MODEL, "--input", "x:float32[1,3,8,8]@0..0.1"],
        "output": ["--output", "labels"],
        "classifier": ["--classifier"],
        "bake": ["--bake", "zscore"],
        "input_image": ["--input-image", "rgb"],
        "scale": ["--scale=-0.1"],
        "bias": ["--bias=-1.5,0.25,1e-9"],
        "shapes": ["--shapes", "256x256,512x384"],
        "dynamic": ["--dynamic", "batch,size"],
        "part": ["--part", "step"],
        "sampler": ["--part", "step", "--sampler", "ddim"],
        "eta": ["--part", "step", "--sampler", "ddim", "--eta", "0.3"],
        "timesteps": ["--timesteps", "float32"],
        "precision": ["--precision", "auto"],
        "ios": ["--ios", "17"],
        "macos": ["--macos", "13"],
        "opset": ["--opset", "20"],
        "route": ["--route", "trace"],
        "author": ["--author", "A \"B\" 'C' `D` \\"],
        "license": ["--license", "a; echo ~ `echo b` $(echo c)"],
        "description": ["--description", "line\nand\ttab \u202e"],
        "data": ["--data=-pictures"],
    },
    "verify": {
        "artifact": [],
        "trajectory": ["--trajectory", "7"],
        "against": [],
        "set": ["--set", "a=1,2", "--set=-b=it's = so"],
        "fold": ["--fold", "2"],
        "config": ["--config=-c.json"],
        "model": MODEL,
        "input": [*MODEL, "--input", "x:float32[1,3,8,8]@0..0.1"],
        "data": ["--data=-pictures"],
    },
}
#: Beside those, values that are spelled another way.
FURTHER = {
    "convert": [
        ["--shapes", "64..512x64..256"],
        ["--classifier", "--output", "labels"],
        ["--classifier", "--output", "probabilities"],
        ["--precision", "fp32", "--ios", "16"],
        ["--bias", "0,0,0"],
        ["--data=-pictures/a b.png"],
        ["--scale", "0.00392156862745098"],
    ],
    "verify": [["--data", "a table.csv"], ["--data=-pictures/a b.png"]],
}
FIRST = {
    "convert": ["convert", "./-a dir/x.pth", "--out=-out put"],
    "verify": ["verify", "./-My net.mlpackage", "--against=-a dir/it's"],
}


def options(command: str) -> list[argparse.Action]:
    (commands,) = cli.parser()._subparsers._group_actions  # type: ignore[union-attr]
    found: list[argparse.Action] = commands.choices[command]._actions  # type: ignore[index]
    return found


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, with the files that the samples name."""
    monkeypatch.chdir(tmp_path)
    Path("-pictures").mkdir()
    for name in ("a b.png", "-c.png"):
        Image.fromarray(np.zeros((4, 4), dtype=np.uint8)).save(Path("-pictures") / name)
    Path("-nets").mkdir()
    Path("-nets/it's mine.py").write_text("make = None\n")
    return tmp_path


def shell(command: str) -> list[str]:
    """The words that a shell makes of a line.

    The line may be quoted wrongly, which is what is tested: so the shell is one that finds no
    program, writes no file, and has no home.
    """
    with tempfile.TemporaryDirectory() as nowhere:
        done = subprocess.run(
            ["/bin/bash", "--noprofile", "--norc", "--restricted", "-c",
             f"printf '%s\\0' {command}"],
            capture_output=True, cwd=nowhere, env={"PATH": "/nonexistent", "HOME": nowhere},
            timeout=20,
        )  # fmt: skip
    return [os.fsdecode(one) for one in done.stdout.split(b"\0")[:-1]]


class ReachedError(Exception):
    """What reached the pipeline."""

    def __init__(self, *values: Any, **named: Any) -> None:
        self.values, self.named = values, named


def plain(values: dict[str, Any]) -> dict[str, Any]:
    """All of it; code is compared by its text, its inputs and its digest."""
    model, over = values.pop("model"), values.pop("over", None)
    made = (model.text, model.inputs, model.sha256) if model else None
    return {**values, "model": made, "table": over.table if over else None}


def asked(words: list[str], monkeypatch: pytest.MonkeyPatch) -> tuple[dict[str, Any], Any]:
    """What the command asks of the pipeline, and what the bill says of it."""

    def stop(*values: Any, **named: Any) -> None:
        raise ReachedError(*values, **named)

    monkeypatch.setattr(pipeline, words[0], stop)
    extra = ["-o", "-"] if words[0] == "verify" else []
    with pytest.raises(ReachedError) as stopped:
        cli.main([*words, *extra, "--quiet"])
    values, named = stopped.value.values, stopped.value.named
    if words[0] == "convert":
        (request, _) = values
        return plain(dict(vars(request))), recorded(request)
    named.pop("progress")
    given = {**named, "table": named["over"].table if named["over"] else None}
    given.pop("over")
    said = recorded_verification(*values, **given)
    return plain({**named, "artifact": values[0], "against": values[1]}), said


def spelled(request: Any) -> str:
    done = repeat(replace(bills.full(), request=request))
    assert done.told == ""
    return done.commands[1]


@pytest.mark.parametrize("command", FIRST)
def test_every_option_is_spelled_or_has_a_reason(command: str) -> None:
    there = {action.dest for action in options(command)}
    assert there == set(SAMPLES[command]) | set(LEFT_OUT[command])
    assert not set(SAMPLES[command]) & set(LEFT_OUT[command])


@pytest.mark.parametrize(
    ("command", "dest", "words"),
    [
        (command, dest, words)
        for command, samples in SAMPLES.items()
        for dest, words in (*samples.items(), *(("", more) for more in FURTHER[command]))
    ],
    ids=lambda one: " ".join(one) if isinstance(one, list) else one,
)
def test_what_was_asked_is_asked_again(
    command: str, dest: str, words: list[str], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, said = asked(FIRST[command] + words, monkeypatch)
    if words and dest:
        assert first != asked(FIRST[command], monkeypatch)[0], "the sample is the default"
    line = spelled(said)
    program, *again = shell(line)
    assert program == "lading"
    for action in options(command):
        if action.dest == dest and action.option_strings:
            assert any(one.split("=")[0] in action.option_strings for one in again)
    assert asked(again, monkeypatch)[0] == first


def test_what_is_left_at_its_default_is_left_out(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, said = asked(["convert", "x.pth"], monkeypatch)
    assert spelled(said) == "lading convert x.pth --out x-lading --to coreml --to onnx"
    _, said = asked(["verify", "x.onnx", "--against", "x.pth"], monkeypatch)
    assert spelled(said) == "lading verify x.onnx --against x.pth"


TEXTS = st.text(min_size=1).filter(lambda text: "\0" not in text)
#: Some argparse take the two dashes alone for no value, so that nobody can ask for them.
NAMES = TEXTS.filter(lambda text: text != "--")


@given(
    path=TEXTS, out=TEXTS, name=NAMES, author=NAMES, config=TEXTS,
    settings=st.dictionaries(NAMES.map(lambda one: one.replace("=", "").strip()).filter(bool),
                             NAMES | st.just("")),
    scale=st.floats(allow_nan=False), bias=st.lists(st.floats(allow_nan=False), min_size=1),
)  # fmt: skip
@example("-", "--", "-o", "--to=x", "-1", {"-": "-"}, -0.0, [0.0, -1e-5])
def test_any_text_and_any_number_come_back(
    path: str, out: str, name: str, author: str, config: str, settings: dict[str, str],
    scale: float, bias: list[float],
) -> None:  # fmt: skip
    from lading.interface import Options
    from lading.interface.settings import Settings

    request = Request(
        Path(path), Path(out), name=name, given=settings, config=Path(config),
        options=Options(scale=scale, bias=tuple(bias)), settings=Settings(author=author),
    )  # fmt: skip
    line = spelled(recorded(request))
    assert "\n" not in line
    arguments = cli.parser().parse_args(shell(line)[1:])
    assert convert.asked(arguments) == request


@given(TEXTS)
def test_a_word_is_one_word(text: str) -> None:
    assert shell(word(text)) == [text]
    if all(one.isprintable() and one.isascii() for one in text):
        assert word(text) == shlex.quote(text)


def test_a_path_that_is_no_text_comes_back() -> None:
    path = os.fsdecode(b"caf\xe9 's.pth")
    assert shell(word(path)) == [path]
    word("\ud800").encode()


# ------------------------------------------------------------------------------ what it cannot say
def test_the_versions_come_first() -> None:
    here = {**bills.full().environment, "torch": "2.13.0+cpu"}
    install, _ = repeat(replace(bills.full(), environment=here)).commands
    assert install == "pip install lading==0.1.0 torch==2.13.0 coremltools==9.0 numpy==2.3.5"


def test_what_no_command_says_is_told(folder: Path) -> None:
    def told(**changes: Any) -> str:
        request = {**bills.full().request, **changes}
        done = repeat(replace(bills.full(), request=request))
        assert done.commands == ()
        return done.told

    assert told(data=["a/1.png", "b/2.png"]) == (
        "Its 2 files for --data lie in 2 folders, and the option takes one: it was asked in Python."
    )
    assert told(made_by="Net", input=["x:float32[1]"]) == (
        "The network was made in Python, by Net: the same call of lading.convert repeats it, and "
        "no command does."
    )
    own = from_text("-nets/it's mine.py:make", ["x:float32[1]"])
    inside = Request(Path("x"), Path("o"), model=replace(own, text=""))
    assert recorded(inside)["made_by"] == "it's mine.py:make"


@pytest.mark.parametrize(
    "request_",
    [{}, {"to": 3}, {"to": ["onnx"]}, {"to": ["onnx"], "path": "x", "options": 3},
     {"to": ["onnx"], "path": "x", "options": {"bias": ["?"]}},
     {"to": ["onnx"], "path": "x", "settings": None},
     {"artifact": "a", "against": "b", "data": 3}, {"against": "b"}],
)  # fmt: skip
def test_a_bill_that_does_not_say_gets_no_command(request_: Any) -> None:
    done = repeat(replace(bills.full(), request=request_))
    assert (done.commands, done.told) == ((), UNSAID)


def test_a_strangers_path_is_one_word() -> None:
    bill: Bill = bills.full()
    line = spelled({**bill.request, "path": "a; echo ~ `x` $(y)"})
    assert shlex.split(line)[2] == "a; echo ~ `x` $(y)"
