"""An artifact is opened once per command, however many stages look at it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import pytest
import torch
from coremltools.proto import Model_pb2
from torch import nn

from lading import api
from lading.base.notices import Notices
from lading.conversion.graphs import Graphs
from lading.formats import Format, format_named, formats
from lading.interface.settings import Settings
from lading.job.conversion import Conversion
from lading.proof import probes
from lading.proof.original import Original
from tests import toys
from tests.formats.conftest import Carried

EVERY = pytest.mark.parametrize("form", formats().values(), ids=list(formats()))


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A line for each time that lading parses an artifact; a converter's own do not count."""
    lines: list[str] = []

    def counted(work: Callable[..., Any], what: str) -> Callable[..., Any]:
        def call(*arguments: Any, **keywords: Any) -> Any:
            frame = sys._getframe(1)
            if frame.f_globals["__name__"].startswith("lading."):
                lines.append(f"{what} by {frame.f_globals['__name__']}")
            return work(*arguments, **keywords)

        return call

    parse = Model_pb2.Model.ParseFromString
    monkeypatch.setattr(Model_pb2.Model, "ParseFromString", counted(parse, "Core ML"))
    for name in ("load", "load_model", "load_model_from_string", "load_from_string"):
        monkeypatch.setattr(onnx, name, counted(getattr(onnx, name), "ONNX"))
    return lines


VERBS: dict[str, Callable[[Carried, Path], Any]] = {
    "verify": lambda carried, path: api.verify(path, carried.checkpoint),
    "golden": lambda carried, path: api.verify(path, golden=carried.out / "golden"),
    "compare": lambda carried, path: api.compare(carried.checkpoint, path),
    "whose": lambda carried, path: api.whose(path, [carried.checkpoint, carried.checkpoint]),
    "inspect": lambda carried, path: api.inspect(path),
}


@EVERY
@pytest.mark.parametrize("verb", VERBS)
def test_once_per_command(form: Format, verb: str, carried: Carried, opened: list[str]) -> None:
    VERBS[verb](carried, carried.path(form.name))
    assert len(opened) == 1, opened


def test_each_of_two_once(carried: Carried, opened: list[str]) -> None:
    first, second = (carried.path(name) for name in ("onnx", "coreml"))
    api.compare(first, second)
    assert len(opened) == 2, opened


class Large(nn.Module):
    """A value of 131072 on the way, which nothing is left of in fp32."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = toys.net()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out = self.inner(x)
        part = torch.tanh(out)
        scores: torch.Tensor = out + (torch.relu(part * 131_072.0) / 131_072.0 - torch.relu(part))
        return scores


def test_a_search_opens_each_written_file_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, opened: list[str]
) -> None:
    interface = toys.interface()
    interface.module.network = Large().eval()
    original = Original(interface, probes.make(interface))
    form: Any = format_named("coreml")
    files: list[Path] = []
    convert = form.convert

    def written(captured: Any, settings: Settings, path: Path) -> Any:
        files.append(path)
        return convert(captured, settings, path)

    monkeypatch.setattr(form, "convert", written)
    settings = Settings("fp16", auto=True)
    conversion = Conversion(Graphs(interface), settings, original, lambda *_: None, Notices())
    made = conversion.convert(form, "net", tmp_path, "trace")
    assert made.passed, made.comparisons
    assert "pass" in made.artifact.details["search"]
    assert len(files) > 1
    assert len(opened) <= len(files), opened
