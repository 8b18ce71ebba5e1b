"""One declaration, two ways in: the command line and Python ask alike, and are refused alike."""

from __future__ import annotations

import contextlib
import json
import math
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

import lading
from lading import cli
from lading.errors import LadingError, RequestError
from lading.job import request as requests_module
from lading.job.options import Option, Request, flag, options, request
from lading.job.request import Classify, Convert, Run, Sample, Verify, requests

#: Per verb, what must be given.
FIRST: dict[str, list[str]] = {
    "convert": ["c.pth"], "verify": ["a.onnx"], "compare": ["a.onnx", "b.onnx"],
    "bench": ["a.onnx"],
    "whose": ["a.onnx", "c.pth"], "inspect": ["c.pth"], "diagnose": ["c.pth"],
    "run": ["a.onnx"], "classify": ["a.onnx"],
    "sample": ["d.pt"], "report": ["lading.json"], "diff": ["a", "b"], "doctor": [],
    "swift": ["lading.json"], "device-check": ["P"], "device-report": ["device.log", "lading.json"],
}  # fmt: skip
#: What an option only makes sense beside.
BESIDE: dict[tuple[str, str], dict[str, Any]] = {
    ("convert", "sampler"): {"part": "step"},
    ("sample", "image"): {"sampler": "repaint", "mask": "m.png"},
    ("sample", "mask"): {"sampler": "repaint", "image": "i.png"},
}
#: Texts of every kind of value: each option takes one of them at least.
TEXTS = ["20", "0.5", "a=1", "32x32", "x:float32[1]", "net.py:make", "a b", "psnr=30"]
PARSER = cli.parser()
EVERY = [
    (verb, name, one)
    for verb, kind in requests().items()
    for name, one in options(kind).items()
    if not one.argument
]
few = settings(max_examples=20, deadline=None)
every = pytest.mark.parametrize(
    ("verb", "name", "one"), EVERY, ids=[f"{verb} {name}" for verb, name, _ in EVERY]
)


def beside(verb: str, name: str) -> dict[str, Any]:
    against = {"against": "c.pth"} if verb == "verify" and name not in ("golden", "against") else {}
    return BESIDE.get((verb, name), {}) | against


def from_python(verb: str, name: str, value: Any) -> Request | dict[str, str]:
    """The request of a call, or the error."""
    keywords = {**beside(verb, name), name: value}
    try:
        return request(requests()[verb], FIRST[verb], keywords)
    except LadingError as error:
        return error.as_dict()


def from_words(verb: str, name: str, text: str | None) -> Request | dict[str, str]:
    """The same of the command line; what the command would do is not done."""
    words = [verb, *FIRST[verb], *(f"{flag(n)}={v}" for n, v in beside(verb, name).items())]
    words.append(flag(name) if text is None else f"{flag(name)}={text}")
    arguments = vars(PARSER.parse_args(words))
    command = arguments.pop("command")
    given = {n: v for n, v in arguments.items() if n not in ("json", "quiet", "debug")}
    try:
        made: Request = command.request(**given)
    except LadingError as error:
        return error.as_dict()
    return made


def taken(one: Option) -> list[str]:
    """Texts that the option takes."""
    found = []
    for text in (*one.kind.words, *TEXTS):
        with contextlib.suppress(ValueError, LadingError):
            one.kind.read(text)
            found.append(text)
    return found


@every
def test_what_is_right_is_the_same_request_from_both(verb: str, name: str, one: Option) -> None:
    if one.kind.flag:
        made = from_python(verb, name, True)
        assert made == from_words(verb, name, None)
        assert getattr(made, name) is True
        return
    made = {text: from_python(verb, name, text) for text in taken(one)}
    assert any(isinstance(asked, Request) for asked in made.values()), made
    for text, asked in made.items():
        assert asked == from_words(verb, name, text)
        if isinstance(asked, Request):  # what was read is read again
            assert asked == from_python(verb, name, getattr(asked, name))


@every
@few
@given(text=st.text().filter(lambda text: "\0" not in text))
@example("")
@example("mask")
@example("nan")
@example("-1")
@example("9" * 5000)
@example("1e999")
@example("=")
def test_any_text_is_taken_or_refused_alike(verb: str, name: str, one: Option, text: str) -> None:
    if not one.kind.flag:
        assert from_python(verb, name, text) == from_words(verb, name, text)


@every
def test_what_is_wrong_ends_with_2_and_the_same_words(
    verb: str, name: str, one: Option, capsys: pytest.CaptureFixture[str]
) -> None:
    texts = () if one.kind.flag else ("", "mask", "=")
    for text in texts:
        if isinstance(from_words(verb, name, text), Request):
            continue
        keywords = {**beside(verb, name), name: text}
        words = [*FIRST[verb], *(f"{flag(n)}={v}" for n, v in keywords.items())]
        assert cli.main([verb, *words, "--json"]) == 2
        with pytest.raises(LadingError) as caught:
            getattr(lading, verb.replace("-", "_"))(*FIRST[verb], **keywords)
        assert json.loads(capsys.readouterr().out) == caught.value.as_dict()


THINGS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.binary(), st.text(),
    st.complex_numbers(), st.just(object()), st.just(Path("p")), st.just(np.float32(0.5)),
    st.just(np.zeros(2)), st.just(torch.zeros(2)), st.just(math),
)  # fmt: skip
ANYTHING = st.one_of(
    THINGS, st.lists(THINGS), st.tuples(THINGS), st.dictionaries(st.text() | st.integers(), THINGS)
)


