"""What a file computes and holds, in all and by module."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lading.errors import ProgramError
from lading.formats.onnx.artifact import OnnxFile
from lading.interface.work import Work
from lading.job.costs import cost, parts
from lading.job.inspect import ArtifactInspection, inspect
from lading.job.request import Inspect
from lading.record.bench import Cost

WORK = [
    Work("a", "Conv", "net.stem", 100, 9, 36),
    Work("b", "Relu", "net.stem", 0),
    Work("c", "Conv", "", None, 4, 16),
    Work("d", "Shape", ""),
    Work("e", "Cast", "", 0, 0, 8),
]


def test_the_sum_says_what_it_does_not_know() -> None:
    assert cost("net.onnx", WORK) == Cost("net.onnx", 100, 1, 13, 60, 5)


def test_the_parts_are_modules_and_what_stands_for_itself() -> None:
    assert parts(WORK) == (
        Cost("net.stem", 100, 0, 9, 36, 2),
        Cost("c", 0, 1, 4, 16, 1),
        Cost("", 0, 0, 0, 8, 2),
    )
    assert parts([]) == ()


def inspected(path: Path) -> ArtifactInspection:
    found = inspect(Inspect(path))
    assert isinstance(found, ArtifactInspection)
    return found


def test_inspect_tells_them_by_module(files: dict[str, Path]) -> None:
    found = inspected(files["onnx"])
    assert found.cost is not None
    assert found.cost.macs == sum(one.macs for one in found.parts) > 0
    assert found.cost.bytes == sum(one.bytes for one in found.parts)
    assert {"network.stem", "network.up", "network.head"} <= {one.name for one in found.parts}
    told = json.loads(json.dumps(found.as_dict()))
    assert told["cost"]["macs"] == found.cost.macs
    assert [one["name"] for one in told["parts"]] == [one.name for one in found.parts]


def test_formats_agree_and_the_one_without_sizes_says_so(files: dict[str, Path]) -> None:
    costs = [inspected(files[kind]).cost for kind in ("onnx", "coreml", "mlmodel")]
    assert None not in costs
    onnx, coreml, mlmodel = (one for one in costs if one)
    assert (coreml.macs, coreml.parameters) == (onnx.macs, onnx.parameters)
    assert mlmodel.parameters == onnx.parameters
    assert mlmodel.unknown > 0


def test_what_cannot_be_read_is_left_out(
    files: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*given: object) -> object:
        raise ProgramError("net.onnx", found="no sizes", expected="sizes", remedy="none")

    monkeypatch.setattr(OnnxFile, "work", fail)
    found = inspected(files["onnx"])
    assert found.cost is None
    assert found.parts == ()
