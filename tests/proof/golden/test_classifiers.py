"""Golden vectors of classifiers: a dictionary of probabilities and a name, against an array."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lading import cli
from lading.conversion import apple
from lading.conversion.capture import capture
from lading.formats import format_named
from lading.interface import Interface
from lading.interface.settings import Settings
from lading.proof import golden, probes
from lading.proof.original import Original
from tests.formats.test_classifiers import FACTS, LABELS, NATIVE, interface

KINDS = [*NATIVE, "onnx"]


def made(one: Interface, kind: str, folder: Path) -> Path:
    """The artifact, with its golden vectors in ``golden``."""
    form = format_named(kind)
    path = folder / f"net{form.suffix}"
    graph = capture(one, "trace", form.axes(one.options))
    record = form.convert(graph, Settings(precision="fp16", facts=FACTS), path)
    original = Original(one, probes.make(one))
    golden.write(folder / "golden", original, [(record, form.open(path))], "00")
    return path


def replayed(path: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, Any]:
    status = cli.main(["verify", "--golden", str(path.parent / "golden"), str(path), "--json"])
    return status, json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("kind", KINDS)
def test_a_classifier_passes_without_its_checkpoint(
    kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, told = replayed(made(interface(), kind, tmp_path), capsys)
    assert (status, told["verdict"]) == (0, "pass")
    ran = [one for one in told["comparisons"] if one["verdict"] == "pass"]
    assert len(ran) == (2 if kind == "mlmodel" else 1)
    for one in ran:
        names = {(each["output"], each["kind"]) for each in one["measurements"]}
        assert {("probabilities", "psnr"), ("probabilities", "label_agreement")} <= names


@pytest.mark.parametrize("kind", NATIVE)
def test_names_in_another_order_fail(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The network is right and the names are exchanged: an app would tell the wrong class."""
    original = apple.classes

    def permuted(one: Interface) -> Any:
        labels = (LABELS[1], LABELS[0], *LABELS[2:])
        return original(dataclasses.replace(one, task=dataclasses.replace(one.task, labels=labels)))

    monkeypatch.setattr(apple, "classes", permuted)
    status, told = replayed(made(interface(), kind, tmp_path), capsys)
    assert (status, told["verdict"]) == (1, "fail")


@pytest.mark.parametrize("kind", KINDS)
def test_names_of_another_task_fail(
    kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Vectors of a network with the same ports whose classes have other names."""
    path = made(interface(), kind, tmp_path)
    index = tmp_path / "golden" / "index.json"
    told = json.loads(index.read_text(encoding="utf-8"))
    told["task"]["labels"] = ["a", "b", "c", "d"]
    index.write_text(json.dumps(told), encoding="utf-8")
    status, answer = replayed(path, capsys)
    assert status == 1
    ran = [one for one in answer["comparisons"] if one["verdict"] != "not run"]
    assert all("class names are ru, en, he, de" in one["reason"] for one in ran)


def test_the_index_says_how_an_app_reads_a_classifier(tmp_path: Path) -> None:
    one = interface()
    path = made(one, "coreml", tmp_path)
    index = golden.load(tmp_path / "golden")
    assert "classLabel of Core ML: the name in task.labels at the place that labels" in (
        index.afterwards
    )
    from lading.coreml import mil

    model = mil.load(path)
    for vector in index.vectors:
        ids, wanted, labels = (
            golden.index.read(tmp_path / "golden", next(iter(group.values())))
            for group in (vector.inputs, vector.outputs, vector.after)
        )
        got = model.predict({"ids": ids})
        values = [got["probabilities"][name] for name in index.task.labels]
        rms = float(np.sqrt(np.mean((np.array(values) - wanted[0]) ** 2)))
        assert rms <= vector.rms["fp16"]["probabilities"]
        assert got["classLabel"] == index.task.labels[int(labels[0])]
