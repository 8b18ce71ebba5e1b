"""Every kind of work answers what is asked of kinds, and nobody else asks for one by name."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import lading
from lading.base import shelf
from lading.errors import InputError
from lading.network.families.keyboard_layout import alphabet
from lading.record import Port, Task
from lading.task import Kind, kind_of, require_classifier

KINDS = shelf.read("lading.task.kinds", "KIND")
SOURCE = Path(lading.__file__).parent
X = Port("x", "tensor", "float32", (1, 1, 16, 16), value_range=(-1.0, 1.0))


@pytest.mark.parametrize("name", KINDS)
def test_a_kind_is_found_and_draws_probes(name: str) -> None:
    kind = kind_of(Task(name, (X,), ()))
    assert kind is KINDS[name]
    assert isinstance(kind, Kind)
    drawn = kind.probes([X], (), [])
    assert len({probe.name for probe in drawn}) == len(drawn) > 1
    assert all(X.allows(probe.inputs["x"].shape) for probe in drawn)


def test_only_a_classifier_classifies() -> None:
    assert [name for name, kind in KINDS.items() if kind.classifies] == ["classification"]
    assert [name for name, kind in KINDS.items() if kind.maps] == ["segmentation"]
    assert [name for name, kind in KINDS.items() if kind.walks] == ["diffusion"]


def test_an_unknown_kind_is_refused_in_words() -> None:
    with pytest.raises(InputError) as refused:
        kind_of(Task("spectral", (), ()))
    assert refused.value.found == "spectral"
    assert refused.value.expected == " or ".join(KINDS)


def test_what_is_no_classifier_is_refused() -> None:
    words = alphabet.task(20)
    assert require_classifier(words, "file", "") is words
    for task in (None, Task("segmentation", (), (), ("a",)), Task("classification", (), ())):
        with pytest.raises(InputError) as refused:
            require_classifier(task, "file", "what it is")
        assert (refused.value.subject, refused.value.found) == ("file", "what it is")


def test_nobody_asks_for_a_kind_by_its_name() -> None:
    asked = re.compile(r"task\.kind (==|!=) ")
    files = [path for path in SOURCE.rglob("*.py") if path.parent.name != "page"]
    assert [path.name for path in files if asked.search(path.read_text(encoding="utf-8"))] == []