@every
@few
@given(value=ANYTHING)
@example(math.nan)
@example({})
@example([[]])
def test_any_value_is_taken_or_refused_in_words(
    verb: str, name: str, one: Option, value: Any
) -> None:
    made = from_python(verb, name, value)
    if isinstance(made, dict):
        assert made["error"] == "RequestError"
        assert made["expected"]
        assert made["remedy"]
    else:
        again = from_python(verb, name, getattr(made, name))
        assert isinstance(again, Request)
        assert repr(getattr(again, name)) == repr(getattr(made, name))


@pytest.mark.parametrize(
    ("verb", "keywords", "subject"),
    [
        ("convert", {"output": "mask"}, "--output mask"),
        ("convert", {"precision": "int8"}, "--precision int8"),
        ("convert", {"dynamic": ["batch", "time"]}, "--dynamic time"),
        ("convert", {"opset": 17}, "--opset 17"),
        ("convert", {"ios": 12}, "--ios 12"),
        ("convert", {"ios": 16, "macos": 13}, "--ios 16 --macos 13"),
        ("convert", {"sampler": "ddim"}, "--sampler ddim"),
        ("convert", {"set": "heads"}, "--set heads"),
        ("convert", {"set": {"a=b": 1}}, "--set {'a=b': 1}"),
        ("convert", {"shapes": "big"}, "--shapes big"),
        ("convert", {"scale": "inf"}, "--scale inf"),
        ("convert", {"trajectory": -1}, "--trajectory -1"),
        ("convert", {"ouput": "labels"}, "lading.convert(ouput=)"),
        ("verify", {}, "a.onnx"),
        ("verify", {"golden": "g", "set": {"a": 1}}, "--set"),
        ("verify", {"golden": "g", "against": "c.pth"}, "--against"),
        ("sample", {"sampler": "euler"}, "--sampler euler"),
        ("sample", {"steps": 3, "respacing": "3"}, "--steps with --respacing"),
        ("run", {"runtime": "abacus"}, "--runtime abacus"),
    ],
)
def test_what_cannot_be_is_refused(verb: str, keywords: dict[str, Any], subject: str) -> None:
    with pytest.raises(RequestError) as caught:
        getattr(lading, verb.replace("-", "_"))(*FIRST[verb], **keywords)
    assert caught.value.subject == subject


def test_a_word_for_several_is_cut_at_commas() -> None:
    for to in ("onnx,coreml", ["onnx", "coreml"], ("onnx,coreml",)):
        assert Convert("c.pth", to=to).to == ("onnx", "coreml")
    assert Convert("c.pth", dynamic="batch").dynamic == ("batch",)
    assert Convert("c.pth", bias="1,-0.5").bias == (1.0, -0.5) == Convert("c", bias=[1, -0.5]).bias
    assert Classify("a.onnx", "one, two").text == ("one, two",)


def test_values_of_pythons_are_set_as_they_would_be_typed() -> None:
    given = {"heads": 4, "features": (8, 16), "bias": True, "name": "2d"}
    typed = ["heads=4", "features=8,16", "bias=true", "name=2d"]
    assert Convert("c.pth", set=given) == Convert("c.pth", set=typed)


def test_what_an_artifact_is_fed_is_typed_or_given_by_name() -> None:
    typed = Run("a.onnx", input=["x=dir/x.npy", "t=500", "s=0.5"])
    assert Run("a.onnx", input={"x": Path("dir/x.npy"), "t": 500, "s": 0.5}) == typed
    assert Run("a.onnx", input=Path("x.png")) == Run("a.onnx", input="x.png")


def test_a_near_keyword_is_named_and_a_missing_argument_too() -> None:
    with pytest.raises(RequestError) as caught:
        lading.convert("c.pth", presicion="fp32")  # type: ignore[call-arg]
    assert caught.value.remedy == "did you mean precision?"
    with pytest.raises(RequestError) as caught:
        lading.compare("a.onnx")  # type: ignore[call-arg]
    assert "second" in caught.value.found
    with pytest.raises(RequestError):
        Convert("c.pth", progress=3)  # type: ignore[arg-type]


def test_every_command_is_a_verb_of_python() -> None:
    """All but the demonstrations, which are drawn for the terminal."""
    verbs = set(cli.commands.commands()) - {"demo"}
    assert verbs == set(requests()) == set(FIRST)
    for verb in verbs:
        name = verb.replace("-", "_")
        assert name in dir(lading)
        assert cli.commands.commands()[verb].request is requests()[verb]
        assert callable(getattr(lading, name)), "no package hides it"
        for option in options(requests()[verb]):
            assert f"\n    {option}: " in getattr(lading, name).__doc__
        assert getattr(lading, name).__name__ == name


def test_asking_imports_neither_torch_nor_coremltools() -> None:
    code = (
        "import sys; from lading import cli; from lading.job.request import Convert, requests;"
        "cli.parser(); Convert('c.pth', to='onnx', set={'a': 1}).recorded();"
        "print([name for name in ('torch', 'coremltools', 'numpy') if name in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert out.stdout.strip() == "[]"


def test_every_field_is_declared() -> None:
    for kind in (*requests().values(), requests_module.Reading):
        assert {one.name for one in fields(kind)} - {"progress"} == set(options(kind))


def test_what_is_asked_is_frozen_and_equal_where_it_says_the_same() -> None:
    assert Sample("d.pt", steps="5") == Sample(Path("d.pt"), steps=5, progress=print)
    assert Verify("a", "b") != Verify("a", "c")
