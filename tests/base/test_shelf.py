"""Being there is being registered."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from lading.base import shelf
from lading.errors import RequestError


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    name = f"shelf_{tmp_path.name.replace('-', '_')}"
    (tmp_path / name).mkdir()
    (tmp_path / name / "__init__.py").touch()
    (tmp_path / name / "zebra.py").write_text("THING = 'z'\n")
    (tmp_path / name / "ape.py").write_text("THING = 'a'\n")
    monkeypatch.syspath_prepend(tmp_path)
    return name


def test_what_lies_there_is_found_in_order(package: str) -> None:
    found = shelf.read(package, "THING")
    assert found == {"ape": "a", "zebra": "z"}
    assert list(found) == ["ape", "zebra"]


def test_a_module_that_keeps_no_contract_is_an_error(package: str) -> None:
    with pytest.raises(AttributeError, match="OTHER"):
        shelf.read(package, "OTHER")


@pytest.mark.parametrize(
    ("folder", "attribute"),
    [("network.families", "FAMILY"), ("formats", "FORMAT")],
)
def test_every_object_on_the_shelves_carries_its_files_name(folder: str, attribute: str) -> None:
    found = shelf.read(f"lading.{folder}", attribute)
    assert found
    assert {name: one.name for name, one in found.items()} == {name: name for name in found}


def test_the_runtimes_of_every_format_have_names_of_their_own() -> None:
    by_name: dict[str, object] = {}
    for form in shelf.read("lading.formats", "FORMAT").values():
        for runtime in form.runtimes:
            assert by_name.setdefault(runtime.name, runtime) == runtime
    assert {"coreml", "mil", "neuralnetwork", "neuralnetwork_fp16", "onnxruntime"} == set(by_name)


# ------------------------------------------------------------------------ what other packages bring
class Brought:
    name = "bear"


@pytest.fixture
def bring(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    def put(*pairs: tuple[str, str]) -> None:
        points = tuple(EntryPoint(name, value, "things") for name, value in pairs)
        monkeypatch.setattr(shelf, "_outside", lambda group: points if group == "things" else ())

    return put


def test_what_a_package_brings_comes_after_the_house(
    package: str, bring: Callable[..., None]
) -> None:
    bring(("bear", f"{__name__}:Brought"))
    found = shelf.read(package, "THING", "things", ["name"])
    assert list(found) == ["ape", "zebra", "bear"] == list(shelf.names(package, "things"))
    assert found["bear"] is Brought
    assert list(shelf.read(package, "THING")) == ["ape", "zebra"]


@pytest.mark.parametrize(
    ("pairs", "words"),
    [
        ([("bear", "no.such.module:THING")], "ModuleNotFoundError: No module named 'no'"),
        ([("bear", "json:no_such")], "AttributeError"),
        ([("bear", f"{__name__}:Brought"), ("bear", "json:dumps")], "a name that lading or"),
        ([("ape", f"{__name__}:Brought")], "a name that lading or another package has"),
        ([("wolf", f"{__name__}:Brought")], "one that is called 'bear'"),
        ([("bear", "json:dumps")], "no name"),
    ],
)
def test_a_broken_package_is_named(
    package: str, bring: Callable[..., None], pairs: list[tuple[str, str]], words: str
) -> None:
    bring(*pairs)
    with pytest.raises(RequestError, match=r"plug-in '\w+' of a package") as raised:
        shelf.read(package, "THING", "things", ["name"])
    assert words in raised.value.found
