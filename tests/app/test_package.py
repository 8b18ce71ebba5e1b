"""Every kind of network as a package: what is in it, and that Swift takes it whatever its names."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lading.app import write
from lading.app.names import LONGEST
from lading.app.package import SUPPORT, TEMPLATES
from lading.errors import InputError, RequestError
from lading.record import Port, Task
from tests.app.packages import HOSTILE, contents, tasks
from tests.swift import harness

KINDS = tasks()


def written(kind: str, place: Path) -> Path:
    package = place / "package"
    package.mkdir(parents=True)
    write(contents(place / "from", kind, KINDS[kind], made=HOSTILE), package)
    return package


@pytest.mark.parametrize(
    ("kind", "has", "has_not"),
    [
        ("Plain", {"Tensor"}, {"Picture", "Labels", "Noise"}),
        ("Regions", {"Picture", "Tiling", "Regions+Segmenting"}, {"Noise", "Classification"}),
        ("Volumes", {"Labels"}, {"Picture", "Tiling", "Volumes+Segmenting"}),
        ("Photos", {"Picture", "Photos+Classifying"}, {"Tiling", "Vocabulary"}),
        ("Texts", {"Vocabulary", "Texts+Classifying"}, {"Picture"}),
        ("Rows", {"Labels", "Rows+Classifying"}, {"Picture", "Vocabulary"}),
        ("Classes", {"Noise", "Walk", "Classes+Sampling"}, {"Labels"}),
        ("Larger", {"Tensor"}, {"Noise", "Larger+Sampling"}),
    ],
)
def test_it_holds_what_its_network_needs(
    kind: str, has: set[str], has_not: set[str], tmp_path: Path
) -> None:
    sources = {path.stem for path in written(kind, tmp_path).glob("Sources/*/*.swift")}
    assert has | {kind, "Facts", "CoreMLNetwork"} <= sources
    assert not has_not & sources


def test_the_same_records_give_the_same_bytes(tmp_path: Path) -> None:
    one, two = written("Photos", tmp_path / "1"), written("Photos", tmp_path / "2")
    files = sorted(path.relative_to(one) for path in one.rglob("*") if path.is_file())
    assert len(files) > 20
    for path in files:
        assert (one / path).read_bytes() == (two / path).read_bytes()


def test_nothing_is_forced() -> None:
    """No force unwrap, no `try!`, no `as!` in what an app is given."""
    forced = re.compile(r"(?<=[\w)\]])!(?!=)|\b(?:try|as)!")
    for path in (*harness.support(), *TEMPLATES.glob("*.swift")):
        for line in path.read_text(encoding="utf-8").splitlines():
            code = re.sub(r'"(?:\\.|[^"\\])*"', '""', line).partition("//")[0]
            assert not forced.search(code), (path.name, line)


def test_support_is_the_same_in_every_package(tmp_path: Path) -> None:
    package = written("Regions", tmp_path)
    for path in SUPPORT.glob("maps/*.swift"):
        assert (package / "Sources/Regions" / path.name).read_bytes() == path.read_bytes()


def test_a_type_that_core_ml_has_no_array_of_is_an_error(tmp_path: Path) -> None:
    port = Port("x", "tensor", "int64", (1,))
    with pytest.raises(InputError, match=r"Odd.model: x"):
        write(contents(tmp_path / "from", "Odd", Task("module", (port,), (port,))), tmp_path)


@pytest.mark.parametrize(
    "name",
    ["", "a b", "unet", "class", "Self", "Swift", "CoreML", "Picture", "Port", 'A"b', "Ünet",
     "../A", "Any", "Équi", "MyTests", "Sendable", "Decodable", "A" * 60, "A\n"],
)  # fmt: skip
def test_what_can_be_no_name(name: str, tmp_path: Path) -> None:
    made = contents(tmp_path / "from", "Plain", KINDS["Plain"])
    object.__setattr__(made, "name", name)
    with pytest.raises(RequestError) as caught:
        write(made, tmp_path)
    assert caught.value.expected.startswith("a capital letter")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["from"]


# --------------------------------------------------------------------------------- Swift's own word
@pytest.fixture(scope="module")
def stubs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return harness.stubs(tmp_path_factory.mktemp("stubs"))


@harness.needs_swift
@pytest.mark.parametrize("kind", ["Plain", "Regions", "Maps", "Photos", "Steps"])
def test_its_code_for_core_ml_fits_the_stubs(kind: str, stubs: Path, tmp_path: Path) -> None:
    package = written(kind, tmp_path)
    harness.lint(package / "Package.swift", package / "Sources", package / "Tests")
    harness.checked(package, stubs)


@harness.needs_swift
def test_the_longest_name_fits_the_lines(tmp_path: Path) -> None:
    for kind, task in KINDS.items():
        package = tmp_path / kind
        package.mkdir()
        made = contents(tmp_path / "from" / kind, "N" * LONGEST, task)
        write(made, package)
    harness.lint(*(tmp_path / kind for kind in KINDS))


@harness.needs_swift
def test_what_the_project_keeps_of_swift_is_formatted() -> None:
    harness.lint(SUPPORT, harness.HERE / "driver.swift")


@harness.needs_swift
def test_the_stubs_are_held_against(stubs: Path, tmp_path: Path) -> None:
    """A call that Core ML does not have is found."""
    package = written("Plain", tmp_path)
    path = package / "Sources" / "Plain" / "ModelFile.swift"
    path.write_text(path.read_text().replace("MLModel.compileModel(at:", "MLModel.compile(at:"))
    with pytest.raises(AssertionError, match="has no member 'compile'"):
        harness.checked(package, stubs)
