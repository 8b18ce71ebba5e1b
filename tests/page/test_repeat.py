"""The command on the page asks for the same: spelled, read by a shell, parsed, compared.

Every option of both commands has a line in `SAMPLES`, or in `LEFT_OUT` with its reason.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import tempfile
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lading import cli
from lading.job.options import Request, flag, options
from lading.job.request import Convert, requests
from lading.page.repeat import UNSAID, repeat, word
from lading.record import Bill
from tests import bills

#: Per command: what "Repeat it" does not spell, and why.
LEFT_OUT = {
    "convert": {
        "force": "the same conversion; what lay in the folder before is not part of it",
    },
    "verify": {
        "golden": "writes no bill, so there is no page to spell it on",
        "out": "where the page lies, not what it says; by default beside the caller",
        "junit": "the same result once more, for a CI server",
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
        "which": ["--which=-model.it's ema"],
        "fold": ["--fold", "2"],
        "config": ["--config", "a config/$HOME.yml"],
        "settle_with": ["--settle-with=-pictures"],
        "model": MODEL,
        "input": [*MODEL, "--input", "x:float32[1,3,8,8]@0..0.1"],
        "model_arg": [*MODEL, "--model-arg", "width=32", "--model-arg=-b=it's = so"],
        "trust": ["--trust"],
        "ignore": ["--ignore=-a.*", "--ignore", "it's.*"],
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
        "accept_frozen": ["--accept-frozen=-a net.py:12", "--accept-frozen", "it's.py:3"],
        "data": ["--data=-pictures"],
        "gate": ["--gate", "psnr=30.5", "--gate", "label_agreement=0.99"],
    },
    "verify": {
        "artifact": [],
        "trajectory": ["--trajectory", "7"],
        "against": [],
        "set": ["--set", "a=1,2", "--set=-b=it's = so"],
        "which": ["--which=-model.it's ema"],
        "fold": ["--fold", "2"],
        "config": ["--config=-c.json"],
        "settle_with": ["--settle-with=-pictures"],
        "model": MODEL,
        "input": [*MODEL, "--input", "x:float32[1,3,8,8]@0..0.1"],
        "model_arg": [*MODEL, "--model-arg", "width=32", "--model-arg=-b=it's = so"],
        "trust": ["--trust"],
        "ignore": ["--ignore=-a.*", "--ignore", "it's.*"],
        "output": ["--output", "labels"],
        "bake": ["--bake", "zscore"],
        "input_image": ["--input-image", "rgb"],
        "scale": ["--scale=-0.1"],
        "bias": ["--bias=-1.5,0.25,1e-9"],
        "shapes": ["--shapes", "256x256,512x384"],
        "map": ["--map", "a b=x", "--map=-q=$(echo y)"],
        "accept_frozen": ["--accept-frozen=-a net.py:12", "--accept-frozen", "it's.py:3"],
        "data": ["--data=-pictures"],
        "gate": ["--gate", "psnr=30.5", "--gate", "label_agreement=0.99"],
    },
}
#: Beside those, values that are spelled another way.
FURTHER = {
    "convert": [
        ["--shapes", "64..512x64..256"],
        ["--classifier", "--output", "labels"],
        ["--classifier", "--output", "probabilities"],
        ["--precision", "fp32", "--ios", "16"],
        ["--ios", "15"],
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


def words(line: str) -> list[str]:
    """The words of a line; a shell is asked only for what Python's own splitter does not know."""
    return shell(line) if "$'" in line else shlex.split(line)


def asked(given: list[str]) -> Request:
    """What the command line asks for."""
    arguments = vars(cli.parser().parse_args(given))
    command = arguments.pop("command")
    shown = {"json", "quiet", "debug"}
    made: Request = command.request(**{n: v for n, v in arguments.items() if n not in shown})
    return made


def spelled(request: Any) -> str:
    done = repeat(replace(bills.full(), request=request))
    assert done.why == ""
    return done.command


@pytest.mark.parametrize("command", FIRST)
def test_every_option_is_spelled_or_has_a_reason(command: str) -> None:
    there = {name: one.same for name, one in options(requests()[command]).items()}
    assert {name for name, same in there.items() if same} == set(SAMPLES[command])
    assert {name for name, same in there.items() if not same} == set(LEFT_OUT[command])


