"""What ``--model`` names: files, packages, arguments."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from torch import nn

from lading.errors import RequestError
from lading.network.code import literal, named


def test_a_factory_of_a_package_with_arguments() -> None:
    code = named("torch.nn:Linear", {"in_features": 3, "out_features": 2})
    made, has_read = code.make()
    assert isinstance(made, nn.Linear)
    assert (made.in_features, has_read, code.origin) == (3, False, "torch.nn:Linear")


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        ({"in_features": 3}, "it needs out_features"),
        ({"in_features": 3, "out_features": 2, "width": 1}, "no argument 'width'"),
    ],
)
def test_arguments_that_do_not_fit(arguments: dict[str, int], found: str) -> None:
    with pytest.raises(RequestError) as caught:
        named("torch.nn:Linear", arguments).make()
    assert caught.value.found.startswith(found)


def test_an_attribute_of_a_class_and_a_near_name() -> None:
    assert named("torch.nn:Sequential.forward", {}).name == "Sequential.forward"
    with pytest.raises(RequestError) as caught:
        named("torch.nn:Linaer", {}).make()
    assert caught.value.remedy == "did you mean Linear?"


def test_a_file_of_a_package_imports_its_neighbours(tmp_path: Path) -> None:
    package = tmp_path / "some_repository" / "models"
    package.mkdir(parents=True)
    for folder in (package, package.parent):
        (folder / "__init__.py").write_text("")
    (package / "layers.py").write_text("import torch\nLayer = torch.nn.ReLU\n")
    (package / "net.py").write_text("from .layers import Layer\ndef make():\n    return Layer()\n")
    try:
        assert isinstance(named(f"{package / 'net.py'}:make", {}).make()[0], nn.ReLU)
    finally:
        for name in [one for one in sys.modules if one.startswith("some_repository")]:
            del sys.modules[name]
    assert str(tmp_path) not in sys.path


def test_a_module_of_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "net_of_this_folder.py").write_text("import torch\nmake = torch.nn.ReLU\n")
    monkeypatch.chdir(tmp_path)
    assert isinstance(named("net_of_this_folder:make", {}).make()[0], nn.ReLU)


def test_values_of_arguments() -> None:
    texts = ("3", "(1, 2)", "None", "resnet18", "'3'", "a b")
    assert [literal(text) for text in texts] == [3, (1, 2), None, "resnet18", "3", "a b"]