@pytest.mark.parametrize(
    ("command", "name", "more"),
    [
        (command, name, more)
        for command, samples in SAMPLES.items()
        for name, more in (*samples.items(), *(("", more) for more in FURTHER[command]))
    ],
    ids=lambda one: " ".join(one) if isinstance(one, list) else one,
)
def test_what_was_asked_is_asked_again(command: str, name: str, more: list[str]) -> None:
    first = asked(FIRST[command] + more)
    if more and name:
        assert first != asked(FIRST[command]), "the sample is the default"
    line = spelled(first.recorded())
    program, *again = words(line)
    assert program == "lading"
    if more and name:
        assert any(one.split("=")[0] == flag(name) for one in again)
    assert asked(again) == first


def test_what_is_left_at_its_default_is_left_out() -> None:
    assert spelled(asked(["convert", "x.pth"]).recorded()) == "lading convert x.pth"
    said = asked(["verify", "x.onnx", "--against", "x.pth", "-o", "out"]).recorded()
    assert spelled(said) == "lading verify x.onnx --against x.pth"


NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
TEXTS = st.text(min_size=1).filter(lambda text: "\0" not in text)
#: Some argparse take the two dashes alone for no value, so that nobody can ask for them.
NAMES = TEXTS.filter(lambda text: text != "--")


@given(
    path=TEXTS, out=TEXTS, name=NAMES, author=NAMES, config=TEXTS,
    settings=st.dictionaries(NAMES.map(lambda one: one.replace("=", "").strip()).filter(bool),
                             NAMES | st.just("")),
    scale=NUMBERS, bias=st.lists(NUMBERS, min_size=1), data=st.lists(TEXTS),
)  # fmt: skip
@example("-", "--", "-o", "--to=x", "-1", {"-": "-"}, -0.0, [0.0, -1e-5], ["-", "a b"])
def test_any_text_and_any_number_come_back(
    path: str, out: str, name: str, author: str, config: str, settings: dict[str, str],
    scale: float, bias: list[float], data: list[str],
) -> None:  # fmt: skip
    request = Convert(
        path, out, name=name, author=author, config=config, set=settings, scale=scale, bias=bias,
        data=data,
    )  # fmt: skip
    line = spelled(request.recorded())
    assert "\n" not in line
    assert asked(words(line)[1:]) == request


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
def test_the_versions_are_said_and_nothing_installs_them() -> None:
    """An index may have anything under lading's name."""
    here = {**bills.full().environment, "torch": "2.13.0+cpu"}
    done = repeat(replace(bills.full(), environment=here))
    assert done.versions == ("lading 0.1.0", "torch 2.13.0+cpu", "coremltools 9.0", "numpy 2.3.5")
    assert done.command.startswith("lading convert ")


def test_what_no_command_says_is_told() -> None:
    class Net:
        def __call__(self) -> None: ...

    request = Convert("x.pth", model=Net(), input={"x": None}, precision="fp32")
    done = repeat(replace(bills.full(), request=request.recorded()))
    assert done.command == ""
    assert done.why == (
        f"It was asked in Python, with model ({Net.__qualname__}), input (dict): the same call of "
        "lading.convert repeats it, and no command does."
    )


@pytest.mark.parametrize(
    "request_",
    [{}, {"to": 3}, {"command": "convert"}, {"command": "convert", "arguments": 3, "options": {}},
     {"command": "convert", "arguments": [3], "options": {}},
     {"command": "convert", "arguments": [], "options": ["to"]},
     {"command": "convert", "arguments": [], "options": {"to": [3]}},
     {"command": "convert", "arguments": [], "options": {"to": False}},
     {"command": "convert", "arguments": [], "options": {"to; echo": "onnx"}},
     {"command": "-convert", "arguments": [], "options": {}},
     {"command": "convert", "arguments": [], "options": {}, "python": ["model"]},
     {"command": 3, "arguments": [], "options": {}}],
)  # fmt: skip
def test_a_bill_that_does_not_say_gets_no_command(request_: Any) -> None:
    done = repeat(replace(bills.full(), request=request_))
    assert (done.command, done.why) == ("", UNSAID)


def test_a_strangers_path_is_one_word() -> None:
    bill: Bill = bills.full()
    line = spelled({**bill.request, "arguments": ["a; echo ~ `x` $(y)"]})
    assert shlex.split(line)[2] == "a; echo ~ `x` $(y)"
